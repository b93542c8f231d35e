"""Template of a page: head, title, sections, style sheet and script.

The style is light or dark as the reader's system has it, for screens, phones and paper. Classes of
`style.css` for other modules: `card`, `grid`, `figure`, `wide` and `narrow` (one of the two is
shown, by the width of the window), `note`, `warning`, `number` (a cell of a table), `text`
(generated text, fixed width), `legend` with `key`, `heat` (a background as strong as `--h`, 0 to
1) and `c0` to `c5` (the colours, as `--c`).
"""

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
    """Return a complete page in one file.

    title: text. body, subtitle: markup. more_style, script: added to those that all pages share.
    refresh: seconds after which the browser reloads the page.
    """
    theme = Path(__file__).with_name("theme.js").read_text(encoding="utf-8")
    head = [
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="refresh", content=str(refresh)) if refresh else "",
        # an empty icon: browsers would otherwise request one
        tag("link", rel="icon", href="data:,"),
        tag("title", escape(title)),
        tag("style", style() + more_style),
    ]
    top = tag("h1", escape(title)) + (tag("p", subtitle, class_="subtitle") if subtitle else "")
    return (
        f'<!doctype html>\n<html lang="en">\n<head>{"".join(head)}</head>\n'
        f"<body><main>{top}\n{body}\n</main>"
        f"<script>(()=>{{{theme}{script}}})()</script></body>\n</html>\n"
    )


def section(title: str, *content: str, about: str = "") -> str:
    """Return a section of a page. title: text; content, about: markup."""
    return tag("section", tag("h2", escape(title)) + (about and tag("p", about)) + "".join(content))


def card(*content: str, size: Size = "half") -> str:
    """Return a box. size: its share of a grid."""
    return tag("div", "".join(content), class_="card" if size == "half" else f"card {size}")


def grid(*cards: str) -> str:
    """Return boxes side by side where the window is wide enough."""
    return tag("div", "".join(cards), class_="grid")


def framed(body: str, title: str, height: int, more_style: str = "", script: str = "") -> str:
    """Return a frame for a notebook: neither it nor the notebook sees the other's style.

    height: pixels; a taller body can be scrolled.
    """
    inner = (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        f"<style>{style()}{more_style}main{{padding:4px}}</style>"
        f"<main>{body}</main>" + (f"<script>(()=>{{{script}}})()</script>" if script else "")
    )
    look = f"width:100%;border:0;height:{height}px"
    return tag("iframe", srcdoc=inner, style=look, title=title)


def style() -> str:
    """Return the style sheet."""
    series = "".join(f".c{index}{{--c:var(--c{index})}}" for index in range(len(LIGHT)))
    return (
        f":root{{color-scheme:light dark;{_LIGHT}}}"
        f"@media (prefers-color-scheme:dark){{:root:not([data-theme=light]){{{_DARK}}}}}"
        f":root[data-theme=dark]{{color-scheme:dark;{_DARK}}}"
        ":root[data-theme=light]{color-scheme:light}"
        f"@media print{{:root:root:root{{color-scheme:light;{_LIGHT}--paper:#fff}}}}"
        f"{series}\n{Path(__file__).with_name('style.css').read_text(encoding='utf-8')}"
    )
