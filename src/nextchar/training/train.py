"""Training on a corpus, from settings to a model: what a run is made of, put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nextchar.config import Settings
from nextchar.errors import SettingsError
from nextchar.kernels import COMPILING
from nextchar.model.file import BEST, Model, load_model
from nextchar.model.initialise import initialise
from nextchar.model.parameters import Architecture
from nextchar.text.batches import Batches, Share, make_batches
from nextchar.text.corpus import Corpus, Prepared, prepare
from nextchar.text.plausible import doubt
from nextchar.text.readahead import ReadAhead
from nextchar.text.stored import AnyCodes, StoredCodes
from nextchar.training.automatic import settings_for
from nextchar.training.checkpoint import Checkpoint, Progress, with_states
from nextchar.training.cohort import SINGLE, Cohort
from nextchar.training.directory import RunDirectory
from nextchar.training.events import Evaluated, Note, OnEvent, Scored
from nextchar.training.faults import telling_how_to_go_on
from nextchar.training.optimizers import make_slots
from nextchar.training.resuming import evaluated_before, resumed
from nextchar.training.scoring import score_together
from nextchar.training.speed import Precision
from nextchar.training.trainer import MakeSample, Trainer

if TYPE_CHECKING:
    from nextchar.kernels.engine import Engine

Array = NDArray[Any]

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
    resume: bool = False,
    hooks: Hooks | None = None,
    cohort: Cohort = SINGLE,
) -> Trained:
    """Train a model on a corpus.

    given: the settings that are to stay as they are, the others being chosen for the text and the
    time (the preset `auto`); None leaves all as they are.
    validation: a text of its own to validate on, in place of a part of the corpus.
    directory: where the run is kept; None keeps it in memory.
    source: where the text came from, noted in `config.toml`.
    resume: go on from the directory's checkpoint; raises RunError where text or settings differ.
    cohort: who trains along; only its first rank has a directory.
    """
    # they bring Numba along, half a second that who only predicts need not wait
    from nextchar.kernels.compiled import telling_of_compilation
    from nextchar.kernels.isa import HOST

    hooks = hooks or Hooks()
    tell = hooks.on_event
    settings = _in_force(settings, cohort)
    if cohort.advice:
        tell(Note(cohort.advice, is_by_the_way=True))
    prepared = cohort.together(lambda: prepare(corpus, settings, validation))
    precision = _precision(settings, can_pair=HOST.has_bfloat16)
    if precision.bfloat16 and settings.training.dtype == "auto":
        tell(Note(BFLOAT16, is_by_the_way=True))
    with telling_of_compilation(lambda: tell(Note(COMPILING, is_by_the_way=True))):
        if given is not None:
            settings = settings_for(prepared, given, settings, precision, tell, cohort)
        batches = cohort.together(lambda: _batches(prepared, settings, precision, cohort.share))
        _tell_limits(prepared, batches, settings, tell)
        fresh = _fresh(prepared, batches, settings)

        def begin() -> tuple[Checkpoint, list[Evaluated]]:
            start, before = fresh, list[Evaluated]()
            if directory and resume:
                start = resumed(directory, settings, fresh, tell, cohort.share.size)
                before = evaluated_before(directory, start.progress, tell)
            if directory:
                with _telling(directory):
                    directory.write_config(settings, source or {}, cohort.share.size)
            return start, before

        start, before = cohort.first(begin) if resume else (fresh, cohort.first(begin)[1])
        start = with_states(lambda state: _own_lanes(state, cohort.share), start)
        with nullcontext() if directory is None else _telling(directory):
            how = (precision, directory, hooks, cohort)
            return _run(prepared, batches, settings, start, before, *how)


def _telling(directory: RunDirectory) -> AbstractContextManager[None]:
    """Within this context a file that cannot be written is told with what to do."""
    return telling_how_to_go_on(directory.path, directory.checkpoint)


def _batches(prepared: Prepared, settings: Settings, precision: Precision, share: Share) -> Batches:
    """A rank's share of all batches. Refuses what would need more memory than there is."""
    from nextchar.training.memory import require_memory

    batches = make_batches(prepared.train, settings.training, share)
    lanes = batches.batch_size
    if lanes < share.size:
        raise SettingsError(
            f"a batch of {lanes} lane{'' if lanes == 1 else 's'} cannot be cut over {share.size} "
            "ranks: give a larger --batch-size, a longer text or fewer ranks"
        )
    require_memory(
        Architecture(settings.network, len(prepared.vocabulary)),
        settings.training,
        T=batches.seq_length,
        B=-(-lanes // share.size),
        threads=_threads(settings, lanes, share),
        dtype=precision.dtype,
        pairs=precision.bfloat16,
    )
    return ReadAhead(batches) if isinstance(prepared.train, StoredCodes) else batches


def _threads(settings: Settings, lanes: int, share: Share) -> int:
    """As many as have a lane on every rank: sums are taken in the same order on all."""
    assert settings.training.threads is not None
    return min(settings.training.threads, lanes // share.size)


def _own_lanes(state: Array, share: Share) -> Array:
    """The states of a rank's lanes."""
    first, end = share.of(state.shape[2])
    return np.ascontiguousarray(state[:, :, first:end])


def _run(
    prepared: Prepared,
    batches: Batches,
    settings: Settings,
    start: Checkpoint,
    before: list[Evaluated],
    precision: Precision,
    directory: RunDirectory | None,
    hooks: Hooks,
    cohort: Cohort,
) -> Trained:
    """Train from a start to the end. before: records of the evaluations before a resume."""
    from nextchar.kernels.engine import Engine

    cohort.compress(settings.training.compress_gradients)
    threads = _threads(settings, batches.batch_size, cohort.share)
    how: Any = {"exchange": cohort.exchange, **precision._asdict()}
    with Engine(start.parameters.architecture, threads=threads, **how) as engine:
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
            cohort=cohort,
        )
        trainer.records = before
        trained = trainer.run()
        model = cohort.first(lambda: _best(directory) or trained)
        test_loss = _test(engine, model, prepared.test, hooks.on_event, cohort)
    best = trainer.progress.best_loss
    assert best is not None
    return Trained(model, settings, trainer.records, trainer.progress.step, best, test_loss)


def _best(directory: RunDirectory | None) -> Model | None:
    """The best model that was written; it may be from before a resume."""
    path = directory and directory.path / BEST
    return load_model(path) if path and path.exists() else None


def _test(
    engine: Engine, model: Model, codes: AnyCodes, on_event: OnEvent, cohort: Cohort
) -> float | None:
    """The best model's loss on the test part, in nats per character."""
    score = score_together(cohort, engine, model.parameters, codes)
    if score is None:
        return None
    on_event(Scored(score.nats_per_char, len(codes)))
    return score.nats_per_char


def _in_force(settings: Settings, cohort: Cohort) -> Settings:
    """The settings with what depends on the machine filled in, as `config.toml` notes them."""
    threads = settings.training.threads or cohort.threads()
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


def _fresh(prepared: Prepared, batches: Batches, settings: Settings) -> Checkpoint:
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
