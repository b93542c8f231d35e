"""Sets of characters as small trees over their UTF-8 bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Row = NDArray[np.int16]  # (256,) node to which each byte leads

CONTINUATION = slice(0x80, 0xC0)


def row_of_set(mask: NDArray[np.bool_], node_of: Callable[[Row], int], none: int, done: int) -> Row:
    """Return the row of the first bytes of a set's characters.

    mask: (0x110000,) code points of the set, without surrogates.
    node_of: returns the node of a row, the same for equal rows, and `none` for an empty one.
    """

    def level(keys: NDArray[Any], leads: NDArray[np.int16]) -> NDArray[np.int16]:
        """Return the node of each 64 successive leads, which differ in one byte.

        keys: equal where those 64 leads are.
        """
        _, firsts, which = np.unique(keys, return_index=True, return_inverse=True)
        nodes = np.empty(len(firsts), dtype=np.int16)
        for index, first in enumerate(firsts):
            row = np.full(256, none, dtype=np.int16)
            row[CONTINUATION] = leads[64 * first : 64 * first + 64]
            nodes[index] = node_of(row)
        return nodes[which]

    def whole(leads: NDArray[np.int16]) -> NDArray[Any]:
        return leads.view(np.dtype((np.void, 64 * leads.itemsize)))

    def without(leads: NDArray[np.int16], first: int) -> NDArray[np.int16]:
        """Remove overlong encodings: those with more bytes than a character needs."""
        return np.concatenate([np.full(first, none, dtype=np.int16), leads[first:]])

    points = np.where(mask, np.int16(done), np.int16(none))
    last = level(np.packbits(mask).view(np.uint64), points)  # (17408,) by all but the last 6 bits
    narrow = without(last, 32)
    middle = level(whole(narrow), narrow)  # (272,) by all but the last 12
    wide = np.full(5 * 64, none, dtype=np.int16)
    wide[: len(middle)] = without(middle, 16)
    row = np.full(256, none, dtype=np.int16)
    row[:0x80] = points[:0x80]
    row[0xC2:0xE0] = last[2:32]
    row[0xE0:0xF0] = middle[:16]
    row[0xF0:0xF5] = level(whole(wide), wide)  # by all but the last 18
    return row


def row_of_one(character: str, node_of: Callable[[Row], int], none: int, done: int) -> Row:
    """Return the row of the first bytes of one character; empty for a surrogate."""
    row, lead = np.full(256, none, dtype=np.int16), done
    for place, byte in reversed([*enumerate(character.encode("utf-8", "ignore"))]):
        row = np.full(256, none, dtype=np.int16)
        row[byte] = lead
        lead = node_of(row) if place else lead
    return row
