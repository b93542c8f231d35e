"""Curves of any length in as many points as a screen can show, with nothing hidden.

Of all points that fall into one column of pixels the first, lowest, highest and last are kept:
the ink is the same as if all were drawn.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nextchar.apps.pages.figures import Array


def kept(x: Array, y: Array, columns: int) -> NDArray[np.int64]:
    """Which points of a curve to draw, ascending.

    x: (N,) where they are, ascending, in pixels; y: (N,). columns: pixels that there are.
    """
    if len(x) <= 4 * columns:
        return np.arange(len(x))
    span = float(x[-1] - x[0]) or 1.0
    column = np.minimum((x - x[0]) / span * columns, columns - 1).astype(np.int64)
    starts = np.flatnonzero(np.diff(column, prepend=-1))
    ends = np.append(starts[1:], len(x))
    order = np.lexsort((y, column))  # within each column from the lowest to the highest
    return np.unique(np.concatenate([starts, ends - 1, order[starts], order[ends - 1]]))
