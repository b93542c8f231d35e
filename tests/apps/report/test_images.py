"""Charts as PNG images, from the same numbers as the page."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from conftest import PROSE
from made_runs import made_run
from nextchar.apps.html.charts import Axis, Bars, Figure, Line
from nextchar.apps.report.images import picture_of, write_images
from nextchar.apps.report.report import make_report
from nextchar.errors import MissingExtraError


def test_every_figure_is_an_image(tmp_path: Path) -> None:
    text = tmp_path / "prose.txt"
    text.write_text(PROSE * 20)
    report = make_report([made_run(tmp_path / "run", text, 50)])
    figures = [
        *report.curves["step"],
        *report.knowledge,
        *([report.memorisation] if report.memorisation else []),
    ]
    assert len(figures) == 10
    paths = write_images(figures, tmp_path / "images")
    assert [path.stem for path in paths] == [each.name for each in figures]
    for path in paths:
        data = path.read_bytes()
        assert data.startswith(b"\x89PNG")
        width, height = (int.from_bytes(data[n : n + 4], "big") for n in (16, 20))
        assert width >= 900
        assert height >= 200


def test_curves_are_those_of_the_figure() -> None:
    x = np.array([1.0, 2.0, 4.0])
    line = Line("a", x, x**2, 0, low=x, high=x**3)
    rule = Line("", x, x, None)
    axis = Axis("nats", other=("bits", 2.0))
    figure = Figure("name", "A title", Axis("steps", low=0.0), axis, (line, rule))
    axes = picture_of(figure).axes[0]
    drawn = [each.get_xydata().tolist() for each in axes.lines]
    assert drawn == [[[1, 1], [2, 4], [4, 16]], [[1, 1], [2, 2], [4, 4]]]
    assert (axes.get_title(loc="left"), axes.get_xlabel(), axes.get_ylabel()) == (
        "A title", "steps", "nats",
    )  # fmt: skip
    assert axes.get_xlim()[0] == 0
    (other,) = axes.child_axes
    assert other.get_ylabel() == "bits"


def test_bars_and_dots_are_those_of_the_figure() -> None:
    values = np.array([3.0, np.nan])
    bars = (Bars("a", values, [0, None], ("three", "")), Bars("b", values, 1, dots=True))
    y = Axis("", labels=("first", "second"))
    figure = Figure("name", "t", Axis("nats", low=0.0, other=("bits", 2.0)), y, (), bars)
    axes = picture_of(figure).axes[0]
    assert [patch.get_width() for patch in axes.patches] == [3, 0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["first", "second"]
    assert axes.get_legend() is not None


def test_a_logarithmic_scale_and_one_of_categories() -> None:
    x = np.arange(3.0)
    figure = Figure("n", "t", Axis("x", labels=("0", "1", "all")), Axis("y", log=True),
                    (Line("a", x, 10**x),))  # fmt: skip
    axes = picture_of(figure).axes[0]
    assert axes.get_yscale() == "log"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "1", "all"]


def test_without_matplotlib_the_error_names_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r'--png needs matplotlib.*pip install "matplot'):
        write_images([], tmp_path / "images")
    assert not (tmp_path / "images").exists()
