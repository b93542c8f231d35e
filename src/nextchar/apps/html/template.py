"""The frame of a page: head, title, what is in it, and the little script that helps to read it."""

from __future__ import annotations

from html import escape
from pathlib import Path

from nextchar.apps.html.charts import Size
from nextchar.apps.html.markup import tag
from nextchar.apps.html.style import style


def page(
    title: str,
    body: str,
    *,
    subtitle: str = "",
    more_style: str = "",
    script: str = "",
    refresh: int | None = None,
) -> str:
    """A whole page, one file without anything beside it.

    title: a text. body, subtitle: markup. more_style, script: beside those that pages share.
    refresh: seconds after which the browser is to load it again.
    """
    sheet = style()
    theme = Path(__file__).with_name("theme.js").read_text(encoding="utf-8")
    head = [
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="refresh", content=str(refresh)) if refresh else "",
        # no icon is asked for, which a file on disk does not have
        tag("link", rel="icon", href="data:,"),
        tag("title", escape(title)),
        tag("style", sheet + more_style),
    ]
    top = tag("h1", escape(title)) + (tag("p", subtitle, class_="subtitle") if subtitle else "")
    return (
        f'<!doctype html>\n<html lang="en">\n<head>{"".join(head)}</head>\n'
        f"<body><main>{top}\n{body}\n</main>"
        f"<script>(()=>{{{theme}{script}}})()</script></body>\n</html>\n"
    )


def section(title: str, *content: str, about: str = "") -> str:
    """A part of a page. title: a text; content, about: markup."""
    return tag("section", tag("h2", escape(title)) + (about and tag("p", about)) + "".join(content))


def card(*content: str, size: Size = "half") -> str:
    """A box. size: what it takes of a grid."""
    return tag("div", "".join(content), class_="card" if size == "half" else f"card {size}")


def grid(*cards: str) -> str:
    """Boxes side by side where there is room."""
    return tag("div", "".join(cards), class_="grid")
