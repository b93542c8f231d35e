"""Errors of writing a run's files: the cause, its remedy, the command that resumes the run."""

from __future__ import annotations

import errno
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nextchar.errors import ModelFileError, RunError

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
def explain_write_errors(folder: Path, checkpoint: Path) -> Iterator[None]:
    """Context in which the error of a failed write says how to continue.

    folder: the run directory. Writing is atomic, so its last checkpoint is whole.
    """
    try:
        yield
    except (ModelFileError, RunError) as error:
        reason = error.__cause__
        if not isinstance(reason, OSError):
            raise
        if not folder.is_dir():
            raise RunError(
                "the run directory was deleted or moved during training, so nothing more can be "
                "saved",
                path=folder,
                remedy="if you moved it, continue there with --resume",
            ) from reason
        remedy = f"{remedy_for(reason)} and start again"
        if checkpoint.exists():
            again = f"nextchar train --out {shlex.quote(str(folder))} --resume"
            remedy = (
                f"the last checkpoint is whole: {remedy_for(reason)} and continue with: {again}"
            )
        raise RunError(error.problem, path=error.path, remedy=remedy) from reason
