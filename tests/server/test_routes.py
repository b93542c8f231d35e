"""The other routes: codes of texts, and properties."""

from __future__ import annotations

from typing import Any

from serving import Server


def post(server: Server, path: str, **body: Any) -> Any:
    return server.client.post(path, json=body)


def test_a_text_becomes_codes_and_comes_back(server: Server) -> None:
    tokens = post(server, "/tokenize", content="It was").json()["tokens"]
    assert tokens == server.model().vocabulary.encode("It was").tolist()
    assert post(server, "/detokenize", tokens=tokens).json() == {"content": "It was"}


def test_codes_come_with_their_characters_where_asked(server: Server) -> None:
    answer = post(server, "/tokenize", content="a春", with_pieces=True, model="bytes").json()
    assert answer["tokens"] == [
        {"id": 97, "piece": "a"},
        {"id": 0xE6, "piece": "bytes:\\xe6"},
        {"id": 0x98, "piece": "bytes:\\x98"},
        {"id": 0xA5, "piece": "bytes:\\xa5"},
    ]
    whole = post(server, "/detokenize", tokens=[0xE6, 0x98, 0xA5], model="bytes").json()
    assert whole == {"content": "春"}


def test_what_cannot_be_a_code_or_a_character_is_named(server: Server) -> None:
    for path, body, param in (
        ("/tokenize", {"content": "Zebra"}, "content"),
        ("/detokenize", {"tokens": [10**6]}, "tokens"),
        ("/detokenize", {"tokens": [-1]}, "tokens"),
        ("/detokenize", {"tokens": "abc"}, "tokens"),
        ("/tokenize", {}, "content"),
    ):
        answer = post(server, path, **body)
        assert answer.status_code == 400
        assert answer.json()["error"]["param"] == param
    missing = post(server, "/tokenize", content="It", model="none")
    assert missing.status_code == 404
    assert missing.json()["error"]["code"] == "model_not_found"


def test_properties_contain_defaults_limits_and_the_model(server: Server) -> None:
    props = server.client.get("/props").json()
    assert props["model"] == "prose"
    assert props["default_generation_settings"]["temperature"] == 1.0
    assert props["default_generation_settings"]["max_tokens"] == 16
    assert props["limits"]["max_tokens"] == 10_000
    assert set("It was") <= set(props["characters"])
    assert len(props["characters"]) == props["meta"]["n_vocab"]
    other = server.client.get("/props", params={"model": "bytes"}).json()
    assert (other["meta"]["alphabet"], other["characters"]) == ("bytes", None)
    assert server.client.get("/props", params={"model": "none"}).status_code == 404
