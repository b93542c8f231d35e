"""A model of the time that a training step takes on many machines, one rank on each.

    forward ─► output's gradient ─► last layer's ─► … ─► first layer's ─► the rest ─► update
                      └─ summed ──────── └─ summed ────────── └─ summed ── ┘

A node computes at the rate that it has for so many lanes, and takes some time for each weight
besides (packing, adding, clipping, the update). Parts of the gradient are summed one after the
other, each from when it is computed; what of that is not over by the end of the backward pass is
waited for. docs/scaling.md has its tables, and holds it against measurements.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod

from nextchar.model.parameters import Architecture

FORWARD = 1 / 3  # of the operations of a step
WORTH = 1.1  # speed-up that twice as many nodes must bring at least


@dataclass(frozen=True)
class Network:
    """A network between nodes: seconds from one to another, and bytes in a second."""

    latency: float
    bandwidth: float

    @classmethod
    def of(cls, gbits: float, microseconds: float) -> Network:
        """From what is written on the box."""
        return cls(microseconds * 1e-6, gbits * 1e9 / 8)


@dataclass(frozen=True)
class Machine:
    """What a node computes.

    rates: lanes → operations in a second, measured. per_weight: seconds of a step for each weight.
    """

    rates: Mapping[int, float]
    per_weight: float

    def rate(self, lanes: float) -> float:
        """Operations in a second with so many lanes: straight lines between measurements."""
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
    """A part of the gradient that travels by itself: its numbers, and operations a character."""

    numbers: int
    operations: int


@dataclass(frozen=True)
class Workload:
    """A network as the model sees it: pieces from the output to the first layer, and the vectors.

    least: numbers that are worth a message of their own.
    """

    pieces: Sequence[GradientBucket]
    vectors: int

    @classmethod
    def of(cls, architecture: Architecture, least: int = 1 << 16) -> Workload:
        """The pieces in which an engine sums the gradient of an architecture."""
        pieces, waiting = list[GradientBucket](), GradientBucket(0, 0)
        groups = _groups(architecture)
        for group in groups:
            waiting = GradientBucket(
                waiting.numbers + group.numbers, waiting.operations + group.operations
            )
            if waiting.numbers >= least or group is groups[-1]:
                pieces.append(waiting)
                waiting = GradientBucket(0, 0)
        return cls(pieces, architecture.size - architecture.matrix_size)

    @property
    def weights(self) -> int:
        """All numbers of the gradient."""
        return sum(piece.numbers for piece in self.pieces) + self.vectors

    @property
    def operations(self) -> int:
        """Operations that training on a character takes."""
        return sum(piece.operations for piece in self.pieces)


@dataclass(frozen=True)
class StepTime:
    """Seconds of a step: computing, and waiting for sums; bytes that each rank sends for it."""

    computing: float
    waiting: float
    sent: float

    @property
    def seconds(self) -> float:
        """All together."""
        return self.computing + self.waiting


def ring(size: float, ranks: int, wire: Network) -> float:
    """Seconds of an all-reduce of so many bytes around a ring."""
    return 2 * (ranks - 1) * wire.latency + _twice(size, ranks) / wire.bandwidth


def doubling(size: float, ranks: int, wire: Network) -> float:
    """The same by a tree: in each round all bytes go to a partner twice as far away."""
    return _rounds(ranks) * (wire.latency + size / wire.bandwidth)


def halving(size: float, ranks: int, wire: Network) -> float:
    """The same by a tree of halves that are summed, then of sums that are spread."""
    return 2 * _rounds(ranks) * wire.latency + _twice(size, ranks) / wire.bandwidth


def all_reduce(size: float, ranks: int, wire: Network) -> float:
    """Seconds of an all-reduce by what suits best, as MPI libraries choose."""
    return min(each(size, ranks, wire) for each in (ring, doubling, halving))


def step_time(
    work: Workload,
    node: Machine,
    wire: Network,
    *,
    ranks: int,
    lanes: float,
    seq_length: int,
    bytes_per_number: int = 4,
    overlap: float = 1.0,
) -> StepTime:
    """A step of `lanes` lanes on each of `ranks` nodes.

    overlap: the share of a sum's time that passes while the node computes; the rest of it holds
    computing up.
    """
    second = seq_length * lanes / node.rate(lanes)  # seconds of an operation a character
    now = FORWARD * work.operations * second
    free = 0.0  # when the wire is free
    for piece in work.pieces:
        now += (1 - FORWARD) * piece.operations * second
        took = all_reduce(piece.numbers * bytes_per_number, ranks, wire)
        free = max(free, now) + took * overlap
        now += took * (1 - overlap)
    computing = work.operations * second + work.weights * node.per_weight
    rest = all_reduce(8 * (work.vectors + 3), ranks, wire)  # float64, with the loss beside
    waiting = max(free, now) + rest - work.operations * second
    sent = sum(_twice(piece.numbers * bytes_per_number, ranks) for piece in work.pieces)
    return StepTime(computing, waiting if ranks > 1 else 0.0, sent if ranks > 1 else 0.0)


@dataclass(frozen=True)
class Row:
    """One number of nodes. speed: characters in a second; efficiency: of what one node does."""

    ranks: int
    lanes: float
    step: StepTime
    speed: float
    speedup: float
    efficiency: float


def table(
    work: Workload,
    node: Machine,
    wire: Network,
    *,
    batch_size: int,
    seq_length: int,
    most: int,
    bytes_per_number: int = 4,
    overlap: float = 1.0,
) -> list[Row]:
    """The same batch on 1, 2, 4, … nodes, as long as each has a lane."""
    how = {"seq_length": seq_length, "bytes_per_number": bytes_per_number, "overlap": overlap}
    rows, alone = list[Row](), 0.0
    ranks = 1
    while ranks <= min(most, batch_size):
        lanes = batch_size / ranks
        taken = step_time(work, node, wire, ranks=ranks, lanes=lanes, **how)  # type: ignore[arg-type]
        speed = batch_size * seq_length / taken.seconds
        alone = alone or speed
        rows.append(Row(ranks, lanes, taken, speed, speed / alone, speed / alone / ranks))
        ranks *= 2
    return rows


def stops_paying(rows: Sequence[Row]) -> int:
    """The most nodes that are worth it: twice as many would hardly be faster."""
    for one, two in pairwise(rows):
        if two.speed < WORTH * one.speed:
            return one.ranks
    return rows[-1].ranks


def efficient_lanes(
    work: Workload, node: Machine, wire: Network, *, ranks: int, share: float = 0.8, **how: float
) -> int | None:
    """Lanes that each of `ranks` nodes needs to spend a share of its time computing at full speed.

    None where more than 65,536 would not do. how: as `step_time` takes it.
    """
    full = max(node.rates.values())
    lanes = 1
    while lanes <= 1 << 16:
        taken = step_time(work, node, wire, ranks=ranks, lanes=lanes, **how)  # type: ignore[arg-type]
        ideal = work.operations * how["seq_length"] * lanes / full
        if ideal / taken.seconds >= share:
            return lanes
        lanes *= 2
    return None


def _groups(architecture: Architecture) -> list[GradientBucket]:
    """The matrices of the output, then of each layer from the last; the embedding's go last."""
    s = architecture.settings
    looked_up = "embedding" if s.embedding_size else "layer0.W_ih"
    names = [
        ("W_out",),
        *((f"layer{n}.W_ih", f"layer{n}.W_hh") for n in reversed(range(s.num_layers))),
    ]
    names[-1] = (*names[-1], "embedding")
    groups = []
    for group in names:
        sizes = {n: prod(architecture.shapes[n]) for n in group if n in architecture.shapes}
        multiplied = sum(size for name, size in sizes.items() if name != looked_up)
        groups.append(GradientBucket(sum(sizes.values()), 6 * multiplied))
    if s.tied:
        groups[0] = GradientBucket(0, 6 * prod(architecture.shapes["embedding"]))
    return groups


def _twice(size: float, ranks: int) -> float:
    return 2 * (ranks - 1) / ranks * size


def _rounds(ranks: int) -> int:
    return math.ceil(math.log2(ranks)) if ranks > 1 else 0
