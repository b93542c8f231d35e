"""Elements of HTML and SVG as text."""

from __future__ import annotations

from html import escape
from typing import Any


def tag(name: str, content: str = "", /, **attributes: Any) -> str:
    """An element. content: markup, already escaped. attributes: `class_` for `class`, `_` for `-`.

    An attribute that is None or False is left out, one that is True has no value; numbers are cut
    to a hundredth, as a screen cannot show more.

    >>> tag("g", "", class_="axis", stroke_width=1.5)
    '<g class="axis" stroke-width="1.5"></g>'
    """
    written = "".join(
        _attribute(key.rstrip("_").replace("_", "-"), value)
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in {"br", "hr", "input", "meta", "link"}:
        return f"<{name}{written}>"
    return f"<{name}{written}>{content}</{name}>"


def _attribute(name: str, value: Any) -> str:
    if value is True:
        return f" {name}"
    text = number(value) if isinstance(value, float) else str(value)
    return f' {name}="{escape(text)}"'


def number(value: float) -> str:
    """A coordinate to a hundredth, without needless digits: 12.0 → 12, 0.333… → 0.33."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
