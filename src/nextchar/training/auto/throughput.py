"""Training throughput of this machine, measured on a medium network in a fraction of a second.

FLOPs are the multiplications and additions of products with weights: two in the forward pass, two
in the backward pass and two for the gradient, for each weight and character.
"""

from __future__ import annotations

import time
from math import prod
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from nextchar.kernels.precision import Precision
from nextchar.model.initialise import initialise
from nextchar.model.parameters import Architecture
from nextchar.settings.config import NetworkSettings, TrainingSettings
from nextchar.text.batches import Batch
from nextchar.training.budget.dry_run import step_on_copies
from nextchar.training.optim.optimizers import make_slots

if TYPE_CHECKING:
    from nextchar.kernels.engine import GradientAllReduce

PROBE = NetworkSettings(cell="gru", hidden_size=256, num_layers=1)
LANES, LENGTH, STEPS = 16, 64, 3


def flops_per_character(architecture: Architecture) -> int:
    """Return the FLOPs of training on one character.

    Looking up a code, in a one-hot input's weights or in an embedding, multiplies nothing.
    """
    looked_up = "embedding" if architecture.settings.embedding_size else "layer0.W_ih"
    multiplied = [
        prod(shape)
        for name, shape in architecture.shapes.items()
        if len(shape) == 2 and name != looked_up
    ]
    if architecture.settings.tied:
        multiplied.append(prod(architecture.shapes["embedding"]))
    return 6 * sum(multiplied)


def measure_throughput(
    vocabulary_size: int,
    threads: int,
    precision: Precision,
    all_reduce: GradientAllReduce | None = None,
    *,
    lanes: int = LANES,
    length: int = LENGTH,
) -> float:
    """Return the FLOP/s of a training step of the probe on this machine.

    all_reduce: the run's all-reduce, if it has one. lanes, length: of the probe's batches.
    """
    from nextchar.kernels.engine import Engine

    architecture, (dtype, bfloat16) = Architecture(PROBE, vocabulary_size), precision
    parameters = initialise(architecture, 0, dtype)
    rng = np.random.default_rng(0)
    inputs, targets = rng.integers(vocabulary_size, size=(2, length, lanes))
    settings = TrainingSettings()
    slots = make_slots(settings.optimizer, parameters.flat)
    seconds, threads = list[float](), min(threads, lanes)
    with Engine(
        architecture, threads=threads, dtype=dtype, bfloat16=bfloat16, all_reduce=all_reduce
    ) as engine:
        step = step_on_copies(engine, parameters, slots, Batch(inputs, targets, True), settings)
        for _ in range(1 + STEPS):
            began = time.perf_counter()
            step()
            seconds.append(time.perf_counter() - began)
    return flops_per_character(architecture) * lanes * length / median(seconds[1:])
