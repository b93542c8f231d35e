"""The cache folder, for data that can be downloaded or computed again."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "NEXTCHAR_CACHE"  # environment variable that names another folder


def cache_folder() -> Path:
    """Return the folder that `NEXTCHAR_CACHE` names, or the system's folder for user caches."""
    if chosen := os.environ.get(VARIABLE):
        return Path(chosen)
    import pooch  # takes a fifth of a second, only where the folder is needed

    return Path(pooch.os_cache("nextchar"))
