"""Visible forms of characters on a terminal, for spaces, line ends and controls too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nextchar.formatting import visible_text
from nextchar.formatting.visible_text import code_name
from nextchar.generation.interactive.character_classes import character_sizes
from nextchar.generation.interactive.symbols import Symbol
from nextchar.settings.groups import RESERVED
from nextchar.text.vocabulary import Vocabulary


@dataclass(frozen=True)
class Glyph:
    """The visible form of a character. logprob: total of its codes."""

    shown: str
    logprob: float
    ends_line: bool = False


def label(vocabulary: Vocabulary, code: int) -> str:
    """The visible form of a code in a list."""
    return visible(code_name(vocabulary, code))


def visible(character: str) -> str:
    """A form of a character that has a width; control characters are single symbols."""
    shown = visible_text.visible(character)
    if not shown.startswith("U+"):
        return shown
    if character < " ":
        return chr(0x2400 + ord(character))  # ␀ and so on
    return "␡" if character == "\x7f" else f"<{ord(character):X}>"


def glyphs(vocabulary: Vocabulary, symbols: Sequence[Symbol]) -> Iterator[Glyph]:
    """The characters of a text."""
    if not vocabulary.is_bytes:
        text = vocabulary.decode([each.code for each in symbols])
        for character, symbol in zip(text, symbols, strict=True):
            yield _glyph(character, symbol.logprob)
        return
    data = bytes(each.code for each in symbols)
    place = 0
    for size in character_sizes(data):
        logprob = sum(each.logprob for each in symbols[place : place + size])
        yield _glyph(data[place : place + size].decode("utf-8", "replace"), logprob)
        place += size


def _glyph(character: str, logprob: float) -> Glyph:
    is_plain = character == " " or visible_text.is_combining(character)
    shown = character if is_plain else visible(character)  # marks join the character before them
    return Glyph(shown, logprob, character in ("\n", RESERVED))
