"""Page of a text analysis, and the frames that a notebook shows."""

from __future__ import annotations

from functools import cache
from html import escape
from pathlib import Path

from nextchar.apps.explain.render.page_context import memory_section
from nextchar.apps.explain.render.page_embeddings import symbols_section
from nextchar.apps.explain.render.page_neurons import neurons_section
from nextchar.apps.explain.render.shading import guesses_text, level_boxes, percent, surprise_text
from nextchar.apps.explain.text_analysis import Surprising, TextAnalysis
from nextchar.apps.html.markup import tag
from nextchar.apps.html.template import card, framed, page, section
from nextchar.formatting.visible_text import visible
from nextchar.settings.fields import require_known

_HEIGHT = 560  # pixels of the tallest frame


def page_of(analysis: TextAnalysis) -> str:
    """Return the whole page."""
    return page(
        f"Explanation of {analysis.name} on {analysis.title}",
        score_figures(analysis) + "".join(part(analysis) for part in SECTIONS.values()),
        subtitle=escape(model_description(analysis)),
        more_style=_file("explain.css"),
        script=_file("../../html/tooltip.js") + _file("explain.js"),
    )


def section_frame(analysis: TextAnalysis, name: str) -> str:
    """Return a section of the page in a frame, which isolates its style."""
    require_known(name, SECTIONS, "part of an explanation")
    script = _file("../../html/tooltip.js") + _file("explain.js")
    return framed(SECTIONS[name](analysis), name, _HEIGHT, _file("explain.css"), script)


def summary_frame(analysis: TextAnalysis) -> str:
    """Return the score and the shaded text in a frame."""
    text = analysis.model.vocabulary.decode(analysis.shown.codes)
    lines = sum(1 + len(line) // 90 for line in text.split("\n"))
    body, height = score_figures(analysis) + surprise_card(analysis), 190 + 20 * lines
    script = _file("explain.js")
    return framed(body, "surprise", min(height, _HEIGHT), _file("explain.css"), script)


def model_description(analysis: TextAnalysis) -> str:
    """Return the model's network and vocabulary in a line."""
    architecture, vocabulary = analysis.model.architecture, analysis.model.vocabulary
    network = architecture.settings
    return (
        f"{network.cell.upper()}, {network.num_layers} × {network.hidden_size} units, "
        f"{architecture.size:,} parameters, "
        f"{len(vocabulary)} {'bytes' if vocabulary.is_bytes else 'characters'}"
    )


def score_figures(analysis: TextAnalysis) -> str:
    """Return the figures of `nextchar eval`."""
    score = analysis.score
    entries = [
        (f"{score.bits_per_char:.3f}", "bits per character"),
        (f"{score.perplexity:.2f}", "perplexity"),
        (f"{100 * score.accuracy:.1f} %", "were the first guess"),
        (f"{score.characters:,}", "characters predicted"),
    ]
    if analysis.text.left_out:
        entries.append((f"{analysis.text.left_out:,}", "unknown, skipped"))
    cells = "".join(tag("div", tag("strong", a) + tag("span", escape(b))) for a, b in entries)
    return tag("div", cells, class_="figures")


def surprise_section(analysis: TextAnalysis) -> str:
    """Return the shaded beginning of the text and its most surprising characters."""
    about = (
        "Each character is shaded by its surprisal: −log₂ of its predicted probability, in bits. "
        "One bit more is half as probable. Point at a character, or tap it, to see the predictions "
        "at its position."
    )
    note = "Line and column, the character and its bits, and the predictions there."
    places = "".join(_list_item(analysis, each) for each in analysis.worst)
    listed = card(
        tag("h3", "The most surprising characters"),
        tag("p", note, class_="note"),
        tag("ol", places, class_="places"),
    )
    parts = (surprise_card(analysis), listed if analysis.worst else "")
    return section("Surprise", *parts, about=about)


def surprise_card(analysis: TextAnalysis) -> str:
    """Return the shaded beginning of the text."""
    total, shown = len(analysis.text.codes), len(analysis.shown.codes)
    note = "" if shown == total else f"The first {shown:,} of {total:,}."
    text = surprise_text(analysis.model.vocabulary, analysis.shown)
    scale = tag("div", f"{level_boxes()}<span>bits</span>", class_="scale shaded")
    return card(scale, tag("p", note, class_="note") if note else "", _shaded(text, "tall"))


def _shaded(text: str, more: str = "") -> str:
    return tag("div", text, class_=f"text shaded {more}".strip())


def _list_item(analysis: TextAnalysis, surprising: Surprising) -> str:
    """Return a list item for a surprising character: position, passage and predictions."""
    vocabulary, passage, index = analysis.model.vocabulary, surprising.passage, surprising.index
    character = vocabulary.decode(passage.codes[index : index + 1]) or " "
    guesses = guesses_text(vocabulary, passage.guesses[index], passage.chances[index])
    head = (
        f"{tag('span', escape(str(surprising.where)), class_='where')} · "
        f"{escape(visible(character[0]))} · {surprising.bits:.1f} bits "
        f"({percent(2.0**-surprising.bits)})"
    )
    text = _shaded(surprise_text(vocabulary, passage, index))
    return tag("li", head + text + tag("p", f"predicted: {escape(guesses)}", class_="note"))


@cache
def _file(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


SECTIONS = {
    "surprise": surprise_section,
    "neurons": neurons_section,
    "memory": memory_section,
    "characters": symbols_section,
}
