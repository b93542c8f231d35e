"""Rounding to bfloat16 pairs, and products of them, against their definition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nextchar import SettingsError
from nextchar.kernels import engine
from nextchar.kernels.engine import Engine
from nextchar.kernels.gemm import bfloat16
from nextchar.kernels.gemm.gemm import KC, MC, apply_gemm, gemm_context, gemm_tn
from nextchar.kernels.gemm.microkernel import MR, NR_VECTORS
from nextchar.kernels.isa import HOST, padded
from nextchar.model.initialise import initialise
from nextchar.model.network import loss_and_gradient
from nextchar.model.parameters import Architecture, Parameters
from nextchar.settings.config import NetworkSettings
from nextchar.text.batches import Batch

Array = NDArray[Any]
needs_bfloat16 = pytest.mark.skipif(
    not HOST.has_bfloat16, reason="this CPU has no avx512_bf16 to multiply bfloat16 with"
)


def rounded(x: Array) -> Array:
    """Round float32 to bfloat16, to nearest, ties to even."""
    bits = x.astype(np.float32).view(np.uint32)
    up = (bits >> 16) & 1
    return ((bits + 0x7FFF + up) & 0xFFFF0000).astype(np.uint32).view(np.float32)


def halves(pairs: Array) -> Array:
    """Return the halves of pairs as float32, in order."""
    return (pairs.view(np.uint16).astype(np.uint32) << 16).view(np.float32)


@pytest.mark.parametrize("K", [1, 2, 7, 16, 33])
def test_rows_are_rounded_to_nearest_and_an_odd_end_is_paired_with_zero(
    K: int, rng: np.random.Generator
) -> None:
    A = rng.standard_normal((3, K + 2)).astype("f4") * 1e3
    pairs = (K + 1) // 2
    out = np.full(3 * pairs, 0xFFFFFFFF, np.uint32)
    bfloat16.round_rows(A.ctypes.data, K + 2, 3, K, out)
    found = halves(out).reshape(3, 2 * pairs)
    np.testing.assert_array_equal(found[:, :K], rounded(A[:, :K]))
    assert not found[:, K:].any()


def test_ties_go_to_even_and_infinities_stay() -> None:
    bits = np.array([0x3F808000, 0x3F818000, 0x7F800000, 0xFF800000, 0x80000000, 1], np.uint32)
    out = np.zeros(3, np.uint32)
    bfloat16.round_rows(bits.ctypes.data, 6, 1, 6, out)
    assert out.view(np.uint16).tolist() == [0x3F80, 0x3F82, 0x7F80, 0xFF80, 0x8000, 0]


@pytest.mark.parametrize("bits", [0x7FC00000, 0x7F800001, 0xFFFFFFFF, 0xFF800001])
def test_nan_stays_nan(bits: int) -> None:
    source, out = np.array([bits, 0], np.uint32), np.zeros(1, np.uint32)
    bfloat16.round_rows(source.ctypes.data, 2, 1, 2, out)
    assert np.isnan(halves(out)[0])


def multiplied(A: Array) -> Array:
    """Return the rows of A as they are multiplied: rounded where the CPU multiplies pairs."""
    return rounded(A) if HOST.has_bfloat16 else A


@pytest.mark.parametrize("rows", [1, MR, MR + 1, MC + 3])
@pytest.mark.parametrize(
    ("K", "gates", "width"), [(1, 1, 1), (7, 4, 17), (100, 3, 100), (64, 1, 65)]
)
def test_products_are_those_of_the_rounded_operands(
    rows: int, K: int, gates: int, width: int, rng: np.random.Generator
) -> None:
    A = np.zeros((rows, K + 1), "f4")  # rows can be read up to an even K
    A[:, :K] = rng.standard_normal((rows, K))
    W = rng.standard_normal((K, gates * width)).astype("f4")
    P = padded(width, "f4")
    B = np.zeros((K + 1) // 2 * gates * P, np.uint32)
    bfloat16.pack_bf16(B, W, gates, width, P)
    C, context = np.full((rows, gates, P), np.nan, "f4"), gemm_context(np.uint32, K)
    apply_gemm(
        A.ctypes.data, K + 1, B, C.ctypes.data, gates * P, rows, K, gates * P, False, context
    )
    wanted = (multiplied(A[:, :K]).astype("f8") @ rounded(W)).reshape(rows, gates, width)
    # the sums are float32: as in test_gemm
    np.testing.assert_allclose(C[:, :, :width], wanted, rtol=0, atol=4 * K * 1.2e-7)
    assert not C[:, :, width:].any()


@pytest.mark.parametrize("inputs", [1, 3, 17, 129])
@pytest.mark.parametrize(("gates", "width"), [(1, 1), (4, 17), (3, 100)])
def test_the_packed_transpose_holds_the_rounded_weights(
    gates: int, width: int, inputs: int, rng: np.random.Generator
) -> None:
    W = rng.standard_normal((inputs, gates * width)).astype("f4")
    P, columns = padded(width, "f4"), padded(inputs, "f4")
    B = np.zeros(gates * P // 2 * columns, np.uint32)
    bfloat16.pack_transposed_bf16(B, W, gates, width, P, columns)
    D, C = np.zeros((3, gates, P), "f4"), np.full((3, columns), np.nan, "f4")
    D[:, :, :width] = rng.standard_normal((3, gates, width))
    K, context = gates * P, gemm_context(np.uint32, gates * P)
    apply_gemm(D.ctypes.data, K, B, C.ctypes.data, columns, 3, K, columns, False, context)
    wanted = multiplied(D[:, :, :width]).reshape(3, -1).astype("f8") @ rounded(W).T
    np.testing.assert_allclose(C[:, :inputs], wanted, rtol=0, atol=4 * K * 1.2e-7)
    assert not C[:, inputs:].any()


@needs_bfloat16
@pytest.mark.parametrize("rows", [1, 2, 255, 256, 257, 600])
@pytest.mark.parametrize("M", [1, MR + 1, 65])
def test_the_sum_over_rows_is_that_of_the_rounded_operands(
    rows: int, M: int, rng: np.random.Generator
) -> None:
    N = 5 * bfloat16.LENGTH
    a, b = rng.standard_normal((rows, M)).astype("f4"), rng.standard_normal((rows, N)).astype("f4")
    c = np.full((M, N), np.nan, "f4")
    packed_a = np.zeros(KC * (M + MR), np.uint32)
    packed_b = np.zeros(KC * NR_VECTORS * bfloat16.LENGTH, np.uint32)
    gemm_tn(a, M, b, N, c, rows, packed_a, packed_b, gemm_context(np.uint32))
    wanted = rounded(a).astype("f8").T @ rounded(b)
    np.testing.assert_allclose(c, wanted, rtol=0, atol=4 * rows * 1.2e-7)


@needs_bfloat16
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize(("E", "tied"), [(0, False), (33, False), (40, True)])
def test_gradients_are_those_of_the_network_to_8_bits(cell: str, E: int, tied: bool) -> None:
    network = NetworkSettings(cell=cell, hidden_size=40, num_layers=2, embedding_size=E, tied=tied)
    parameters = initialise(Architecture(network, 65), 1)
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 65, (2, 12, 9))
    state = parameters.zero_state(9)
    wanted = Parameters(parameters.architecture, dtype="f8")
    exact = Parameters(parameters.architecture, parameters.flat.astype("f8"))
    loss, _ = loss_and_gradient(exact, x, y, state.astype("f8"), wanted, scale=1 / x.size)
    with Engine(parameters.architecture, threads=2, dtype=np.float32, bfloat16=True) as made:
        found, _, gradient = made.loss_and_gradient(parameters, Batch(x, y, True), state)
        off = np.linalg.norm(gradient.flat - wanted.flat) / np.linalg.norm(wanted.flat)
    assert found == pytest.approx(loss / x.size, rel=1e-3)
    assert 1e-6 < off < 2**-6  # an operand is off by 2^-9 at most; it is not float32 by mistake


def test_a_cpu_without_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "HOST", HOST._replace(has_bfloat16=False))
    with pytest.raises(SettingsError, match="dtype bfloat16 needs a CPU with avx512_bf16"):
        Engine(Architecture(NetworkSettings(), 5), threads=1, dtype=np.float32, bfloat16=True)
