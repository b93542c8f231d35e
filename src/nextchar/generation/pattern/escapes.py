r"""Escapes of a pattern that stand for one character, such as `\n`, `\x41` and `\.`."""

from __future__ import annotations

import re
import unicodedata

_ESCAPE = r"""\\(?:
    x(?P<x>[0-9a-fA-F]{2}) | u(?P<u>[0-9a-fA-F]{4}) | U(?P<U>[0-9a-fA-F]{8})
    | N\{(?P<name>[^}]*)\} | (?P<octal>OCTAL) | (?P<reference>[1-9][0-9]?)
    | (?P<control>[abfnrtv]) | (?P<other>[^a-zA-Z0-9])
)"""
ESCAPE_IN_SET = re.compile(_ESCAPE.replace("OCTAL", "[0-7]{1,3}"), re.VERBOSE | re.DOTALL)
ESCAPE = re.compile(_ESCAPE.replace("OCTAL", "0[0-7]{0,2}|[0-7]{3}"), re.VERBOSE | re.DOTALL)
_CONTROLS = dict(zip("abfnrtv", "\a\b\f\n\r\t\v", strict=True))


def code_point(match: re.Match[str]) -> int | None:
    """Return the code point of an escape, or None where there is no such character."""
    kind = match.lastgroup or ""
    text = match[kind]
    if kind == "name":
        try:
            named = unicodedata.lookup(text)
        except KeyError:
            return None
        return ord(named) if len(named) == 1 else None  # some names stand for a sequence
    if kind == "reference":
        return None
    if kind in ("x", "u", "U", "octal"):
        point = int(text, 8 if kind == "octal" else 16)
        return point if point <= (0o377 if kind == "octal" else 0x10FFFF) else None
    return ord(_CONTROLS.get(text, text))
