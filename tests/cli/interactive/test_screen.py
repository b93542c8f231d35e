"""Screen of interactive writing, at any size."""

from __future__ import annotations

import math

import pytest
from prompt_toolkit.utils import get_cwidth

from nextchar.cli.interactive.controller import Controller
from nextchar.cli.interactive.screen import HELP, screen, wrapped
from nextchar.cli.output.terminal_glyphs import Glyph, glyphs, label, visible
from nextchar.generation.generation_settings import GenerationSettings
from nextchar.generation.interactive.symbols import Symbol
from nextchar.generation.interactive.writing_session import WritingSession
from nextchar.generation.requests import make_request
from nextchar.model.file import Model
from nextchar.settings.groups import RESERVED
from nextchar.text.vocabulary import Vocabulary


def text_of(rows: list[list[tuple[str, str]]]) -> list[str]:
    return ["".join(text for _, text in row) for row in rows]


@pytest.mark.parametrize(("height", "width"), [(24, 80), (12, 40), (60, 200), (5, 11), (3, 8)])
def test_every_row_fits_the_terminal(small_model: Model, height: int, width: int) -> None:
    request = make_request(small_model, "It was the best\n" * 9, GenerationSettings(), seed=1)
    with WritingSession(small_model, request) as session:
        controller = Controller(session, "model.safetensors")
        for show in ("text", "settings", "help", "question"):
            if show == "settings":
                session.change(top_k=5, top_p=0.5, temperature=0.25)
                controller.message = "a long message " * 9
            if show == "help":
                controller.toggle_help()
            if show == "question":
                controller.dismiss()
                controller.ask_file()
                controller.type("x" * 300 + "今")
            made = screen(controller, height, width, get_cwidth)
            assert height <= 3 or len(made.rows) == height
            assert all(get_cwidth(row) <= width for row in text_of(made.rows))
        assert "今▏" in text_of(made.rows)[-1]


def test_help_fits_forty_columns() -> None:
    assert all(get_cwidth(line) <= 40 for line in HELP)


def test_wide_characters_are_never_cut_in_two() -> None:
    text = [Glyph(each, math.nan) for each in "a今日は"]
    assert text_of(wrapped(text, 4, get_cwidth)) == ["a今", "日は", ""]
    assert text_of(wrapped(text, 5, get_cwidth)) == ["a今日", "は"]


def test_shading_says_how_probable_a_character_was() -> None:
    text = [Glyph("x", math.log(p)) for p in (0.9, 0.3, 0.03, 0.003)] + [Glyph("y", math.nan)]
    assert [style for style, _ in wrapped(text, 9, get_cwidth)[0]] == [
        "",
        "class:likely",
        "class:unlikely",
        "class:surprising",
        "",
    ]


@pytest.mark.parametrize(
    ("character", "shown"),
    [
        (" ", "␣"),
        ("\n", "↵"),
        ("\t", "⇥"),
        (RESERVED, "■"),
        ("\x00", "␀"),
        ("\x1b", "␛"),
        ("\x7f", "␡"),
        ("\N{NO-BREAK SPACE}", "<A0>"),
        ("\N{ZERO WIDTH JOINER}", "<200D>"),
        ("\N{COMBINING ACUTE ACCENT}", "◌\N{COMBINING ACUTE ACCENT}"),
        ("\ud83d", "<D83D>"),
        ("今", "今"),
    ],
)
def test_what_has_no_width_is_shown_all_the_same(character: str, shown: str) -> None:
    assert visible(character) == shown


def test_bytes_are_shown_as_the_characters_that_they_make() -> None:
    vocabulary = Vocabulary(is_bytes=True)
    symbols = [Symbol(code, -1.0) for code in "é今\n".encode() + b"\xffa\xe4"]
    assert [(each.shown, each.logprob) for each in glyphs(vocabulary, symbols)] == [
        ("é", -2),
        ("今", -3),
        ("↵", -1),
        ("\N{REPLACEMENT CHARACTER}", -1),
        ("a", -1),
        ("\N{REPLACEMENT CHARACTER}", -1),
    ]
    assert [label(vocabulary, code) for code in (32, 65, 0xE4)] == ["␣", "A", "\\xe4"]


def test_long_texts_are_shown_from_a_line_near_their_end(small_model: Model) -> None:
    prompt = "It was\n" * 2000 + "the age"
    with WritingSession(
        small_model, make_request(small_model, prompt, GenerationSettings(), seed=1)
    ) as s:
        made = screen(Controller(s, "x"), 12, 40, get_cwidth)
        assert text_of(made.rows)[1:6] == ["It was↵"] * 4 + ["the age"]
        assert made.cursor == (5, 7)
