"""Continuous batching: each text is the same in a batch as alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable
from typing import Any

import numpy as np
import pytest

from nextchar.generation.generate import generate
from nextchar.generation.generation_settings import GenerationSettings
from nextchar.generation.requests import RequestOptions, TextDelta, make_request
from nextchar.generation.scheduler import BatchScheduler
from nextchar.kernels.decoding.decoder import Decoder
from nextchar.model.file import Model
from nextchar.model.loss import log_softmax
from nextchar.model.network import forward

PROMPTS = ["It was", "", "the age of", "w", "It was the best of times, it was"]
RULES: list[dict[str, Any]] = [
    {}, {"temperature": 0.5}, {"top_k": 3, "repetition_penalty": 1.3}, {"logprobs": 2},
    {"no_repeat_ngram_size": 3}, {"top_p": 0.8, "frequency_penalty": 0.5},
]  # fmt: skip


def ask(model: Model, n: int, **given: Any) -> tuple[Any, ...]:
    """Prompt, settings and seed of request n, different for each n."""
    rules = {**RULES[n % len(RULES)], "length": 7 + 5 * (n % 4), **given}
    return PROMPTS[n % len(PROMPTS)], GenerationSettings(**rules), n


def drain(batch: BatchScheduler) -> dict[Hashable, list[TextDelta]]:
    """All deltas by request."""
    pieces: dict[Hashable, list[TextDelta]] = defaultdict(list)
    while len(batch):
        for key, piece in batch.advance():
            pieces[key].append(piece)
    return pieces


def text(pieces: list[TextDelta], index: int = 0) -> str:
    return "".join(piece.text for piece in pieces if piece.index == index)


@pytest.mark.parametrize("lanes", [1, 3, 20])
def test_every_request_gets_the_text_that_it_would_get_alone(
    small_model: Model, lanes: int
) -> None:
    with BatchScheduler(small_model, lanes=lanes, threads=2) as batch:
        for n in range(15):
            prompt, settings, seed = ask(small_model, n, samples=1 + n % 3)
            batch.add(
                n, make_request(small_model, prompt, settings, RequestOptions(stop="ee"), seed=seed)
            )
        pieces = drain(batch)
    for n in range(15):
        prompt, settings, seed = ask(small_model, n, samples=1 + n % 3)
        alone = generate(small_model, prompt, settings, RequestOptions(stop="ee"), seed=seed)
        assert [text(pieces[n], index) for index in range(len(alone))] == [
            each.text for each in alone
        ]
        reasons = {piece.index: piece.finish_reason for piece in pieces[n] if piece.finish_reason}
        assert reasons == {index: each.finish_reason for index, each in enumerate(alone)}


def test_requests_enter_while_others_are_at_work(small_model: Model) -> None:
    pieces: dict[Hashable, list[TextDelta]] = defaultdict(list)
    with BatchScheduler(small_model, lanes=4) as batch:
        for n in range(12):
            prompt, settings, seed = ask(small_model, n)
            batch.add(n, make_request(small_model, prompt, settings, seed=seed))
            for key, piece in batch.advance(limit=3):
                pieces[key].append(piece)
        for key, more in drain(batch).items():
            pieces[key] += more
    for n in range(12):
        prompt, settings, seed = ask(small_model, n)
        assert text(pieces[n]) == generate(small_model, prompt, settings, seed=seed)[0].text


def test_a_request_that_is_cancelled_gives_nothing_more_and_disturbs_nobody(
    small_model: Model,
) -> None:
    with BatchScheduler(small_model, lanes=2) as batch:
        for n in range(3):
            prompt, settings, seed = ask(small_model, n, length=30)
            batch.add(n, make_request(small_model, prompt, settings, seed=seed))
        pieces = batch.advance(limit=5)
        assert (len(batch), batch.waiting, batch.lanes) == (3, 1, 2)
        batch.cancel(0)
        batch.cancel("nobody")
        assert (len(batch), batch.lanes) == (2, 1)
        rest = drain(batch)
    assert 0 not in rest
    for n in (1, 2):
        begun = [piece for key, piece in pieces if key == n]
        prompt, settings, seed = ask(small_model, n, length=30)
        assert text(begun + rest[n]) == generate(small_model, prompt, settings, seed=seed)[0].text


def test_a_request_that_waits_can_be_cancelled(small_model: Model) -> None:
    with BatchScheduler(small_model, lanes=1) as batch:
        for n in range(2):
            batch.add(n, make_request(small_model, "It", GenerationSettings(length=5), seed=n))
        batch.cancel(1)
        assert set(drain(batch)) == {0}


def test_a_call_writes_no_more_than_it_may(small_model: Model) -> None:
    with BatchScheduler(small_model, lanes=2) as batch:
        batch.add(0, make_request(small_model, "It", GenerationSettings(length=50), seed=1))
        assert [len(piece.text) for _, piece in batch.advance(limit=2)] == []  # the prompt is read
        assert [len(piece.text) for _, piece in batch.advance(limit=1)] == [1]
        assert [len(piece.text) for _, piece in batch.advance(limit=7)] == [7]


def test_several_samples_read_their_prompt_once(
    small_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    feed = Decoder.feed

    def counted(self: Decoder, lane: Any, codes: Any, uniforms: Any) -> None:
        read.append(len(codes))
        feed(self, lane, codes, uniforms)

    monkeypatch.setattr(Decoder, "feed", counted)
    made = generate(small_model, "It was", GenerationSettings(length=9, samples=8), seed=1)
    assert len({each.text for each in made}) == 8
    assert sum(read) == len("It was")


def test_nothing_to_write_is_done_at_once(small_model: Model) -> None:
    with BatchScheduler(small_model, lanes=1) as batch:
        batch.add("a", make_request(small_model, "It", GenerationSettings(length=0), seed=1))
        ((key, piece),) = batch.advance()
        assert (key, piece.text, piece.finish_reason) == ("a", "", "length")
        assert len(batch) == 0
        assert batch.advance() == []


# scores


def test_a_prompt_is_scored_by_the_model_itself(small_model: Model) -> None:
    prompt = "It was the best"
    codes = small_model.vocabulary.encode(prompt).astype(int)
    request = make_request(
        small_model,
        prompt,
        GenerationSettings(length=0, logprobs=1, samples=2),
        RequestOptions(prompt_logprobs=True),
        seed=1,
    )
    with BatchScheduler(small_model, lanes=2) as batch:
        batch.add(0, request)
        pieces = drain(batch)[0]
    scored = [piece for piece in pieces if piece.index == -1]
    logprobs = np.concatenate([piece.logprobs for piece in scored if piece.logprobs is not None])
    state = small_model.parameters.zero_state(1)
    rows = log_softmax(forward(small_model.parameters, codes[:, None], state)[0][:, 0])
    assert text(pieces, -1) == prompt
    assert np.isnan(logprobs[0])
    assert logprobs[1:] == pytest.approx(rows[np.arange(len(codes) - 1), codes[1:]], abs=1e-5)
    assert sorted(piece.index for piece in pieces if piece.finish_reason) == [0, 1]


def test_what_the_user_did_not_give_is_read_and_not_scored(small_model: Model) -> None:
    settings = GenerationSettings(length=3, logprobs=0)
    request = make_request(small_model, "", settings, RequestOptions(prompt_logprobs=True), seed=1)
    with BatchScheduler(small_model, lanes=1) as batch:
        batch.add(0, request)
        pieces = drain(batch)[0]
    assert {piece.index for piece in pieces} == {0}
    alone = generate(small_model, "", GenerationSettings(length=3), seed=1)
    assert text(pieces) == alone[0].text


def test_each_request_gets_the_requested_number_of_alternatives(small_model: Model) -> None:
    asked = [None, 0, 2, 100, 1]
    with BatchScheduler(small_model, lanes=5) as batch:
        for n, logprobs in enumerate(asked):
            settings = GenerationSettings(length=9, logprobs=logprobs)
            batch.add(n, make_request(small_model, "It", settings, seed=n))
            batch.advance(limit=1)
        pieces = drain(batch)
    symbols = len(small_model.vocabulary)
    for n, logprobs in enumerate(asked):
        for piece in pieces[n]:
            if logprobs is None:
                assert piece.logprobs is None
                assert piece.top_codes is None
            else:
                assert piece.top_codes is not None
                assert piece.top_codes.shape == (len(piece.text), min(logprobs, symbols))


@pytest.mark.parametrize("penalty", [1e-320, 1e300])
def test_the_strongest_penalties_overflow_nowhere(small_model: Model, penalty: float) -> None:
    how = GenerationSettings(length=40, repetition_penalty=penalty, repeat_last_n=-1)
    made = generate(small_model, "It was", how, seed=1)[0].text
    repeats = len(made) - len(set(made))
    symbols = len(small_model.vocabulary)
    assert repeats > 30 if penalty < 1 else repeats <= 40 - symbols + len(set("It was"))


def test_scores_come_with_the_characters_they_are_of(small_model: Model) -> None:
    settings = GenerationSettings(length=40, logprobs=2, temperature=0.7)
    request = make_request(small_model, "It", settings, RequestOptions(stop="qqq"), seed=3)
    with BatchScheduler(small_model, lanes=1) as batch:
        batch.add(0, request)
        pieces = []
        while len(batch):
            pieces += [piece for _, piece in batch.advance(limit=3)]
    for piece in pieces:
        assert small_model.vocabulary.decode(piece.codes) == piece.text
        assert piece.logprobs is not None
        assert piece.top_codes is not None
        assert len(piece.logprobs) == len(piece.text)
        assert piece.top_codes.shape == (len(piece.text), 2)
