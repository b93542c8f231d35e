"""Requests, checked against the model before generation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nextchar.errors import SettingsError, UnknownCharacterError
from nextchar.generation.generation_settings import GenerationSettings
from nextchar.generation.requests import Request, RequestOptions, make_request
from nextchar.model.file import Model
from nextchar.model.initialise import initialise
from nextchar.model.parameters import Architecture
from nextchar.settings.config import NetworkSettings
from nextchar.text.vocabulary import Vocabulary


def model_of(vocabulary: Vocabulary) -> Model:
    network = NetworkSettings(hidden_size=4, num_layers=1)
    return Model(initialise(Architecture(network, len(vocabulary)), 1), vocabulary)


LETTERS = model_of(Vocabulary.of_text("abc1\n"))
BYTES = model_of(Vocabulary(is_bytes=True))


def request(model: Model = LETTERS, prompt: str | bytes = "ab", **given: Any) -> Request:
    return make_request(
        model, prompt, GenerationSettings(length=9), RequestOptions(**given), seed=1
    )


def test_a_prompt_is_read_as_its_codes() -> None:
    made = request(prompt="cab")
    assert made.prompt.tolist() == LETTERS.vocabulary.encode("cab").tolist()
    assert made.primed == 0


def test_an_empty_prompt_is_primed_with_a_line_break_where_there_is_one() -> None:
    made = request(prompt="")
    assert (made.prompt.tolist(), made.primed) == ([LETTERS.vocabulary.encode("\n")[0]], 1)
    assert request(BYTES, b"").prompt.tolist() == [10]
    alone = request(model_of(Vocabulary.of_text("ab")), "")
    assert (alone.prompt.tolist(), alone.primed) == ([], 0)


def test_unknown_characters_are_named_or_skipped() -> None:
    with pytest.raises(UnknownCharacterError, match="'é'"):
        request(prompt="aé")
    assert (
        request(prompt="aé", unknown="skip").prompt.tolist() == request(prompt="a").prompt.tolist()
    )


def test_biases_are_given_by_character_or_code() -> None:
    code = LETTERS.vocabulary.encode("1")[0]
    bias = request(logit_bias={"a": 2, "1": -100, "b": -100.0}).bias
    assert bias is not None
    assert bias[LETTERS.vocabulary.encode("a")[0]] == 2
    assert np.isneginf(bias[code])  # a digit is the character
    by_code = request(logit_bias={int(code): 3}).bias
    assert by_code is not None
    assert by_code[code] == 3
    assert request(logit_bias={"03": 3}).bias[3] == 3  # type: ignore[index]
    assert request(logit_bias={}).bias is None


def test_a_bias_of_a_character_of_several_bytes_is_one_of_each() -> None:
    bias = request(BYTES, logit_bias={"é": 1}).bias
    assert bias is not None
    assert np.flatnonzero(bias).tolist() == sorted("é".encode())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"é": 1}, "logit_bias must name characters of the model or codes below 5, got 'é'"),
        ({"05": 1}, "logit_bias must name characters .*, got '05'"),
        ({5: 1}, "logit_bias must name characters .*, got 5"),
        ({-1: 1}, "logit_bias must name characters .*, got -1"),
        ({"ab": 1}, "logit_bias must name characters .*, got 'ab'"),
        ({"a": 101}, "logit_bias must have numbers from -100 to 100, got {'a': 101}"),
        ({"a": float("nan")}, "logit_bias must have numbers"),
        ({"a": True}, "logit_bias must have numbers"),
        ({"a": "1"}, "logit_bias must have numbers"),
        (dict.fromkeys("abc1\n", -100), "logit_bias bans every character; leave at least one"),
    ],
)
def test_an_invalid_bias_is_refused(given: dict[Any, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        request(logit_bias=given)


@pytest.mark.parametrize("stop", [[""], ["a", ""], [1], [b"a"]])
def test_an_empty_stop_text_is_refused(stop: list[Any]) -> None:
    with pytest.raises(SettingsError, match="stop must be texts that are not empty, got"):
        request(stop=stop)
