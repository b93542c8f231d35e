"""The training loop: next batch, step, evaluate if due, save if due."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nextchar.errors import DivergedError
from nextchar.model.file import Model
from nextchar.model.parameters import Parameters
from nextchar.model.scorer import Score
from nextchar.settings.config import Settings
from nextchar.text.batches import Batches
from nextchar.text.corpus import Prepared
from nextchar.training.budget.budget import TimeBudget, make_budget
from nextchar.training.budget.dry_run import measure_final_costs, step_on_copies, warm_up
from nextchar.training.events import Evaluated, Finished, Note, OnEvent, Started, Stepped
from nextchar.training.health.divergence import require_finite, require_finite_weights
from nextchar.training.health.overfitting import overfitting_warning
from nextchar.training.health.rollback import Rollback, factor
from nextchar.training.optim.gradient_norms import count_norm, take_norms
from nextchar.training.optim.optimizers import Slots
from nextchar.training.optim.schedules import learning_rate
from nextchar.training.process_group import SINGLE_PROCESS, ProcessGroup
from nextchar.training.sample_writer import MakeSample, SampleWriter
from nextchar.training.saving.checkpoint import Checkpoint, Progress
from nextchar.training.saving.keeping import keep_checkpoint, keep_evaluation
from nextchar.training.saving.run_directory import RunDirectory
from nextchar.training.signals import interrupted
from nextchar.training.validation_loss import score_over_ranks

if TYPE_CHECKING:
    from nextchar.kernels.engine import Engine

Array = NDArray[Any]

SMOOTHING = 0.99  # share of the old value in the smoothed loss
EXPLODED = 1000.0  # nats per character: no text is that surprising, the weights have run away


class Trainer:
    """One run over a prepared text.

    parameters, slots, progress, state: where the run stands; those of a checkpoint to go on.
    directory: where models, metrics and checkpoints go; None keeps all in memory.
    on_event: told what happens. should_stop: asked after every step.
    make_sample: writes some text with a model, given the step.
    group: who trains along. clock: seconds, of which only differences count; the group's.
    """

    def __init__(
        self,
        prepared: Prepared,
        batches: Batches,
        settings: Settings,
        engine: Engine,
        start: Checkpoint,
        *,
        directory: RunDirectory | None = None,
        on_event: OnEvent = lambda event: None,
        should_stop: Callable[[], bool] = lambda: False,
        make_sample: MakeSample | None = None,
        group: ProcessGroup = SINGLE_PROCESS,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.parameters: Parameters = start.parameters
        self.progress: Progress = start.progress
        self.records: list[Evaluated] = []
        self._slots: Slots = start.slots
        self._state: Array = start.state
        self._recovery = Rollback(settings.training, start, directory, on_event)
        self._prepared, self._batches, self._engine = prepared, batches, engine
        self._all, self._settings = settings, settings.training
        self._directory, self._on_event = directory, on_event
        self._should_stop = should_stop
        self._best: Model | None = None
        self._group = group
        self._clock = clock = clock or group.clock
        self._begun = self._saved = 0.0
        self._pace = make_budget(self._settings, batches.steps_per_epoch, clock)
        writing = make_sample, on_event, self._pace.timed
        step = start.progress.step
        self._gallery = SampleWriter(self._settings, directory, *writing, step=step, group=group)

    def run(self) -> Model:
        """Train to the end; the best model.

        Raises DivergedError where a number is no longer finite and going back did not help, and
        InterruptedRun, after a checkpoint, where `should_stop` said so.
        """
        self._warm_up()
        if not self.progress.step:  # noise, which costs the run no time
            self._gallery.keep_if_due(0, 0.0, self.model)
        self._begun = self._clock() - self.progress.seconds
        self._saved = self._clock()
        self._on_event(Started(self.progress.step, self._pace.total, self._pace.budget))
        self.progress.done |= self._pace.is_over(self.progress)  # a resumed run may be at its end
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is told below
            while True:
                try:
                    self._loop()
                    break
                except DivergedError as error:
                    self._state = self._recovery.go_back(self._checkpoint(), error)
                    self.records = [r for r in self.records if r.step <= self.progress.step]
                    self._gallery.rewind(self.progress.step)
        return self._finish()

    def _warm_up(self) -> None:
        """Take a step whose result is thrown away: compiling is no part of the run's time."""
        batch = self._batches.at(self.progress.step)
        step = step_on_copies(self._engine, self.parameters, self._slots, batch, self._settings)
        warm_up(self._group, self._engine, self.parameters, step)
        if isinstance(self._pace, TimeBudget) and not self.progress.done:
            self._rehearse(self._pace, step)

    def _rehearse(self, pace: TimeBudget, step: Callable[[], object]) -> None:
        """Measure what the end will take, and how many characters the time allows to score."""
        progress, most = self.progress, self._settings.eval_characters
        length = min(len(self._prepared.validation), most)
        progress.eval_characters = measure_final_costs(
            pace,
            step=step,
            write=self._write_checkpoint,
            sample=self._gallery.rehearsal(self.model()),
            score=self._score,
            length=length,
            chosen=(progress.eval_characters or most) if progress.step else None,
        )
        if progress.eval_characters < length:
            told = f"the first {progress.eval_characters:,} of {length:,} characters"
            self._on_event(Note(f"evaluations score {told}, to save time"))

    def _loop(self) -> None:
        progress, pace = self.progress, self._pace
        while not progress.done:
            with pace.timed("step"):
                self._step()
            if expectation := pace.expectation(progress):
                self._on_event(Note(expectation, is_by_the_way=True))
            progress.done = pace.is_over(progress)
            if pace.evaluation_is_due(progress):
                self._evaluate()
            elif pace.save_is_due(self._clock() - self._saved):
                self._save()
            self._gallery.show_if_due(progress.step, progress.done, self.model)
            if self._group.any_rank(self._should_stop()) and not progress.done:
                self._interrupt()
        if progress.loss_characters:  # steps that a resumed run had no time to evaluate
            self._evaluate()

    def _step(self) -> None:
        """One batch: loss, gradient, update."""
        progress, settings = self.progress, self._settings
        batch = self._batches.at(progress.step)
        if batch.fresh or self._state.shape[2] != batch.inputs.shape[1]:
            self._state = self.parameters.zero_state(batch.inputs.shape[1])
        if (
            every := settings.restart_every
        ):  # some lanes each time, so that no step is unlike others
            self._state[:, :, (-progress.step - batch.first) % every :: every] = 0
        rate = self._learning_rate()
        loss, self._state, gradient = self._engine.loss_and_gradient(
            self.parameters,
            batch,
            self._state,
            dropout=settings.dropout,
            seed=settings.seed,
            step=progress.step,
        )
        require_finite(loss, "loss", progress.step, EXPLODED)
        require_finite(gradient.norm, "gradient", progress.step)
        count_norm(progress, gradient.norm, gradient.flat, settings)
        progress.step += 1
        self._engine.update(
            self.parameters,
            self._slots,
            gradient,
            learning_rate=rate,
            step=progress.step,
            settings=settings,
        )
        self._count(loss, batch.characters)

    def _count(self, loss: float, characters: int) -> None:
        progress = self.progress
        progress.characters += characters
        progress.loss_sum += loss * characters
        progress.loss_characters += characters
        old = loss if progress.smoothed_loss is None else progress.smoothed_loss
        progress.smoothed_loss = SMOOTHING * old + (1 - SMOOTHING) * loss
        progress.seconds = self._clock() - self._begun
        self._on_event(
            Stepped(
                progress.step,
                self._pace.fraction(progress),
                loss,
                progress.smoothed_loss,
                progress.characters,
                progress.seconds,
            )
        )

    def _learning_rate(self) -> float:
        pace, progress = self._pace, self.progress
        rate = learning_rate(
            self._settings,
            step=progress.step,
            fraction=pace.fraction(progress),
            total=pace.total,
            ahead=pace.ahead(progress),
        )
        return rate * factor(progress.retries)

    def _evaluate(self) -> None:
        """Score the validation part, write metrics, models and a checkpoint."""
        require_finite_weights(self.parameters, self.progress.step)
        progress = self.progress
        train_loss = progress.loss_sum / progress.loss_characters
        with self._pace.timed("scoring"):
            score = self._score(progress.eval_characters or self._settings.eval_characters)
        loss = train_loss if score is None else score.nats_per_char
        require_finite(loss, "validation loss", progress.step)
        rate, seconds = self._learning_rate(), progress.seconds
        speed = progress.loss_characters / max(seconds - progress.since_seconds, 1e-9)
        is_best = progress.best_loss is None or loss < progress.best_loss
        progress.stale = 0 if is_best else progress.stale + 1
        if is_best:
            progress.best_loss, progress.best_step = loss, progress.step
        progress.loss_sum, progress.loss_characters = 0.0, 0
        progress.seconds = progress.since_seconds = self._clock() - self._begun
        record = Evaluated(
            step=progress.step,
            epoch=progress.step / self._batches.steps_per_epoch,
            characters=progress.characters,
            seconds=progress.seconds,
            train_loss=train_loss,
            val_loss=None if score is None else score.nats_per_char,
            learning_rate=rate,
            chars_per_second=speed,
            is_best=is_best,
            **take_norms(progress),
        )
        with self._pace.timed("models"):
            self._keep(record)
        self._on_event(record)
        progress.done |= self._pace.is_over(progress)  # it may have taken longer than expected
        patience = self._settings.patience
        if patience and progress.stale >= patience and not progress.done:
            progress.done = True
            self._on_event(Note(f"stopped early: {patience} evaluations without a better one"))
        fraction = 1.0 if progress.done else self._pace.fraction(progress)
        self._gallery.keep_if_due(progress.step, fraction, self.model)
        self._recovery.offer(self._checkpoint(), loss)
        self._save()

    def _score(self, characters: int) -> Score | None:
        """The score of the validation part's first characters."""
        codes = self._prepared.validation[:characters]
        return score_over_ranks(self._group, self._engine, self.parameters, codes)

    def _keep(self, record: Evaluated) -> None:
        """Keep the record and the models it speaks of."""
        self.records.append(record)
        model = self.model()
        if record.is_best:
            self._best = model
        keep_evaluation(self._group, self._directory, record, model)

    def model(self) -> Model:
        """A copy of the model as it is now."""
        parameters = Parameters(self.parameters.architecture, self.parameters.flat.copy())
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
        return Model(parameters, self._prepared.vocabulary, self._all.text, summary)

    def _save(self) -> None:
        """Write a checkpoint, unless the update just made the parameters infinite."""
        require_finite_weights(self.parameters, self.progress.step)
        self._saved = self._clock()
        self.progress.seconds = self._saved - self._begun
        with self._pace.timed("checkpoint"):
            self._write_checkpoint()

    def _write_checkpoint(self) -> None:
        keep_checkpoint(self._group, self._directory, self._recovery.carried(self._checkpoint()))

    def _checkpoint(self) -> Checkpoint:
        """Where the run stands, in its own arrays."""
        settings, sha256 = self._all.flat(), self._prepared.sha256
        return Checkpoint(
            self.parameters, self._slots, self._state, self.progress, sha256, settings
        )

    def _interrupt(self) -> None:
        self._save()
        path = self._directory.path if self._directory else None
        raise interrupted(self.progress.step, path, self._group.launcher)

    def _finish(self) -> Model:
        progress = self.progress
        progress.seconds = self._clock() - self._begun
        if told := overfitting_warning(self.records, progress):
            self._on_event(Note(told))
        assert progress.best_loss is not None
        self._on_event(
            Finished(
                progress.step,
                progress.seconds,
                progress.characters,
                progress.best_loss,
                progress.best_step,
                self._directory.path if self._directory else None,
            )
        )
        return self._best or self.model()
