"""The page in a real browser: no errors, no overlaps, no clipped text, at any width."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from conftest import PROSE
from made_runs import made_run, trained_run
from nextchar.apps.report.loaded_runs import read_runs
from nextchar.apps.report.report import make_report, report_of
from nextchar.apps.report.watch import write_page

if TYPE_CHECKING:
    from playwright.sync_api import Page

# texts of a chart that overlap by more than a pixel, and texts that leave the window
OVERLAPPING = """() => {
  const found = [];
  for (const svg of document.querySelectorAll("svg[role=img]")) {
    const boxes = [...svg.querySelectorAll("text")]
      .map(text => [text, text.getBoundingClientRect()])
      .filter(([, box]) => box.width > 0);
    boxes.forEach(([a, one], n) => boxes.slice(n + 1).forEach(([b, other]) => {
      const x = Math.min(one.right, other.right) - Math.max(one.left, other.left);
      const y = Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top);
      if (x > 1 && y > 3)
        found.push([svg.getAttribute("aria-label"), a.textContent, b.textContent].join(" | "));
    }));
    for (const [text, box] of boxes)
      if (box.left < -1 || box.right > innerWidth + 1) found.push("cut off: " + text.textContent);
  }
  return found;
}"""
WIDTHS = (1200, 390)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pages of one run, of twelve, of ten evaluations and of many thousands."""
    folder = tmp_path_factory.mktemp("pages")
    text = folder / "prose.txt"
    text.write_text(PROSE * 30)
    one = trained_run(folder / "one", text, steps=60)
    report = make_report([one])
    write_page(report, folder / "one.html")
    twelve = [
        made_run(folder / f"a run of a long name {n}", text, 10 + 40 * (n % 2), seed=n,
                 learning_rate=0.001 * (n + 1))
        for n in range(12)
    ]  # fmt: skip
    others = [
        replace(report.analyses[0], loss=1.5 + 0.1 * n) for n in range(12)
    ]  # measuring them would take a second each
    write_page(report_of(read_runs(twelve), others), folder / "twelve.html")
    huge = made_run(folder / "huge", text, 20_000)
    write_page(make_report([huge], analyses=False), folder / "huge.html")
    return folder


@pytest.mark.parametrize("name", ["one", "twelve", "huge"])
def test_no_texts_overlap_and_nothing_is_cut_off(
    folder: Path, new_page: Callable[..., Page], name: str
) -> None:
    for width in WIDTHS:
        page = new_page(viewport={"width": width, "height": 900})
        page.goto((folder / f"{name}.html").as_uri())
        for clock in ("step", "characters", "seconds"):
            page.locator(f"label[for=clock-{clock}]").click()
            assert page.evaluate(OVERLAPPING) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        shown = page.locator("svg[role=img]:visible")
        assert shown.count() >= 4
        assert all(8 < size < 16 for size in page.evaluate(LETTERS))


LETTERS = """() => [...document.querySelectorAll("svg[role=img] text")]
  .map(text => text.getBoundingClientRect())
  .filter(box => box.width > 0)
  .map(box => box.height * 0.8)"""


def test_the_figures_of_another_clock_are_chosen_without_a_script(
    folder: Path, new_page: Callable[..., Page]
) -> None:
    page = new_page(java_script_enabled=False)
    page.goto((folder / "one.html").as_uri())
    assert page.locator("#loss-step").is_visible()
    assert not page.locator("#loss-seconds").is_visible()
    page.locator("label[for=clock-seconds]").click()
    assert page.locator("#loss-seconds").is_visible()
    assert not page.locator("#loss-step").is_visible()


def test_the_numbers_under_the_pointer_are_those_of_the_figure(folder: Path, page: Page) -> None:
    page.goto((folder / "one.html").as_uri())
    box = page.locator("#loss-step .wide svg").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] - 60, box["y"] + box["height"] / 2)
    lines = page.locator("#loss-step .tooltip:visible").inner_text().split("\n")
    (run,) = make_report([folder / "one"], analyses=False).runs
    assert float(lines[0]) == pytest.approx(60, abs=0.5)
    assert [line.split(": ")[0] for line in lines[1:]] == ["training", "validation"]
    for line, name in zip(lines[1:], ("train_loss", "val_loss"), strict=True):
        assert float(line.split(": ")[1]) == pytest.approx(run.records[name][-1], abs=0.02)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast_to_its_background(
    folder: Path, new_page: Callable[..., Page], scheme: str
) -> None:
    page = new_page(color_scheme=scheme)
    page.goto((folder / "one.html").as_uri())
    assert page.evaluate(CONTRAST) >= 4.5
    page.locator("button.theme").click()
    assert page.evaluate(CONTRAST) >= 4.5


CONTRAST = """() => {
  const bright = colour => {
    const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map(v => v / 255)
      .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = bright(getComputedStyle(document.querySelector(".card")).backgroundColor);
  return Math.min(...[...document.querySelectorAll("svg text, .note, .fact span")].map(each => {
    const style = getComputedStyle(each);
    const ink = bright(each.tagName === "text" ? style.fill : style.color);
    return (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05);
  }));
}"""


def test_it_prints_on_white_whatever_the_screen_is(
    folder: Path, new_page: Callable[..., Page]
) -> None:
    page = new_page(color_scheme="dark")
    page.goto((folder / "one.html").as_uri())
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate(CONTRAST) >= 4.5
    assert page.pdf().startswith(b"%PDF")
