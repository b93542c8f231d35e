"""Scatter plot of labels as SVG; labels that would overlap are moved aside.

docs/explain.md gives the share of labels that are visible with and without the moves.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from nextchar.apps.html.markup import tag

SIZES = {"wide": (1110, 620), "narrow": (340, 420)}
LETTER, WIDE_LETTER = 8.5, 14.4  # width of a letter, and of an East Asian wide one
LINE = 15.0  # height of a label
# displacements of a label that are tried, the nearest first
_ANGLES = np.linspace(0, 2 * math.pi, 16, endpoint=False)
_RING = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)
_OFFSETS = np.concatenate([distance * _RING for distance in (0, 9, 14, 19, 25, 32, 40)])


@dataclass(frozen=True)
class Point:
    """A label at a position of the map. colour: index of the series; hover: text on hover."""

    label: str
    x: float
    y: float
    colour: int
    hover: str


def label_map(title: str, points: Sequence[Point], kinds: Sequence[tuple[str, int]]) -> str:
    """Draw labels at their positions, moved aside to avoid overlaps. kinds: of the legend."""
    keys = "".join(tag("span", _dot(colour) + escape(name), class_="key") for name, colour in kinds)
    drawn = "".join(_map(kind, *size, points) for kind, size in SIZES.items())
    head = tag("figcaption", escape(title)) + tag("div", keys, class_="legend")
    return tag("figure", head + drawn, class_="figure")


def _dot(colour: int) -> str:
    circle = tag("circle", cx=13, cy=6, r=4, class_="dot")
    return tag("svg", tag("g", circle, class_=f"c{colour}"), viewBox="0 0 26 12")


def _map(kind: str, width: int, height: int, points: Sequence[Point]) -> str:
    places = _scaled(points, width, height)
    labels = arrange(places, [width_of(point.label) for point in points], width, height)
    parts = []
    for point, (x, y), label in zip(points, places, labels, strict=True):
        ink, dot = tag("title", escape(point.hover)), tag("circle", cx=x, cy=y, r=2, class_="dot")
        if label is None:
            ink += dot
        else:
            a, b = label
            if math.dist(label, (x, y)) > 1:  # moved aside
                ink += tag("line", x1=x, y1=y, x2=a, y2=b, class_="lead") + dot
            text = escape(point.label)
            ink += tag("text", text, x=a, y=b + 5, text_anchor="middle", class_="label")
        parts.append(tag("g", ink, class_=f"c{point.colour}"))
    return tag("svg", "".join(parts), class_=kind, viewBox=f"0 0 {width} {height}", role="img")


def width_of(label: str) -> float:
    """Approximate width of a label."""
    wide = sum(unicodedata.east_asian_width(each) in "WF" for each in label)
    return wide * WIDE_LETTER + (len(label) - wide) * LETTER


def _scaled(points: Sequence[Point], width: int, height: int) -> list[tuple[float, float]]:
    """Return centred positions in the drawing, with one scale for both axes."""
    if not points:
        return []
    at = np.array([(point.x, -point.y) for point in points])
    low, high = at.min(axis=0), at.max(axis=0)
    available = np.array([width - 40, height - 30])
    scale = float((available / np.maximum(high - low, 1e-9)).min())
    places = (at - (low + high) / 2) * scale + [width / 2, height / 2]
    return [tuple(place) for place in places.tolist()]


def arrange(
    places: Sequence[tuple[float, float]], widths: Sequence[float], width: float, height: float
) -> list[tuple[float, float] | None]:
    """Return the centre of each label near its place, without overlaps; None if none is free.

    Earlier labels take precedence.
    """
    taken = np.empty((0, 3))  # centre and width of each placed label
    centres: list[tuple[float, float] | None] = []
    for place, size in zip(places, widths, strict=True):
        options = np.array(place) + _OFFSETS  # (options, 2)
        reach = np.array([width - size, height - LINE]) / 2
        free = (np.abs(options - [width / 2, height / 2]) <= reach).all(axis=1)
        apart = np.abs(options[:, None] - taken[None, :, :2])  # (options, taken, 2)
        clear_sideways = apart[..., 0] >= (size + taken[:, 2]) / 2 + 2
        free &= (clear_sideways | (apart[..., 1] >= LINE)).all(axis=1)
        if not free.any():
            centres.append(None)
            continue
        x, y = options[free.argmax()].tolist()
        centres.append((x, y))
        taken = np.vstack([taken, [x, y, size]])
    return centres
