"""The drawings of the page: curves over distance, and the map of the characters."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextchar.apps.pages.markup import tag

SIZES = {"wide": (540, 280), "narrow": (340, 260)}
MAP_SIZES = {"wide": (1110, 620), "narrow": (340, 420)}
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 10, 40  # around the plot
LETTER, WIDE_LETTER = 7.4, 12.4  # widths of a label's letters
LINE = 13.0  # height of a label


@dataclass(frozen=True)
class Curve:
    """name: in the legend. colour: its number. x: positive, ascending; y: from 0."""

    name: str
    colour: int
    x: NDArray[Any]
    y: NDArray[Any]


@dataclass(frozen=True)
class Point:
    """A label at a place of a map. colour: its number; told: what is said of it on hover."""

    label: str
    x: float
    y: float
    colour: int
    told: str


def curves(
    title: str, lines: Sequence[Curve], x: str, y: str, rule: tuple[str, float] | None
) -> str:
    """Curves over a distance, which goes by doublings. rule: a height that is drawn across."""
    keys = [
        tag("span", _key(f"c{line.colour}") + escape(line.name), class_="key") for line in lines
    ]
    if rule:
        keys.append(tag("span", _key("rule") + escape(rule[0]), class_="key"))
    drawn = "".join(_curves(kind, *size, lines, x, y, rule) for kind, size in SIZES.items())
    return tag(
        "figure",
        tag("figcaption", escape(title)) + tag("div", "".join(keys), class_="legend") + drawn,
        class_="figure",
    )


def _key(kind: str) -> str:
    stroke = tag("line", x1=1, x2=25, y1=6, y2=6, class_=kind if kind == "rule" else "series")
    return tag("svg", tag("g", stroke, class_=kind, stroke_width=2), viewBox="0 0 26 12")


def _curves(
    kind: str,
    width: int,
    height: int,
    lines: Sequence[Curve],
    x: str,
    y: str,
    rule: tuple[str, float] | None,
) -> str:
    low, high = LEFT, width - RIGHT
    top, bottom = TOP, height - BOTTOM
    furthest = max([2.0, *(float(line.x.max()) for line in lines if len(line.x))])
    most = max([1e-9, *(float(line.y.max()) for line in lines if len(line.y))])
    steps = ticks(max(most, rule[1] if rule else 0.0))

    def across(value: float) -> float:
        return low + (high - low) * math.log2(value) / math.log2(furthest)

    def up(value: float) -> float:
        return bottom - (bottom - top) * value / steps[-1]

    parts = [
        tag("line", x1=low, x2=high, y1=up(step), y2=up(step), class_="tick")
        + tag("text", f"{step:g}", x=low - 6, y=up(step) + 4, text_anchor="end")
        for step in steps
    ]
    every = 2 if kind == "narrow" and furthest > 64 else 1
    parts += [
        tag("text", str(2**power), x=across(2**power), y=bottom + 16, text_anchor="middle")
        for power in range(0, math.floor(math.log2(furthest)) + 1, every)
    ]
    parts.append(tag("line", x1=low, x2=high, y1=bottom, y2=bottom, class_="frame"))
    parts.append(tag("text", escape(x), x=(low + high) / 2, y=height - 4, text_anchor="middle"))
    parts.append(
        tag(
            "text",
            escape(y),
            text_anchor="middle",
            transform=f"translate(11 {(top + bottom) / 2}) rotate(-90)",
        )
    )
    if rule:
        parts.append(tag("line", x1=low, x2=high, y1=up(rule[1]), y2=up(rule[1]), class_="rule"))
    parts += [_line(line, across, up) for line in lines]
    return tag("svg", "".join(parts), class_=kind, viewBox=f"0 0 {width} {height}", role="img")


def _line(line: Curve, across: Any, up: Any) -> str:
    points = [
        (across(float(x)), up(max(float(y), 0.0))) for x, y in zip(line.x, line.y, strict=True)
    ]
    path = "M" + "L".join(f"{px:.1f} {py:.1f}" for px, py in points) if points else ""
    marks = "".join(
        tag("circle", tag("title", f"{x:g} back: {y:.3f} bits"), cx=px, cy=py, r=3.5, class_="mark")
        for (px, py), x, y in zip(points, line.x, line.y, strict=True)
    )
    drawn = tag("path", d=path, class_="series", stroke_width=2)
    return tag("g", drawn + marks, class_=f"c{line.colour}")


def ticks(most: float) -> list[float]:
    """Round heights from 0 to at least `most`, about five."""
    rough = most / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)
    count = math.ceil(most / step - 1e-9)
    return [round(step * n, 12) for n in range(count + 1)]


def label_map(title: str, points: Sequence[Point], kinds: Sequence[tuple[str, int]]) -> str:
    """Labels at their places, moved aside where they would overlap. kinds: for the legend."""
    keys = "".join(tag("span", _dot(colour) + escape(name), class_="key") for name, colour in kinds)
    drawn = "".join(_map(kind, *size, points) for kind, size in MAP_SIZES.items())
    return tag(
        "figure",
        tag("figcaption", escape(title)) + tag("div", keys, class_="legend") + drawn,
        class_="figure",
    )


def _dot(colour: int) -> str:
    circle = tag("circle", cx=13, cy=6, r=4, class_="dot")
    return tag("svg", tag("g", circle, class_=f"c{colour}"), viewBox="0 0 26 12")


def _map(kind: str, width: int, height: int, points: Sequence[Point]) -> str:
    places = _scaled(points, width, height)
    labels = arrange(places, [width_of(point.label) for point in points], width, height)
    parts = []
    for point, (x, y), label in zip(points, places, labels, strict=True):
        told = tag("title", escape(point.told))
        dot = tag("circle", cx=x, cy=y, r=2, class_="dot")
        if label is None:
            parts.append(tag("g", told + dot, class_=f"c{point.colour}"))
            continue
        moved = math.hypot(label[0] - x, label[1] - y) > 1
        lead = (
            tag("line", x1=x, y1=y, x2=label[0], y2=label[1], class_="lead") + dot if moved else ""
        )
        text = tag(
            "text",
            escape(point.label),
            x=label[0],
            y=label[1] + 4,
            text_anchor="middle",
            class_="label",
        )
        parts.append(tag("g", told + lead + text, class_=f"c{point.colour}"))
    return tag("svg", "".join(parts), class_=kind, viewBox=f"0 0 {width} {height}", role="img")


def width_of(label: str) -> float:
    """About how wide a label is."""
    wide = sum(unicodedata.east_asian_width(each) in "WF" for each in label)
    return wide * WIDE_LETTER + (len(label) - wide) * LETTER


def _scaled(points: Sequence[Point], width: int, height: int) -> list[tuple[float, float]]:
    """Places in the drawing, both axes in the same scale, in the middle."""
    if not points:
        return []
    at = np.array([(point.x, -point.y) for point in points])
    low, high = at.min(axis=0), at.max(axis=0)
    room = np.array([width - 40, height - 30])
    scale = float((room / np.maximum(high - low, 1e-9)).min())
    return [
        tuple(place)
        for place in ((at - (low + high) / 2) * scale + [width / 2, height / 2]).tolist()
    ]


def arrange(
    places: Sequence[tuple[float, float]], widths: Sequence[float], width: float, height: float
) -> list[tuple[float, float] | None]:
    """Where each label goes: its middle, near its place, none over another; None where none fits.

    The first ones have the first choice.
    """
    taken: list[tuple[float, float, float]] = []
    found: list[tuple[float, float] | None] = []
    for (x, y), size in zip(places, widths, strict=True):
        choices = (
            (x + distance * math.cos(angle), y + distance * math.sin(angle))
            for distance in (0, 9, 14, 19, 25, 32, 40)
            for angle in np.linspace(0, 2 * math.pi, 16, endpoint=False)
        )
        spot = next(
            (
                (px, py)
                for px, py in choices
                if size / 2 <= px <= width - size / 2
                and LINE / 2 <= py <= height - LINE / 2
                and all(
                    abs(px - ox) >= (size + other) / 2 + 2 or abs(py - oy) >= LINE
                    for ox, oy, other in taken
                )
            ),
            None,
        )
        found.append(spot)
        if spot:
            taken.append((*spot, size))
    return found
