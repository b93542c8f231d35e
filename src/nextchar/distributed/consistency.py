"""What ranks must have in common, and what is said where they do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

LONGEST = 300  # characters of a complaint's list


def difference(names: Sequence[str], facts: Sequence[Mapping[str, Any]]) -> str | None:
    """Which ranks differ from the first one, and in what, in one line; None where none does."""
    told = [
        f"{name}: {listed}"
        for name, each in zip(names, facts, strict=True)
        if (listed := _differing(facts[0], each))
    ]
    if not told:
        return None
    line = "; ".join(told)
    return line if len(line) <= LONGEST else line[:LONGEST] + "…"


def _differing(first: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """`hidden_size 64 (rank 0 has 128), …`."""
    return ", ".join(
        f"{name} {_short(other.get(name))} (rank 0 has {_short(first.get(name))})"
        for name in sorted({*first, *other})
        if first.get(name) != other.get(name)
    )


def _short(value: Any) -> str:
    """A value as it is told; None is a setting that was not given."""
    return "not given" if value is None else " ".join(str(value).split())[:60]


def host_facts() -> dict[str, Any]:
    """What of this process the bits depend on."""
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
