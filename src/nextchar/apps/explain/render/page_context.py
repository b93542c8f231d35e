"""The part of the page about memory: two curves, and one place."""

from __future__ import annotations

from html import escape

import numpy as np

from nextchar.apps.explain.render.context_curves import all_curves
from nextchar.apps.explain.render.shading import LEVELS, guesses_text, influence_text
from nextchar.apps.explain.text_analysis import TextAnalysis
from nextchar.apps.html.markup import tag
from nextchar.apps.html.svg import draw_svg
from nextchar.apps.html.template import card, grid, section
from nextchar.formatting.visible_text import code_label


def memory_section(explanation: TextAnalysis) -> str:
    """How far back the model looks: two curves, and one place."""
    about = (
        "How the prediction of the next character changes when something that was read is changed: "
        "the Kullback-Leibler divergence between the two predictions. All of it is computed by "
        "reading the changed text, none of it by gradients."
    )
    charts = grid(*(card(draw_svg(each)) for each in all_curves(explanation)))
    return section("Memory", charts, _look(explanation), about=about)


def _look(explanation: TextAnalysis) -> str:
    found, vocabulary = explanation.memory, explanation.model.vocabulary
    order = np.argsort(-found.look.expected, kind="stable")[:5]
    expected = guesses_text(vocabulary, order.tolist(), found.look.expected[order].tolist())
    text = influence_text(vocabulary, found.read, found.look.influence)
    mark = tag("b", escape(code_label(vocabulary, found.next)), class_="m")
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
