"""The lock of a run directory, held by the one process that trains there, and its owner's record.

The lock decides; the record (`.owner.json`) only names the owner in messages.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
from datetime import datetime
from pathlib import Path

import filelock

from nextchar.errors import RunError
from nextchar.files import write_atomically
from nextchar.runs.run_files import LOCK, OWNER


class RunLock:
    """The lock of a folder, acquired at once. Raises RunError if another process holds it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = filelock.FileLock(folder / LOCK, blocking=False)
        try:
            self._lock.acquire()
        except filelock.Timeout:
            problem = f"another nextchar is training there{owner_of(folder)}"
            remedy = "wait for it, or give another --out"
            raise RunError(problem, path=folder, remedy=remedy) from None
        write_owner(folder)

    def release(self) -> None:
        """Remove the owner's record and release the lock."""
        remove_owner(self._folder)
        self._lock.release()


def write_owner(folder: Path) -> None:
    """Record this process as the owner of a folder."""
    since = datetime.now().astimezone().isoformat(" ", "seconds")
    owner = {"process": os.getpid(), "host": platform.node(), "since": since}
    write_atomically(folder / OWNER, json.dumps(owner).encode())


def remove_owner(folder: Path) -> None:
    """Remove the record of a folder's owner."""
    with contextlib.suppress(OSError):
        (folder / OWNER).unlink()


def owner_of(folder: Path) -> str:
    """Return the owner of a folder, in brackets, for a message; an empty string if unknown."""
    try:
        owner = json.loads((folder / OWNER).read_bytes())
        return f" (process {owner['process']} on {owner['host']}, since {owner['since']})"
    except (OSError, ValueError, KeyError, TypeError):
        return ""
