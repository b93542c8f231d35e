"""Determinizer: nondeterministic to deterministic automaton, over classes of codes.

A state is a set of items: states of the NFA, or positions within a character of several bytes.
Where the NFA has conditions, a state includes the bits of the character before it; those of the
character after it are known only when it comes, so conditions are judged then.

`$` also holds before a line break that is the last character. An item that passed `$` in this way
is in phase BEFORE_LAST, in which only that line break may come, and then in phase AFTER_LAST.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextchar.generation.pattern.alphabet import DONE, NONE
from nextchar.generation.pattern.assertions import EDGE, END, NEWLINE, holds
from nextchar.generation.pattern.nfa import NFA
from nextchar.generation.pattern.syntax_tree import pattern_error
from nextchar.generation.pattern.work_limit import WorkLimit

MOST_STATES = 50_000
MOST_CELLS = 20_000_000  # states times classes: 80 MB

BEFORE_LAST, AFTER_LAST = 1, 2  # phases; 0 comes before them
PHASES = 3

Items = frozenset[int]


class Determinizer:
    """Subset construction.

    steps: (nodes, C) node to which a code of each class leads from each node of the sets.
    bits: (C,) bits of the codes of each class.
    """

    def __init__(
        self, nfa: NFA, steps: NDArray[np.int16], bits: NDArray[np.int16], limit: WorkLimit
    ) -> None:
        self._nfa, self._steps, self._limit = nfa, steps, limit
        self._groups = [(int(bit), np.flatnonzero(bits == bit)) for bit in np.unique(bits)]
        self._N = len(nfa)
        self._conditional = any(nfa.conditions)
        self._alive = _alive(nfa, (steps != NONE).any(axis=1))
        self._rests: dict[int, Items] = {}
        self._states: dict[tuple[Items, int], int] = {}
        self._todo: list[tuple[Items, int]] = []

    def run(self) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        """Return the table (S, C) of next states, -1 for none, and a mask of accepting states."""
        C = self._steps.shape[1]
        self._state(self._rest(0), EDGE)
        rows, accepts = [], []
        for items, before in self._todo:  # the list grows
            row = np.full(C, -1, dtype=np.int32)
            for after, classes in self._groups:
                row[classes] = self._next(items, before, after, classes)
            rows.append(row)
            accepts.append(self._accepts(items, before))
        return np.array(rows, dtype=np.int32).reshape(len(rows), C), np.array(accepts, dtype=bool)

    def _state(self, items: Items, before: int) -> int:
        if not items and self._states:  # the start is always a state
            return -1
        if not self._conditional or not any(self._condition(item) for item in items):
            before = 0  # no condition depends on it
        key = items, before
        if key not in self._states:
            C = self._steps.shape[1]
            if len(self._states) >= min(MOST_STATES, MOST_CELLS // max(C, 1) + 1):
                remedy = "repeat fewer times, or narrow the part before a repeat"
                raise pattern_error(f"grows past {len(self._states):,} states", remedy)
            self._states[key] = len(self._states)
            self._todo.append(key)
        return self._states[key]

    def _next(self, items: Items, before: int, after: int, classes: NDArray[Any]) -> Any:
        """Return the next state for each of some classes with the same bits."""
        targets = self._targets(self._passed(items, before, after), after)
        if not targets:
            return -1
        leads = self._steps[np.array(list(targets))[:, None], classes]  # (nodes, classes)
        self._limit.spend(leads.size // 16 + 30)
        which, firsts = equal_columns(leads)
        states = [self._state(self._led(targets, leads[:, first]), after) for first in firsts]
        return np.array(states, dtype=np.int32)[which]

    def _targets(self, items: set[int] | Items, after: int) -> dict[int, set[int]]:
        """Return the nodes read from here, with the states reached at the end of a character."""
        N, nfa = self._N, self._nfa
        targets: dict[int, set[int]] = defaultdict(set)
        self._limit.spend(len(items))
        for item in items:
            phase, state = divmod(item, N)
            if phase >= PHASES:
                targets[phase - PHASES].add(state)
            elif nfa.roots[state] < 0:
                continue
            elif phase == 0:
                targets[nfa.roots[state]].add(nfa.targets[state])
            elif phase == BEFORE_LAST and after & NEWLINE:
                targets[nfa.roots[state]].add(AFTER_LAST * N + nfa.targets[state])
        return targets

    def _led(self, targets: dict[int, set[int]], leads: NDArray[np.int16]) -> Items:
        """Return the items after a code, given the node to which it leads from each node."""
        items: set[int] = set()
        for states, lead in zip(targets.values(), leads.tolist(), strict=True):
            self._limit.spend(len(states))
            if lead == DONE:
                for state in states:
                    rest = self._rest(state)
                    self._limit.spend(len(rest))
                    items |= rest
            elif lead != NONE:
                items.update((PHASES + lead) * self._N + state for state in states)
        return frozenset(items)

    def _passed(self, items: Items, before: int, after: int) -> set[int] | Items:
        """Return the items, and those after conditions that hold."""
        if not self._conditional:
            return items
        todo = [item for item in items if self._condition(item)]
        passed = set(items)
        while todo:
            item = todo.pop()
            condition, phase = self._condition(item), item // self._N
            if holds(condition, before, after):
                pass
            elif condition == END and after & NEWLINE and phase == 0:
                phase = BEFORE_LAST
            elif not (phase == BEFORE_LAST and condition == END):
                continue
            new = self._rest(phase * self._N + self._nfa.targets[item % self._N]) - passed
            passed |= new
            todo.extend(each for each in new if self._condition(each))
            self._limit.spend(len(new) + 1)
        return passed

    def _accepts(self, items: Items, before: int) -> bool:
        passed = self._passed(items, before, EDGE)
        final = self._nfa.final
        return final in passed or AFTER_LAST * self._N + final in passed

    def _condition(self, item: int) -> int:
        return self._nfa.conditions[item % self._N] if item < PHASES * self._N else 0

    def _rest(self, item: int) -> Items:
        """Return the items reached from a state without a character or a condition.

        Only states that read, test or accept are included, and from which the end is reachable.
        """
        if item not in self._rests:
            phase, state = divmod(item, self._N)
            nfa, seen, todo, found = self._nfa, {state}, [state], set()
            while todo:
                here = todo.pop()
                if nfa.roots[here] >= 0 or nfa.conditions[here] or here == nfa.final:
                    found.add(phase * self._N + here)
                for there in nfa.free[here]:
                    if there not in seen and self._alive[there]:
                        seen.add(there)
                        todo.append(there)
            self._limit.spend(len(seen))
            self._rests[item] = frozenset(found) if self._alive[state] else frozenset()
        return self._rests[item]


def equal_columns(rows: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Number the distinct columns; return the number of each column, and the first of each."""
    if rows.shape[1] == 0:
        return np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.intp)
    columns = np.ascontiguousarray(rows.T)
    whole = columns.view(np.dtype((np.void, columns.dtype.itemsize * columns.shape[1]))).ravel()
    _, firsts, which = np.unique(whole, return_index=True, return_inverse=True)
    return which, firsts


def _alive(nfa: NFA, can_be_read: NDArray[np.bool_]) -> list[bool]:
    """Return for each state whether the final one is reachable if all conditions hold."""
    sources: list[list[int]] = [[] for _ in range(len(nfa))]
    for state in range(len(nfa)):
        for there in nfa.free[state]:
            sources[there].append(state)
        root = nfa.roots[state]
        if nfa.conditions[state] or (root >= 0 and can_be_read[root]):
            sources[nfa.targets[state]].append(state)
    alive, todo = [False] * len(nfa), [nfa.final]
    alive[nfa.final] = True
    while todo:
        for state in sources[todo.pop()]:
            if not alive[state]:
                alive[state] = True
                todo.append(state)
    return alive
