"""Alphabet of a pattern: its sets of characters in the codes of a vocabulary.

A set is read code by code along a table. From its root, a code completes a character of the set
(DONE), leads to a further node within a character of several bytes, or to none (NONE). In a
vocabulary of characters each set is one node; in one of bytes it is a small tree of UTF-8.
"""

from __future__ import annotations

import functools
import re

import numpy as np
from numpy.typing import NDArray

from nextchar.generation.pattern.syntax_tree import CharacterSet, Item, pattern_error
from nextchar.generation.pattern.utf8 import row_of_one, row_of_set
from nextchar.generation.pattern.work_limit import WorkLimit
from nextchar.text.vocabulary import Vocabulary

NONE, DONE = -1, -2
MOST_CELLS = 20_000_000  # of the table: 40 MB
MOST_NODES = 2**15 - 1

_POINTS = 0x110000
_SURROGATES = slice(0xD800, 0xE000)


class Alphabet:
    """Sets of characters over a vocabulary, built when first requested.

    end_code: a code that belongs to no set; neither does the unknown symbol.
    """

    def __init__(self, vocabulary: Vocabulary, end_code: int | None, limit: WorkLimit) -> None:
        self.is_bytes = vocabulary.is_bytes
        self._count, self._end_code, self._limit = len(vocabulary), end_code, limit
        if self.is_bytes:
            self._points, self._text = np.arange(_POINTS), _every_character()
        else:
            self._points = vocabulary.points.astype(np.int64)
            self._text = vocabulary.decode(np.arange(len(self._points)))
        self._rows: list[NDArray[np.int16]] = []
        self._node_of_row: dict[bytes, int] = {}
        self._root_of_set: dict[CharacterSet, int] = {}
        self._shared: dict[tuple[int, int], bool] = {}
        self._masks: dict[tuple[str, int], NDArray[np.uint8]] = {}

    def root(self, characters: CharacterSet) -> int:
        """Return the node of the table from which a set is read, the same for equal sets."""
        if characters not in self._root_of_set:
            self._root_of_set[characters] = self._node(self._row(characters))
        return self._root_of_set[characters]

    def share_characters(self, characters: CharacterSet, root: int) -> bool:
        """Return True if the model can write a character of both a set and the set of a root."""
        key = self.root(characters), root
        if key not in self._shared:
            self._shared[key] = self._share(*key)
        return self._shared[key]

    def is_empty(self, root: int) -> bool:
        """Return True if the model can write no character of the set."""
        return bool((self._rows[root] == NONE).all())

    def table(self) -> NDArray[np.int16]:
        """Return the node (nodes, codes) to which each code leads from each node."""
        return np.array(self._rows, dtype=np.int16).reshape(len(self._rows), self._count)

    def _share(self, root: int, other: int) -> bool:
        seen = {(root, other)}
        todo = [*seen]
        while todo:
            one, two = (self._rows[node] for node in todo.pop())
            if ((one == DONE) & (two == DONE)).any():
                return True
            both = (one >= 0) & (two >= 0)
            new = {*zip(one[both].tolist(), two[both].tolist(), strict=True)} - seen
            seen |= new
            todo.extend(new)
        return False

    def _row(self, characters: CharacterSet) -> NDArray[np.int16]:
        literal, ignores_case = characters.literal, bool(characters.flags & re.IGNORECASE)
        if not self.is_bytes:
            row = np.full(self._count, NONE, dtype=np.int16)
            row[: len(self._points)][self._mask(characters)] = DONE
        elif literal is not None and not (ignores_case and _has_case(literal)):
            row = row_of_one(chr(literal), self._node, NONE, DONE)
        else:
            self._limit.spend(5000)
            mask = self._mask(characters)
            mask[_SURROGATES] = False  # UTF-8 has none
            row = row_of_set(mask, self._node, NONE, DONE)
        if self._end_code is not None and self._end_code < self._count:
            row[self._end_code] = NONE
        return row

    def _mask(self, characters: CharacterSet) -> NDArray[np.bool_]:
        """Return a mask of a set over the vocabulary or, for bytes, over all characters."""
        mask = np.zeros(len(self._points), dtype=bool)
        for item in characters.items:
            self._add(mask, item, characters.flags)
        return ~mask if characters.negated else mask

    def _add(self, mask: NDArray[np.bool_], item: Item, flags: int) -> None:
        if isinstance(item, str):
            mask |= self._matching(item, flags)
            return
        first, last = item
        start, end = np.searchsorted(self._points, (first, last + 1))
        mask[start:end] = True
        if flags & re.IGNORECASE and (first < last or _has_case(first)):
            self._limit.spend(last - first + 1000)  # `re` tries every character of a range
            mask |= self._matching(f"[\\U{first:08x}-\\U{last:08x}]", flags)

    def _matching(self, expression: str, flags: int) -> NDArray[np.bool_]:
        """Return a mask of the characters that an expression for one character matches."""
        key = (expression, flags & (re.IGNORECASE | re.ASCII))
        if key not in self._masks:
            mask = np.zeros(len(self._points), dtype=bool)
            for match in re.finditer(f"{expression}+", self._text, key[1]):
                mask[match.start() : match.end()] = True
            self._limit.spend(len(mask) // 100 + 10)
            self._masks[key] = np.packbits(mask)
        return np.unpackbits(self._masks[key], count=len(self._points)).view(bool)

    def _node(self, row: NDArray[np.int16]) -> int:
        key = row.tobytes()
        if key not in self._node_of_row:
            if len(self._rows) >= min(MOST_NODES, MOST_CELLS // max(self._count, 1)):
                raise pattern_error("has too many different characters", "simplify it")
            self._node_of_row[key] = len(self._rows)
            self._rows.append(row)
        return self._node_of_row[key]


def _has_case(point: int) -> bool:
    character = chr(point)
    return not character == character.lower() == character.upper()


@functools.cache
def _every_character() -> str:
    data: bytes = np.arange(_POINTS, dtype="<u4").tobytes()
    return data.decode("utf-32-le", "surrogatepass")
