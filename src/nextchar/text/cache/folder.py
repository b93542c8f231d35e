"""Where nextchar keeps what it can make or fetch again: data sets and encoded texts."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "NEXTCHAR_CACHE"  # an environment variable that names another folder


def cache_folder() -> Path:
    """The folder that `NEXTCHAR_CACHE` names, or the system's place for the user's caches."""
    if chosen := os.environ.get(VARIABLE):
        return Path(chosen)
    import pooch  # a fifth of a second, which only who needs the folder waits for

    return Path(pooch.os_cache("nextchar"))
