"""Text with its background shaded by numbers: surprisal, influence or activations."""

from __future__ import annotations

from html import escape
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextchar.apps.explain.code_labels import glyphs
from nextchar.apps.explain.surprise import Passage
from nextchar.apps.html.markup import tag
from nextchar.formatting.visible_text import code_label, visible
from nextchar.text.vocabulary import Codes, Vocabulary

LEVELS = 9  # of surprisal: whole bits, the last for all above
SIDES = 5  # steps of an activation on each side of zero


def level_of(bits: float) -> int:
    """Whole bits, 0 to LEVELS; 0 for NaN."""
    return 0 if np.isnan(bits) else int(min(max(bits, 0), LEVELS))


def surprise_text(vocabulary: Vocabulary, passage: Passage, mark: int | None = None) -> str:
    """Shade each character of a passage by its bits; its `title` holds the predictions.

    mark: index within the passage of a code whose character is framed.
    """
    text = glyphs(vocabulary, passage.codes)
    bits = text.sums(passage.bits)
    marked = -1 if mark is None else int(np.searchsorted(text.starts, mark, side="right")) - 1
    parts = []
    for n, character in enumerate(text.text):
        title = _predictions(vocabulary, passage, character, bits[n], int(text.starts[n]))
        parts.append(_character(character, level_of(bits[n]), title, is_marked=n == marked))
    return "".join(parts)


def influence_text(vocabulary: Vocabulary, codes: Codes, bits: NDArray[np.float64]) -> str:
    """Shade the characters before a position by their influence on its prediction.

    bits: (n,) for the codes (n,). Shades follow the square root, so that small values show too.
    """
    text = glyphs(vocabulary, codes)
    if not text.text:
        return ""
    values = np.maximum.reduceat(bits, text.starts)
    levels = np.ceil(LEVELS * np.sqrt(np.clip(values / max(values.max(), 1e-9), 0, 1)) - 0.5)
    parts = []
    for n, character in enumerate(text.text):
        back = len(codes) - int(text.starts[n])
        title = f"{visible(character)}  {back} back: {values[n]:.3f} bits"
        parts.append(_character(character, int(levels[n]), title))
    return "".join(parts)


def activation_text(text: str, values: NDArray[Any], under: NDArray[Any] | None = None) -> str:
    """Shade text by activations from −1 to 1, and underline it where `under` is true."""
    steps = np.rint(np.clip(values, -1, 1) * SIDES).astype(int)
    lines = np.zeros(len(text), bool) if under is None else under.astype(bool)
    parts, at = [], 0
    for (step, line), group in groupby(zip(steps.tolist(), lines.tolist(), strict=True)):
        size = sum(1 for _ in group)
        parts.append(_run(text[at : at + size], step, line))
        at += size
    return "".join(parts)


def level_boxes(label: str | None = None) -> str:
    """Draw the shades of the levels. label: in each box; by default its bits."""
    bits = enumerate((*map(str, range(LEVELS)), f"{LEVELS}+"))
    return "".join(tag("b", label or text, class_=f"s{n}" if n else None) for n, text in bits)


def guesses_text(
    vocabulary: Vocabulary, codes: NDArray[np.int64], chances: NDArray[np.float64]
) -> str:
    """Predictions as text: ␣ 41 % · e 11 %."""
    pairs = zip(codes.tolist(), chances.tolist(), strict=True)
    return " · ".join(f"{code_label(vocabulary, code)} {percent(p)}" for code, p in pairs)


def percent(share: float) -> str:
    """Probability for readers: 41 %, 0.3 %, 1 in 90,000."""
    if share >= 0.095:
        return f"{100 * share:.0f} %"
    if share >= 0.00095:
        return f"{100 * share:.1f} %"
    return f"1 in {1 / share:,.0f}" if share > 1e-15 else "never"


def _predictions(
    vocabulary: Vocabulary, passage: Passage, character: str, bits: float, code: int
) -> str:
    if np.isnan(bits):
        return f"{visible(character)}  first character: read, not predicted"
    expected = guesses_text(vocabulary, passage.guesses[code], passage.chances[code])
    title = f"{visible(character)}  {bits:.2f} bits, {percent(2.0**-bits)}\npredicted: {expected}"
    return title.replace(" %", "\N{NO-BREAK SPACE}%")


def _character(character: str, level: int, title: str, *, is_marked: bool = False) -> str:
    # a line end is shown as a symbol before it
    content = f"<s>{visible(character)}</s>\n" if character == "\n" else _visible_markup(character)
    names = _classes(f"s{level}" if level else "", "m" if is_marked else "")
    return tag("b", content, class_=names, title=title)


def _visible_markup(character: str) -> str:
    return escape(character if character in " \t" else visible(character))


def _run(text: str, step: int, is_under: bool) -> str:
    content = "".join(each if each in " \t\n" else _visible_markup(each) for each in text)
    side = f"p{step}" if step > 0 else f"n{-step}" if step else ""
    return tag("b", content, class_=_classes(side, "u" if is_under else ""))


def _classes(*names: str) -> str | None:
    return " ".join(filter(None, names)) or None
