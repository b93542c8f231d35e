"""Calibration: the speed of this machine for the cost model, measured in seconds."""

from __future__ import annotations

from collections.abc import Sequence

from nextchar.distributed.cost_model import Machine
from nextchar.kernels.precision import Precision
from nextchar.model.parameters import Architecture
from nextchar.training.auto.throughput import PROBE, flops_per_character, measure_throughput

LANES = (1, 4, 8, 16, 32)
LENGTH = 32
REPEATS = 3


def measure_machine(
    vocabulary_size: int, threads: int, precision: Precision, lanes: Sequence[int] = LANES
) -> Machine:
    """Return the speed of this machine with all its threads.

    A batch of one character costs little more than the time per weight. The best of some repeats
    counts, since other load on this machine says nothing about other machines.
    """
    architecture = Architecture(PROBE, vocabulary_size)

    def step_seconds(lanes: int, length: int) -> float:
        rates = [
            measure_throughput(vocabulary_size, threads, precision, lanes=lanes, length=length)
            for _ in range(REPEATS)
        ]
        return flops_per_character(architecture) * lanes * length / max(rates)

    overhead = step_seconds(1, 1)
    rates, best = {}, 0.0
    for each in lanes:
        seconds = step_seconds(each, LENGTH)
        flops = flops_per_character(architecture) * each * LENGTH
        rates[each] = best = max(best, flops / max(seconds - overhead, seconds / 2))
    return Machine(rates, overhead / architecture.size)  # more lanes are never slower
