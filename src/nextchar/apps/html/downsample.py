"""Curves of any length in as many points as a screen can show, with nothing hidden.

Of all points that fall into one column of pixels the first, lowest, highest and last are kept:
the ink is the same as if all were drawn.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nextchar.apps.html.charts import Array


def keep_extremes(x: Array, y: Array, columns: int) -> NDArray[np.int64]:
    """Which points of a curve to draw, ascending.

    x: (N,) where they are, ascending, in pixels; y: (N,). columns: pixels that there are.
    """
    if len(x) <= 4 * columns:
        return np.arange(len(x))
    span = float(x[-1] - x[0]) or 1.0
    column = np.minimum((x - x[0]) / span * columns, columns - 1).astype(np.int64)
    starts = np.flatnonzero(np.diff(column, prepend=-1))
    ends = np.append(starts[1:], len(x))
    extremes = [
        _first(y == reduce(y, starts)[np.repeat(np.arange(len(starts)), ends - starts)], starts)
        for reduce in (np.minimum.reduceat, np.maximum.reduceat)
    ]
    return np.unique(np.concatenate([starts, ends - 1, *extremes]))


def _first(chosen: NDArray[np.bool_], starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The first chosen point of each column; each has one. starts: of the columns."""
    places = np.flatnonzero(chosen)
    return places[np.searchsorted(places, starts)]
