"""Our network and optimizers against numbers of PyTorch, recorded by `make.py`."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from agreement import CLIPS, assert_close, assert_network_agrees, walk

from nextchar.settings.groups import OPTIMIZERS, NetworkSettings

DATA = Path(__file__).parent / "data"

# Both sides round about a hundred sums at 1e-16; a wrong formula is off by far more.
TOLERANCE = 1e-10


def load(name):
    with np.load(DATA / f"{name}.npz", allow_pickle=False) as file:
        return dict(file)


@pytest.mark.parametrize("inputs", ["onehot", "embedding", "tied"])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_loss_state_and_every_gradient_are_pytorchs(cell, layers, inputs):
    record = load(f"{cell}-{layers}-{inputs}")
    H = record["state"].shape[-1]
    E = record["w.embedding"].shape[1] if inputs != "onehot" else 0
    settings = NetworkSettings(
        cell=cell, num_layers=layers, hidden_size=H, embedding_size=E, tied=inputs == "tied"
    )
    assert_network_agrees(settings, record, TOLERANCE)


@pytest.mark.parametrize("clipping", CLIPS)
@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_fifty_steps_of_an_optimizer_are_pytorchs(optimizer, decay, clipping):
    record = load("optimizers")
    steps = walk(optimizer, decay, clipping, record["start"], record["towards"])
    expected = record[f"{optimizer}/{decay}/{clipping}"]
    for step, place in zip(record["steps"], expected, strict=True):
        assert_close(f"after step {step}", steps[step - 1], place, TOLERANCE)


def test_the_clipped_walks_are_clipped():
    """Otherwise the comparison above would not cover clipping."""
    record = load("optimizers")
    for one, two in itertools.combinations(CLIPS, 2):
        assert (record[f"sgd/0.0/{one}"] != record[f"sgd/0.0/{two}"]).any()


def test_a_record_that_is_off_in_one_entry_is_noticed():
    settings = NetworkSettings(cell="lstm", num_layers=2, hidden_size=4)
    for name in ("loss", "new_state", "d.layer1.W_hh", "d.layer0.b"):
        record = load("lstm-2-onehot")
        record[name].flat[-1] *= 1 + 1e-6
        with pytest.raises(AssertionError, match="off by"):
            assert_network_agrees(settings, record, TOLERANCE)


def test_the_kept_numbers_are_small():
    assert sum(file.stat().st_size for file in DATA.iterdir()) < 300_000
