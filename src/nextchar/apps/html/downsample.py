"""Downsampling of curves to the points that a screen can show, without visible loss.

Of all points in one column of pixels the first, lowest, highest and last are kept, so that the
drawing covers the same pixels as with all points.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nextchar.apps.html.charts import Array


def keep_extremes(x: Array, y: Array, columns: int) -> NDArray[np.int64]:
    """Return the indices of the points to draw, ascending.

    x: (N,) pixels, ascending; y: (N,). columns: width of the drawing in pixels.
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
    """Return the first chosen point of each column, which has at least one. starts: of columns."""
    indices = np.flatnonzero(chosen)
    return indices[np.searchsorted(indices, starts)]
