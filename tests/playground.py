"""The playground as a page object: actions of its user, and the state of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from serving import Server

MODEL = "prose"


class Playground:
    """The open playground of a server."""

    def __init__(self, page: Page, server: Server, model: str | None = MODEL) -> None:
        self.page, self.server = page, server
        page.goto(server.url)
        page.locator("#write").wait_for()  # whatever the language
        if model is not None:
            page.locator("#model option").first.wait_for(state="attached")
            page.select_option("#model", model)

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    def set(self, **settings: Any) -> None:
        """Fill in settings by their names in the API."""
        self.page.evaluate(
            "for (const each of document.querySelectorAll('details')) each.open = true"
        )
        for name, value in settings.items():
            self.page.fill(f"#{name}", str(value))

    def write(self, prompt: str, **settings: Any) -> str:
        """Generate a text to its end and return it as the page shows it."""
        self.set(**settings)
        self.page.fill("#prompt", prompt)
        self.button("Write").click()
        return self.finished()

    def finished(self) -> str:
        """The text when it is complete."""
        self.page.locator("#stop").wait_for(state="hidden")
        return self.text

    @property
    def text(self) -> str:
        """Prompt and generated text."""
        return str(self.page.evaluate("document.querySelector('#text').textContent"))

    @property
    def count(self) -> int:
        """Number of generated characters."""
        return self.page.locator("#text .c").count()

    def character(self, index: int) -> Locator:
        return self.page.locator("#text .c").nth(index)

    @property
    def card(self) -> Locator:
        return self.page.locator("#card")

    @property
    def alternatives(self) -> Locator:
        return self.card.locator("[data-nth]")

    @property
    def error(self) -> Locator:
        return self.page.get_by_role("alert")

    def overflows(self) -> bool:
        """True if the page scrolls sideways."""
        return bool(self.page.evaluate("document.documentElement.scrollWidth > innerWidth"))
