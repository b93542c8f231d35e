"""The frame of a page: head, title, what is in it, and the little script that helps to read it."""

from __future__ import annotations

from html import escape
from pathlib import Path

from nextchar.apps.html.charts import DARK, LIGHT, Size, variables
from nextchar.apps.html.markup import tag

_LIGHT = (
    "--paper:#f6f7f9;--card:#fff;--ink:#1c2430;--soft:#5a6675;--line:#d9dee5;--grid:#e9edf2;"
    "--warn:#fff3e0;--hot:#d55e00;" + variables(LIGHT)
)
_DARK = (
    "--paper:#11151a;--card:#191f27;--ink:#e4e9ef;--soft:#9aa7b6;--line:#323c48;--grid:#262e38;"
    "--warn:#33230f;--hot:#f0803c;" + variables(DARK)
)


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


def framed(body: str, *, title: str, height: int, more_style: str = "", script: str = "") -> str:
    """Markup that shows `body` in a frame. height: of it, pixels; what is more is scrolled to."""
    inner = (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        f"<style>{style()}{more_style}main{{padding:4px}}</style>"
        f"<main>{body}</main>" + (f"<script>(()=>{{{script}}})()</script>" if script else "")
    )
    look = f"width:100%;border:0;height:{height}px"
    return tag("iframe", srcdoc=inner, style=look, title=title)


def style() -> str:
    """The whole style sheet."""
    series = "".join(f".c{index}{{--c:var(--c{index})}}" for index in range(len(LIGHT)))
    return (
        f":root{{color-scheme:light dark;{_LIGHT}}}"
        f"@media (prefers-color-scheme:dark){{:root:not([data-theme=light]){{{_DARK}}}}}"
        f":root[data-theme=dark]{{color-scheme:dark;{_DARK}}}"
        ":root[data-theme=light]{color-scheme:light}"
        f"@media print{{:root:root:root{{color-scheme:light;{_LIGHT}--paper:#fff}}}}"
        f"{series}\n{Path(__file__).with_name('style.css').read_text(encoding='utf-8')}"
    )
