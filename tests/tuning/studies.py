"""Small studies for tests."""

from __future__ import annotations

from pathlib import Path

import optuna

from nextchar.settings.config import Settings
from nextchar.tuning.space import Choices, Range, as_json
from nextchar.tuning.storage import StudyStorage
from nextchar.tuning.study import SweepPlan

ASKED = {"fixed": {"steps": 4}, "space": {}, "pruning": True}
SPACE = {"learning_rate": Range(0.001, 0.1, is_log=True), "cell": Choices(("gru", "lstm"))}


def plan() -> SweepPlan:
    auto = Settings.make(None, cell="gru", steps=4).flat()
    return SweepPlan(ASKED, "0" * 64, auto, as_json(SPACE))


def place(folder: Path, storage: str | None = None, name: str = "prose-tune") -> StudyStorage:
    return StudyStorage(storage or str(folder / "study.journal"), name, folder)


def ask(study: optuna.Study, worker: str = "1-a") -> optuna.Trial:
    """Start a trial of a worker."""
    trial = study.ask()
    for name, each in SPACE.items():
        each.suggest(trial, name)
    trial.set_user_attr("worker", worker)
    return trial
