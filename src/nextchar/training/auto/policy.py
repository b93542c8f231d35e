"""Policy of the preset `auto`: a network and its training settings, from the text and the time.

    FLOPs         that the run affords
    parameters    as many as leave time for FEWEST_STEPS steps and for PER_PARAMETER characters
                  each, and at most PER_CHARACTER for each character of the text, or ANY_TEXT
    passes        over the text: a text that is read often is soon memorised, which dropout and
                  weight decay counteract

Only settings that were not given are chosen. docs/recipes.md has the runs behind the constants.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nextchar.formatting.quantities import short_number
from nextchar.model.parameters import Architecture
from nextchar.settings.config import BUDGETS, NetworkSettings, Settings
from nextchar.training.auto.throughput import flops_per_character

FEWEST_STEPS = 2000  # of small batches
MANY_STEPS = 6000  # of small batches: as many characters in larger ones are faster and as good
FEW_LANES, LANES, LENGTH = 16, 32, 64
PER_PARAMETER = 5  # characters trained on for each parameter
NOMINAL_FLOPS = 27e12  # of a run whose time is not given: three minutes at 150 GFLOP/s
MOST_PASSES = 40  # of such a run
PER_CHARACTER = 1.0  # parameters for each character of the text, at most
ANY_TEXT = 350_000  # parameters that no text is too small for, with dropout
RATES = {"gru": 0.01, "lstm": 0.01, "rnn": 0.003}  # learning rates up to RATE_SIZE units
RATE_SIZE = 256
FINE_TUNING_FACTOR = 0.5  # of the learning rate if the run starts from a trained model
HARMLESS_PASSES = 2.0  # that need no regularisation
DROPOUT_PER_DOUBLING, MOST_DROPOUT = 0.08, 0.5
_NETWORK = ("cell", "hidden_size", "num_layers", "embedding_size", "tied", "initialisation")
SIZES = (  # units and layers, from small to large
    *((size, 1) for size in (64, 96, 128, 160, 192, 256)),
    *((size, 2) for size in (192, 224, 256, 320, 384, 448, 512, 640, 768, 1024)),
)


@dataclass(frozen=True)
class DataFacts:
    """Facts about the text and the machine before training.

    characters: of the training part. vocabulary_size: number of symbols.
    flops: that a time affords; None if the run does not end by time.
    is_trained: the run starts from a trained model.
    """

    characters: int
    vocabulary_size: int
    flops: float | None = None
    is_trained: bool = False


@dataclass(frozen=True)
class AutoChoice:
    """Settings, the chosen ones among them, and the reasons for them, line by line."""

    settings: Settings
    reasons: tuple[str, str, str]


def choose_auto(given: Mapping[str, Any], facts: DataFacts) -> AutoChoice:
    """Choose the settings of a run. given: settings by name that are kept; None is not given."""
    given = {name: value for name, value in given.items() if value is not None}
    flops = facts.flops or NOMINAL_FLOPS
    network = _network(given, facts, flops)
    cost = flops_per_character(Architecture(network, facts.vocabulary_size))
    chosen = {"cell": network.cell, "hidden_size": network.hidden_size}
    chosen |= {"num_layers": network.num_layers}
    affordable = flops / cost
    if facts.flops is None:
        affordable = min(affordable, MOST_PASSES * facts.characters)
    chosen |= _batches(network, affordable, is_trained=facts.is_trained)
    settings = Settings.make(None, **{**chosen, **given})
    characters = _characters(settings, given, facts, affordable)
    passes = characters / facts.characters
    chosen |= _regularisation(passes)
    if settings.training.optimizer != "adamw":  # others would add the decay to the gradient
        del chosen["weight_decay"]
    if given.keys().isdisjoint(BUDGETS):
        batch = settings.training.batch_size * settings.training.seq_length
        chosen["steps"] = max(1, int(characters / batch))
    settings = Settings.make(None, **{**chosen, **given})
    return AutoChoice(settings, _reasons(settings, facts, characters, cost // 6))


def _network(given: Mapping[str, Any], facts: DataFacts, flops: float) -> NetworkSettings:
    """Choose the largest network that gets enough characters for each of its parameters."""
    fixed = {name: given[name] for name in _NETWORK if name in given}
    most = max(ANY_TEXT, PER_CHARACTER * facts.characters)
    best: NetworkSettings | None = None
    for size, layers in SIZES:
        chosen = {"cell": "gru", "hidden_size": size, "num_layers": layers}
        network = NetworkSettings(**{**chosen, **fixed})
        parameters = flops_per_character(Architecture(network, facts.vocabulary_size)) / 6
        needed = max(FEWEST_STEPS * FEW_LANES * LENGTH, PER_PARAMETER * parameters)
        is_affordable = flops / (6 * parameters) >= needed
        if best is None or (is_affordable and parameters <= most):
            best = network
    assert best is not None
    return best


def _batches(network: NetworkSettings, characters: float, *, is_trained: bool) -> dict[str, Any]:
    """Choose small batches for short runs, lower rates for large and for trained networks."""
    is_long = characters > MANY_STEPS * FEW_LANES * LENGTH
    rate = RATES[network.cell] * min(1.0, RATE_SIZE / network.hidden_size)
    return {
        "seq_length": LENGTH,
        "batch_size": LANES if is_long else FEW_LANES,
        "learning_rate": rate * (FINE_TUNING_FACTOR if is_trained else 1.0),
        "optimizer": "adamw",
    }


def _characters(
    settings: Settings, given: Mapping[str, Any], facts: DataFacts, affordable: float
) -> float:
    training = settings.training
    if "steps" in given:
        return float(training.batch_size * training.seq_length * given["steps"])
    if "epochs" in given:
        return float(given["epochs"] * facts.characters)
    return affordable


def _regularisation(passes: float) -> dict[str, Any]:
    """Choose dropout and weight decay by the number of passes over the text."""
    doublings = math.log2(max(passes, 1.0) / HARMLESS_PASSES)
    dropout = min(max(DROPOUT_PER_DOUBLING * doublings, 0.0), MOST_DROPOUT)
    return {"dropout": round(dropout, 2), "weight_decay": 0.1 if passes > HARMLESS_PASSES else 0.0}


def _reasons(
    settings: Settings, facts: DataFacts, characters: float, parameters: int
) -> tuple[str, str, str]:
    network, training = settings.network, settings.training
    passes = characters / facts.characters
    times = f"{passes:.1f} times" if passes < 10 else f"{passes:.0f} times"
    name = f"{network.cell.upper()} {network.hidden_size}×{network.num_layers}"
    counts = (parameters, characters, facts.characters)
    size, seen, length = (short_number(count, ".3g") for count in counts)
    limit = f"the most that {_budget(training.time)} ({seen} characters) can train"
    if facts.is_trained:
        limit = "those of the model that the run starts from"
    is_large = training.batch_size >= LANES
    why = "large batches are faster" if is_large else "small batches allow more steps"
    return (
        f"{name}: {size} parameters, {limit}",
        f"batches of {training.batch_size} × {training.seq_length} characters: {why}; "
        f"learning rate {training.learning_rate:.2g}, decayed to zero",
        f"dropout {training.dropout:g}, weight decay {training.weight_decay:g}: the text of "
        f"{length} characters is read {times}",
    )


def _budget(time: str | None) -> str:
    """`60s` → 60 s on this machine."""
    if time is None:
        return "this run"
    number = time.strip().rstrip("smh").rstrip()
    unit = {"m": "min", "h": "h"}.get(time.strip()[-1], "s")
    return f"{number} {unit} on this machine"
