"""n-grams: a slow twin with dictionaries, distributions that sum to one, any blocks."""

from __future__ import annotations

import math
from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextchar.apps.ngrams import ORDERS, baselines, most_characters
from nextchar.text.vocabulary import Codes

V = 4
texts = st.lists(st.integers(0, V - 1), min_size=2, max_size=60)


def cut(text: list[int], size: int) -> list[Codes]:
    codes = np.array(text, np.uint8)
    return [codes[start : start + size] for start in range(0, len(codes), size)]


class Twin:
    """Interpolated Witten-Bell, exactly as its formula."""

    def __init__(self, training: list[int], order: int) -> None:
        self.order = order
        self.followers: dict[tuple[int, ...], Counter[int]] = defaultdict(Counter)
        for length in range(order):
            for place in range(length, len(training)):
                self.followers[tuple(training[place - length : place])][training[place]] += 1

    def p(self, history: tuple[int, ...], code: int) -> float:
        shorter = self.p(history[1:], code) if history else 1 / V
        followers = self.followers.get(history)
        if not followers:
            return shorter
        total, different = sum(followers.values()), len(followers)
        return (followers[code] + different * shorter) / (total + different)

    def nats(self, text: list[int]) -> list[float]:
        order = self.order
        return [
            -math.log(self.p(tuple(text[max(0, place - order + 1) : place]), text[place]))
            for place in range(1, len(text))
        ]


@given(texts, texts, st.integers(1, 25))
def test_every_order_is_what_a_dictionary_gives(
    text: list[int], training: list[int], size: int
) -> None:
    made = baselines(np.array(text, np.uint8), cut(training, size), V)
    assert made.uniform == pytest.approx(math.log(V))
    for order in ORDERS:
        np.testing.assert_allclose(made.by_order[order], Twin(training, order).nats(text))


@given(st.lists(st.integers(0, V - 1), min_size=1, max_size=8), texts)
def test_after_every_history_probabilities_sum_to_one(
    history: list[int], training: list[int]
) -> None:
    after = [
        baselines(np.array([*history, code], np.uint8), cut(training, 7), V) for code in range(V)
    ]
    for order in ORDERS:
        assert sum(math.exp(-made.by_order[order][-1]) for made in after) == pytest.approx(1)


def test_a_regular_text_is_known_by_higher_orders() -> None:
    text = [0, 1, 2, 3] * 50
    losses = baselines(np.array(text, np.uint8), cut(text, 64), V).losses()
    assert list(losses) == ["uniform", "character frequency", "3-gram", "6-gram"]
    assert losses["character frequency"] == pytest.approx(math.log(4))
    assert losses["6-gram"] < losses["3-gram"] < 0.1


def test_memory_is_bounded_by_the_characters_that_are_scored() -> None:
    assert most_characters(65) * 65 <= 50_000_000 < (most_characters(65) + 1) * 65
    assert most_characters(10**9) == 2
