"""The machine of a run: CPU and its features, versions, BLAS, highest rate."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import os
import platform
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.environment import ROOT, clean, pins

FEATURES = ("avx512f", "avx512_bf16", "avx2", "fma", "asimd")
PACKAGES = (
    "nextchar",
    "numpy",
    "numba",
    "llvmlite",
    "torch",
    "jax",
    "jaxlib",
    "onnxruntime",
    "onnx",
)


def describe() -> dict[str, Any]:
    """Describe the machine, ready for JSON."""
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": cpu_name(),
        "features": features(),
        "cores": cores(),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in PACKAGES},
        "cleared": pins(),
        "sgemm": _sgemm(),
    }


def cores() -> int:
    """Return the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cpu_name() -> str:
    """Return the name of the CPU model."""
    match = re.search(r"^model name\s*:\s*(.+)$", _cpuinfo(), re.MULTILINE)
    return match[1] if match else _sysctl("machdep.cpu.brand_string") or platform.processor()


def features() -> list[str]:
    """Return those of FEATURES that the CPU has."""
    match = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", _cpuinfo(), re.MULTILINE)
    words = set((match[1] if match else _sysctl("machdep.cpu.features").lower()).split())
    words |= set(_sysctl("machdep.cpu.leaf7_features").lower().split())
    if platform.machine() in {"arm64", "aarch64"}:
        words.add("asimd")  # every 64-bit ARM has it
    return [feature for feature in FEATURES if feature in words]


def _cpuinfo() -> str:
    path = Path("/proc/cpuinfo")
    return path.read_text() if path.exists() else ""


def _sysctl(name: str) -> str:
    if sys.platform != "darwin":
        return ""
    done = subprocess.run(["sysctl", "-n", name], capture_output=True, encoding="utf-8")
    return done.stdout.strip()


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _sgemm() -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.sgemm"]
    done = subprocess.run(command, cwd=ROOT, env=clean(), capture_output=True, encoding="utf-8")
    return json.loads(done.stdout) if done.returncode == 0 else {"failed": done.stderr[-200:]}
