"""Colours that everybody can tell apart (Okabe & Ito, 2008), in a light and a dark form.

Yellow is left out: it is no line on white paper. Past six series the lines are dashed, past
twelve dotted, so that a colour never has to say alone which is which.
"""

from __future__ import annotations

LIGHT = ("#0072b2", "#d55e00", "#009e73", "#b8588f", "#c98200", "#3fa0d8")
DARK = ("#4b9fe0", "#f0803c", "#27c296", "#e39ac3", "#efb02e", "#93d5ff")
DASHES = ("", "6 3", "2 3")


def colour(series: int) -> int:
    """Which colour a series has, an index into LIGHT and DARK."""
    return series % len(LIGHT)


def dash(series: int) -> str:
    """How its line is drawn: an SVG `stroke-dasharray`, empty for a solid one."""
    return DASHES[series // len(LIGHT) % len(DASHES)]


def variables(colours: tuple[str, ...]) -> str:
    """The colours as the CSS variables `--c0`, `--c1` and so on."""
    return "".join(f"--c{index}:{value};" for index, value in enumerate(colours))
