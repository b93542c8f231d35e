"""Features of characters, each on a short text with an obvious answer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextchar.apps.explain.features import (
    AMOUNTS,
    SWITCHES,
    bracket_depth,
    features,
    indentation,
    lines_since_blank,
    position_in_line,
    position_in_word,
)


def row(values: np.ndarray) -> str:
    return "".join(str(int(each)) for each in values)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("inside quotes", 'a "bc" d', "00111000"),
        ("inside quotes", "“a” «b» 「c」", "11001100110"),
        ("inside quotes", '"a\n\nb "c"', "111000110"),  # an open quote ends with its paragraph
        ("inside brackets", "a(b[c]d)e", "011111100"),
        ("in a string of code", 'x = "a\\"b" + c', "00001111100000"),
        ("in a string of code", "it's 'so'", "000001110"),
        ("in a string of code", '"""a\nb"""', "111111110"),
        ("in a comment", 'a # b\nc // "d"\n/* e */', "0011100011111101111111"),
        ("in a web address", "at https://a.b/c?d now", "0001111111111111110000"),
        ("in a tag", "a <b>c</b> < d", "00110011100000"),
        ("in the indentation", "  a b\n\tc\n", "110000100"),
        ("in the first line of a paragraph", "ab\ncd\n\nef\n", "1100000110"),
        ("after a sentence", 'Oh! "Yes." no', "0011100011100"),
        ("inside a word", "ab 1c", "11001"),
        ("capital letter", "aBC d", "01100"),
        ("word in capitals", "A AB ABc aBC", "000100100000"),
        ("digit", "a12b", "0110"),
        ("vowel", "Eat by", "110001"),
        ("punctuation", "a, b!", "01001"),
        ("space", "a b", "010"),
        ("after a newline", "a\nb", "010"),
        ("not ASCII", "aé中", "011"),
    ],
)
def test_a_switch_is_on_where_it_should_be(name: str, text: str, expected: str) -> None:
    assert row(SWITCHES[name](text)) == expected


def test_brackets_are_counted_and_a_wrong_one_closes_nothing() -> None:
    assert row(bracket_depth("a(b[c]d)e")) == "011221100"
    assert row(bracket_depth("(])")) == "110"
    assert row(bracket_depth("((\n\na")) == "12200"


def test_positions_are_counted_from_the_lines_and_the_words_beginning() -> None:
    assert row(position_in_line("ab\nc\n\nd")) == "1201001"
    assert row(position_in_word("ab c1de")) == "1201012"


def test_the_indentation_is_known_to_the_lines_end() -> None:
    assert row(indentation("  a b\nc\n    d")) == "1222200012344"


def test_lines_are_counted_from_the_last_blank_one() -> None:
    assert row(lines_since_blank("a\nb\n\nc\nd")) == "01120011"


def test_every_feature_says_one_number_for_every_character() -> None:
    made = features("To be,\n  or (not)")
    assert [each.name for each in made] == [*SWITCHES, *AMOUNTS]
    assert all(each.values.shape == (17,) for each in made)
    assert all(set(each.values.tolist()) <= {0, 1} for each in made if each.is_switch)


@given(st.text(st.sampled_from("aB \n\t\"“”()[]{}'#/*<>.1é\\"), max_size=60))
def test_no_text_is_too_strange(text: str) -> None:
    for each in features(text):
        assert each.values.shape == (len(text),)
        assert np.isfinite(each.values).all()
        assert (each.values >= 0).all()


@given(st.text(st.sampled_from('ab"“”()\n '), max_size=40), st.data())
def test_quotes_and_brackets_do_not_know_what_comes(text: str, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(text)))
    for name in ("inside quotes", "inside brackets"):
        whole, part = SWITCHES[name](text), SWITCHES[name](text[:cut])
        assert row(whole[:cut]) == row(part)
