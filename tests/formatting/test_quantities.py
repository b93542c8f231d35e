"""Counts, durations and sizes in words."""

from __future__ import annotations

import pytest

from nextchar.formatting.quantities import (
    duration,
    megabytes,
    memory_size,
    rough_duration,
    short_number,
)


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "0"), (999.4, "999"), (1234, "1.2 k"), (12_345_678, "12.3 M"), (2e9, "2.0 G")],
)
def test_great_numbers_are_shortened(number: float, words: str) -> None:
    assert short_number(number) == words


@pytest.mark.parametrize(
    ("seconds", "words", "about"),
    [
        (0, "0 s", "0 s"),
        (9.4, "9 s", "9 s"),
        (59.6, "1 min 00 s", "1 min"),
        (125, "2 min 05 s", "2 min"),
        (3599.6, "1 h 00 min", "1 h 00 min"),
        (3725, "1 h 02 min", "1 h 02 min"),
    ],
)
def test_durations_are_told_in_their_two_greatest_units(
    seconds: float, words: str, about: str
) -> None:
    assert duration(seconds) == words
    assert rough_duration(seconds) == about


def test_digits_can_be_chosen() -> None:
    assert short_number(352_123, ".3g") == "352 k"
    assert duration(9.4, 1) == "9.4 s"


@pytest.mark.parametrize(
    ("size", "words", "in_megabytes"),
    [(12_345_678, "12 MB", "12.3 MB"), (12_345_678_901, "12.3 GB", "12,345.7 MB")],
)
def test_sizes_are_in_gigabytes_from_one_on(size: int, words: str, in_megabytes: str) -> None:
    assert memory_size(size) == words
    assert megabytes(size) == in_megabytes
