"""Kernels compiled for other CPUs than this one, in separate processes."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest
from numba.core.registry import cpu_target

AVX2 = "+avx,+avx2,+fma,+sse,+sse2,+sse3,+ssse3,+sse4.1,+sse4.2,+popcnt,+bmi,+bmi2,+f16c"
AVX512 = f"{AVX2},+avx512f,+avx512bw,+avx512cd,+avx512dq,+avx512vl"
SETS = {
    "avx512": ("skylake-avx512", AVX512),  # without products of bfloat16
    "avx2": ("haswell", AVX2),
    "sse2": ("x86-64", "+sse,+sse2"),
}
# products do not depend on cells, and all other tests run on AVX-512 where the CPU has it: two sets
# with one cell each here, all sets with all cells in `make torture`
CELLS = {"avx2": "gru", "sse2": "lstm"}
HAS_AVX512 = "+avx512f" in str(cpu_target.target_context.codegen().magic_tuple())

PROGRAM = """
import sys

import numpy as np
from nextchar.settings.config import NetworkSettings
from nextchar.kernels.decoding.decoder import Decoder
from nextchar.kernels.engine import Engine
from nextchar.kernels.isa import HOST
from nextchar.model.initialise import initialise
from nextchar.model.network import forward, loss_and_gradient
from nextchar.model.parameters import Architecture, Parameters
from nextchar.text.batches import Batch

rng = np.random.default_rng(0)
bound = 1e-5
for cell in sys.argv[1:]:
    architecture = Architecture(NetworkSettings(cell=cell, hidden_size=17, num_layers=2), 65)
    parameters = initialise(architecture, 1, "f4")
    x, y = rng.integers(0, 65, (2, 6, 7))
    state = parameters.zero_state(7)
    wanted = Parameters(architecture, dtype="f8")
    exact = Parameters(architecture, parameters.flat.astype("f8"))
    loss_and_gradient(exact, x, y, state.astype("f8"), wanted, scale=1 / 42)
    with Engine(architecture, threads=1, dtype="f4") as engine:
        gradient = engine.loss_and_gradient(parameters, Batch(x, y, True), state).gradient
        off = np.linalg.norm(gradient.flat - wanted.flat) / np.linalg.norm(wanted.flat)
    assert off < bound, (cell, off)
    # weights that are bfloat16 already: decoding with pairs is exact, and widened here
    parameters.flat[:] = (parameters.flat.astype("f4").view("u4") & 0xFFFF0000).view("f4")
    codes = rng.integers(0, 65, 9)
    logits = forward(parameters, codes[:, None], parameters.zero_state(1))[0][-1]
    for pairs in (False, True):
        with Decoder(parameters, bfloat16=pairs) as decoder:
            lane = decoder.enter()
            decoder.read(codes)
            assert np.abs(decoder.logits(lane) - logits[0]).max() < bound, (cell, pairs)
assert not HOST.has_bfloat16
print(HOST.name)
"""


@pytest.mark.slow
@pytest.mark.skipif(
    platform.machine() not in {"x86_64", "AMD64"}, reason="these instruction sets are x86-64's"
)
@pytest.mark.parametrize("name", CELLS)
def test_gradients_and_predictions_are_right_on_another_instruction_set(name: str) -> None:
    compute_on(name, CELLS[name])


def compute_on(name: str, *cells: str) -> None:
    """Compare some cells with the readable network, compiled for another CPU."""
    if name == "avx512" and not HAS_AVX512:
        pytest.skip("this CPU has no AVX-512")
    cpu, features = SETS[name]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *cells],
        env={**os.environ, "NUMBA_CPU_NAME": cpu, "NUMBA_CPU_FEATURES": features},
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == name
