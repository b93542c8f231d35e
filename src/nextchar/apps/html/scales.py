"""From numbers to pixels: where axes begin and end, their ticks, and how numbers are written."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from nextchar.apps.html.charts import Array, Axis

_SUFFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


@dataclass(frozen=True)
class Scale:
    """The numbers from `low` to `high` laid over the pixels from `first` to `last`."""

    low: float
    high: float
    first: float
    last: float
    log: bool = False

    def __call__(self, values: Array) -> Array:
        """The pixels of some numbers."""
        low, high = self._plain(np.array([self.low, self.high])).tolist()
        share: Array = (self._plain(values) - low) / (high - low)
        return self.first + share * (self.last - self.first)

    def at(self, value: float) -> float:
        """The pixel of one number."""
        return float(self(np.array([value]))[0])

    def _plain(self, values: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            plain: Array = np.log10(values) if self.log else values
        return plain


def limits(axis: Axis, numbers: Iterable[Array]) -> tuple[float, float]:
    """Where an axis begins and ends: at its own limits, or around all numbers."""
    if axis.labels:
        return -0.5, len(axis.labels) - 0.5
    parts = [np.asarray(each, float)[np.isfinite(each)] for each in numbers]
    if axis.log:
        parts = [part[part > 0] for part in parts]
    all_of_them = np.concatenate([*parts, np.empty(0)])
    low, high = (all_of_them.min(), all_of_them.max()) if len(all_of_them) else (0.0, 1.0)
    low = float(low if axis.low is None else axis.low)
    high = float(high if axis.high is None else axis.high)
    return _apart(low, high, axis)


def _apart(low: float, high: float, axis: Axis) -> tuple[float, float]:
    """Limits with a little room, and never the same."""
    if axis.log:
        return (low / 1.1, high * 1.1) if high > low else (low / 2, high * 2 or 1.0)
    if high <= low:
        room = abs(low) * 0.1 or 1.0
        return (low, low + room) if axis.low is not None else (low - room, low + room)
    room = 0.04 * (high - low)
    return (
        low if axis.low is not None or low == 0 else low - room,
        high if axis.high is not None else high + room,
    )


def ticks(low: float, high: float, most: int, *, log: bool = False) -> list[float]:
    """At most about so many round numbers between two."""
    if log:
        return _log_ticks(low, high, most)
    raw = (high - low) / max(most, 1)
    power = 10 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.9999)
    first = math.ceil(low / step - 1e-9)
    return [
        round(n * step, 12)
        for n in range(first, first + 2 * most + 2)
        if n * step <= high * 1.0000001
    ]


def _log_ticks(low: float, high: float, most: int) -> list[float]:
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1, 2, 5), (1, 3), (1,)):
        found = [f * 10.0**p for p in powers for f in factors if low <= f * 10.0**p <= high]
        if len(found) <= most:
            break
    else:
        found = found[:: -(-len(found) // most)]
    return found if len(found) > 1 else ticks(low, high, min(most, 4))


def written(value: float, *, percent: bool = False) -> str:
    """A tick's number: 1500 → 1.5k, 0.002 → 0.002, 1e-7 → 1e-7; 0.25 → 25% as a share."""
    if percent:
        return f"{value * 100:.3g}%"
    for size, suffix in _SUFFIXES:
        if abs(value) >= size:
            return f"{value / size:.4g}{suffix}"
    if value and abs(value) < 1e-4:
        mantissa, exponent = f"{value:.2e}".split("e")
        return f"{float(mantissa):g}e{int(exponent)}"
    return f"{value:.4g}"
