"""Charts as inline SVG.

Each chart is drawn twice, for wide windows and for phones, so that letters keep their size and
nothing overlaps; the style sheet shows one of the two.
"""

from __future__ import annotations

from html import escape

import numpy as np

from nextchar.apps.html.bars import class_of, dot, draw_rows, height_of_rows, unit
from nextchar.apps.html.charts import Array, Axis, Bars, Figure, Line, dash
from nextchar.apps.html.downsample import keep_extremes
from nextchar.apps.html.markup import number, tag
from nextchar.apps.html.scales import Scale, limits, tick_label, ticks

WIDE, WHOLE, NARROW = 520, 1100, 336  # pixels
_HEIGHT, _LETTER = 250, 6.3  # of a chart of curves; mean width of a letter
_TOP, _BOTTOM = 24, 36
_MANY = 300  # points above which a curve is drawn thin
MARKED = 40  # points up to which each has a dot


def draw_svg(figure: Figure) -> str:
    """Draw a chart with title, legend and note, in both widths."""
    narrow = svg(figure, NARROW, "n")
    if figure.size == "third":  # is as narrow as on a phone
        drawn = tag("div", narrow, class_="third")
    else:
        wide = svg(figure, WHOLE if figure.size == "whole" else WIDE)
        drawn = tag("div", wide, class_="wide") + tag("div", narrow, class_="narrow")
    note = tag("p", escape(figure.note), class_="note") if figure.note else ""
    content = tag("figcaption", escape(figure.title)) + _legend(figure) + drawn + note
    return tag("figure", content, class_="figure", id=figure.name)


def _legend(figure: Figure) -> str:
    """Draw the names next to their marks; nothing if the chart has only one mark."""
    keys = figure.keys
    alone = len(keys) == 1 and len(figure.lines) + len(figure.bars) == 1
    if alone or not keys:
        return ""
    return tag("div", "".join(_key(*key) for key in keys), class_="legend")


def _key(name: str, series: int | None, mark: Line | Bars) -> str:
    if isinstance(mark, Line):
        ink = _stroke("line", mark, x1=1, y1=6, x2=25, y2=6)
    elif mark.dots:
        ink = dot(series, 13, 6)
    else:
        ink = tag("rect", x=4, y=1, width=18, height=10, class_="bar")
    picture = tag("svg", ink, viewBox="0 0 26 12", aria_hidden="true")
    return tag("span", picture + escape(name), class_=f"key {class_of(series)}")


def key_of(name: str, series: int) -> str:
    """Draw a name next to the line of its series."""
    return _key(name, series, Line(name, np.empty(0), np.empty(0), series, strong=True))


def svg(figure: Figure, width: int, suffix: str = "") -> str:
    """Draw the chart alone. suffix: distinguishes its ids from those of the other drawing."""
    if figure.y.labels:
        height, content = height_of_rows(figure), draw_rows(figure, width)
        attributes = ""
    else:
        height = 300 if width == WHOLE else _HEIGHT
        content, attributes = _curves(figure, width, height, f"{figure.name}{suffix}")
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(figure.title)}"{attributes}>{content}</svg>'
    )


def _curves(figure: Figure, width: int, height: int, name: str) -> tuple[str, str]:
    """Draw axes and curves; also return the attributes that `tooltip.js` reads its scales from."""
    lines = figure.lines
    y_low, y_high = limits(figure.y, figure.heights)
    x_low, x_high = limits(figure.x, [each.x for each in lines])
    y_ticks = ticks(y_low, y_high, 5, log=figure.y.log)
    left = 10 + _LETTER * max(len(tick_label(t, percent=figure.y.percent)) for t in y_ticks)
    right = width - (38 if figure.y.other else 10)
    y = Scale(y_low, y_high, height - _BOTTOM, _TOP, figure.y.log)
    x = Scale(x_low, x_high, left, right, figure.x.log)
    y_axes = _y_axis(figure.y, y, y_ticks, left, right) + _other_axis(figure.y, y, right)
    frame = y_axes + _x_axis(figure.x, x, height)
    across, down = right - left + 8, height - _BOTTOM - _TOP + 8
    area = tag("rect", x=left - 4, y=_TOP - 4, width=across, height=down)
    clip = tag("clipPath", area, id=f"clip-{name}")
    # faint curves are drawn first; thick ones, which cover more, before thin ones
    depths = [(line.series is not None, not line.faint, not line.strong) for line in lines]
    order = sorted(range(len(lines)), key=depths.__getitem__)
    ink = "".join(_line(lines[n], x, y, n) for n in order)
    inside = tag("g", ink, clip_path=f"url(#clip-{name})")
    scales = "".join(
        f' data-{which}="{s.low!r} {s.high!r} {s.first:g} {s.last:g} {int(s.log)}"'
        for which, s in (("x", x), ("y", y))
    )
    names = f' data-labels="{escape("|".join(figure.x.labels))}"' if figure.x.labels else ""
    return tag("defs", clip) + frame + inside, scales + names


def _y_axis(axis: Axis, y: Scale, values: list[float], left: float, right: float) -> str:
    parts = [unit(axis.name, 0.0, 11)]
    for value in values:
        at = y.at(value)
        label = tick_label(value, percent=axis.percent)
        parts.append(tag("line", x1=left, x2=right, y1=at, y2=at, class_="tick"))
        parts.append(tag("text", label, x=left - 5, y=at + 4, text_anchor="end"))
    return "".join(parts)


def _other_axis(axis: Axis, y: Scale, right: float) -> str:
    if axis.other is None:
        return ""
    name, factor = axis.other
    return unit(name, right + 36, 11, "end") + "".join(
        tag("text", tick_label(value), x=right + 5, y=y.at(value / factor) + 4)
        for value in ticks(y.low * factor, y.high * factor, 5)
    )


def _x_axis(axis: Axis, x: Scale, height: int) -> str:
    bottom, span = height - _BOTTOM, x.last - x.first
    if axis.labels:
        marks = [(float(place), label) for place, label in enumerate(axis.labels)]
    else:
        values = ticks(x.low, x.high, max(2, int(span / 70)), log=axis.log)
        marks = [(value, tick_label(value, percent=axis.percent)) for value in values]
    parts = [tag("line", x1=x.first, x2=x.last, y1=bottom, y2=bottom, class_="frame")]
    next_label = 1e9
    for value, label in reversed(marks):  # where labels would overlap, the last one is kept
        at, half = x.at(value), len(label) * _LETTER / 2
        parts.append(tag("line", x1=at, x2=at, y1=bottom, y2=bottom + 4, class_="frame"))
        if at + half < next_label:
            parts.append(tag("text", label, x=at, y=bottom + 16, text_anchor="middle"))
            next_label = at - half - 4
    return "".join(parts) + unit(axis.name, (x.first + x.last) / 2, height - 4, "middle")


def _line(line: Line, x: Scale, y: Scale, order: int) -> str:
    px, py = x(np.asarray(line.x, float)), y(np.asarray(line.y, float))
    finite = np.isfinite(px) & np.isfinite(py)
    columns = max(int(abs(x.last - x.first)), 1)
    parts = []
    if line.low is not None and line.high is not None:
        parts.append(_band(px[finite], y(line.low)[finite], y(line.high)[finite]))
    px, py = px[finite], py[finite]
    chosen = keep_extremes(px, py, columns)
    parts.append(_stroke("polyline", line, points=points(px[chosen], py[chosen])))
    if line.series is not None and len(px) <= MARKED and not line.faint:
        parts += [tag("circle", cx=float(a), cy=float(b), r=2.5, class_="mark")
                  for a, b in zip(px, py, strict=True)]  # fmt: skip
    return tag("g", "".join(parts), class_=class_of(line.series), data_order=order)


def _stroke(name: str, line: Line, **coordinates: object) -> str:
    if line.series is None:
        return tag(name, class_="rule", data_name=line.name or None, **coordinates)
    few = len(line.x) <= _MANY
    return tag(
        name,
        class_="series",
        stroke_width=(2.4 if line.strong else 1.6) if few and not line.faint else 1.0,
        stroke_dasharray=dash(line.series) or None,
        opacity=0.55 if line.faint else None,
        data_name=line.name or None,
        **coordinates,
    )


def _band(px: Array, low: Array, high: Array) -> str:
    around = np.concatenate([low, high[::-1]])
    return tag("polygon", points=points(np.concatenate([px, px[::-1]]), around), class_="band")


def points(px: Array, py: Array) -> str:
    """Return pixels as the `points` attribute of a polyline, in tenths of a pixel."""
    return " ".join(
        f"{number(round(a, 1))},{number(round(b, 1))}"
        for a, b in zip(px.tolist(), py.tolist(), strict=True)
    )
