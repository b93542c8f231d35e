"""Which codes belong to a word and which end a line, for what is completed or written by the word.

A word is letters, marks, digits and `_`, and an apostrophe after one of them. With the bytes
alphabet a byte that is no ASCII counts as part of a letter: most of them are.
"""

from __future__ import annotations

import unicodedata
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextchar.text.vocabulary import Vocabulary

APOSTROPHES = "'\N{RIGHT SINGLE QUOTATION MARK}"
LINE_ENDS = "\n\r"

Codes = NDArray[Any]


class CharacterClasses:
    """What the codes of a vocabulary are.

    is_word, is_apostrophe, ends_line: (V,) bool. The unknown symbol is none of them.
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

    def goes_on(self, last: int) -> NDArray[np.bool_]:
        """Which codes (V,) belong to the word whose last code is `last`."""
        return self.is_word | self.is_apostrophe if self.is_word[last] else self.is_word


def is_word(character: str) -> bool:
    """Whether a character belongs to words wherever it stands."""
    return character == "_" or unicodedata.category(character)[0] in "LMN"
