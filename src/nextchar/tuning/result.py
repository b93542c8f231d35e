"""What a sweep comes to: how many trials and the best one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nextchar.tuning.study import SweepPlan

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial


@dataclass(frozen=True)
class Tuned:
    """The outcome of a sweep.

    directory: the run directory of the best trial. trial: its number; loss: nats per character in
    validation; auto_loss: that of the trial with the settings of the preset `auto`, None where it
    has none. settings: of the best trial, every one by name. command: repeats it.
    complete, pruned, failed: how many trials ended so.
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
        """The outcome as `nextchar tune --json` prints it."""
        return {
            **{name: getattr(self, name) for name in ("trial", "loss", "auto_loss", "command")},
            "directory": str(self.directory),
            "model": str(self.directory / "best.safetensors"),
            "trials": {name: getattr(self, name) for name in ("complete", "pruned", "failed")},
            "settings": {name: each for name, each in self.settings.items() if each is not None},
            "storage": self.storage,
            "study": self.study,
        }


def auto_loss(trials: Sequence[FrozenTrial]) -> float | None:
    """The loss of the trial with auto's settings."""
    whole = [trial for trial in trials if trial.state.name == "COMPLETE"]
    losses = [trial.value for trial in whole if trial.user_attrs.get("auto")]
    return losses[-1] if losses else None


def count(trials: Sequence[FrozenTrial]) -> dict[str, int]:
    """How many trials ended in which way."""
    states = [trial.state.name for trial in trials]
    names = {"complete": "COMPLETE", "pruned": "PRUNED", "failed": "FAIL"}
    return {name: states.count(state) for name, state in names.items()}


def changed_from_auto(plan: SweepPlan, params: Mapping[str, Any]) -> str:
    """A trial's parameters in a line, those first that differ from auto's."""
    differ = [f"{name} {_short(each)}" for name, each in params.items() if each != plan.auto[name]]
    return ", ".join(differ) or "as the preset auto has it"


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
