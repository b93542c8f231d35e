"""Characters of codes: one for each code, or one for the bytes of a character together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextchar.apps.html.markup import shown
from nextchar.text.vocabulary import Codes, Vocabulary, bytes_of

NO_UTF8 = range(0xDC80, 0xDD00)  # how Python escapes bytes that are no UTF-8


@dataclass(frozen=True)
class Glyphs:
    """Codes as characters. text: n characters; starts: (n,) index of the first code of each."""

    text: str
    starts: NDArray[np.int64]

    def sums(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Sum the values (N,) of each character's codes."""
        if not len(self.starts):
            return np.zeros(0)
        return np.asarray(np.add.reduceat(values.astype(np.float64), self.starts))

    def last(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the value of each character's last code."""
        ends = np.append(self.starts[1:], len(values)) - 1
        return np.asarray(values[ends])


def glyphs(vocabulary: Vocabulary, codes: Codes) -> Glyphs:
    """Decode codes; a byte that is not UTF-8 is one character, U+DC80 to U+DCFF."""
    if not vocabulary.is_bytes:
        return Glyphs(vocabulary.decode(codes), np.arange(len(codes)))
    text = vocabulary.decode_bytes(codes).decode("utf-8", "surrogateescape")
    sizes = [1 if ord(each) in NO_UTF8 else len(bytes_of(each)) for each in text]
    return Glyphs(text, np.cumsum([0, *sizes])[:-1].astype(np.int64))


def characters(vocabulary: Vocabulary, codes: Codes) -> str:
    """Return a character for each code; each byte of a character gives that character."""
    shown = glyphs(vocabulary, codes)
    sizes = np.diff(np.append(shown.starts, len(codes)))
    return "".join(each * int(size) for each, size in zip(shown.text, sizes, strict=True))


def name_of(vocabulary: Vocabulary, code: int) -> str:
    """The name of a symbol: the character itself where it can be seen."""
    if code == vocabulary.unknown_code:
        return "unknown"
    point = int(vocabulary.points[code])
    if vocabulary.is_bytes and point > 126:
        return f"\\x{point:02x}"
    return visible(chr(point))


def visible(character: str) -> str:
    r"""A character as it can be seen: ⏎ for a newline, \xff for a byte that is no UTF-8."""
    if ord(character) in NO_UTF8:
        return f"\\x{ord(character) - 0xDC00:02x}"
    return shown(character)
