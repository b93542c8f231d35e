"""Description of the machine and versions of a run, for `config.toml`; no host or user names."""

from __future__ import annotations

import platform
import re
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from nextchar import __version__
from nextchar.kernels.threads import usable_cores


def describe(cpuinfo: Path = Path("/proc/cpuinfo")) -> dict[str, Any]:
    """Return the time, the processor and the versions. cpuinfo: Linux's file about processors."""
    return {
        "began": datetime.now(UTC).isoformat(" ", "seconds"),
        "nextchar": __version__,
        "python": platform.python_version(),
        "numpy": metadata.version("numpy"),
        "numba": metadata.version("numba"),
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu(cpuinfo),
        "cores": usable_cores(),
    }


def _cpu(cpuinfo: Path) -> str:
    try:
        match = re.search(r"^model name\s*:\s*(.+)$", cpuinfo.read_text(), re.MULTILINE)
    except (OSError, UnicodeError):
        match = None
    return match[1].strip() if match else platform.processor() or platform.machine()
