r"""Records: texts of a list, told apart by one boundary between them and at both ends.

    line         ⏎Anna⏎Berta⏎Carl⏎      the line break itself is the boundary
    file, '%%'   ▮A poem.▮Another one.▮  ▮ is U+FDD0, which is no character and in no text
    bytes        the byte 10, or the one that was given

Empty records are left out, a source's end is a record's, and `\r\n` is a line end. Line breaks
next to a boundary that is not one itself are left out too, as a delimiter often has a line of its
own and a file ends with one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, cast

from nextchar.errors import TextError
from nextchar.settings.config import RESERVED, TextSettings
from nextchar.settings.fields import unescaped


def boundary_of(settings: TextSettings) -> str | None:
    """The character that is the boundary, or has its byte's number; None without records."""
    if settings.records is None or settings.records == "line":
        return settings.records and "\n"
    return unescaped(settings.records or "") if settings.alphabet == "bytes" else RESERVED


def ended(pieces: Iterable[Any], settings: TextSettings, name: str) -> Iterator[Any]:
    """The pieces of one source (all str or all bytes), and the boundary that is its end.

    Raises TextError, with the source's name, where it holds what is to be the boundary.
    """
    if settings.records is None:
        yield from pieces
        return
    boundary = _Marks.of(settings).boundary
    for piece in pieces:
        if boundary == RESERVED and RESERVED in piece:
            raise TextError(
                f"{name}: holds the code point U+FDD0, which is no character and is to stand "
                "between records here; take it out, or give --records line"
            )
        yield piece
    yield boundary


def split(pieces: Iterable[Any], settings: TextSettings) -> Iterator[Any]:
    """Sources that were `ended` as boundary, record, boundary and so on, to the last boundary.

    Nothing where there is no record. Pieces may be cut anywhere.
    """
    if settings.records is None:
        yield from pieces
        return
    marks = _Marks.of(settings)
    rest, is_begun = marks.boundary, False
    for piece in _lines(pieces, marks.line_end) if marks.line_end else pieces:
        text = (rest + piece).replace(marks.delimiter, marks.boundary)
        if marks.clue in text:  # to look for a text is many times faster than for a pattern
            text = marks.runs.sub(marks.boundary, text)
        whole = text[: len(text) + 1 - len(marks.delimiter)]  # the rest may be half a delimiter
        end = len(whole.rstrip(marks.trimmed))
        if end:
            is_begun = True
            yield text[:end]
        rest = text[end:]
    if is_begun or rest != marks.boundary:
        yield rest


def _lines(pieces: Iterable[Any], line_end: tuple[Any, Any]) -> Iterator[Any]:
    r"""Pieces with their line ends as one character: `\r\n` → `\n`."""
    long, short = line_end
    held = long[:0]
    for piece in pieces:
        text = held + piece
        end = len(text) - text.endswith(long[:1])
        held = text[end:]
        yield text[:end].replace(long, short)
    yield held


@dataclass(frozen=True)
class _Marks:
    """What is looked for in a text, all str or all bytes.

    trimmed: what is left out next to a boundary. runs: matches a boundary with all that; a text
    without the clue has none that matters.
    line_end: a long one and the short one in its place; None where bytes stay as they are.
    """

    boundary: Any
    delimiter: Any
    trimmed: Any
    line_end: tuple[Any, Any] | None
    runs: re.Pattern[Any]
    clue: Any

    @classmethod
    def of(cls, settings: TextSettings) -> _Marks:
        boundary = cast(str, boundary_of(settings))
        is_line = settings.records == "line"
        if settings.alphabet == "bytes":
            mark = boundary.encode("latin-1")
            many = re.compile(re.escape(mark) + b"{2,}")
            return cls(mark, mark, mark, (b"\r\n", b"\n") if is_line else None, many, mark * 2)
        line_end = ("\r\n", "\n")
        if is_line:
            return cls("\n", "\n", "\n", line_end, re.compile("\n{2,}"), "\n\n")
        delimiter = boundary if settings.records == "file" else unescaped(settings.records or "")
        if settings.normalize:
            delimiter = unicodedata.normalize(cast(Any, settings.normalize), delimiter)
        runs = re.compile(f"(?<!\n)\n*+{boundary}[\n{boundary}]*+")
        return cls(boundary, delimiter, f"\n{boundary}", line_end, runs, boundary)
