"""The playground as its user meets it: what tests do with it and see of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from serving import Server

MODEL = "prose"


class Playground:
    """A page of a server, opened and ready."""

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
        """Fill in numbers by their names in the API."""
        self.page.evaluate(
            "for (const each of document.querySelectorAll('details')) each.open = true"
        )
        for name, value in settings.items():
            self.page.fill(f"#{name}", str(value))

    def write(self, prompt: str, **settings: Any) -> str:
        """Let a text be written to its end, and give it as it is read from the page."""
        self.set(**settings)
        self.page.fill("#prompt", prompt)
        self.button("Write").click()
        return self.finished()

    def finished(self) -> str:
        """The text once it is whole."""
        self.page.locator("#stop").wait_for(state="hidden")
        return self.text

    @property
    def text(self) -> str:
        """Prompt and written text."""
        return str(self.page.evaluate("document.querySelector('#text').textContent"))

    @property
    def count(self) -> int:
        """How many characters were written."""
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
        """Whether the page can be scrolled to the side."""
        return bool(self.page.evaluate("document.documentElement.scrollWidth > innerWidth"))
