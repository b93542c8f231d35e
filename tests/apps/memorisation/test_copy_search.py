"""Copied pieces, compared with a naive search, for any division of the training text."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nextchar.apps.memorisation import copy_search
from nextchar.apps.memorisation.copy_search import blocks_of, copied
from nextchar.text.vocabulary import Codes

LENGTHS = (1, 2, 3, 5, 8, 13)
texts = st.binary(max_size=40).map(lambda data: bytes(byte % 3 for byte in data))


def codes(text: bytes) -> Codes:
    return np.frombuffer(text, np.uint8)


def cut(text: bytes, size: int) -> list[Codes]:
    return [codes(text[start : start + size]) for start in range(0, len(text), size)]


def shares_of(group: list[bytes], training: bytes) -> list[float]:
    """The same shares by naive search."""
    shares = []
    for n in LENGTHS:
        found = [each[i : i + n] in training for each in group for i in range(len(each) - n + 1)]
        shares.append(sum(found) / len(found) if found else math.nan)
    return shares


def longest_in(text: bytes, training: bytes) -> int:
    ends = [(i, j) for i in range(len(text)) for j in range(i, len(text) + 1)]
    return max((j - i for i, j in ends if text[i:j] in training), default=0)


@given(st.lists(st.lists(texts, max_size=3), min_size=1, max_size=2), texts, st.integers(1, 17))
def test_shares_and_longest_passages_are_those_of_a_search(
    groups: list[list[bytes]], training: bytes, size: int
) -> None:
    made = copied([[*map(codes, group)] for group in groups], cut(training, size), LENGTHS)
    for group, found in zip(groups, made, strict=True):
        np.testing.assert_allclose(found.shares, shares_of(group, training))
        number, start, end = found.longest
        assert end - start == max((longest_in(text, training) for text in group), default=0)
        assert not group or group[number][start:end] in training


@given(texts, texts, st.integers(1, 17), st.integers(1, 9))
def test_spans_cover_what_is_copied_and_nothing_else(
    text: bytes, training: bytes, size: int, shortest: int
) -> None:
    covered = np.zeros(len(text), bool)
    for start in range(len(text) - shortest + 1):
        if text[start : start + shortest] in training:
            covered[start : start + shortest] = True
    marked = np.zeros(len(text), bool)
    (found,) = copied([[codes(text)]], cut(training, size), [shortest])
    (spans,) = found.spans
    for start, end in spans:
        marked[start:end] = True
    assert (marked == covered).all()
    assert all(a[1] < b[0] for a, b in pairwise(spans))


def test_many_symbols_are_looked_up_without_a_table() -> None:
    rng = np.random.default_rng(0)
    training = rng.integers(0, 5000, 20_000).astype(np.uint16)
    text = np.concatenate([training[700:760], rng.integers(0, 5000, 30).astype(np.uint16)])
    (found,) = copied([[text]], [training[:720], training[720:]], (50,))
    assert found.longest == (0, 0, 60)
    assert found.spans == [[(0, 60)]]


def test_a_text_comes_in_blocks() -> None:
    text = np.arange(copy_search.BLOCK + 3) % 7
    parts = list(blocks_of(text.astype(np.uint8)))
    assert [len(part) for part in parts] == [copy_search.BLOCK, 3]
    assert (np.concatenate(parts) == text).all()
