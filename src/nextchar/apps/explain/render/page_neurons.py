"""The part of the page about neurons: units over the text that they track."""

from __future__ import annotations

import base64
import json
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextchar.apps.explain.code_labels import Glyphs, glyphs
from nextchar.apps.explain.neurons import Match, Neurons
from nextchar.apps.explain.render.shading import SIDES, activation_text
from nextchar.apps.explain.text_analysis import TextAnalysis
from nextchar.apps.html.markup import tag
from nextchar.apps.html.template import card, grid, section

EXCERPT = 420  # characters that a unit is shown over
EXPLORED = 1_000_000  # numbers that go into the page for the reader to choose units from


def neurons_section(explanation: TextAnalysis) -> str:
    """The units that track something, each over a piece of text where it shows."""
    found = explanation.neurons
    about = (
        "What hidden units keep track of, found by comparing each unit with things that can be "
        "named. The score is the correlation between the two on the second half of the text, 1 for "
        "a unit that is exactly that; the pair was chosen on the first half. Chance is what the "
        "best of all units reaches when the feature is shifted along the text at random."
    )
    if explanation.model.architecture.cell.STATES == 2:
        about += " A unit is its output h, a cell what the LSTM holds in it, tanh of c."
    telling = [match for match in found.best if match.score > found.chance[match.feature]]
    text = glyphs(explanation.model.vocabulary, explanation.text.codes[: len(found.activations)])
    cards = [_unit(text, found, match) for match in telling]
    notes = []
    untold = [found.features[m.feature].name for m in found.best if m not in telling]
    if untold:
        notes.append(f"No unit tracks these better than chance: {', '.join(untold)}.")
    if found.rare:
        notes.append(
            f"Too rare in the first {len(found.activations):,} characters to tell: "
            f"{', '.join(found.rare)}."
        )
    note = card(*(tag("p", escape(each), class_="note") for each in notes)) if notes else ""
    legend = tag(
        "div",
        _activation_scale() + tag("span", '<b class="u">text</b> where the feature holds'),
        class_="scale shaded",
    )
    return section(
        "Neurons",
        card(legend),
        grid(*cards),
        note,
        _explorer(text, found),
        about=about,
    )


def excerpt(values: NDArray[Any], text: str, start: int, is_switch: bool) -> slice:
    """A piece of the text, after `start`, over which a feature varies as much as it does anywhere.

    Of an amount, which is large in long lines and the like, as much as it does half of the time.
    """
    size = min(EXCERPT, len(text) - start)
    starts = np.arange(start, len(text) - size + 1, max(1, size // 8))
    varies = np.array([values[at : at + size].var() for at in starts])
    at = int(starts[varies.argmax() if is_switch else (varies >= np.median(varies)).argmax()])
    line = text.rfind("\n", max(start, at - 120), at)
    begin = line + 1 if line >= 0 else at
    return slice(begin, begin + size)


def scaled(values: NDArray[Any]) -> NDArray[np.float64]:
    """Activations from −1 to 1, nearly the lowest of the text to nearly the highest."""
    low, high = np.percentile(values, [1, 99])
    middle, reach = (low + high) / 2, max((high - low) / 2, 1e-6)
    return np.asarray(np.clip((values - middle) / reach, -1, 1), np.float64)


def _activation_scale() -> str:
    steps = [f"n{n}" for n in range(SIDES, 0, -1)] + [None] + [f"p{n}" for n in range(1, SIDES + 1)]
    boxes = "".join(tag("b", "&nbsp;", class_=each) for each in steps)
    return f"<span>lowest activation</span>{boxes}<span>highest</span>"


def _unit(text: Glyphs, found: Neurons, match: Match) -> str:
    feature, unit = found.features[match.feature], found.units[match.unit]
    values = found.activations[:, match.unit]
    told = (
        f"score {match.score:.2f} · {abs(match.first):.2f} on the half it was chosen on · "
        f"chance {found.chance[match.feature]:.2f}"
    )
    part = excerpt(
        text.last(feature.values), text.text, _after(text, found.half), feature.is_switch
    )
    under = text.last(feature.values)[part] > 0 if feature.is_switch else None
    shaded = activation_text(text.text[part], scaled(text.last(values))[part], under)
    head = escape(feature.name) + tag("span", escape(str(unit)))
    return tag(
        "div",
        tag("h3", head) + tag("p", told, class_="note") + tag("div", shaded, class_="text shaded"),
        class_="card unit",
    )


def _after(text: Glyphs, code: int) -> int:
    return int(np.searchsorted(text.starts, code))


def _explorer(text: Glyphs, found: Neurons) -> str:
    """Every unit: a table of what it tracks best, and the text to see it over, by choice."""
    begin = _after(text, found.half)
    size = min(1200, EXPLORED // max(1, len(found.units)), len(text.text) - begin)
    rows, names, steps = [], [], []
    for match in found.matches:
        name, feature = str(found.units[match.unit]), found.features[match.feature].name
        rows.append(
            tag(
                "tr",
                tag("td", name)
                + tag("td", feature)
                + tag("td", f"{match.score:.2f}", class_="number"),
            )
        )
        names.append(f"{name}: {feature} {match.score:.2f}")
        values = scaled(text.last(found.activations[:, match.unit]))[begin : begin + size]
        steps.append((np.rint(values * SIDES) + SIDES).astype(np.uint8))
    if not rows:
        return ""
    data = {
        "text": text.text[begin : begin + size].encode("utf-8", "replace").decode(),
        "units": names,
        "sides": SIDES,
        "steps": base64.b64encode(np.concatenate(steps).tobytes()).decode(),
    }
    stored = json.dumps(data, ensure_ascii=False).replace("<", "\\u003c")
    head = "".join(tag("th", each) for each in ("unit", "tracks best")) + tag(
        "th", "score", class_="number"
    )
    table = tag("table", tag("tr", head) + "".join(rows))
    listed = tag(
        "details",
        tag("summary", f"All {len(rows):,} units, and what each tracks best")
        + tag("div", table, class_="units"),
    )
    return card(
        tag("h3", "Any unit over the same text"),
        tag("div", "", id="any-unit", hidden=True),
        listed,
        f'<script type="application/json" id="units">{stored}</script>',
    )
