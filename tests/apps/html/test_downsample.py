"""Curves with fewer points that look the same."""

from __future__ import annotations

import numpy as np
import pytest

from nextchar.apps.html.downsample import keep_extremes

COLUMNS = 100


@pytest.mark.parametrize("spread", ["even", "uneven", "one place"])
def test_every_column_keeps_its_ends_and_its_extremes(spread: str) -> None:
    rng = np.random.default_rng(0)
    x = {
        "even": np.linspace(0, 500, 20_000),
        "uneven": np.sort(rng.exponential(size=20_000)),
        "one place": np.zeros(20_000),
    }[spread]
    y = rng.normal(size=20_000).round(1)  # many are equal
    chosen = keep_extremes(x, y, COLUMNS)
    assert len(chosen) <= 4 * COLUMNS
    assert (np.diff(chosen) > 0).all()
    span = (x[-1] - x[0]) or 1.0
    column = np.minimum((x - x[0]) / span * COLUMNS, COLUMNS - 1).astype(int)
    for each in np.unique(column):
        inside, left = np.flatnonzero(column == each), chosen[column[chosen] == each]
        assert (left[0], left[-1]) == (inside[0], inside[-1])
        assert (y[left].min(), y[left].max()) == (y[inside].min(), y[inside].max())


def test_a_short_curve_stays_as_it_is() -> None:
    x = np.arange(4.0 * COLUMNS)
    assert keep_extremes(x, x, COLUMNS).tolist() == [*range(4 * COLUMNS)]
    assert keep_extremes(x[:0], x[:0], COLUMNS).tolist() == []
