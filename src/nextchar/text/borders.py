"""A text of records as codes: where it may be cut, and its records in another order.

A border is the place of a boundary's code; there is one at both ends of the text.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from nextchar.text.cache.disk_codes import READ, AnyCodes
from nextchar.text.vocabulary import Codes

_SHUFFLING = 0x5EC0_2D5  # keeps this draw apart from others of the same seed


def border_near(codes: AnyCodes, boundary: int, place: int, end: int) -> int:
    """The first border from a place on, or the last one before it, inside of 0 and `end`.

    `end`, itself a border, where there is one record up to it.
    """
    place = min(max(place, 1), end)
    for start in range(place, end, READ):
        found = np.flatnonzero(codes[start : min(start + READ, end)] == boundary)
        if len(found):
            return start + int(found[0])
    for stop in range(place, 1, -READ):
        start = max(stop - READ, 1)
        found = np.flatnonzero(codes[start:stop] == boundary)
        if len(found):
            return start + int(found[-1])
    return end


def shuffled_records(codes: Codes, boundary: int, seed: int) -> Codes:
    """The same records in an order that follows from their number and the seed.

    codes: (N,) that begin and end with the boundary.
    """
    borders = np.flatnonzero(codes == boundary)
    order = np.random.default_rng([_SHUFFLING, seed]).permutation(len(borders) - 1)
    starts = borders[:-1][order] + 1  # where each record of the new order was …
    lengths = np.diff(borders)[order]  # … with the boundary that ends it
    ends = np.cumsum(lengths)
    shuffled = codes.copy()
    # some records at a time: places take eight bytes a character
    cuts = np.searchsorted(ends, np.arange(READ, len(codes), READ)).tolist()
    for low, high in pairwise(sorted({0, *cuts, len(order)})):
        begins = ends[low:high] - lengths[low:high]  # in the new order
        place = np.arange(begins[0], ends[high - 1])
        moved = np.repeat(starts[low:high] - begins, lengths[low:high])
        shuffled[1 + place] = codes[place + moved]
    return shuffled
