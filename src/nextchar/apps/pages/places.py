"""Bars and dots along a scale, one row for each of an axis's places; used by `svg`."""

from __future__ import annotations

from html import escape

import numpy as np

from nextchar.apps.pages.colours import colour
from nextchar.apps.pages.figures import Axis, Bars, Figure
from nextchar.apps.pages.markup import tag
from nextchar.apps.pages.scales import Scale, limits, ticks, written

ROW, _TOP, _BOTTOM, _LETTER = 24, 24, 38, 6.3


def height_of_places(figure: Figure) -> int:
    """How tall the drawing is."""
    return _TOP + _BOTTOM + ROW * len(figure.y.labels)


def draw_places(figure: Figure, width: int) -> str:
    """Axes, rows and what is in them."""
    height, labels = height_of_places(figure), figure.y.labels
    longest = max((len(label) for label in labels), default=0)
    left = min(longest * _LETTER + 12, 0.42 * width)
    texts = max((len(text) for bars in figure.bars for text in bars.texts), default=0)
    right = width - max(10.0, texts * _LETTER + 8)
    low, high = limits(_from_zero(figure), [bars.values for bars in figure.bars])
    x = Scale(low, high, left, right, figure.x.log)
    bottom = height - _BOTTOM
    parts = [_scale(figure.x, x, bottom, width)]
    for row, label in enumerate(labels):
        at = _TOP + ROW * (row + 0.5)
        cut = _cut(label, left)
        parts.append(
            tag("text", escape(cut), x=left - 8, y=at + 4, text_anchor="end", class_="name")
        )
    parts += [_row_marks(bars, x) for bars in figure.bars]
    return "".join(parts)


def _from_zero(figure: Figure) -> Axis:
    """The scale, from zero where there are bars, whose length would lie otherwise."""
    axis = figure.x
    has_bars = any(not bars.dots for bars in figure.bars)
    low = 0.0 if has_bars and axis.low is None and not axis.log else axis.low
    return Axis(axis.name, axis.log, low, axis.high)


def _cut(label: str, left: float) -> str:
    most = int((left - 8) / _LETTER)
    return label if len(label) <= most else label[: most - 1] + "…"


def _scale(axis: Axis, x: Scale, bottom: float, width: int) -> str:
    parts = []
    most = max(2, int((x.last - x.first) / 60))
    for value in ticks(x.low, x.high, most, log=axis.log):
        at = x.at(value)
        label = written(value, percent=axis.percent)
        parts.append(tag("line", x1=at, x2=at, y1=_TOP, y2=bottom, class_="tick"))
        parts.append(tag("text", label, x=at, y=bottom + 14, text_anchor="middle"))
    if axis.other:
        name, factor = axis.other
        for value in ticks(x.low * factor, x.high * factor, most):
            at = x.at(value / factor)
            parts.append(tag("text", written(value), x=at, y=_TOP - 4, text_anchor="middle"))
        parts.append(tag("text", escape(name), x=0.0, y=_TOP - 4, class_="unit"))
    end = tag(
        "text", escape(axis.name), x=float(width), y=bottom + 30, text_anchor="end", class_="unit"
    )
    return "".join(parts) + end


def _row_marks(bars: Bars, x: Scale) -> str:
    parts = []
    for row, value in enumerate(np.asarray(bars.values, float).tolist()):
        if not np.isfinite(value):
            continue
        at, end = _TOP + ROW * (row + 0.5), x.at(value)
        name = tag("title", escape(f"{bars.name}: {value:.4g}".lstrip(": ")))
        if bars.dots:
            mark = tag("circle", name, cx=end, cy=at, r=5, class_="mark")
        else:
            length = max(end - x.first, 1.0)
            mark = tag("rect", name, x=x.first, y=at - 8, width=length, height=16, class_="bar")
        if bars.texts and bars.texts[row]:
            mark += tag("text", escape(bars.texts[row]), x=end + 6, y=at + 4)
        parts.append(tag("g", mark, class_=_class(bars, row)))
    return "".join(parts)


def _class(bars: Bars, row: int) -> str:
    series = (
        bars.series if bars.series is None or isinstance(bars.series, int) else bars.series[row]
    )
    return "plain" if series is None else f"c{colour(series)}"
