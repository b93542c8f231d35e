"""Standard streams that are closed, or whose reader went away (`| head`)."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def open_missing() -> None:
    """Put the null device where whoever started us closed a standard stream.

    Else the next file that is opened would be taken for it, a checkpoint for standard error.
    """
    while (null := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(null, True)
    os.close(null)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            stream = Path(os.devnull).open("w")  # noqa: SIM115 - as long as the process lives
            setattr(sys, name, stream)


def drop_unwritable() -> None:
    """Forget output that nobody takes, lest Python complain when it exits, with status 120."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, stream.fileno())
            os.close(null)
