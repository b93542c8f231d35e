"""Pages in a headless Chromium: fixtures that conftest.py offers to all tests.

A test with `page` or `new_page` also fails if the page logs an error to the console, throws one,
or requests anything from another machine. Without Chromium it is skipped. On pages that forbid
`eval`, `wait_for_function` does not work: wait for a locator.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page, Request

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ELSEWHERE = re.compile(r"(?!http://(127\.0\.0\.1|localhost)[:/])(https?|wss?)://")
WAIT = 60_000  # milliseconds until a wait fails; machines may be busy


def chromium() -> str | None:
    """The path of a Chromium or Chrome on this machine."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium.

    One per module, not one per session: Playwright leaves its event loop running in this thread,
    with which tests of other modules could not call `asyncio.run`.
    """
    path = chromium()
    if path is None:
        pytest.skip("needs a browser, and no Chromium is installed (apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        yield browser
        browser.close()


@pytest.fixture
def complaints() -> list[str]:
    """Errors in the pages of the test; a test that expects an error removes it."""
    return []


@pytest.fixture
def new_page(browser: Browser, complaints: list[str]) -> Iterator[Callable[..., Page]]:
    """Open pages with options: `new_page(color_scheme="dark", locale="zh-CN")`.

    The options are those of Playwright's `browser.new_context`.
    """
    contexts = []

    def open_page(**options: Any) -> Page:
        context = browser.new_context(
            **{"viewport": {"width": 1200, "height": 800}, "locale": "en-GB", **options}
        )
        contexts.append(context)
        context.set_default_timeout(WAIT)
        context.route(ELSEWHERE, lambda route: route.abort())
        page = context.new_page()
        _listen(page, complaints)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not complaints


@pytest.fixture
def page(new_page: Callable[..., Page]) -> Page:
    """An empty page, 1200 by 800 pixels."""
    return new_page()


def _listen(page: Page, complaints: list[str]) -> None:
    def on_console(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            complaints.append(f"console: {message.text}")

    def on_request(request: Request) -> None:
        if ELSEWHERE.match(request.url):
            complaints.append(f"loaded from elsewhere: {request.url}")

    page.on("console", on_console)
    page.on("request", on_request)
    page.on("pageerror", lambda error: complaints.append(f"thrown: {error}"))
