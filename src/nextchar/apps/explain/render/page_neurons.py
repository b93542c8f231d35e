"""Neurons section of the page: units over text with the feature that they track."""

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

EXCERPT = 420  # characters over which a unit is shown
EXPLORED = 1_000_000  # activations in the page for the selection of any unit


def neurons_section(analysis: TextAnalysis) -> str:
    """Return the units with a score above chance, each over text with its feature."""
    neurons = analysis.neurons
    about = (
        "Features that hidden units track. The score is the correlation of unit and feature on the "
        "second half of the text, 1 for a unit that equals the feature; the pair was chosen on the "
        "first half. Chance is the best score of any unit when the feature is shifted along the "
        "text at random."
    )
    if analysis.model.architecture.cell.STATES == 2:
        about += " A unit is its output h; a cell is tanh of the LSTM's cell state c."
    above = [match for match in neurons.best if match.score > neurons.chance[match.feature]]
    observed = len(neurons.activations)
    text = glyphs(analysis.model.vocabulary, analysis.text.codes[:observed])
    cards = [_unit(text, neurons, match) for match in above]
    below = [neurons.features[m.feature].name for m in neurons.best if m not in above]
    reasons = {
        "No unit tracks these better than chance": below,
        f"Too rare in the first {observed:,} characters for a score": neurons.rare,
    }
    notes = [f"{reason}: {', '.join(names)}." for reason, names in reasons.items() if names]
    note = card(*(tag("p", escape(each), class_="note") for each in notes)) if notes else ""
    marked = tag("span", '<b class="u">text</b> with the feature')
    legend = tag("div", _activation_scale() + marked, class_="scale shaded")
    explorer = _explorer(text, neurons) if neurons.matches else ""
    return section("Neurons", card(legend), grid(*cards), note, explorer, about=about)


def excerpt(values: NDArray[Any], text: str, start: int, is_switch: bool) -> slice:
    """Choose a part of the text after `start` over which a feature varies.

    A binary feature varies most there; an amount, which is extreme in long lines, as its median.
    """
    size = min(EXCERPT, len(text) - start)
    starts = np.arange(start, len(text) - size + 1, max(1, size // 8))
    varies = np.array([values[at : at + size].var() for at in starts])
    at = int(starts[varies.argmax() if is_switch else (varies >= np.median(varies)).argmax()])
    line = text.rfind("\n", max(start, at - 120), at)
    begin = line + 1 if line >= 0 else at
    return slice(begin, begin + size)


def scaled(values: NDArray[Any]) -> NDArray[np.float64]:
    """Scale activations to −1 … 1, from their 1st to their 99th percentile, and clip the rest."""
    low, high = np.percentile(values, [1, 99])
    middle, reach = (low + high) / 2, max((high - low) / 2, 1e-6)
    return np.asarray(np.clip((values - middle) / reach, -1, 1), np.float64)


def _activation_scale() -> str:
    steps = [f"n{n}" for n in range(SIDES, 0, -1)] + [None] + [f"p{n}" for n in range(1, SIDES + 1)]
    boxes = "".join(tag("b", "&nbsp;", class_=each) for each in steps)
    return f"<span>lowest activation</span>{boxes}<span>highest</span>"


def _unit(text: Glyphs, neurons: Neurons, match: Match) -> str:
    """Return a card: a unit over text with its feature."""
    feature, unit = neurons.features[match.feature], neurons.units[match.unit]
    values = neurons.activations[:, match.unit]
    scores = (
        f"score {match.score:.2f} · {abs(match.first):.2f} on the half it was chosen on · "
        f"chance {neurons.chance[match.feature]:.2f}"
    )
    tracked = text.last(feature.values)
    half = int(np.searchsorted(text.starts, neurons.half))
    part = excerpt(tracked, text.text, half, feature.is_switch)
    under = tracked[part] > 0 if feature.is_switch else None
    shaded = activation_text(text.text[part], scaled(text.last(values))[part], under)
    head = tag("h3", escape(feature.name) + tag("span", escape(str(unit))))
    content = head + tag("p", scores, class_="note") + tag("div", shaded, class_="text shaded")
    return tag("div", content, class_="card unit")


def _explorer(text: Glyphs, neurons: Neurons) -> str:
    """Return a card: any unit over the same text, by selection, and a table of all units."""
    begin = int(np.searchsorted(text.starts, neurons.half))
    size = min(1200, EXPLORED // len(neurons.units), len(text.text) - begin)
    rows, names, steps = "", [], []
    for match in neurons.matches:
        name, feature = str(neurons.units[match.unit]), neurons.features[match.feature].name
        score = f"{match.score:.2f}"
        rows += tag("tr", tag("td", name) + tag("td", feature) + tag("td", score, class_="number"))
        names.append(f"{name}: {feature} {score}")
        values = scaled(text.last(neurons.activations[:, match.unit]))[begin : begin + size]
        steps.append((np.rint(values * SIDES) + SIDES).astype(np.uint8))
    data = {
        "text": text.text[begin : begin + size].encode("utf-8", "replace").decode(),
        "units": names,
        "sides": SIDES,
        "steps": base64.b64encode(np.concatenate(steps).tobytes()).decode(),
    }
    stored = json.dumps(data, ensure_ascii=False).replace("<", "\\u003c")
    head = tag("th", "unit") + tag("th", "tracks best") + tag("th", "score", class_="number")
    table = tag("div", tag("table", tag("tr", head) + rows), class_="units")
    title = tag("summary", f"All {len(names):,} units and the feature that each tracks best")
    return card(
        tag("h3", "Any unit over the same text"),
        tag("div", "", id="any-unit", hidden=True),
        tag("details", title + table),
        f'<script type="application/json" id="units">{stored}</script>',
    )
