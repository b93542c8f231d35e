"""Coloured text on a terminal: detection of its abilities, and shades behind characters."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import IO

RESET = "\x1b[0m"
LEVELS = 9
# from cream to burnt orange, as on the page; dark letters on all shades
_TRUE = ((255, 243, 224), (213, 94, 0))
_OF_256 = (230, 229, 223, 222, 216, 215, 209, 208, 202)
_OF_16 = (0, 0, 0, 43, 43, 43, 41, 41, 41)  # yellow, red; 0 is no shade


def is_wanted(mode: str, stream: IO[str], environment: Mapping[str, str] = os.environ) -> bool:
    """Return True if output to a stream is coloured. mode: always, never or auto.

    `auto` colours it on a terminal, unless that is dumb or NO_COLOR is set (https://no-color.org).
    """
    if mode != "auto":
        return mode == "always"
    if environment.get("NO_COLOR") or environment.get("TERM") == "dumb":
        return False
    return stream.isatty()


def depth(environment: Mapping[str, str] = os.environ) -> int:
    """Number of colours that the terminal announces: 16, 256 or 16,777,216."""
    if environment.get("COLORTERM") in {"truecolor", "24bit"} or "WT_SESSION" in environment:
        return 1 << 24
    return 256 if "256" in environment.get("TERM", "") else 16


def shaded(texts: Sequence[str], levels: Sequence[int], colours: int) -> str:
    """Join texts, each on the shade of its level, 0 (none) to LEVELS.

    A line end is never shaded, since terminals would shade the rest of the line.
    """
    parts, before = [], ""
    for text, level in zip(texts, levels, strict=True):
        code = "" if text == "\n" else _code(level, colours)
        if code != before:
            parts.append((RESET if before else "") + code)
        parts.append(text)
        before = code
    return "".join(parts) + (RESET if before else "")


def _code(level: int, colours: int) -> str:
    if level == 0:
        return ""
    if colours == 16:
        return f"\x1b[30;{_OF_16[level - 1]}m" if _OF_16[level - 1] else ""
    if colours == 256:
        return f"\x1b[38;5;16;48;5;{_OF_256[level - 1]}m"
    share = (level - 1) / (LEVELS - 1)
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(*_TRUE, strict=True))
    return f"\x1b[38;2;0;0;0;48;2;{red};{green};{blue}m"
