"""The training loop: next batch, step, evaluate if due, save if due."""

from __future__ import annotations

import dataclasses
import math
import shlex
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nextchar.config import Settings, seconds_of
from nextchar.errors import InterruptedRun
from nextchar.model.file import BEST, LAST, Model
from nextchar.model.parameters import Parameters
from nextchar.model.scorer import Score
from nextchar.text.batches import Batches
from nextchar.text.corpus import Prepared
from nextchar.training.checkpoint import Checkpoint, Progress, save_checkpoint
from nextchar.training.directory import RunDirectory
from nextchar.training.divergence import diverged
from nextchar.training.events import Evaluated, Finished, Note, OnEvent, Sampled, Started, Stepped
from nextchar.training.optimizers import Slots
from nextchar.training.schedules import learning_rate

if TYPE_CHECKING:
    from nextchar.kernels.engine import Engine

Array = NDArray[Any]
MakeSample = Callable[[Model, int], str]

EVALUATIONS = 20  # of a run, where eval_every does not say otherwise
SMOOTHING = 0.99  # share of the old value in the smoothed loss
EXPLODED = 1000.0  # nats per character: no text is that surprising, the weights have run away
SAVE_SECONDS = 30.0  # at most this much is lost to a power cut


class Trainer:
    """One run over a prepared text.

    parameters, slots, progress, state: where the run stands; those of a checkpoint to go on.
    directory: where models, metrics and checkpoints go; None keeps all in memory.
    on_event: told what happens. should_stop: asked after every step.
    make_sample: writes some text with a model, given the step.
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
    ) -> None:
        self.parameters: Parameters = start.parameters
        self.progress: Progress = start.progress
        self.records: list[Evaluated] = []
        self._slots: Slots = start.slots
        self._state: Array = start.state
        self._prepared, self._batches, self._engine = prepared, batches, engine
        self._all, self._settings = settings, settings.training
        self._directory, self._on_event = directory, on_event
        self._should_stop, self._make_sample = should_stop, make_sample
        self._best: Model | None = None
        self._clock = self._saved = 0.0
        self._total = _total_steps(settings, batches)
        self._budget = None if self._settings.time is None else seconds_of(self._settings.time)

    def run(self) -> Model:
        """Train to the end; the best model.

        Raises DivergedError where a number is no longer finite, and InterruptedRun, after a
        checkpoint, where `should_stop` said so.
        """
        self._warm_up()
        self._clock = time.perf_counter() - self.progress.seconds
        self._saved = time.perf_counter()
        self._on_event(Started(self.progress.step, self._total, self._budget))
        self.progress.done |= self._fraction() >= 1  # a resumed run may be at its end already
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is told below
            self._loop()
        return self._finish()

    def _warm_up(self) -> None:
        """Take a step whose result is thrown away: compiling is no part of the run's time."""
        batch = self._batches.at(self.progress.step)
        state = self.parameters.zero_state(batch.inputs.shape[1])
        self._engine.loss_and_gradient(self.parameters, batch, state)

    def _loop(self) -> None:
        while not self.progress.done:
            before = self._fraction()
            self._step()
            self.progress.done = self._fraction() >= 1
            if self._is_due(before):
                self._evaluate()
            elif time.perf_counter() - self._saved > SAVE_SECONDS:
                self._save()
            self._sample_if_due()
            if self._should_stop() and not self.progress.done:
                self._interrupt()
        if self.progress.best_loss is None:
            self._evaluate()

    def _step(self) -> None:
        """One batch: loss, gradient, update."""
        progress, settings = self.progress, self._settings
        batch = self._batches.at(progress.step)
        if batch.fresh or self._state.shape[2] != batch.inputs.shape[1]:
            self._state = self.parameters.zero_state(batch.inputs.shape[1])
        rate = self._learning_rate()
        loss, self._state = self._engine.loss_and_gradient(
            self.parameters,
            batch,
            self._state,
            dropout=settings.dropout,
            seed=settings.seed,
            step=progress.step,
        )
        self._require_finite(loss, "loss", EXPLODED)
        self._require_finite(self._engine.gradient_norm, "gradient")
        progress.step += 1
        self._engine.update(
            self.parameters,
            self._slots,
            learning_rate=rate,
            step=progress.step,
            settings=settings,
        )
        self._count(loss, batch.inputs.size)

    def _count(self, loss: float, characters: int) -> None:
        progress = self.progress
        progress.characters += characters
        progress.loss_sum += loss * characters
        progress.loss_characters += characters
        old = loss if progress.smoothed_loss is None else progress.smoothed_loss
        progress.smoothed_loss = SMOOTHING * old + (1 - SMOOTHING) * loss
        progress.seconds = time.perf_counter() - self._clock
        self._on_event(
            Stepped(
                progress.step,
                self._fraction(),
                loss,
                progress.smoothed_loss,
                progress.characters,
                progress.seconds,
            )
        )

    def _fraction(self) -> float:
        """How much of the run is done, 0 to 1."""
        if self._budget is not None:
            return min(self.progress.seconds / self._budget, 1.0)
        assert self._total is not None
        return min(self.progress.step / self._total, 1.0)

    def _learning_rate(self) -> float:
        return learning_rate(
            self._settings,
            step=self.progress.step,
            fraction=self._fraction(),
            total=self._total,
        )

    def _is_due(self, before: float) -> bool:
        """Whether an evaluation follows this step; `before` is the fraction before it."""
        step, every = self.progress.step, self._settings.eval_every
        if self.progress.done:
            return True
        if every:
            return step % every == 0
        epoch = self._batches.steps_per_epoch
        long_epochs = self._total is not None and epoch * EVALUATIONS >= self._total
        return (long_epochs and step % epoch == 0) or int(before * EVALUATIONS) < int(
            self._fraction() * EVALUATIONS
        )

    def _evaluate(self) -> None:
        """Score the validation part, write metrics, models and a checkpoint."""
        self._require_finite_weights()
        progress = self.progress
        train_loss = progress.loss_sum / progress.loss_characters
        score = self._validation_score()
        loss = train_loss if score is None else score.nats_per_char
        self._require_finite(loss, "validation loss")
        rate, seconds = self._learning_rate(), progress.seconds
        speed = progress.loss_characters / max(seconds - progress.since_seconds, 1e-9)
        is_best = progress.best_loss is None or loss < progress.best_loss
        progress.stale = 0 if is_best else progress.stale + 1
        if is_best:
            progress.best_loss, progress.best_step = loss, progress.step
        progress.loss_sum, progress.loss_characters = 0.0, 0
        progress.seconds = progress.since_seconds = time.perf_counter() - self._clock
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
        )
        self._keep(record)
        self._on_event(record)
        patience = self._settings.patience
        if patience and progress.stale >= patience and not progress.done:
            progress.done = True
            self._on_event(Note(f"stopped early: {patience} evaluations without a better one"))
        self._save()

    def _validation_score(self) -> Score | None:
        codes = self._prepared.validation[: self._settings.eval_characters]
        return self._engine.score(self.parameters, codes) if len(codes) > 1 else None

    def _keep(self, record: Evaluated) -> None:
        """Keep the record and the models it speaks of."""
        self.records.append(record)
        model = self.model()
        if record.is_best:
            self._best = model
        if self._directory:
            fields = dataclasses.asdict(record)
            del fields["is_best"]
            self._directory.append_metrics(fields)
            self._directory.save_model(LAST, model)
            if record.is_best:
                self._directory.save_model(BEST, model)

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
            "settings": self._all.tables()["training"],
        }
        return Model(parameters, self._prepared.vocabulary, self._all.text, summary)

    def _sample_if_due(self) -> None:
        every, step = self._settings.sample_every, self.progress.step
        if self._make_sample and every and (step % every == 0 or self.progress.done):
            self._on_event(Sampled(step, self._make_sample(self.model(), step)))

    def _save(self) -> None:
        """Write a checkpoint, unless the update just made the parameters infinite."""
        self._require_finite_weights()
        self._saved = time.perf_counter()
        if self._directory:
            checkpoint = Checkpoint(
                self.parameters, self._slots, self._state, self.progress, self._prepared.sha256
            )
            save_checkpoint(self._directory.checkpoint, checkpoint)

    def _interrupt(self) -> None:
        self._save()
        if self._directory is None:
            raise InterruptedRun(f"interrupted at step {self.progress.step}")
        path = self._directory.path
        raise InterruptedRun(
            f"interrupted at step {self.progress.step}, nothing is lost; "
            f"go on with: nextchar train --out {shlex.quote(str(path))} --resume"
        )

    def _finish(self) -> Model:
        progress = self.progress
        if self._is_overfitted():
            self._on_event(
                Note(
                    f"validation was best at step {progress.best_step} and rose after it while "
                    "training went on falling: the model began to learn the text by heart. "
                    "The best model is kept; --dropout, --patience or fewer steps avoid the waste"
                )
            )
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

    def _is_overfitted(self) -> bool:
        last = self.records[-1] if self.records else None
        best = self.progress.best_loss
        if last is None or last.val_loss is None or best is None:
            return False
        return last.val_loss > 1.02 * best and last.train_loss < last.val_loss

    def _require_finite_weights(self) -> None:
        self._require_finite(float(np.abs(self.parameters.flat).max()), "largest weight")

    def _require_finite(self, value: float, what: str, bound: float = math.inf) -> None:
        if not (math.isfinite(value) and value <= bound):
            has_checkpoint = self._directory is not None and self._directory.checkpoint.exists()
            raise diverged(what, value, self.progress.step, self._settings, has_checkpoint)


def _total_steps(settings: Settings, batches: Batches) -> int | None:
    training = settings.training
    if training.epochs is not None:
        return max(1, math.ceil(training.epochs * batches.steps_per_epoch))
    return training.steps
