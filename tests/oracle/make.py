"""Regenerate the recorded numbers in data/ with PyTorch in float64: `make make-oracle`.

The same PyTorch gives the same files. Another version may differ in the last digits; the tests
that read them allow for that.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import torch
from agreement import CLIPS, COLUMNS, ROWS
from torch_twin import network_record, torch_walk

from nextchar.settings.groups import OPTIMIZERS, NetworkSettings

DATA = Path(__file__).parent / "data"
KEPT_STEPS = [1, 2, 3, 10, 50]


def make_networks() -> None:
    """Record every cell with 1 and 2 layers and with one-hot, embedded and tied input."""
    inputs = {"onehot": {}, "embedding": {"embedding_size": 3}, "tied": {"embedding_size": 4}}
    cases = itertools.product(("rnn", "lstm", "gru"), (1, 2), inputs)
    for seed, (cell, layers, kind) in enumerate(cases):
        settings = NetworkSettings(
            cell=cell, num_layers=layers, hidden_size=4, tied=kind == "tied", **inputs[kind]
        )
        record = network_record(settings, T=5, B=3, V=6, seed=seed)
        np.savez_compressed(DATA / f"{cell}-{layers}-{kind}.npz", **record)


def make_walks() -> None:
    """Record fifty steps of every optimizer, with and without weight decay and clipping."""
    rng = np.random.default_rng(0)
    size = (ROWS + 1) * COLUMNS
    record = {"start": rng.normal(size=size), "towards": rng.normal(size=(50, size))}
    record["steps"] = np.array(KEPT_STEPS)
    for optimizer, decay, clipping in itertools.product(OPTIMIZERS, (0.0, 0.1), CLIPS):
        walk = torch_walk(optimizer, decay, clipping, record["start"], record["towards"])
        record[f"{optimizer}/{decay}/{clipping}"] = walk[record["steps"] - 1]
    np.savez_compressed(DATA / "optimizers.npz", **record)


if __name__ == "__main__":
    torch.set_num_threads(1)  # one order of summation
    DATA.mkdir(exist_ok=True)
    make_networks()
    make_walks()
    files = list(DATA.glob("*.npz"))
    print(f"{len(files)} files, {sum(file.stat().st_size for file in files):,} bytes")
