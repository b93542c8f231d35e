"""The look of a page: light and dark as the reader's system has it, on screens, phones and paper.

Classes of `style.css` that others may use: `card`, `grid`, `figure`, `wide` and `narrow` (one of
which is shown, by the width of the window), `note`, `warning`, `number` (a table's cell), `text`
(written text, in fixed width), `legend` with `key`, `heat` (a background that `--h`, 0 to 1, makes
stronger) and `c0` to `c5` (the colours, as `--c`).
"""

from __future__ import annotations

from pathlib import Path

from nextchar.apps.html.chart_colours import DARK, LIGHT, variables

_LIGHT = (
    "--paper:#f6f7f9;--card:#fff;--ink:#1c2430;--soft:#5a6675;--line:#d9dee5;--grid:#e9edf2;"
    "--warn:#fff3e0;--hot:#d55e00;" + variables(LIGHT)
)
_DARK = (
    "--paper:#11151a;--card:#191f27;--ink:#e4e9ef;--soft:#9aa7b6;--line:#323c48;--grid:#262e38;"
    "--warn:#33230f;--hot:#f0803c;" + variables(DARK)
)


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
