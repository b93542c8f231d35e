"""Result of a sweep: the best trial, and the number of trials by their state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from nextchar.model.file import BEST
from nextchar.tuning.study import SweepPlan

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial


@dataclass(frozen=True)
class Tuned:
    """Result of a sweep.

    directory: run directory of the best trial. trial: its number; loss: its validation loss in
    nats per character; auto_loss: loss of the trial with the settings of the preset `auto`, None
    if there is none. settings: of the best trial, every one by name. command: repeats it.
    complete, pruned, failed: numbers of trials.
    """

    directory: Path
    trial: int
    loss: float
    auto_loss: float | None
    settings: Mapping[str, Any]
    command: str
    complete: int
    pruned: int
    failed: int
    storage: str
    study: str

    def as_json(self) -> dict[str, Any]:
        """Return the object that `nextchar tune --json` prints."""
        return {
            **{name: getattr(self, name) for name in ("trial", "loss", "auto_loss", "command")},
            "directory": str(self.directory),
            "model": str(self.directory / BEST),
            "trials": {name: getattr(self, name) for name in ("complete", "pruned", "failed")},
            "settings": {name: each for name, each in self.settings.items() if each is not None},
            "storage": self.storage,
            "study": self.study,
        }


class TrialCounts(NamedTuple):
    """Numbers of trials by state."""

    complete: int
    pruned: int
    failed: int

    @property
    def finished(self) -> int:
        """Trials that did not fail."""
        return self.complete + self.pruned


def auto_loss(trials: Sequence[FrozenTrial]) -> float | None:
    """Return the loss of the trial with the settings of `auto`."""
    complete = [trial for trial in trials if trial.state.name == "COMPLETE"]
    losses = [trial.value for trial in complete if trial.user_attrs.get("auto")]
    return losses[-1] if losses else None


def count_trials(trials: Sequence[FrozenTrial]) -> TrialCounts:
    """Count trials by state."""
    states = [trial.state.name for trial in trials]
    return TrialCounts(*(states.count(name) for name in ("COMPLETE", "PRUNED", "FAIL")))


def changed_from_auto(plan: SweepPlan, params: Mapping[str, Any]) -> str:
    """List, in one line, a trial's parameters that differ from the choice of `auto`."""
    differ = [f"{name} {_short(each)}" for name, each in params.items() if each != plan.auto[name]]
    return ", ".join(differ) or "settings of the preset auto"


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
