"""Decoding: what was read decides the logits; a lane's text does not depend on the others."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nextchar.config import NetworkSettings
from nextchar.kernels.decoder import IN_CACHE, Decoder
from nextchar.kernels.draw import Rules
from nextchar.model.initialise import initialise
from nextchar.model.network import forward
from nextchar.model.parameters import Architecture, Parameters

Array = NDArray[Any]
CELLS = ("rnn", "lstm", "gru")
SHAPES: list[tuple[int, int, int, bool]] = [  # H, L, E, tied
    (1, 1, 0, False), (3, 2, 0, False), (17, 1, 5, False), (17, 3, 17, True),
    (100, 1, 0, False), (129, 2, 129, True),
]  # fmt: skip
PLAIN = Rules(unknown=-1, temperature=1.0, top_k=0, top_p=1.0)
# sums of some hundred terms in another order: float64 and float32 rounding; operands of 8 bits
BOUND = {np.float64: 1e-12, np.float32: 2e-5, "bfloat16": 3e-2}


def network(
    cell: str, shape: tuple[int, int, int, bool] = (9, 2, 4, False), V: int = 7, dtype: Any = None
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
    with Decoder(parameters) as made:
        yield made


def logits_after(parameters: Parameters, codes: Array) -> Array:
    """By one pass of the readable network in float64."""
    exact = Parameters(parameters.architecture, parameters.flat.astype(np.float64))
    return forward(exact, codes[:, None], exact.zero_state(1))[0][-1]


def off(found: Array, wanted: Array) -> float:
    return float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))


@pytest.mark.parametrize("kind", BOUND)
@pytest.mark.parametrize(
    ("cell", "shape", "V"),
    [
        (cell, shape, (2, 65, 500)[n % 3])
        for n, (cell, shape) in enumerate(itertools.product(CELLS, SHAPES))
    ],
)
def test_read_gives_the_logits_of_the_network(
    cell: str, shape: tuple[int, int, int, bool], V: int, kind: Any, rng: np.random.Generator
) -> None:
    parameters = network(cell, shape, V, np.float32 if kind == "bfloat16" else kind)
    codes = rng.integers(0, V, 20)
    with Decoder(parameters, bfloat16=kind == "bfloat16") as decoder:
        decoder.read(codes)
        assert off(decoder.logits, logits_after(parameters, codes)) < BOUND[kind]


def test_before_anything_was_read_the_biases_speak(
    parameters: Parameters, decoder: Decoder
) -> None:
    assert decoder.logits.tolist() == [parameters["b_out"].tolist()]
    decoder.read(np.array([], dtype=np.uint8))
    assert decoder.logits.tolist() == [parameters["b_out"].tolist()]


def test_reading_in_pieces_is_reading_at_once(
    parameters: Parameters, decoder: Decoder, rng: np.random.Generator
) -> None:
    codes = rng.integers(0, 7, 50)
    for piece in (codes[:21], codes[21:22], codes[22:]):
        decoder.read(piece)
    with Decoder(parameters) as other:
        other.read(codes)
        assert decoder.logits.tobytes() == other.logits.tobytes()


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_write_reads_what_it_draws_each_lane_on_its_own(
    parameters: Parameters, threads: int, rng: np.random.Generator
) -> None:
    prompt = rng.integers(0, 7, 10)
    with Decoder(parameters, threads=threads) as decoder:
        decoder.read(prompt)
        decoder.split(3)
        codes = decoder.write(rng.random((6, 3)), PLAIN)
        assert codes.shape == (6, 3)
        assert len({tuple(lane) for lane in codes.T}) == 3
        for lane, logits in enumerate(decoder.logits):
            expected = logits_after(parameters, np.concatenate([prompt, codes[:, lane]]))
            assert off(logits, expected[0]) < BOUND[np.float64]


@pytest.mark.parametrize("kind", [np.float32, "bfloat16"])
@pytest.mark.parametrize("cell", CELLS)
def test_a_lane_is_the_same_to_the_bit_alone_and_among_any_number(cell: str, kind: Any) -> None:
    parameters = network(cell, (33, 2, 0, False), 65, np.float32)
    uniforms = np.random.default_rng(0).random((40, 21))

    def run(lanes: int, threads: int) -> tuple[Array, Array]:
        held = kind == "bfloat16"
        with Decoder(parameters, threads=threads, bfloat16=held) as decoder:
            decoder.read(np.arange(20))
            decoder.split(lanes)
            return decoder.write(uniforms[:, :lanes], PLAIN), decoder.logits

    codes, logits = run(21, 1)
    for lanes, threads in ((1, 1), (2, 2), (7, 2), (9, 1), (21, 4)):
        some, their_logits = run(lanes, threads)
        assert some.tolist() == codes[:, :lanes].tolist()
        assert their_logits.tobytes() == logits[:lanes].tobytes()


def test_writing_in_blocks_is_writing_at_once(parameters: Parameters, decoder: Decoder) -> None:
    uniforms = np.random.default_rng(0).random((30, 1))
    parts = [decoder.write(uniforms[start : start + 7], PLAIN) for start in range(0, 30, 7)]
    with Decoder(parameters) as other:
        assert np.concatenate(parts).tolist() == other.write(uniforms, PLAIN).tolist()


def test_all_lanes_read_a_text(parameters: Parameters, rng: np.random.Generator) -> None:
    codes = rng.integers(0, 7, 12)
    with Decoder(parameters, threads=2) as decoder:
        decoder.split(3)
        decoder.read(codes)
        expected = np.repeat(logits_after(parameters, codes), 3, axis=0)
        assert off(decoder.logits, expected) < BOUND[np.float64]


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
        assert decoder.block == 512
    with Decoder(network("lstm", (512, 2, 0, False), 65, np.float32)) as decoder:
        alone = decoder.block
        assert 1 < alone < 512
        decoder.split(64)
        assert 1 <= decoder.block < alone


def test_codes_that_are_none_are_refused(decoder: Decoder) -> None:
    for code in (-1, 7):
        with pytest.raises(IndexError, match=r"codes must be in \[0, 7\)"):
            decoder.read(np.array([code]))


def test_a_decoder_changes_nothing_of_the_model(parameters: Parameters) -> None:
    before = parameters.flat.copy()
    with Decoder(parameters) as decoder:
        decoder.read(np.array([1, 2]))
        decoder.write(np.full((3, 1), 0.5), PLAIN._replace(unknown=0))
    assert parameters.flat.tobytes() == before.tobytes()
