"""Comparison of facts that must be the same on all ranks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

MAX_LENGTH = 300  # characters of the list of differences


def difference(names: Sequence[str], facts: Sequence[Mapping[str, Any]]) -> str | None:
    """Return, in one line, the ranks that differ from the first one and their differences.

    names: of the ranks. facts: of each rank. None if all are equal.
    """
    differing = [
        f"{name}: {listed}"
        for name, each in zip(names, facts, strict=True)
        if (listed := _differing(facts[0], each))
    ]
    if not differing:
        return None
    line = "; ".join(differing)
    return line if len(line) <= MAX_LENGTH else line[:MAX_LENGTH] + "…"


def _differing(first: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """`hidden_size 64 (rank 0 has 128), …`."""
    return ", ".join(
        f"{name} {_short(other.get(name))} (rank 0 has {_short(first.get(name))})"
        for name in sorted({*first, *other})
        if first.get(name) != other.get(name)
    )


def _short(value: Any) -> str:
    """Format a value in one line; None is a setting that was not given."""
    return "not given" if value is None else " ".join(str(value).split())[:60]


def host_facts() -> dict[str, Any]:
    """Return versions and CPU features of this process that affect the bits of results."""
    import llvmlite
    import numba
    import numpy as np

    from nextchar import __version__
    from nextchar.kernels.isa import HOST
    from nextchar.kernels.jit_cache import SOURCES

    return {
        "version": __version__,
        "kernels": SOURCES,
        "numba": numba.__version__,
        "llvmlite": llvmlite.__version__,
        "numpy": np.__version__,
        "instruction set": HOST.name,
        "bfloat16": HOST.has_bfloat16,
    }
