"""Stop strings: which one counts, and what is refused."""

from __future__ import annotations

import pytest

from nextchar.errors import SettingsError
from nextchar.generation.stop_strings import checked_stops, code_count, first_stop, overlap
from nextchar.text.vocabulary import Vocabulary


def test_the_string_that_is_complete_first_counts_and_of_two_at_once_the_longer() -> None:
    assert first_stop("abcdef", ["def", "bc"]) == 1
    assert first_stop("abcdef", ["cd", "bcd"]) == 1
    assert first_stop("abcabc", ["bc"], start=2) == 4
    assert first_stop("abc", ["x"]) is None


def test_the_overlap_is_the_longest_end_that_may_become_the_stop_string() -> None:
    assert [overlap(text, "abab") for text in ("xaba", "xab", "xb", "abab")] == [3, 2, 0, 2]


def test_codes_are_bytes_with_the_bytes_alphabet() -> None:
    assert code_count("né", Vocabulary(is_bytes=True)) == 3
    assert code_count("né", Vocabulary.of_text("né")) == 2


def test_one_string_is_a_list_of_one_and_an_empty_one_is_refused() -> None:
    assert checked_stops("end") == ("end",)
    with pytest.raises(SettingsError) as caught:
        checked_stops(["end", ""])
    assert (caught.value.setting, caught.value.value) == ("stop", ["end", ""])
