"""Classes of characters: words and line ends, and the sizes of characters in UTF-8.

A word is letters, marks, digits and `_`, and an apostrophe after one of them. With the bytes
alphabet every byte beyond ASCII counts as part of a letter: most of them are.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextchar.text.vocabulary import Vocabulary

APOSTROPHES = "'\N{RIGHT SINGLE QUOTATION MARK}"
LINE_ENDS = "\n\r"
MAX_SIZE = 4  # bytes of a character in UTF-8

Codes = NDArray[Any]


class CharacterClasses:
    """Classes of the codes of a vocabulary.

    is_word, is_apostrophe, ends_line: (V,) bool. The unknown symbol is in no class.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        characters = [chr(point) for point in vocabulary.points.tolist()]
        if vocabulary.is_bytes:
            characters = [each if each.isascii() else "x" for each in characters]
        if vocabulary.unknown_code is not None:
            characters.append("")
        self.is_word = np.array([bool(each) and is_word(each) for each in characters])
        self.is_apostrophe = np.array([bool(each) and each in APOSTROPHES for each in characters])
        self.ends_line = np.array([bool(each) and each in LINE_ENDS for each in characters])

    def continues_word(self, last: int) -> NDArray[np.bool_]:
        """Return a mask (V,) of the codes in the same word as the code before them, `last`."""
        return self.is_word | self.is_apostrophe if self.is_word[last] else self.is_word


def is_word(character: str) -> bool:
    """Return True for a character that belongs to a word in any position."""
    return character == "_" or unicodedata.category(character)[0] in "LMN"


def character_sizes(data: bytes) -> Iterator[int]:
    """Yield the number of bytes of each character; 1 for each byte that is not valid UTF-8."""
    start = 0
    while start < len(data):
        size = next((n for n in range(1, MAX_SIZE + 1) if _is_utf8(data[start : start + n])), 1)
        yield size
        start += size


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
