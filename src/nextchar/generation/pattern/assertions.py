r"""Conditions on a place in a text: `^ $ \A \Z \b \B`, by the characters beside it.

Of a character it is enough to know whether it is a line break, and whether it is of a word; of an
end of the text, that it is one. These are bits; several may be set.
"""

from __future__ import annotations

import re
from re import _constants as sre  # type: ignore[attr-defined]
from typing import Any

EDGE, NEWLINE, WORD, ASCII_WORD = 1, 2, 4, 8

BEGIN, BEGIN_LINE, END, END_LINE, END_TEXT = range(1, 6)
BOUNDARY, NO_BOUNDARY, ASCII_BOUNDARY, NO_ASCII_BOUNDARY = range(6, 10)

OF_WORDS = (BOUNDARY, NO_BOUNDARY)

_BOUNDARIES = {  # the bit that differs, or does not
    BOUNDARY: (WORD, True),
    NO_BOUNDARY: (WORD, False),
    ASCII_BOUNDARY: (ASCII_WORD, True),
    NO_ASCII_BOUNDARY: (ASCII_WORD, False),
}
_NO_BOUNDARY_IN_NOTHING = re.fullmatch(r"\B", "") is not None  # from Python 3.14 on


def condition_of(anchor: Any, flags: int) -> int:
    """The condition that an anchor of a pattern is under some flags."""
    lines, ascii_only = flags & re.MULTILINE, flags & re.ASCII
    return {
        sre.AT_BEGINNING: BEGIN_LINE if lines else BEGIN,
        sre.AT_BEGINNING_STRING: BEGIN,
        sre.AT_END: END_LINE if lines else END,
        sre.AT_END_STRING: END_TEXT,
        sre.AT_BOUNDARY: ASCII_BOUNDARY if ascii_only else BOUNDARY,
        sre.AT_NON_BOUNDARY: NO_ASCII_BOUNDARY if ascii_only else NO_BOUNDARY,
    }[anchor]


def bits_for(conditions: set[int]) -> int:
    """What is to be known of characters so that these conditions can be judged."""
    bits = EDGE
    if conditions & {BEGIN_LINE, END, END_LINE}:
        bits |= NEWLINE
    for condition in conditions & _BOUNDARIES.keys():
        bits |= _BOUNDARIES[condition][0]
    return bits


def holds(condition: int, before: int, after: int) -> bool:
    """Whether a condition holds between two characters or edges.

    END holds before a last line break too, which is not known here.
    """
    if condition in _BOUNDARIES:
        bit, differs = _BOUNDARIES[condition]
        if before & after & EDGE:
            return not differs and _NO_BOUNDARY_IN_NOTHING
        return (bool(before & bit) != bool(after & bit)) == differs
    if condition in (BEGIN, BEGIN_LINE):
        return bool(before & (EDGE if condition == BEGIN else EDGE | NEWLINE))
    return bool(after & (EDGE | NEWLINE if condition == END_LINE else EDGE))
