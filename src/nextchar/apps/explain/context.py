"""Dependence of predictions on distant context, measured by running the model on modified text.

    influence   the character d back is replaced (by others, drawn by frequency) or deleted; the
                Kullback-Leibler divergence, in bits, of the new distribution of the next character
                from the original one
    loss        of the next character if only the last d are read, from the zero state

Khandelwal et al. (2018), "Sharp nearby, fuzzy far away", analyse word models this way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextchar.apps.batch_predictor import Array, BatchPredictor
from nextchar.apps.context_loss import LENGTHS, ContextLoss, loss_by_context, nats_at
from nextchar.formatting.units import to_bits
from nextchar.model.scorer import WARM_UP
from nextchar.text.vocabulary import Codes

DISTANCES = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 25, 32, 40, 50, 64, 80, 100, 128, 160, 200)
PLACES = 64  # positions over which the influence is averaged
TARGETS = 384  # characters over which the loss is averaged
FORGOTTEN = 0.0005  # bits; the influence ends where its last two values are below this
DRAWS = 3  # replacements of a character, averaged
EVERY = 128  # symbols up to which all are tried at one position; of more, as many are drawn
NEAR = 120  # characters examined before one position


@dataclass(frozen=True)
class Influence:
    """Influence by distance: (D,) distances and mean bits, over a number of `places`."""

    distances: NDArray[np.int64]
    replaced: NDArray[np.float64]
    deleted: NDArray[np.float64]
    places: int


@dataclass(frozen=True)
class PositionInfluence:
    """Influence on the prediction at one position.

    place: index of the predicted code. influence: (D,) bits by which its distribution changes when
    the character at distance D … 1 is replaced, the mean over replacements weighted by frequency.
    expected: (V,) probabilities for the unmodified text.
    """

    place: int
    influence: NDArray[np.float64]
    expected: NDArray[np.float64]


def influence(
    predictor: BatchPredictor, codes: Codes, frequencies: Array, *, seed: int = 0
) -> Influence:
    """Change of the prediction if a character at some distance is replaced or deleted.

    frequencies: (V,) of the symbols, for replacements. Averaged over positions across the text.
    """
    distances = np.array([d for d in DISTANCES if d < len(codes) - 1])
    reach = int(distances.max(initial=0)) + 1
    places = np.unique(np.linspace(min(reach, len(codes) - 1), len(codes) - 1, PLACES).astype(int))
    if not len(distances):
        return Influence(distances, np.zeros(0), np.zeros(0), 0)
    rng = np.random.default_rng(seed)
    contexts, states, log_p = _at_distances(predictor, codes, places, reach)
    replaced, deleted = [], []
    for d in distances.tolist():
        tail = contexts[reach - d :]  # (d, B), the character at distance d first
        others = draw_others(rng, frequencies, tail[0], DRAWS)  # (DRAWS, B)
        changed = np.concatenate([np.concatenate([[row], tail[1:]]) for row in others], axis=1)
        q, _ = predictor.expect(changed, np.tile(states[reach - d], (1, 1, DRAWS, 1)))
        replaced.append(divergence(np.tile(log_p, (DRAWS, 1)), q).mean())
        short = np.concatenate([contexts[reach - d - 1][None], tail[1:]])
        q, _ = predictor.expect(short, states[reach - d - 1])
        deleted.append(divergence(log_p, q).mean())
        if max(replaced[-2:] + deleted[-2:]) < FORGOTTEN:
            break
    tried = distances[: len(replaced)]
    return Influence(tried, np.array(replaced), np.array(deleted), len(places))


def influence_at(
    predictor: BatchPredictor, codes: Codes, place: int, frequencies: Array, *, seed: int = 0
) -> PositionInfluence:
    """Influence of each of the characters before one position on the prediction there."""
    reach = min(NEAR, place)
    contexts, states, log_p = _at_distances(predictor, codes, np.array([place]), reach)
    rng = np.random.default_rng(seed)
    bits = np.zeros(reach)
    for n in range(reach):
        others, weights = _all_others(rng, frequencies, int(contexts[n, 0]))
        rest = np.repeat(contexts[n + 1 :], len(others), axis=1)
        changed = np.concatenate([others[None], rest])
        q, _ = predictor.expect(changed, np.repeat(states[n], len(others), axis=2))
        bits[n] = weights @ divergence(log_p, q) if len(others) else 0.0
    return PositionInfluence(place, bits, np.exp(log_p[0].astype(np.float64)))


def sampled_context_loss(predictor: BatchPredictor, codes: Codes) -> ContextLoss:
    """Return the loss by length of context at positions all over a text.

    The full loss is that after `WARM_UP` characters, or after as many as there are. A context of
    no characters is left out, as the curve has a logarithmic axis.
    """
    first = min(WARM_UP, len(codes) - 1)
    positions = np.unique(np.linspace(first, len(codes) - 1, TARGETS).astype(int))
    full_loss = float(nats_at(predictor, codes, positions, first).mean())
    return loss_by_context(predictor, codes, positions, full_loss, LENGTHS[1:])


def most_context_dependent_position(
    predictor: BatchPredictor, codes: Codes, *, beyond: int = 10
) -> int:
    """Of positions sampled across the text, the one that depends most on distant context.

    beyond: characters that are not distant. Dependence is the divergence of the prediction from
    these alone from the one with up to `NEAR` characters.
    """
    low = min(len(codes) - 1, NEAR)
    places = np.unique(np.linspace(low, len(codes) - 1, TARGETS).astype(int))
    near, far = (predictor.expect_after(codes, places, min(d, low)) for d in (beyond, low))
    return int(places[divergence(far, near).argmax()])


def frequencies_of(codes: Codes, vocabulary_size: int) -> NDArray[np.float64]:
    """Share of each symbol in the codes, (V,)."""
    counts = np.bincount(codes, minlength=vocabulary_size)
    return np.asarray(counts / max(1, counts.sum()))


def divergence(log_p: Array, log_q: Array) -> NDArray[np.float64]:
    """Kullback-Leibler divergence of q (B, V) from p (B or 1, V), in bits, (B,)."""
    log_p = log_p.astype(np.float64)
    terms = np.exp(log_p) * (log_p - log_q)
    return np.asarray(to_bits(terms.sum(axis=-1)))


def draw_others(
    rng: np.random.Generator, frequencies: Array, codes: NDArray[Any], draws: int
) -> NDArray[np.int64]:
    """Draw `draws` other codes for each of the codes (B,), by frequency: (draws, B)."""
    drawn = np.empty((draws, len(codes)), np.int64)
    for lane, code in enumerate(codes.tolist()):
        weights = _without(frequencies, code)
        drawn[:, lane] = rng.choice(len(weights), draws, p=weights)
    return drawn


def _all_others(
    rng: np.random.Generator, frequencies: Array, code: int
) -> tuple[NDArray[np.int64], Array]:
    """Return all other symbols that occur and their shares, or drawn ones if there are many."""
    weights = _without(frequencies, code)
    others = np.flatnonzero(weights)
    if len(others) > EVERY:
        return rng.choice(len(weights), EVERY, p=weights), np.full(EVERY, 1 / EVERY)
    return others, weights[others]


def _without(frequencies: Array, code: int) -> Array:
    """Shares of the symbols other than `code`."""
    is_other = np.arange(len(frequencies)) != code
    weights = frequencies * is_other
    if not weights.any():  # a text of one symbol: any other symbol
        weights = is_other
    return np.asarray(weights / max(weights.sum(), 1e-300))


def _at_distances(
    predictor: BatchPredictor, codes: Codes, places: NDArray[Any], reach: int
) -> tuple[NDArray[np.int64], list[Array], Array]:
    """Read the text before some positions (B,).

    Returns the last `reach` codes (reach, B), the state before each of them, (L, STATES, B, H), and
    the log-probabilities (B, V) at the positions.
    """
    state = _warm(predictor, codes, places - reach)
    contexts = codes[places[None, :] - np.arange(reach, 0, -1)[:, None]].astype(np.int64)
    states, log_p = [], np.zeros((len(places), 0))
    for row in contexts:
        states.append(state)
        log_p, state = predictor.expect(row[None], state)
    return contexts, states, log_p


def _warm(predictor: BatchPredictor, codes: Codes, ends: NDArray[Any]) -> Array:
    """States before the codes `ends` (B,), after reading at most `WARM_UP` characters."""
    state = predictor.parameters.zero_state(len(ends))
    begins = np.maximum(ends - WARM_UP, 0)
    sizes = ends - begins
    for size in np.unique(sizes[sizes > 0]).tolist():
        lanes = np.flatnonzero(sizes == size)
        read = codes[begins[lanes][None, :] + np.arange(size)[:, None]]
        _, state[:, :, lanes] = predictor.expect(read, state[:, :, lanes])
    return state
