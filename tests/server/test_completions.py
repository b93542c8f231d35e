"""POST /v1/completions: the texts, their number, order, ends, log-probabilities, and usage."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest

from nextchar.model.network import forward
from nextchar.server.schema import CompletionRequest
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


def test_codes_do_for_a_prompt_and_for_several(server: Server) -> None:
    codes = server.client.post("/tokenize", json={"content": "It was"}).json()["tokens"]
    wanted = server.written("It was", 20, 1)
    assert server.texts(prompt=codes, max_tokens=20, seed=1) == wanted
    assert server.texts(prompt=[codes, codes], max_tokens=20, seed=1) == wanted * 2
    assert server.texts(prompt=codes, max_tokens=20, seed=1, echo=True) == ["It was" + wanted[0]]
    assert server.texts(prompt=[[]], max_tokens=20, seed=1) == server.written("", 20, 1)


def test_a_byte_model_takes_any_text_and_any_codes(server: Server) -> None:
    wanted = server.written("春眠", 60, 1, model="bytes")
    assert server.texts(model="bytes", prompt="春眠", max_tokens=60, seed=1) == wanted
    codes = list("春眠".encode())
    assert server.texts(model="bytes", prompt=codes, max_tokens=60, seed=1) == wanted


def test_without_a_seed_each_prompt_has_one_of_its_own_which_is_told(server: Server) -> None:
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


def test_sixteen_characters_are_written_where_nothing_is_said(server: Server) -> None:
    assert [len(text) for text in server.texts(prompt="It was")] == [16]


def test_other_names_of_fields_do_as_well(server: Server) -> None:
    wanted = server.texts(prompt="the", max_tokens=25, seed=1, stop="e")
    assert server.texts(prompt="the", n_predict=25, seed=1, stop_strings="e") == wanted


def test_null_stands_for_the_default_everywhere(server: Server) -> None:
    fields = set(CompletionRequest.__struct_fields__) - {"model", "prompt"}
    answer = server.complete(prompt="It was", **dict.fromkeys(fields))
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["choices"][0]["text"]) == 16


def test_unknown_fields_and_the_user_are_ignored(server: Server) -> None:
    wanted = server.texts(prompt="It", seed=1)
    assert server.texts(prompt="It", seed=1, user="me", chat_template=[1, {"a": None}]) == wanted


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


def log_probabilities(server: Server, text: str) -> np.ndarray:
    """What the readable network expects after each character of a text, (N, V)."""
    model = server.model()
    codes = model.vocabulary.encode(text).astype(np.int64)[:, None]
    state = np.zeros((1, 2, 1, 16), np.float32)
    logits = forward(model.parameters, codes, state)[0][:, 0].astype(np.float64)
    logits -= logits.max(1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(1, keepdims=True))


def test_log_probabilities_are_those_of_the_network(server: Server) -> None:
    answer = server.complete(prompt="It was", max_tokens=12, seed=1, logprobs=3, temperature=0.5)
    (choice,) = answer.json()["choices"]
    scores, text = choice["logprobs"], choice["text"]
    expected = log_probabilities(server, "It was" + text)[5:-1]
    vocabulary = server.model().vocabulary
    assert scores["tokens"] == list(text)
    assert scores["text_offset"] == list(range(12))
    own = expected[np.arange(12), vocabulary.encode(text)]
    np.testing.assert_allclose(scores["token_logprobs"], own, atol=1e-4)  # float32's sums
    for n, top in enumerate(scores["top_logprobs"]):
        best = [vocabulary.decode([code]) for code in np.argsort(-expected[n])[:3]]
        assert set(best) | {text[n]} == set(top)
        assert top[text[n]] == scores["token_logprobs"][n]


def test_scoring_by_echo_gives_the_prompt_its_log_probabilities(server: Server) -> None:
    answer = server.complete(prompt="It was the age", max_tokens=0, echo=True, logprobs=0).json()
    (choice,) = answer["choices"]
    assert choice["text"] == "It was the age"
    scores = choice["logprobs"]
    assert scores["tokens"] == list("It was the age")
    assert scores["token_logprobs"][0] is None
    assert scores["top_logprobs"][0] is None
    codes = server.model().vocabulary.encode("It was the age")
    own = log_probabilities(server, "It was the age")[np.arange(13), codes[1:]]
    np.testing.assert_allclose(scores["token_logprobs"][1:], own, atol=1e-4)
    assert answer["usage"] == {"prompt_tokens": 14, "completion_tokens": 0, "total_tokens": 14}
    assert choice["finish_reason"] == "length"


def test_echo_puts_the_prompt_before_every_text(server: Server) -> None:
    wanted = ["It" + text for text in server.written("It", 10, 1, samples=2)]
    answer = server.complete(prompt="It", max_tokens=10, seed=1, n=2, echo=True, logprobs=1).json()
    assert [choice["text"] for choice in answer["choices"]] == wanted
    for choice in answer["choices"]:
        assert "".join(choice["logprobs"]["tokens"]) == choice["text"]
        assert choice["logprobs"]["text_offset"] == list(range(12))


def test_an_empty_prompt_shows_nothing_of_what_stands_for_it(server: Server) -> None:
    (choice,) = server.complete(max_tokens=8, seed=1, echo=True, logprobs=0).json()["choices"]
    assert [choice["text"]] == server.written("", 8, 1)
    assert choice["logprobs"]["tokens"] == list(choice["text"])


def test_tokens_of_a_byte_model_are_bytes_and_stand_at_their_characters(server: Server) -> None:
    body = {"model": "bytes", "prompt": "a春b", "max_tokens": 0, "echo": True, "logprobs": 1}
    (choice,) = server.complete(**body).json()["choices"]
    scores = choice["logprobs"]
    assert scores["tokens"] == ["a", "bytes:\\xe6", "bytes:\\x98", "bytes:\\xa5", "b"]
    assert scores["text_offset"] == [0, 1, 1, 1, 2]
    assert all(math.isfinite(each) for each in scores["token_logprobs"][1:])


def test_characters_that_the_model_never_saw_are_named_or_left_out(server: Server) -> None:
    answer = server.complete(prompt="Zebra")
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "prompt"
    assert "'Z'" in answer.json()["error"]["message"]
    assert server.texts(prompt="ZIt was", seed=1, unknown="skip") == server.texts(
        prompt="It was", seed=1
    )
