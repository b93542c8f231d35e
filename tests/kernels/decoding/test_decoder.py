"""Decoder: a lane's logits and draws depend on its codes and rules, and on no other lane."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from nextchar.generation.generation_settings import GenerationSettings
from nextchar.generation.sampling import probabilities, sample
from nextchar.generation.sequence import rule_values
from nextchar.kernels.decoding.decoder import (
    FULL,
    IN_CACHE,
    LONGEST,
    RUNNING,
    STOPPED,
    Decoder,
    Lane,
    Rules,
)
from nextchar.model.initialise import initialise
from nextchar.model.loss import log_softmax
from nextchar.model.network import forward
from nextchar.model.parameters import Architecture, Parameters
from nextchar.settings.config import NetworkSettings

Array = NDArray[Any]
CELLS = ("rnn", "lstm", "gru")
SHAPES: list[tuple[int, int, int, bool]] = [  # H, L, E, tied
    (1, 1, 0, False), (3, 2, 0, False), (17, 1, 5, False), (17, 3, 17, True),
    (100, 1, 0, False), (129, 2, 129, True),
]  # fmt: skip
# sums of some hundred terms in another order: float64 and float32 rounding; operands of 8 bits
BOUND = {np.float64: 1e-12, np.float32: 2e-5, "bfloat16": 3e-2}
V = 7
NOTHING = np.empty(0)


@dataclass(frozen=True)
class Pattern:
    """One digit after another: 0, 1, 2, then 0 again or the end."""

    classes = np.array([0, 1, 2, -1, -1, -1, -1], np.int32)
    table = np.array([[1, -1, -1], [-1, 2, -1], [-1, -1, 3], [1, -1, -1]], np.int32)
    accepts = np.array([False, False, False, True])
    distance = np.array([3, 2, 1, 0], np.int32)


@dataclass(frozen=True)
class OnePass:
    """0, 1 or 2 and no more."""

    classes = np.array([0, 0, 0, -1, -1, -1, -1], np.int32)
    table = np.array([[1], [-1]], np.int32)
    accepts = np.array([False, True])
    distance = np.array([1, 0], np.int32)


def network(
    cell: str, shape: tuple[int, int, int, bool] = (9, 2, 4, False), V: int = V, dtype: Any = None
) -> Parameters:
    """Untrained, with biases."""
    H, L, E, tied = shape
    made = NetworkSettings(cell=cell, hidden_size=H, num_layers=L, embedding_size=E, tied=tied)
    parameters = initialise(Architecture(made, V), 3, dtype or np.float64)
    rng = np.random.default_rng(1)
    parameters.flat += (0.1 * rng.standard_normal(parameters.flat.shape)).astype(parameters.dtype)
    return parameters


@pytest.fixture(params=CELLS)
def parameters(request: pytest.FixtureRequest) -> Parameters:
    return network(request.param)


@pytest.fixture
def decoder(parameters: Parameters) -> Iterator[Decoder]:
    with Decoder(parameters, lanes=3) as made:
        yield made


def rules(bias: Array | None = None, top: int = -1, **given: Any) -> Rules:
    numbers = rule_values(GenerationSettings(**{"length": 10**6, **given}))
    return Rules({**numbers, "top": top}, bias)


def logits_after(parameters: Parameters, codes: Array) -> Array:
    """By one pass of the readable network in float64, (1, V)."""
    exact = Parameters(parameters.architecture, parameters.flat.astype(np.float64))
    if len(codes) == 0:
        return np.array([exact["b_out"]])
    return forward(exact, np.asarray(codes)[:, None], exact.zero_state(1))[0][-1]


def off(found: Array, wanted: Array) -> float:
    return float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))


def written(decoder: Decoder, lane: Lane, uniforms: Array, prompt: Any = ()) -> list[int]:
    """Return the codes that a lane reads and draws in one call."""
    decoder.feed(lane, np.array(prompt, np.int64), uniforms)
    decoder.write(len(prompt) + len(uniforms))
    return decoder.wrote(lane).codes.tolist()


# reading


@pytest.mark.parametrize("kind", BOUND)
@pytest.mark.parametrize(
    ("cell", "shape", "V"),
    [(cell, shape, (2, 65, 500)[n % 3]) for n, (cell, shape) in enumerate(product(CELLS, SHAPES))],
)
def test_read_gives_the_logits_of_the_network(
    cell: str, shape: tuple[int, int, int, bool], V: int, kind: Any, rng: np.random.Generator
) -> None:
    parameters = network(cell, shape, V, np.float32 if kind == "bfloat16" else kind)
    codes = rng.integers(0, V, 20)
    with Decoder(parameters, bfloat16=kind == "bfloat16") as decoder:
        lane = decoder.enter()
        decoder.read(codes)
        assert off(decoder.logits(lane), logits_after(parameters, codes)) < BOUND[kind]


def test_before_any_code_the_logits_are_the_biases(
    parameters: Parameters, decoder: Decoder
) -> None:
    lane = decoder.enter()
    assert decoder.logits(lane).tolist() == parameters["b_out"].tolist()
    decoder.read(np.array([], dtype=np.uint8))
    assert decoder.logits(lane).tolist() == parameters["b_out"].tolist()


def test_reading_in_pieces_is_reading_at_once(
    parameters: Parameters, decoder: Decoder, rng: np.random.Generator
) -> None:
    codes, lane = rng.integers(0, V, 50), decoder.enter()
    for piece in (codes[:21], codes[21:22], codes[22:]):
        decoder.read(piece)
    with Decoder(parameters) as other:
        alone = other.enter()
        other.read(codes)
        assert decoder.logits(lane).tobytes() == other.logits(alone).tobytes()


def test_a_lane_continues_from_a_snapshot_to_the_bit(
    decoder: Decoder, rng: np.random.Generator
) -> None:
    codes, lane = rng.integers(0, V, 30), decoder.enter()
    decoder.read(codes[:10])
    snapshot = decoder.snapshot(lane)
    decoder.read(codes[10:])
    expected = decoder.logits(lane).tobytes()
    decoder.leave(lane)
    again = decoder.enter(start=snapshot)
    decoder.read(codes[10:])
    assert decoder.logits(again).tobytes() == expected


def test_invalid_codes_are_refused(decoder: Decoder) -> None:
    lane = decoder.enter()
    for code in (-1, V):
        with pytest.raises(IndexError, match=r"codes must be in \[0, 7\)"):
            decoder.feed(lane, np.array([code]), NOTHING)


# drawing, compared with the readable rules

RULES: list[dict[str, Any]] = [
    {}, {"temperature": 0.0}, {"temperature": 0.4}, {"top_k": 3}, {"top_p": 0.7}, {"min_p": 0.3},
    {"typical_p": 0.5}, {"repetition_penalty": 3.0}, {"repetition_penalty": 0.5},
    {"presence_penalty": 1.5}, {"frequency_penalty": 0.7, "repeat_last_n": 5},
    {"repetition_penalty": 2.0, "repeat_last_n": 0},
    {"frequency_penalty": -1.0, "repeat_last_n": -1},
    {"no_repeat_ngram_size": 1}, {"no_repeat_ngram_size": 2}, {"no_repeat_ngram_size": 3},
    {"temperature": 0.8, "top_k": 5, "top_p": 0.9, "min_p": 0.05, "typical_p": 0.9,
     "repetition_penalty": 1.3, "presence_penalty": 0.2, "frequency_penalty": 0.1,
     "no_repeat_ngram_size": 4, "repeat_last_n": 8},
]  # fmt: skip


def readable(
    parameters: Parameters,
    prompt: list[int],
    uniforms: Array,
    given: dict[str, Any],
    bias: Array | None = None,
) -> list[int]:
    """Return the codes that the readable network and rules draw, while one can be drawn."""
    codes = list(prompt)
    how = GenerationSettings(length=10**6, **given)
    for uniform in uniforms:
        logits = logits_after(parameters, np.array(codes, np.int64))
        rows = probabilities(logits, how, [np.array(codes, np.int64)], bias)
        code = int(sample(rows, np.array([uniform]))[0])
        if code < 0:
            break
        codes.append(code)
    return codes[len(prompt) :]


@pytest.mark.parametrize("given", RULES, ids=str)
def test_a_lane_draws_what_the_readable_rules_draw(given: dict[str, Any]) -> None:
    parameters = network("gru")
    for seed, prompt in enumerate(([], [3], [1, 2, 1, 2, 6, 1, 2])):
        uniforms = np.random.default_rng(seed).random(25)
        with Decoder(parameters) as decoder:
            made = written(decoder, decoder.enter(rules(**given)), uniforms, prompt)
        assert made[len(prompt) :] == readable(parameters, prompt, uniforms, given)


@given(
    seed=st.integers(0, 10**6),
    given=st.fixed_dictionaries(
        {},
        optional={
            "temperature": st.sampled_from([0.0, 0.3, 1.0, 2.0]),
            "top_k": st.integers(-1, 8),
            "top_p": st.sampled_from([0.2, 0.6, 0.95]),
            "min_p": st.sampled_from([0.01, 0.5, 1.0]),
            "typical_p": st.sampled_from([0.1, 0.5, 0.95]),
            "repetition_penalty": st.sampled_from([0.3, 1.2, 5.0]),
            "presence_penalty": st.sampled_from([-2.0, 0.5]),
            "frequency_penalty": st.sampled_from([-0.5, 2.0]),
            "repeat_last_n": st.integers(-1, 12),
            "no_repeat_ngram_size": st.integers(0, 4),
        },
    ),
    bans=st.lists(st.integers(0, V - 1), max_size=V),
)
@settings(max_examples=60)
def test_any_rules_together_draw_what_the_readable_ones_do(
    seed: int, given: dict[str, Any], bans: list[int]
) -> None:
    parameters, rng = network("rnn"), np.random.default_rng(seed)
    bias = rng.standard_normal(V)
    bias[bans] = -np.inf
    prompt, uniforms = rng.integers(0, V, seed % 9).tolist(), rng.random(20)
    with Decoder(parameters) as decoder:
        made = written(decoder, decoder.enter(rules(bias, **given)), uniforms, prompt)
    assert made[len(prompt) :] == readable(parameters, prompt, uniforms, given, bias)


def test_the_unknown_code_is_never_drawn(parameters: Parameters) -> None:
    with Decoder(parameters, unknown=3) as decoder:
        assert 3 not in written(decoder, decoder.enter(rules()), np.linspace(0, 0.999, 200))


# ends


def test_the_end_stops_a_lane_and_is_no_part_of_it(parameters: Parameters) -> None:
    uniforms = np.random.default_rng(0).random(60)
    with Decoder(parameters) as decoder:
        whole = written(decoder, decoder.enter(rules()), uniforms)
    end = whole[5]
    with Decoder(parameters, end=end) as decoder:
        lane = decoder.enter(rules())
        made = written(decoder, lane, uniforms)
        assert made == whole[: whole.index(end)]
        assert decoder.wrote(lane).status == STOPPED


def test_the_end_is_not_drawn_before_the_least_length(parameters: Parameters) -> None:
    uniforms = np.random.default_rng(0).random(60)
    with Decoder(parameters, end=2) as decoder:
        lane = decoder.enter(rules(min_length=40))
        made = written(decoder, lane, uniforms)
    assert len(made) >= 40
    assert 2 not in made


def test_a_lane_is_full_at_its_length(decoder: Decoder) -> None:
    lane = decoder.enter(rules(length=5))
    assert len(written(decoder, lane, np.full(9, 0.5), [1, 2])) == 7
    assert decoder.wrote(lane).status == FULL


def test_a_call_ends_when_no_lane_has_more_to_do(decoder: Decoder) -> None:
    short, long = decoder.enter(rules(length=2)), decoder.enter(rules(length=50))
    for lane in (short, long):
        decoder.feed(lane, NOTHING.astype(int), np.full(100, 0.5))
    decoder.write(100, patience=1)
    assert [len(decoder.wrote(lane).codes) for lane in (short, long)] == [2, 50]


def test_a_call_ends_early_when_more_lanes_are_done_than_patience_allows(decoder: Decoder) -> None:
    short, long = decoder.enter(rules(length=2)), decoder.enter(rules(length=50))
    for lane in (short, long):
        decoder.feed(lane, NOTHING.astype(int), np.full(100, 0.5))
    decoder.write(100)
    assert [len(decoder.wrote(lane).codes) for lane in (short, long)] == [2, 2]
    assert decoder.wrote(long).status == RUNNING


def test_a_lane_interrupted_by_others_continues_unchanged(parameters: Parameters) -> None:
    uniforms = np.random.default_rng(3).random(30)
    with Decoder(parameters) as decoder:
        whole = written(decoder, decoder.enter(rules()), uniforms)
    with Decoder(parameters, lanes=2) as decoder:
        other, lane = decoder.enter(rules(length=4)), decoder.enter(rules())
        decoder.feed(other, NOTHING.astype(int), np.full(30, 0.5))
        first = written(decoder, lane, uniforms)
        decoder.leave(other)
        rest = written(decoder, lane, uniforms[len(first) :])
    assert len(first) == 4
    assert first + rest == whole


# patterns


@pytest.mark.parametrize("length", [3, 4, 5, 6, 8, 9, 30])
def test_a_pattern_is_matched_as_a_whole_within_the_length(
    parameters: Parameters, length: int
) -> None:
    for seed in range(8):
        uniforms = np.random.default_rng(seed).random(30)
        with Decoder(parameters) as decoder:
            lane = decoder.enter(rules(length=length), automaton=Pattern())
            made = written(decoder, lane, uniforms)
            assert made == [0, 1, 2] * (len(made) // 3)
            assert 3 <= len(made) <= length
            assert decoder.wrote(lane).status == (FULL if len(made) == length else STOPPED)


def test_what_a_pattern_bans_is_the_end_as_often_as_it_is_probable() -> None:
    parameters = network("rnn")
    ends, tries = 0, 400
    logits = logits_after(parameters, np.array([0, 1, 2]))[0]
    expected = 1 - np.exp(log_softmax(logits[None]))[0, 0]
    for seed in range(tries):
        with Decoder(parameters) as decoder:
            lane = decoder.enter(rules(length=6), automaton=Pattern())
            ends += len(written(decoder, lane, np.random.default_rng(seed).random(6))) == 3
    assert ends / tries == pytest.approx(expected, abs=0.1)  # four standard deviations


def test_in_a_model_with_an_end_only_that_ends_a_pattern(parameters: Parameters) -> None:
    lengths = set()
    for seed in range(20):
        with Decoder(parameters, end=4) as decoder:
            lane = decoder.enter(rules(length=60), automaton=Pattern())
            made = written(decoder, lane, np.random.default_rng(seed).random(60))
        assert made == [0, 1, 2] * (len(made) // 3)
        lengths.add(len(made))
    assert len(lengths) > 2


def test_a_pattern_does_not_end_before_the_least_length(parameters: Parameters) -> None:
    for end in (-1, 4):
        with Decoder(parameters, end=end) as decoder:
            lane = decoder.enter(rules(length=12, min_length=10), automaton=Pattern())
            assert len(written(decoder, lane, np.random.default_rng(1).random(12))) == 12


def test_a_complete_pattern_stops_its_lane_at_once(decoder: Decoder) -> None:
    lane = decoder.enter(rules(length=9), automaton=OnePass())
    assert len(written(decoder, lane, np.full(9, 0.5))) == 1
    assert decoder.wrote(lane).status == STOPPED


def test_patterns_come_and_go_while_others_are_at_work(parameters: Parameters) -> None:
    uniforms, first = np.random.default_rng(5).random(40), Pattern()
    with Decoder(parameters, lanes=3) as decoder:
        lane = decoder.enter(rules(length=39), automaton=first)
        made = written(decoder, lane, uniforms[:2])
        for other in (OnePass(), Pattern(), None, OnePass()):
            other_lane = decoder.enter(rules(length=1), automaton=other)
            decoder.feed(other_lane, NOTHING.astype(int), np.full(1, 0.9))
            if decoder.wrote(lane).status == RUNNING:
                made += written(decoder, lane, uniforms[len(made) : len(made) + 1])
            decoder.leave(other_lane)
    with Decoder(parameters) as decoder:
        alone = decoder.enter(rules(length=39), automaton=first)
        assert made == written(decoder, alone, uniforms)[: len(made)]


# scores


@pytest.mark.parametrize("is_scored", [0, 1])
def test_log_probabilities_are_the_models_own_whatever_the_rules(
    parameters: Parameters, is_scored: int
) -> None:
    prompt, uniforms = [1, 5, 2], np.random.default_rng(2).random(10)
    how = rules(top=3, temperature=0.5, repetition_penalty=2.0)
    how.numbers["is_scored"] = is_scored
    with Decoder(parameters) as decoder:
        lane = decoder.enter(how)
        codes = written(decoder, lane, uniforms, prompt)
        wrote = decoder.wrote(lane)
        for n in range(0 if is_scored else len(prompt), len(codes)):
            row = log_softmax(logits_after(parameters, np.array(codes[:n], np.int64)))[0]
            assert wrote.logprobs[n] == pytest.approx(row[codes[n]], abs=1e-12)
            best = np.argsort(-row, kind="stable")[:3]
            assert wrote.top_codes[n].tolist() == best.tolist()
            assert wrote.top_logprobs[n] == pytest.approx(row[best], abs=1e-12)


def test_more_alternatives_than_symbols_are_all_there_are(decoder: Decoder) -> None:
    lane = decoder.enter(rules(top=100))
    written(decoder, lane, np.array([0.5]))
    assert sorted(decoder.wrote(lane).top_codes[0, :V].tolist()) == list(range(V))


# several lanes


@pytest.mark.parametrize("kind", [np.float32, "bfloat16"])
@pytest.mark.parametrize("cell", CELLS)
def test_a_lane_is_the_same_to_the_bit_alone_and_among_any_number(cell: str, kind: Any) -> None:
    parameters = network(cell, (33, 2, 0, False), 65, np.float32)
    uniforms = np.random.default_rng(0).random((21, 40))
    prompts = [np.arange(n % 5) for n in range(21)]
    how = [RULES[n % len(RULES)] for n in range(21)]

    def run(lanes: list[int], threads: int) -> list[tuple[list[int], bytes]]:
        held = kind == "bfloat16"
        with Decoder(parameters, lanes=len(lanes), threads=threads, bfloat16=held) as decoder:
            there = [decoder.enter(rules(**how[n])) for n in lanes]
            for lane, n in zip(there, lanes, strict=True):
                decoder.feed(lane, prompts[n], uniforms[n])
            decoder.write(40 + 4, patience=21)
            return [
                (decoder.wrote(lane).codes[:40].tolist(), decoder.logits(lane).tobytes())
                for lane in there
            ]

    def ended(n: int, made: list[int]) -> bool:
        return len(made) < 40

    together = run(list(range(21)), 1)
    for lanes, threads in (([0], 1), ([4, 20], 2), ([9, 3, 5, 1], 2), (list(range(20, -1, -1)), 4)):
        for n, (made, _) in zip(lanes, run(lanes, threads), strict=True):
            assert made == together[n][0], n
            assert not ended(n, made) or "no_repeat_ngram_size" in how[n]


def test_lanes_enter_and_leave_without_a_trace(parameters: Parameters) -> None:
    uniforms = np.random.default_rng(7).random(60)
    with Decoder(parameters) as decoder:
        expected = written(decoder, decoder.enter(rules(top_k=4)), uniforms)
    rng = np.random.default_rng(8)
    with Decoder(parameters, lanes=6, threads=2) as decoder:
        others = [decoder.enter(rules()) for _ in range(3)]
        lane, made = decoder.enter(rules(top_k=4)), list[int]()
        while len(made) < 60:
            n = int(rng.integers(1, 7))
            decoder.feed(lane, NOTHING.astype(int), uniforms[len(made) : len(made) + n])
            n = min(n, 60 - len(made))
            for other in others:
                decoder.feed(other, NOTHING.astype(int), rng.random(n))
            decoder.write(n)
            made += decoder.wrote(lane).codes.tolist()
            if others and rng.random() < 0.5:
                decoder.leave(others.pop(int(rng.integers(len(others)))))
            elif decoder.free:
                others.append(decoder.enter(rules(frequency_penalty=1.0)))
    assert made == expected


def test_writing_in_blocks_is_writing_at_once(parameters: Parameters, decoder: Decoder) -> None:
    uniforms, lane = np.random.default_rng(0).random(30), decoder.enter(rules())
    parts = [written(decoder, lane, uniforms[start : start + 7]) for start in range(0, 30, 7)]
    with Decoder(parameters) as other:
        assert list(chain(*parts)) == written(other, other.enter(rules()), uniforms)


def test_weights_larger_than_the_cache_are_held_as_bfloat16() -> None:
    for H, expected in ((32, np.float32), (300, np.uint32)):
        parameters = network("lstm", (H, 1, 0, False), 65, np.float32)
        assert (parameters.architecture.matrix_size * 4 > IN_CACHE) == (expected == np.uint32)
        with Decoder(parameters) as decoder:
            assert decoder.packed.matrices.dtype == expected
    with Decoder(network("lstm", (300, 1, 0, False), 65, np.float64)) as decoder:
        assert decoder.packed.matrices.dtype == np.float64


def test_a_block_is_long_for_a_small_network_and_short_for_many_lanes_of_a_large_one() -> None:
    with Decoder(network("rnn")) as decoder:
        assert decoder.block == LONGEST
    with Decoder(network("lstm", (512, 2, 0, False), 65, np.float32), lanes=64) as decoder:
        decoder.enter()
        alone = decoder.block
        assert 1 < alone < LONGEST
        for _ in range(63):
            decoder.enter()
        assert 1 <= decoder.block < alone


def test_a_decoder_changes_nothing_of_the_model(parameters: Parameters) -> None:
    before = parameters.flat.copy()
    with Decoder(parameters, unknown=0) as decoder:
        written(decoder, decoder.enter(rules()), np.full(3, 0.5), [1, 2])
    assert parameters.flat.tobytes() == before.tobytes()
