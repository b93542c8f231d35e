"""Curves of influence and context show the figures of the analysis."""

from __future__ import annotations

import numpy as np

from nextchar.apps.explain.explanation import Explanation
from nextchar.apps.explain.render.page_context import context_curves, influence_curves
from nextchar.formatting.units import to_bits


def test_the_curves_are_the_figures(explanation: Explanation) -> None:
    influence, context = explanation.memory.influence, explanation.memory.context
    first, second = influence_curves(influence), context_curves(context)
    np.testing.assert_array_equal(first.lines[0].x, influence.distances)
    np.testing.assert_array_equal(first.lines[0].y, influence.replaced)
    np.testing.assert_array_equal(first.lines[1].y, influence.deleted)
    np.testing.assert_array_equal(second.lines[0].x, context.lengths)
    np.testing.assert_array_equal(second.lines[0].y, to_bits(context.loss))
    assert set(second.lines[1].y) == {to_bits(context.full_loss)}
