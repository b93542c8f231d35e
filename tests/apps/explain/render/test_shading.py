"""Shaded text: levels of bits, runs of activations, influence and probabilities."""

from __future__ import annotations

import re

import numpy as np

from nextchar.apps.explain.explanation import Explanation
from nextchar.apps.explain.render.shading import (
    activation_text,
    influence_text,
    level_of,
    percent,
    surprise_text,
)
from nextchar.text.vocabulary import Vocabulary


def test_each_character_has_the_shade_of_its_bits(explanation: Explanation) -> None:
    html = surprise_text(explanation.model.vocabulary, explanation.shown)
    classes = [re.search(r'class="s(\d)"', each) for each in re.findall(r"<b[^>]*>", html)]
    levels = [int(each[1]) if each else 0 for each in classes]
    assert levels == [level_of(each) for each in explanation.shown.bits]
    assert [level_of(b) for b in (float("nan"), -0.0, 0.99, 1, 8.9, 9, 40)] == [0, 0, 0, 1, 8, 9, 9]


def test_activations_are_shaded_in_runs_and_underlined() -> None:
    html = activation_text("ab<d", np.array([1, 0.95, -0.3, 0]), np.array([0, 0, 1, 0]))
    assert html == '<b class="p5">ab</b><b class="n2 u">&lt;</b><b>d</b>'


def test_influence_is_shaded_by_its_square_root() -> None:
    vocabulary = Vocabulary.of_text("abcd")
    html = influence_text(vocabulary, vocabulary.encode("abcd"), np.array([0, 0.25, 0.01, 1]))
    assert re.findall(r"class=\"s(\d)\"|<b (?=title)", html) == ["", "4", "1", "9"]
    assert "c  2 back: 0.010 bits" in html


def test_probabilities_are_rounded_for_readers() -> None:
    texts = [percent(each) for each in (1, 0.412, 0.0123, 0.0001, 0)]
    assert texts == ["100 %", "41 %", "1.2 %", "1 in 10,000", "never"]
