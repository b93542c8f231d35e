"""Comparisons of kernels/gemm with NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts.kernel_twins.plain import MEMORY, load, rounded, run
from model.gradient_check import make_problem

Array = NDArray[Any]
MR, NR_VECTORS, VECTOR_BYTES = 2, 2, 32


def random(*shape: int, dtype: Any = np.float64) -> Array:
    return np.random.default_rng(shape).standard_normal(shape).astype(dtype)


def pairs_of(rows: Array) -> Array:
    """Pairs of neighbouring rows, ⌈K/2⌉ of them; an odd last one with zero."""
    even = np.concatenate([rows, np.zeros((len(rows) % 2, rows.shape[1]), rows.dtype)])
    return rounded(even[0::2]) | rounded(even[1::2]) << np.uint32(16)


def panels(matrix: Array) -> Array:
    """A matrix of whole vectors in panels of columns, one after the other."""
    width = NR_VECTORS * VECTOR_BYTES // matrix.itemsize
    cuts = range(0, matrix.shape[1], width)
    return np.concatenate([matrix[:, cut : cut + width].ravel() for cut in cuts])


def padded_gates(W: Array, gates: int) -> Array:
    """A matrix whose gates are padded with zeros to whole vectors."""
    length = VECTOR_BYTES // W.itemsize
    H = W.shape[1] // gates
    P = -(-H // length) * length
    out = np.zeros((len(W), gates, P), W.dtype)
    out[:, :, :H] = W.reshape(len(W), gates, H)
    return out.reshape(len(W), gates * P)


def packed(W: Array, gates: int = 1) -> Array:
    return panels(padded_gates(W, gates))


def packed_transposed(W: Array, gates: int = 1, pairs: bool = False) -> Array:
    transposed = padded_gates(np.ascontiguousarray(padded_gates(W, gates).T), 1)
    return panels(pairs_of(transposed) if pairs else transposed)


def close(found: Any, wanted: Any, tolerance: float = 1e-12) -> None:
    np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance)


same = np.testing.assert_array_equal

# packing


def panel_position() -> None:
    for vectors in (1, 4, 5):
        numbers = np.arange(3 * vectors * 4).reshape(3, vectors * 4)  # K = 3, vectors of 4
        flat = panels(numbers.astype(np.float64))
        for v in range(vectors):
            start, row = run("gemm.packing.panel_position", v, vectors, 3, 4)
            same(flat[start + np.arange(3) * row], numbers[:, 4 * v])


CASES = [(1, 1, 3), (3, 2, 5), (4, 3, 4), (2, 1, 13), (5, 3, 11)]  # rows, gates, width


def pack() -> None:
    for rows, gates, width in CASES:
        W = random(rows, gates * width)
        wanted = packed(W, gates)
        out = np.full(wanted.size, np.nan)
        run("gemm.packing.pack", out, W, gates, width, -(-width // 4) * 4)
        same(out, wanted)


def pack_transposed() -> None:
    for n, (rows, gates, width) in enumerate([*CASES, (8, 1, 4), (19, 2, 3), (20, 1, 3)]):
        W = random(rows, gates * width, dtype=(np.float64, np.float32)[n % 2])
        wanted, length = packed_transposed(W, gates), VECTOR_BYTES // W.itemsize
        out = np.full(wanted.size, np.nan, W.dtype)
        P, columns = -(-width // length) * length, -(-rows // length) * length
        run("gemm.packing.pack_transposed", out, W, gates, width, P, columns)
        same(out, wanted)


def micropanels(a: Array, M: int) -> Array:
    """Blocks of MR columns; 7 where the last one is narrower."""
    out = np.full((-(-M // MR), len(a), MR), 7, a.dtype)
    for block, m in enumerate(range(0, M, MR)):
        out[block, :, : min(MR, M - m)] = a[:, m : min(m + MR, M)]
    return out.ravel()


def pack_micropanels() -> None:
    a = random(6, 7)
    for M in (1, 2, 5):
        wanted = micropanels(a[2:5], M)
        out = np.full(wanted.size, 7.0)
        run("gemm.packing.pack_micropanels", out, a, M, 2, 3)
        same(out, wanted)


def pack_panel() -> None:
    b, out = random(6, 16), np.full(24, np.nan)
    run("gemm.packing.pack_panel", out, b, 8, 8, 2, 3)
    same(out, b[2:5, 8:16].ravel())


# bfloat16


def bits(*numbers: float) -> Array:
    return np.array(numbers, np.float32).view(np.uint32)


def round_bits() -> None:
    numbers = [*random(40, dtype=np.float32), 0.0, -0.0, 3e38, 1e-40, np.inf, -np.inf]
    ties = np.array([0x3F808000, 0x3F818000, 0x3F808001, 0x3F817FFF], np.uint32)
    for each in [*bits(*numbers), *ties]:
        same(run("gemm.bfloat16._rounded", each), rounded(each.view(np.float32))[()])
    for each in np.array([0x7FC00000, 0x7F800001, 0xFFFFFFFF, 0xFF800001], np.uint32):
        half = np.uint32(run("gemm.bfloat16._rounded", each)) << np.uint32(16)
        assert np.isnan(half.view(np.float32)), "NaN stays NaN"


def pair() -> None:
    low, high = bits(1.2345, -3.3)
    both = rounded(np.array([1.2345, -3.3], np.float32))
    same(run("gemm.bfloat16._pair", low, high), both[0] | both[1] << np.uint32(16))


def round_by_bits() -> None:
    x, out = random(8, dtype=np.float32), np.zeros(8, np.uint16)
    run("gemm.bfloat16._round_by_bits", *addresses(x, out))
    same(out, rounded(x))


def pair_by_bits() -> None:
    x, y = random(8, dtype=np.float32), random(1, 8, dtype=np.float32)[0]
    out = np.zeros(8, np.uint32)
    run("gemm.bfloat16._pair_by_bits", *addresses(x, y, out))
    same(out, rounded(x) | rounded(y) << np.uint32(16))


def addresses(*arrays: Array) -> list[int]:
    MEMORY.add(arrays)
    return [each.ctypes.data for each in arrays]


def round_rows() -> None:
    for K in (1, 8, 11, 18):
        A, count = random(3, K + 2, dtype=np.float32), (K + 1) // 2
        out = np.full(3 * count, 0xFFFFFFFF, np.uint32)
        run("gemm.bfloat16.round_rows", *addresses(A), K + 2, 3, K, out)
        same(out.reshape(3, count), pairs_of(np.ascontiguousarray(A[:, :K].T)).T)


def pack_bf16() -> None:
    for rows, gates, width in [*CASES, (4, 1, 19), (3, 2, 8)]:
        W = random(rows, gates * width, dtype=np.float32)
        wanted = panels(pairs_of(padded_gates(W, gates)))
        out = np.full(wanted.size, 0xFFFFFFFF, np.uint32)
        run("gemm.bfloat16.pack_bf16", out, W, gates, width, -(-width // 8) * 8)
        same(out, wanted)


def pack_transposed_bf16() -> None:
    for rows, gates, width in [*CASES, (8, 1, 4), (9, 2, 3), (20, 1, 7)]:
        W = random(rows, gates * width, dtype=np.float32)
        wanted = packed_transposed(W, gates, pairs=True)
        out = np.full(wanted.size, 0xFFFFFFFF, np.uint32)
        P, columns = -(-width // 8) * 8, -(-rows // 8) * 8
        run("gemm.bfloat16.pack_transposed_bf16", out, W, gates, width, P, columns)
        same(out, wanted)


def pack_micropanels_bf16() -> None:
    a = random(9, 7, dtype=np.float32)
    for M, depth in ((1, 1), (2, 4), (5, 3)):
        pairs = pairs_of(a[2 : 2 + depth])
        wanted = micropanels(pairs, M)
        out = np.full(wanted.size, 7, np.uint32)
        run("gemm.bfloat16.pack_micropanels_bf16", out, a, M, 2, depth)
        same(out, wanted)


def pack_panel_bf16() -> None:
    b = random(9, 32, dtype=np.float32)
    for depth in (1, 3, 4):
        wanted = pairs_of(b[2 : 2 + depth, 8:24]).ravel()
        out = np.zeros(wanted.size, np.uint32)
        run("gemm.bfloat16.pack_panel_bf16", out, b, 8, 16, 2, depth)
        same(out, wanted)


# products


def halved(x: Array) -> Array:
    """Numbers rounded to bfloat16, as float64."""
    return (rounded(x) << np.uint32(16)).view(np.float32).astype(np.float64)


def product(name: str, dtype: Any = np.float64, pairs: bool = False) -> None:
    """C (+)= A B for heights around a tile and a block, widths around a panel."""
    length = VECTOR_BYTES // np.dtype(dtype).itemsize
    gemm = load("gemm.gemm")
    for M, K, vectors, add in (
        (1, 1, 1, False),
        (3, 3, 2, True),
        (9, 4, 5, False),
        (5, 3, 3, True),
    ):
        A, N = np.zeros((M, K + 3), dtype), vectors * length
        A[:, :K] = random(M, K, dtype=dtype)
        W, C = random(K, N, dtype=dtype), random(M, N + length, dtype=dtype)
        wanted = C.copy()
        exact = halved(A[:, :K]) @ halved(W) if pairs else A[:, :K] @ W
        wanted[:, :N] = exact + (C[:, :N] if add else 0)
        B = panels(pairs_of(W) if pairs else W)
        context = gemm.gemm_context(B.dtype, K)
        places = addresses(A, C)
        run(name, places[0], K + 3, B, places[1], N + length, M, K, N, add, context)
        close(C, wanted, 1e-5 if pairs else 1e-12)


def products(name: str) -> Callable[[], None]:
    def compare() -> None:
        product(name)
        product(name, np.float32, pairs=True)

    return compare


def gemm_float() -> None:
    product("gemm.gemm.gemm_float")
    # pairs are widened where the CPU does not multiply them: as many steps as pairs are read
    A, W, C = random(2, 4, dtype=np.float32), random(4, 8, dtype=np.float32), np.zeros((2, 8), "f4")
    steps: list[int] = []
    context = load("gemm.gemm").GemmContext(lambda *args: steps.append(args[7]), np.zeros(0, "u4"))
    places = addresses(A, C)
    B = panels(pairs_of(W))
    run("gemm.gemm.gemm_float", places[0], 4, B, places[1], 8, 2, 4, 8, False, context)
    run("gemm.gemm.gemm_float", places[0], 4, B, places[1], 8, 2, 3, 8, False, context)
    assert steps == [2, 2]


def macrokernel() -> None:
    for M, K, vectors in ((1, 1, 1), (5, 3, 5)):
        A, W, C = random(M, K), random(K, 4 * vectors), random(M, 4 * vectors)
        for add in (True, False):
            out = C.copy()
            a, b, c = addresses(A, panels(W), out)
            name, number = "gemm.gemm.macrokernel", np.float64(0)
            run(name, number, a, K, 1, b, c, 4 * vectors, M, K, 4 * vectors, add)
            close(out, A @ W + (C if add else 0))


def gemm_tn(dtype: Any = np.float64, pairs: bool = False) -> None:
    gemm, length = load("gemm.gemm"), VECTOR_BYTES // np.dtype(dtype).itemsize
    kind = np.uint32 if pairs else dtype
    for rows, M, vectors in ((1, 1, 1), (3, 3, 3), (9, 5, 2), (11, 2, 5)):
        a, b = random(rows, M + 3, dtype=dtype), random(rows, vectors * length, dtype=dtype)
        c = np.full((M, vectors * length), np.nan, dtype)
        scratch = np.zeros(4 * (M + MR), kind), np.zeros(4 * NR_VECTORS * length, kind)
        N, context = vectors * length, gemm.gemm_context(kind)
        run("gemm.gemm.gemm_tn", a, M, b, N, c, rows, *scratch, context)
        wanted = halved(a[:, :M]).T @ halved(b) if pairs else a[:, :M].T @ b
        close(c, wanted, 1e-5 if pairs else 1e-12)


def gemm_tn_of_both() -> None:
    gemm_tn()
    gemm_tn(np.float32, pairs=True)


# weights


def networks(dtype: Any = np.float64) -> list[Any]:
    """Parameters of small networks: one-hot, with an embedding, tied."""
    given: list[dict[str, Any]] = [{"layers": 2}, {"embedding": 5, "V": 9}, {"tied": True, "H": 6}]
    return [
        make_problem(cell, **each).as_type(dtype).parameters
        for cell, each in zip(("lstm", "rnn", "gru"), given, strict=True)
    ]


def pack_weights() -> None:
    for dtype, pairs in ((np.float64, False), (np.float32, True)):
        for parameters in networks(dtype):
            for parts, backward in ((1, True), (2, True), (3, True), (1, False)):
                _pack_weights(parameters, pairs, parts, backward)


def _pack_weights(parameters: Any, pairs: bool, parts: int, backward: bool) -> None:
    weights = load("gemm.packed_weights")
    architecture, dtype = parameters.architecture, parameters.dtype
    layout = load("layout").layout_of(architecture, dtype)
    made = weights.allocate_packed_weights(layout, dtype, pairs=pairs, backward=backward)
    for part in range(parts):
        run("gemm.packed_weights.pack_weights", layout, parameters.flat, made, part, parts)

    def check(begin: int, wanted: Array) -> None:
        same(made.matrices[begin : begin + wanted.size], wanted)

    for n, layer in enumerate(parameters.layers):
        for which, name in enumerate(("W_ih", "W_hh")):
            forward, transposed = made.layers[n, which]
            if name == "W_ih" and n == 0 and not architecture.settings.embedding_size:
                assert forward == transposed == -1
                continue
            gates, W = layout.G, layer[name]
            check(forward, panels(pairs_of(padded_gates(W, gates))) if pairs else packed(W, gates))
            assert (transposed >= 0) == backward
            if backward:
                check(transposed, packed_transposed(W, gates, pairs))
    if architecture.settings.tied:  # (V, H), whose transpose makes the logits
        W = parameters["embedding"]
        both = packed_transposed(W, 1, pairs), panels(pairs_of(padded_gates(W, 1)))
        wanted = both if pairs else (both[0], packed(W))
    else:
        W = parameters["W_out"]
        both = panels(pairs_of(padded_gates(W, 1))), packed_transposed(W, 1, pairs)
        wanted = both if pairs else (packed(W), both[1])
    check(made.output[0], wanted[0])
    assert (made.output[1] >= 0) == backward
    if backward:
        check(made.output[1], wanted[1])


def rows_of_weights() -> None:
    """Rows that a product runs over: of the matrix, with the padding of packed gates."""
    for parameters in networks():
        layout = load("layout").layout_of(parameters.architecture, np.float64)
        for n, layer in enumerate(parameters.layers):
            for which, name in enumerate(("W_ih", "W_hh")):
                one_hot = n == which == 0 and "embedding" not in parameters.views
                found = run("gemm.packed_weights._weight_rows", layout, n, which)
                assert found == (0 if one_hot else len(layer[name]))
        tied = "W_out" not in parameters.views
        H, V = layout.H, layout.V
        padded_H, padded_V = -(-H // 4) * 4, -(-V // 4) * 4
        forward = run("gemm.packed_weights.output_rows", layout)
        transposed = run("gemm.packed_weights.output_transposed_rows", layout)
        assert (forward, transposed) == ((padded_H, V) if tied else (H, padded_V))
        for size in {H, layout.E} - {0}:
            assert run("gemm.packed_weights._padded_rows", layout, size) == -(-size // 4) * 4


TWINS: dict[str, Callable[[], None]] = {
    "gemm.packing.panel_position": panel_position,
    "gemm.packing.pack": pack,
    "gemm.packing.pack_transposed": pack_transposed,
    "gemm.packing.pack_micropanels": pack_micropanels,
    "gemm.packing.pack_panel": pack_panel,
    "gemm.bfloat16._rounded": round_bits,
    "gemm.bfloat16._pair": pair,
    "gemm.bfloat16._round_by_bits": round_by_bits,
    "gemm.bfloat16._pair_by_bits": pair_by_bits,
    "gemm.bfloat16.round_rows": round_rows,
    "gemm.bfloat16.pack_bf16": pack_bf16,
    "gemm.bfloat16.pack_transposed_bf16": pack_transposed_bf16,
    "gemm.bfloat16.pack_micropanels_bf16": pack_micropanels_bf16,
    "gemm.bfloat16.pack_panel_bf16": pack_panel_bf16,
    "gemm.gemm.macrokernel": macrokernel,
    "gemm.gemm.gemm": products("gemm.gemm.gemm"),
    "gemm.gemm.gemm_float": gemm_float,
    "gemm.gemm.gemm_bf16": lambda: product("gemm.gemm.gemm_bf16", np.float32, pairs=True),
    "gemm.gemm.apply_gemm": products("gemm.gemm.apply_gemm"),
    "gemm.gemm.gemm_tn": gemm_tn_of_both,
    "gemm.gemm._pack_micropanels": gemm_tn_of_both,
    "gemm.gemm._pack_panel": gemm_tn_of_both,
    "gemm.packed_weights._weight_rows": rows_of_weights,
    "gemm.packed_weights._padded_rows": rows_of_weights,
    "gemm.packed_weights.output_rows": rows_of_weights,
    "gemm.packed_weights.output_transposed_rows": rows_of_weights,
    "gemm.packed_weights.pack_weights": pack_weights,
    "gemm.packed_weights._pack_output": pack_weights,
    "gemm.packed_weights._pack": pack_weights,
    "gemm.packed_weights._pack_transposed": pack_weights,
}
