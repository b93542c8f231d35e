"""Standard streams that are closed, or whose reader has ended (`| head`)."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def open_missing() -> None:
    """Open the null device in place of each standard stream that the parent process closed.

    Otherwise the next file to be opened, such as a checkpoint, would take the stream's place.
    """
    while (null := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(null, True)
    os.close(null)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            stream = Path(os.devnull).open("w")  # noqa: SIM115 - as long as the process lives
            setattr(sys, name, stream)


def drop_unwritable() -> None:
    """Discard output that nobody reads; otherwise Python would exit with status 120."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, stream.fileno())
            os.close(null)
