"""Explanation of a planted network, its page, and a check of labels in a browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from apps.explain.planted import quote_model, quoted_text
from nextchar.apps.explain.explain_settings import ExplainSettings
from nextchar.apps.explain.explanation import Explanation, explain_string

if TYPE_CHECKING:
    from playwright.sync_api import Page

# pairs of visible labels of one drawing whose boxes overlap
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


@pytest.fixture(scope="session")
def explanation() -> Explanation:
    """A network with a quote unit, on a text with <, & and characters outside ASCII."""
    text = quoted_text(np.random.default_rng(7))
    strange = text[:1500] + ' <b>&amp;</b> "née" 中文 \t\r\n' + text[1500:]
    model = quote_model(strange, 4)
    return explain_string(model, strange, ExplainSettings(characters=1800, worst=6, at="3:2"))


@pytest.fixture(scope="session")
def path(explanation: Explanation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "explain.html"
    explanation.save(path)
    return path


@pytest.fixture
def overlaps() -> Callable[[Page], list[str]]:
    """Return the pairs of labels that overlap on a page."""
    return lambda page: list(page.evaluate(OVERLAPS))
