"""Bodies of all kinds: one that does not match the schema is a 400 that names the field."""

from __future__ import annotations

import json
from typing import Any

import pytest

from serving import Server, served

JSON = {"content-type": "application/json"}


def post(server: Server, body: bytes, path: str = "/v1/completions", **headers: str) -> Any:
    return server.client.post(path, content=body, headers={**JSON, **headers})


def with_field(name: str, value: str) -> bytes:
    return f'{{"model": "prose", "prompt": "It", "{name}": {value}}}'.encode()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temperature", "NaN"),
        ("temperature", "Infinity"),
        ("temperature", "-Infinity"),
        ("logit_bias", '{"a": NaN}'),
        ("stop", '["a", NaN]'),
        ("temperature", "1e999"),
        ("temperature", "2.1"),
        ("temperature", "-0.1"),
        ("temperature", '"1"'),
        ("temperature", "true"),
        ("temperature", "[]"),
        ("top_p", "0"),
        ("top_p", "1.1"),
        ("top_k", "-2"),
        ("top_k", "1.5"),
        ("min_p", "2"),
        ("typical_p", "0"),
        ("n", "0"),
        ("n", "129"),
        ("n", "128.5"),
        ("n", "true"),
        ("n", "9" * 400),
        ("best_of", "21"),
        ("max_tokens", "-1"),
        ("max_tokens", "10001"),
        ("max_tokens", "99999999999999999999999"),
        ("n_predict", "-1"),
        ("logprobs", "6"),
        ("logprobs", "true"),
        ("seed", "-1"),
        ("seed", "1e3"),
        ("seed", str(2**63)),
        ("stop", '""'),
        ("stop", '["a", "b", "c", "d", "e"]'),
        ("stop", '["a", ""]'),
        ("stop", "7"),
        ("presence_penalty", "2.5"),
        ("frequency_penalty", "-3"),
        ("repetition_penalty", "0"),
        ("repeat_penalty", "-1"),
        ("no_repeat_ngram_size", "-1"),
        ("logit_bias", '{"a": 101}'),
        ("logit_bias", "[1]"),
        ("echo", '"yes"'),
        ("stream", "1"),
        ("stream_options", "[]"),
        ("stream_options", '{"include_usage": 1}'),
        ("suffix", '"the end"'),
        ("num_beams", "4"),
        ("include_stop_str_in_output", "true"),
        ("unknown", '"guess"'),
        ("user", "7"),
        ("model", "null"),
        ("prompt", "null"),
        ("prompt", "7"),
        ("prompt", "{}"),
        ("prompt", "[]"),
        ("prompt", '["a", 1]'),
        ("prompt", "[[1], 1]"),
        ("prompt", "[1.5]"),
        ("prompt", "[-1]"),
        ("prompt", "[100000]"),
        ("prompt", "[[[1]]]"),
        ("prompt", "[true]"),
        ("min_length", "17"),
        ("pattern", "7"),
        ("pattern", '"(a"'),
        ("pattern", '"Z+"'),
        ("pattern", '"a{17}"'),
        ("pattern", f'"{"a" * 1001}"'),
        ("logit_bias", '{"Z": 1}'),
    ],
)
def test_a_value_of_no_use_is_refused_and_its_field_named(
    server: Server, field: str, value: str
) -> None:
    answer = post(server, with_field(field, value))
    assert answer.status_code == 400, answer.text
    problem = answer.json()["error"]
    assert set(problem) == {"message", "type", "param", "code"}
    assert problem["type"] == "invalid_request_error"
    assert problem["param"] == field
    assert problem["message"].startswith(field)
    assert "\n" not in problem["message"]


@pytest.mark.parametrize("missing", ["model", "prompt"])
def test_what_is_missing_is_named(server: Server, missing: str) -> None:
    body = {"model": "prose", "prompt": "It"}
    del body[missing]
    problem = post(server, json.dumps(body).encode()).json()["error"]
    assert problem["param"] == missing


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"3",
        b'"text"',
        b"{} {}",
        b"{'model': 'prose'}",
        b'{"model": "prose", "prompt": "\xff"}',
        b'{"model": "prose", "prompt": "It", "other": "\xc3("}',
        b'{"model": "prose", "prompt": "\\ud800"}',
        b'{"model": "prose", "prompt": "It", "other": ' + b"[" * 200_000,
        b'{"model": "prose", "prompt": "It", "other": ' + b"[" * 200_000 + b"]" * 200_000 + b"}",
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b'{"model": "prose", "prompt": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b"\x00" * 100,
        b"\xef\xbb\xbf{}",
        '{"model": "prose"}'.encode("utf-16"),
    ],
    ids=range(18),
)
def test_what_is_no_json_of_ours_is_refused(server: Server, body: bytes) -> None:
    for path in ("/v1/completions", "/tokenize", "/detokenize"):
        answer = post(server, body, path)
        assert answer.status_code == 400, answer.text
        assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_what_is_not_called_json_is_a_415(server: Server, kind: str) -> None:
    answer = server.client.post(
        "/v1/completions", content=with_field("n", "1"), headers={"content-type": kind}
    )
    assert answer.status_code == 415
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_json_with_a_charset_is_json(server: Server) -> None:
    answer = post(
        server, with_field("n", "1"), **{"content-type": "Application/JSON; charset=utf-8"}
    )
    assert answer.status_code == 200


def test_a_body_too_large_is_a_413_whether_it_says_so_or_not(server: Server) -> None:
    large = b" " * (9 << 20)
    declared = post(server, large)
    assert declared.status_code == 413
    assert declared.json()["error"]["type"] == "invalid_request_error"
    chunked = server.client.post(
        "/v1/completions", content=iter([large[: 1 << 20]] * 9), headers=JSON
    )
    assert chunked.status_code == 413


def test_a_chunked_body_is_read_whole(server: Server) -> None:
    body = with_field("seed", "1")
    pieces = (body[n : n + 7] for n in range(0, len(body), 7))
    answer = server.client.post("/v1/completions", content=pieces, headers=JSON)
    assert [c["text"] for c in answer.json()["choices"]] == server.written("It", 16, 1)


def test_a_strict_server_refuses_fields_that_it_does_not_know(served_models: Any) -> None:
    with served(served_models, strict=True) as server:
        answer = post(server, with_field("temprature", "1"))
        assert answer.status_code == 400
        assert answer.json()["error"]["param"] == "temprature"
        assert post(server, with_field("temperature", "1")).status_code == 200
