"""What a run is made on, for `config.toml`; hosts and people are not named."""

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
    """When, on which processor and with which versions.

    cpuinfo: where Linux tells of the processor.
    """
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
    """The name that its maker gave it."""
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", cpuinfo.read_text(), re.MULTILINE)
    except (OSError, UnicodeError):
        found = None
    return found[1].strip() if found else platform.processor() or platform.machine()
