"""Beam search, compared with an enumeration of all texts."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from nextchar.errors import SettingsError
from nextchar.generation.generate import Generated, best_of, generate, stream
from nextchar.generation.generation_settings import GenerationSettings
from nextchar.generation.requests import RequestOptions
from nextchar.model.file import Model
from nextchar.model.initialise import initialise
from nextchar.model.loss import log_softmax
from nextchar.model.network import forward
from nextchar.model.parameters import Architecture
from nextchar.settings.config import NetworkSettings
from nextchar.text.vocabulary import Vocabulary


def model_of(vocabulary: Vocabulary, cell: str = "gru") -> Model:
    network = NetworkSettings(cell=cell, hidden_size=5, num_layers=1)
    parameters = initialise(Architecture(network, len(vocabulary)), 2, np.float64)
    parameters.flat *= 3  # an untrained model depends little on its input
    return Model(parameters, vocabulary)


LETTERS = model_of(Vocabulary.of_text("abc"))
EVERY = 81  # enough beams for every text of four letters


def logprob(model: Model, prompt: str, text: str) -> float:
    codes = model.vocabulary.encode(prompt + text).astype(int)
    state = model.parameters.zero_state(1)
    rows = log_softmax(forward(model.parameters, codes[:, None], state)[0][:, 0])
    first = len(prompt) - 1
    return float(rows[np.arange(first, len(codes) - 1), codes[first + 1 :]].sum())


def beams(prompt: str = "a", stop: Any = (), **given: Any) -> list[Generated]:
    settings = GenerationSettings(**{"length": 4, "num_beams": EVERY, **given})
    return generate(LETTERS, prompt, settings, RequestOptions(stop=stop), seed=1)


@pytest.mark.parametrize("prompt", ["a", "cab"])
def test_enough_beams_find_the_most_probable_texts(prompt: str) -> None:
    every = ["".join(each) for each in itertools.product("abc", repeat=4)]
    best = sorted(every, key=lambda text: -logprob(LETTERS, prompt, text))[:5]
    made = beams(prompt, samples=5)
    assert [each.text for each in made] == best
    for each in made:
        assert each.logprobs is not None
        assert each.logprobs.sum() == pytest.approx(logprob(LETTERS, prompt, each.text))
        assert each.finish_reason == "length"


def test_one_beam_of_many_is_at_least_as_probable_as_greedy_text() -> None:
    greedy = generate(LETTERS, "a", GenerationSettings(length=12, temperature=0), seed=1)[0].text
    searched = beams(length=12, num_beams=4)[0].text
    assert logprob(LETTERS, "a", searched) >= logprob(LETTERS, "a", greedy)


@pytest.mark.parametrize("length_penalty", [0.0, 1.0, 2.0])
def test_texts_that_end_are_compared_by_their_length(length_penalty: float) -> None:
    shorter = (each for n in range(4) for each in itertools.product("ac", repeat=n))
    ends = {text + "b": text for text in map("".join, shorter)}
    ranks = {
        text: logprob(LETTERS, "a", whole) / max(1, len(text)) ** length_penalty
        for whole, text in ends.items()
    }
    ranks |= {
        text: logprob(LETTERS, "a", text) / 4**length_penalty
        for text in map("".join, itertools.product("ac", repeat=4))
    }
    best = sorted(ranks, key=lambda text: -ranks[text])[:3]
    made = beams(stop="b", samples=3, length_penalty=length_penalty)
    assert [each.text for each in made] == best


def test_repeated_ngrams_are_banned_in_beams_too() -> None:
    for each in beams(samples=8, length=4, no_repeat_ngram_size=2):
        text = "a" + each.text
        pairs = [text[n : n + 2] for n in range(len(text) - 1)]
        assert len(set(pairs)) == len(pairs)


def test_a_banned_character_is_in_no_beam() -> None:
    made = generate(
        LETTERS,
        "a",
        GenerationSettings(length=5, num_beams=4, samples=4),
        RequestOptions(logit_bias={"b": -100}),
        seed=1,
    )
    assert all("b" not in each.text for each in made)


def test_beams_cannot_be_streamed_nor_the_best_of_many() -> None:
    for given in ({"num_beams": 2}, {"best_of": 2}):
        with pytest.raises(SettingsError, match="cannot be streamed"):
            stream(LETTERS, "a", GenerationSettings(**given), seed=1)  # type: ignore[arg-type]


def test_the_best_of_many_are_the_most_probable_of_the_samples() -> None:
    many = generate(LETTERS, "a", GenerationSettings(length=6, samples=9, logprobs=0), seed=1)
    best = generate(LETTERS, "a", GenerationSettings(length=6, samples=2, best_of=9), seed=1)
    ranked = sorted(many, key=lambda each: -each.mean_logprob)
    assert best == ranked[:2]


def test_an_empty_text_ranks_last() -> None:
    empty = Generated("", b"", "stop", np.zeros(0, int), np.zeros(0))
    other = Generated("a", b"a", "length", np.zeros(1, int), np.array([-9.0]))
    assert best_of([empty, other], 1) == [other]
