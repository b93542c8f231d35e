"""Charts of the training: loss, learning rate, gradient norm and speed, over three clocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from nextchar.apps.html.charts import Array, Axis, Figure, Line
from nextchar.apps.report.loaded_runs import Run
from nextchar.formatting.units import NATS_TO_BITS

# field of a record → name of the x axis
CLOCKS = {"step": "steps", "characters": "characters", "seconds": "seconds"}
FEWEST = 30  # evaluations; the training loss of a shorter run is not smoothed
SPAN = 50  # the training loss is smoothed over this fraction of the run
_CUT = 0.02  # share of the first evaluations that may lie above the chart


def curves(runs: Sequence[Run], clock: str) -> list[Figure]:
    """Return the charts over a clock, one of `CLOCKS`."""
    rate = _by_run(runs, clock, "learning_rate", "learning-rate", "Learning rate", "per step")
    speed = _by_run(
        runs, clock, "chars_per_second", "speed", "Speed of training", "characters per second"
    )
    figures = [_loss(runs, clock), rate, _norm(runs, clock), speed]
    return [figure for figure in figures if figure.lines]


def smoothed(values: Array, span: float) -> Array:
    """Return an exponential moving mean over about `span` values, corrected for its start.

    values: (N,), all finite.
    """
    keep, size = 1 - 1 / max(span, 1.0), max(int(span), 1)
    if keep == 0.0:
        return values.copy()
    means, mean = np.empty(len(values)), 0.0
    powers = keep ** np.arange(1, size + 1)  # at least about 1 / e: safe to divide by
    for start in range(0, len(values), size):
        part = values[start : start + size]
        power = powers[: len(part)]
        part_means = power * (mean + (1 - keep) * np.cumsum(part / power))
        means[start : start + size], mean = part_means, part_means[-1]
    return means / (1 - keep ** np.arange(1, len(values) + 1))


def _loss(runs: Sequence[Run], clock: str) -> Figure:
    lines: list[Line] = []
    alone = len(runs) == 1
    for series, run in enumerate(runs):
        x, train, validation = (run.records[each] for each in (clock, "train_loss", "val_loss"))
        name = "" if alone else f"{run.name}, "
        colour = 0 if alone else series
        smooth = len(train) >= FEWEST
        if alone or not smooth:
            faint = smooth or not alone
            lines.append(Line(f"{name}training", x, train, colour, faint=faint, key=alone))
        if smooth:
            known = np.isfinite(train)
            mean = smoothed(train[known], len(train) / SPAN)
            label = f"{name}training, smoothed"
            lines.append(Line(label, x[known], mean, colour, faint=not alone, key=alone))
        label = "validation" if alone else run.name
        lines.append(Line(label, x, validation, 1 if alone else series, strong=True))
    lines = _finite(lines)
    high = _top(lines)
    above = max((float(line.y.max()) for line in lines), default=0.0)
    cut = f"The first values lie above the chart, up to {above:.2f} nats." if high else ""
    pale = "" if alone else "Pale: training, smoothed where there are many evaluations."
    note = f"{pale} {cut}".strip()
    axis = Axis("nats per character", high=high, other=("bits", NATS_TO_BITS))
    return Figure(f"loss-{clock}", "Loss", _clock(clock), axis, tuple(lines), (), note, "whole")


def _top(lines: Sequence[Line]) -> float | None:
    """Return the upper limit of the chart, so that the first values do not flatten the others."""
    values = np.concatenate([line.y for line in lines] or [np.empty(0)])
    if len(values) < 20:
        return None
    early = max(float(np.quantile(line.y, 1 - _CUT)) for line in lines if len(line.y))
    low = float(values.min())
    high = low + 1.05 * (early - low)
    return high if float(values.max()) > low + 1.6 * (high - low) else None


def _norm(runs: Sequence[Run], clock: str) -> Figure:
    alone, lines = len(runs) == 1, list[Line]()
    for series, run in enumerate(runs):
        x, records = run.records[clock], run.records
        name = "before clipping" if alone else run.name
        lines.append(Line(name, x, records["gradient_norm"], series, key=alone))
        if alone:
            lines.append(Line("largest", x, records["gradient_norm_max"], 4, faint=True))
            lines.append(Line("after clipping", x, records["gradient_norm_clipped"], 1))
    lines = _finite(lines)
    note = _clipped(runs[0]) if alone else "Mean since the last evaluation, before clipping."
    name, title = f"gradient-norm-{clock}", "Norm of the gradient"
    axis = Axis("Euclidean norm", log=_is_wide(lines))
    return Figure(name, title, _clock(clock), axis, tuple(lines), (), note, "third")


def _is_wide(lines: Sequence[Line]) -> bool:
    """Return whether the numbers differ so much in size that they need a logarithmic axis."""
    values = np.concatenate([line.y for line in lines] or [np.empty(0)])
    positive = values[values > 0]
    return len(positive) == len(values) > 0 and positive.max() > 20 * positive.min()


def _clipped(run: Run) -> str:
    """Describe how much was clipped."""
    training, shares = run.settings.training, run.records["clipped_share"]
    if training.clip == 0:
        return "Mean since the last evaluation. Nothing was clipped (--clip 0)."
    share = float(np.nanmean(shares)) if np.isfinite(shares).any() else 0.0
    by_value = training.clip_by == "value"
    to = f"±{training.clip:g} a value" if by_value else f"a norm of {training.clip:g}"
    return f"Mean since the last evaluation. Clipped to {to} in {share:.1%} of the steps."


def _by_run(
    runs: Sequence[Run], clock: str, field: str, name: str, title: str, unit: str
) -> Figure:
    """Return the chart of one field of the records, with a curve for each run."""
    lines = [
        Line(run.name, run.records[clock], run.records[field], series, key=False)
        for series, run in enumerate(runs)
    ]
    x, y = _clock(clock), Axis(unit, low=0.0)
    return Figure(f"{name}-{clock}", title, x, y, tuple(_finite(lines)), size="third")


def _clock(clock: str) -> Axis:
    return Axis(CLOCKS[clock], low=0.0)


def _finite(lines: Sequence[Line]) -> list[Line]:
    """Return the finite points of each curve that has any."""
    known = [np.isfinite(line.x) & np.isfinite(line.y) for line in lines]
    pairs = zip(lines, known, strict=True)
    return [replace(line, x=line.x[at], y=line.y[at]) for line, at in pairs if at.any()]
