"""Syntax tree of a pattern: sets of characters, assertions, branches, groups and repeats.

A sequence of nodes is a tuple. Nodes are equal if their contents are, whatever their positions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from nextchar.errors import NO_VALUE, SettingsError

UNLIMITED = 2**32 - 1  # upper bound of a repeat or a width without one

Item = tuple[int, int] | str  # first and last code point of a range, or a class such as \d


def pattern_error(problem: str, remedy: str | None = None, value: Any = NO_VALUE) -> SettingsError:
    """An error of the setting `pattern`."""
    return SettingsError(problem, setting="pattern", value=value, remedy=remedy)


@dataclass(frozen=True)
class PatternNode:
    """A part of a pattern, `pattern[start:end]`."""

    start: int = field(compare=False)
    end: int = field(compare=False)

    @cached_property
    def width(self) -> tuple[int, int]:
        """Fewest and most characters of a match."""
        return 0, 0

    def text(self, pattern: str) -> str:
        """The node as it is written."""
        return pattern[self.start : self.end]


Nodes = tuple[PatternNode, ...]


@dataclass(frozen=True)
class CharacterSet(PatternNode):
    """One character of some items or, if negated, of none of them.

    flags: re.IGNORECASE and re.ASCII, where they apply.
    """

    items: tuple[Item, ...]
    negated: bool
    flags: int

    @cached_property
    def width(self) -> tuple[int, int]:
        """Fewest and most characters of a match."""
        return 1, 1

    @cached_property
    def literal(self) -> int | None:
        """The single code point of the set, if it has one; with re.IGNORECASE in either case."""
        if len(self.items) != 1 or self.negated or isinstance(self.items[0], str):
            return None
        first, last = self.items[0]
        return first if first == last else None


@dataclass(frozen=True)
class Assertion(PatternNode):
    """A condition of `assertions` on a position."""

    condition: int


@dataclass(frozen=True)
class Never(PatternNode):
    """`(?!)`, which matches nothing."""


@dataclass(frozen=True)
class Branch(PatternNode):
    """One of several sequences."""

    alternatives: tuple[Nodes, ...]

    @cached_property
    def width(self) -> tuple[int, int]:
        """Fewest and most characters of a match."""
        lows, highs = zip(*map(width_of, self.alternatives), strict=True)
        return min(lows), max(highs)


@dataclass(frozen=True)
class Group(PatternNode):
    """A sequence in parentheses; an atomic one keeps its first match."""

    nodes: Nodes
    is_atomic: bool = False

    @cached_property
    def width(self) -> tuple[int, int]:
        """Fewest and most characters of a match."""
        return width_of(self.nodes)


@dataclass(frozen=True)
class Repeat(PatternNode):
    """A sequence repeated; a possessive repeat gives no character back."""

    nodes: Nodes
    low: int
    high: int
    is_possessive: bool

    @cached_property
    def width(self) -> tuple[int, int]:
        """Fewest and most characters of a match."""
        low, high = width_of(self.nodes)
        return min(self.low * low, UNLIMITED), min(self.high * high, UNLIMITED)


def width_of(nodes: Nodes) -> tuple[int, int]:
    """Fewest and most characters of a sequence's match."""
    low = sum(node.width[0] for node in nodes)
    high = sum(node.width[1] for node in nodes)
    return min(low, UNLIMITED), min(high, UNLIMITED)
