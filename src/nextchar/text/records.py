r"""Records: a text that is a list, with one boundary before, between and after its records.

    line         ⏎Anna⏎Berta⏎Carl⏎      the line break itself is the boundary
    file, '%%'   ▮A poem.▮Another one.▮  ▮ is U+FDD0, which is no character and in no text
    bytes        the byte 10, or the given one

A *boundary* is this character; a *split point* is the index of a boundary's code in a text.
Empty records are dropped, the end of a source ends a record, and `\r\n` is a line end. Line breaks
next to a boundary that is not a line break are dropped too, because a delimiter often stands on its
own line and a file ends with a line break.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, cast

import numpy as np

from nextchar.errors import TextError
from nextchar.settings.fields import unescaped
from nextchar.settings.groups import RESERVED, TextSettings
from nextchar.text.cache.disk_codes import CHUNK, AnyCodes
from nextchar.text.vocabulary import Codes

_SHUFFLING = 0x5EC0_2D5  # separates this random stream from others of the same seed


def boundary_of(settings: TextSettings) -> str | None:
    """The boundary's character, or the one of its byte's number; None without records."""
    if settings.records is None or settings.records == "line":
        return settings.records and "\n"
    return unescaped(settings.records or "") if settings.alphabet == "bytes" else RESERVED


def append_boundary(pieces: Iterable[Any], settings: TextSettings, name: str) -> Iterator[Any]:
    """Yield the pieces of one source (all str or all bytes), then a boundary for its end.

    Raises TextError, with the source's name, if the text contains the reserved code point.
    """
    if settings.records is None:
        yield from pieces
        return
    boundary = _Delimiters.of(settings).boundary
    for piece in pieces:
        if boundary == RESERVED and RESERVED in piece:
            problem = "contains the code point U+FDD0, which is reserved as the boundary of records"
            raise TextError(problem, path=name, remedy="remove it, or give --records line")
        yield piece
    yield boundary


def split_records(pieces: Iterable[Any], settings: TextSettings) -> Iterator[Any]:
    """Yield boundary, record, boundary and so on, up to the last boundary; pieces may end anywhere.

    pieces: of sources that `append_boundary` ended. Nothing is yielded if there is no record.
    """
    if settings.records is None:
        yield from pieces
        return
    delimiters = _Delimiters.of(settings)
    rest, has_begun = delimiters.boundary, False
    line_end = delimiters.line_end
    for piece in _replace_line_ends(pieces, line_end) if line_end else pieces:
        text = (rest + piece).replace(delimiters.delimiter, delimiters.boundary)
        if delimiters.clue in text:  # searching for a text is many times faster than for a pattern
            text = delimiters.runs.sub(delimiters.boundary, text)
        complete = text[: len(text) + 1 - len(delimiters.delimiter)]  # the rest may be half of one
        end = len(complete.rstrip(delimiters.trimmed))
        if end:
            has_begun = True
            yield text[:end]
        rest = text[end:]
    if has_begun or rest != delimiters.boundary:
        yield rest


def _replace_line_ends(pieces: Iterable[Any], line_end: tuple[Any, Any]) -> Iterator[Any]:
    r"""Replace line ends of two characters by one: `\r\n` → `\n`."""
    long, short = line_end
    held = long[:0]
    for piece in pieces:
        text = held + piece
        end = len(text) - text.endswith(long[:1])
        held = text[end:]
        yield text[:end].replace(long, short)
    yield held


@dataclass(frozen=True)
class _Delimiters:
    """Strings and patterns by which a text is split into records, all str or all bytes.

    trimmed: characters that are dropped next to a boundary. runs: matches a boundary together with
    them; it can only match in a text that contains the clue.
    line_end: two characters and their replacement; None where bytes stay as they are.
    """

    boundary: Any
    delimiter: Any
    trimmed: Any
    line_end: tuple[Any, Any] | None
    runs: re.Pattern[Any]
    clue: Any

    @classmethod
    def of(cls, settings: TextSettings) -> _Delimiters:
        boundary = cast(str, boundary_of(settings))
        is_line = settings.records == "line"
        if settings.alphabet == "bytes":
            byte = boundary.encode("latin-1")
            many = re.compile(re.escape(byte) + b"{2,}")
            return cls(byte, byte, byte, (b"\r\n", b"\n") if is_line else None, many, byte * 2)
        line_end = ("\r\n", "\n")
        if is_line:
            return cls("\n", "\n", "\n", line_end, re.compile("\n{2,}"), "\n\n")
        delimiter = boundary if settings.records == "file" else unescaped(settings.records or "")
        if settings.normalize:
            delimiter = unicodedata.normalize(cast(Any, settings.normalize), delimiter)
        runs = re.compile(f"(?<!\n)\n*+{boundary}[\n{boundary}]*+")
        return cls(boundary, delimiter, f"\n{boundary}", line_end, runs, boundary)


# records as codes


def split_point_near(codes: AnyCodes, boundary: int, position: int, end: int) -> int:
    """Return the first split point from a position on, or else the last one before it.

    The result lies between 0 and `end`, exclusive. `end`, itself a split point, is returned if
    there is only one record up to it. boundary: its code.
    """
    position = min(max(position, 1), end)
    for start in range(position, end, CHUNK):
        points = np.flatnonzero(codes[start : min(start + CHUNK, end)] == boundary)
        if len(points):
            return start + int(points[0])
    for stop in range(position, 1, -CHUNK):
        start = max(stop - CHUNK, 1)
        points = np.flatnonzero(codes[start:stop] == boundary)
        if len(points):
            return start + int(points[-1])
    return end


def shuffled_records(codes: Codes, boundary: int, seed: int) -> Codes:
    """Return the same records in an order that follows from their number and the seed.

    codes: (N,), begin and end with the boundary.
    """
    split_points = np.flatnonzero(codes == boundary)
    order = np.random.default_rng([_SHUFFLING, seed]).permutation(len(split_points) - 1)
    old_starts = split_points[:-1][order] + 1  # of each record, in the new order
    lengths = np.diff(split_points)[order]  # including the boundary after the record
    ends = np.cumsum(lengths)
    shuffled = codes.copy()
    # in chunks of records, because positions take eight bytes a character
    chunks = np.searchsorted(ends, np.arange(CHUNK, len(codes), CHUNK)).tolist()
    for low, high in pairwise(sorted({0, *chunks, len(order)})):
        new_starts = ends[low:high] - lengths[low:high]
        positions = np.arange(new_starts[0], ends[high - 1])
        offsets = np.repeat(old_starts[low:high] - new_starts, lengths[low:high])
        shuffled[1 + positions] = codes[positions + offsets]
    return shuffled
