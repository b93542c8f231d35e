r"""Assertions about a position in a text, `^ $ \A \Z \b \B`, judged by the characters next to it.

Of each neighbour some bits are known: it is an end of the text (EDGE), a line break, a character of
a word, or of a word in ASCII.
"""

from __future__ import annotations

import re

EDGE, NEWLINE, WORD, ASCII_WORD = 1, 2, 4, 8

BEGIN, BEGIN_LINE, END, END_LINE, END_TEXT = range(1, 6)
BOUNDARY, NO_BOUNDARY, ASCII_BOUNDARY, NO_ASCII_BOUNDARY = range(6, 10)

OF_WORDS = (BOUNDARY, NO_BOUNDARY)

ASSERTIONS = {  # condition, the flag that changes it, and the condition with that flag
    "^": (BEGIN, re.MULTILINE, BEGIN_LINE),
    "$": (END, re.MULTILINE, END_LINE),
    r"\A": (BEGIN, 0, BEGIN),
    r"\Z": (END_TEXT, 0, END_TEXT),
    r"\z": (END_TEXT, 0, END_TEXT),  # in `re` from Python 3.14 on
    r"\b": (BOUNDARY, re.ASCII, ASCII_BOUNDARY),
    r"\B": (NO_BOUNDARY, re.ASCII, NO_ASCII_BOUNDARY),
}

_BOUNDARIES = {  # bit of the two neighbours, and whether it must differ or be equal
    BOUNDARY: (WORD, True),
    NO_BOUNDARY: (WORD, False),
    ASCII_BOUNDARY: (ASCII_WORD, True),
    NO_ASCII_BOUNDARY: (ASCII_WORD, False),
}
_NO_BOUNDARY_IN_NOTHING = re.fullmatch(r"\B", "") is not None  # from Python 3.14 on


def condition_of(assertion: str, flags: int) -> int:
    """Return the condition of an assertion under the flags that hold at its position."""
    by_default, flag, with_flag = ASSERTIONS[assertion]
    return with_flag if flags & flag else by_default


def bits_for(conditions: set[int]) -> int:
    """Return the bits of characters by which some conditions are judged."""
    bits = EDGE
    if conditions & {BEGIN_LINE, END, END_LINE}:
        bits |= NEWLINE
    for condition in conditions & _BOUNDARIES.keys():
        bits |= _BOUNDARIES[condition][0]
    return bits


def holds(condition: int, before: int, after: int) -> bool:
    """Return True if a condition holds between two neighbours, given by their bits.

    END also holds before a line break at the end of the text; the caller handles that case.
    """
    if condition in _BOUNDARIES:
        bit, differs = _BOUNDARIES[condition]
        if before & after & EDGE:
            return not differs and _NO_BOUNDARY_IN_NOTHING
        return (bool(before & bit) != bool(after & bit)) == differs
    if condition in (BEGIN, BEGIN_LINE):
        return bool(before & (EDGE if condition == BEGIN else EDGE | NEWLINE))
    return bool(after & (EDGE | NEWLINE if condition == END_LINE else EDGE))
