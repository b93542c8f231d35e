"""Medians over rounds, ratios between contenders, and their spread. Nothing is rounded up."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

Speeds = Mapping[str, Sequence[float]]  # contender → characters per second in each round


@dataclass(frozen=True)
class Ratio:
    """Speed relative to a peer.

    value: ratio of the medians. low, high: of the ratios within a round, which other load on the
    machine disturbs less than the speeds themselves.
    """

    peer: str
    value: float
    low: float
    high: float


def ratio(ours: Sequence[float], peer: str, theirs: Sequence[float]) -> Ratio:
    """Return the ratio of our speeds to a peer's, both of the same rounds."""
    each = [a / b for a, b in zip(ours, theirs, strict=True)]
    return Ratio(peer, median(ours) / median(theirs), min(each), max(each))


def best(speeds: Speeds, among: Sequence[str]) -> str | None:
    """Return the contender with the highest median, or None if there are no contenders."""
    there = [name for name in among if name in speeds]
    return max(there, key=lambda name: median(speeds[name]), default=None)


def against_best(speeds: Speeds, ours: str, peers: Sequence[str]) -> Ratio | None:
    """Return our ratio to the best of several peers."""
    peer = best(speeds, peers)
    if peer is None or ours not in speeds:
        return None
    return ratio(speeds[ours], peer, speeds[peer])


def floored(value: float) -> str:
    """Format a ratio with two decimals, never rounded up: 1.499 → `1.49`."""
    return f"{math.floor(round(value * 100, 6)) / 100:.2f}"


def shown(ratio: Ratio | None) -> str:
    """Format a ratio as `1.62 (1.55…1.70)`."""
    if ratio is None:
        return "–"
    return f"{floored(ratio.value)} ({floored(ratio.low)}…{floored(ratio.high)})"
