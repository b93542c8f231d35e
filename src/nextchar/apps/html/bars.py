"""Bars and dots along a horizontal scale, one row for each category; used by `svg`."""

from __future__ import annotations

from dataclasses import replace
from html import escape

import numpy as np

from nextchar.apps.html.charts import LIGHT, Axis, Bars, Figure, colour
from nextchar.apps.html.markup import tag
from nextchar.apps.html.scales import Scale, limits, tick_label, ticks

ROW, _TOP, _BOTTOM, _LETTER = 24, 24, 38, 6.3
_DOT_DISTANCE = 9  # pixels between the dots of two runs in a row


def height_of_rows(figure: Figure) -> int:
    """Return the height of the drawing in pixels."""
    return _TOP + _BOTTOM + _row_height(figure) * len(figure.y.labels)


def _row_height(figure: Figure) -> int:
    """Return the height of a row; the dots of several runs lie below one another."""
    return max(ROW, _DOT_DISTANCE * len(_dots(figure)) + 8)


def _dots(figure: Figure) -> list[Bars]:
    return [bars for bars in figure.bars if bars.dots and bars.series is not None]


def draw_rows(figure: Figure, width: int) -> str:
    """Draw the axes, the names of the rows and their marks."""
    labels, tall = figure.y.labels, _row_height(figure)
    left = min(max(map(len, labels), default=0) * _LETTER + 12, 0.42 * width)
    texts = max((len(text) for bars in figure.bars for text in bars.texts), default=0)
    right = width - max(10.0, texts * _LETTER + 8)
    low, high = limits(_axis_from_zero(figure), [bars.values for bars in figure.bars])
    x = Scale(low, high, left, right, figure.x.log)
    middles = _TOP + tall * (np.arange(len(labels)) + 0.5)
    parts = [_scale(figure.x, x, height_of_rows(figure) - _BOTTOM, width)]
    parts += [
        tag("text", escape(_cut(label, left)), x=left - 8, y=at + 4, text_anchor="end",
            class_="name")
        for label, at in zip(labels, middles.tolist(), strict=True)
    ]  # fmt: skip
    dotted = _dots(figure)
    for bars in figure.bars:
        dots = dotted.index(bars) - (len(dotted) - 1) / 2 if bars in dotted else 0.0
        parts.append(_row_marks(bars, x, (middles + _DOT_DISTANCE * dots).tolist(), tall))
    return "".join(parts)


def _axis_from_zero(figure: Figure) -> Axis:
    """Return the axis, starting at zero if there are bars, whose lengths are compared."""
    axis = figure.x
    has_bars = any(not bars.dots for bars in figure.bars)
    return replace(axis, low=0.0) if has_bars and axis.low is None and not axis.log else axis


def _cut(label: str, left: float) -> str:
    most = int((left - 8) / _LETTER)
    return label if len(label) <= most else label[: most - 1] + "…"


def _scale(axis: Axis, x: Scale, bottom: float, width: int) -> str:
    parts = []
    most = max(2, int((x.last - x.first) / 60))
    for value in ticks(x.low, x.high, most, log=axis.log):
        at = x.at(value)
        label = tick_label(value, percent=axis.percent)
        parts.append(tag("line", x1=at, x2=at, y1=_TOP, y2=bottom, class_="tick"))
        parts.append(tag("text", label, x=at, y=bottom + 14, text_anchor="middle"))
    if axis.other:
        name, factor = axis.other
        parts += [
            tag("text", tick_label(v), x=x.at(v / factor), y=_TOP - 4, text_anchor="middle")
            for v in ticks(x.low * factor, x.high * factor, most)
        ]
        parts.append(unit(name, 0.0, _TOP - 4))
    return "".join(parts) + unit(axis.name, float(width), bottom + 30, "end")


def unit(name: str, x: float, y: float, anchor: str | None = None) -> str:
    """Write the name of a quantity or of a unit at an axis."""
    return tag("text", escape(name), x=x, y=y, text_anchor=anchor, class_="unit")


def _row_marks(bars: Bars, x: Scale, middles: list[float], tall: int) -> str:
    parts = []
    for row, (value, at) in enumerate(zip(bars.values.tolist(), middles, strict=True)):
        if not np.isfinite(value):
            continue
        series, end = bars.series_of(row), x.at(value)
        name = tag("title", escape(f"{bars.name}: {value:.4g}".lstrip(": ")))
        if bars.dots:
            mark = dot(series, end, at, name, tall=tall)
        else:
            length = max(end - x.first, 1.0)
            mark = tag("rect", name, x=x.first, y=at - 8, width=length, height=16,
                       class_=f"bar{_reused(series)}")  # fmt: skip
        if bars.texts and bars.texts[row]:
            mark += tag("text", escape(bars.texts[row]), x=end + 6, y=at + 4)
        parts.append(tag("g", mark, class_=class_of(series)))
    return "".join(parts)


def dot(series: int | None, x: float, y: float, content: str = "", tall: int = 14) -> str:
    """Draw a dot, hollow if its colour is reused, or an upright line without a series."""
    if series is None:
        half = min(tall, 60) / 2 - 2
        return tag("line", content, x1=x, x2=x, y1=y - half, y2=y + half, class_="upright")
    return tag("circle", content, cx=x, cy=y, r=4.5, class_=f"mark{_reused(series)}")


def class_of(series: int | None) -> str:
    """Return the CSS class that gives a mark its colour."""
    return "plain" if series is None else f"c{colour(series)}"


def _reused(series: int | None) -> str:
    """Return the CSS class of a series whose colour another series has already."""
    return " again" if series is not None and series >= len(LIGHT) else ""
