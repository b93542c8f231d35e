"""Scales of axes: limits, ticks with their labels, and the mapping from numbers to pixels."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from nextchar.apps.html.charts import Array, Axis

_SUFFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


@dataclass(frozen=True)
class Scale:
    """Mapping of the numbers from `low` to `high` to the pixels from `first` to `last`."""

    low: float
    high: float
    first: float
    last: float
    log: bool = False

    def __call__(self, values: Array) -> Array:
        """Return the pixels of numbers."""
        low, high = self._linear(np.array([self.low, self.high])).tolist()
        share: Array = (self._linear(values) - low) / (high - low)
        return self.first + share * (self.last - self.first)

    def at(self, value: float) -> float:
        """Return the pixel of one number."""
        return float(self(np.array([value]))[0])

    def _linear(self, values: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            linear: Array = np.log10(values) if self.log else values
        return linear


def limits(axis: Axis, numbers: Iterable[Array]) -> tuple[float, float]:
    """Return where an axis begins and ends: at its own limits, or around all numbers."""
    if axis.labels:
        return -0.5, len(axis.labels) - 0.5
    parts = [np.asarray(each, float)[np.isfinite(each)] for each in numbers]
    if axis.log:
        parts = [part[part > 0] for part in parts]
    values = np.concatenate([*parts, np.empty(0)])
    low, high = (values.min(), values.max()) if len(values) else (0.0, 1.0)
    low = float(low if axis.low is None else axis.low)
    high = float(high if axis.high is None else axis.high)
    return _padded(low, high, axis)


def _padded(low: float, high: float, axis: Axis) -> tuple[float, float]:
    """Return limits with a margin, and never equal."""
    if axis.log:
        return (low / 1.1, high * 1.1) if high > low else (low / 2, high * 2 or 1.0)
    if high <= low:
        margin = abs(low) * 0.1 or 1.0
        return (low, low + margin) if axis.low is not None else (low - margin, low + margin)
    margin = 0.04 * (high - low)
    return (
        low if axis.low is not None or low == 0 else low - margin,
        high if axis.high is not None else high + margin,
    )


def ticks(low: float, high: float, most: int, *, log: bool = False) -> list[float]:
    """Return about `most` round numbers, or fewer, from `low` to `high`."""
    if log:
        return _log_ticks(low, high, most)
    raw = (high - low) / max(most, 1)
    power = 10 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.9999)
    first = math.ceil(low / step - 1e-9)
    steps = (n * step for n in range(first, first + 2 * most + 2))
    return [round(value, 12) for value in steps if value <= high * 1.0000001]


def _log_ticks(low: float, high: float, most: int) -> list[float]:
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1, 2, 5), (1, 3), (1,)):
        values = [f * 10.0**p for p in powers for f in factors if low <= f * 10.0**p <= high]
        if len(values) <= most:
            break
    else:
        values = values[:: -(-len(values) // most)]
    return values if len(values) > 1 else ticks(low, high, min(most, 4))


def tick_label(value: float, *, percent: bool = False) -> str:
    """Return the label of a tick: 1500 → 1.5k, 0.002 → 0.002, 1e-7 → 1e-7; a share 0.25 → 25%."""
    if percent:
        return f"{value * 100:.3g}%"
    for size, suffix in _SUFFIXES:
        if abs(value) >= size:
            return f"{value / size:.4g}{suffix}"
    if value and abs(value) < 1e-4:
        mantissa, exponent = f"{value:.2e}".split("e")
        return f"{float(mantissa):g}e{int(exponent)}"
    return f"{value:.4g}"
