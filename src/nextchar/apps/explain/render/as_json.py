"""An explanation for machines: the figures of the page as numbers, texts, lists and objects."""

from __future__ import annotations

import math
from typing import Any

from nextchar.apps.evaluate import as_json
from nextchar.apps.explain.neurons import Match
from nextchar.apps.explain.surprise import Passage
from nextchar.apps.explain.text_analysis import Surprising, TextAnalysis
from nextchar.formatting.units import to_bits
from nextchar.formatting.visible_text import code_name

DIGITS = 6  # after the point


def figures_of(explanation: TextAnalysis) -> dict[str, Any]:
    """The score, named as by `nextchar eval --json`; then surprise, neurons, memory, symbols."""
    return {
        **as_json(explanation.score, explanation.text.left_out),
        "surprise": {
            "text": explanation.model.vocabulary.decode(explanation.shown.codes),
            "bits": _numbers(explanation.shown.bits),
            "worst": [_worst(explanation, each) for each in explanation.worst],
        },
        "neurons": _neurons(explanation),
        "memory": _memory(explanation),
        "symbols": _symbols(explanation),
    }


def _worst(explanation: TextAnalysis, found: Surprising) -> dict[str, Any]:
    passage, decode = found.passage, explanation.model.vocabulary.decode
    return {
        **({"file": found.where.name} if found.where.name else {}),
        "line": found.where.line,
        "column": found.where.column,
        "character": decode(passage.codes[found.index : found.index + 1]),
        "bits": round(found.bits, DIGITS),
        "before": decode(passage.codes[: found.index]),
        "after": decode(passage.codes[found.index + 1 :]),
        "expected": _expected(explanation, passage, found.index),
    }


def _expected(explanation: TextAnalysis, passage: Passage, index: int) -> list[dict[str, Any]]:
    return [
        {"character": _symbol(explanation, int(code)), "probability": round(float(p), DIGITS)}
        for code, p in zip(passage.guesses[index], passage.chances[index], strict=True)
    ]


def _neurons(explanation: TextAnalysis) -> dict[str, Any]:
    found = explanation.neurons

    def told(match: Match) -> dict[str, Any]:
        unit = found.units[match.unit]
        return {
            "layer": unit.layer,
            "unit": unit.number,
            "part": unit.part,
            "feature": found.features[match.feature].name,
            "score": round(match.score, DIGITS),
            "first_half": round(match.first, DIGITS),
        }

    return {
        "characters": len(found.activations),
        "features": [
            {**told(match), "chance": round(found.chance[match.feature], DIGITS)}
            for match in found.best
        ],
        "too_rare": found.rare,
        "units": [told(match) for match in found.matches],
    }


def _memory(explanation: TextAnalysis) -> dict[str, Any]:
    found = explanation.memory
    return {
        "influence": {
            "places": found.influence.places,
            "distance": found.influence.distances.tolist(),
            "replaced_bits": _numbers(found.influence.replaced),
            "deleted_bits": _numbers(found.influence.deleted),
        },
        "context": {
            "characters": found.context.positions,
            "length": list(found.context.lengths),
            "bits_per_char": _numbers(to_bits(found.context.loss)),
            "all": round(to_bits(found.context.full_loss), DIGITS),
        },
        "at": {
            "line": found.where.line,
            "column": found.where.column,
            "read": explanation.model.vocabulary.decode(found.read),
            "influence_bits": _numbers(found.look.influence),
        },
    }


def _symbols(explanation: TextAnalysis) -> list[dict[str, Any]]:
    found = explanation.symbols
    rows = zip(found.codes, found.map, found.neighbours, found.cosines, strict=True)
    return [
        {
            "character": _symbol(explanation, int(code)),
            "map": _numbers(place),
            "near": [_symbol(explanation, int(other)) for other in near],
            "cosine": _numbers(cosines),
        }
        for code, place, near, cosines in rows
    ]


def _symbol(explanation: TextAnalysis, code: int) -> str:
    return code_name(explanation.model.vocabulary, code)


def _numbers(values: Any) -> list[float | None]:
    """Numbers that JSON knows: rounded, null for what is none."""
    return [round(each, DIGITS) if math.isfinite(each) else None for each in values.tolist()]
