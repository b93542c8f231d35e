"""Patterns of all lanes in one set of arrays, for compiled code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nextchar.kernels.decoding.lanes import Automata, no_automata


class CompiledAutomaton(Protocol):
    """One pattern; state 0 is the first. See generation/pattern/automaton.py."""

    @property
    def classes(self) -> NDArray[Any]:
        """(V,) class of each code, -1 for one that is allowed nowhere."""

    @property
    def table(self) -> NDArray[Any]:
        """(S, C) next state for each class, -1 for none."""

    @property
    def accepts(self) -> NDArray[Any]:
        """(S,) whether the text may end here."""

    @property
    def distance(self) -> NDArray[Any]:
        """(S,) fewest characters until it may."""


def stacked(automata: Sequence[CompiledAutomaton], V: int) -> tuple[Automata, list[int]]:
    """Return the automata with their states numbered consecutively, and each one's first state."""
    if not automata:
        return no_automata(V), []
    sizes = [each.table.shape for each in automata]  # (S, C) each
    firsts = np.cumsum([0, *(states for states, _ in sizes)])
    # length of the row of each state: the number of classes of its pattern
    rows = np.concatenate([np.full(states, width) for states, width in sizes])
    tables = [  # next states in the new numbering; -1 stays -1
        np.where(each.table < 0, -1, each.table + first).ravel()
        for each, first in zip(automata, firsts, strict=False)
    ]
    return Automata(
        classes=np.stack([each.classes for each in automata]).astype(np.int32),
        begins=np.concatenate([[0], np.cumsum(rows)]),
        table=np.concatenate(tables).astype(np.int32),
        accepts=np.concatenate([each.accepts for each in automata]),
        # the text must end where it may and no code continues it
        is_last=np.concatenate([each.accepts & (each.table < 0).all(axis=1) for each in automata]),
        distance=np.concatenate([each.distance for each in automata]).astype(np.int32),
    ), firsts[:-1].tolist()
