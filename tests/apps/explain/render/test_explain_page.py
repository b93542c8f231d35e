"""The page: what it shows are the figures, and a real browser shows it without a fault."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from apps.explain.planted import quote_model, quoted_text, untrained
from nextchar.apps.explain.explain_settings import ExplainSettings
from nextchar.apps.explain.explanation import Explanation, explain_string
from nextchar.apps.explain.render.context_curves import context_curves, influence_curves
from nextchar.apps.explain.render.label_map import Point, arrange, label_map, width_of
from nextchar.apps.explain.render.page_neurons import excerpt, scaled
from nextchar.apps.explain.render.shading import (
    activation_text,
    influence_text,
    level_of,
    percent,
    surprise_text,
)
from nextchar.formatting.units import to_bits
from nextchar.text.vocabulary import Vocabulary

if TYPE_CHECKING:
    from playwright.sync_api import Page

# the boxes of all letters in a drawing that is shown, and those of them that overlap
OVERLAPS = """() => {
  const boxes = [...document.querySelectorAll("svg text")].filter(e => e.getClientRects().length)
    .map(e => [e.closest("svg"), e.textContent, e.getBoundingClientRect()]);
  const bad = [];
  boxes.forEach(([svg, text, a], n) => boxes.slice(n + 1).forEach(([other, more, b]) => {
    const width = Math.min(a.right, b.right) - Math.max(a.left, b.left);
    const height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    // the boxes of letters are taller than the letters by a few pixels
    if (svg === other && width > 1 && height > 4) bad.push(text + " over " + more);
  }));
  return bad;
}"""
TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def text() -> str:
    return quoted_text(np.random.default_rng(7))


@pytest.fixture(scope="module")
def made(text: str) -> Explanation:
    """Of a network with a quote unit, and a text with <, & and what is no ASCII."""
    strange = text[:1500] + ' <b>&amp;</b> "née" 中文 \t\r\n' + text[1500:]
    model = quote_model(strange, 4)
    return explain_string(model, strange, ExplainSettings(characters=1800, worst=6, at="3:2"))


@pytest.fixture(scope="module")
def path(made: Explanation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "explain.html"
    made.save(path)
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 375])
def test_a_browser_shows_it_without_a_fault(
    new_page: Callable[..., Page], path: Path, scheme: str, width: int
) -> None:
    page = new_page(color_scheme=scheme, viewport={"width": width, "height": 800})
    page.goto(path.as_uri())
    assert page.evaluate(OVERLAPS) == []
    assert page.evaluate(TOO_WIDE) == 0
    for heading in ("Surprise", "Neurons", "Memory", "Characters"):
        assert page.get_by_role("heading", name=heading, exact=True).is_visible()


def test_a_character_tells_what_was_expected_when_pointed_at(page: Page, path: Path) -> None:
    page.goto(path.as_uri())
    mark = page.locator(".shaded b[title*='bits']").nth(7)
    told = mark.get_attribute("title")
    mark.hover()
    tip = page.locator(".tip")
    assert tip.is_visible()
    assert tip.text_content() == told
    page.keyboard.press("Escape")
    assert tip.is_hidden()


def test_any_unit_can_be_chosen(page: Page, path: Path, made: Explanation) -> None:
    page.goto(path.as_uri())
    choice, view = page.locator("#any-unit select"), page.locator("#any-unit .shaded")
    units = made.neurons.units
    assert choice.locator("option").count() == len(units)
    assert choice.locator("option").first.text_content() == "layer 1, unit 4: inside quotes 1.00"
    first = view.inner_html()
    choice.select_option("3")
    assert view.inner_html() != first
    assert view.text_content() in made.model.vocabulary.decode(made.text.codes)


def test_without_a_script_it_is_whole_but_for_the_choice(
    new_page: Callable[..., Page], path: Path, made: Explanation
) -> None:
    page = new_page(java_script_enabled=False)
    page.goto(path.as_uri())
    assert page.locator("#any-unit").is_hidden()
    assert page.locator(".places li").count() == len(made.worst)
    assert page.locator(".unit .shaded").first.is_visible()
    assert page.locator("figure svg").first.is_visible()


def test_it_is_one_small_file(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert path.stat().st_size < 1_000_000
    assert not re.search(r"""(src|href)=["'](?!data:)""", text)


def test_the_text_is_shown_as_it_is(page: Page, path: Path, made: Explanation) -> None:
    page.goto(path.as_uri())
    shown = page.locator(".text.tall").first.text_content()
    assert shown is not None
    known = made.model.vocabulary.decode(made.shown.codes)
    assert shown.replace("↵\n", "\n").replace("␍", "\r") == known


def test_each_character_has_the_shade_of_its_bits(made: Explanation) -> None:
    html = surprise_text(made.model.vocabulary, made.shown)
    classes = [re.search(r'class="s(\d)"', each) for each in re.findall(r"<b[^>]*>", html)]
    levels = [int(each[1]) if each else 0 for each in classes]
    assert levels == [level_of(each) for each in made.shown.bits]
    assert [level_of(b) for b in (float("nan"), -0.0, 0.99, 1, 8.9, 9, 40)] == [0, 0, 0, 1, 8, 9, 9]


def test_activations_are_shaded_in_runs_and_underlined() -> None:
    html = activation_text("ab<d", np.array([1, 0.95, -0.3, 0]), np.array([0, 0, 1, 0]))
    assert html == '<b class="p5">ab</b><b class="n2 u">&lt;</b><b>d</b>'
    np.testing.assert_allclose(scaled(np.arange(101.0))[[0, 50, 100]], [-1, 0, 1])
    assert np.isfinite(scaled(np.ones(5))).all()


def test_influence_is_shaded_by_its_square_root() -> None:
    vocabulary = Vocabulary.of_text("abcd")
    html = influence_text(vocabulary, vocabulary.encode("abcd"), np.array([0, 0.25, 0.01, 1]))
    assert re.findall(r"class=\"s(\d)\"|<b (?=title)", html) == ["", "4", "1", "9"]
    assert "c  2 back: 0.010 bits" in html


def test_an_excerpt_is_where_a_feature_changes_in_the_second_half() -> None:
    text = "a line of text\n" * 200
    values = np.zeros(len(text))
    values[2600:2700] = 1
    part = excerpt(values, text, 1500, is_switch=True)
    assert part.start >= 1500
    assert values[part].sum() == 100
    assert text[part.start - 1] == "\n"


def test_shares_are_told_as_people_say_them() -> None:
    told = [percent(each) for each in (1, 0.412, 0.0123, 0.0001, 0)]
    assert told == ["100 %", "41 %", "1.2 %", "1 in 10,000", "never"]


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
    page: Page, rng: np.random.Generator, tmp_path: Path
) -> None:
    points = [Point(chr(0x4E00 + n), *rng.normal(size=2), n % 6, "told") for n in range(300)]
    from nextchar.apps.html.template import page as whole

    (tmp_path / "map.html").write_text(whole("map", label_map("map", points, [])), encoding="utf-8")
    page.goto((tmp_path / "map.html").as_uri())
    assert page.evaluate(OVERLAPS) == []


def test_the_curves_are_the_figures(made: Explanation) -> None:
    influence, context = made.memory.influence, made.memory.context
    first, second = influence_curves(influence), context_curves(context)
    np.testing.assert_array_equal(first.lines[0].x, influence.distances)
    np.testing.assert_array_equal(first.lines[0].y, influence.replaced)
    np.testing.assert_array_equal(first.lines[1].y, influence.deleted)
    np.testing.assert_array_equal(second.lines[0].x, context.lengths)
    np.testing.assert_array_equal(second.lines[0].y, to_bits(context.loss))
    assert set(second.lines[1].y) == {to_bits(context.full_loss)}


def test_json_has_all_figures_in_plain_numbers(made: Explanation) -> None:
    figures = json.loads(json.dumps(made.as_json(), allow_nan=False))
    assert figures["bits_per_char"] == made.score.bits_per_char
    assert figures["surprise"]["bits"][0] is None
    np.testing.assert_allclose(figures["surprise"]["bits"][1:], made.shown.bits[1:], atol=1e-6)
    worst = figures["surprise"]["worst"][0]
    assert worst["bits"] == pytest.approx(made.worst[0].bits, abs=1e-6)
    around = worst["before"] + worst["character"] + worst["after"]
    assert around in made.model.vocabulary.decode(made.text.codes)
    quote = figures["neurons"]["features"][0]
    assert (quote["feature"], quote["unit"]) == ("inside quotes", 4)
    assert quote["score"] > 0.99 > quote["chance"]
    assert len(figures["neurons"]["units"]) == 12
    at = figures["memory"]["at"]
    assert (at["line"], at["column"]) == (3, 2)
    assert len(at["read"]) == len(at["influence_bits"])
    assert {each["character"] for each in figures["symbols"]} >= {"“", "”", "中", "\n"}


def test_a_text_of_two_characters_has_a_page(page: Page, tmp_path: Path) -> None:
    made = explain_string(untrained("ab"), "ab")
    made.save(tmp_path / "short.html")
    page.goto((tmp_path / "short.html").as_uri())
    assert page.get_by_role("heading", name="Surprise").is_visible()
    json.dumps(made.as_json(), allow_nan=False)


def test_a_piece_for_notebooks_keeps_its_style_to_itself(
    page: Page, made: Explanation, tmp_path: Path
) -> None:
    piece: Any = made._repr_html_()
    (tmp_path / "book.html").write_text(
        f"<!doctype html><meta charset=utf-8><p>cell</p>{piece}", encoding="utf-8"
    )
    page.goto((tmp_path / "book.html").as_uri())
    frame = page.frame_locator("iframe")
    assert frame.get_by_text("bits per character").is_visible()
    assert page.evaluate("getComputedStyle(document.querySelector('p')).fontSize") == "16px"
