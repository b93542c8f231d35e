"""How characters are shown on a terminal: spaces, line ends and what has no width among them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nextchar.formatting import visible_text
from nextchar.formatting.visible_text import code_name
from nextchar.generation.interactive.character_classes import character_sizes
from nextchar.generation.interactive.symbols import Symbol
from nextchar.settings.config import RESERVED
from nextchar.text.vocabulary import Vocabulary


@dataclass(frozen=True)
class Glyph:
    """A character of a text as it is shown. logprob: of all its codes together."""

    shown: str
    logprob: float
    ends_line: bool = False


def label(vocabulary: Vocabulary, code: int) -> str:
    """A code in a list of codes, where a space is to be seen."""
    return visible(code_name(vocabulary, code))


def visible(character: str) -> str:
    """A character as something that has a width."""
    shown = visible_text.visible(character)
    if not shown.startswith("U+"):
        return shown
    if character < " ":
        return chr(0x2400 + ord(character))  # ␀ and so on
    return "␡" if character == "\x7f" else f"<{ord(character):X}>"


def glyphs(vocabulary: Vocabulary, symbols: Sequence[Symbol]) -> Iterator[Glyph]:
    """A text, character by character."""
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
    shown = character if is_plain else visible(character)  # marks join what is before them
    return Glyph(shown, logprob, character in ("\n", RESERVED))
