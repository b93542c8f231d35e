"""Errors of writing a run's files: the cause, its remedy, the command that resumes the run."""

from __future__ import annotations

import errno
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nextchar.errors import ModelFileError, RunError
from nextchar.runs.run_files import CHECKPOINT

_REMEDIES = {
    errno.ENOSPC: "free some disk space",
    errno.EDQUOT: "free some of your disk quota",
    errno.EFBIG: "raise the limit on file sizes (ulimit -f)",
    errno.EROFS: "make it writable",
    errno.EACCES: "make it writable",
    errno.EPERM: "make it writable",
}


def remedy_for(error: OSError | ValueError) -> str:
    """Return an instruction for a file that cannot be written."""
    return _REMEDIES.get(getattr(error, "errno", None) or 0, "fix that")


@contextmanager
def explain_write_errors(folder: Path | None) -> Iterator[None]:
    """Context in which the error of a failed write says how to continue.

    folder: the run directory, if there is one. Writing is atomic, so its last checkpoint is whole.
    """
    try:
        yield
    except (ModelFileError, RunError) as error:
        reason = error.__cause__
        if folder is None or not isinstance(reason, OSError):
            raise
        if not folder.is_dir():
            event = "the run directory was deleted or moved during training"
            remedy = "if you moved it, continue there with --resume"
            problem = f"{event}, so nothing more can be saved"
            raise RunError(problem, path=folder, remedy=remedy) from reason
        remedy = f"{remedy_for(reason)} and start again"
        if (folder / CHECKPOINT).exists():
            resume = f"nextchar train --out {shlex.quote(str(folder))} --resume"
            advice = f"{remedy_for(reason)} and continue with: {resume}"
            remedy = f"the last checkpoint is whole: {advice}"
        raise RunError(error.problem, path=error.path, remedy=remedy) from reason
