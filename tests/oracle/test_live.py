"""Our network, optimizers and clipping against PyTorch itself, over many shapes: `make oracle`."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from agreement import CLIPS, assert_close, assert_network_agrees, walk

from nextchar.model.loss import cross_entropy
from nextchar.settings.groups import OPTIMIZERS, NetworkSettings
from nextchar.training.optim.optimizers import clip

torch = pytest.importorskip("torch", reason="PyTorch is not installed; run `make oracle`")

from torch_twin import network_record, torch_walk  # noqa: E402 - imports torch

pytestmark = pytest.mark.live

CELLS = ("rnn", "lstm", "gru")
SHAPES = [
    # hidden sizes and lanes around multiples of vector widths; T, layers and inputs in turn
    pytest.param(*shape, id="-".join(map(str, shape)))
    for shape in zip(
        *zip(*itertools.product((1, 3, 17, 100, 129), (1, 7), (2, 65, 500)), strict=True),
        itertools.cycle((1, 2, 13, 40)),
        itertools.cycle((1, 2, 3)),
        itertools.cycle(("onehot", "embedding", "tied", "onehot", "embedding")),
        strict=False,
    )
]

# Both sides round sums of some hundred terms at 1e-16 and accumulate the errors step by step:
# measured 1e-14 of a tensor's length at worst. A wrong formula is off by percents.
FLOAT64 = 1e-10
# The same at 6e-8: measured 1e-5 at worst, where two characters' shares of b_out cancel.
FLOAT32 = 1e-4


def network(cell, H, L, inputs):
    E = {"onehot": 0, "embedding": 5, "tied": H}[inputs]
    return NetworkSettings(
        cell=cell, hidden_size=H, num_layers=L, embedding_size=E, tied=inputs == "tied"
    )


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", FLOAT64), ("float32", FLOAT32)])
@pytest.mark.parametrize(("H", "B", "V", "T", "L", "inputs"), SHAPES)
@pytest.mark.parametrize("cell", CELLS)
def test_loss_state_and_every_gradient_are_pytorchs(cell, H, B, V, T, L, inputs, dtype, tolerance):
    settings = network(cell, H, L, inputs)
    record = network_record(settings, T=T, B=B, V=V, seed=H + B + V + T + L, dtype=dtype)
    assert record["loss"].dtype == np.dtype(dtype)
    assert_network_agrees(settings, record, tolerance)


@pytest.mark.parametrize("clipping", CLIPS)
@pytest.mark.parametrize("decay", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("seed", range(3))
def test_optimizers_walk_where_pytorchs_do(optimizer, decay, clipping, seed):
    rng = np.random.default_rng(seed)
    start, towards = rng.normal(size=9), rng.normal(size=(200, 9))
    ours = walk(optimizer, decay, clipping, start, towards)
    theirs = torch_walk(optimizer, decay, clipping, start, towards)
    for step in range(200):
        assert_close(f"after step {step + 1}", ours[step], theirs[step], FLOAT64)


@pytest.mark.parametrize("threshold", [0.01, 1.0, 1e3])
@pytest.mark.parametrize("by", ["value", "norm"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1, 7, 1000, 100_001])
def test_clipping_is_pytorchs(size, dtype, by, threshold, rng):
    ours = rng.normal(size=size).astype(dtype)
    theirs = torch.zeros(size, dtype=getattr(torch, np.dtype(dtype).name), requires_grad=True)
    theirs.grad = torch.tensor(ours)
    # a float32 sum of a hundred thousand squares, in another order: some 1e-6
    tolerance = 1e-12 if dtype is np.float64 else 1e-5
    norm = clip(ours, threshold, by)
    if by == "value":
        torch.nn.utils.clip_grad_value_([theirs], threshold)
    else:
        expected = torch.nn.utils.clip_grad_norm_([theirs], threshold)
        assert norm == pytest.approx(float(expected), rel=tolerance)
    assert_close("gradient", ours, theirs.grad.numpy(), tolerance)


@pytest.mark.parametrize("size", [1, 100, 1e4])
def test_cross_entropy_is_pytorchs_at_logits_of_any_size(size, rng):
    logits, targets = size * rng.normal(size=(50, 65)), rng.integers(65, size=50)
    theirs = torch.tensor(logits, requires_grad=True)
    expected = torch.nn.functional.cross_entropy(theirs, torch.tensor(targets), reduction="sum")
    expected.backward()
    loss, gradient = cross_entropy(logits, targets)
    assert loss == pytest.approx(expected.item(), rel=1e-12)
    assert_close("gradient", gradient, theirs.grad.numpy(), 1e-12)
