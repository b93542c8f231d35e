"""One trial: a training run that reports validation losses and ends early if it is pruned."""

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
from nextchar.tuning.sweep_texts import SweepTexts

if TYPE_CHECKING:
    from optuna import Trial

FIXED_PRESET = "medium"  # has no effect, since all settings are given


class LossCurve:
    """Validation losses of a trial, reported to Optuna at the same points of every trial.

    Runs with a time budget are evaluated at other points; the curve is interpolated linearly.
    """

    def __init__(self, trial: Trial, *, prunes: bool) -> None:
        self.should_prune = False
        self._trial, self._prunes = trial, prunes
        self._now, self._point = 0.0, 0
        self._last: tuple[float, float] | None = None

    def __call__(self, event: Event) -> None:
        """Handle an event of the training."""
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
            self.should_prune = self._trial.should_prune()


@dataclass(frozen=True)
class TrialRunner:
    """Runs trials of a plan, each in its own run directory.

    folder: of the sweep. threads: of one trial.
    """

    plan: SweepPlan
    texts: SweepTexts
    folder: Path
    threads: int

    def __call__(self, trial: Trial, should_stop: Callable[[], bool]) -> float:
        """Run a trial and return its loss. Raises TrialPruned, or InterruptedRun if stopped."""
        from optuna import TrialPruned

        params = suggest_params(trial, self.plan)
        out = run_directory(self.folder, trial.number)
        curve = LossCurve(trial, prunes=self.plan.asked["pruning"])
        try:
            settings = {**self.plan.auto, **params, "threads": self.threads}
            hooks = Hooks(curve, lambda: curve.should_prune or should_stop())
            shutil.rmtree(out, ignore_errors=True)
            trained = train_with(settings, self.texts, out, hooks)
        except InterruptedRun:
            if not curve.should_prune:
                raise
            raise TrialPruned from None
        except (DivergedError, SettingsError, MemoryError) as error:  # unsuitable settings
            trial.set_user_attr("why", str(error))
            raise TrialPruned from None
        trial.set_user_attr("settings", trained.settings.flat())
        trial.set_user_attr("steps", trained.steps)
        if trained.settings.training.time is None:
            return trained.best_loss
        return self.texts.loss_of(trained.model, trained.settings)


def suggest_params(trial: Trial, plan: SweepPlan) -> dict[str, Any]:
    """Return the parameters of a trial, rounded; those chosen by `auto` are exact."""
    params = {name: each.suggest(trial, name) for name, each in plan.dimensions.items()}
    if trial.user_attrs.get("auto"):
        return plan.first
    return {name: rounded(value) for name, value in params.items()}


def run_directory(folder: Path, number: int) -> Path:
    """Return the run directory of a trial."""
    return folder / "trials" / str(number)


def train_with(settings: Mapping[str, Any], texts: SweepTexts, out: Path, hooks: Hooks) -> Trained:
    """Train with complete settings, as `Settings.flat` returns them."""
    given = {name: value for name, value in settings.items() if value is not None}
    request = RunRequest(texts.text, FIXED_PRESET, given, texts.validation, texts.base, out)
    return train(request, hooks)
