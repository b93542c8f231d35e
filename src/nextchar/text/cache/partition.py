"""A large text in parts that several encode at once: where it is cut, and a part as sources.

Parts end at multiples of `sources.PIECE` bytes of each file, moved back to where the character
there begins. So a part is read, decoded and sliced as the same bytes of the undivided text are,
and symbols appear in the same order in it. `merging` makes one entry of the cache of all parts.
"""

from __future__ import annotations

import codecs
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

from nextchar.settings.config import TextSettings
from nextchar.text import sources as reading
from nextchar.text.sources import Source

_LONGEST = 4  # bytes of a character in UTF-8


class TextRange(NamedTuple):
    """Bytes of a file, from one place up to another."""

    path: Path
    start: int
    end: int


@dataclass(frozen=True)
class Part:
    """What one of several encodes."""

    ranges: tuple[TextRange, ...]

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(each.end - each.start for each in self.ranges)

    def sources(self) -> list[Source]:
        """The part as sources that end where it ends."""
        return [Source(str(each.path), _opener(each), path=each.path) for each in self.ranges]


def can_be_cut(sources: Sequence[Source], settings: TextSettings) -> bool:
    """Whether parts of a text can be encoded apart: characters are known by their bytes alone.

    Raises LookupError where there is no such encoding.
    """
    if settings.records is not None or any(
        source.path is None or source.is_compressed for source in sources
    ):
        return False
    if settings.alphabet == "bytes":
        return True
    return settings.normalize is None and codecs.lookup(settings.encoding).name == "utf-8"


def cut(paths: Sequence[Path], number: int, *, is_bytes: bool) -> list[Part]:
    """Files, one after the other, in so many parts of nearly the same size, some perhaps empty.

    is_bytes: whether bytes are the symbols; else they are characters in UTF-8. Raises OSError.
    """
    starts = [0, *accumulate(path.stat().st_size for path in paths)]  # of each file, in all bytes
    borders = []
    for n in range(1, number):
        place = starts[-1] * n // number
        file = bisect_right(starts, place) - 1
        if file < len(paths):
            place = starts[file] + _border(paths[file], place - starts[file], is_bytes=is_bytes)
        borders.append(place)
    return [
        Part(tuple(_ranges(paths, starts, first, last)))
        for first, last in pairwise([0, *borders, starts[-1]])
    ]


def _border(path: Path, place: int, *, is_bytes: bool) -> int:
    """The last border in a file up to a place."""
    place -= place % reading.PIECE
    if is_bytes or not place:
        return place
    with path.open("rb") as file:
        file.seek(place - _LONGEST + 1)
        near = file.read(_LONGEST)
    for back, byte in enumerate(reversed(near)):
        if byte & 0xC0 != 0x80:  # a character begins here
            return place - back
    return place  # this is no UTF-8, which reading it will say


def _ranges(
    paths: Sequence[Path], starts: Sequence[int], first: int, last: int
) -> Iterator[TextRange]:
    for path, (start, end) in zip(paths, pairwise(starts), strict=True):
        low, high = max(first, start), min(last, end)
        if low < high:
            yield TextRange(path, low - start, high - start)


def _opener(part: TextRange) -> Callable[[], AbstractContextManager[IO[bytes]]]:
    @contextmanager
    def opened() -> Iterator[IO[bytes]]:
        with part.path.open("rb") as file:
            file.seek(part.start)
            yield cast(IO[bytes], _Ranged(file, part))  # of which only `read` is called

    return opened


class _Ranged:
    """A range of a file, read up to multiples of `PIECE`.

    The few bytes of a character before the first of these come alone, as a decoder holds them.
    """

    def __init__(self, file: IO[bytes], part: TextRange) -> None:
        self._file, self._place, self._end = file, part.start, part.end

    def read(self, size: int) -> Any:
        piece = reading.PIECE - self._place % reading.PIECE
        data = self._file.read(min(size, piece, self._end - self._place))
        self._place += len(data)
        return data
