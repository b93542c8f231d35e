"""The parts of the page that look inside: neurons, memory, symbols."""

from __future__ import annotations

import base64
import json
import unicodedata
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nextchar.apps.explain.charts import Curve, Point, curves, label_map
from nextchar.apps.explain.glyphs import Glyphs, glyphs, name_of
from nextchar.apps.explain.neurons import Match, Neurons
from nextchar.apps.explain.shading import (
    LEVELS,
    SIDES,
    activation_text,
    guesses_text,
    influence_text,
)
from nextchar.apps.pages.markup import tag
from nextchar.apps.pages.shell import card, grid, section

if TYPE_CHECKING:
    from nextchar.apps.explain.explanation import Explanation

EXCERPT = 420  # characters that a unit is shown over
EXPLORED = 1_000_000  # numbers that go into the page for the reader to choose units from
MOST_LABELS = 300  # on the map
MOST_LIKE = 48  # characters whose neighbours are listed
KINDS = ["lower case", "upper case", "digit", "punctuation", "blank", "other"]


def neurons_section(explanation: Explanation) -> str:
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
    codes = explanation.text.codes[: len(found.activations)]
    cards = [_unit(explanation, found, match, codes) for match in telling]
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
        _explorer(explanation, found, codes),
        about=about,
    )


def memory_section(explanation: Explanation) -> str:
    """How far back the model looks: two curves, and one place."""
    found = explanation.memory
    influence, context = found.influence, found.context
    x = "characters back"
    first = curves(
        "How much a character further back matters",
        [
            Curve("replaced by another", 0, influence.distances, influence.replaced),
            Curve("left out", 1, influence.distances, influence.deleted),
        ],
        x,
        "change of the prediction, bits",
        None,
    )
    second = curves(
        "Loss when only the last characters are read",
        [Curve("only these", 2, context.lengths, context.bits)],
        "characters read",
        "bits per character",
        ("all that stands before", context.full),
    )
    about = (
        "How the prediction of the next character changes when something that was read is changed: "
        "the Kullback-Leibler divergence between the two predictions. All of it is computed by "
        "reading the changed text, none of it by gradients."
    )
    notes = (
        f"Mean over {influence.places} places of the text. Characters come in as replacements as "
        "often as they occur.",
        f"Mean over {context.targets} characters of the text, the same ones for each length.",
    )
    charts = grid(
        *(
            card(chart, tag("p", note, class_="note"))
            for chart, note in zip((first, second), notes, strict=True)
        )
    )
    return section("Memory", charts, _look(explanation), about=about)


def symbols_section(explanation: Explanation) -> str:
    """The map of the characters, and who is near whom."""
    found, vocabulary = explanation.symbols, explanation.model.vocabulary
    rows = "embedding" if "embedding" in explanation.model.parameters.views else "input weights"
    near = [
        [
            f"{name_of(vocabulary, int(code))} {cosine:.2f}"
            for code, cosine in zip(codes, cosines, strict=True)
        ]
        for codes, cosines in zip(found.neighbours, found.cosines, strict=True)
    ]
    names = [name_of(vocabulary, int(code)) for code in found.codes]
    kinds = [_kind(vocabulary.decode([int(code)])) for code in found.codes]
    points = [
        Point(name, float(x), float(y), kind, f"{name}: near {', '.join(close)}")
        for name, (x, y), kind, close in zip(names, found.map, kinds, near, strict=True)
    ][:MOST_LABELS]
    shares = " and ".join(f"{100 * share:.0f} %" for share in found.shares)
    present = [(KINDS[kind], kind) for kind in sorted(set(kinds[:MOST_LABELS]))]
    drawn = label_map(f"The {rows} of each character, on a plane", points, present)
    note = f"The plane shows {shares} of the variance (principal components)."
    if len(names) > MOST_LABELS:
        note += f" Of {len(names):,} characters the {MOST_LABELS} most frequent are drawn."
    listed = "".join(
        tag("li", tag("b", escape(name)) + " ".join(tag("i", _cosine(each)) for each in close))
        for name, close in list(zip(names, near, strict=True))[:MOST_LIKE]
    )
    about = (
        "Characters that the model treats alike have rows of weights that point the same way. "
        "Neighbours are told by the cosine between rows in all dimensions, not by the map."
    )
    return section(
        "Characters",
        card(drawn, tag("p", note, class_="note")),
        card(tag("h3", "Nearest characters, and the cosine"), tag("ul", listed, class_="like")),
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


def _unit(explanation: Explanation, found: Neurons, match: Match, codes: Any) -> str:
    feature, unit = found.features[match.feature], found.units[match.unit]
    values = found.activations[:, match.unit]
    told = (
        f"score {match.score:.2f} · {abs(match.first):.2f} on the half it was chosen on · "
        f"chance {found.chance[match.feature]:.2f}"
    )
    text = _whole(explanation, found)
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


def _whole(explanation: Explanation, found: Neurons) -> Glyphs:
    codes = explanation.text.codes[: len(found.activations)]
    return glyphs(explanation.model.vocabulary, codes)


def _after(text: Glyphs, code: int) -> int:
    return int(np.searchsorted(text.starts, code))


def _explorer(explanation: Explanation, found: Neurons, codes: Any) -> str:
    """Every unit: a table of what it tracks best, and the text to see it over, by choice."""
    text = _whole(explanation, found)
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


def _look(explanation: Explanation) -> str:
    found, vocabulary = explanation.memory, explanation.model.vocabulary
    order = np.argsort(-found.look.expected, kind="stable")[:5]
    expected = guesses_text(vocabulary, order.tolist(), found.look.expected[order].tolist())
    text = influence_text(vocabulary, found.read, found.look.influence)
    mark = tag("b", escape(name_of(vocabulary, found.next)), class_="m")
    steps = "".join(tag("b", "&nbsp;", class_=f"s{n}" if n else None) for n in range(LEVELS + 1))
    return card(
        tag("h3", f"What matters at {escape(str(found.where))}"),
        tag(
            "p",
            "Each character is shaded by how much the prediction of the framed one changes, on the "
            f"average, when another stands in its place. Expected: {escape(expected)}.",
            class_="note",
        ),
        tag(
            "div",
            f"<span>0</span>{steps}<span>{found.look.influence.max(initial=0):.2f} bits; "
            "shades go by the square root</span>",
            class_="scale shaded",
        ),
        tag("div", text + mark, class_="text shaded"),
    )


def _kind(character: str) -> int:
    category = unicodedata.category(character[:1] or " ")
    named = {"Ll": 0, "Lu": 1, "Nd": 2, "Zs": 4, "Cc": 4}
    return named.get(category, 3 if category[0] in "PS" else 5)


def _cosine(told: str) -> str:
    name, _, cosine = told.rpartition(" ")
    return f"{escape(name)} <small>{cosine}</small>"
