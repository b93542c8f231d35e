"""How codes are shown: a character of the text each, or the bytes of one together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextchar.formatting.visible_text import ESCAPED_BYTES
from nextchar.text.vocabulary import Codes, Vocabulary, bytes_of


@dataclass(frozen=True)
class Glyphs:
    """Codes as characters. text: of n characters; starts: (n,) where the codes of each begin."""

    text: str
    starts: NDArray[np.int64]

    def sums(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """The sum of the values (N,) of each character's codes."""
        if not len(self.starts):
            return np.zeros(0)
        return np.asarray(np.add.reduceat(values.astype(np.float64), self.starts))

    def last(self, values: NDArray[Any]) -> NDArray[Any]:
        """The value of each character's last code."""
        ends = np.append(self.starts[1:], len(values)) - 1
        return np.asarray(values[ends])


def glyphs(vocabulary: Vocabulary, codes: Codes) -> Glyphs:
    """The characters of some codes; a byte that is no UTF-8 stands alone, as U+DC80 and so on."""
    if not vocabulary.is_bytes:
        return Glyphs(vocabulary.decode(codes), np.arange(len(codes)))
    text = vocabulary.decode_bytes(codes).decode("utf-8", "surrogateescape")
    sizes = [1 if ord(each) in ESCAPED_BYTES else len(bytes_of(each)) for each in text]
    return Glyphs(text, np.cumsum([0, *sizes])[:-1].astype(np.int64))


def characters(vocabulary: Vocabulary, codes: Codes) -> str:
    """One character for each code: with the bytes alphabet that which the byte belongs to."""
    shown = glyphs(vocabulary, codes)
    sizes = np.diff(np.append(shown.starts, len(codes)))
    return "".join(each * int(size) for each, size in zip(shown.text, sizes, strict=True))
