"""Memory section of the page: two curves, and the context of one position."""

from __future__ import annotations

from html import escape

import numpy as np

from nextchar.apps.explain.render.context_curves import all_curves
from nextchar.apps.explain.render.shading import LEVELS, guesses_text, influence_text, level_boxes
from nextchar.apps.explain.text_analysis import TextAnalysis
from nextchar.apps.html.markup import tag
from nextchar.apps.html.svg import draw_svg
from nextchar.apps.html.template import card, grid, section
from nextchar.formatting.visible_text import code_label


def memory_section(analysis: TextAnalysis) -> str:
    """Return the curves of influence and loss by distance, and the context of one position."""
    about = (
        "Change of the prediction of the next character if the preceding text is modified: the "
        "Kullback-Leibler divergence between the two predictions, computed by running the model on "
        "the modified text, not from gradients."
    )
    charts = grid(*(card(draw_svg(each)) for each in all_curves(analysis)))
    return section("Memory", charts, _position(analysis), about=about)


def _position(analysis: TextAnalysis) -> str:
    memory, vocabulary = analysis.memory, analysis.model.vocabulary
    order = np.argsort(-memory.look.expected, kind="stable")[:5]
    expected = guesses_text(vocabulary, order, memory.look.expected[order])
    text = influence_text(vocabulary, memory.read, memory.look.influence)
    mark = tag("b", escape(code_label(vocabulary, memory.next)), class_="m")
    about = (
        "Each character is shaded by the mean change of the prediction of the framed one if it "
        f"is replaced by another. Predicted: {escape(expected)}."
    )
    scale = (
        f"<span>0</span>{level_boxes(['&nbsp;'] * (LEVELS + 1))}"
        f"<span>{memory.look.influence.max(initial=0):.2f} bits; shade by the square root</span>"
    )
    return card(
        tag("h3", f"Influence on {escape(str(memory.where))}"),
        tag("p", about, class_="note"),
        tag("div", scale, class_="scale shaded"),
        tag("div", text + mark, class_="text shaded"),
    )
