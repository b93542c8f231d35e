"""Who holds a run directory, noted beside its lock for whoever finds it taken.

The lock decides, the note only tells: what a dead process noted is read by nobody.
"""

from __future__ import annotations

import json
import os
import platform
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from nextchar.files import write_atomically
from nextchar.runs.run_files import OWNER


def note_owner(folder: Path) -> None:
    """Note that this process holds a folder from now on."""
    since = datetime.now().astimezone().isoformat(" ", "seconds")
    owner = {"process": os.getpid(), "host": platform.node(), "since": since}
    write_atomically(folder / OWNER, json.dumps(owner).encode())


def forget_owner(folder: Path) -> None:
    """Forget who held a folder."""
    with suppress(OSError):
        (folder / OWNER).unlink()


def owner_of(folder: Path) -> str:
    """Who holds a folder, in brackets; nothing where that is not known."""
    try:
        owner = json.loads((folder / OWNER).read_bytes())
        return f" (process {owner['process']} on {owner['host']}, since {owner['since']})"
    except (OSError, ValueError, KeyError, TypeError):
        return ""
