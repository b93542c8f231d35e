"""Stop strings: strings that end a text and are not part of it."""

from __future__ import annotations

from collections.abc import Sequence

from nextchar.errors import SettingsError
from nextchar.text.vocabulary import Vocabulary, bytes_of


def checked_stops(stop: str | Sequence[str]) -> tuple[str, ...]:
    """Return stop strings as a tuple. Raises SettingsError if one is empty or not a text."""
    stops = (stop,) if isinstance(stop, str) else tuple(stop)
    if not all(isinstance(each, str) and each for each in stops):
        raise SettingsError("must be texts that are not empty", setting="stop", value=stop)
    return stops


def first_stop(text: str, stops: Sequence[str], start: int = 0) -> int | None:
    """Return the position of the stop string that is complete first; of two at once the longer.

    start: position before which no stop string may begin.
    """
    found = [(text.find(stop, start), len(stop)) for stop in stops]
    ends = [(at + size, at) for at, size in found if at >= 0]
    return min(ends)[1] if ends else None


def overlap(text: str, stop: str) -> int:
    """Return the length of the longest end of the text that begins the stop string."""
    longest = min(len(text), len(stop) - 1)
    return next((n for n in range(longest, 0, -1) if text.endswith(stop[:n])), 0)


def code_count(text: str, vocabulary: Vocabulary) -> int:
    """Return the number of codes of a text."""
    return len(bytes_of(text)) if vocabulary.is_bytes else len(text)
