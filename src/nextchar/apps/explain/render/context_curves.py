"""Curves of an analysis: influence and loss by distance."""

from __future__ import annotations

import numpy as np

from nextchar.apps.context_loss import ContextLoss
from nextchar.apps.explain.context import Influence
from nextchar.apps.explain.text_analysis import TextAnalysis
from nextchar.apps.html.charts import Axis, Figure, Line
from nextchar.formatting.units import to_bits


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
