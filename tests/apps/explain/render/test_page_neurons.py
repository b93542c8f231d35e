"""Neurons section: excerpts and the scale of activations."""

from __future__ import annotations

import numpy as np

from nextchar.apps.explain.render.page_neurons import excerpt, scaled


def test_an_excerpt_is_where_a_feature_changes_in_the_second_half() -> None:
    text = "a line of text\n" * 200
    values = np.zeros(len(text))
    values[2600:2700] = 1
    part = excerpt(values, text, 1500, is_switch=True)
    assert part.start >= 1500
    assert values[part].sum() == 100
    assert text[part.start - 1] == "\n"


def test_activations_are_scaled_to_plus_and_minus_one() -> None:
    np.testing.assert_allclose(scaled(np.arange(101.0))[[0, 50, 100]], [-1, 0, 1])
    assert np.isfinite(scaled(np.ones(5))).all()
