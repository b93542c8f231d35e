r"""Characters and codes that can be seen: ␣ a space, ↵ a line break, \xe2 a byte.

The playground has the same rules in `server/playground/tokens.js`.
"""

from __future__ import annotations

import unicodedata

from nextchar.settings.groups import RESERVED
from nextchar.text.vocabulary import Vocabulary

SYMBOLS = {" ": "␣", "\n": "↵", "\r": "␍", "\t": "⇥", RESERVED: "■"}  # ■ ends a record
ESCAPED_BYTES = range(0xDC80, 0xDD00)  # how Python decodes bytes that are not UTF-8
_COMBINING = ("Mn", "Me")  # categories of marks that have no width


def visible(character: str) -> str:
    r"""Return a character in a visible form; a longer string stays as it is.

    >>> print(*map(visible, ("a", "\n", "\x07", "\udce2")))
    a ↵ U+0007 \xe2
    """
    if len(character) != 1:
        return character
    if character in SYMBOLS:
        return SYMBOLS[character]
    if ord(character) in ESCAPED_BYTES:
        return f"\\x{ord(character) - 0xDC00:02x}"
    if unicodedata.category(character)[0] in "CZ":
        return f"U+{ord(character):04X}"
    return f"◌{character}" if is_combining(character) else character


def is_combining(character: str) -> bool:
    """Return whether a character is a mark that needs another character to stand on."""
    return unicodedata.category(character) in _COMBINING


def code_name(vocabulary: Vocabulary, code: int) -> str:
    r"""Return the name of a code: its character, or `\xe2` for a byte beyond ASCII.

    The HTTP API uses the same names, but writes `bytes:\xe2`.
    """
    if vocabulary.is_bytes:
        return chr(code) if code < 128 else f"\\x{code:02x}"
    return vocabulary.decode([code])


def code_label(vocabulary: Vocabulary, code: int) -> str:
    """Return the name of a code in a visible form."""
    return visible(code_name(vocabulary, code))
