"""Text → codes before the alphabet is known: a symbol gets the next code when it first appears.

One pass at some 4 ns a character of ASCII: SHA-256, a table look-up and the narrowing to one byte
take about a quarter each, all in compiled code of NumPy and OpenSSL.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextchar.text.vocabulary import Codes, bytes_of, points_of

_POINTS = 0x110000  # number of code points


class Encoder:
    """Assigns codes in order of first appearance; symbols new in the same piece, by code point."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._code_of = np.full(_POINTS, -1, dtype=np.int32)
        self._points: list[int] = []

    @property
    def points(self) -> NDArray[np.uint32]:
        """(K,) the code points, or bytes, that have a code so far, in the order of their codes."""
        return np.array(self._points, dtype=np.uint32)

    @property
    def sha256(self) -> str:
        """SHA-256 of the text's UTF-8 so far, or of its bytes."""
        return self._digest.hexdigest()

    def encode(self, piece: str | bytes) -> Codes:
        """Return the codes of the next piece, in the smallest type for all codes so far."""
        data = bytes_of(piece)
        self._digest.update(data)
        points = _points(piece, data)
        codes = self._code_of.take(points)  # three times as fast as indexing
        if codes.size and codes.min() < 0:
            new = np.unique(points[codes < 0])
            first = len(self._points)
            self._code_of[new] = np.arange(first, first + len(new), dtype=np.int32)
            self._points.extend(new.tolist())
            codes = self._code_of.take(points)
        return codes.astype(np.min_scalar_type(max(len(self._points) - 1, 0)))


def _points(piece: str | bytes, data: bytes) -> NDArray[Any]:
    """The code points of a piece, or its bytes. data: the piece's UTF-8."""
    if isinstance(piece, bytes) or piece.isascii():  # each byte is a code point already
        return np.frombuffer(data, dtype=np.uint8)
    return points_of(piece)
