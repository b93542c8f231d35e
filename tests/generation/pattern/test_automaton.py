"""Automata of patterns against `re` on all short texts, `regex` on their beginnings, and search."""

from __future__ import annotations

import functools
import itertools
import re
from collections import deque

import numpy as np
import pytest
import regex
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nextchar.errors import SettingsError
from nextchar.generation.pattern import alphabet, dfa, work_limit
from nextchar.generation.pattern.automaton import (
    Automaton,
    automaton_of,
    require_fits,
)
from nextchar.text.vocabulary import Vocabulary

SMALL = Vocabulary.of_text("ab1 -\nZ")
ASCII = Vocabulary([10, *range(32, 127)])
BYTES = Vocabulary(is_bytes=True)
LATIN = Vocabulary.of_text("aAbBkKsSſKßẞéÉ1_ \n")  # some with more than two forms of one letter
CHINESE = Vocabulary(sorted({10, *range(32, 127), 0x3002, 0xFF0C, *range(0x4E00, 0x4E00 + 4900)}))


def state_after(automaton: Automaton, codes) -> int:
    """The state after some codes, or -1."""
    state = 0
    for code in codes:
        kind = automaton.classes[code]
        if kind < 0 or state < 0:
            return -1
        state = int(automaton.table[state, kind])
    return state


def accepts(automaton: Automaton, codes) -> bool:
    state = state_after(automaton, codes)
    return state >= 0 and bool(automaton.accepts[state])


def matches(pattern: str, text: str, vocabulary: Vocabulary = ASCII) -> bool:
    return accepts(automaton_of(pattern, vocabulary), vocabulary.encode(text))


def texts(vocabulary: Vocabulary, most: int):
    for n in range(most + 1):
        for codes in itertools.product(range(len(vocabulary)), repeat=n):
            yield codes, vocabulary.decode(codes)


def fewest(automaton: Automaton, state: int) -> int:
    """The distance of a state, by breadth-first search."""
    todo, seen = deque([(state, 0)]), {state}
    while todo:
        here, steps = todo.popleft()
        if automaton.accepts[here]:
            return steps
        for there in {*automaton.table[here].tolist()} - seen - {-1}:
            seen.add(there)
            todo.append((there, steps + 1))
    raise AssertionError("no way")


def assert_whole(automaton: Automaton, vocabulary: Vocabulary) -> None:
    """Check the properties of the arrays of every automaton."""
    S, C = automaton.table.shape
    assert automaton.classes.shape == (len(vocabulary),)
    assert automaton.accepts.shape == automaton.distance.shape == (S,)
    assert [array.dtype for array in (automaton.classes, automaton.table, automaton.distance)] == [
        np.int32
    ] * 3
    assert {*automaton.classes.tolist()} - {-1} == {*range(C)}
    assert automaton.table.max() < S
    assert (automaton.table >= 0).any(axis=0).all()  # otherwise the class is -1
    assert automaton.distance.tolist() == [fewest(automaton, state) for state in range(S)]
    assert len({column.tobytes() for column in automaton.table.T}) == C  # all differ


# matches

PATTERNS = [
    "a", "a*b", "(a|b|ab)*1", "a{2,3}b?", "(?:a|)*b", "(?:a?)*?b", "(a|b)*a(a|b){2}", r"\w+ \d",
    "[^a]b|", ".*", "(?s).*", "(?s:.)b", "(?i)z+", "(?i:A)b", "(?i)[^z]", "a*?b+?", "a{,2}",
    "a{2,}b",
    "(?P<name>a|b)-(?P<other>1)", "(?x) a  b # the end", "(?x: a ) b", "a|ab|abb", r"\x61\-\u0031",
    r"[\d-]+", r"[\s\S]", r"\D\W", r"[a-b1]{2}", "[]a]+", r"a(?#no matter)b", "(?:(?:a|b){2}){1,2}",
    "(|a)(|b)1", "()a()", "(?:a(?:b(?:1)?)?)?",
    # possessive and atomic where they change nothing
    "a*+b", "a{2}+b", "(?>ab)1", r"[^-]*+-", "(?>a|b)1", "(a*+b)*1", "a?+", "(?:ab){2}+", "(?=)a",
    # anchors
    "^a$", r"\Aab\Z", r"a$\n", r"a$\s*", "(?:^a|b)+", "^^a|b$$", "$^|a", r"\n$", r"a$\n$",
    r"a(?:$|b)\n?", r"(?:a\Z\n)|b", r"(?m)^a$\n^b$", r"(?m)(?:a$|\n|^b)+", r"(?m)a$|^$\n",
    r"(?m)a$\n*", r"\s*$", r"(?:\n|a$)*", r"(?:$\n)+|b", r"(?m)(?:$\n)+", "(?:a$)?b?",
    # boundaries
    r"\bab\b.b", r"a\B1", r"(?:a\b|b)+", r"(?:\Ba|b)+", r"\b\w+\b(?:\W\b\w+)*", r"\Ba|1", r"\B-\B",
    r"(?a)a\b.", r"a\b$", r"\b", r"\B|a",
]  # fmt: skip


@pytest.mark.parametrize("pattern", [each for each in PATTERNS if each != r"\b"])
def test_exactly_what_re_matches_is_accepted(pattern: str) -> None:
    automaton, compiled = automaton_of(pattern, SMALL), re.compile(pattern)
    assert_whole(automaton, SMALL)
    for codes, text in texts(SMALL, 4):
        assert accepts(automaton, codes) == bool(compiled.fullmatch(text)), text


IN_ONE_CASE = [
    "(?i)k", "(?i)s", "(?i)ß", "(?i)[a-k]+", "(?i)[^é]", "(?i)É1", "(?ai)k", "(?i:k)s", r"(?a)\w",
    r"\w",
    r"(?i)[\d_]", "(?i)[^a-z]", "(?i)[A-Z]", "(?i)(?-i:k)s",
]  # fmt: skip


@pytest.mark.parametrize("pattern", IN_ONE_CASE)
@pytest.mark.parametrize("vocabulary", [LATIN, BYTES], ids=["characters", "bytes"])
def test_case_and_ascii_are_those_of_re(pattern: str, vocabulary: Vocabulary) -> None:
    automaton, compiled = automaton_of(pattern, vocabulary), re.compile(pattern)
    for _, text in texts(LATIN, 2):
        assert accepts(automaton, vocabulary.encode(text)) == bool(compiled.fullmatch(text)), text


TREES = st.recursive(
    st.sampled_from(
        [
            "a",
            "b",
            "1",
            ".",
            r"\w",
            r"\s",
            "[ab]",
            "[^a]",
            "-",
            r"\n",
            "",
            "^",
            "$",
            r"\b",
            r"\B",
            r"\A",
            r"\Z",
            "(?m:^)",
            "(?m:$)",
        ]
    ),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda each: f"(?:{'|'.join(each)})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "*?", "{2}", "{1,2}", "{,2}", "??"])).map(
            lambda each: f"(?:{each[0]}){each[1]}"
        ),
    ),
    max_leaves=8,
)


@settings(max_examples=100)
@given(pattern=TREES)
def test_composed_patterns_are_accepted_as_by_re(pattern: str) -> None:
    compiled = re.compile(pattern)
    accepted = {text for _, text in texts(SMALL, 3) if compiled.fullmatch(text)}
    try:
        automaton = automaton_of(pattern, SMALL)
    except SettingsError:  # at most the empty text matches
        assert accepted <= {""}
        return
    assert_whole(automaton, SMALL)
    assert {text for codes, text in texts(SMALL, 3) if accepts(automaton, codes)} == accepted


@settings(max_examples=40)
@given(data=st.data(), pattern=TREES)
def test_texts_that_hypothesis_makes_of_a_pattern_are_accepted(
    data: st.DataObject, pattern: str
) -> None:
    anchored = any(each in pattern for each in ("^", "$", r"\b", r"\B", r"\A", r"\Z"))
    assume(not anchored and re.compile(pattern).fullmatch("") is None)
    text = data.draw(st.from_regex(pattern, fullmatch=True, alphabet="ab1 -\nZ"))
    assert accepts(automaton_of(pattern, SMALL), SMALL.encode(text))


POSSIBLE = [
    "a*b1", "(a|b|ab)*1", "a{2,3}b?", "(a|b)*a(a|b){2}", r"\w+ \d", "[^a]b1|",
    "ab|ab1|b",
    "(?:ab)*1?-", "(?P<x>a|b)-(?P<y>1)", "(?:a|)*b", "(?i)z+a", r"\d{2}-\d{2}", "(?:a-?){2,4}",
]  # fmt: skip


@pytest.mark.parametrize("pattern", POSSIBLE)
def test_a_partial_match_of_regex_can_be_continued(pattern: str) -> None:
    automaton, compiled = automaton_of(pattern, SMALL), regex.compile(pattern)
    for codes, text in texts(SMALL, 4):
        possible = compiled.fullmatch(text, partial=True) is not None
        assert (state_after(automaton, codes) >= 0) == possible, text


def test_dates_identifiers_names_and_json_are_accepted() -> None:
    date = r"(?:19|20)\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"
    assert matches(date, "2024-02-29")
    assert not matches(date, "2024-13-01")
    assert matches(r"[A-Za-z_]\w*", "_next1")
    assert not matches(r"[A-Za-z_]\w*", "1next")
    assert matches(r"[A-Z][a-z]+(?:[ -][A-Z][a-z]+)*", "Mary-Ann Smith")
    person = r'\{"name": "(?:[^"\\\n]|\\["\\n])*", "age": (?:0|[1-9]\d*)\}'
    assert matches(person, r'{"name": "A \"B\" C", "age": 42}')
    assert not matches(person, '{"name": "A " B", "age": 42}')
    assert not matches(person, '{"name": "A", "age": 042}')


# large alphabets


def test_characters_that_behave_alike_are_one_class() -> None:
    verse = automaton_of("[一-鿿]{5}，[一-鿿]{5}。", CHINESE)
    assert verse.table.shape == (13, 3)
    assert accepts(verse, CHINESE.encode("一丁七万丈，一丁七万丈。"))
    assert not accepts(verse, CHINESE.encode("一丁七万丈，一丁七万。"))
    assert automaton_of(r"\w+", CHINESE).table.shape == (2, 1)
    assert automaton_of("一*丁", CHINESE).table.shape == (2, 2)


def test_a_list_of_words_is_a_pattern() -> None:
    words = [chr(0x4E00 + i) + chr(0x4E00 + 7 * i % 1000) + "a" for i in range(300)]
    automaton = automaton_of("|".join(words), CHINESE)
    assert all(accepts(automaton, CHINESE.encode(word)) for word in words)
    assert not accepts(automaton, CHINESE.encode(words[1][:2]))
    assert automaton.distance[0] == 3


# bytes

ALONE = [r"\w", r"\W", ".", "(?s).", r"[^a]", "é", "[一-鿿]", r"[\U0001f600-\U0001f64f]", r"\d",
         r"[\x7f-\u0801\uffff-\U00010001]", "(?i)É"]  # fmt: skip


@pytest.mark.parametrize("pattern", ALONE)
def test_bytes_spell_exactly_the_characters_that_match(pattern: str) -> None:
    automaton, compiled = automaton_of(pattern, BYTES), re.compile(pattern)
    assert_whole(automaton, BYTES)
    edges = (0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFF, 0x10000, 0x10FFFF)
    for point in [*range(0x500), *range(0x600, 0xD800, 97), *range(0x1F5F0, 0x1F660), *edges]:
        data = chr(point).encode()
        assert accepts(automaton, data) == bool(compiled.fullmatch(chr(point))), hex(point)


def test_bytes_that_are_no_utf8_are_not_accepted() -> None:
    automaton = automaton_of(r"(?s).+", BYTES)
    for data in (b"\xc0\x80", b"\xe0\x80\x80", b"\xed\xa0\x80", b"\xf0\x80\x80\x80",
                 b"\xf4\x90\x80\x80", b"\x80", b"\xff"):  # fmt: skip
        assert state_after(automaton, data) < 0
    for data in (b"\xe4", b"\xe4\xb8", b"\xf0\x9f\x98"):  # incomplete
        assert state_after(automaton, data) >= 0
        assert not accepts(automaton, data)


of_bytes = functools.cache(functools.partial(automaton_of, vocabulary=BYTES))


@given(
    pattern=st.sampled_from(
        ["(?:[é一]|a)*-", r"\w{1,3}", "é|éa|ê", "[^é]{2}", "(?m)^é$\n?", "a$\n"]
    ),
    text=st.text("aéê一-\n😀", max_size=4),
)
def test_texts_in_bytes_are_accepted_as_by_re(pattern: str, text: str) -> None:
    accepted = accepts(of_bytes(pattern), text.encode())
    assert accepted == bool(re.fullmatch(pattern, text))


def test_the_distance_of_bytes_counts_bytes() -> None:
    assert automaton_of("é一", BYTES).distance[0] == 5


# codes that are never allowed


def test_the_unknown_symbol_and_the_end_are_allowed_nowhere() -> None:
    vocabulary = Vocabulary(map(ord, "\nab"), has_unknown=True)
    automaton = automaton_of("(?s).*", vocabulary, end_code=0)
    assert automaton.classes.tolist() == [-1, 0, 0, -1]
    assert automaton_of(".+\n?", BYTES, end_code=10).classes[10] == -1
    beyond = automaton_of("(?s).*", Vocabulary(map(ord, "ab")), end_code=2)
    assert beyond.classes.tolist() == [0, 0]


def test_only_codes_from_which_a_match_can_be_reached_are_allowed() -> None:
    automaton = automaton_of("a[xb]|aé1|1é|-{3}é", SMALL)
    assert automaton.table.shape[0] == 3
    assert {SMALL.decode([code]) for code in np.flatnonzero(automaton.classes >= 0)} == {"a", "b"}


# refusals

DIGITLESS = Vocabulary.of_text("abc \n-")
UNFOLLOWED = "which cannot be followed while generating, got "
UNKNOWN_END = "whose end is not known while generating, got "
MISTAKES = {
    # mistakes in the pattern
    "a(b": r"has a group without ) at position 1, got '(b'; close it, or escape the ( as \(",
    "a)": r"has an unmatched ) at position 1, got ')'; escape it as \), or open a group",
    "a[b": r"has a set without ] at position 1, got '[b'; close it, or escape the [ as \[",
    "[b-a]": "has an impossible range at position 1, got 'b-a'; put the lower character first, or "
    "escape the -",
    "*a": "has nothing to repeat at position 0, got '*'; put something before it, or escape it "
    "with a backslash",
    "a+{2}": "has a repeat of a repeat at position 2, got '{2}'; put the first one into (?:…)",
    "a{3,2}": "has a minimum above its maximum at position 1, got '{3,2}'; exchange the two "
    "numbers",
    "a{4294967296}": "has too large a number at position 1, got '{4294967296}'; repeat fewer times",
    r"a\q": r"has an invalid escape at position 1, got '\\q'; escape the backslash too",
    "(?L)a": "has bad flags at position 0, got '(?L)'; use i, m, s, x and one of a and u",
    "(?au)a": "has bad flags at position 0, got '(?au)'; use i, m, s, x and one of a and u",
    "(?i-i:a)": "has bad flags at position 0, got '(?i-i:'; use i, m, s, x and one of a and u",
    "a(?i)": "has flags for the whole pattern at position 1, got '(?i)'; put them at its start, or "
    "write (?i:…)",
    "(?P<1>a)": "has a bad group name at position 0, got '1'; choose another one, such as "
    "(?P<name>…)",
    "(?P<a>b)(?P<a>c)": "has a repeated group name at position 8, got 'a'; choose "
    "another one, such as (?P<name>…)",
    "(?~a)": r"has an unknown kind of group at position 0, got '(?~a'; escape the ( as \(",
    "a(?#b": "has a comment without ) at position 1, got '(?#b'; close it",
    # no regular language
    r"(a)b\1": rf"has a back-reference at position 4, {UNFOLLOWED}'\\1'; write the pattern without "
    "it",
    "(?P<a>b)(?P=a)": f"has a back-reference at position 8, {UNFOLLOWED}'(?P=a)'; write the "
    "pattern without it",
    "a(?=b).": f"has a look-ahead at position 1, {UNFOLLOWED}'(?=b)'; write the pattern without it",
    "a(?!b).": f"has a negative look-ahead at position 1, {UNFOLLOWED}'(?!b)'; write the pattern "
    "without it",
    "a(?<=a)b": f"has a look-behind at position 1, {UNFOLLOWED}'(?<=a)'; write the pattern "
    "without it",
    "(a)?(?(1)b|c)": f"has a conditional group at position 4, {UNFOLLOWED}'(?(1)b|c)'; write the "
    "pattern without it",
    "a*+ab": f"has a possessive repeat at position 0, {UNKNOWN_END}'a*+'; write it without the + "
    "that makes it possessive",
    "(?>a|ab)c": f"has an atomic group at position 0, {UNKNOWN_END}'(?>a|ab)'; write (?: in place "
    "of (?>",
    "(?:ab)*+c": f"has a possessive repeat at position 0, {UNKNOWN_END}'(?:ab)*+'; write it "
    "without the + that makes it possessive",
    # no text matches
    "(?>ab|cx|xx)x": "needs a character at position 12 that the model does not know, got 'x'",
    "a b[0-9]{4}": "needs a digit of '0'…'9' at position 3, and the model has none, got '[0-9]{4}'",
    r"a\d": r"needs a digit of \d at position 1, and the model has none, got '\\d'",
    "(?i)a[xyz]": "needs a character of 'x', 'y', 'z' at position 5, and the model has none, got "
    "'[xyz]'",
    "(?x) a  (?# b) x+": "needs a character at position 15 that the model does not know, got 'x+'",
    "(?:ax|ay|az)+": "needs a character of 'x', 'y', 'z' at position 3, and the model has none, "
    "got 'ax|ay|az'",
    "(?:ax|xb)?b(?:ax|xb)": "needs a character at position 15 that the model does not know, got "
    "'x'",
    "(a|(b)x{2})x|(?i:Q)": "needs a character at position 11 that the model does not know, got 'x'",
    r"[^\sa-c-]": r"needs a character other than \s, 'a'…'c', '-' at position 0, and the model has "
    r"none, got '[^\\sa-c-]'",
    "a(?!)": "has a part at position 1 that matches nothing, got '(?!)'; remove it",
    "a^b": r"matches no text; check its ^, $, \b and \B",
    "": "matches only the empty text; let it match some character",
    "x*|$": "matches only the empty text; let it match some character",
    # too large
    "(?:a{1000}){1000}": "is too long at position 0 when its repeats are written out, got "
    "'(?:a{1000}){1000}'; repeat fewer times, or without an upper bound",
    "(?:(?:){9999999}){9999999}": "takes too long to prepare; repeat fewer times, or simplify it",
    "(" * 5000 + "a" + ")" * 5000: "has groups nested too deeply",
    "a" * 20_001: "must have at most 20,000 characters, got 20001",
}


@pytest.mark.parametrize(
    ("pattern", "line"), MISTAKES.items(), ids=[each[:20] for each in MISTAKES]
)
def test_an_invalid_or_impossible_pattern_is_refused_in_one_line(pattern: str, line: str) -> None:
    with pytest.raises(SettingsError) as refused:
        automaton_of(pattern, DIGITLESS)
    assert str(refused.value) == f"pattern {line}"
    assert refused.value.setting == "pattern"


@pytest.mark.parametrize(
    ("letters", "pattern", "line"),
    [
        ("\n", ".", r"other than '\n' at position 0, and the model has none, got '.'"),
        ("a", "[^a]", "other than 'a' at position 0, and the model has none, got '[^a]'"),
        ("a", "[é-ü]{2,}", "of 'é'…'ü' at position 0, and the model has none, got '[é-ü]{2,}'"),
    ],
)
def test_a_small_vocabulary_is_named_what_it_lacks(letters: str, pattern: str, line: str) -> None:
    with pytest.raises(SettingsError) as refused:
        automaton_of(pattern, Vocabulary.of_text(letters))
    assert str(refused.value) == f"pattern needs a character {line}"


def test_possessive_repeats_are_judged_by_whole_characters_in_bytes() -> None:
    assert accepts(automaton_of("é*+ê", BYTES), "ééê".encode())  # they begin with the same byte
    with pytest.raises(SettingsError, match="has a possessive repeat at position 0"):
        automaton_of("[é-ü]*+ê", BYTES)


def test_a_pattern_that_is_no_text_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"^pattern must be a text, got 3$"):
        automaton_of(3, SMALL)


def test_a_boundary_of_words_is_refused_in_bytes_unless_they_are_of_ascii() -> None:
    with pytest.raises(SettingsError, match=r"pattern needs whole characters at position 1, "):
        automaton_of(r"a\b.", BYTES)
    automaton = automaton_of(r"(?a)a\b.+", BYTES)
    assert accepts(automaton, "aé".encode())
    assert not accepts(automaton, b"ab")


EXPLODING = [
    "(a|b)*a(a|b){20}",
    "(a?){20000}",
    "(a|b|ab){1,5000}",
    "(a|b)?" * 2000,
    ".*" * 3000 + "b",
]


@pytest.mark.parametrize("pattern", EXPLODING, ids=[each[:20] for each in EXPLODING])
def test_patterns_that_explode_are_refused(pattern: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work_limit, "MOST_WORK", work_limit.MOST_WORK // 10)  # for the test's time
    with pytest.raises(SettingsError, match=r"^pattern (takes too|grows past|is too) "):
        automaton_of(pattern, SMALL)


def test_too_many_states_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dfa, "MOST_STATES", 1000)
    assert automaton_of("(a|b)*a(a|b){8}", SMALL).table.shape == (512, 2)
    with pytest.raises(SettingsError) as refused:
        automaton_of("(a|b)*a(a|b){9}", SMALL)
    assert str(refused.value) == (
        "pattern grows past 1,000 states; repeat fewer times, or narrow the part before a repeat"
    )


def test_too_many_sets_of_characters_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alphabet, "MOST_CELLS", 100 * len(CHINESE))
    with pytest.raises(SettingsError, match=r"^pattern has too many different characters; simp"):
        automaton_of("".join(map(chr, range(0x4E00, 0x4E80))), CHINESE)


def test_wide_sets_without_regard_to_case_are_refused_before_they_cost() -> None:
    pattern = "(?i)" + "".join(f"[\\x01-\\U0010{i:04x}]" for i in range(100))
    with pytest.raises(SettingsError, match=r"^pattern takes too long"):
        automaton_of(pattern, SMALL)


def test_a_match_that_is_longer_than_the_length_is_refused() -> None:
    automaton = automaton_of(r"\d{4}-\d\d", ASCII)
    require_fits(automaton, 7)
    with pytest.raises(SettingsError) as refused:
        require_fits(automaton, 6)
    assert str(refused.value) == (
        "pattern has no match of fewer than 7 characters, and length is 6; raise the length"
    )


def test_a_warning_of_the_parser_is_no_error() -> None:
    assert matches("[[a]+", "[a[")  # a FutureWarning: possible nested set
