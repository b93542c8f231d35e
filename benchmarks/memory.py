"""Peak memory of a process. Imports nothing that is measured."""

from __future__ import annotations

import re
import sys
from pathlib import Path


def peak_bytes() -> int | None:
    """Return the peak resident memory of this process, or None if the system does not report it."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage includes the memory of the parent at the start
        found = re.search(r"^VmHWM:\s*(\d+) kB", status.read_text(), re.MULTILINE)
        return int(found[1]) * 1024 if found else None
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
