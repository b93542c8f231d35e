"""Charts as data: numbers, names, units and colours.

`svg` draws them here, and matplotlib in `report.images`; both add nothing to the data.
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
    """Axis of a quantity or of categories.

    name: of the quantity, with its unit. log: the axis is logarithmic.
    low, high: limits; None takes them from the numbers.
    labels: of the categories 0, 1, 2 …; empty for an axis of a quantity.
    other: a second unit on the opposite side: its name, and the amount of it in one first unit.
    percent: the numbers are shares, written in percent.
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
    """Curve.

    name: for the legend and the tooltip; empty for neither. x, y: (N,) numbers, x ascending.
    series: number of its colour and dash; None for a grey line that only guides the eye.
    faint: drawn thin and pale, behind the others. strong: drawn thick.
    low, high: (N,) limits of a band around it, or None. key: the legend lists it.
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

    def series_of(self, row: int) -> int | None:
        """Return the series, the same in all rows; see `Bars.series_of`."""
        return self.series


@dataclass(frozen=True)
class Bars:
    """One value for each category of an axis, as bars from zero or as dots.

    values: (categories,) NaN where there is no value. series: as in `Line`, one for all categories
    or one for each. texts: written at the end of each bar. key: as in `Line`.
    """

    name: str
    values: Array
    series: int | Sequence[int | None] | None = 0
    texts: tuple[str, ...] = ()
    dots: bool = False
    key: bool = True

    def series_of(self, row: int) -> int | None:
        """Return the series of one category."""
        return self.series[row] if isinstance(self.series, Sequence) else self.series


@dataclass(frozen=True)
class Figure:
    """Chart: curves over x, or bars and dots along x at the categories of y.

    name: of its image file, without a suffix. note: a caption of a sentence or two.
    size: its share of the page's width; a tall one takes two rows, next to two others.
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
        """Entries of the legend: name, series and mark, each name once."""
        marks: list[Line | Bars] = [*self.lines, *self.bars]
        by_name = {mark.name: mark for mark in marks if mark.name and mark.key}
        return [(name, mark.series_of(0), mark) for name, mark in by_name.items()]

    @property
    def heights(self) -> list[Array]:
        """All numbers of y: curves and the limits of their bands."""
        each = ((line.y, line.low, line.high) for line in self.lines)
        return [values for arrays in each for values in arrays if values is not None]


def colour(series: int) -> int:
    """Return the colour of a series as an index into LIGHT and DARK."""
    return series % len(LIGHT)


def dash(series: int) -> str:
    """Return the SVG `stroke-dasharray` of a series; empty for a solid line."""
    return DASHES[series // len(LIGHT) % len(DASHES)]


def variables(colours: tuple[str, ...]) -> str:
    """Return colours as the CSS variables `--c0`, `--c1` and so on."""
    return "".join(f"--c{index}:{value};" for index, value in enumerate(colours))
