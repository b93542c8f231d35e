"""The codes of one text as they come → what is sure of it, up to a stop string.

What might become a stop string, or is not yet a whole UTF-8 sequence, is held back.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from nextchar.text.vocabulary import Vocabulary

Codes = NDArray[Any]


class IncrementalDetokenizer:
    """One text as it is written.

    least: a stop string that begins before so many characters is none.
    """

    def __init__(self, vocabulary: Vocabulary, stops: Sequence[str] = (), least: int = 0) -> None:
        self.stopped = False
        self._stops, self._least = stops, least
        self._length = 0  # characters handed out
        self._held = ""
        self._sizes: list[int] = []  # bytes of each held character, with the bytes alphabet
        self._vocabulary = vocabulary
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")
        self._begun = 0  # bytes of a sequence that is not whole

    def add(self, codes: Codes) -> tuple[str, int]:
        """The text that is sure after some more codes, and how many codes it is made of."""
        text = self._held + self._decoded(codes)
        match = self._first_stop(text)
        if match is not None:
            self.stopped = True
            return self._hand_out(text, match)
        hold = max((_overlap(text, stop) for stop in self._stops), default=0)
        return self._hand_out(text, len(text) - hold)

    def finish(self) -> tuple[str, int]:
        """What was held back, nothing more coming."""
        rest = self._utf8.decode(b"", final=True)
        self._sizes += _sizes_of(rest, self._begun)
        text = self._held + rest
        return self._hand_out(text, len(text))

    def _hand_out(self, text: str, count: int) -> tuple[str, int]:
        self._length += count
        self._held = text[count:]
        if not self._vocabulary.is_bytes:
            return text[:count], count
        sizes, self._sizes = self._sizes[:count], self._sizes[count:]
        return text[:count], sum(sizes)

    def _decoded(self, codes: Codes) -> str:
        if not self._vocabulary.is_bytes:
            return self._vocabulary.decode(codes)
        return "".join(self._decoded_byte(code) for code in codes.tolist())

    def _decoded_byte(self, byte: int) -> str:
        """The characters that a byte completes: none, one, or a broken one and one more."""
        characters = self._utf8.decode(bytes([byte]))
        self._begun += 1
        if characters:
            pending = len(self._utf8.getstate()[0])  # the byte itself, where it begins another
            self._sizes += _sizes_of(characters, self._begun - pending)
            self._begun = pending
        return characters

    def _first_stop(self, text: str) -> int | None:
        """Where the first stop string to be complete begins; of two at once the longer."""
        start = max(0, self._least - self._length)
        found = [(text.find(stop, start), len(stop)) for stop in self._stops]
        ends = [(at + size, at) for at, size in found if at >= 0]
        return min(ends)[1] if ends else None


def _sizes_of(characters: str, count: int) -> list[int]:
    """How many of some bytes each character is made of: of several only the first is of many."""
    others = [1] * (len(characters) - 1)
    return [count - len(others), *others] if characters else []


def _overlap(text: str, stop: str) -> int:
    """How long an end of the text is a beginning of the stop string."""
    longest = min(len(text), len(stop) - 1)
    return next((n for n in range(longest, 0, -1) if text.endswith(stop[:n])), 0)
