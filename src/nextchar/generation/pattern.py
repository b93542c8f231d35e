"""Stand-in until the automaton lands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Automaton:
    """See branch pattern."""

    classes: NDArray[Any]
    table: NDArray[Any]
    accepts: NDArray[Any]
    distance: NDArray[Any]


def automaton_of(pattern: str, vocabulary: Any, *, end_code: int | None = None) -> Automaton:
    """See branch pattern."""
    raise NotImplementedError


def require_fits(automaton: Automaton, length: int) -> None:
    """See branch pattern."""


def lets_through(automaton: Automaton, state: int, left: int) -> NDArray[np.bool_]:
    """Which codes (V,) keep a full match possible within `left` characters."""
    there = np.where(automaton.classes < 0, -1, automaton.table[state, automaton.classes])
    return (there >= 0) & (automaton.distance[there] < left)
