"""Label map: labels never overlap, in the layout and in a browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nextchar.apps.explain.render.label_map import Point, arrange, label_map, width_of
from nextchar.apps.html.template import page as whole_page

if TYPE_CHECKING:
    from playwright.sync_api import Page


def test_labels_never_overlap_and_stay_inside(rng: np.random.Generator) -> None:
    places = [tuple(each) for each in rng.uniform([0, 0], [300, 200], (90, 2)).tolist()]
    widths = [width_of(label) for label in ["a", "U+200B", "中"] * 30]
    spots = arrange(places, widths, 300, 200)
    assert sum(spot is not None for spot in spots) > 45
    kept = [(s, w) for s, w in zip(spots, widths, strict=True) if s]
    for n, ((x, y), width) in enumerate(kept):
        assert width / 2 <= x <= 300 - width / 2
        assert 0 < y < 200
        for (ox, oy), other in kept[:n]:
            assert abs(x - ox) >= (width + other) / 2 or abs(y - oy) >= 12
    assert arrange([(5.0, 5.0)], [7.0], 300, 200) != [None]


def test_a_map_of_very_many_characters_is_readable(
    page: Page,
    rng: np.random.Generator,
    tmp_path: Path,
    overlaps: Callable[[Page], list[str]],
) -> None:
    points = [Point(chr(0x4E00 + n), *rng.normal(size=2), n % 6, "hover") for n in range(300)]
    html = whole_page("map", label_map("map", points, []))
    (tmp_path / "map.html").write_text(html, encoding="utf-8")
    page.goto((tmp_path / "map.html").as_uri())
    assert overlaps(page) == []
