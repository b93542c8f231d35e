"""What the analyses are drawn as: for one run with all there is, for several side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nextchar.apps.context_loss import ContextLoss
from nextchar.apps.html.charts import Array, Axis, Bars, Figure, Line
from nextchar.apps.report.held_out import KINDS, Confusion
from nextchar.apps.report.model_analysis import Analysis
from nextchar.formatting.units import NATS_TO_BITS
from nextchar.formatting.visible_text import visible

# a run's place among the others decides its colour: (place, name, what was measured)
Named = tuple[int, str, Analysis]
NATS = "nats per character"
SURE = 1.96  # standard errors around a mean that hold it in 95 of 100 cases


def against_baselines(runs: Sequence[Named]) -> list[Figure]:
    """Loss beside that of counting; one figure for all runs on the same characters."""
    groups: dict[tuple[float, ...], list[Named]] = {}
    for each in runs:
        if each[2].loss is not None:
            groups.setdefault((each[2].scored, *each[2].baselines.values()), []).append(each)
    return [_losses(number, group) for number, group in enumerate(groups.values(), 1)]


def _losses(number: int, group: Sequence[Named]) -> Figure:
    known, read = group[0][2].baselines, group[0][2].scored + 1
    labels = [*known, *(name for _, name, _ in group)]
    values = np.array([*known.values(), *(each.loss or np.nan for *_, each in group)])
    series: list[int | None] = [*([None] * len(known)), *(place for place, *_ in group)]
    texts = tuple(f"{value:.3f}" for value in values)
    note = (
        f"On the first {read:,} characters of the validation part. The n-grams were counted in "
        "the training part, with Witten-Bell back-off."
    )
    bars = Bars("", values, series, texts)
    name = "baselines" if number == 1 else f"baselines-{number}"
    x = Axis(NATS, low=0.0, other=("bits", NATS_TO_BITS))
    return Figure(
        name, "Loss, beside counting", x, Axis("", labels=tuple(labels)), (), (bars,), note
    )


def by_context(runs: Sequence[Named]) -> Figure | None:
    """Loss by how many characters were read before."""
    known = [(place, name, each.context) for place, name, each in runs if each.context]
    if not known:
        return None
    lengths = max((context.lengths for *_, context in known), key=len)
    lines = [_context(*each, len(lengths)) for each in known]
    places = known[0][2].positions
    note = (
        f"At {places:,} places of the validation part, the state being reset before the context; "
        "“all”: carried on from its beginning. The band holds the mean in 95 of 100 cases."
    )
    labels = (*map(str, lengths), "all")
    y = Axis(NATS, other=("bits", NATS_TO_BITS))
    x = Axis("characters of context", labels=labels)
    return Figure("context", "How far back it remembers", x, y, tuple(lines), (), note)


def _context(place: int, name: str, context: ContextLoss, last: int) -> Line:
    """A run's curve. last: where the loss with all context goes; longer ones may not be tried."""
    loss = np.append(context.loss, context.full_loss)
    error = SURE * np.append(context.error, context.error[-1])
    x = np.append(np.arange(len(context.loss), dtype=float), last)
    return Line(name, x, loss, place, low=loss - error, high=loss + error, key=False)


def by_kind(runs: Sequence[Named]) -> Figure | None:
    """Loss of each kind of characters, beside that of 6-grams."""
    known = [(place, name, each) for place, name, each in runs if each.kinds]
    if not known:
        return None
    there = [kind for kind in KINDS if any(kind == k.kind for *_, e in known for k in e.kinds)]
    shares = {k.kind: k.share for k in known[0][2].kinds}
    alone = len(runs) == 1
    bars = [
        Bars(
            name, _values(there, {k.kind: k.loss for k in each.kinds}), place, dots=True, key=alone
        )
        for place, name, each in known
    ]
    first = {k.kind: k.baseline for k in known[0][2].kinds if k.baseline is not None}
    bars.insert(0, Bars("6-gram", _values(there, first), None, dots=True))
    labels = tuple(f"{kind} ({shares.get(kind, 0.0):.0%})" for kind in there)
    note = "In brackets the share of the characters."
    x = Axis(NATS, low=0.0, other=("bits", NATS_TO_BITS))
    return Figure(
        "kinds", "Loss by kind of character", x, Axis("", labels=labels), (), tuple(bars), note
    )


def _values(names: Sequence[str], values: dict[str, float]) -> Array:
    return np.array([values.get(name, np.nan) for name in names])


def calibrated(runs: Sequence[Named]) -> Figure | None:
    """How often the first guess is right, by how sure the model was."""
    known = [(place, name, each.calibration) for place, name, each in runs if each.calibration]
    if not known:
        return None
    diagonal = np.array([0.0, 1.0])
    lines = [Line("", diagonal, diagonal, None)]
    for place, name, each in known:
        error = SURE * np.sqrt(each.accuracy * (1 - each.accuracy) / each.count)
        low, high = np.maximum(each.accuracy - error, 0), np.minimum(each.accuracy + error, 1)
        lines.append(
            Line(name, each.confidence, each.accuracy, place, low=low, high=high, key=False)
        )
    told = "; ".join(
        f"{name + ' ' if len(runs) > 1 else ''}{each.error:.1%}" for _, name, each in known
    )
    note = (
        "On the dotted line a guess of 70% is right 70 times in 100; below it the model is too "
        f"sure of itself. Mean distance: {told}."
    )
    return Figure(
        "calibration", "Calibration of the first guess",
        Axis("probability that the model gave", low=0.0, high=1.0, percent=True),
        Axis("share that was right", low=0.0, high=1.0, percent=True), tuple(lines), (), note,
    )  # fmt: skip


def confused(place: int, name: str, pairs: Sequence[Confusion]) -> Figure | None:
    """The characters that are taken for others the most often."""
    if not pairs:
        return None
    labels = tuple(f"{visible(each.character)} taken for {visible(each.guess)}" for each in pairs)
    values = np.array([each.count for each in pairs], float)
    texts = tuple(f"{each.count:,} ({each.share:.0%})" for each in pairs)
    note = (
        f"{name}: the character that came and the first guess; how often, and in which share of "
        "the places where it came."
    )
    bars = Bars("", values, place, texts)
    y = Axis("", labels=labels)
    x = Axis("times", low=0.0)
    return Figure("confusions", "Most confused", x, y, (), (bars,), note, "tall")


def memorised(runs: Sequence[Named]) -> Figure | None:
    """How much of what the models write stands in the training text."""
    known = [(place, name, e.memorisation) for place, name, e in runs if e.memorisation]
    if not known:
        return None
    lines: list[Line] = []
    for place, name, memory in known:
        lengths, made = np.array(memory.lengths, float), np.array(memory.generated)
        label = name if len(runs) > 1 else "what the model writes"
        lines.append(Line(label, lengths, made, place, key=len(runs) == 1))
    if known[0][2].held_out:
        memory = known[0][2]
        lengths, own = np.array(memory.lengths, float), np.array(memory.held_out)
        lines.append(Line("held-out text", lengths, own, None))
    note = (
        f"Of {known[0][2].characters:,} characters drawn at temperature 1, and of as many of the "
        "validation part."
    )
    x, y = (
        Axis("characters in a row", low=0.0),
        Axis("share found in the training text", low=0.0, percent=True),
    )
    return Figure("memorisation", "How much is copied", x, y, tuple(lines), (), note)


def knowledge(runs: Sequence[Named], best: Named) -> list[Figure]:
    """All figures of what models know. best: the run whose confusions are shown."""
    place, name, analysis = best
    made = [
        *against_baselines(runs),
        by_context(runs),
        by_kind(runs),
        confused(place, name, analysis.confusions),
        calibrated(runs),
    ]
    return [figure for figure in made if figure]
