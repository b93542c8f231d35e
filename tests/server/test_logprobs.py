"""Log-probabilities: those of the network, in the form of the API."""

from __future__ import annotations

import math

import numpy as np

from nextchar.model.network import forward
from serving import Server


def log_probabilities(server: Server, text: str) -> np.ndarray:
    """Log-probabilities by the NumPy network after each character of a text, (N, V)."""
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
    np.testing.assert_allclose(scores["token_logprobs"], own, atol=1e-4)  # sums in float32
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
