"""Codes to final text: each part comes with its number of codes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextchar.generation.detokenizer import IncrementalDetokenizer
from nextchar.text.vocabulary import Vocabulary

BYTES = Vocabulary(is_bytes=True)
LETTERS = Vocabulary.of_text("abc")


def told(writing: IncrementalDetokenizer, data: bytes, size: int) -> list[tuple[str, int]]:
    """Parts of the text of some bytes, a number at a time, up to a stop string or their end."""
    pieces = []
    for start in range(0, len(data), size):
        pieces.append(writing.add(np.frombuffer(data[start : start + size], np.uint8)))
        if writing.stopped:
            return pieces
    return [*pieces, writing.finish()]


@given(data=st.lists(st.sampled_from([*"aé中🙂".encode(), 0xFF, 0xED, 0xA0, 0x80])).map(bytes),
       size=st.integers(1, 4))  # fmt: skip
def test_bytes_read_as_their_text_and_every_byte_belongs_to_one_character(
    data: bytes, size: int
) -> None:
    pieces = told(IncrementalDetokenizer(BYTES), data, size)
    assert "".join(text for text, _ in pieces) == data.decode("utf-8", "replace")
    assert sum(count for _, count in pieces) == len(data)
    place = 0
    for text, count in pieces:
        assert data[place : place + count].decode("utf-8", "replace") == text
        place += count


@given(text=st.text("abc", max_size=30), size=st.integers(1, 5),
       stops=st.lists(st.text("abc", min_size=1, max_size=4), max_size=3),
       least=st.integers(0, 12))  # fmt: skip
def test_a_text_ends_before_the_first_stop_string_to_be_complete_behind_the_least_length(
    text: str, size: int, stops: list[str], least: int
) -> None:
    writing, made, counted = IncrementalDetokenizer(LETTERS, stops, least), "", 0
    codes = LETTERS.encode(text)
    for start in range(0, len(codes), size):
        piece, count = writing.add(codes[start : start + size])
        made, counted = made + piece, counted + count
        if writing.stopped:
            break
    else:
        piece, count = writing.finish()
        made, counted = made + piece, counted + count
    assert made == _cut(text, stops, least)
    assert counted == len(made)


def _cut(text: str, stops: list[str], least: int) -> str:
    for end in range(len(text) + 1):
        starts = [end - len(stop) for stop in stops if text[:end].endswith(stop)]
        starts = [start for start in starts if start >= least]
        if starts:
            return text[: min(starts)]
    return text


@pytest.mark.parametrize("stop", ["é", "中a", "🙂"])
def test_a_stop_string_of_several_bytes_takes_all_of_them(stop: str) -> None:
    data = f"a中{stop}é".encode()
    for size in (1, 2, 3, 20):
        pieces = told(IncrementalDetokenizer(BYTES, [stop]), data, size)
        assert "".join(text for text, _ in pieces) == "a中"
        assert sum(count for _, count in pieces) == 4


def test_what_may_become_a_stop_string_is_held_back_and_no_more() -> None:
    writing = IncrementalDetokenizer(LETTERS, ["bca"])
    assert writing.add(LETTERS.encode("ab")) == ("a", 1)
    assert writing.add(LETTERS.encode("b")) == ("b", 1)
    assert writing.add(LETTERS.encode("cc")) == ("bcc", 3)
    assert writing.finish() == ("", 0)
