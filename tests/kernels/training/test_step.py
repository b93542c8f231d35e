"""The engine against the readable network: every cell, layers, tied or not, dropout, odd sizes."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nextchar.kernels.engine import Engine
from nextchar.model.dropout import draw_masks
from nextchar.model.initialise import initialise
from nextchar.model.loss import cross_entropy
from nextchar.model.network import forward, loss_and_gradient
from nextchar.model.parameters import Architecture, Parameters
from nextchar.settings.config import NetworkSettings
from nextchar.text.batches import Batch

Array = NDArray[Any]
CELLS = ("rnn", "lstm", "gru")
SHAPES: list[tuple[int, int, int, bool]] = [  # H, L, E, tied
    (1, 1, 0, False), (3, 2, 0, False), (17, 1, 5, False), (17, 3, 17, True),
    (100, 1, 0, False), (100, 2, 33, False), (129, 2, 129, True), (129, 1, 0, False),
]  # fmt: skip
BATCHES = [(1, 1, 65), (7, 7, 2), (3, 7, 65), (2, 1, 5000), (5, 4, 500)]  # T, B, V
# float64 sums the same products in another order; float32 rounds, over some hundred terms
BOUND = {np.float64: 1e-12, np.float32: 2e-5}


def problem(cell: str, shape: tuple[int, int, int, bool], T: int, B: int, V: int) -> Any:
    H, L, E, tied = shape
    network = NetworkSettings(cell=cell, hidden_size=H, num_layers=L, embedding_size=E, tied=tied)
    parameters = initialise(Architecture(network, V), 1, np.float64)
    rng = np.random.default_rng([H, L, T, B, V])
    parameters.flat += 0.1 * rng.standard_normal(parameters.flat.shape)
    x, y = rng.integers(0, V, (2, T, B)).astype(np.uint16)
    return parameters, x, y, 0.3 * rng.standard_normal(parameters.zero_state(B).shape)


def off(found: Array, wanted: Array) -> float:
    return float(np.linalg.norm(found - wanted) / max(float(np.linalg.norm(wanted)), 1e-300))


@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize("dtype", BOUND)
@pytest.mark.parametrize(
    ("cell", "shape", "sizes"),
    [
        (cell, shape, BATCHES[n % len(BATCHES)])
        for n, (cell, shape) in enumerate(itertools.product(CELLS, SHAPES))
    ]
    + [("lstm", SHAPES[2], sizes) for sizes in BATCHES],
)
def test_the_engine_computes_what_the_network_does(
    cell: str,
    shape: tuple[int, int, int, bool],
    sizes: tuple[int, int, int],
    dtype: Any,
    dropout: float,
) -> None:
    exact, x, y, state = problem(cell, shape, *sizes)
    T, B = x.shape
    wanted = Parameters(exact.architecture, dtype=np.float64)
    masks = draw_masks(exact.architecture, T, B, dropout, seed=1, step=2, dtype=np.float64)
    loss, after = loss_and_gradient(exact, x, y, state, wanted, scale=1 / (T * B), masks=masks)
    given = Parameters(exact.architecture, exact.flat.astype(dtype))
    with Engine(exact.architecture, threads=1, dtype=dtype) as engine:
        found, new_state, gradient = engine.loss_and_gradient(
            given, Batch(x, y, True), state.astype(dtype), dropout=dropout, seed=1, step=2
        )
        assert found == pytest.approx(loss / (T * B), rel=BOUND[dtype])
        assert off(new_state, after) < BOUND[dtype]
        assert off(gradient.flat, wanted.flat) < BOUND[dtype]
        named = Parameters(exact.architecture, gradient.flat)
        for name, view in wanted.views.items():
            assert off(named[name], view) < 50 * BOUND[dtype], name


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("shape", [SHAPES[1], SHAPES[3]])
def test_the_compiled_gradient_is_the_slope_of_the_loss(
    cell: str, shape: tuple[int, int, int, bool]
) -> None:
    parameters, x, y, state = problem(cell, shape, 4, 3, 7)
    with Engine(parameters.architecture, threads=1, dtype=np.float64) as engine:
        result = engine.loss_and_gradient(parameters, Batch(x, y, True), state)
        gradient = result.gradient.flat.copy()
    for seed in range(10):
        direction = np.random.default_rng(seed).standard_normal(gradient.shape)
        losses = []
        for sign in (1, -1):
            moved = Parameters(parameters.architecture, parameters.flat + sign * 1e-6 * direction)
            logits, _, _ = forward(moved, x, state)
            losses.append(cross_entropy(logits.reshape(-1, 7), y.reshape(-1))[0] / x.size)
        slope = (losses[0] - losses[1]) / 2e-6
        # central differences in float64: rounding of the loss over the step, 1e-16 / 1e-6
        assert slope == pytest.approx(gradient @ direction, rel=1e-6, abs=1e-8)


def test_a_smaller_batch_after_a_larger_one_uses_clean_memory() -> None:
    parameters, x, y, state = problem("gru", (17, 2, 0, False), 6, 5, 30)
    part = Batch(np.ascontiguousarray(x[:3, :2]), np.ascontiguousarray(y[:3, :2]), True)
    with Engine(parameters.architecture, threads=1, dtype=np.float64) as engine:
        alone, _, found = engine.loss_and_gradient(parameters, part, state[:, :, :2])
        gradient = found.flat.copy()
        engine.loss_and_gradient(parameters, Batch(x, y, True), state, dropout=0.5, seed=1)
        again, _, found = engine.loss_and_gradient(parameters, part, state[:, :, :2])
        assert again == alone
        assert found.flat.tobytes() == gradient.tobytes()
