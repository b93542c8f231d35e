"""The map of the characters: labels at their places, moved aside where they would overlap."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from nextchar.apps.html.markup import tag

SIZES = {"wide": (1110, 620), "narrow": (340, 420)}
LETTER, WIDE_LETTER = 8.5, 14.4  # widths of a label's letters
LINE = 15.0  # height of a label
# how far aside a label may go, the nearest first
_ASIDE = np.array(
    [
        (distance * math.cos(angle), distance * math.sin(angle))
        for distance in (0, 9, 14, 19, 25, 32, 40)
        for angle in np.linspace(0, 2 * math.pi, 16, endpoint=False)
    ]
)


@dataclass(frozen=True)
class Point:
    """A label at a place of a map. colour: its number; told: what is said of it on hover."""

    label: str
    x: float
    y: float
    colour: int
    told: str


def label_map(title: str, points: Sequence[Point], kinds: Sequence[tuple[str, int]]) -> str:
    """Labels at their places, moved aside where they would overlap. kinds: for the legend."""
    keys = "".join(tag("span", _dot(colour) + escape(name), class_="key") for name, colour in kinds)
    drawn = "".join(_map(kind, *size, points) for kind, size in SIZES.items())
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
            y=label[1] + 5,
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
    taken = np.empty((0, 3))  # middle and width of each
    found: list[tuple[float, float] | None] = []
    for place, size in zip(places, widths, strict=True):
        spots = np.array(place) + _ASIDE  # (choices, 2)
        room = np.array([width - size, height - LINE]) / 2
        free = (np.abs(spots - [width / 2, height / 2]) <= room).all(axis=1)
        apart = np.abs(spots[:, None] - taken[None, :, :2])  # (choices, taken, 2)
        beside = apart[..., 0] >= (size + taken[:, 2]) / 2 + 2
        free &= (beside | (apart[..., 1] >= LINE)).all(axis=1)
        if not free.any():
            found.append(None)
            continue
        x, y = spots[free.argmax()].tolist()
        found.append((x, y))
        taken = np.vstack([taken, [x, y, size]])
    return found
