"""Output of a sweep: `best`, the run directory of the best trial, and the script `repeat.sh`."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from nextchar.files import write_atomically
from nextchar.runs.run_files import CONFIG
from nextchar.training.events import Note
from nextchar.training.run_context import Hooks
from nextchar.tuning.sweep_texts import SweepTexts
from nextchar.tuning.trial import run_directory, train_with

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

BEST, REPEAT = "best", "repeat.sh"


def keep_best(folder: Path, trial: FrozenTrial, texts: SweepTexts, hooks: Hooks) -> Path:
    """Copy a trial's run to `best` and return its path.

    A trial that ran on a machine without a shared folder is trained again.
    """
    new, best = folder / ".best.new", folder / BEST
    shutil.rmtree(new, ignore_errors=True)
    if not _copy(run_directory(folder, trial.number), new):
        settings = trial.user_attrs["settings"]
        hooks.on_event(Note(f"trial {trial.number} ran elsewhere; it is trained again here"))
        given = {name: value for name, value in settings.items() if value is not None}
        train_with(given, texts, new, hooks)
    shutil.rmtree(best, ignore_errors=True)
    new.rename(best)
    return best


def _copy(run: Path, new: Path) -> bool:
    """Copy a run; return False if it is missing, or another sweep deletes it for a better one."""
    if not (run / CONFIG).exists():
        return False
    try:
        shutil.copytree(run, new, ignore=shutil.ignore_patterns(".*"))
    except (shutil.Error, FileNotFoundError):
        shutil.rmtree(new, ignore_errors=True)
        return False
    return True


def write_repeat_script(folder: Path, trial: FrozenTrial, command: str) -> None:
    """Write `repeat.sh`."""
    loss = f"validation loss {trial.value:.4f} nats/char"
    text = f"# Repeats trial {trial.number}, the best of the sweep: {loss}.\n{command}\n"
    write_atomically(folder / REPEAT, text.encode())
