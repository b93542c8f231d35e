"""What each hidden unit tracks: its activation over a text against what can be named there.

The score of a unit is its correlation with a feature (for a yes-or-no feature the point-biserial
one), which is also how Bills et al. (2023), "Language models can explain neurons in language
models", score an explanation. With hundreds of units and dozens of features some would fit by
chance, so the pairs are chosen on the first half of the text and scored on the second; and the
score is set beside what the best of all units reaches there when the feature is shifted along the
text at random, as in the maximum test of Westfall & Young (1993): above it, chance is less than
1 in 20. Activations are h of every layer and, for the LSTM, tanh(c), the cell of Karpathy, Johnson
& Fei-Fei (2015), "Visualizing and understanding recurrent networks".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextchar.apps.explain.features import Feature, features
from nextchar.model.network import forward
from nextchar.model.parameters import Parameters
from nextchar.text.vocabulary import Codes

Array = NDArray[Any]

MOST = 40_000  # characters that the units are watched over …
ROOM = 40_000_000  # … but of very many units no more activations than these
STEP = 512  # characters that pass through the network at once
SHIFTS = 19  # random shifts of a feature: the score beats all of them by chance once in 20 times
LEAST = 100  # characters in each half, for anything to be said
FEWEST = 4  # stretches of a yes-or-no feature in each half, lest one lucky stretch decide


@dataclass(frozen=True)
class Unit:
    """A hidden unit, one way to look at it. layer, number: from 1 and 0. part: "h" or "c"."""

    layer: int
    number: int
    part: str

    def __str__(self) -> str:
        return f"layer {self.layer}, {'cell' if self.part == 'c' else 'unit'} {self.number}"


@dataclass(frozen=True)
class Match:
    """A unit and the feature it tracks best.

    score: their correlation on the second half of the text, positive where it has the sign that
    it had on the first. first: that on the first half, by which the pair was chosen.
    """

    unit: int
    feature: int
    score: float
    first: float


@dataclass(frozen=True)
class Neurons:
    """What was found in a text.

    units: (U) of them; activations: (N, U) float32, after each character. features: those that
    occur often enough in both halves; rare: names of the others. half: where the second one begins.
    matches: one for each unit, the best score first. best: one for each feature, likewise.
    chance: one for each feature, see above.
    """

    units: list[Unit]
    activations: Array
    features: list[Feature]
    rare: list[str]
    half: int
    matches: list[Match]
    best: list[Match]
    chance: dict[int, float]


def observe_units(parameters: Parameters) -> int:
    """How many characters the units of a network are watched over."""
    per_character = int(parameters.zero_state(1).size)  # h, and c, of every layer
    return min(MOST, max(2 * LEAST, ROOM // per_character))


def find_neurons(parameters: Parameters, codes: Codes, text: str, *, seed: int = 0) -> Neurons:
    """What the hidden units track over a text.

    codes: (N,); text: its N characters (see `glyphs.characters`).
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
    """All units and their activations (N, U) after each code, from the zero state on."""
    H, L = parameters.architecture.settings.hidden_size, len(parameters.layers)
    has_cell = parameters.architecture.cell.STATES == 2
    units = [
        Unit(layer + 1, number, kind)
        for layer in range(L)
        for kind in ("hc" if has_cell else "h")
        for number in range(H)
    ]
    activations = np.empty((len(codes), len(units)), np.float32)
    state = parameters.zero_state(1)
    for start in range(0, len(codes), STEP):
        part = codes[start : start + STEP]
        _, state, cache = forward(parameters, part[:, None], state)
        columns: list[Any] = []
        for h, cell in zip([*cache.inputs[1:], cache.top], cache.cells, strict=True):
            columns += [h, cell.tanh_c] if has_cell else [h]
        activations[start : start + len(part)] = np.concatenate([c[:, 0] for c in columns], axis=1)
    return units, activations


def correlations(A: Array, F: Array) -> Array:
    """Pearson's correlation (U, K) of the columns of A (N, U) and F (N, K); 0 with a constant."""
    return _standard(A).T @ _standard(F)


def _standard(columns: Array) -> Array:
    """Columns of mean zero and length one, or zero where they are constant."""
    centred = columns - columns.mean(axis=0, dtype=np.float64) if len(columns) else columns
    length = np.sqrt(np.square(centred, dtype=np.float64).sum(axis=0))
    # a unit that is stuck differs from its mean by rounding alone
    stuck = length <= 1e-6 * np.sqrt(max(len(columns), 1))
    return np.where(stuck, 0, centred / np.where(stuck, 1, length)).astype(np.float32)


def _is_usable(feature: Feature, half: int) -> bool:
    halves = np.split(feature.values, [half])
    return half >= LEAST and all(_varies(values, feature.is_switch) for values in halves)


def _varies(values: Array, is_switch: bool) -> bool:
    if is_switch:
        return int((np.diff(values, prepend=np.float32(0)) > 0).sum()) >= FEWEST
    return len(np.unique(values)) > 1


def _matches(first: Array, signed: Array) -> tuple[list[Match], list[Match]]:
    """Each unit with its best feature and each feature with its best unit, by the first half."""
    if not first.size:
        return [], []
    strength = np.abs(first)
    by_unit = [(unit, int(k)) for unit, k in enumerate(strength.argmax(axis=1))]
    by_feature = [(int(unit), k) for k, unit in enumerate(strength.argmax(axis=0))]

    def made(pairs: list[tuple[int, int]]) -> list[Match]:
        found = [Match(u, k, float(signed[u, k]), float(first[u, k])) for u, k in pairs]
        return sorted(found, key=lambda match: -match.score)

    return made(by_unit), made(by_feature)


def _chance(A: Array, F: Array, seed: int) -> dict[int, float]:
    """What the best unit's correlation is with each feature when that is shifted at random."""
    rng, N = np.random.default_rng(seed), len(F)
    if not F.size:
        return {}
    A = _standard(A)
    most = np.zeros(F.shape[1])
    for _ in range(SHIFTS):
        shifted = np.roll(F, int(rng.integers(N // 10 + 1, N - N // 10)), axis=0)
        most = np.maximum(most, np.abs(A.T @ _standard(shifted)).max(axis=0))
    return dict(enumerate(most.tolist()))
