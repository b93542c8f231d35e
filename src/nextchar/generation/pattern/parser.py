"""A regular expression as a tree whose nodes know where they stand in it.

The tree is what Python's own parser makes of it, so that nothing is understood otherwise than `re`
does. That parser keeps no places, but hands each node to a list, and where it stands in the text
by then is where the node ends.
"""

from __future__ import annotations

import re
import warnings
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from types import FunctionType
from typing import Any

from nextchar.errors import SettingsError, in_one_line

MOST_CHARACTERS = 20_000
MOST_SHOWN = 60  # characters of a piece in a message

ATOMS = (sre.LITERAL, sre.NOT_LITERAL, sre.ANY, sre.IN)
REPEATS = (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT)
_TYPES = re.ASCII | re.LOCALE | re.UNICODE  # a group that sets one of them unsets the others
_NO_PIECE = re.compile(r"(?:\(\?[aiLmsux]+\)|\(\?#[^)]*\))*")
_NO_PIECE_IN_VERBOSE = re.compile(r"(?:\(\?[aiLmsux]+\)|\(\?#[^)]*\)|\s+|#[^\n]*\n)*")


class PatternNode(tuple[Any, Any]):
    """What the parser makes, operation and argument, and from where to where it stands."""

    start: int
    end: int


def parse(pattern: str) -> tuple[list[PatternNode], int]:
    """The nodes of a pattern, one after another, and the flags that hold in all of it.

    Raises SettingsError with the position of a mistake.
    """
    if not isinstance(pattern, str):
        raise SettingsError(f"pattern: wants a text, got {pattern!r}")
    if len(pattern) > MOST_CHARACTERS:
        raise SettingsError(
            f"pattern: wants at most {MOST_CHARACTERS:,} characters, got {len(pattern):,}"
        )
    try:
        with warnings.catch_warnings():  # of what a later Python might take for something else
            warnings.simplefilter("ignore")
            flags = _parser.parse(pattern).state.flags
            return _placed(pattern), flags
    except re.error as error:
        where = "" if error.pos is None else f" at position {error.pos}"
        raise SettingsError(f"pattern: {error.msg}{where}") from None
    except (OverflowError, ValueError) as error:
        raise SettingsError(f"pattern: {in_one_line(error)}") from None


def flags_within(flags: int, added: int, removed: int) -> int:
    """The flags in a group that adds and removes some."""
    if added & _TYPES:
        flags &= ~_TYPES
    return (flags | added) & ~removed


def never(node: PatternNode) -> bool:
    """Whether a node matches nothing: `(?!)`, which Python's versions parse in two ways."""
    kind, argument = node
    return kind is sre.FAILURE or (kind is sre.ASSERT_NOT and not len(argument[1]))


def piece(pattern: str, node: PatternNode, flags: int) -> str:
    """`at position 4, '[0-9]{4}'`: where a node stands and what is there."""
    skip = _NO_PIECE_IN_VERBOSE if flags & re.VERBOSE else _NO_PIECE
    found = skip.match(pattern, node.start, node.end)
    start = found.end() if found and found.end() < node.end else node.start
    text = pattern[start : node.end]
    if len(text) > MOST_SHOWN:
        text = f"{text[:MOST_SHOWN]}…"
    return f"at position {start}, " + (f"'{text}'" if text.isprintable() else repr(text))


class _Tracked(_parser.SubPattern):  # type: ignore[misc]
    """The parser's list of nodes, which gives each one its place."""

    def __init__(self, state: Any, data: Any = None) -> None:
        super().__init__(state, data)
        self._from = state.source.tell()

    def append(self, code: Any) -> None:
        super().append(self._node(code, self._from))
        self._from = self.state.source.tell()

    def __setitem__(self, index: Any, code: Any) -> None:
        if isinstance(index, int):  # a repeat takes the place of what it repeats
            code = self._node(tuple(code), self.data[index].start)
            self._from = code.end
        super().__setitem__(index, code)

    def _node(self, code: Any, start: int) -> PatternNode:
        if isinstance(code, PatternNode):  # what all alternatives began with, moved before them
            return code
        node = PatternNode(code)
        node.start, node.end = start, self.state.source.tell()
        return node


def _placed(pattern: str) -> list[PatternNode]:
    """The tree once more: the parser's functions as they are, with our list for theirs."""
    names = {**vars(_parser), "SubPattern": _Tracked}
    names["_parse"] = FunctionType(
        _parser._parse.__code__, names, None, _parser._parse.__defaults__
    )
    alternatives = FunctionType(_parser._parse_sub.__code__, names)

    def parse_sub(source: Any, state: Any, verbose: Any, nested: int) -> Any:
        start = source.tell()
        made = alternatives(source, state, verbose, nested)
        if made.data and made.data[-1].start == made.data[-1].end:  # made when all were read
            made.data[-1].start = start
        return made

    names["_parse_sub"] = parse_sub
    source, state = _parser.Tokenizer(pattern), _parser.State()
    state.str, state.source = pattern, source
    nodes: list[PatternNode] = parse_sub(source, state, 0, 0).data
    return nodes
