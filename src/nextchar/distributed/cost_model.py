"""A cost model of a training step on many machines, one rank on each.

    forward ─► gradient of the output ─► of the last layer ─► … ─► of the first layer ─► update
                      └─ all-reduce ───────── └─ all-reduce ─────────── └─ all-reduce ─┘

A machine computes at the rate measured for its number of lanes, and spends some time per weight
besides (packing, adding, clipping, the update). Gradient buckets are summed one after another, each
as soon as it is computed; a sum that has not finished by the end of the backward pass adds to the
step. docs/scaling.md has tables and a comparison with measurements.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod

from nextchar.model.parameters import Architecture

FORWARD = 1 / 3  # of the FLOPs of a step
WORTHWHILE = 1.1  # least speed-up for which doubling the machines pays


@dataclass(frozen=True)
class Network:
    """A network between machines. latency: seconds; bandwidth: bytes per second."""

    latency: float
    bandwidth: float

    @classmethod
    def of(cls, gbits: float, microseconds: float) -> Network:
        """Convert from the units of data sheets."""
        return cls(microseconds * 1e-6, gbits * 1e9 / 8)


@dataclass(frozen=True)
class Machine:
    """The speed of a machine.

    rates: measured FLOP/s by number of lanes. per_weight: seconds of a step per weight.
    """

    rates: Mapping[int, float]
    per_weight: float

    def rate(self, lanes: float) -> float:
        """Return the FLOP/s with a number of lanes, interpolated between measurements."""
        known = sorted(self.rates)
        if lanes <= known[0]:  # the last lanes of a tile cost as much as a full one
            return self.rates[known[0]] * lanes / known[0]
        for low, high in pairwise(known):
            if lanes <= high:
                share = (lanes - low) / (high - low)
                return self.rates[low] * (1 - share) + self.rates[high] * share
        return self.rates[known[-1]]


@dataclass(frozen=True)
class GradientBucket:
    """A part of the gradient that is summed by one message; flops: per character."""

    numbers: int
    flops: int


@dataclass(frozen=True)
class Workload:
    """A neural network as the cost model sees it.

    buckets: of the matrices, from the output to the first layer. vectors: numbers of the vectors.
    """

    buckets: Sequence[GradientBucket]
    vectors: int

    @classmethod
    def of(cls, architecture: Architecture, least: int = 1 << 16) -> Workload:
        """Divide the gradient of an architecture into buckets, as an engine does.

        least: numbers that are worth a separate message.
        """
        buckets, waiting = list[GradientBucket](), GradientBucket(0, 0)
        groups = _groups(architecture)
        for group in groups:
            waiting = GradientBucket(waiting.numbers + group.numbers, waiting.flops + group.flops)
            if waiting.numbers >= least or group is groups[-1]:
                buckets.append(waiting)
                waiting = GradientBucket(0, 0)
        return cls(buckets, architecture.size - architecture.matrix_size)

    @property
    def weights(self) -> int:
        """Size of the gradient, in numbers."""
        return sum(bucket.numbers for bucket in self.buckets) + self.vectors

    @property
    def flops(self) -> int:
        """FLOPs of training on one character."""
        return sum(bucket.flops for bucket in self.buckets)


@dataclass(frozen=True)
class StepTime:
    """Forecast of a step: seconds of computing and of waiting for sums; bytes each rank sends."""

    computing: float
    waiting: float
    sent: float

    @property
    def seconds(self) -> float:
        """Total time."""
        return self.computing + self.waiting


def ring(size: float, ranks: int, network: Network) -> float:
    """Return the seconds of an all-reduce of `size` bytes around a ring."""
    return 2 * (ranks - 1) * network.latency + _sent(size, ranks) / network.bandwidth


def doubling(size: float, ranks: int, network: Network) -> float:
    """Return the same for recursive doubling: each round exchanges all bytes with one partner."""
    return _rounds(ranks) * (network.latency + size / network.bandwidth)


def halving(size: float, ranks: int, network: Network) -> float:
    """Return the same for recursive halving (reduce-scatter), then an all-gather."""
    return 2 * _rounds(ranks) * network.latency + _sent(size, ranks) / network.bandwidth


def all_reduce(size: float, ranks: int, network: Network) -> float:
    """Return the same for the fastest of the three, which MPI libraries choose."""
    return min(each(size, ranks, network) for each in (ring, doubling, halving))


@dataclass(frozen=True)
class ForecastRow:
    """Forecast for a number of ranks.

    speed: characters per second; speedup: compared with one machine; efficiency: speedup per rank.
    """

    ranks: int
    lanes: float
    step: StepTime
    speed: float
    speedup: float
    efficiency: float


@dataclass(frozen=True)
class CostModel:
    """The cost of steps of a workload on machines of one kind, with one rank on each.

    overlap: fraction of a sum's time that passes while the machine computes; the rest delays
    computation.
    """

    workload: Workload
    machine: Machine
    network: Network
    seq_length: int
    bytes_per_number: int = 4
    overlap: float = 1.0

    def step_time(self, ranks: int, lanes: float) -> StepTime:
        """Forecast a step of `lanes` lanes on each of `ranks` machines."""
        work, network = self.workload, self.network
        seconds_per_flop = self.seq_length * lanes / self.machine.rate(lanes)  # and per character
        now = FORWARD * work.flops * seconds_per_flop
        network_free = 0.0  # time at which the network becomes free
        for bucket in work.buckets:
            now += (1 - FORWARD) * bucket.flops * seconds_per_flop
            seconds = all_reduce(bucket.numbers * self.bytes_per_number, ranks, network)
            network_free = max(network_free, now) + seconds * self.overlap
            now += seconds * (1 - self.overlap)
        computing = work.flops * seconds_per_flop + work.weights * self.machine.per_weight
        if ranks == 1:
            return StepTime(computing, 0.0, 0.0)
        rest = all_reduce(8 * (work.vectors + 3), ranks, network)  # float64, with the loss
        waiting = max(network_free, now) + rest - work.flops * seconds_per_flop
        sent = sum(_sent(bucket.numbers * self.bytes_per_number, ranks) for bucket in work.buckets)
        return StepTime(computing, waiting, sent)

    def forecast(self, batch_size: int, max_ranks: int) -> list[ForecastRow]:
        """Forecast the same batch on 1, 2, 4, … machines, as long as each has a lane."""
        rows, single, ranks = list[ForecastRow](), 0.0, 1
        while ranks <= min(max_ranks, batch_size):
            lanes = batch_size / ranks
            step = self.step_time(ranks, lanes)
            speed = batch_size * self.seq_length / step.seconds
            single = single or speed
            speedup = speed / single
            rows.append(ForecastRow(ranks, lanes, step, speed, speedup, speedup / ranks))
            ranks *= 2
        return rows

    def efficient_lanes(self, ranks: int, share: float = 0.8) -> int | None:
        """Return the lanes each machine needs to train at a share of its own full rate.

        None if 65,536 are not enough.
        """
        full = max(self.machine.rates.values())
        for lanes in (1 << power for power in range(17)):
            ideal = self.workload.flops * self.seq_length * lanes / full
            if ideal / self.step_time(ranks, lanes).seconds >= share:
                return lanes
        return None


def pays_up_to(rows: Sequence[ForecastRow]) -> int:
    """Return the number of ranks beyond which doubling gains less than `WORTHWHILE`."""
    for one, two in pairwise(rows):
        if two.speed < WORTHWHILE * one.speed:
            return one.ranks
    return rows[-1].ranks


def _groups(architecture: Architecture) -> list[GradientBucket]:
    """Return the matrices of the output, then of each layer from the last; the embedding last."""
    s = architecture.settings
    looked_up = "embedding" if s.embedding_size else "layer0.W_ih"
    names: list[tuple[str, ...]] = [("W_out",)]
    names += [(f"layer{n}.W_ih", f"layer{n}.W_hh") for n in reversed(range(s.num_layers))]
    names[-1] = (*names[-1], "embedding")
    groups = []
    for group in names:
        sizes = {n: prod(architecture.shapes[n]) for n in group if n in architecture.shapes}
        multiplied = sum(size for name, size in sizes.items() if name != looked_up)
        groups.append(GradientBucket(sum(sizes.values()), 6 * multiplied))
    if s.tied:
        groups[0] = GradientBucket(0, 6 * prod(architecture.shapes["embedding"]))
    return groups


def _sent(size: float, ranks: int) -> float:
    """Return the bytes that each rank sends for an all-reduce of `size` bytes."""
    return 2 * (ranks - 1) / ranks * size


def _rounds(ranks: int) -> int:
    return math.ceil(math.log2(ranks)) if ranks > 1 else 0
