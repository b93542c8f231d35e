"""Every tile size, and every tail, against NumPy's product."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nextchar.kernels.gemm.gemm import KC, MC, apply_gemm, gemm_context, gemm_tn
from nextchar.kernels.gemm.microkernel import MR, NR_VECTORS
from nextchar.kernels.gemm.packing import pack, pack_transposed
from nextchar.kernels.isa import padded, vector_length

Array = NDArray[Any]
DTYPES = [np.float32, np.float64]


def tolerance(dtype: Any, K: int) -> float:
    """K roundings of sums that grow like sqrt(K) and add up at random: K·eps, four times over."""
    return 4 * K * float(np.finfo(dtype).eps)


def packed(W: Array, gates: int = 1) -> Array:
    width = W.shape[1] // gates
    columns = padded(width, W.dtype)
    out = np.full(len(W) * gates * columns, np.nan, W.dtype)  # a number that is not written shows
    pack(out, W, gates, width, columns)
    return out


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("rows", "vectors"),
    list(itertools.product(range(1, 2 * MR + 2), range(1, 2 * NR_VECTORS + 2))),
)
def test_every_tile_size_gives_the_product(
    rows: int, vectors: int, dtype: Any, rng: np.random.Generator
) -> None:
    K, N = 7, vectors * vector_length(dtype)
    A, W = rng.standard_normal((rows, K)).astype(dtype), rng.standard_normal((K, N)).astype(dtype)
    C = rng.standard_normal((rows, N)).astype(dtype)
    before = C.copy()
    B = packed(W)
    for add in (True, False):
        wanted = A.astype(np.float64) @ W + (before if add else 0)
        C[:] = before
        apply_gemm(A.ctypes.data, K, B, C.ctypes.data, N, rows, K, N, add, gemm_context(dtype))
        np.testing.assert_allclose(C, wanted, rtol=0, atol=tolerance(dtype, K))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("K", [1, 2, 3, 100, 129])
@pytest.mark.parametrize(("gates", "width"), [(1, 1), (4, 3), (4, 17), (3, 100), (1, 65), (2, 128)])
def test_gates_are_padded_each_and_the_padding_is_zero(
    K: int, gates: int, width: int, dtype: Any, rng: np.random.Generator
) -> None:
    W = rng.standard_normal((K, gates * width)).astype(dtype)
    A = rng.standard_normal((5, K)).astype(dtype)
    P = padded(width, dtype)
    C = np.full((5, gates, P), np.nan, dtype)
    apply_gemm(
        A.ctypes.data,
        K,
        packed(W, gates),
        C.ctypes.data,
        gates * P,
        5,
        K,
        gates * P,
        False,
        gemm_context(dtype),
    )
    wanted = (A.astype(np.float64) @ W).reshape(5, gates, width)
    np.testing.assert_allclose(C[:, :, :width], wanted, rtol=0, atol=tolerance(dtype, K))
    assert not C[:, :, width:].any()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("gates", "width"), [(1, 1), (4, 3), (3, 17), (4, 100), (1, 65)])
@pytest.mark.parametrize("inputs", [1, 3, 17, 129])
def test_the_packed_transpose_is_that_of_the_padded_gates(
    gates: int, width: int, inputs: int, dtype: Any, rng: np.random.Generator
) -> None:
    W = rng.standard_normal((inputs, gates * width)).astype(dtype)
    P, columns = padded(width, dtype), padded(inputs, dtype)
    B = np.full(gates * P * columns, np.nan, dtype)
    pack_transposed(B, W, gates, width, P, columns)
    D = np.zeros((3, gates, P), dtype)
    D[:, :, :width] = rng.standard_normal((3, gates, width))
    C = np.full((3, columns), np.nan, dtype)
    apply_gemm(
        D.ctypes.data,
        gates * P,
        B,
        C.ctypes.data,
        columns,
        3,
        gates * P,
        columns,
        False,
        gemm_context(dtype),
    )
    wanted = D[:, :, :width].reshape(3, -1).astype(np.float64) @ W.T
    atol = tolerance(dtype, gates * width)
    np.testing.assert_allclose(C[:, :inputs], wanted, rtol=0, atol=atol)
    assert not C[:, inputs:].any()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", [1, 7, KC - 1, KC, KC + 1, 3 * KC + 5])
@pytest.mark.parametrize("M", [1, 3, MR, MR + 1, 65])
def test_gemm_tn_sums_over_rows_in_blocks(
    rows: int, M: int, dtype: Any, rng: np.random.Generator
) -> None:
    N = 5 * vector_length(dtype)
    a = rng.standard_normal((rows, M + 3)).astype(dtype)  # wider than M
    b = rng.standard_normal((rows, N)).astype(dtype)
    c = np.full((M, N), np.nan, dtype)
    packed_a, packed_b = np.zeros(KC * (M + MR), dtype), np.zeros(KC * N, dtype)
    gemm_tn(a, M, b, N, c, rows, packed_a, packed_b, gemm_context(dtype))
    wanted = a[:, :M].astype(np.float64).T @ b
    np.testing.assert_allclose(c, wanted, rtol=0, atol=tolerance(dtype, rows))


def test_a_tall_matrix_is_cut_into_chunks(rng: np.random.Generator) -> None:
    M, K, N = 2 * MC + 3, 9, 4 * vector_length(np.float32)
    A, W = rng.standard_normal((M, K)).astype("f4"), rng.standard_normal((K, N)).astype("f4")
    C = np.empty((M, N), "f4")
    apply_gemm(A.ctypes.data, K, packed(W), C.ctypes.data, N, M, K, N, False, gemm_context("f4"))
    np.testing.assert_allclose(C, A @ W, rtol=0, atol=tolerance(np.float32, K))


def test_a_nan_in_a_row_reaches_that_row_alone(rng: np.random.Generator) -> None:
    K, N = 20, 2 * vector_length(np.float32)
    A, W = rng.standard_normal((9, K)).astype("f4"), rng.standard_normal((K, N)).astype("f4")
    A[4, 3] = np.nan
    C = np.empty((9, N), "f4")
    apply_gemm(A.ctypes.data, K, packed(W), C.ctypes.data, N, 9, K, N, False, gemm_context("f4"))
    assert np.isnan(C[4]).all()
    assert np.isfinite(np.delete(C, 4, axis=0)).all()
