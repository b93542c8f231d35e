"""Charts as PNG images, drawn by matplotlib from the same numbers as the SVG."""

from __future__ import annotations

from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np

from nextchar.apps.html.charts import DASHES, LIGHT, Axis, Bars, Figure, Line, colour
from nextchar.apps.html.scales import limits, tick_label
from nextchar.errors import MissingExtraError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SOFT, _DPI, _ROW = "#5a6675", 150, 0.26  # inches of a row of bars
_STYLES = ("solid", (0, (4, 2)), (0, (1, 1.5)))


def write_images(figures: list[Figure], folder: Path) -> list[Path]:
    """Write each chart into a folder as NAME.png, and return the paths.

    Raises MissingExtraError where matplotlib is not installed.
    """
    require_matplotlib()
    from matplotlib import rc_context

    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    with rc_context({"font.size": 9, "svg.fonttype": "none"}):
        for figure in figures:
            path = folder / f"{figure.name}.png"
            picture_of(figure).savefig(path, dpi=_DPI)
            paths.append(path)
    return paths


def require_matplotlib(feature: str = "--png") -> None:
    """Raise MissingExtraError where matplotlib, which a feature needs, is not installed."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise MissingExtraError(feature, "matplotlib", "plot") from None


def picture_of(figure: Figure) -> Any:
    """Return a matplotlib figure of a chart. It uses no pyplot, and therefore no window."""
    from matplotlib.figure import Figure as Picture

    width = 9.0 if figure.size == "whole" else 6.0
    height = 1.4 + _ROW * len(figure.y.labels) if figure.y.labels else 3.6
    picture = Picture(figsize=(width, height), layout="constrained")
    axes = picture.add_subplot()
    axes.set_title(figure.title, loc="left", fontweight="bold", pad=12)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x" if figure.y.labels else "y", color="#e9edf2")
    axes.set_axisbelow(True)
    draw = _rows if figure.y.labels else _curves
    draw(axes, figure)
    marks: list[Line | Bars] = [*figure.lines, *figure.bars]
    names = {mark.name for mark in marks if mark.name}
    if len(names) > 1:  # unlike the page, an image has no table with the colours
        axes.legend(frameon=False, fontsize=8 if len(names) < 7 else 6)
    if figure.note:
        note = "\n".join(wrap(figure.note, int(16 * width)))
        picture.supxlabel(note, x=0.01, ha="left", fontsize=7, color=_SOFT)
    return picture


def _curves(axes: Axes, figure: Figure) -> None:
    for line in figure.lines:
        _line(axes, line)
    _axis(axes, figure.y, "y", figure.heights)
    _axis(axes, figure.x, "x", [line.x for line in figure.lines])
    if figure.y.other:
        name, factor = figure.y.other
        other = axes.secondary_yaxis("right", functions=(_times(factor), _times(1 / factor)))
        other.set_ylabel(name, color=_SOFT)


def _line(axes: Axes, line: Line) -> None:
    if line.series is None:
        axes.plot(line.x, line.y, color=_SOFT, lw=1, ls=(0, (3, 4)), label=line.name or "_")
        return
    ink, style = LIGHT[colour(line.series)], _STYLES[line.series // len(LIGHT) % len(DASHES)]
    if line.low is not None and line.high is not None:
        axes.fill_between(line.x, line.low, line.high, color=ink, alpha=0.16, lw=0)
    axes.plot(
        line.x, line.y, color=ink, ls=style, label=line.name or "_",
        lw=2.2 if line.strong else 1.0 if line.faint else 1.5, alpha=0.45 if line.faint else 1.0,
        marker="o" if len(line.x) <= 40 and not line.faint else None, ms=3,
    )  # fmt: skip


def _rows(axes: Axes, figure: Figure) -> None:
    rows = np.arange(len(figure.y.labels))
    for bars in figure.bars:
        series = [bars.series_of(row) for row in rows.tolist()]
        colours = [_SOFT if each is None else LIGHT[colour(each)] for each in series]
        label = bars.name or "_"
        if bars.dots:
            axes.scatter(bars.values, rows, c=colours, s=36, label=label, zorder=3)
        else:
            axes.barh(rows, np.nan_to_num(bars.values), color=colours, height=0.66, label=label)
        for row, text in enumerate(bars.texts):
            axes.annotate(text, (bars.values[row], row), (4, 0), textcoords="offset points",
                          va="center", fontsize=8, color=_SOFT)  # fmt: skip
    axes.set_yticks(rows, figure.y.labels)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlabel(figure.x.name)
    axes.set_xlim(left=0)
    axes.margins(x=0.15)
    if figure.x.other:
        name, factor = figure.x.other
        other = axes.secondary_xaxis("top", functions=(_times(factor), _times(1 / factor)))
        other.set_xlabel(name, color=_SOFT)


def _axis(axes: Axes, axis: Axis, which: str, values: list[Any]) -> None:
    side = getattr(axes, f"{which}axis")
    side.set_label_text(axis.name)
    low, high = limits(axis, values)
    if axis.log:
        getattr(axes, f"set_{which}scale")("log")
    getattr(axes, f"set_{which}lim")(low, high)
    if axis.labels:
        side.set_ticks(range(len(axis.labels)), axis.labels)
    else:
        side.set_major_formatter(lambda value, _: tick_label(value, percent=axis.percent))


def _times(factor: float) -> Any:
    return lambda values: np.asarray(values) * factor
