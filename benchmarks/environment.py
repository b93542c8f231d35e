"""Environment of contenders, without variables that pin a library to old kernels.

Some machines export OPENBLAS_CORETYPE, which halves the speed of NumPy and distorts a comparison.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

PINS = (
    "OPENBLAS_CORETYPE",
    "OPENBLAS_L2_SIZE",
    "MKL_DEBUG_CPU_TYPE",
    "MKL_ENABLE_INSTRUCTIONS",
    "ONEDNN_MAX_CPU_ISA",
    "DNNL_MAX_CPU_ISA",
    "ATEN_CPU_CAPABILITY",
    "NPY_DISABLE_CPU_FEATURES",
    "NPY_ENABLE_CPU_FEATURES",
    "NUMBA_CPU_NAME",
    "NUMBA_CPU_FEATURES",
    "NUMBA_DISABLE_JIT",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "XLA_FLAGS",
)


def is_pin(name: str) -> bool:
    """Return whether a variable limits a library."""
    return name in PINS or name.startswith("NPVL")


def pins(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Return the limiting variables that are set."""
    return sorted(name for name in environment if is_pin(name))


def clean(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment without them, in which this package can be imported."""
    kept = {name: value for name, value in environment.items() if not is_pin(name)}
    kept["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), kept.get("PYTHONPATH", "")]))
    return {**kept, "PYTHONUTF8": "1", "JAX_PLATFORMS": "cpu"}
