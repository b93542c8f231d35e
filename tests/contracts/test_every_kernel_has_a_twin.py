"""No kernel on trust: each one equals its readable twin, and the comparison notices each mutant.

A new kernel anywhere in nextchar.kernels, private or not, fails here until it has a comparison in
`kernel_twins`. Kernels run as plain Python on tiny inputs, so nothing is compiled; tests/kernels
compares the compiled code. The mutants show that a comparison has teeth: each sign, term, index,
comparison and call of a kernel is changed in turn, and each change must be noticed. Intrinsics,
which write LLVM instructions, are replaced here; tests/kernels/gemm/test_gemm.py compares every
size of tile.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable

import pytest

from contracts.kernel_twins import decoding, gemm, training
from contracts.kernel_twins.mutants import kernels, mutant, places
from contracts.kernel_twins.plain import MEMORY, load, replaced

KERNELS: dict[str, ast.FunctionDef] = dict(kernels())
# all at once: a module that is loaded while a mutant is in place would keep the mutant
for module in {name.rsplit(".", 1)[0] for name in KERNELS}:
    load(module)
TWINS: dict[str, Callable[[], None]] = {**gemm.TWINS, **training.TWINS, **decoding.TWINS}

ORDER = "all are visited, in another order"
CONVERSION = "the value is the same: the conversion is for Numba, whose results are 64 bits wide"
CACHE = "a prefetch has no result"
THREADS = "another thread does the same work"
PARITY = "the same modulo 2"
LONGER = "the same result after more work"

# changes without an effect on results, each with the reason
EQUIVALENT: dict[tuple[str, str], str] = {
    ("gemm.bfloat16._pair",
     "term: return _u32(_rounded(low) | _u32(_rounded(high) << _u32(16)))"): CONVERSION,
    ("gemm.bfloat16.round_rows", "term: K // LENGTH * LENGTH"): LONGER,
    ("gemm.gemm.gemm_tn", "term: N // length"): LONGER,
    ("gemm.gemm.gemm_tn", "term: r * N"): CACHE,
    ("gemm.gemm.gemm_tn", "term: line * length"): CACHE,
    ("gemm.gemm.gemm_tn", "term: (r * N + line * length) * size"): CACHE,
    ("gemm.gemm.gemm_tn", "call: prefetch(corner + (r * N + line * length) * size)"): CACHE,
    ("gemm.packed_weights.pack_weights", "sign: task + 1"): THREADS,
    ("gemm.packed_weights.pack_weights", "sign: task += 3"): THREADS,
    ("gemm.packed_weights._pack_output", "sign: task + 1"): THREADS,
    ("training.lookup.sum_by_code", "index: flat[i]"): ORDER,
    ("training.lookup.sum_rows", "index: out[j]"): ORDER,
    ("training.lookup.sum_gate", "index: out[j]"): ORDER,
    ("training.loss.cross_entropy", "index: row[j]"): ORDER,
    ("training.loss._row_maximum", "index: maxima[j]"): ORDER,
    ("training.loss._row_maximum", "index: maxima[0]"): "any of the maxima may be the first",
    ("training.loss._row_maximum", "index: row[0]"): "any number may be the first maximum",
    ("training.loss._row_maximum", "term: row.size // LANES * LANES"): LONGER,
    ("training.dropout._mixed", "term: return u32(x ^ x >> u32(16))"): CONVERSION,
    ("training.lstm.backward", "index: dc[lane]"): "each lane keeps one row, whichever it is",
    ("training.forward.load_states", "sign: T + 1"): "the first block is there in any case",
    ("training.backward.layer_backward", "sign: layout.L - 1"): PARITY,
    ("training.backward.layer_backward", "sign: layout.L - 1 - n"): PARITY,
    ("training.backward._input_gradient", "sign: layout.L - n"): PARITY,
    ("training.backward._input_gradient", "comparison: V < N"): "the same sum over other rows",
    ("decoding.sampling._bracket", "sign: count - above"): LONGER,
    ("decoding.sampling._bracket", "sign: between - (count - above)"): LONGER,
    ("decoding.sampling._draw", "index: weights[j]"): ORDER,
    ("decoding.sampling._total", "index: weights[j]"): ORDER,
    ("decoding.sampling.keep_top_k",
     "index: _sum_above(z, counts, high)[0]"): "of counts of 1 the sum is the number",
    ("decoding.sampling.keep_typical_p",
     "sign: np.float64(z[j]) - np.float64(z[best])"): "distances to the mean, which moves along",
    ("decoding.sampling.keep_typical_p",
     "term: (np.float64(z[j]) - np.float64(z[best])) / temperature"): "a scale keeps the order",
    ("decoding.sampling.keep_typical_p",
     "sign: log_total - (np.float64(z[j]) - np.float64(z[best])) / temperature"):
        "distances to the mean are the same on both sides",
    ("decoding.sampling.keep_typical_p", "index: keys[j]"): "a bound for the largest is enough",
    ("decoding.decode._copy_logits", "index: raw[j]"): ORDER,
    ("decoding.decode._step", "index: workspace.h[n]"): ORDER,
    ("decoding.decode._step", "index: workspace.c[n]"): ORDER,
    ("decoding.decode._draw", "sign: -1"): "a pattern without a way bans every code",
}  # fmt: skip


def test_every_kernel_has_a_comparison_and_none_that_is_gone() -> None:
    assert sorted(KERNELS) == sorted(TWINS)


@pytest.mark.parametrize("name", TWINS)
def test_the_kernel_equals_its_twin(name: str) -> None:
    MEMORY.clear()
    TWINS[name]()


@pytest.mark.parametrize("name", KERNELS)
def test_no_place_of_a_kernel_can_be_changed(name: str) -> None:
    found = places(KERNELS[name])
    assert found, "nothing to change"
    unnoticed = {place for n, place in enumerate(found) if not is_noticed(name, n)}
    equivalent = {place for kernel, place in EQUIVALENT if kernel == name}
    assert unnoticed - equivalent == set(), "the comparison does not notice these changes"
    assert equivalent - unnoticed == set(), "noticed: take them out of EQUIVALENT"


def is_noticed(name: str, place: int) -> bool:
    MEMORY.clear()
    with replaced(name, mutant(name, KERNELS[name], place)), warnings.catch_warnings():
        try:
            TWINS[name]()
        except Exception:  # an error is noticed by anyone
            return True
    return False


def test_private_kernels_and_kernels_by_assignment_are_discovered() -> None:
    assert {"training.lstm._gates_backward", "decoding.sampling._bracket", "gemm.gemm._pack_panel",
            "gemm.packed_weights._weight_rows"} <= set(KERNELS)  # fmt: skip
