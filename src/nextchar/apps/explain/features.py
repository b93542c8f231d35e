"""What can be named at each character of a text: that it is in quotes, in brackets, in a word.

Each function says it of the moment after a character was read, as a hidden unit's activation
is: the opening quote is inside, the closing one is outside again. Whatever can be left open by
a slip (a quote, a bracket) ends with the paragraph, so that one slip does not turn the rest of
the text inside out.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextchar.text.vocabulary import points_of

Values = NDArray[np.float32]

OPENING, CLOSING = "([{", ")]}"
QUOTES = {"“": "”", "„": "“”", "«": "»", "「": "」", "『": "』"}  # opening → what closes it
ENDS_SENTENCE = ".!?。！？"
_PARAGRAPH = re.compile(r"\n[ \t\r]*\n")
_STRING = re.compile(
    r"""(?P<comment>\#[^\n]*|//[^\n]*|/\*.*?(?:\*/|\Z))"""
    r"""|(?P<string>\"\"\".*?(?:\"\"\"|\Z)|'''.*?(?:'''|\Z)"""
    r"""|"(?:\\.|[^"\\\n])*"|(?<!\w)'(?:\\.|[^'\\\n])*'(?!\w))""",
    re.DOTALL,
)
_URL = re.compile(r"(?:https?|ftp)://[^\s<>\"')\]}]+|www\.[^\s<>\"')\]}]+")
_TAG = re.compile(r"</?[A-Za-z!?][^<>\n]*>")


@dataclass(frozen=True)
class Feature:
    """Something nameable. values: (N,) float32, by character; 0 and 1 only where is_switch."""

    name: str
    values: Values
    is_switch: bool


def features(text: str) -> list[Feature]:
    """All of them, of a text."""
    made = [(name, function(text), True) for name, function in SWITCHES.items()]
    made += [(name, function(text), False) for name, function in AMOUNTS.items()]
    return [Feature(name, values.astype(np.float32), switch) for name, values, switch in made]


def inside_quotes(text: str) -> Values:
    """Between double quotes, straight or curly, or the angled and cornered ones."""
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
    """How many round, square and curly brackets are open."""
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
    """How many characters of the line were read; 0 after its end."""
    return _since(_is(text, "\n"))


def indentation(text: str) -> Values:
    """How many blanks and tabs the line began with, so far."""
    blank, position = _is(text, " \t"), position_in_line(text)
    return _held(np.asarray(_leading(blank, position) * position), position)


def position_in_word(text: str) -> Values:
    """How many letters of the word were read; 0 outside of one."""
    letter = _each(text, str.isalpha)
    return np.asarray(_since(~letter) * letter)


def lines_since_blank(text: str) -> Values:
    """How many lines were begun since the last blank one."""
    newline = _is(text, "\n")
    blank = newline & (np.concatenate([[True], newline[:-1]]))
    lines = np.cumsum(newline)
    at_blank = np.maximum.accumulate(np.where(blank, lines, 0)) if len(text) else lines
    return (lines - at_blank).astype(np.float32)


def in_indentation(text: str) -> Values:
    """Only blanks and tabs of the line were read, at least one."""
    position = position_in_line(text)
    return _leading(_is(text, " \t"), position)


def all_capitals(text: str) -> Values:
    """In a word that was all capitals so far, two at the least."""
    upper, letter = _each(text, str.isupper), _each(text, str.isalpha)
    run, word = _since(~upper) * upper, _since(~letter) * letter
    return np.asarray((run >= 2) & (run == word), np.float32)


def first_line(text: str) -> Values:
    """In the first line after a blank one."""
    first, begun = lines_since_blank(text) == 0, position_in_line(text) > 0
    return np.asarray(first & begun, np.float32)


def after_sentence(text: str) -> Values:
    """A sentence ended and the next one has not begun."""
    ended = _is(text, ENDS_SENTENCE)
    return _since_kept(ended, _each(text, str.isalnum))


def comment(text: str) -> Values:
    """In a comment of program code: # or // up to the line's end, /* … */."""
    return _spans(text, _STRING, "comment", closes=False)


def string(text: str) -> Values:
    """In a string of program code."""
    return _spans(text, _STRING, "string")


def url(text: str) -> Values:
    """In a web address."""
    return _spans(text, _URL, 0, closes=False)


def tag(text: str) -> Values:
    """In a tag such as <a href="…">."""
    return _spans(text, _TAG, 0)


SWITCHES: dict[str, Callable[[str], Values]] = {
    "inside quotes": inside_quotes,
    "inside brackets": lambda text: (bracket_depth(text) > 0).astype(np.float32),
    "in a string of code": string,
    "in a comment": comment,
    "in a web address": url,
    "in a tag": tag,
    "in the indentation": in_indentation,
    "in the first line of a paragraph": first_line,
    "after a sentence": after_sentence,
    "inside a word": lambda text: _each(text, str.isalpha).astype(np.float32),
    "capital letter": lambda text: _each(text, str.isupper).astype(np.float32),
    "word in capitals": all_capitals,
    "digit": lambda text: _each(text, str.isdigit).astype(np.float32),
    "vowel": lambda text: _is(text, "aeiouyAEIOUY").astype(np.float32),
    "punctuation": lambda text: _is(text, ".,;:!?…。，、；：！？").astype(np.float32),
    "space": lambda text: _is(text, " ").astype(np.float32),
    "after a newline": lambda text: _is(text, "\n").astype(np.float32),
    "not ASCII": lambda text: (points_of(text) > 127).astype(np.float32),
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
    """How many characters ago `reset` was last true; the text begins after one."""
    place = np.arange(1, len(reset) + 1)
    last = np.maximum.accumulate(np.where(reset, place, 0)) if len(reset) else place
    return (place - last).astype(np.float32)


def _since_kept(begin: NDArray[np.bool_], end: NDArray[np.bool_]) -> Values:
    """1 from where `begin` is true until `end` is."""
    place = np.arange(1, len(begin) + 1)
    if not len(begin):
        return place.astype(np.float32)
    began = np.maximum.accumulate(np.where(begin, place, 0))
    ended = np.maximum.accumulate(np.where(end, place, 0))
    return (began > ended).astype(np.float32)


def _leading(blank: NDArray[np.bool_], position: Values) -> Values:
    """1 while all of a line's characters so far were blank."""
    other = ~blank & (position > 0)
    since_other = _since(other)
    return ((since_other >= np.maximum(position, 1)) & (position > 0)).astype(np.float32)


def _held(values: Values, position: Values) -> Values:
    """The largest value of the line so far."""
    held = values.copy()
    for n in range(1, len(held)):
        if position[n] > 0:
            held[n] = max(held[n], held[n - 1])
    return held


def _paragraph_ends(text: str) -> set[int]:
    return {match.end() - 1 for match in _PARAGRAPH.finditer(text)}


def _spans(text: str, pattern: re.Pattern[str], group: str | int, *, closes: bool = True) -> Values:
    """1 within the matches of a group; their last character is outside where it closes them."""
    inside = np.zeros(len(text), np.float32)
    for match in pattern.finditer(text):
        if match.start(group) >= 0:
            inside[match.start(group) : match.end(group) - closes] = 1
    return inside
