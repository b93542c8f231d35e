"""The best trial's run directory, as the sweep leaves it: `best`, and `repeat.sh` beside it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from nextchar.files import write_atomically
from nextchar.runs.run_files import CONFIG
from nextchar.training.events import Note
from nextchar.training.run_context import Hooks
from nextchar.tuning.sweep_texts import Texts
from nextchar.tuning.trial import run_directory, train_as

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

BEST, REPEAT = "best", "repeat.sh"


def keep_best(folder: Path, trial: FrozenTrial, texts: Texts, hooks: Hooks) -> Path:
    """Make `best` of a trial's run.

    Where it was trained on a machine that shares no folder with this one, it is trained again.
    """
    new, best = folder / ".best.new", folder / BEST
    shutil.rmtree(new, ignore_errors=True)
    if not _copied(run_directory(folder, trial.number), new):
        settings = trial.user_attrs["settings"]
        hooks.on_event(Note(f"trial {trial.number} ran elsewhere; it is trained again here"))
        given = {name: value for name, value in settings.items() if value is not None}
        train_as(given, texts, new, hooks)
    shutil.rmtree(best, ignore_errors=True)
    new.rename(best)
    return best


def _copied(run: Path, new: Path) -> bool:
    """Copy a run; False where it is not there, or another sweep removed it for a better one."""
    if not (run / CONFIG).exists():
        return False
    try:
        shutil.copytree(run, new, ignore=shutil.ignore_patterns(".*"))
    except (shutil.Error, FileNotFoundError):
        shutil.rmtree(new, ignore_errors=True)
        return False
    return True


def write_repeat(folder: Path, trial: FrozenTrial, command: str) -> None:
    """Write `repeat.sh`."""
    loss = f"{trial.value:.4f} nats/char in validation"
    text = f"# Repeats trial {trial.number}, the best of the sweep: {loss}.\n{command}\n"
    write_atomically(folder / REPEAT, text.encode())
