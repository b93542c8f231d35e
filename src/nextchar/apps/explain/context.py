"""How far back what was read still changes what is expected. Exact: a changed text is read.

    influence   the character d back is replaced (by others as often as they occur) or left out, and
                the whole distribution of the next character is compared with what it was: the
                Kullback-Leibler divergence, in bits
    loss        of the next character where only the last d were read, from the zero state

Khandelwal et al. (2018), "Sharp nearby, fuzzy far away", look at language models of words so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextchar.apps.batch_predictor import BatchPredictor
from nextchar.apps.context_loss import LENGTHS, ContextLoss, loss_by_context, nats_at
from nextchar.formatting.units import to_bits
from nextchar.model.scorer import WARM_UP
from nextchar.text.vocabulary import Codes

Array = NDArray[Any]

DISTANCES = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 25, 32, 40, 50, 64, 80, 100, 128, 160, 200)
PLACES = 64  # that the influence is averaged over
TARGETS = 384  # that the loss is averaged over
FORGOTTEN = 0.0005  # bits; less than this twice running, and what is further back is passed over
DRAWS = 3  # replacements of a character, for the average
EVERY = 128  # so many symbols are all tried at one place; more are drawn
NEAR = 120  # distances that are looked at for one place


@dataclass(frozen=True)
class Influence:
    """By distance. distances: (D,); replaced, deleted: (D,) mean bits; places: of how many."""

    distances: NDArray[np.int64]
    replaced: NDArray[np.float64]
    deleted: NDArray[np.float64]
    places: int


@dataclass(frozen=True)
class PositionInfluence:
    """One place.

    place: the number of the code that is expected. influence: (D,) bits by which its distribution
    changes when the character at distance D … 1 is another, the mean over others as often as they
    occur. expected: (V,) probabilities, nothing changed.
    """

    place: int
    influence: NDArray[np.float64]
    expected: NDArray[np.float64]


def influence(
    reader: BatchPredictor, codes: Codes, frequencies: Array, *, seed: int = 0
) -> Influence:
    """How much the prediction changes when a character some way back is replaced or left out.

    frequencies: (V,) of the symbols, for the replacements. Averaged over places all over the text.
    """
    distances = np.array([d for d in DISTANCES if d < len(codes) - 1] or [])
    reach = int(distances.max(initial=0)) + 1
    places = np.unique(np.linspace(min(reach, len(codes) - 1), len(codes) - 1, PLACES).astype(int))
    if not len(distances):
        return Influence(distances, np.zeros(0), np.zeros(0), 0)
    rng = np.random.default_rng(seed)
    contexts, states, log_p = _at_distances(reader, codes, places, reach)
    replaced, deleted = [], []
    for d in distances.tolist():
        tail = contexts[reach - d :]  # (d, B), the character at distance d first
        others = draw_others(rng, frequencies, tail[0], DRAWS)  # (DRAWS, B)
        changed = np.concatenate([np.concatenate([[row], tail[1:]]) for row in others], axis=1)
        q, _ = reader.expect(changed, np.tile(states[reach - d], (1, 1, DRAWS, 1)))
        replaced.append(divergence(np.tile(log_p, (DRAWS, 1)), q).mean())
        short = np.concatenate([contexts[reach - d - 1][None], tail[1:]])
        q, _ = reader.expect(short, states[reach - d - 1])
        deleted.append(divergence(log_p, q).mean())
        if max(replaced[-2:] + deleted[-2:]) < FORGOTTEN:
            break
    looked = distances[: len(replaced)]
    return Influence(looked, np.array(replaced), np.array(deleted), len(places))


def look(
    reader: BatchPredictor, codes: Codes, place: int, frequencies: Array, *, seed: int = 0
) -> PositionInfluence:
    """The influence of each of the characters before one place, on what is expected there."""
    reach = min(NEAR, place)
    contexts, states, log_p = _at_distances(reader, codes, np.array([place]), reach)
    rng = np.random.default_rng(seed)
    found = np.zeros(reach)
    for n in range(reach):
        others, weights = _all_others(rng, frequencies, int(contexts[n, 0]))
        rest = np.repeat(contexts[n + 1 :], len(others), axis=1)
        changed = np.concatenate([others[None], rest])
        q, _ = reader.expect(changed, np.repeat(states[n], len(others), axis=2))
        found[n] = weights @ divergence(log_p, q) if len(others) else 0.0
    return PositionInfluence(place, found, np.exp(log_p[0].astype(np.float64)))


def sampled_context_loss(reader: BatchPredictor, codes: Codes) -> ContextLoss:
    """Return the loss by length of context at positions all over a text.

    The full loss is that after `WARM_UP` characters, or after as many as there are. A context of
    no characters is left out, as the curve has a logarithmic axis.
    """
    first = min(WARM_UP, len(codes) - 1)
    positions = np.unique(np.linspace(first, len(codes) - 1, TARGETS).astype(int))
    full_loss = float(nats_at(reader, codes, positions, first).mean())
    return loss_by_context(reader, codes, positions, full_loss, LENGTHS[1:])


def most_context_dependent_position(
    reader: BatchPredictor, codes: Codes, *, beyond: int = 10, seed: int = 0
) -> int:
    """Of some places all over the text that where the model leans most on what is further back.

    beyond: how far back. What stands there is left out of what is read to see it.
    """
    low = min(len(codes) - 1, NEAR)
    places = np.unique(np.linspace(low, len(codes) - 1, TARGETS).astype(int))
    near, far = (reader.expect_after(codes, places, min(d, low)) for d in (beyond, low))
    return int(places[divergence(far, near).argmax()])


def frequencies_of(codes: Codes, vocabulary_size: int) -> NDArray[np.float64]:
    """(V,) how often each symbol occurs, as a share."""
    counts = np.bincount(codes, minlength=vocabulary_size)
    return np.asarray(counts / max(1, counts.sum()))


def divergence(log_p: Array, log_q: Array) -> NDArray[np.float64]:
    """The Kullback-Leibler divergence of q (B, V) from p (B or 1, V), in bits, (B,)."""
    log_p = log_p.astype(np.float64)
    terms = np.exp(log_p) * (log_p - log_q)
    return np.asarray(to_bits(terms.sum(axis=-1)))


def draw_others(
    rng: np.random.Generator, frequencies: Array, codes: NDArray[Any], draws: int
) -> NDArray[np.int64]:
    """For each code (B,) some others, (draws, B), as often as they occur."""
    drawn = np.empty((draws, len(codes)), np.int64)
    for lane, code in enumerate(codes.tolist()):
        weights = _without(frequencies, code)
        drawn[:, lane] = rng.choice(len(weights), draws, p=weights)
    return drawn


def _all_others(
    rng: np.random.Generator, frequencies: Array, code: int
) -> tuple[NDArray[np.int64], Array]:
    """All other symbols that occur and their shares; where there are very many, some of them."""
    weights = _without(frequencies, code)
    others = np.flatnonzero(weights)
    if len(others) > EVERY:
        return rng.choice(len(weights), EVERY, p=weights), np.full(EVERY, 1 / EVERY)
    return others, weights[others]


def _without(frequencies: Array, code: int) -> Array:
    weights = frequencies.copy()
    weights[code] = 0
    if not weights.any():  # a text of one symbol: any other one
        weights = np.ones(len(weights))
        weights[code] = 0
    return np.asarray(weights / max(weights.sum(), 1e-300))


def _at_distances(
    reader: BatchPredictor, codes: Codes, places: NDArray[Any], reach: int
) -> tuple[NDArray[np.int64], list[Array], Array]:
    """What was read before some places (B), and the states on the way.

    Returns the last `reach` codes (reach, B), the states before them, each (L, STATES, B, H), and
    what is expected at the places, log-probabilities (B, V).
    """
    state = _warm(reader, codes, places - reach)
    contexts = codes[places[None, :] - np.arange(reach, 0, -1)[:, None]].astype(np.int64)
    states, log_p = [], np.zeros((len(places), 0))
    for row in contexts:
        states.append(state)
        log_p, state = reader.expect(row[None], state)
    return contexts, states, log_p


def _warm(reader: BatchPredictor, codes: Codes, ends: NDArray[Any]) -> Array:
    """The states before the codes `ends` (B,), after as many as there are, at most `WARM_UP`."""
    state = reader.parameters.zero_state(len(ends))
    begins = np.maximum(ends - WARM_UP, 0)
    sizes = ends - begins
    for size in np.unique(sizes[sizes > 0]).tolist():
        lanes = np.flatnonzero(sizes == size)
        read = codes[begins[lanes][None, :] + np.arange(size)[:, None]]
        _, state[:, :, lanes] = reader.expect(read, state[:, :, lanes])
    return state
