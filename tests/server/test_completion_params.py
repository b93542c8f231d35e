"""Parsing of a request: forms of a prompt, aliases, defaults and limits."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nextchar.server import completion_params, routes
from nextchar.server.schema import CompletionRequest
from serving import Server, served


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


def test_sixteen_characters_are_generated_by_default(server: Server) -> None:
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


def test_characters_that_the_model_never_saw_are_named_or_left_out(server: Server) -> None:
    answer = server.complete(prompt="Zebra")
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "prompt"
    assert "'Z'" in answer.json()["error"]["message"]
    assert server.texts(prompt="ZIt was", seed=1, unknown="skip") == server.texts(
        prompt="It was", seed=1
    )


def test_two_names_of_a_field_must_agree(server: Server) -> None:
    answer = server.complete(prompt="It", max_tokens=5, n_predict=6)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "n_predict")
    assert len(server.texts(prompt="It", max_tokens=5, n_predict=5)[0]) == 5


def test_what_takes_time_to_prepare_is_prepared_one_by_one_and_not_without_bound(
    served_models: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    body = {"prompt": "It was", "pattern": "(it|was)+", "max_tokens": 5, "seed": 1}
    with served(served_models) as server, ThreadPoolExecutor(4) as pool:
        texts = list(pool.map(lambda _: server.texts(**body), range(4)))
        long = {"prompt": "It was" * 15_000, "max_tokens": 5, "seed": 1}
        assert server.texts(**long) == server.written(long["prompt"], 5, 1)
        assert len({each for (each,) in texts}) == 1
        monkeypatch.setattr(completion_params, "MAX_PATTERN_TABLE", 10)
        large = server.complete(**body)
        assert (large.status_code, large.json()["error"]["param"]) == (400, "pattern")
        monkeypatch.setattr(routes, "MAX_PREPARING", 0)
        refused = server.complete(**body)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        assert server.complete(prompt="It").status_code == 200


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("prompt", "It was" * 20),
        ("prompt", "It was" * 200),
        ("max_tokens", 51),
        ("n", 5),
        ("logprobs", 3),
        ("best_of", 5),
    ],
)
def test_limits_are_the_operators(
    served_models: dict[str, Path], field: str, value: object
) -> None:
    limits = {"max_prompt": 100, "max_tokens": 50, "max_choices": 4, "max_logprobs": 2}
    with served(served_models, **limits) as server:
        answer = server.complete(**{"prompt": "It", field: value})
        assert answer.status_code == 400
        assert answer.json()["error"]["param"] in (field, "n")
        assert server.complete(prompt="It", max_tokens=50, logprobs=2, n=4).status_code == 200
