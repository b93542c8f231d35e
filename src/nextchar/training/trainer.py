"""The training loop: next batch, step, evaluate if due, save if due."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from nextchar.errors import DivergedError
from nextchar.model.file import Model
from nextchar.model.parameters import Array, Parameters
from nextchar.model.scorer import Score
from nextchar.settings.config import Settings
from nextchar.text.batches import Batches
from nextchar.text.corpus import Prepared
from nextchar.training.budget import dry_run
from nextchar.training.budget.budget import TimeBudget, make_budget
from nextchar.training.evaluation import record_evaluation, score_over_ranks
from nextchar.training.events import Evaluated, Finished, Started, Stepped
from nextchar.training.health.early_stopping import is_out_of_patience
from nextchar.training.health.overfitting import overfitting_warning
from nextchar.training.health.rollback import (
    Rollback,
    backoff_factor,
    require_finite,
    require_finite_weights,
)
from nextchar.training.optim.gradient_norms import count_norm
from nextchar.training.optim.optimizers import Slots
from nextchar.training.optim.schedules import learning_rate
from nextchar.training.run_context import RunContext
from nextchar.training.sample_writer import SampleWriter
from nextchar.training.saving.checkpoint import Checkpoint, Progress, save_checkpoint, with_states
from nextchar.training.signals import interrupted

if TYPE_CHECKING:
    from nextchar.kernels.engine import Engine

EXPLODED = 1000.0  # nats per character: a loss that only diverged weights have


class Trainer:
    """Training of one network on a prepared text.

    start: a fresh checkpoint, or that of the run to resume; its arrays are changed.
    records: evaluations before a resume.
    clock: seconds, of which only differences count; by default the process group's.
    """

    def __init__(
        self,
        prepared: Prepared,
        batches: Batches,
        settings: Settings,
        engine: Engine,
        start: Checkpoint,
        records: Sequence[Evaluated] = (),
        context: RunContext | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.parameters: Parameters = start.parameters
        self.progress: Progress = start.progress
        self.records = list(records)
        self._slots: Slots = start.slots
        self._state: Array = start.state
        self._prepared, self._batches, self._engine = prepared, batches, engine
        self._all, self._settings = settings, settings.training
        self._context = context = context or RunContext()
        self._group, self._hooks = context.group, context.hooks
        self._path = context.directory.path if context.directory else None
        self._clock = clock or self._group.clock
        self._began = self._saved = 0.0
        self._best: Model | None = None
        self._rollback = Rollback(self._settings, start, context)
        self._budget = make_budget(self._settings, batches.steps_per_epoch, self._clock)
        step = start.progress.step
        self._samples = SampleWriter(self._settings, context, self._budget.timed, step)

    def fit(self) -> Model:
        """Train to the end and return the best model.

        Raises DivergedError if a number is no longer finite and rollbacks did not help, and
        InterruptedRun, after a checkpoint, if `should_stop` returned True.
        """
        self._warm_up()
        if not self.progress.step:  # noise, which costs the run no time
            self._samples.keep_if_due(0, 0.0, self.model)
        self._began = self._clock() - self.progress.seconds
        self._saved = self._clock()
        budget = self._budget
        self._hooks.on_event(Started(self.progress.step, budget.total, budget.seconds))
        self.progress.done |= budget.is_over(self.progress)  # a resumed run may be at its end
        with np.errstate(over="ignore", invalid="ignore"):  # `require_finite` checks
            while True:
                try:
                    self._loop()
                    break
                except DivergedError as error:
                    self._state = self._rollback.roll_back(self._checkpoint(), error)
                    self.records = [r for r in self.records if r.step <= self.progress.step]
                    self._samples.rewind(self.progress.step)
        return self._finish()

    def _warm_up(self) -> None:
        """Take a step whose result is discarded: compilation does not count as training time."""
        batch = self._batches.at(self.progress.step)
        step = dry_run.step_on_copies(
            self._engine, self.parameters, self._slots, batch, self._settings
        )
        dry_run.warm_up(self._group, self._engine, self.parameters, step)
        if isinstance(self._budget, TimeBudget) and not self.progress.done:
            self._measure_final_costs(self._budget, step)

    def _measure_final_costs(self, budget: TimeBudget, step: Callable[[], object]) -> None:
        """Time the tasks of the end, and limit the characters that evaluations score."""
        progress, most = self.progress, self._settings.eval_characters
        length = min(len(self._prepared.validation), most)
        sample = self._samples.trial_sample(self.model())
        tasks = dry_run.FinalTasks(step, self._write_checkpoint, sample, self._score)
        chosen = (progress.eval_characters or most) if progress.step else None
        progress.eval_characters = dry_run.measure_final_costs(budget, tasks, length, chosen)
        if progress.eval_characters < length:
            part = f"the first {progress.eval_characters:,} of {length:,} characters"
            self._hooks.note(f"evaluations score {part}, to save time")

    def _loop(self) -> None:
        progress, budget = self.progress, self._budget
        while not progress.done:
            with budget.timed("step"):
                self._step()
            if expectation := budget.expectation(progress):
                self._hooks.note(expectation, is_by_the_way=True)
            progress.done = budget.is_over(progress)
            if budget.evaluation_is_due(progress):
                self._evaluate()
            elif budget.save_is_due(self._clock() - self._saved):
                self._save()
            self._samples.show_if_due(progress.step, progress.done, self.model)
            if self._group.any_rank(self._hooks.should_stop()) and not progress.done:
                self._interrupt()
        if progress.loss_characters:  # steps that a resumed run had no time to evaluate
            self._evaluate()

    def _step(self) -> None:
        progress, settings = self.progress, self._settings
        batch = self._batches.at(progress.step)
        if batch.fresh or self._state.shape[2] != batch.inputs.shape[1]:
            self._state = self.parameters.zero_state(batch.inputs.shape[1])
        if every := settings.restart_every:  # a few lanes at each step, so that all steps are alike
            self._state[:, :, (-progress.step - batch.first) % every :: every] = 0
        rate = self._learning_rate()
        dropout, seed, step = settings.dropout, settings.seed, progress.step
        loss, self._state, gradient = self._engine.loss_and_gradient(
            self.parameters, batch, self._state, dropout=dropout, seed=seed, step=step
        )
        require_finite(loss, "loss", progress.step, EXPLODED)
        require_finite(gradient.norm, "gradient", progress.step)
        count_norm(progress, gradient.norm, gradient.flat, settings)
        progress.step += 1
        step, slots = progress.step, self._slots
        self._engine.update(
            self.parameters, slots, gradient, learning_rate=rate, step=step, settings=settings
        )
        self._count(loss, batch.characters)

    def _count(self, loss: float, characters: int) -> None:
        progress = self.progress
        smoothed = progress.add_loss(loss, characters)
        progress.seconds = self._clock() - self._began
        fraction, total = self._budget.fraction(progress), progress.characters
        event = Stepped(progress.step, fraction, loss, smoothed, total, progress.seconds)
        self._hooks.on_event(event)

    def _learning_rate(self) -> float:
        budget, step, total = self._budget, self.progress.step, self._budget.total
        now, after = budget.fraction(self.progress), budget.fraction(self.progress, ahead=1)
        rate = learning_rate(
            self._settings, step=step, fraction=now, total=total, fraction_after=after
        )
        return rate * backoff_factor(self.progress.retries)

    def _evaluate(self) -> None:
        """Score the validation part; write metrics, models and a checkpoint."""
        progress = self.progress
        require_finite_weights(self.parameters, progress.step)
        with self._budget.timed("scoring"):
            score = self._score(progress.eval_characters or self._settings.eval_characters)
        rate, epoch = self._learning_rate(), progress.step / self._batches.steps_per_epoch
        seconds = self._clock() - self._began
        record = record_evaluation(
            progress, score, epoch=epoch, learning_rate=rate, seconds=seconds
        )
        with self._budget.timed("models"):
            self._keep(record)
        self._hooks.on_event(record)
        progress.done |= self._budget.is_over(progress)  # scoring may have taken longer than before
        patience = self._settings.patience
        if not progress.done and is_out_of_patience(progress, patience):
            progress.done = True
            self._hooks.note(f"stopped early: {patience} evaluations without a better one")
        fraction = 1.0 if progress.done else self._budget.fraction(progress)
        self._samples.keep_if_due(progress.step, fraction, self.model)
        loss = record.train_loss if record.val_loss is None else record.val_loss
        self._rollback.update(self._checkpoint(), loss)
        self._save()

    def _score(self, characters: int) -> Score | None:
        codes = self._prepared.validation[:characters]
        return score_over_ranks(self._group, self._engine, self.parameters, codes)

    def _keep(self, record: Evaluated) -> None:
        self.records.append(record)
        model = self.model()
        if record.is_best:
            self._best = model
        self._context.write(lambda directory: directory.save_evaluation(record, model))

    def model(self) -> Model:
        """Return a copy of the model as it is now."""
        progress = self.progress
        last = self.records[-1] if self.records else None
        summary = {
            "step": progress.step,
            "characters": progress.characters,
            "seconds": round(progress.seconds, 3),
            "train_loss": last.train_loss if last else None,
            "val_loss": last.val_loss if last else None,
            "text_sha256": self._prepared.sha256,
            "source": dict(self._prepared.source),
            "settings": self._all.tables()["training"],
        }
        return Model(self.parameters.copy(), self._prepared.vocabulary, self._all.text, summary)

    def _save(self) -> None:
        """Write a checkpoint, unless the last update made a parameter infinite."""
        require_finite_weights(self.parameters, self.progress.step)
        self._saved = self._clock()
        self.progress.seconds = self._saved - self._began
        with self._budget.timed("checkpoint"):
            self._write_checkpoint()

    def _write_checkpoint(self) -> None:
        checkpoint = self._rollback.with_last_good(self._checkpoint())
        whole = with_states(self._group.gather_state, checkpoint)
        self._context.write(lambda directory: save_checkpoint(directory.checkpoint, whole))

    def _checkpoint(self) -> Checkpoint:
        """Return a checkpoint of the run, which shares its arrays."""
        arrays = self.parameters, self._slots, self._state
        return Checkpoint(*arrays, self.progress, self._prepared.sha256, self._all.flat())

    def _interrupt(self) -> None:
        self._save()
        raise interrupted(self.progress.step, self._path, self._group.launcher)

    def _finish(self) -> Model:
        progress = self.progress
        progress.seconds = self._clock() - self._began
        if warning := overfitting_warning(self.records, progress):
            self._hooks.note(warning)
        best, step = progress.best_loss, progress.best_step
        assert best is not None
        seconds, characters = progress.seconds, progress.characters
        event = Finished(progress.step, seconds, characters, best, step, self._path)
        self._hooks.on_event(event)
        return self._best or self.model()
