"""Training on a corpus, from settings to a model: what a run is made of, put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from nextchar.config import Settings
from nextchar.kernels import COMPILING
from nextchar.model.file import BEST, START, Model, load_model
from nextchar.model.parameters import Parameters
from nextchar.text.batches import Batches
from nextchar.text.corpus import Corpus, Prepared, prepare
from nextchar.text.stored import AnyCodes
from nextchar.text.vocabulary import Codes
from nextchar.training.automatic import settings_for
from nextchar.training.beginning import (
    batches_of,
    fresh_start,
    in_force,
    own_lanes,
    precision_of,
    tell_limits,
    threads_of,
)
from nextchar.training.checkpoint import Checkpoint, with_states
from nextchar.training.cohort import SINGLE, Cohort
from nextchar.training.directory import RunDirectory
from nextchar.training.events import Evaluated, Note, OnEvent, Scored
from nextchar.training.faults import telling_how_to_go_on
from nextchar.training.fine_tuning import (
    make_as_probable_as_frequent,
    new_codes,
    what_is_new,
)
from nextchar.training.gallery import MakeSample
from nextchar.training.resuming import evaluated_before, resumed
from nextchar.training.scoring import score_together
from nextchar.training.speed import Precision
from nextchar.training.trainer import Trainer

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
    cohort: Cohort = SINGLE,
) -> Trained:
    """Train a model on a corpus.

    given: the settings that are to stay as they are, the others being chosen for the text and the
    time (the preset `auto`); None leaves all as they are.
    validation: a text of its own to validate on, in place of a part of the corpus.
    directory: where the run is kept; None keeps it in memory.
    source: where the text came from, noted in `config.toml`.
    base: the model to start from; the settings are to have its network.
    resume: go on from the directory's checkpoint; raises RunError where text or settings differ.
    cohort: who trains along; only its first rank has a directory.
    """
    # they bring Numba along, half a second that who only predicts need not wait
    from nextchar.kernels.compiled import telling_of_compilation
    from nextchar.kernels.isa import HOST

    hooks = hooks or Hooks()
    tell = hooks.on_event
    settings = in_force(settings, cohort)
    if cohort.advice:
        tell(Note(cohort.advice, is_by_the_way=True))
    known = base.vocabulary if base else None
    prepared = cohort.together(lambda: prepare(corpus, settings, validation, known))
    prepared = replace(prepared, source=source or {})
    precision = precision_of(settings, can_pair=HOST.has_bfloat16)
    if base and (told := what_is_new(base.vocabulary, prepared.vocabulary)):
        tell(Note(told, is_by_the_way=True))
    if precision.bfloat16 and settings.training.dtype == "auto":
        tell(Note(BFLOAT16, is_by_the_way=True))
    with telling_of_compilation(lambda: tell(Note(COMPILING, is_by_the_way=True))):
        if given is not None:
            how = (settings, precision, tell, cohort)
            settings = settings_for(prepared, given, *how, is_trained=base is not None)
        batches = cohort.together(lambda: batches_of(prepared, settings, precision, cohort.share))
        tell_limits(prepared, batches, settings, tell)
        fresh = fresh_start(prepared, batches, settings, base)

        def begin() -> tuple[Checkpoint, list[Evaluated]]:
            start, before = fresh, list[Evaluated]()
            if directory is None:
                return start, before
            if resume:
                start = resumed(directory, settings, fresh, tell, cohort.share.size)
                before = evaluated_before(directory, start.progress, tell)
            with _telling(directory):
                if base and not resume:
                    directory.save_model(START, base)
                directory.write_config(settings, source or {}, cohort.share.size)
            return start, before

        start, before = cohort.first(begin) if resume else (fresh, cohort.first(begin)[1])
        start = with_states(partial(own_lanes, cohort.share), start)
        new = new_codes(base, prepared.vocabulary) if base else None
        with nullcontext() if directory is None else _telling(directory):
            hands = (directory, hooks, new, cohort)
            return _run(prepared, batches, settings, start, before, precision, *hands)


def _telling(directory: RunDirectory) -> AbstractContextManager[None]:
    """Within this context a file that cannot be written is told with what to do."""
    return telling_how_to_go_on(directory.path, directory.checkpoint)


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
    cohort: Cohort,
) -> Trained:
    """Train from a start to the end.

    before: records of the evaluations before a resume. new: codes that the model to start from did
    not have; None where there is no such model.
    """
    from nextchar.kernels.engine import Engine

    cohort.compress(settings.training.compress_gradients)
    threads = threads_of(settings, batches.batch_size, cohort.share)
    how: Any = {"exchange": cohort.exchange, **precision._asdict()}
    with Engine(start.parameters.architecture, threads=threads, **how) as engine:
        if new is not None and start.progress.step == 0:
            codes = prepared.validation[: settings.training.eval_characters]
            _tell_start(engine, start.parameters, codes, hooks.on_event, cohort)
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


def _tell_start(
    engine: Engine, model: Parameters, codes: AnyCodes, on_event: OnEvent, cohort: Cohort
) -> None:
    """Say what a trained model makes of the validation part before it is trained on."""
    if score := score_together(cohort, engine, model, codes):
        told = f"before training: validation {score.nats_per_char:.4f} nats/char"
        on_event(Note(told, is_by_the_way=True))


def _test(
    engine: Engine, model: Model, codes: AnyCodes, on_event: OnEvent, cohort: Cohort
) -> float | None:
    """The best model's loss on the test part, in nats per character."""
    score = score_together(cohort, engine, model.parameters, codes)
    if score is None:
        return None
    on_event(Scored(score.nats_per_char, len(codes)))
    return score.nats_per_char
