"""What the preset `auto` chooses: a network and its training, by the text and the time.

    work      operations that the run affords
    weights   as many as leave time for FEWEST_STEPS steps and for PER_WEIGHT characters each, and
              no more than PER_CHARACTER for each character of the text, or ANY_TEXT
    passes    how often the text is then read: what is read often is soon known by heart, and
              dropout and weight decay are against that

Only what was not given is chosen. docs/recipes.md has the runs that the constants come from.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nextchar.model.parameters import Architecture
from nextchar.settings.config import BUDGETS, NetworkSettings, Settings
from nextchar.training.auto.throughput import flops_per_character

FEWEST_STEPS = 2000  # of few lanes
MANY_STEPS = 6000  # of few lanes: as many characters in larger batches are faster and as good
FEW_LANES, LANES, LENGTH = 16, 32, 64
PER_WEIGHT = 5  # characters trained on for each weight
NOMINAL_WORK = 27e12  # of a run whose time is not given: three minutes of 150 GFlop/s
MOST_PASSES = 40  # of such a run
PER_CHARACTER = 1.0  # weights for each character of the text, at most
ANY_TEXT = 350_000  # weights that no text is too small for, with dropout
RATES = {"gru": 0.01, "lstm": 0.01, "rnn": 0.003}  # learning rates up to RATE_SIZE units
RATE_SIZE = 256
OF_A_TRAINED_ONE = 0.5  # what the learning rate of a fine-tuning run is multiplied by
FEW = 2.0  # passes that do no harm
DROPOUT_PER_DOUBLING, MOST_DROPOUT = 0.08, 0.5
_NETWORK = ("cell", "hidden_size", "num_layers", "embedding_size", "tied", "initialisation")
SIZES = (  # units and layers, from small to large
    *((size, 1) for size in (64, 96, 128, 160, 192, 256)),
    *((size, 2) for size in (192, 224, 256, 320, 384, 448, 512, 640, 768, 1024)),
)


@dataclass(frozen=True)
class DataFacts:
    """What is known before training.

    characters, distinct: of the training part.
    work: operations that a time affords; None where the run does not end by time.
    is_trained: whether the run starts from a trained model.
    """

    characters: int
    distinct: int
    work: float | None = None
    is_trained: bool = False


@dataclass(frozen=True)
class AutoChoice:
    """Settings with the chosen ones among them, and why they are what they are, line by line."""

    settings: Settings
    reasons: tuple[str, str, str]


def choose_auto(given: Mapping[str, Any], known: DataFacts) -> AutoChoice:
    """Settings for a run: what was given, what is chosen, and defaults.

    given: settings by name that the user gave; None is not given.
    """
    given = {name: value for name, value in given.items() if value is not None}
    work = known.work or NOMINAL_WORK
    network = _network(given, known, work)
    cost = flops_per_character(Architecture(network, known.distinct))
    chosen = {"cell": network.cell, "hidden_size": network.hidden_size}
    chosen |= {"num_layers": network.num_layers}
    affordable = work / cost
    if known.work is None:
        affordable = min(affordable, MOST_PASSES * known.characters)
    chosen |= _batches(network, affordable, is_trained=known.is_trained)
    settings = Settings.make(None, **{**chosen, **given})
    characters = _characters(settings, given, known, affordable)
    passes = characters / known.characters
    chosen |= _regularisation(passes)
    if settings.training.optimizer != "adamw":  # others would add the decay to the gradient
        del chosen["weight_decay"]
    if given.keys().isdisjoint(BUDGETS):
        batch = settings.training.batch_size * settings.training.seq_length
        chosen["steps"] = max(1, int(characters / batch))
    settings = Settings.make(None, **{**chosen, **given})
    return AutoChoice(settings, _reasons(settings, known, characters, passes, cost // 6))


def _network(given: Mapping[str, Any], known: DataFacts, work: float) -> NetworkSettings:
    """The largest network whose every weight gets characters enough."""
    fixed = {name: given[name] for name in _NETWORK if name in given}
    most = max(ANY_TEXT, PER_CHARACTER * known.characters)
    best: NetworkSettings | None = None
    for size, layers in SIZES:
        chosen = {"cell": "gru", "hidden_size": size, "num_layers": layers}
        network = NetworkSettings(**{**chosen, **fixed})
        weights = flops_per_character(Architecture(network, known.distinct)) / 6
        wanted = max(FEWEST_STEPS * FEW_LANES * LENGTH, PER_WEIGHT * weights)
        affordable = work / (6 * weights) >= wanted
        if best is None or (affordable and weights <= most):
            best = network
    assert best is not None
    return best


def _batches(network: NetworkSettings, characters: float, *, is_trained: bool) -> dict[str, Any]:
    """Few lanes where there would be few steps; lower rates for large and for trained networks."""
    is_long = characters > MANY_STEPS * FEW_LANES * LENGTH
    rate = RATES[network.cell] * min(1.0, RATE_SIZE / network.hidden_size)
    return {
        "seq_length": LENGTH,
        "batch_size": LANES if is_long else FEW_LANES,
        "learning_rate": rate * (OF_A_TRAINED_ONE if is_trained else 1.0),
        "optimizer": "adamw",
    }


def _characters(
    settings: Settings, given: Mapping[str, Any], known: DataFacts, affordable: float
) -> float:
    """How many characters the run will train on."""
    training = settings.training
    if "steps" in given:
        return float(training.batch_size * training.seq_length * given["steps"])
    if "epochs" in given:
        return float(given["epochs"] * known.characters)
    return affordable


def _regularisation(passes: float) -> dict[str, Any]:
    """What a text that is read so often needs."""
    dropout = min(max(DROPOUT_PER_DOUBLING * math.log2(max(passes, 1.0) / FEW), 0.0), MOST_DROPOUT)
    return {"dropout": round(dropout, 2), "weight_decay": 0.1 if passes > FEW else 0.0}


def _reasons(
    settings: Settings, known: DataFacts, characters: float, passes: float, weights: int
) -> tuple[str, str, str]:
    network, training = settings.network, settings.training
    times = f"{passes:.1f} times" if passes < 10 else f"{passes:.0f} times"
    when = f"in {training.time} here" if training.time else "in this run"
    why = "large ones are faster" if training.batch_size >= LANES else "small ones give more steps"
    name = f"{network.cell.upper()} {network.hidden_size}×{network.num_layers}"
    taught = f"as many as {_short(characters)} characters {when} can teach"
    if known.is_trained:
        taught = "those of the model to start from"
    return (
        f"{name}: {_short(weights)} weights, {taught}",
        f"batches of {training.batch_size} × {training.seq_length} characters, since {why}; "
        f"learning rate {training.learning_rate:.2g}, falling to zero",
        f"dropout {training.dropout:g}, weight decay {training.weight_decay:g}: the text of "
        f"{_short(known.characters)} characters is read {times}",
    )


def _short(number: float) -> str:
    """12345 → 12 k, 1234567 → 1.2 M."""
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if number >= size:
            return f"{number / size:.3g}{unit}"
    return f"{number:.0f}"
