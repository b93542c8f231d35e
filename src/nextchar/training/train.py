"""Training on a corpus, from settings to a model: what a run is made of, put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from nextchar.config import Settings
from nextchar.kernels import COMPILING
from nextchar.kernels.threads import usable_cores
from nextchar.model.file import BEST, START, Model, load_model
from nextchar.model.initialise import initialise
from nextchar.model.parameters import Architecture
from nextchar.text.batches import Batches, make_batches
from nextchar.text.corpus import Corpus, Prepared, prepare
from nextchar.text.plausible import doubt
from nextchar.text.readahead import ReadAhead
from nextchar.text.stored import AnyCodes, StoredCodes
from nextchar.text.vocabulary import Codes
from nextchar.training.automatic import settings_for
from nextchar.training.checkpoint import (
    Checkpoint,
    Progress,
)
from nextchar.training.directory import RunDirectory
from nextchar.training.events import Evaluated, Note, OnEvent, Scored
from nextchar.training.faults import telling_how_to_go_on
from nextchar.training.fine_tuning import (
    extended,
    make_as_probable_as_frequent,
    new_codes,
    what_is_new,
)
from nextchar.training.gallery import MakeSample
from nextchar.training.optimizers import make_slots
from nextchar.training.resuming import evaluated_before, resumed
from nextchar.training.speed import Precision
from nextchar.training.trainer import Trainer

if TYPE_CHECKING:
    from nextchar.kernels.engine import Engine

BY_POSITION = (
    "the text is too large for its records to be shuffled: the last ones are kept for validation; "
    "if it is sorted, shuffle it yourself (shuf)"
)
BFLOAT16 = "products in bfloat16, which this CPU multiplies faster; --dtype float32 for more digits"


@dataclass(frozen=True)
class Hooks:
    """What others do for a run: listen, stop it, write samples."""

    on_event: OnEvent = lambda event: None
    should_stop: Callable[[], bool] = lambda: False
    make_sample: MakeSample | None = None


@dataclass(frozen=True)
class Trained:
    """What a run ends with: its best model and the records of all its evaluations.

    settings: those of the run, what `auto` chose among them.
    best_loss: nats per character of the model; test_loss: on the test part, where there is one.
    """

    model: Model
    settings: Settings
    records: list[Evaluated]
    steps: int
    best_loss: float
    test_loss: float | None


def train(
    corpus: Corpus,
    settings: Settings,
    *,
    given: Mapping[str, Any] | None = None,
    validation: Corpus | None = None,
    directory: RunDirectory | None = None,
    source: Mapping[str, Any] | None = None,
    base: Model | None = None,
    resume: bool = False,
    hooks: Hooks | None = None,
) -> Trained:
    """Train a model on a corpus.

    given: the settings that are to stay as they are, the others being chosen for the text and the
    time (the preset `auto`); None leaves all as they are.
    validation: a text of its own to validate on, in place of a part of the corpus.
    directory: where the run is kept; None keeps it in memory.
    source: where the text came from, noted in `config.toml`.
    base: the model to start from; the settings are to have its network.
    resume: go on from the directory's checkpoint; raises RunError where text or settings differ.
    """
    # they bring Numba along, half a second that who only predicts need not wait
    from nextchar.kernels.compiled import telling_of_compilation
    from nextchar.kernels.isa import HOST

    hooks = hooks or Hooks()
    tell = hooks.on_event
    settings = _in_force(settings)
    prepared = prepare(corpus, settings, validation, base.vocabulary if base else None)
    prepared = replace(prepared, source=source or {})
    precision = _precision(settings, can_pair=HOST.has_bfloat16)
    if base and (told := what_is_new(base.vocabulary, prepared.vocabulary)):
        tell(Note(told, is_by_the_way=True))
    if precision.bfloat16 and settings.training.dtype == "auto":
        tell(Note(BFLOAT16, is_by_the_way=True))
    with telling_of_compilation(lambda: tell(Note(COMPILING, is_by_the_way=True))):
        if given is not None:
            is_trained = base is not None
            settings = settings_for(
                prepared, given, settings, precision, tell, is_trained=is_trained
            )
        batches = make_batches(prepared.train, settings.training)
        if isinstance(prepared.train, StoredCodes):
            batches = ReadAhead(batches)
        _tell_limits(prepared, batches, settings, tell)
        _require_memory(prepared, batches, settings, precision)
        start, before = _fresh(prepared, batches, settings, base), list[Evaluated]()
        if directory and resume:
            start = resumed(directory, settings, start, tell)
            before = evaluated_before(directory, start.progress, tell)
        with nullcontext() if directory is None else _telling(directory):
            if directory:
                if base and not resume:
                    directory.save_model(START, base)
                directory.write_config(settings, source or {})
            new = new_codes(base, prepared.vocabulary) if base else None
            return _run(
                prepared, batches, settings, start, before, precision, directory, hooks, new
            )


def _telling(directory: RunDirectory) -> AbstractContextManager[None]:
    """Within this context a file that cannot be written is told with what to do."""
    return telling_how_to_go_on(directory.path, directory.checkpoint)


def _require_memory(
    prepared: Prepared, batches: Batches, settings: Settings, precision: Precision
) -> None:
    """Refuse what would need more memory than there is."""
    from nextchar.training.memory import require_memory

    assert settings.training.threads is not None
    require_memory(
        Architecture(settings.network, len(prepared.vocabulary)),
        settings.training,
        T=batches.seq_length,
        B=batches.batch_size,
        threads=min(settings.training.threads, batches.batch_size),
        dtype=precision.dtype,
        pairs=precision.bfloat16,
    )


def _run(
    prepared: Prepared,
    batches: Batches,
    settings: Settings,
    start: Checkpoint,
    before: list[Evaluated],
    precision: Precision,
    directory: RunDirectory | None,
    hooks: Hooks,
    new: Codes | None,
) -> Trained:
    """Train from a start to the end.

    before: records of the evaluations before a resume. new: codes that the model to start from did
    not have; None where there is no such model.
    """
    from nextchar.kernels.engine import Engine

    assert settings.training.threads is not None
    architecture = start.parameters.architecture
    threads = min(settings.training.threads, batches.batch_size)
    with Engine(architecture, threads=threads, **precision._asdict()) as engine:
        if new is not None and start.progress.step == 0:
            _tell_start(engine, start, prepared, settings, hooks.on_event)
            if len(new):
                make_as_probable_as_frequent(start.parameters, new, prepared.train)
        trainer = Trainer(
            prepared,
            batches,
            settings,
            engine,
            start,
            directory=directory,
            on_event=hooks.on_event,
            should_stop=hooks.should_stop,
            make_sample=hooks.make_sample,
        )
        trainer.records = before
        model = trainer.run()
        if directory and (directory.path / BEST).exists():  # it may be from before a resume
            model = load_model(directory.path / BEST)
        test_loss = _test(engine, model, prepared.test, hooks.on_event)
    best = trainer.progress.best_loss
    assert best is not None
    return Trained(model, settings, trainer.records, trainer.progress.step, best, test_loss)


def _tell_start(
    engine: Engine, start: Checkpoint, prepared: Prepared, settings: Settings, on_event: OnEvent
) -> None:
    """Say what a trained model makes of the validation part before it is trained on."""
    codes = prepared.validation[: settings.training.eval_characters]
    if len(codes) > 1:
        loss = engine.score(start.parameters, codes).nats_per_char
        told = f"before training: validation {loss:.4f} nats/char"
        on_event(Note(told, is_by_the_way=True))


def _test(engine: Engine, model: Model, codes: AnyCodes, on_event: OnEvent) -> float | None:
    """The best model's loss on the test part, in nats per character."""
    if len(codes) < 2:
        return None
    loss = engine.score(model.parameters, cast(Codes, codes)).nats_per_char  # read as an array is
    on_event(Scored(loss, len(codes)))
    return loss


def _in_force(settings: Settings) -> Settings:
    """The settings with what depends on the machine filled in, as `config.toml` notes them."""
    threads = settings.training.threads or usable_cores()
    return replace(settings, training=replace(settings.training, threads=threads))


def _precision(settings: Settings, *, can_pair: bool) -> Precision:
    """The precision that the settings ask for; `auto` takes bfloat16 where the CPU has it."""
    asked = settings.training.dtype
    return Precision(
        _float_type(settings), bfloat16=asked == "bfloat16" or (asked == "auto" and can_pair)
    )


def _float_type(settings: Settings) -> Any:
    """Of parameters and sums."""
    return np.float64 if settings.training.dtype == "float64" else np.float32


def _fresh(
    prepared: Prepared, batches: Batches, settings: Settings, base: Model | None
) -> Checkpoint:
    if base:
        parameters = extended(base, prepared.vocabulary, _float_type(settings))
    else:
        architecture = Architecture(settings.network, len(prepared.vocabulary))
        parameters = initialise(architecture, settings.training.seed, _float_type(settings))
    return Checkpoint(
        parameters,
        make_slots(settings.training.optimizer, parameters.flat),
        parameters.zero_state(batches.batch_size),
        Progress(),
        prepared.sha256,
        settings.flat(),
    )


def _tell_limits(
    prepared: Prepared, batches: Batches, settings: Settings, on_event: OnEvent
) -> None:
    """Say where the text did not allow what was asked, or is none."""
    asked = settings.training
    if told := doubt(prepared.vocabulary, prepared.train, settings.text):
        on_event(Note(told))
    if prepared.by_position:
        on_event(Note(BY_POSITION))
    if prepared.left_out:
        on_event(
            Note(
                f"{prepared.left_out} characters of the validation part never occur in the "
                "training part; they are left out of the loss"
            )
        )
    if batches.batch_size < asked.batch_size or batches.seq_length < asked.seq_length:
        on_event(
            Note(
                f"the text is short: trained in {batches.batch_size} lane"
                f"{'' if batches.batch_size == 1 else 's'} of sequences of {batches.seq_length} "
                f"(asked for {asked.batch_size} and {asked.seq_length})"
            )
        )
    if len(prepared.validation) < 2:
        on_event(Note("no validation part: the training loss decides which model is best"))
