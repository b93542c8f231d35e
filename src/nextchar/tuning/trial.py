"""One trial: a training whose validation losses are reported, and which ends early if hopeless."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nextchar.errors import DivergedError, InterruptedRun, SettingsError
from nextchar.training.events import Evaluated, Event, Stepped
from nextchar.training.run import RunRequest, train
from nextchar.training.run_context import Hooks
from nextchar.training.session import Trained
from nextchar.tuning.space import rounded
from nextchar.tuning.study import POINTS, SweepPlan
from nextchar.tuning.sweep_texts import Texts

if TYPE_CHECKING:
    from optuna import Trial

EXACT = "medium"  # the preset that chooses nothing: all settings are given


class LossCurve:
    """The validation losses of a trial, reported at the same points of every trial.

    Evaluations of runs by time come when they can be afforded; between two of them the curve is a
    straight line.
    """

    def __init__(self, trial: Trial, *, prunes: bool) -> None:
        self.is_hopeless = False
        self._trial, self._prunes = trial, prunes
        self._now, self._point = 0.0, 0
        self._last: tuple[float, float] | None = None

    def __call__(self, event: Event) -> None:
        """Take an event of the training."""
        if isinstance(event, Stepped):
            self._now = event.fraction
        elif isinstance(event, Evaluated) and event.val_loss is not None:
            self._report(self._now, event.val_loss)

    def _report(self, now: float, loss: float) -> None:
        before, old = self._last or (0.0, loss)
        self._last = now, loss
        first, last = self._point + 1, int(now * POINTS + 1e-9)
        for point in range(first, last + 1):
            share = (point / POINTS - before) / max(now - before, 1e-9)
            self._trial.report(old + min(max(share, 0.0), 1.0) * (loss - old), point)
            self._point = point
        if self._prunes and last >= first and now < 1:
            self.is_hopeless = self._trial.should_prune()


@dataclass(frozen=True)
class TrialRunner:
    """Runs trials of a plan, in run directories of their own.

    folder: of the sweep. threads: of one trial.
    """

    plan: SweepPlan
    texts: Texts
    folder: Path
    threads: int

    def __call__(self, trial: Trial, should_stop: Callable[[], bool]) -> float:
        """The loss of a trial. Raises TrialPruned for a hopeless one, InterruptedRun if stopped."""
        from optuna import TrialPruned

        params = suggested(trial, self.plan)
        out = run_directory(self.folder, trial.number)
        curve = LossCurve(trial, prunes=self.plan.asked["pruning"])
        try:
            given = settings_with(self.plan, params, self.threads)
            hooks = Hooks(curve, lambda: curve.is_hopeless or should_stop())
            shutil.rmtree(out, ignore_errors=True)
            trained = train_as(given, self.texts, out, hooks)
        except InterruptedRun:
            if not curve.is_hopeless:
                raise
            raise TrialPruned from None
        except (DivergedError, SettingsError, MemoryError) as error:  # settings that do not do
            trial.set_user_attr("why", str(error))
            raise TrialPruned from None
        trial.set_user_attr("settings", trained.settings.flat())
        trial.set_user_attr("steps", trained.steps)
        return trial_loss(trained, self.texts)


def suggested(trial: Trial, plan: SweepPlan) -> dict[str, Any]:
    """The parameters of a trial; those of auto's choice are exactly that."""
    params = {name: each.suggest(trial, name) for name, each in plan.dimensions.items()}
    if trial.user_attrs.get("auto"):
        return plan.first
    return {name: rounded(value) for name, value in params.items()}


def run_directory(folder: Path, number: int) -> Path:
    """Where a trial is trained."""
    return folder / "trials" / str(number)


def settings_with(plan: SweepPlan, params: Mapping[str, Any], threads: int) -> dict[str, Any]:
    """All settings of a trial: auto's with the trial's parameters laid over them."""
    flat = {**plan.auto, **params, "threads": threads}
    return {name: value for name, value in flat.items() if value is not None}


def train_as(given: Mapping[str, Any], texts: Texts, out: Path, hooks: Hooks) -> Trained:
    """Train with all settings given."""
    return train(RunRequest(texts.text, EXACT, given, texts.validation, texts.base, out), hooks)


def trial_loss(trained: Trained, texts: Texts) -> float:
    """The loss that trials are compared by, in nats per character."""
    if trained.settings.training.time is None:
        return trained.best_loss
    return texts.loss_of(trained.model, trained.settings)
