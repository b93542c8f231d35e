"""The page of an explanation, and the piece of it that a notebook shows."""

from __future__ import annotations

from functools import cache
from html import escape
from pathlib import Path

from nextchar.apps.explain.render.page_context import memory_section
from nextchar.apps.explain.render.page_embeddings import symbols_section
from nextchar.apps.explain.render.page_neurons import neurons_section
from nextchar.apps.explain.render.shading import LEVELS, guesses_text, percent, surprise_text
from nextchar.apps.explain.text_analysis import Surprising, TextAnalysis
from nextchar.apps.html.markup import tag
from nextchar.apps.html.template import card, framed, page, section
from nextchar.formatting.visible_text import visible
from nextchar.settings.fields import require_known

_HEIGHT = 560  # pixels, of the largest frame


def page_of(explanation: TextAnalysis) -> str:
    """The whole page."""
    return page(
        f"What {explanation.name} makes of {explanation.title}",
        figures(explanation) + "".join(part(explanation) for part in SECTIONS.values()),
        subtitle=escape(described(explanation)),
        more_style=_file("explain.css"),
        script=_file("../../html/tooltip.js") + _file("explain.js"),
    )


def piece_of(explanation: TextAnalysis, name: str) -> str:
    """A part of the page, in a frame that keeps its style to itself."""
    require_known(name, SECTIONS, "part of an explanation")
    return framed(
        SECTIONS[name](explanation),
        title=name,
        height=_HEIGHT,
        more_style=_file("explain.css"),
        script=_file("../../html/tooltip.js") + _file("explain.js"),
    )


def fragment_of(explanation: TextAnalysis) -> str:
    """The figures and the shaded text, likewise."""
    text = explanation.model.vocabulary.decode(explanation.shown.codes)
    lines = sum(1 + len(line) // 90 for line in text.split("\n"))
    return framed(
        figures(explanation) + surprise_card(explanation),
        title="surprise",
        height=min(_HEIGHT, 190 + 20 * lines),
        more_style=_file("explain.css"),
        script=_file("explain.js"),
    )


def described(explanation: TextAnalysis) -> str:
    """The model in a line."""
    network = explanation.model.architecture.settings
    return (
        f"{network.cell.upper()}, {network.num_layers} × {network.hidden_size} units, "
        f"{explanation.model.architecture.size:,} parameters, "
        f"{len(explanation.model.vocabulary)} "
        f"{'bytes' if explanation.model.vocabulary.is_bytes else 'characters'}"
    )


def figures(explanation: TextAnalysis) -> str:
    """The score, as `nextchar eval` has it."""
    score = explanation.score
    told = [
        (f"{score.bits_per_char:.3f}", "bits per character"),
        (f"{score.perplexity:.2f}", "perplexity"),
        (f"{100 * score.accuracy:.1f} %", "were the first guess"),
        (f"{score.characters:,}", "characters predicted"),
    ]
    if explanation.text.left_out:
        told.append((f"{explanation.text.left_out:,}", "unknown, left out"))
    return tag(
        "div",
        "".join(tag("div", tag("strong", a) + tag("span", escape(b))) for a, b in told),
        class_="figures",
    )


def surprise_section(explanation: TextAnalysis) -> str:
    """The beginning, shaded, and the most surprising places."""
    about = (
        "Each character is shaded by how little the model expected it there: −log₂ of the "
        "probability that it gave it, in bits. One bit more is half as probable. Point at a "
        "character, or tap it, to see what was expected in its place."
    )
    places = "".join(_place(explanation, each) for each in explanation.worst)
    listed = card(
        tag("h3", "The most surprising places"),
        tag(
            "p",
            "Line and column, the character and its bits, and what was expected there.",
            class_="note",
        ),
        tag("ol", places, class_="places"),
    )
    return section(
        "Surprise", surprise_card(explanation), listed if explanation.worst else "", about=about
    )


def surprise_card(explanation: TextAnalysis) -> str:
    """The text's beginning, shaded."""
    total, shown_ones = len(explanation.text.codes), len(explanation.shown.codes)
    note = "" if shown_ones == total else f"The first {shown_ones:,} of {total:,}."
    text = surprise_text(explanation.model.vocabulary, explanation.shown)
    return card(_scale(), tag("p", note, class_="note") if note else "", _shaded(text, "tall"))


def _scale() -> str:
    steps = "".join(
        tag("b", f"{n}+" if n == LEVELS else str(n), class_=f"s{n}" if n else None)
        for n in range(LEVELS + 1)
    )
    return tag("div", f"{steps}<span>bits</span>", class_="scale shaded")


def _shaded(text: str, more: str = "") -> str:
    return tag("div", text, class_=f"text shaded {more}".strip())


def _place(explanation: TextAnalysis, found: Surprising) -> str:
    vocabulary, passage, index = explanation.model.vocabulary, found.passage, found.index
    character = vocabulary.decode(passage.codes[index : index + 1]) or " "
    guesses = guesses_text(
        vocabulary, passage.guesses[index].tolist(), passage.chances[index].tolist()
    )
    head = (
        f"{tag('span', escape(str(found.where)), class_='where')} · "
        f"{escape(visible(character[0]))} · {found.bits:.1f} bits ({percent(2.0**-found.bits)})"
    )
    return tag(
        "li",
        head
        + _shaded(surprise_text(vocabulary, passage, index))
        + tag("p", f"expected: {escape(guesses)}", class_="note"),
    )


@cache
def _file(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


SECTIONS = {
    "surprise": surprise_section,
    "neurons": neurons_section,
    "memory": memory_section,
    "characters": symbols_section,
}
