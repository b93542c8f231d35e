"""Characters of codes: one for each code, or one for the bytes of a character together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextchar.formatting.visible_text import ESCAPED_BYTES
from nextchar.text.vocabulary import Codes, Vocabulary, bytes_of


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
    sizes = [1 if ord(each) in ESCAPED_BYTES else len(bytes_of(each)) for each in text]
    return Glyphs(text, np.cumsum([0, *sizes])[:-1].astype(np.int64))


def characters(vocabulary: Vocabulary, codes: Codes) -> str:
    """Return a character for each code; each byte of a character gives that character."""
    shown = glyphs(vocabulary, codes)
    sizes = np.diff(np.append(shown.starts, len(codes)))
    return "".join(each * int(size) for each, size in zip(shown.text, sizes, strict=True))
