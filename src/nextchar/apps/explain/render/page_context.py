"""Memory section of the page: curves of influence and loss, and the context of one position."""

from __future__ import annotations

from html import escape

import numpy as np

from nextchar.apps.context_loss import ContextLoss
from nextchar.apps.explain.context import Influence
from nextchar.apps.explain.render.shading import guesses_text, influence_text, level_boxes
from nextchar.apps.explain.text_analysis import TextAnalysis
from nextchar.apps.html.charts import Axis, Figure, Line
from nextchar.apps.html.markup import tag
from nextchar.apps.html.svg import draw_svg
from nextchar.apps.html.template import card, grid, section
from nextchar.formatting.units import to_bits
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
        f"<span>0</span>{level_boxes('&nbsp;')}"
        f"<span>{memory.look.influence.max(initial=0):.2f} bits; shade by the square root</span>"
    )
    return card(
        tag("h3", f"Influence on {escape(str(memory.where))}"),
        tag("p", about, class_="note"),
        tag("div", scale, class_="scale shaded"),
        tag("div", text + mark, class_="text shaded"),
    )


def all_curves(analysis: TextAnalysis) -> list[Figure]:
    """Return all curves; a text of two characters has no influence at a distance."""
    memory = analysis.memory
    influence = [influence_curves(memory.influence)] if len(memory.influence.distances) else []
    return [*influence, context_curves(memory.context)]


def influence_curves(influence: Influence) -> Figure:
    """Influence of a character by its distance."""
    distances = influence.distances.astype(np.float64)
    lines = (
        Line("replaced by another", distances, influence.replaced, 0),
        Line("deleted", distances, influence.deleted, 1),
    )
    x, y = Axis("characters back", log=True), Axis("change of the prediction, bits", low=0)
    note = f"Mean over {influence.places} positions; replacements are drawn by frequency."
    return Figure("influence", "Influence of distant characters", x, y, lines, note=note)


def context_curves(context: ContextLoss) -> Figure:
    """Loss by the number of characters read."""
    lengths = np.array(context.lengths, float)
    full_loss = np.full(len(lengths), to_bits(context.full_loss))
    lines = (
        Line("last characters only", lengths, to_bits(context.loss), 2),
        Line("all preceding characters", lengths, full_loss, None),
    )
    x, y = Axis("characters read", log=True), Axis("bits per character", low=0)
    note = f"Mean over {context.positions} characters of the text, the same for each length."
    return Figure("context", "Loss by context", x, y, lines, note=note)
