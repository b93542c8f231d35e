"""Incremental detokenizer: codes to text, up to a stop string.

Held back are characters that may become a stop string, and bytes that are not yet a whole UTF-8
sequence.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from nextchar.generation.stop_strings import first_stop, overlap
from nextchar.text.vocabulary import Vocabulary

Codes = NDArray[Any]


class IncrementalDetokenizer:
    """One text that grows.

    min_length: a stop string that begins before this many characters does not count.
    """

    def __init__(
        self, vocabulary: Vocabulary, stops: Sequence[str] = (), min_length: int = 0
    ) -> None:
        self.stopped = False
        self._stops, self._min_length = stops, min_length
        self._length = 0  # characters returned so far
        self._held = ""
        self._sizes: list[int] = []  # bytes of each held character, with the bytes alphabet
        self._vocabulary = vocabulary
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")
        self._pending = 0  # bytes of a sequence that is not whole

    def add(self, codes: Codes) -> tuple[str, int]:
        """Return the text that is final after some more codes, and its number of codes."""
        text = self._held + self._decode(codes)
        start = max(0, self._min_length - self._length)
        stop = first_stop(text, self._stops, start)
        if stop is not None:
            self.stopped = True
            return self._release(text, stop)
        hold = max((overlap(text, stop) for stop in self._stops), default=0)
        return self._release(text, len(text) - hold)

    def finish(self) -> tuple[str, int]:
        """Return the text that was held back, at the end of the codes."""
        rest = self._utf8.decode(b"", final=True)
        self._sizes += _byte_counts(rest, self._pending)
        text = self._held + rest
        return self._release(text, len(text))

    def _release(self, text: str, count: int) -> tuple[str, int]:
        self._length += count
        self._held = text[count:]
        if not self._vocabulary.is_bytes:
            return text[:count], count
        sizes, self._sizes = self._sizes[:count], self._sizes[count:]
        return text[:count], sum(sizes)

    def _decode(self, codes: Codes) -> str:
        if not self._vocabulary.is_bytes:
            return self._vocabulary.decode(codes)
        return "".join(self._decode_byte(code) for code in codes.tolist())

    def _decode_byte(self, byte: int) -> str:
        """Return the characters that a byte completes: none, one, or a broken one and one more."""
        characters = self._utf8.decode(bytes([byte]))
        self._pending += 1
        if characters:
            pending = len(self._utf8.getstate()[0])  # the byte itself, where it begins another
            self._sizes += _byte_counts(characters, self._pending - pending)
            self._pending = pending
        return characters


def _byte_counts(characters: str, count: int) -> list[int]:
    """Divide bytes over their characters: of several only the first has more than one byte."""
    others = [1] * (len(characters) - 1)
    return [count - len(others), *others] if characters else []
