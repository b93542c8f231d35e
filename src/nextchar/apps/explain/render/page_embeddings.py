"""The part of the page about characters: their map, and who is near whom."""

from __future__ import annotations

import unicodedata
from html import escape

from nextchar.apps.explain.render.label_map import Point, label_map
from nextchar.apps.explain.text_analysis import TextAnalysis
from nextchar.apps.html.markup import tag
from nextchar.apps.html.template import card, section
from nextchar.formatting.visible_text import code_label

MOST_LABELS = 300  # on the map
MOST_LIKE = 48  # characters whose neighbours are listed
KINDS = ["lower case", "upper case", "digit", "punctuation", "blank", "other"]


def symbols_section(explanation: TextAnalysis) -> str:
    """The map of the characters, and who is near whom."""
    found, vocabulary = explanation.symbols, explanation.model.vocabulary
    rows = "embedding" if "embedding" in explanation.model.parameters.views else "input weights"
    near = [
        [
            f"{code_label(vocabulary, int(code))} {cosine:.2f}"
            for code, cosine in zip(codes, cosines, strict=True)
        ]
        for codes, cosines in zip(found.neighbours, found.cosines, strict=True)
    ]
    names = [code_label(vocabulary, int(code)) for code in found.codes]
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


def _kind(character: str) -> int:
    category = unicodedata.category(character[:1] or " ")
    named = {"Ll": 0, "Lu": 1, "Nd": 2, "Zs": 4, "Cc": 4}
    return named.get(category, 3 if category[0] in "PS" else 5)


def _cosine(told: str) -> str:
    name, _, cosine = told.rpartition(" ")
    return f"{escape(name)} <small>{cosine}</small>"
