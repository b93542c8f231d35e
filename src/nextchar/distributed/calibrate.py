"""What this machine computes, as the model of `scaling` wants it: measured in seconds."""

from __future__ import annotations

from collections.abc import Sequence

from nextchar.distributed.cost_model import Machine
from nextchar.kernels.precision import Precision
from nextchar.model.parameters import Architecture
from nextchar.training.auto.throughput import (
    PROBE,
    flops_per_character,
    measure_throughput,
)

LANES = (1, 4, 8, 16, 32)
LENGTH = 32
TRIES = 3


def measure_machine(
    vocabulary_size: int, threads: int, precision: Precision, lanes: Sequence[int] = LANES
) -> Machine:
    """The speed of this machine as a node, with all its threads.

    A batch of one character takes hardly more than what a step takes for each weight. The best of
    some tries counts: what else the machine does says nothing of another.
    """
    architecture = Architecture(PROBE, vocabulary_size)

    def seconds(lanes: int, length: int) -> float:
        how = {"lanes": lanes, "length": length}
        tries = [
            measure_throughput(vocabulary_size, threads, precision, **how)  # type: ignore[arg-type]
            for _ in range(TRIES)
        ]
        return flops_per_character(architecture) * lanes * length / max(tries)

    besides = seconds(1, 1)
    rates, best = {}, 0.0
    for each in lanes:
        took = seconds(each, LENGTH)
        rate = flops_per_character(architecture) * each * LENGTH / max(took - besides, took / 2)
        rates[each] = best = max(best, rate)  # more lanes are never slower
    return Machine(rates, besides / architecture.size)
