"""Elements of HTML and SVG as text."""

from __future__ import annotations

from html import escape
from typing import Any


def tag(name: str, content: str = "", /, **attributes: Any) -> str:
    """Return an element. content: escaped markup. attributes: `class_` for `class`, `_` for `-`.

    An attribute that is None or False is omitted, one that is True has no value; floats are
    rounded to hundredths, which is finer than a screen.

    >>> tag("g", "", class_="axis", stroke_width=1.5)
    '<g class="axis" stroke-width="1.5"></g>'
    """
    pairs = "".join(
        _attribute(key.rstrip("_").replace("_", "-"), value)
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in {"br", "hr", "input", "meta", "link"}:
        return f"<{name}{pairs}>"
    return f"<{name}{pairs}>{content}</{name}>"


def _attribute(name: str, value: Any) -> str:
    if value is True:
        return f" {name}"
    text = number(value) if isinstance(value, float) else str(value)
    return f' {name}="{escape(text)}"'


def number(value: float) -> str:
    """Return a coordinate in hundredths, without trailing zeros: 12.0 → 12, 0.333… → 0.33."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
