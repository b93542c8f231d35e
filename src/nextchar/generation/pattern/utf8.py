"""A set of characters as a small tree over the bytes of their UTF-8."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Row = NDArray[np.int16]  # (256,) where each byte leads

CONTINUATION = slice(0x80, 0xC0)


def row_of_set(mask: NDArray[np.bool_], node_of: Callable[[Row], int], none: int, done: int) -> Row:
    """Where each first byte of the set's characters leads.

    mask: (0x110000,) which code points are of the set; no surrogate is.
    node_of: gives a row's node, the same for the same row, and `none` for one that leads nowhere.
    """

    def level(keys: NDArray[Any], leads: NDArray[np.int16]) -> NDArray[np.int16]:
        """The node of each 64 in a row, which one byte tells apart; keys differ where they do."""
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
        """A character is written with as few bytes as it can be."""
        return np.concatenate([np.full(first, none, dtype=np.int16), leads[first:]])

    points = np.where(mask, np.int16(done), np.int16(none))
    last = level(np.packbits(mask).view(np.uint64), points)  # (17408,) by all bits but 6
    narrow = without(last, 32)
    middle = level(whole(narrow), narrow)  # (272,) by all but 12
    wide = np.full(5 * 64, none, dtype=np.int16)
    wide[: len(middle)] = without(middle, 16)
    row = np.full(256, none, dtype=np.int16)
    row[:0x80] = points[:0x80]
    row[0xC2:0xE0] = last[2:32]
    row[0xE0:0xF0] = middle[:16]
    row[0xF0:0xF5] = level(whole(wide), wide)  # by all but 18
    return row


def row_of_one(character: str, node_of: Callable[[Row], int], none: int, done: int) -> Row:
    """The same for one character; a surrogate is none in UTF-8."""
    row, lead = np.full(256, none, dtype=np.int16), done
    for place, byte in reversed([*enumerate(character.encode("utf-8", "ignore"))]):
        row = np.full(256, none, dtype=np.int16)
        row[byte] = lead
        lead = node_of(row) if place else lead
    return row
