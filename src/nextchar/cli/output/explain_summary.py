"""Summary of an explanation, for a terminal or a log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nextchar.apps.explain.code_labels import glyphs
from nextchar.apps.explain.render.shading import guesses_text, level_of
from nextchar.cli.output.colours import shaded
from nextchar.formatting.units import to_bits
from nextchar.formatting.visible_text import visible

if TYPE_CHECKING:
    from nextchar.apps.explain.surprise import Passage
    from nextchar.apps.explain.text_analysis import Surprising, TextAnalysis

TEXT = 1200  # characters shown in colour
AROUND = 24  # characters shown before and after a surprising one


def explain_summary(explanation: TextAnalysis, colours: int) -> str:
    """Score, text, surprising characters, neurons and memory.

    colours: number that the terminal has, 0 for plain text.
    """
    parts = [_score(explanation)]
    if colours:
        parts.append(_text(explanation, explanation.shown, colours))
    parts += [_places(explanation), _neurons(explanation), _memory(explanation)]
    return "\n\n".join(filter(None, parts))


def _score(explanation: TextAnalysis) -> str:
    score = explanation.score
    return (
        f"{score.characters} characters, {score.bits_per_char:.4f} bits each; "
        f"{100 * score.accuracy:.1f} % were the first guess"
    )


def _text(explanation: TextAnalysis, passage: Passage, colours: int) -> str:
    text = glyphs(explanation.model.vocabulary, passage.codes)
    bits = text.sums(passage.bits)[:TEXT]
    shown = [each if each in " \n\t" else visible(each) for each in text.text[:TEXT]]
    scale = shaded([f" {n} " for n in range(10)], range(10), colours)
    return f"bits:{scale}\n\n{shaded(shown, [level_of(each) for each in bits], colours)}"


def _places(explanation: TextAnalysis) -> str:
    lines = [_place(explanation, each) for each in explanation.worst]
    return "\n".join(["the most surprising characters:", *lines]) if lines else ""


def _place(explanation: TextAnalysis, place: Surprising) -> str:
    vocabulary, passage, at = explanation.model.vocabulary, place.passage, place.index
    spans = (max(0, at - AROUND), at), (at, at + 1), (at + 1, at + AROUND)
    before, here, after = (
        "".join(map(visible, glyphs(vocabulary, passage.codes[start:end]).text))
        for start, end in spans
    )
    expected = guesses_text(vocabulary, passage.guesses[at][:3], passage.chances[at][:3])
    context = f"{before}‹{here}›{after}".replace("␣", " ")
    return f"  {place.where!s:>12}  {place.bits:5.1f} bits  {context}   expected {expected}"


def _neurons(explanation: TextAnalysis) -> str:
    neurons = explanation.neurons
    lines = [
        f"  {neurons.features[each.feature].name:<32} {neurons.units[each.unit]!s:<20} "
        f"{each.score:.2f}  (chance {neurons.chance[each.feature]:.2f})"
        for each in neurons.best
        if each.score > neurons.chance[each.feature]
    ]
    return "\n".join(["features that hidden units track, and how well:", *lines]) if lines else ""


def _memory(explanation: TextAnalysis) -> str:
    found = explanation.memory.context
    lines = [
        f"  the last {length:>4}  {bits:.3f} bits"
        for length, bits in zip(found.lengths, to_bits(found.loss).tolist(), strict=True)
    ]
    last = f"  all            {to_bits(found.full_loss):.3f} bits"
    return "\n".join(["loss by context length, in characters:", *lines, last])
