"""What is said when a run cannot write its files: what is kept, what to mend, how to go on."""

from __future__ import annotations

import errno
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nextchar.errors import ModelFileError, RunError

_CURES = {
    errno.ENOSPC: "make room on the disk",
    errno.EDQUOT: "make room in your quota",
    errno.EFBIG: "raise the limit on the size of files (ulimit -f)",
    errno.EROFS: "make it writable",
    errno.EACCES: "make it writable",
    errno.EPERM: "make it writable",
}


def remedy_for(error: OSError | ValueError) -> str:
    """What to do about a file that cannot be written."""
    return _CURES.get(getattr(error, "errno", None) or 0, "see to that")


@contextmanager
def explain_write_errors(folder: Path, checkpoint: Path) -> Iterator[None]:
    """Within this context the error of a file that cannot be written says how to go on.

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
                f"{folder}: the run directory was deleted or moved away under the run, which "
                "cannot be kept; where it was moved, go on there with --resume"
            ) from reason
        if not checkpoint.exists():
            raise RunError(f"{error}; {remedy_for(reason)} and begin again") from reason
        again = f"nextchar train --out {shlex.quote(str(folder))} --resume"
        raise RunError(
            f"{error}; the last checkpoint is whole: {remedy_for(reason)} and go on with: {again}"
        ) from reason
