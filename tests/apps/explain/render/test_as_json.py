"""JSON holds all figures of the analysis as plain numbers."""

from __future__ import annotations

import json

import numpy as np
import pytest

from nextchar.apps.explain.explanation import Explanation


def test_json_has_all_figures_in_plain_numbers(explanation: Explanation) -> None:
    figures = json.loads(json.dumps(explanation.as_json(), allow_nan=False))
    assert figures["bits_per_char"] == explanation.score.bits_per_char
    assert figures["surprise"]["bits"][0] is None
    np.testing.assert_allclose(
        figures["surprise"]["bits"][1:], explanation.shown.bits[1:], atol=1e-6
    )
    worst = figures["surprise"]["worst"][0]
    assert worst["bits"] == pytest.approx(explanation.worst[0].bits, abs=1e-6)
    around = worst["before"] + worst["character"] + worst["after"]
    assert around in explanation.model.vocabulary.decode(explanation.text.codes)
    quote = figures["neurons"]["features"][0]
    assert (quote["feature"], quote["unit"]) == ("inside quotes", 4)
    assert quote["score"] > 0.99 > quote["chance"]
    assert len(figures["neurons"]["units"]) == 12
    at = figures["memory"]["at"]
    assert (at["line"], at["column"]) == (3, 2)
    assert len(at["read"]) == len(at["influence_bits"])
    assert {each["character"] for each in figures["symbols"]} >= {"“", "”", "中", "\n"}
