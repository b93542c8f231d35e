"""Axes: round ticks inside, limits around all numbers, short labels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextchar.apps.html.charts import Axis
from nextchar.apps.html.scales import Scale, limits, tick_label, ticks

sizes = st.floats(1e-9, 1e9)


@given(st.floats(-1e9, 1e9), sizes, st.integers(2, 12))
def test_ticks_lie_inside_and_are_not_too_many(low: float, size: float, most: int) -> None:
    high = low + size
    if high - low < 1e-6 * max(abs(low), 1e-3):  # too narrow for an axis
        return
    found = ticks(low, high, most)
    assert 1 <= len(found) <= most + 1
    assert all(low - size * 1e-6 <= tick <= high + size * 1e-6 for tick in found)


def test_ticks_are_round() -> None:
    assert ticks(0, 1, 5) == [0, 0.2, 0.4, 0.6, 0.8, 1]
    assert ticks(1.3, 4.2, 5) == [2, 3, 4]
    assert ticks(0.01, 100, 5, log=True) == [0.01, 0.1, 1, 10, 100]
    assert ticks(0.9, 7, 8, log=True) == [1, 2, 5]
    assert len(ticks(1e-9, 1e9, 5, log=True)) <= 5


def test_limits_are_around_all_finite_numbers() -> None:
    numbers = [np.array([1.0, np.nan]), np.array([3.0, np.inf])]
    assert limits(Axis("x"), numbers) == pytest.approx((0.92, 3.08))
    assert limits(Axis("x", low=0.0), numbers) == pytest.approx((0, 3.12))
    assert limits(Axis("x", low=0.0, high=2.0), numbers) == (0, 2)
    assert limits(Axis("x", labels=("a", "b")), numbers) == (-0.5, 1.5)


@pytest.mark.parametrize("axis", [Axis("x"), Axis("x", low=0.0), Axis("x", log=True)])
@pytest.mark.parametrize("values", [[], [0.0], [2.0, 2.0], [-1.0]])
def test_an_axis_of_one_number_or_none_has_an_extent(axis: Axis, values: list[float]) -> None:
    low, high = limits(axis, [np.array(values)])
    assert low < high
    assert np.isfinite([low, high]).all()


def test_a_scale_puts_numbers_on_pixels() -> None:
    assert Scale(0, 10, 100, 0).at(2.5) == 75
    assert Scale(1, 100, 0, 50, log=True).at(10) == pytest.approx(25)
    assert math.isinf(Scale(1, 100, 0, 50, log=True).at(0))


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (1500, "1.5k"), (2e6, "2M"), (0.002, "0.002"), (1e-7, "1e-7"), (-12, "-12")],
)
def test_numbers_are_written_short(value: float, text: str) -> None:
    assert tick_label(value) == text


def test_shares_are_written_in_percent() -> None:
    assert tick_label(0.25, percent=True) == "25%"
