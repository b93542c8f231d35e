"""Training on a corpus, from settings to a model: what a run is made of, put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from nextchar.kernels import COMPILING
from nextchar.model.file import BEST, START, Model, load_model
from nextchar.model.parameters import Parameters
from nextchar.settings.config import Settings
from nextchar.text.batches import Batches
from nextchar.text.cache.disk_codes import AnyCodes
from nextchar.text.corpus import Corpus, Prepared, prepare
from nextchar.text.vocabulary import Codes
from nextchar.training.assemble import (
    batches_of,
    initial_checkpoint,
    lanes_of_rank,
    precision_of,
    resolve_threads,
    threads_of,
    warn_about_data,
)
from nextchar.training.auto.choose import choose_settings
from nextchar.training.auto.throughput import Precision
from nextchar.training.events import Evaluated, Note, OnEvent, Scored
from nextchar.training.fine_tuning import (
    describe_new_characters,
    new_codes,
    set_biases_of_new_characters,
)
from nextchar.training.process_group import SINGLE_PROCESS, ProcessGroup
from nextchar.training.sample_writer import MakeSample
from nextchar.training.saving.checkpoint import Checkpoint, with_states
from nextchar.training.saving.resume import load_history, load_or_start
from nextchar.training.saving.run_directory import RunDirectory
from nextchar.training.saving.write_errors import explain_write_errors
from nextchar.training.trainer import Trainer
from nextchar.training.validation_loss import score_over_ranks

if TYPE_CHECKING:
    from nextchar.kernels.engine import Engine

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
    group: ProcessGroup = SINGLE_PROCESS,
) -> Trained:
    """Train a model on a corpus.

    given: the settings that are to stay as they are, the others being chosen for the text and the
    time (the preset `auto`); None leaves all as they are.
    validation: a text of its own to validate on, in place of a part of the corpus.
    directory: where the run is kept; None keeps it in memory.
    source: where the text came from, noted in `config.toml`.
    base: the model to start from; the settings are to have its network.
    resume: go on from the directory's checkpoint; raises RunError where text or settings differ.
    group: who trains along; only its first rank has a directory.
    """
    # they bring Numba along, half a second that who only predicts need not wait
    from nextchar.kernels.isa import HOST
    from nextchar.kernels.jit import announce_compilation

    hooks = hooks or Hooks()
    tell = hooks.on_event
    settings = resolve_threads(settings, group)
    if group.advice:
        tell(Note(group.advice, is_by_the_way=True))
    known = base.vocabulary if base else None
    prepared = group.on_all_ranks(lambda: prepare(corpus, settings, validation, known))
    prepared = replace(prepared, source=source or {})
    precision = precision_of(settings, can_pair=HOST.has_bfloat16)
    if base and (told := describe_new_characters(base.vocabulary, prepared.vocabulary)):
        tell(Note(told, is_by_the_way=True))
    if precision.bfloat16 and settings.training.dtype == "auto":
        tell(Note(BFLOAT16, is_by_the_way=True))
    with announce_compilation(lambda: tell(Note(COMPILING, is_by_the_way=True))):
        if given is not None:
            how = (settings, precision, tell, group)
            settings = choose_settings(prepared, given, *how, is_trained=base is not None)
        batches = group.on_all_ranks(lambda: batches_of(prepared, settings, precision, group.share))
        warn_about_data(prepared, batches, settings, tell)
        fresh = initial_checkpoint(prepared, batches, settings, base)

        def begin() -> tuple[Checkpoint, list[Evaluated]]:
            start, before = fresh, list[Evaluated]()
            if directory is None:
                return start, before
            if resume:
                start = load_or_start(directory, settings, fresh, tell, group.share.size)
                before = load_history(directory, start.progress, tell)
            with _telling(directory):
                if base and not resume:
                    directory.save_model(START, base)
                directory.write_config(settings, source or {}, group.share.size)
            return start, before

        start, before = (
            group.on_rank_zero(begin) if resume else (fresh, group.on_rank_zero(begin)[1])
        )
        start = with_states(partial(lanes_of_rank, group.share), start)
        new = new_codes(base, prepared.vocabulary) if base else None
        with nullcontext() if directory is None else _telling(directory):
            hands = (directory, hooks, new, group)
            return _run(prepared, batches, settings, start, before, precision, *hands)


def _telling(directory: RunDirectory) -> AbstractContextManager[None]:
    """Within this context a file that cannot be written is told with what to do."""
    return explain_write_errors(directory.path, directory.checkpoint)


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
    group: ProcessGroup,
) -> Trained:
    """Train from a start to the end.

    before: records of the evaluations before a resume. new: codes that the model to start from did
    not have; None where there is no such model.
    """
    from nextchar.kernels.engine import Engine

    group.set_compression(settings.training.compress_gradients)
    threads = threads_of(settings, batches.batch_size, group.share)
    how: Any = {"all_reduce": group.all_reduce, **precision._asdict()}
    with Engine(start.parameters.architecture, threads=threads, **how) as engine:
        if new is not None and start.progress.step == 0:
            codes = prepared.validation[: settings.training.eval_characters]
            _tell_start(engine, start.parameters, codes, hooks.on_event, group)
            if len(new):
                set_biases_of_new_characters(start.parameters, new, prepared.train)
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
            group=group,
        )
        trainer.records = before
        trained = trainer.run()
        model = group.on_rank_zero(lambda: _best(directory) or trained)
        test_loss = _test(engine, model, prepared.test, hooks.on_event, group)
    best = trainer.progress.best_loss
    assert best is not None
    return Trained(model, settings, trainer.records, trainer.progress.step, best, test_loss)


def _best(directory: RunDirectory | None) -> Model | None:
    """The best model that was written; it may be from before a resume."""
    path = directory and directory.path / BEST
    return load_model(path) if path and path.exists() else None


def _tell_start(
    engine: Engine, model: Parameters, codes: AnyCodes, on_event: OnEvent, group: ProcessGroup
) -> None:
    """Say what a trained model makes of the validation part before it is trained on."""
    if score := score_over_ranks(group, engine, model, codes):
        told = f"before training: validation {score.nats_per_char:.4f} nats/char"
        on_event(Note(told, is_by_the_way=True))


def _test(
    engine: Engine, model: Model, codes: AnyCodes, on_event: OnEvent, group: ProcessGroup
) -> float | None:
    """The best model's loss on the test part, in nats per character."""
    score = score_over_ranks(group, engine, model.parameters, codes)
    if score is None:
        return None
    on_event(Scored(score.nats_per_char, len(codes)))
    return score.nats_per_char
