"""Recursive-descent parser of regular expressions, in the syntax of Python's `re` for text.

    alternatives = sequence ("|" sequence)*
    sequence     = (atom repeat?)*          with comments, and whitespace under (?x), in between
    atom         = character | escape | "[" set "]" | "." | "^" | "$" | "(" … alternatives ")"

Flags are resolved while parsing: each node carries those that hold at its position. Look-around,
back-references and conditional groups are refused, since no finite automaton follows them.
"""

from __future__ import annotations

import re
from itertools import takewhile

from nextchar.errors import SettingsError
from nextchar.generation.pattern import syntax_tree as tree
from nextchar.generation.pattern.assertions import ASSERTIONS, condition_of
from nextchar.generation.pattern.escapes import ESCAPE, ESCAPE_IN_SET, code_point

MOST_CHARACTERS = 20_000

_FLAGS = {"a": re.A, "i": re.I, "m": re.M, "s": re.S, "u": re.U, "x": re.X}
_OF_SET = re.IGNORECASE | re.ASCII

# a backslash escapes the end of a comment, as in `re`
_COMMENT = re.compile(r"\(\?#(?:[^)\\]|\\.)*\)", re.DOTALL)
_SPACE = re.compile(r"[ \t\n\r\v\f]+|#(?:[^\n\\]|\\.)*\n?", re.DOTALL)  # under (?x)
_REPEAT = re.compile(r"(?:([*+?])|\{(?!\})([0-9]*)(?:(,)([0-9]*))?\})([?+]?)")
_BOUNDS = {"*": (0, tree.UNLIMITED), "+": (1, tree.UNLIMITED), "?": (0, 1)}
_GLOBAL_FLAGS = re.compile(r"\(\?([a-zA-Z]+)\)")
_GROUP = re.compile(
    r"\((?!\?)|\(\?(?:"
    r"P<(?P<name>[^>]*)>|P=(?P<reference>[^)]*)\)|\((?P<condition>[^)]*)\)"
    r"|(?P<look><?[=!])|(?P<atomic>>)|(?P<on>[a-zA-Z]*)(?:-(?P<off>[a-zA-Z]*))?:)"
)


def parse(pattern: str) -> tree.Nodes:
    """Return the nodes of a pattern, or raise SettingsError with the position of a mistake."""
    if not isinstance(pattern, str):
        raise tree.pattern_error("must be a text", value=pattern)
    if len(pattern) > MOST_CHARACTERS:
        problem = f"must have at most {MOST_CHARACTERS:,} characters"
        raise tree.pattern_error(problem, value=len(pattern))
    return _Parser(pattern).run()


class _Parser:
    """One pass over a pattern."""

    def __init__(self, pattern: str) -> None:
        self._pattern, self._at = pattern, 0
        self._names: set[str] = set()

    def run(self) -> tree.Nodes:
        """Parse the whole pattern."""
        nodes = self._alternatives(self._global_flags())
        if self._at < len(self._pattern):
            raise self._error("an unmatched )", self._at, r"escape it as \), or open a group")
        return nodes

    def _global_flags(self) -> int:
        """Read the flags at the start, which hold in all of the pattern."""
        flags, on = 0, ""
        self._skip_comments(flags)
        while match := _GLOBAL_FLAGS.match(self._pattern, self._at):
            on += match[1]
            flags = self._flags_within(0, on, None, match)
            self._at = match.end()
            self._skip_comments(flags)
        return flags

    def _alternatives(self, flags: int) -> tree.Nodes:
        start = self._at
        alternatives = [self._sequence(flags)]
        while self._accept("|"):
            alternatives.append(self._sequence(flags))
        return _branch(alternatives, start, self._at)

    def _sequence(self, flags: int) -> list[tree.PatternNode]:
        nodes: list[tree.PatternNode] = []
        while True:
            self._skip_comments(flags)
            if self._peek() in ("", "|", ")"):
                return [each for node in nodes for each in _without_parentheses(node)]
            match = _REPEAT.match(self._pattern, self._at)
            if match is None:
                nodes.append(self._atom(flags))
            else:
                self._at = match.end()
                nodes[-1:] = [self._repeat(nodes[-1] if nodes else None, match)]

    def _repeat(self, node: tree.PatternNode | None, match: re.Match[str]) -> tree.Repeat:
        if node is None or isinstance(node, tree.Assertion):
            remedy = "put something before it, or escape it with a backslash"
            raise self._error("nothing to repeat", match.start(), remedy, match[0])
        if isinstance(node, tree.Repeat):
            remedy = "put the first one into (?:…)"
            raise self._error("a repeat of a repeat", match.start(), remedy, match[0])
        low, high = _BOUNDS.get(match[1]) or _bounds(match)
        if low >= tree.UNLIMITED or (match[4] and high >= tree.UNLIMITED):
            raise self._error("too large a number", match.start(), "repeat fewer times", match[0])
        if low > high:
            remedy = "exchange the two numbers"
            raise self._error("a minimum above its maximum", match.start(), remedy, match[0])
        nodes = _without_parentheses(node)
        return tree.Repeat(node.start, self._at, nodes, low, high, match[5] == "+")

    def _atom(self, flags: int) -> tree.PatternNode:
        start, character = self._at, self._peek()
        if character == "(":
            return self._group(flags)
        if character == "[":
            return self._set(flags)
        if character == ".":
            self._at += 1
            newline = () if flags & re.DOTALL else ((10, 10),)
            return tree.CharacterSet(start, self._at, newline, True, 0)
        symbol = self._pattern[start : start + 2] if character == "\\" else character
        if symbol in ASSERTIONS:
            self._at += len(symbol)
            return tree.Assertion(start, self._at, condition_of(symbol, flags))
        item = self._item(ESCAPE)
        items = (item if isinstance(item, str) else (item, item),)
        return tree.CharacterSet(start, self._at, items, False, flags & _OF_SET)

    def _set(self, flags: int) -> tree.CharacterSet:
        start, items = self._at, list[tree.Item]()
        self._at += 1
        negated = self._accept("^")
        while not (items and self._accept("]")):
            begin, low = self._at, self._item(ESCAPE_IN_SET, start)
            is_range = self._peek() == "-" and self._pattern[self._at + 1 : self._at + 2] != "]"
            if not is_range:
                items.append(low if isinstance(low, str) else (low, low))
                continue
            self._at += 1
            high = self._item(ESCAPE_IN_SET, start)
            if isinstance(low, str) or isinstance(high, str) or low > high:
                remedy = "put the lower character first, or escape the -"
                text = self._pattern[begin : self._at]
                raise self._error("an impossible range", begin, remedy, text)
            items.append((low, high))
        unique = tuple(dict.fromkeys(items))
        return tree.CharacterSet(start, self._at, unique, negated, flags & _OF_SET)

    def _item(self, escape: re.Pattern[str], set_start: int = -1) -> int | str:
        """Read a character or an escape, and return a code point or the name of a class."""
        start, character = self._at, self._peek()
        if character == "":
            raise self._error("a set without ]", set_start, r"close it, or escape the [ as \[")
        self._at += 1
        if character != "\\":
            return ord(character)
        if self._peek() and self._peek() in "dDsSwW":
            self._at += 1
            return self._pattern[start : self._at]
        match = escape.match(self._pattern, start)
        if match and match["reference"] and escape is ESCAPE:
            raise self._not_regular("a back-reference", start, match.end())
        point = None if match is None else code_point(match)
        if match is None or point is None:
            text = self._pattern[start : start + 2]
            raise self._error("an invalid escape", start, "escape the backslash too", text)
        self._at = match.end()
        return point

    def _group(self, flags: int) -> tree.PatternNode:
        start = self._at
        match = _GROUP.match(self._pattern, start)
        if match is None:
            raise self._bad_group(start)
        self._at = match.end()
        if match["reference"] is not None:
            raise self._not_regular("a back-reference", start, self._at)
        if match["name"] is not None:
            self._define(match["name"], start)
        if match["on"] or match["off"] is not None:
            flags = self._flags_within(flags, match["on"], match["off"], match)
        nodes = self._alternatives(flags)
        if not self._accept(")"):
            raise self._error("a group without )", start, r"close it, or escape the ( as \(")
        if match["condition"] is not None:
            raise self._not_regular("a conditional group", start, self._at)
        look = match["look"]
        if look and nodes:
            what = f"a {'negative ' * ('!' in look)}look-{'behind' if '<' in look else 'ahead'}"
            raise self._not_regular(what, start, self._at)
        if look and "!" in look:
            return tree.Never(start, self._at)
        return tree.Group(start, self._at, nodes, match["atomic"] is not None)

    def _define(self, name: str, start: int) -> None:
        if not name.isidentifier() or name in self._names:
            what = "a repeated group name" if name in self._names else "a bad group name"
            raise self._error(what, start, "choose another one, such as (?P<name>…)", name)
        self._names.add(name)

    def _flags_within(self, flags: int, on: str, off: str | None, match: re.Match[str]) -> int:
        """Return the flags after a group has added and removed some."""
        removed = {*(off or "")}
        are_known = {*on} | removed <= _FLAGS.keys() and not {"a", "u"} <= {*on}
        if not are_known or removed & {*on, "a", "u"} or off == "":
            remedy = "use i, m, s, x and one of a and u"
            raise self._error("bad flags", match.start(), remedy, match[0])
        if {"a", "u"} & {*on}:
            flags &= ~re.ASCII
        for letter in on:
            flags |= _FLAGS[letter]
        for letter in removed:
            flags &= ~_FLAGS[letter]
        return int(flags)

    def _skip_comments(self, flags: int) -> None:
        while True:
            match = _COMMENT.match(self._pattern, self._at)
            if match is None and flags & re.VERBOSE:
                match = _SPACE.match(self._pattern, self._at)
            if match is None:
                return
            self._at = match.end()

    def _peek(self) -> str:
        return self._pattern[self._at : self._at + 1]

    def _accept(self, character: str) -> bool:
        is_there = self._peek() == character
        self._at += is_there
        return is_there

    def _bad_group(self, start: int) -> SettingsError:
        match = _GLOBAL_FLAGS.match(self._pattern, start)
        if match:
            remedy = "put them at its start, or write (?i:…)"
            return self._error("flags for the whole pattern", start, remedy, match[0])
        text = self._pattern[start : start + 4]
        if text.startswith("(?#"):
            return self._error("a comment without )", start, "close it")
        return self._error("an unknown kind of group", start, r"escape the ( as \(", text)

    def _not_regular(self, what: str, start: int, end: int) -> SettingsError:
        problem = f"has {what} at position {start}, which cannot be followed while generating"
        return tree.pattern_error(problem, "write the pattern without it", self._pattern[start:end])

    def _error(self, what: str, start: int, remedy: str, text: str = "") -> SettingsError:
        text = text or self._pattern[start : start + 20]
        return tree.pattern_error(f"has {what} at position {start}", remedy, text)


def _bounds(match: re.Match[str]) -> tuple[int, int]:
    """The bounds of `{low,high}`, either of which may be absent."""
    low, high = ((match[n] or "").lstrip("0")[:11] for n in (2, 4))
    lowest = int(low or 0)
    if match[3] is None:
        return lowest, lowest
    return lowest, int(high or 0) if match[4] else tree.UNLIMITED


def _without_parentheses(node: tree.PatternNode) -> tree.Nodes:
    return node.nodes if isinstance(node, tree.Group) and not node.is_atomic else (node,)


def _branch(alternatives: list[list[tree.PatternNode]], start: int, end: int) -> tree.Nodes:
    """Join alternatives: a common beginning comes first, single characters become a set."""
    if len(alternatives) == 1:
        return tuple(alternatives[0])
    columns = zip(*alternatives, strict=False)
    common = takewhile(lambda column: all(node == column[0] for node in column), columns)
    length = sum(1 for _ in common)
    prefix, rests = alternatives[0][:length], [tuple(each[length:]) for each in alternatives]
    sets = [each[0] for each in rests if len(each) == 1 and isinstance(each[0], tree.CharacterSet)]
    if len(sets) == len(rests) and not any(each.negated for each in sets):
        flags = {each.flags for each in sets}
        if len(flags) == 1:
            items = tuple(dict.fromkeys(item for each in sets for item in each.items))
            return (*prefix, tree.CharacterSet(start, end, items, False, flags.pop()))
    return (*prefix, tree.Branch(start, end, tuple(rests)))
