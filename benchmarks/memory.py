"""How much memory a process has held at most. Imports nothing of what is measured."""

from __future__ import annotations

import re
import sys
from pathlib import Path


def peak_bytes() -> int | None:
    """Peak resident memory of this process, or None where the system does not tell."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage counts what the parent held when it started us
        found = re.search(r"^VmHWM:\s*(\d+) kB", status.read_text(), re.MULTILINE)
        return int(found[1]) * 1024 if found else None
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
