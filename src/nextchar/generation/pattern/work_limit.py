"""How much a pattern may cost: whatever is asked for, an answer comes within seconds."""

from __future__ import annotations

from nextchar.errors import SettingsError

MOST_WORK = 10_000_000  # some tenths of a microsecond each


class WorkLimit:
    """Work that is still to be had for one pattern."""

    def __init__(self) -> None:
        self._left = MOST_WORK

    def spend(self, work: int) -> None:
        """Take some of it. Raises SettingsError where there is too little."""
        self._left -= work
        if self._left < 0:
            raise SettingsError(
                "takes too long to prepare",
                setting="pattern",
                remedy="repeat fewer times, or simplify it",
            )
