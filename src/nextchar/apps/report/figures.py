"""Charts of what models know, for one run or for several side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from nextchar.apps.context_loss import ContextLoss
from nextchar.apps.html.charts import Array, Axis, Bars, Figure, Line
from nextchar.apps.report.held_out import KINDS, Confusion
from nextchar.apps.report.model_analysis import Analysis
from nextchar.formatting.units import NATS_TO_BITS
from nextchar.formatting.visible_text import visible

# (number, name, analysis) of a run; the number decides its colour
NamedAnalysis = tuple[int, str, Analysis]
NATS = "nats per character"
LOSS = Axis(NATS, low=0.0, other=("bits", NATS_TO_BITS))
CONFIDENCE = 1.96  # standard errors on each side of a mean: a 95 % confidence interval


def against_baselines(runs: Sequence[NamedAnalysis]) -> list[Figure]:
    """Loss compared with baselines; one chart for all runs on the same characters."""
    groups: dict[tuple[float, ...], list[NamedAnalysis]] = {}
    for each in runs:
        if each[2].loss is not None:
            groups.setdefault((each[2].scored, *each[2].baselines.values()), []).append(each)
    return [_losses(chart, group) for chart, group in enumerate(groups.values(), 1)]


def _losses(chart: int, group: Sequence[NamedAnalysis]) -> Figure:
    baselines, read = group[0][2].baselines, group[0][2].scored + 1
    labels = [*baselines, *(name for _, name, _ in group)]
    values = np.array([*baselines.values(), *(each.loss or np.nan for *_, each in group)])
    series: list[int | None] = [*([None] * len(baselines)), *(number for number, *_ in group)]
    note = (
        f"On the first {read:,} characters of the validation part. The n-grams were counted in "
        "the training part, with Witten-Bell interpolation."
    )
    bars = Bars("", values, series, texts=tuple(f"{value:.3f}" for value in values))
    name, title = "baselines" if chart == 1 else f"baselines-{chart}", "Loss compared with n-grams"
    return Figure(name, title, LOSS, Axis("", labels=tuple(labels)), (), (bars,), note)


def by_context(runs: Sequence[NamedAnalysis]) -> Figure | None:
    """Loss by length of context."""
    known = [(number, name, each.context) for number, name, each in runs if each.context]
    if not known:
        return None
    lengths = max((context.lengths for *_, context in known), key=len)
    lines = [_context(*each, len(lengths)) for each in known]
    note = (
        f"At {known[0][2].positions:,} positions of the validation part, with the state reset "
        "before the context; “all”: carried from its beginning. "
        "The band is a 95 % confidence interval."
    )
    x = Axis("characters of context", labels=(*map(str, lengths), "all"))
    y = Axis(NATS, other=("bits", NATS_TO_BITS))
    return Figure("context", "Loss by context", x, y, tuple(lines), (), note)


def _context(number: int, name: str, context: ContextLoss, last: int) -> Line:
    """Return the curve of a run. last: x of the full loss, the same for all runs."""
    loss = np.append(context.loss, context.full_loss)
    error = CONFIDENCE * np.append(context.error, context.error[-1])
    x = np.append(np.arange(len(context.loss), dtype=float), last)
    return Line(name, x, loss, number, low=loss - error, high=loss + error, key=False)


def by_kind(runs: Sequence[NamedAnalysis]) -> Figure | None:
    """Loss of each kind of character, compared with 6-grams."""
    known = [(number, name, each) for number, name, each in runs if each.kinds]
    if not known:
        return None
    present = [kind for kind in KINDS if any(kind == k.kind for *_, e in known for k in e.kinds)]
    first = known[0][2].kinds
    baselines = {k.kind: k.baseline for k in first if k.baseline is not None}
    bars = [Bars("6-gram", _values(present, baselines), None, dots=True)]
    for number, name, each in known:
        losses = _values(present, {k.kind: k.loss for k in each.kinds})
        bars.append(Bars(name, losses, number, dots=True, key=len(runs) == 1))
    shares = {k.kind: k.share for k in first}
    y = Axis("", labels=tuple(f"{kind} ({shares.get(kind, 0.0):.0%})" for kind in present))
    note = "In brackets: share of the characters."
    return Figure("kinds", "Loss by kind of character", LOSS, y, (), tuple(bars), note)


def _values(names: Sequence[str], values: dict[str, float]) -> Array:
    return np.array([values.get(name, np.nan) for name in names])


def calibrated(runs: Sequence[NamedAnalysis]) -> Figure | None:
    """Accuracy of the first guess by its probability."""
    known = [(number, name, each.calibration) for number, name, each in runs if each.calibration]
    if not known:
        return None
    diagonal = np.array([0.0, 1.0])
    lines, distances = [Line("", diagonal, diagonal, None)], list[str]()
    for number, name, each in known:
        error = CONFIDENCE * np.sqrt(each.accuracy * (1 - each.accuracy) / each.count)
        low, high = (each.accuracy - error).clip(min=0), (each.accuracy + error).clip(max=1)
        curve = Line(name, each.confidence, each.accuracy, number, low=low, high=high, key=False)
        lines.append(curve)
        distances.append(f"{name} {each.error:.1%}" if len(runs) > 1 else f"{each.error:.1%}")
    note = (
        "On the dotted line a guess of 70% is right 70 times in 100; below it the model is "
        f"overconfident. Mean distance: {'; '.join(distances)}."
    )
    x = Axis("probability of the first guess", low=0.0, high=1.0, percent=True)
    y = replace(x, name="accuracy")
    return Figure("calibration", "Calibration of the first guess", x, y, tuple(lines), (), note)


def confused(number: int, name: str, pairs: Sequence[Confusion]) -> Figure | None:
    """The most frequent pairs of a character and a wrong first guess."""
    if not pairs:
        return None
    labels = tuple(f"{visible(each.character)} taken for {visible(each.guess)}" for each in pairs)
    values = np.array([each.count for each in pairs], float)
    texts = tuple(f"{each.count:,} ({each.share:.0%})" for each in pairs)
    note = (
        f"{name}: the actual character and the wrong first guess; how often, and in which share of "
        "its occurrences."
    )
    bars = Bars("", values, number, texts)
    x, y = Axis("times", low=0.0), Axis("", labels=labels)
    return Figure("confusions", "Confusions", x, y, (), (bars,), note, "tall")


def memorised(runs: Sequence[NamedAnalysis]) -> Figure | None:
    """Share of generated text that occurs in the training text."""
    known = [(number, name, e.memorisation) for number, name, e in runs if e.memorisation]
    if not known:
        return None
    alone, first = len(runs) == 1, known[0][2]
    lengths = np.array(first.lengths, float)
    lines = [
        Line("generated text" if alone else name, lengths, np.array(e.generated), number, key=alone)
        for number, name, e in known
    ]
    if first.held_out:
        lines.append(Line("held-out text", lengths, np.array(first.held_out), None))
    note = (
        f"Of {first.characters:,} characters generated at temperature 1, and of as many of "
        "the validation part."
    )
    x = Axis("characters in a row", low=0.0)
    y = Axis("share found in the training text", low=0.0, percent=True)
    return Figure("memorisation", "Copied from the training text", x, y, tuple(lines), (), note)


def knowledge(runs: Sequence[NamedAnalysis], best: NamedAnalysis) -> list[Figure]:
    """All charts of what models know. best: the run whose confusions are shown."""
    number, name, analysis = best
    pairs = confused(number, name, analysis.confusions)
    figures = [*against_baselines(runs), by_context(runs), by_kind(runs), pairs, calibrated(runs)]
    return [figure for figure in figures if figure]
