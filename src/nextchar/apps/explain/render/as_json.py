"""Text analysis as JSON: the figures of the page."""

from __future__ import annotations

import math
from typing import Any

from nextchar.apps.evaluate import as_json
from nextchar.apps.explain.neurons import Match
from nextchar.apps.explain.surprise import Passage
from nextchar.apps.explain.text_analysis import Surprising, TextAnalysis
from nextchar.formatting.units import to_bits
from nextchar.formatting.visible_text import code_name

DIGITS = 6  # after the decimal point


def to_json(analysis: TextAnalysis) -> dict[str, Any]:
    """Return the score as `nextchar eval --json` does; then surprise, neurons, memory, symbols."""
    return {
        **as_json(analysis.score, analysis.text.left_out),
        "surprise": {
            "text": analysis.model.vocabulary.decode(analysis.shown.codes),
            "bits": _numbers(analysis.shown.bits),
            "worst": [_worst(analysis, each) for each in analysis.worst],
        },
        "neurons": _neurons(analysis),
        "memory": _memory(analysis),
        "symbols": _symbols(analysis),
    }


def _worst(analysis: TextAnalysis, surprising: Surprising) -> dict[str, Any]:
    passage, decode = surprising.passage, analysis.model.vocabulary.decode
    return {
        **({"file": surprising.where.name} if surprising.where.name else {}),
        "line": surprising.where.line,
        "column": surprising.where.column,
        "character": decode(passage.codes[surprising.index : surprising.index + 1]),
        "bits": round(surprising.bits, DIGITS),
        "before": decode(passage.codes[: surprising.index]),
        "after": decode(passage.codes[surprising.index + 1 :]),
        "expected": _expected(analysis, passage, surprising.index),
    }


def _expected(analysis: TextAnalysis, passage: Passage, index: int) -> list[dict[str, Any]]:
    return [
        {"character": _symbol(analysis, int(code)), "probability": round(float(p), DIGITS)}
        for code, p in zip(passage.guesses[index], passage.chances[index], strict=True)
    ]


def _neurons(analysis: TextAnalysis) -> dict[str, Any]:
    neurons = analysis.neurons

    def match_json(match: Match) -> dict[str, Any]:
        unit = neurons.units[match.unit]
        return {
            "layer": unit.layer,
            "unit": unit.number,
            "part": unit.part,
            "feature": neurons.features[match.feature].name,
            "score": round(match.score, DIGITS),
            "first_half": round(match.first, DIGITS),
        }

    return {
        "characters": len(neurons.activations),
        "features": [
            {**match_json(match), "chance": round(neurons.chance[match.feature], DIGITS)}
            for match in neurons.best
        ],
        "too_rare": neurons.rare,
        "units": [match_json(match) for match in neurons.matches],
    }


def _memory(analysis: TextAnalysis) -> dict[str, Any]:
    memory = analysis.memory
    return {
        "influence": {
            "places": memory.influence.places,
            "distance": memory.influence.distances.tolist(),
            "replaced_bits": _numbers(memory.influence.replaced),
            "deleted_bits": _numbers(memory.influence.deleted),
        },
        "context": {
            "characters": memory.context.positions,
            "length": list(memory.context.lengths),
            "bits_per_char": _numbers(to_bits(memory.context.loss)),
            "all": round(to_bits(memory.context.full_loss), DIGITS),
        },
        "at": {
            "line": memory.where.line,
            "column": memory.where.column,
            "read": analysis.model.vocabulary.decode(memory.read),
            "influence_bits": _numbers(memory.look.influence),
        },
    }


def _symbols(analysis: TextAnalysis) -> list[dict[str, Any]]:
    symbols = analysis.symbols
    rows = zip(symbols.codes, symbols.map, symbols.neighbours, symbols.cosines, strict=True)
    return [
        {
            "character": _symbol(analysis, int(code)),
            "map": _numbers(place),
            "near": [_symbol(analysis, int(other)) for other in near],
            "cosine": _numbers(cosines),
        }
        for code, place, near, cosines in rows
    ]


def _symbol(analysis: TextAnalysis, code: int) -> str:
    return code_name(analysis.model.vocabulary, code)


def _numbers(values: Any) -> list[float | None]:
    """Return rounded numbers, None for NaN and infinity, which JSON lacks."""
    return [round(each, DIGITS) if math.isfinite(each) else None for each in values.tolist()]
