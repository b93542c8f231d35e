"""What a figure shows: numbers, names and units. Drawn by `svg` here, by matplotlib elsewhere.

A figure is made once by a plain function; whoever draws it adds nothing but ink.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Colours that everybody can tell apart (Okabe & Ito, 2008), for a light and a dark page, without
# yellow, which does not show on white. Lines are dashed after six series and dotted after twelve,
# so that no two series differ by colour alone.
LIGHT = ("#0072b2", "#d55e00", "#009e73", "#b8588f", "#c98200", "#3fa0d8")
DARK = ("#4b9fe0", "#f0803c", "#27c296", "#e39ac3", "#efb02e", "#93d5ff")
DASHES = ("", "6 3", "2 3")
Size = Literal["third", "half", "tall", "whole"]


@dataclass(frozen=True)
class Axis:
    """An axis.

    name: of the quantity, with its unit. log: whether it is logarithmic.
    low, high: where it begins and ends; None is as the numbers have it.
    labels: of the places 0, 1, 2 …; then the axis is one of places, not of a quantity.
    other: a second unit on the opposite side, its name and how many of it make one of this.
    percent: whether its numbers are shares.
    """

    name: str
    log: bool = False
    low: float | None = None
    high: float | None = None
    labels: tuple[str, ...] = ()
    other: tuple[str, float] | None = None
    percent: bool = False


@dataclass(frozen=True)
class Line:
    """A curve.

    name: for the legend; empty is not told. x, y: (N,) numbers, those of x ascending.
    series: which colour and dash, None for a grey rule that only helps the eye.
    faint: drawn thin and pale, behind the others. strong: drawn thick.
    low, high: (N,) a band around it; None for none. key: whether the legend tells of it.
    """

    name: str
    x: Array
    y: Array
    series: int | None = 0
    faint: bool = False
    strong: bool = False
    low: Array | None = None
    high: Array | None = None
    key: bool = True


@dataclass(frozen=True)
class Bars:
    """One value for each place of an axis of places, as bars from zero, or as dots.

    values: (places,) NaN where there is none. series: as of lines, one for all or one for each.
    texts: what stands at the end of each bar; empty for nothing. key: as of lines.
    """

    name: str
    values: Array
    series: int | Sequence[int | None] | None = 0
    texts: tuple[str, ...] = ()
    dots: bool = False
    key: bool = True


@dataclass(frozen=True)
class Figure:
    """A figure: curves over x, or bars and dots along x at the places of y.

    name: of its file, without a suffix. note: what a reader must know, in a sentence or two.
    size: the share of a page's width that it wants; a tall one goes beside two others.
    """

    name: str
    title: str
    x: Axis
    y: Axis
    lines: tuple[Line, ...] = ()
    bars: tuple[Bars, ...] = ()
    note: str = ""
    size: Size = "half"

    @property
    def keys(self) -> list[tuple[str, int | None, Line | Bars]]:
        """The legend: name, series and the mark, each name once."""
        marks: list[Line | Bars] = [*self.lines, *self.bars]
        keys = {
            mark.name: (mark.name, _series(mark), mark) for mark in marks if mark.name and mark.key
        }
        return list(keys.values())


def _series(mark: Line | Bars) -> int | None:
    series = mark.series
    return series if series is None or isinstance(series, int) else series[0]


def colour(series: int) -> int:
    """Which colour a series has, an index into LIGHT and DARK."""
    return series % len(LIGHT)


def dash(series: int) -> str:
    """How its line is drawn: an SVG `stroke-dasharray`, empty for a solid one."""
    return DASHES[series // len(LIGHT) % len(DASHES)]


def variables(colours: tuple[str, ...]) -> str:
    """The colours as the CSS variables `--c0`, `--c1` and so on."""
    return "".join(f"--c{index}:{value};" for index, value in enumerate(colours))
