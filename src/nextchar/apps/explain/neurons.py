"""Features tracked by hidden units: correlation of activations with features of a text.

The score of a unit is its correlation with a feature (point-biserial for a binary feature), as in
Bills et al. (2023), "Language models can explain neurons in language models". With hundreds of
units and dozens of features, some pairs fit by chance. Therefore pairs are chosen on the first half
of the text and scored on the second, and the score is compared with the best score of any unit
when the feature is shifted along the text at random, as in the maximum test of Westfall & Young
(1993): a score above it occurs by chance once in 20 times. Activations are h of every layer and,
for the LSTM, tanh(c), the cell of Karpathy, Johnson & Fei-Fei (2015), "Visualizing and
understanding recurrent networks".
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextchar.apps.explain.features import Feature, features
from nextchar.model.network import forward
from nextchar.model.parameters import Parameters
from nextchar.text.vocabulary import Codes

Array = NDArray[Any]

MOST_CHARACTERS = 40_000  # observed, unless the activations would exceed the next limit
MOST_ACTIVATIONS = 40_000_000
STEP = 512  # characters in one forward pass
SHIFTS = 19  # random shifts of a feature: a score beats all of them by chance once in 20 times
LEAST_CHARACTERS = 100  # in each half, for a score
LEAST_STARTS = 4  # of a binary feature in each half, so that no single occurrence decides


@dataclass(frozen=True)
class Unit:
    """A hidden unit's output h or cell c. layer: from 1. number: from 0. part: "h" or "c"."""

    layer: int
    number: int
    part: str

    def __str__(self) -> str:
        return f"layer {self.layer}, {'cell' if self.part == 'c' else 'unit'} {self.number}"


@dataclass(frozen=True)
class Match:
    """A pair of unit and feature, by index.

    first: their correlation on the first half of the text, which chose the pair. score: that on
    the second half, positive if the signs agree.
    """

    unit: int
    feature: int
    score: float
    first: float


@dataclass(frozen=True)
class Neurons:
    """Matches of units and features over a text.

    units: U of them. activations: (N, U) float32, after each character. features: those frequent
    enough in both halves; rare: names of the others. half: start of the second half.
    matches: the best feature of each unit; best: the best unit of each feature; both by descending
    score. chance: for each feature, the best score of any unit with the feature shifted.
    """

    units: list[Unit]
    activations: Array
    features: list[Feature]
    rare: list[str]
    half: int
    matches: list[Match]
    best: list[Match]
    chance: dict[int, float]


def observed_characters(parameters: Parameters) -> int:
    """Number of characters over which the units of a network are observed."""
    per_character = int(parameters.zero_state(1).size)  # h, and c, of every layer
    return min(MOST_CHARACTERS, max(2 * LEAST_CHARACTERS, MOST_ACTIVATIONS // per_character))


def find_neurons(parameters: Parameters, codes: Codes, text: str, *, seed: int = 0) -> Neurons:
    """Match hidden units with features over a text.

    codes: (N,); text: its N characters (see `code_labels.characters`).
    """
    units, activations = activations_of(parameters, codes)
    half = len(codes) // 2
    every = features(text)
    usable = [each for each in every if _is_usable(each, half)]
    rare = [each.name for each in every if not _is_usable(each, half)]
    F = np.stack([each.values for each in usable], axis=1) if usable else np.zeros((len(codes), 0))
    first = correlations(activations[:half], F[:half])  # (U, K)
    second = correlations(activations[half:], F[half:])
    signed = np.sign(first) * second
    matches, best = _matches(first, signed)
    chance = _chance(activations[half:], F[half:], seed)
    return Neurons(units, activations, usable, rare, half, matches, best, chance)


def activations_of(parameters: Parameters, codes: Codes) -> tuple[list[Unit], Array]:
    """Return all units and their activations (N, U) after each code, from the zero state."""
    H, L = parameters.architecture.settings.hidden_size, len(parameters.layers)
    has_cell = parameters.architecture.cell.STATES == 2
    columns = product(range(1, L + 1), "hc" if has_cell else "h", range(H))
    units = [Unit(layer, number, part) for layer, part, number in columns]
    activations = np.empty((len(codes), len(units)), np.float32)
    state = parameters.zero_state(1)
    for start in range(0, len(codes), STEP):
        part = codes[start : start + STEP]
        _, state, cache = forward(parameters, part[:, None], state)
        values: list[Any] = []
        for h, cell in zip([*cache.inputs[1:], cache.top], cache.cells, strict=True):
            values += [h, cell.tanh_c] if has_cell else [h]
        activations[start : start + len(part)] = np.concatenate(values, axis=2)[:, 0]
    return units, activations


def correlations(A: Array, F: Array) -> Array:
    """Pearson correlations (U, K) of the columns of A (N, U) and F (N, K); 0 for a constant."""
    return _standardised(A).T @ _standardised(F)


def _standardised(columns: Array) -> Array:
    """Shift columns to mean zero and scale them to length one; constant ones become zero."""
    centred = columns - columns.mean(axis=0, dtype=np.float64) if len(columns) else columns
    length = np.sqrt(np.square(centred, dtype=np.float64).sum(axis=0))
    # a saturated unit differs from its mean by rounding alone
    constant = length <= 1e-6 * np.sqrt(max(len(columns), 1))
    return np.where(constant, 0, centred / np.where(constant, 1, length)).astype(np.float32)


def _is_usable(feature: Feature, half: int) -> bool:
    halves = np.split(feature.values, [half])
    return half >= LEAST_CHARACTERS and all(_varies(values, feature.is_switch) for values in halves)


def _varies(values: Array, is_switch: bool) -> bool:
    if is_switch:
        return int((np.diff(values, prepend=np.float32(0)) > 0).sum()) >= LEAST_STARTS
    return len(np.unique(values)) > 1


def _matches(first: Array, signed: Array) -> tuple[list[Match], list[Match]]:
    """Match units with their best features and features with their best units, by `first`."""
    if not first.size:
        return [], []
    strength = np.abs(first)
    by_unit = [(unit, int(k)) for unit, k in enumerate(strength.argmax(axis=1))]
    by_feature = [(int(unit), k) for k, unit in enumerate(strength.argmax(axis=0))]

    def sorted_matches(pairs: list[tuple[int, int]]) -> list[Match]:
        matches = [Match(u, k, float(signed[u, k]), float(first[u, k])) for u, k in pairs]
        return sorted(matches, key=lambda match: -match.score)

    return sorted_matches(by_unit), sorted_matches(by_feature)


def _chance(A: Array, F: Array, seed: int) -> dict[int, float]:
    """Best correlation of any unit with each feature under random shifts, by feature index."""
    rng, N = np.random.default_rng(seed), len(F)
    if not F.size:
        return {}
    A = _standardised(A)
    most = np.zeros(F.shape[1])
    for _ in range(SHIFTS):
        shifted = np.roll(F, int(rng.integers(N // 10 + 1, N - N // 10)), axis=0)
        most = np.maximum(most, np.abs(A.T @ _standardised(shifted)).max(axis=0))
    return dict(enumerate(most.tolist()))
