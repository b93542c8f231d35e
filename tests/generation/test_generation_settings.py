"""Settings of generation: names, limits and combinations, checked before generation."""

from __future__ import annotations

from typing import Any

import pytest

from nextchar.errors import SettingsError
from nextchar.generation.generation_settings import (
    ALIASES,
    NAMES,
    GenerationSettings,
    generation_settings,
)


def test_defaults_change_nothing() -> None:
    made = GenerationSettings()
    assert (made.length, made.temperature, made.samples, made.num_beams) == (500, 1.0, 1, 1)
    off = {"top_k": 0, "top_p": 1, "min_p": 0, "typical_p": 1, "repetition_penalty": 1}
    assert {name: getattr(made, name) for name in off} == off


def test_names_of_other_libraries_are_understood() -> None:
    made = generation_settings(
        {"max_new_tokens": 7, "num_return_sequences": 2, "repeat_penalty": 1.5}
    )
    assert (made.length, made.samples, made.repetition_penalty) == (7, 2, 1.5)
    assert set(ALIASES) <= set(NAMES)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"temprature": 1}, "temprature is not an option of generate; did you mean temperature?"),
        ({"length": 3, "max_new_tokens": 4}, "max_new_tokens is the same option as length"),
        ({"temperature": -1}, "temperature must be a number of at least 0, got -1"),
        ({"temperature": float("nan")}, "temperature must be a number"),
        ({"top_k": -2}, "top_k must be a whole number of at least -1"),
        ({"top_p": 0}, "top_p must be a number above 0 and at most 1, got 0"),
        ({"min_p": 1.1}, "min_p must be a number from 0 to 1"),
        ({"typical_p": 0}, "typical_p must be a number above 0"),
        ({"repetition_penalty": 0}, "repetition_penalty must be a number above 0"),
        ({"presence_penalty": 2.1}, "presence_penalty must be a number from -2 to 2"),
        ({"frequency_penalty": -2.1}, "frequency_penalty must be a number from -2 to 2"),
        ({"repeat_last_n": -2}, "repeat_last_n must be a whole number of at least -1"),
        ({"no_repeat_ngram_size": -1}, "no_repeat_ngram_size must be a whole number of at least 0"),
        ({"samples": 0}, "samples must be a whole number from 1 to"),
        ({"logprobs": 101}, "logprobs must be a whole number from 0 to 100"),
        ({"seed": -1}, "seed must be a whole number from 0 to"),
        ({"best_of": 1, "samples": 2}, r"best_of must be at least samples \(2\), got 1"),
        ({"num_beams": 2, "best_of": 2}, "num_beams cannot be combined with best_of; give one of"),
        ({"num_beams": 2, "samples": 3}, r"num_beams must be at least samples \(3\), got 2"),
        ({"min_length": 9, "length": 5}, r"min_length must be at most length \(5\), got 9"),
    ],
)
def test_what_is_wrong_is_named(given: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsError, match=told.replace("?", r"\?")):
        generation_settings(given)
