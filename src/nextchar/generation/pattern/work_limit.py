"""Limit on the work that one pattern may cost, so that any pattern is answered within seconds."""

from __future__ import annotations

from nextchar.generation.pattern.syntax_tree import pattern_error

MOST_WORK = 10_000_000  # units of some tenths of a microsecond


class WorkLimit:
    """Remaining work of one pattern."""

    def __init__(self) -> None:
        self._left = MOST_WORK

    def spend(self, work: int) -> None:
        """Use some of the work. Raises SettingsError where too little is left."""
        self._left -= work
        if self._left < 0:
            raise pattern_error("takes too long to prepare", "repeat fewer times, or simplify it")
