"""The page shows the figures, and a browser renders it without overlaps or scrolling."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from apps.explain.planted import untrained
from nextchar.apps.explain.explanation import Explanation, explain_string

if TYPE_CHECKING:
    from playwright.sync_api import Page

TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 375])
def test_a_browser_shows_it_without_a_fault(
    new_page: Callable[..., Page],
    path: Path,
    overlaps: Callable[[Page], list[str]],
    scheme: str,
    width: int,
) -> None:
    page = new_page(color_scheme=scheme, viewport={"width": width, "height": 800})
    page.goto(path.as_uri())
    assert overlaps(page) == []
    assert page.evaluate(TOO_WIDE) == 0
    for heading in ("Surprise", "Neurons", "Memory", "Characters"):
        assert page.get_by_role("heading", name=heading, exact=True).is_visible()


def test_the_predictions_at_a_character_show_on_hover(page: Page, path: Path) -> None:
    page.goto(path.as_uri())
    mark = page.locator(".shaded b[title*='bits']").nth(7)
    title = mark.get_attribute("title")
    mark.hover()
    tip = page.locator(".tip")
    assert tip.is_visible()
    assert tip.text_content() == title
    page.keyboard.press("Escape")
    assert tip.is_hidden()


def test_any_unit_can_be_chosen(page: Page, path: Path, explanation: Explanation) -> None:
    page.goto(path.as_uri())
    choice, view = page.locator("#any-unit select"), page.locator("#any-unit .shaded")
    units = explanation.neurons.units
    assert choice.locator("option").count() == len(units)
    assert choice.locator("option").first.text_content() == "layer 1, unit 4: inside quotes 1.00"
    first = view.inner_html()
    choice.select_option("3")
    assert view.inner_html() != first
    assert view.text_content() in explanation.model.vocabulary.decode(explanation.text.codes)


def test_without_a_script_it_is_whole_but_for_the_choice(
    new_page: Callable[..., Page], path: Path, explanation: Explanation
) -> None:
    page = new_page(java_script_enabled=False)
    page.goto(path.as_uri())
    assert page.locator("#any-unit").is_hidden()
    assert page.locator(".places li").count() == len(explanation.worst)
    assert page.locator(".unit .shaded").first.is_visible()
    assert page.locator("figure svg").first.is_visible()


def test_it_is_one_small_file(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert path.stat().st_size < 1_000_000
    assert not re.search(r"""(src|href)=["'](?!data:)""", text)


def test_the_text_is_shown_as_it_is(page: Page, path: Path, explanation: Explanation) -> None:
    page.goto(path.as_uri())
    shown = page.locator(".text.tall").first.text_content()
    assert shown is not None
    known = explanation.model.vocabulary.decode(explanation.shown.codes)
    assert shown.replace("↵\n", "\n").replace("␍", "\r") == known


def test_a_text_of_two_characters_has_a_page(page: Page, tmp_path: Path) -> None:
    made = explain_string(untrained("ab"), "ab")
    made.save(tmp_path / "short.html")
    page.goto((tmp_path / "short.html").as_uri())
    assert page.get_by_role("heading", name="Surprise").is_visible()
    json.dumps(made.as_json(), allow_nan=False)


def test_a_frame_for_notebooks_keeps_its_style_to_itself(
    page: Page, explanation: Explanation, tmp_path: Path
) -> None:
    frame: Any = explanation._repr_html_()
    (tmp_path / "book.html").write_text(
        f"<!doctype html><meta charset=utf-8><p>cell</p>{frame}", encoding="utf-8"
    )
    page.goto((tmp_path / "book.html").as_uri())
    content = page.frame_locator("iframe")
    assert content.get_by_text("bits per character").is_visible()
    assert page.evaluate("getComputedStyle(document.querySelector('p')).fontSize") == "16px"
