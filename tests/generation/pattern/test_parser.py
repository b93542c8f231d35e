"""Parser against Python's `re`, over random patterns, valid and invalid."""

from __future__ import annotations

import itertools
import re
import warnings

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nextchar.errors import SettingsError
from nextchar.generation.pattern.automaton import automaton_of
from nextchar.generation.pattern.parser import parse
from nextchar.generation.pattern.syntax_tree import UNLIMITED, CharacterSet, width_of
from nextchar.text.vocabulary import Vocabulary

SMALL = Vocabulary.of_text("ab1 -\nA")
SHORT = ["".join(each) for n in range(4) for each in itertools.product("ab1 -\nA", repeat=n)]

TOKENS = [
    "a", "b", "1", "A", " ", "-", "\n", "a", "b", "&", ",", "|", "|", ".", "^", "$",
    "(", "(?:", "(?P<n>", "(?P<m>", "(?>", "(?i:", "(?-i:", "(?x:", "(?-x:", "(?ms-i:", "(?a:",
    ")", ")", ")", ")", "[", "[^", "]", "]", "[]", "[a-b]", r"[^\s1]", "[-a]", "[a-", "[&&b]",
    "*", "+", "?", "*?", "??", "++", "?+", "{2}", "{,2}", "{1,}", "{0}", "{,}", "{2,1}", "{", "}",
    r"\b", r"\B", r"\A", r"\Z", r"\d", r"\D", r"\w", r"\W", r"\s", r"\S", r"\n", r"\-", r"\ ",
    r"\x61", r"\x6", r"\0", r"\012", r"\061", r"\18", r"\400", r"\1", r"\u0061", r"\u61",
    r"\U00000062", r"\U00110000", r"\N{DIGIT ONE}", r"\N{NO SUCH NAME}", r"\q", "\\", r"\é",
    "(?i)", "(?x)", "(?s)", "(?m)", "(?a)", "(?u)", "(?L)", "(?ix)", "(?-i)", "(?)", "(?i", "(?",
    "(?#b)", "(?#", "#", "# b\n", "(?=", "(?!", "(?!)", "(?=)", "(?<=", "(?<!", "(?P=n)", "(?P<1>",
    "(?P>", "(?(1)", "(?~",
]  # fmt: skip


def compiled(pattern: str) -> re.Pattern[str] | None:
    """The pattern compiled by `re`; None if it is invalid."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # such as "possible nested set", which keeps its meaning
        try:
            return re.compile(pattern)
        except (re.error, OverflowError, ValueError):
            return None


def refusal_of(pattern: str) -> str:
    try:
        automaton_of(pattern, SMALL)
    except SettingsError as error:
        return str(error)
    return ""


def matches(pattern: str) -> set[str]:
    """The short texts that the automaton accepts."""
    automaton = automaton_of(pattern, SMALL)
    accepted = set()
    for text in SHORT:
        state = 0
        for kind in automaton.classes[SMALL.encode(text)].tolist():
            state = -1 if kind < 0 or state < 0 else int(automaton.table[state, kind])
        if state >= 0 and automaton.accepts[state]:
            accepted.add(text)
    return accepted


@settings(max_examples=300)
@given(pattern=st.lists(st.sampled_from(TOKENS), min_size=1, max_size=10).map("".join))
@example(pattern="(?x) a | b # c")
@example(pattern="(?x)(?#a) (?i) a")
@example(pattern="(?:a|b)++1")
@example(pattern="(?:ab|a1|aA){2}")
@example(pattern="(?i)[^a]|(?-i:a)")
@example(pattern="a{00000000000000000000002}")
@example(pattern="a{99999999999999999999999}")
@example(pattern="(?P<n>a)|(?P<n>b)")
@example(pattern=r"(?#\)a")
def test_the_same_patterns_are_accepted_as_by_re_with_the_same_matches(pattern: str) -> None:
    """Except for patterns of no regular language, and those that match at most the empty text."""
    expected, refusal = compiled(pattern), refusal_of(pattern)
    if expected is None:
        assert refusal
    elif not refusal:
        assert matches(pattern) == {text for text in SHORT if expected.fullmatch(text)}
    elif "while generating" not in refusal:  # look-around, back-references, possessive repeats
        parse(pattern)
        assert not {text for text in SHORT if expected.fullmatch(text)} - {""}


@pytest.mark.parametrize(
    ("pattern", "positions"),
    [
        ("ab{2}", [(0, 1), (1, 5)]),
        ("a|b", [(0, 3)]),
        ("1(?:ab|ac)", [(0, 1), (4, 5), (4, 9)]),
        ("(?x) a # no\n [b c] +", [(5, 6), (13, 20)]),
        ("(a)(?:)(?>b)", [(1, 2), (7, 12)]),
    ],
)
def test_nodes_know_where_they_are_written(pattern: str, positions: list[tuple[int, int]]) -> None:
    assert [(node.start, node.end) for node in parse(pattern)] == positions


@pytest.mark.parametrize(
    ("pattern", "width"),
    [
        ("", (0, 0)),
        ("ab[cd].", (4, 4)),
        ("a|bc|", (0, 2)),
        ("(?:ab){2,3}?", (4, 6)),
        ("^a*b$", (1, UNLIMITED)),
        ("(?>a|bc)", (1, 2)),
        ("(?:a{99999}){99999}", (UNLIMITED, UNLIMITED)),
    ],
)
def test_the_width_counts_the_characters_of_a_match(pattern: str, width: tuple[int, int]) -> None:
    low, high = width_of(parse(pattern))
    assert (low, min(high, UNLIMITED)) == width


def test_flags_are_those_at_the_position_of_a_node() -> None:
    nodes = parse("(?i)a(?-i:b(?a:c))(?s:.).")
    assert [node.flags for node in nodes if isinstance(node, CharacterSet)] == [
        re.I, 0, re.A, 0, 0,
    ]  # fmt: skip
    assert [node.items for node in nodes if isinstance(node, CharacterSet)][3:] == [
        (),
        ((10, 10),),
    ]


def test_the_end_of_a_text_has_two_names() -> None:
    assert parse(r"a\z") == parse(r"a\Z")  # the first is in `re` from Python 3.14 on
