"""Make the images of docs/playground.md: `make screenshots`, a few minutes.

Trains two small models, serves them, and takes screenshots in a browser. Needs Chromium, fonts
(the images kept were made with Debian's fonts-inter, fonts-jetbrains-mono and
fonts-wqy-microhei), and Tiny Shakespeare: ../shared/data/tinyshakespeare.txt, or the argument.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from browser import chromium
from nextchar.model.file import LAST
from playground import Playground
from serving import Server, served_by_process

DOCS = Path(__file__).parent
SHAKESPEARE = DOCS.parent.parent / "shared" / "data" / "tinyshakespeare.txt"
PICTURES: dict[str, dict[str, Any]] = {
    "playground-light": {
        "of": ("plays", "ROMEO:\n"),
        "rules": {"seed": 8, "temperature": 0.6, "max_tokens": 640},
        "viewport": {"width": 1200, "height": 800},
    },
    "playground-dark": {
        "of": ("plays", "JULIET:\n"),
        "rules": {"seed": 3, "temperature": 0.6, "max_tokens": 460},
        "viewport": {"width": 390, "height": 844},
        "device_scale_factor": 2,
        "is_mobile": True,
        "has_touch": True,
        "color_scheme": "dark",
    },
    "playground-chinese": {
        "of": ("poems", "春眠不觉晓，"),
        "rules": {"seed": 5, "temperature": 0.5, "max_tokens": 260},
        "viewport": {"width": 1000, "height": 700},
        "locale": "zh-CN",
    },
}
# index of the rightmost improbable character among the first 120
ASIDE = """all => all.slice(0, 120).map((each, i) => [each.offsetLeft, i])
    .filter(([, i]) => all[i].matches(".s3, .s4, .s5") && /\\p{L}/u.test(all[i].textContent))
    .sort(([a], [b]) => b - a)[0][1]"""


def train(text: Path, out: Path, *options: str) -> Path:
    """The last model of a run; it may overfit a short text."""
    command = [sys.executable, "-m", "nextchar", "train", str(text), "--out", str(out)]
    subprocess.run([*command, *options, "--seed", "1"], check=True)
    return out / LAST


def picture(browser: Browser, server: Server, name: str) -> None:
    """Generate a text, open the card of an improbable character, and take a screenshot."""
    options = dict(PICTURES[name])
    model, prompt = options.pop("of")
    rules = options.pop("rules")
    context = browser.new_context(**options)
    page = context.new_page()
    shown = Playground(page, server, model)
    shown.set(**rules)
    for part in ("further", *(["settings"] if options.get("is_mobile") else [])):
        page.locator(f"#{part}").evaluate("part => { part.open = false; }")
    page.fill("#prompt", prompt)
    page.locator("#write").click()
    shown.finished()
    shown.character(page.locator("#text .c").evaluate_all(ASIDE)).click()
    page.wait_for_timeout(300)
    page.screenshot(path=DOCS / "images" / f"{name}.png")
    context.close()


def main(text: Path = SHAKESPEARE) -> None:
    """Make all images."""
    (DOCS / "images").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        models = {
            "plays": train(text, Path(folder, "plays"), "--time", "90s"),
            "poems": train(DOCS / "poems.txt", Path(folder, "poems"), "--steps", "120"),
        }
        browser = playwright.chromium.launch(executable_path=chromium())
        with served_by_process(models) as server:
            for name in PICTURES:
                picture(browser, server, name)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
