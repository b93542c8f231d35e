"""Features of each character of a text, such as inside quotes or position in the word.

A value belongs to the moment after the character was read, as a hidden unit's activation does: an
opening quote is inside, a closing one is outside. Quotes and brackets also end with the paragraph,
so that one unbalanced mark does not invert the feature for the rest of the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextchar.text.vocabulary import points_of

Values = NDArray[Any]  # (N,) numbers or bool

OPENING, CLOSING = "([{", ")]}"
QUOTES = {"“": "”", "„": "“”", "«": "»", "「": "」", "『": "』"}  # opening → closing
ENDS_SENTENCE = ".!?。！？"
_PARAGRAPH = re.compile(r"\n[ \t\r]*\n")
_STRING = re.compile(  # and comments of program code: # or // up to the end of the line, /* … */
    r"""(?P<comment>\#[^\n]*|//[^\n]*|/\*.*?(?:\*/|\Z))"""
    r"""|(?P<string>\"\"\".*?(?:\"\"\"|\Z)|'''.*?(?:'''|\Z)"""
    r"""|"(?:\\.|[^"\\\n])*"|(?<!\w)'(?:\\.|[^'\\\n])*'(?!\w))""",
    re.DOTALL,
)
_URL = re.compile(r"(?:https?|ftp)://[^\s<>\"')\]}]+|www\.[^\s<>\"')\]}]+")
_TAG = re.compile(r"</?[A-Za-z!?][^<>\n]*>")  # such as <a href="…">


@dataclass(frozen=True)
class Feature:
    """A feature. values: (N,) float32, one for each character, 0 or 1 if is_switch."""

    name: str
    values: NDArray[np.float32]
    is_switch: bool


def features(text: str) -> list[Feature]:
    """Compute all features of a text."""
    return [
        Feature(name, function(text).astype(np.float32), is_switch=name in SWITCHES)
        for name, function in (SWITCHES | AMOUNTS).items()
    ]


def inside_quotes(text: str) -> Values:
    """1 between double quotes: straight, curly, angled or corner brackets."""
    inside = np.zeros(len(text), np.float32)
    closing = ""
    ends = _paragraph_ends(text)
    for n, character in enumerate(text):
        if n in ends:
            closing = ""
        elif closing:
            closing = "" if character in closing else closing
        elif character == '"':
            closing = '"'
        else:
            closing = QUOTES.get(character, "")
        inside[n] = bool(closing)
    return inside


def bracket_depth(text: str) -> Values:
    """Number of open round, square and curly brackets."""
    depth = np.zeros(len(text), np.float32)
    open_ones: list[str] = []
    ends = _paragraph_ends(text)
    for n, character in enumerate(text):
        if n in ends:
            open_ones = []
        elif character in OPENING:
            open_ones.append(CLOSING[OPENING.index(character)])
        elif open_ones and character == open_ones[-1]:
            open_ones.pop()
        depth[n] = len(open_ones)
    return depth


def position_in_line(text: str) -> Values:
    """Number of characters read of the line; 0 after its end."""
    return _since(_is(text, "\n"))


def indentation(text: str) -> Values:
    """Number of blanks and tabs at the beginning of the line, as far as it is read."""
    position = position_in_line(text)
    line = np.cumsum(position == 0) * (len(text) + 1)  # above all positions of earlier lines
    return np.asarray(np.maximum.accumulate(in_indentation(text) * position + line) - line)


def position_in_word(text: str) -> Values:
    """Number of letters read of the word; 0 outside words."""
    letter = _each(text, str.isalpha)
    return _since(~letter) * letter


def lines_since_blank(text: str) -> Values:
    """Number of lines begun since the last blank one."""
    newline = _is(text, "\n")
    blank = newline & (np.concatenate([[True], newline[:-1]]))
    lines = np.cumsum(newline)
    return lines - np.maximum.accumulate(np.where(blank, lines, 0))


def in_indentation(text: str) -> Values:
    """1 while only blanks and tabs of the line were read, at least one."""
    position = position_in_line(text)
    other = ~_is(text, " \t") & (position > 0)
    return (_since(other) >= np.maximum(position, 1)) & (position > 0)


def all_capitals(text: str) -> Values:
    """1 in a word of at least two letters, all of them capitals so far."""
    upper, letter = _each(text, str.isupper), _each(text, str.isalpha)
    run, word = _since(~upper) * upper, _since(~letter) * letter
    return np.asarray((run >= 2) & (run == word))


def first_line(text: str) -> Values:
    """1 in the first line after a blank one."""
    return np.asarray((lines_since_blank(text) == 0) & (position_in_line(text) > 0))


def after_sentence(text: str) -> Values:
    """1 between the end of a sentence and the first letter or digit of the next one."""
    return _since(_is(text, ENDS_SENTENCE)) < _since(_each(text, str.isalnum))


SWITCHES: dict[str, Callable[[str], Values]] = {
    "inside quotes": inside_quotes,
    "inside brackets": lambda text: bracket_depth(text) > 0,
    "in a string of code": lambda text: _spans(text, _STRING, "string"),
    "in a comment": lambda text: _spans(text, _STRING, "comment", closes=False),
    "in a web address": lambda text: _spans(text, _URL, 0, closes=False),
    "in a tag": lambda text: _spans(text, _TAG, 0),
    "in the indentation": in_indentation,
    "in the first line of a paragraph": first_line,
    "after a sentence": after_sentence,
    "inside a word": lambda text: _each(text, str.isalpha),
    "capital letter": lambda text: _each(text, str.isupper),
    "word in capitals": all_capitals,
    "digit": lambda text: _each(text, str.isdigit),
    "vowel": lambda text: _is(text, "aeiouyAEIOUY"),
    "punctuation": lambda text: _is(text, ".,;:!?…。，、；：！？"),
    "space": lambda text: _is(text, " "),
    "after a newline": lambda text: _is(text, "\n"),
    "not ASCII": lambda text: points_of(text) > 127,
}
AMOUNTS: dict[str, Callable[[str], Values]] = {
    "depth of brackets": bracket_depth,
    "position in the line": position_in_line,
    "indentation of the line": indentation,
    "position in the word": position_in_word,
    "lines since a blank line": lines_since_blank,
}


def _is(text: str, characters: str) -> NDArray[np.bool_]:
    return np.isin(points_of(text), points_of(characters))


def _each(text: str, test: Callable[[str], bool]) -> NDArray[np.bool_]:
    return np.fromiter(map(test, text), bool, len(text))


def _since(reset: NDArray[np.bool_]) -> Values:
    """Number of characters since `reset` was last true; the text begins after a reset."""
    place = np.arange(1, len(reset) + 1)
    return place - np.maximum.accumulate(np.where(reset, place, 0))


def _paragraph_ends(text: str) -> set[int]:
    """Indices of the last characters of paragraph breaks."""
    return {match.end() - 1 for match in _PARAGRAPH.finditer(text)}


def _spans(text: str, pattern: re.Pattern[str], group: str | int, *, closes: bool = True) -> Values:
    """1 within the matches of a group. closes: their last character counts as outside."""
    inside = np.zeros(len(text), np.float32)
    for match in pattern.finditer(text):
        if match.start(group) >= 0:
            inside[match.start(group) : match.end(group) - closes] = 1
    return inside
