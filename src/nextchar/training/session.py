"""One training session: from a prepared text and finished settings to a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nextchar.model.file import BEST, START, Model, load_model
from nextchar.model.initialise import initialise
from nextchar.model.parameters import Architecture, Array, Parameters
from nextchar.settings.config import Settings
from nextchar.text.batches import Batches
from nextchar.text.corpus import Prepared
from nextchar.training.auto.choose import precision_of
from nextchar.training.evaluation import score_over_ranks
from nextchar.training.events import Evaluated, Scored
from nextchar.training.fine_tuning import extended, new_codes, set_biases_of_new_characters
from nextchar.training.optim.optimizers import make_slots
from nextchar.training.rank_batches import make_rank_batches, threads_of
from nextchar.training.run_context import RunContext
from nextchar.training.saving.checkpoint import Checkpoint, Progress, with_states
from nextchar.training.saving.resume import load_history, load_or_start
from nextchar.training.saving.run_directory import RunDirectory
from nextchar.training.saving.write_errors import explain_write_errors
from nextchar.training.trainer import Trainer

if TYPE_CHECKING:
    from nextchar.kernels.engine import Engine


@dataclass(frozen=True)
class Trained:
    """Result of a run: its best model and the records of all its evaluations.

    settings: those of the run, with the choices of `auto`.
    best_loss: nats per character of the model; test_loss: on the test part, if there is one.
    """

    model: Model
    settings: Settings
    records: list[Evaluated]
    steps: int
    best_loss: float
    test_loss: float | None


def train_corpus(
    prepared: Prepared,
    settings: Settings,
    context: RunContext | None = None,
    *,
    base: Model | None = None,
    resume: bool = False,
) -> Trained:
    """Train a model on a prepared text.

    settings: finished, as `choose_settings` returns them.
    base: the model to start from; the settings must have its network.
    resume: continue from the directory's checkpoint. Raises RunError where text or settings
    differ.
    """
    from nextchar.kernels.engine import Engine

    context = context or RunContext()
    group, directory = context.group, context.directory
    batches = make_rank_batches(prepared, settings, context.hooks, group)
    fresh = initial_checkpoint(prepared, batches, settings, base)
    start, records = _begin(fresh, settings, prepared, base, resume, context)
    group.set_compression(settings.training.compress_gradients)
    threads = threads_of(settings, batches.batch_size, group.share)
    dtype, bfloat16 = precision_of(settings)
    architecture, all_reduce = start.parameters.architecture, group.all_reduce
    engine = Engine(
        architecture, threads=threads, dtype=dtype, bfloat16=bfloat16, all_reduce=all_reduce
    )
    with explain_write_errors(directory.path if directory else None), engine:
        if base and start.progress.step == 0:
            _adapt(start.parameters, base, prepared, settings, engine, context)
        trainer = Trainer(prepared, batches, settings, engine, start, records, context)
        trained = trainer.fit()
        model = group.on_rank_zero(lambda: _best(directory) or trained)
        test_loss = _test(engine, model, prepared, context)
    best = trainer.progress.best_loss
    assert best is not None
    return Trained(model, settings, trainer.records, trainer.progress.step, best, test_loss)


def initial_checkpoint(
    prepared: Prepared, batches: Batches, settings: Settings, base: Model | None = None
) -> Checkpoint:
    """Return the checkpoint before the first step. base: the model whose weights it has."""
    dtype = precision_of(settings).dtype
    if base:
        parameters = extended(base, prepared.vocabulary, dtype)
    else:
        architecture = Architecture(settings.network, len(prepared.vocabulary))
        parameters = initialise(architecture, settings.training.seed, dtype)
    slots = make_slots(settings.training.optimizer, parameters.flat)
    state, sha256 = parameters.zero_state(batches.batch_size), prepared.sha256
    return Checkpoint(parameters, slots, state, Progress(), sha256, settings.flat())


def _begin(
    fresh: Checkpoint,
    settings: Settings,
    prepared: Prepared,
    base: Model | None,
    resume: bool,
    context: RunContext,
) -> tuple[Checkpoint, list[Evaluated]]:
    """Return the checkpoint to start from, for this rank's lanes; rank 0 writes the first files."""
    group, directory, on_event = context.group, context.directory, context.hooks.on_event

    def begin() -> tuple[Checkpoint, list[Evaluated]] | None:
        if directory is None:
            return None
        loaded = None
        if resume:
            start = load_or_start(directory, settings, fresh, on_event, group.share.size)
            loaded = start, load_history(directory, start.progress, on_event)
        with explain_write_errors(directory.path):
            if base and not resume:
                directory.save_model(START, base)
            directory.write_config(settings, prepared.source, group.share.size)
        return loaded

    def lanes_of_rank(state: Array) -> Array:
        first, end = group.share.of(state.shape[2])
        return np.ascontiguousarray(state[:, :, first:end])

    start, records = group.on_rank_zero(begin) or (fresh, [])
    return with_states(lanes_of_rank, start), records


def _adapt(
    parameters: Parameters,
    base: Model,
    prepared: Prepared,
    settings: Settings,
    engine: Engine,
    context: RunContext,
) -> None:
    """Report a base model's loss on the validation part, and set biases of new characters."""
    codes = prepared.validation[: settings.training.eval_characters]
    if score := score_over_ranks(context.group, engine, parameters, codes):
        loss = f"before training: validation {score.nats_per_char:.4f} nats/char"
        context.hooks.note(loss, is_by_the_way=True)
    new = new_codes(base, prepared.vocabulary)
    if len(new):
        set_biases_of_new_characters(parameters, new, prepared.train)


def _best(directory: RunDirectory | None) -> Model | None:
    """Load the best model that was written; it may be from before a resume."""
    path = directory and directory.path / BEST
    return load_model(path) if path and path.exists() else None


def _test(engine: Engine, model: Model, prepared: Prepared, context: RunContext) -> float | None:
    """Return the best model's loss on the test part, in nats per character."""
    score = score_over_ranks(context.group, engine, model.parameters, prepared.test)
    if score is None:
        return None
    context.hooks.on_event(Scored(score.nats_per_char, len(prepared.test)))
    return score.nats_per_char
