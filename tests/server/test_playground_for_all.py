"""Accessibility of the playground: keyboard, phone, dark theme, Chinese, and errors."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from conftest import ROOT
from playground import MODEL, Playground
from serving import Server, served

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

NewPage = Callable[..., "Page"]
PHONE = {"viewport": {"width": 360, "height": 640}, "has_touch": True, "is_mobile": True}


@pytest.fixture
def playground(page: Page, server: Server) -> Playground:
    return Playground(page, server)


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.id"))


def tab_to(page: Page, wanted: str) -> None:
    for _ in range(40):
        page.keyboard.press("Tab")
        if focused(page) == wanted:
            return
    raise AssertionError(f"{wanted} is not reached")


def at(page: Page) -> int:
    """The index of the character that the cursor is on."""
    return int(
        page.locator("#text .c").evaluate_all("all => all.findIndex((c) => c.matches('.at'))")
    )


def test_everything_can_be_done_by_keyboard(playground: Playground) -> None:
    page = playground.page
    playground.set(max_tokens=120, seed=4, temperature=1)
    page.locator("#model").focus()
    tab_to(page, "prompt")
    page.keyboard.type("It was")
    page.keyboard.press("Control+Enter")
    text = playground.finished()
    assert text == "It was" + playground.server.written("It was", 120, 4)[0]

    tab_to(page, "text")
    assert at(page) == 0
    for _ in range(8):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    assert at(page) == 7
    assert playground.card.is_visible()
    assert page.locator("#announcement").inner_text().count("%") >= 5  # announced to screen readers

    page.keyboard.press("Enter")  # into the card
    page.keyboard.press("ArrowDown")
    char = playground.alternatives.nth(1).locator(".glyph").inner_text()
    page.keyboard.press("Enter")  # chooses the second
    kept = text[: 6 + 7] + char.replace("␣", " ").replace("↵", "\n")
    text = playground.finished()
    assert text == kept + playground.server.written(kept, 120, 4)[0]
    assert focused(page) == "text"

    page.keyboard.press("ArrowRight")  # continues from the changed character
    assert at(page) == 8
    char = playground.alternatives.nth(2).locator(".glyph").inner_text()
    page.keyboard.press("3")
    assert playground.finished()[6 + 8] == char.replace("␣", " ").replace("↵", "\n")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Escape")
    playground.card.wait_for(state="hidden")


def test_the_cursor_moves_by_lines(playground: Playground) -> None:
    page = playground.page
    playground.write("It was", max_tokens=600, seed=4)
    page.locator("#text").focus()
    page.keyboard.press("Control+Home")
    places = []
    for key in ("ArrowDown", "End", "Home", "ArrowUp", "Control+End"):
        page.keyboard.press(key)
        places.append(at(page))
    down, end, home, up, last = places
    assert 0 < home <= down < end < last == 599
    assert up < home
    boxes = [playground.character(each).bounding_box() for each in (home, end)]
    assert None not in boxes
    assert abs(boxes[0]["y"] - boxes[1]["y"]) < boxes[0]["height"] / 2  # on one line


def test_a_phone_needs_no_scrolling_to_the_side(new_page: NewPage, server: Server) -> None:
    playground = Playground(new_page(**PHONE), server)
    assert not playground.overflows()
    playground.write("It was " + "m" * 200, max_tokens=800, seed=1)
    assert not playground.overflows()
    playground.character(700).tap()
    playground.card.wait_for()
    assert not playground.overflows()
    card, char = playground.card.bounding_box(), playground.character(700).bounding_box()
    assert card
    assert char
    assert (card["x"], card["width"]) == (0, 360)
    assert char["y"] + char["height"] <= card["y"]  # it is not covered
    small = playground.page.locator("button:visible").evaluate_all(
        "all => all.filter((each) => each.getBoundingClientRect().height < 24).length"
    )
    assert small == 0


def test_it_is_dark_where_the_system_is_unless_one_chooses(
    new_page: NewPage, server: Server
) -> None:
    def is_dark() -> bool:
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return all(int(each) < 60 for each in colour[4:-1].split(","))

    page = new_page(color_scheme="dark")
    Playground(page, server)
    assert is_dark()
    page.get_by_label("Theme").select_option("light")
    assert not is_dark()
    Playground(page, server)
    assert not is_dark()  # it is remembered
    page.get_by_label("Theme").select_option("auto")
    page.emulate_media(color_scheme="light")
    assert not is_dark()


# contrast of every element that has text with its background
CONTRASTS = """() => {
    const channels = (colour) => colour.match(/[\\d.]+/g).map(Number);
    const light = (colour) => channels(colour).slice(0, 3)
        .map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
        .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = (element) => {
        for (; element; element = element.parentElement) {
            const colour = getComputedStyle(element).backgroundColor;
            if ((channels(colour)[3] ?? 1) === 1) return colour;
        }
    };
    const shows = (element) => element.checkVisibility() && !element.disabled
        && [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    return [...document.querySelectorAll("body *")].filter(shows).map((element) => {
        const [a, b] = [getComputedStyle(element).color, behind(element)].map(light);
        return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), element.outerHTML.slice(0, 90)];
    });
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_has_the_contrast_of_wcag_aa(
    new_page: NewPage, server: Server, scheme: str
) -> None:
    playground = Playground(new_page(color_scheme=scheme), server)
    playground.write("It was", max_tokens=400, seed=1)
    playground.page.locator("#text .c").evaluate_all(  # all shades
        "all => all.forEach((each, i) => { each.className = `c s${i % 6}`; })"
    )
    playground.page.locator("#error").evaluate(
        "error => { error.hidden = false; error.textContent = 'wrong'; }"
    )
    playground.character(50).click()
    contrasts = playground.page.evaluate(CONTRASTS)
    assert len(contrasts) > 300
    assert [each for each in contrasts if each[0] < 4.5] == []


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_nothing_moves_if_the_user_prefers_reduced_motion(
    new_page: NewPage, server: Server, motion: str
) -> None:
    playground = Playground(new_page(reduced_motion=motion), server)
    playground.write("It was", max_tokens=10)
    playground.page.evaluate("document.getElementById('text').classList.add('writing')")
    moving = playground.page.evaluate("document.getAnimations().length")
    assert moving == (motion == "no-preference")


def test_the_language_is_that_of_the_browser_and_can_be_changed(
    new_page: NewPage, server: Server
) -> None:
    page = new_page(locale="zh-CN")
    page.goto(server.url)
    page.get_by_role("button", name="生成").wait_for()
    assert page.evaluate("document.documentElement.lang") == "zh-Hans"
    assert page.get_by_label("温度").count() == 2
    page.locator("#language").select_option("en")
    page.get_by_role("button", name="Write").wait_for()
    page.reload()
    page.get_by_role("button", name="Write").wait_for()  # it is remembered


def test_every_text_of_the_page_is_there_in_chinese() -> None:
    """A text without a translation is a key that i18n.js lacks, in the page or in a module."""
    folder = ROOT / "src" / "nextchar" / "server" / "playground"
    words = (folder / "i18n.js").read_text(encoding="utf-8")
    chinese = words[: words.index("};")]
    known = set(re.findall(r'^  "(.+?)":', chinese, re.MULTILINE))
    page = (folder / "index.html").read_text(encoding="utf-8")
    used = set(re.findall(r"data-t>\s*([^<]+?)\s*<", page))
    used |= set(re.findall(r'aria-label="([^"]+)" data-t-label', page))
    used |= set(re.findall(r'placeholder="([^"]+)" data-t-placeholder', page))
    for module in folder.glob("*.js"):
        used |= set(re.findall(r'\bt\("([^"]+)"', module.read_text(encoding="utf-8")))
    assert len(used) > 40
    assert used <= known
    others = {
        "Done: {n} characters.",
        "Stopped after {n} characters.",
        "space",
        "line break",
        "tab",
    }
    assert known - used == others  # keys that are computed


def test_an_error_of_the_api_is_shown_with_its_message(
    playground: Playground, complaints: list[str]
) -> None:
    playground.page.fill("#prompt", "It was 🦆")
    playground.button("Write").click()
    playground.error.wait_for()
    assert "🦆" in playground.error.inner_text()
    complaints.clear()  # Chromium logs the status, too
    playground.write("It was", max_tokens=10)
    assert playground.error.count() == 0
    assert playground.count == 10


def test_a_setting_that_is_no_number_is_pointed_at(playground: Playground) -> None:
    playground.set(temperature=3)
    playground.button("Write").click()
    assert playground.error.inner_text() == "Temperature must be a number from 0 to 2."
    assert playground.page.get_attribute("#temperature", "aria-invalid") == "true"
    playground.set(temperature=1, seed="xyz")
    playground.page.keyboard.press("Control+Enter")
    assert playground.error.inner_text() == "Seed must be digits or empty."


def answering(status: int, body: object, **headers: str) -> Callable[[Route], None]:
    return lambda route: route.fulfill(status=status, headers=headers, body=json.dumps(body))


def test_unexpected_answers_are_shown_as_errors(
    playground: Playground, complaints: list[str]
) -> None:
    busy = {"error": {"message": "All is full.", "param": None}}
    for answer, words in (
        (answering(429, busy, **{"retry-after": "7"}), "All is full. Try again in 7 s."),
        (answering(502, "no error's body"), "The server answered 502."),
        (lambda route: route.abort(), "The server cannot be reached. Is nextchar serve"),
    ):
        playground.page.route("**/v1/completions", answer)
        playground.button("Write").click()
        playground.error.get_by_text(words).wait_for()
        playground.page.unroute("**/v1/completions")
    complaints.clear()


STREAMS = {
    "the model broke": 'data: {"error": {"message": "the model broke", "param": null}}\n\n',
    "The connection closed before the text was complete.": "",
}


@pytest.mark.parametrize("end", STREAMS)
def test_a_text_that_breaks_off_is_kept_and_the_reason_shown(
    playground: Playground, end: str
) -> None:
    chunk = {"choices": [{"text": "so far", "index": 0, "logprobs": None, "finish_reason": None}]}
    body = f": ping\r\n\r\ndata: {json.dumps(chunk)}\n\n{STREAMS[end]}"
    playground.page.route(
        "**/v1/completions",
        lambda route: route.fulfill(body=body, content_type="text/event-stream"),
    )
    assert playground.write("") == "so far"
    assert playground.error.inner_text() == end
    assert playground.button("Write").is_visible()


def test_fewer_alternatives_are_requested_if_the_server_allows_fewer(
    page: Page, served_models: dict[str, Path], complaints: list[str]
) -> None:
    with served(served_models, max_logprobs=2) as server:
        playground = Playground(page, server)
        playground.write("It was", max_tokens=30, seed=1)
        playground.character(3).click()
        assert playground.alternatives.count() in (2, 3)
        assert playground.error.count() == 0
        complaints.clear()


def test_the_key_is_requested_if_the_server_requires_one(
    page: Page, served_models: dict[str, Path], complaints: list[str]
) -> None:
    with served({MODEL: served_models[MODEL]}, api_key="open sesame") as server:
        playground = Playground(page, server, model=None)
        playground.error.wait_for()
        page.get_by_label("This server requires an API key:").fill("wrong")
        playground.button("Use key").click()
        playground.page.wait_for_timeout(50)
        page.get_by_label("This server requires an API key:").fill("open sesame")
        playground.button("Use key").click()
        page.locator("#key-form").wait_for(state="hidden")
        assert playground.error.count() == 0
        assert playground.write("It was", max_tokens=20, seed=1, temperature=1) == (
            "It was" + server.written("It was", 20, 1)[0]
        )
        assert page.locator("#model").is_hidden()  # there is only one
        complaints.clear()
