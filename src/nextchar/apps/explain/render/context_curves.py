"""What the curves of an explanation show: influence and loss by distance."""

from __future__ import annotations

import numpy as np

from nextchar.apps.context_loss import ContextLoss
from nextchar.apps.explain.context import Influence
from nextchar.apps.explain.text_analysis import TextAnalysis
from nextchar.apps.html.charts import Axis, Figure, Line
from nextchar.formatting.units import to_bits


def all_curves(explanation: TextAnalysis) -> list[Figure]:
    """All curves that there are: a text of two characters has no influence at a distance."""
    found = explanation.memory
    influence = [influence_curves(found.influence)] if len(found.influence.distances) else []
    return [*influence, context_curves(found.context)]


def influence_curves(found: Influence) -> Figure:
    """How much a character some way back matters."""
    x = found.distances.astype(np.float64)
    return Figure(
        "influence",
        "How much a character further back matters",
        Axis("characters back", log=True),
        Axis("change of the prediction, bits", low=0),
        (
            Line("replaced by another", x, found.replaced, 0),
            Line("left out", x, found.deleted, 1),
        ),
        note=f"Mean over {found.places} places of the text. Characters come in as replacements as "
        "often as they occur.",
    )


def context_curves(found: ContextLoss) -> Figure:
    """The loss after ever more characters."""
    x = np.array(found.lengths, float)
    return Figure(
        "context",
        "Loss when only the last characters are read",
        Axis("characters read", log=True),
        Axis("bits per character", low=0),
        (
            Line("only these", x, to_bits(found.loss), 2),
            Line("all that stands before", x, np.full(len(x), to_bits(found.full_loss)), None),
        ),
        note=f"Mean over {found.positions} characters of the text, the same ones for each length.",
    )
