"""The browser that pages are tested in notices what is wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

WRONG = {
    "console: oh": "<script>console.error('oh')</script>",
    "thrown: no": "<script>throw new Error('no')</script>",
    "loaded from elsewhere: http://192.0.2.1/x.png": "<img src='http://192.0.2.1/x.png'>",
    "Content Security Policy": "<meta http-equiv=Content-Security-Policy "
    "content=\"default-src 'self'\"><script>let x</script>",
}


@pytest.mark.parametrize("complaint", WRONG)
def test_an_error_in_a_page_is_noticed(
    page: Page, complaints: list[str], tmp_path: Path, complaint: str
) -> None:
    path = tmp_path / "page.html"
    path.write_text(f"<!doctype html><meta charset=utf-8><title>wrong</title>{WRONG[complaint]}")
    page.goto(path.as_uri())
    page.close()
    assert any(complaint in each for each in complaints)
    complaints.clear()


def test_a_page_without_errors_from_disk_has_none(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text("<!doctype html><title>right</title><script>console.log('well')</script>")
    page.goto(path.as_uri())
    assert page.title() == "right"
