"""Words, line ends and sizes of characters."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nextchar.generation.interactive.character_classes import CharacterClasses, character_sizes
from nextchar.text.vocabulary import Vocabulary


@given(text=st.text())
def test_sizes_are_those_of_the_characters_of_a_text(text: str) -> None:
    text = text.encode(errors="ignore").decode()
    assert list(character_sizes(text.encode())) == [len(each.encode()) for each in text]


@given(data=st.binary(max_size=12))
def test_sizes_cover_all_bytes_and_invalid_ones_count_one(data: bytes) -> None:
    sizes = list(character_sizes(data))
    assert sum(sizes) == len(data)
    starts = np.cumsum([0, *sizes])
    for start, size in zip(starts, sizes, strict=False):
        assert size == 1 or len(data[start : start + size].decode()) == 1


def test_a_word_continues_with_letters_and_after_one_with_an_apostrophe() -> None:
    vocabulary = Vocabulary(sorted(map(ord, "a1_' \n")), has_unknown=True)
    classes = CharacterClasses(vocabulary)
    letter, apostrophe = vocabulary.encode("a'").tolist()

    def continuing(last: int) -> set[str]:
        return set(vocabulary.decode(np.flatnonzero(classes.continues_word(last))))

    assert continuing(letter) == set("a1_'")
    assert continuing(apostrophe) == set("a1_")
    assert vocabulary.decode(np.flatnonzero(classes.ends_line)) == "\n"
