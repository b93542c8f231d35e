"""POST /v1/completions: number, order and ends of the texts, best_of, and usage."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from serving import Server


def test_a_text_is_the_one_that_the_library_writes_for_the_seed(server: Server) -> None:
    answer = server.complete(prompt="It was", max_tokens=200, seed=7).json()
    (choice,) = answer["choices"]
    assert [choice["text"]] == server.written("It was", 200, 7)
    assert choice["finish_reason"] == "length"
    assert (choice["index"], choice["seed"], choice["logprobs"]) == (0, 7, None)
    assert answer["usage"] == {"prompt_tokens": 6, "completion_tokens": 200, "total_tokens": 206}
    assert answer["object"] == "text_completion"
    assert answer["id"].startswith("cmpl-")
    assert answer["system_fingerprint"].startswith("nextchar-")


@pytest.mark.parametrize(
    "rules",
    [
        {"temperature": 0.5},
        {"temperature": 0},
        {"top_k": 3},
        {"top_p": 0.7, "temperature": 1.5},
        {"min_p": 0.1},
        {"typical_p": 0.5},
        {"repetition_penalty": 1.5, "repeat_last_n": 10},
        {"presence_penalty": 1.0, "frequency_penalty": 0.5},
        {"no_repeat_ngram_size": 2},
        {"min_length": 50},
    ],
    ids=str,
)
def test_rules_are_those_of_the_library(server: Server, rules: dict[str, float]) -> None:
    wanted = server.written("the ", 100, 3, **rules)
    assert server.texts(prompt="the ", max_tokens=100, seed=3, **rules) == wanted


@pytest.mark.parametrize(
    "option",
    [
        {"logit_bias": {"e": -100, "t": 3.5}},
        {"logit_bias": {"12": 50}},
        {"pattern": "[a-f]{3}, (it|was)+"},
        {"unknown": "skip"},
    ],
    ids=str,
)
def test_options_of_a_request_are_those_of_the_library(
    server: Server, option: dict[str, Any]
) -> None:
    wanted = server.written("the ", 60, 3, options=option, samples=2)
    assert server.texts(prompt="the ", max_tokens=60, seed=3, n=2, **option) == wanted
    assert server.texts(prompt=["the "] * 2, max_tokens=60, seed=3, n=2, **option) == wanted * 2


def test_a_pattern_ends_its_text_where_nothing_may_follow(server: Server) -> None:
    answer = server.complete(prompt="the ", max_tokens=60, pattern="(it|was){2}").json()
    assert re.fullmatch("(it|was){2}", answer["choices"][0]["text"])
    assert answer["choices"][0]["finish_reason"] == "stop"


def test_n_texts_are_those_that_the_library_draws_together(server: Server) -> None:
    wanted = server.written("It", 50, 5, samples=4)
    assert server.texts(prompt="It", max_tokens=50, seed=5, n=4) == wanted


def test_several_prompts_come_back_in_order_each_with_its_n_texts(server: Server) -> None:
    prompts = ["It was", "", "age of"]
    answer = server.complete(prompt=prompts, max_tokens=30, seed=2, n=2).json()
    wanted = [text for each in prompts for text in server.written(each, 30, 2, samples=2)]
    assert [choice["text"] for choice in answer["choices"]] == wanted
    assert [choice["index"] for choice in answer["choices"]] == list(range(6))
    assert answer["usage"]["prompt_tokens"] == 12


def test_without_a_seed_each_prompt_gets_a_separate_one_and_reports_it(server: Server) -> None:
    choices = server.complete(prompt=["It was"] * 3, max_tokens=40).json()["choices"]
    assert len({choice["seed"] for choice in choices}) == 3
    for choice in choices:
        assert [choice["text"]] == server.written("It was", 40, choice["seed"])


def test_a_stop_string_ends_a_text_and_is_no_part_of_it(server: Server) -> None:
    (whole,) = server.written("It was", 300, 11)
    stop = whole[40:42]
    wanted = server.written("It was", 300, 11, options={"stop": stop})
    for given in (stop, [stop], ["never there", stop]):
        answer = server.complete(prompt="It was", max_tokens=300, seed=11, stop=given).json()
        assert [choice["text"] for choice in answer["choices"]] == wanted
        assert answer["choices"][0]["finish_reason"] == "stop"
    assert stop not in wanted[0]
    assert answer["usage"]["completion_tokens"] == len(wanted[0])


def test_best_of_gives_the_most_probable_texts_of_those(server: Server) -> None:
    all_of_them = server.complete(prompt="It", max_tokens=30, seed=4, n=5, logprobs=0).json()
    by_mean = sorted(
        all_of_them["choices"], key=lambda choice: -np.mean(choice["logprobs"]["token_logprobs"])
    )
    answer = server.complete(prompt="It", max_tokens=30, seed=4, n=2, best_of=5).json()
    assert [c["text"] for c in answer["choices"]] == [c["text"] for c in by_mean[:2]]
    assert [c["index"] for c in answer["choices"]] == [0, 1]
    assert [c["logprobs"] for c in answer["choices"]] == [None, None]
    assert answer["usage"]["completion_tokens"] == 150
