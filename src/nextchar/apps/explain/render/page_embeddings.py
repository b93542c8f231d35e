"""Characters section of the page: a map, and nearest neighbours."""

from __future__ import annotations

import unicodedata
from html import escape

from nextchar.apps.explain.render.label_map import Point, label_map
from nextchar.apps.explain.text_analysis import TextAnalysis
from nextchar.apps.html.markup import tag
from nextchar.apps.html.template import card, section
from nextchar.formatting.visible_text import code_label

MOST_LABELS = 300  # on the map
MOST_LISTED = 48  # characters whose neighbours are listed
KINDS = ["lower case", "upper case", "digit", "punctuation", "blank", "other"]


def symbols_section(analysis: TextAnalysis) -> str:
    """Return the map of the characters and their nearest neighbours."""
    symbols, vocabulary = analysis.symbols, analysis.model.vocabulary
    rows = "embedding" if "embedding" in analysis.model.parameters.views else "input weights"
    near = []
    for codes, cosines in zip(symbols.neighbours.tolist(), symbols.cosines, strict=True):
        labels = [code_label(vocabulary, code) for code in codes]
        near.append([(each, f"{cosine:.2f}") for each, cosine in zip(labels, cosines, strict=True)])
    names = [code_label(vocabulary, int(code)) for code in symbols.codes]
    kinds = [_kind(vocabulary.decode([int(code)])) for code in symbols.codes]
    points = [
        Point(name, float(x), float(y), kind, f"{name}: near {', '.join(map(' '.join, close))}")
        for name, (x, y), kind, close in zip(names, symbols.map, kinds, near, strict=True)
    ][:MOST_LABELS]
    shares = " and ".join(f"{100 * share:.0f} %" for share in symbols.shares)
    present = [(KINDS[kind], kind) for kind in sorted(set(kinds[:MOST_LABELS]))]
    drawn = label_map(f"The {rows} of each character, projected onto a plane", points, present)
    note = f"The plane shows {shares} of the variance (principal components)."
    if len(names) > MOST_LABELS:
        note += f" Of {len(names):,} characters the {MOST_LABELS} most frequent are drawn."
    listed = "".join(map(_neighbours, names[:MOST_LISTED], near))
    about = (
        "Characters that the model treats alike have weight rows of the same direction. Neighbours "
        "are the nearest by the cosine between rows in all dimensions, not on the map."
    )
    return section(
        "Characters",
        card(drawn, tag("p", note, class_="note")),
        card(tag("h3", "Nearest characters, and the cosine"), tag("ul", listed, class_="like")),
        about=about,
    )


def _neighbours(name: str, near: list[tuple[str, str]]) -> str:
    """Return a list item: a character, then its neighbours and their cosines."""
    parts = (tag("i", f"{escape(other)} <small>{cosine}</small>") for other, cosine in near)
    return tag("li", tag("b", escape(name)) + " ".join(parts))


def _kind(character: str) -> int:
    """Index in `KINDS`."""
    category = unicodedata.category(character[:1] or " ")
    named = {"Ll": 0, "Lu": 1, "Nd": 2, "Zs": 4, "Cc": 4}
    return named.get(category, 3 if category[0] in "PS" else 5)
