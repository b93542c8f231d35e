"""The one scorer: log-likelihood and accuracy of a model on a text.

Validation, `nextchar eval` and `CharRNN.score` call it, so that their figures agree by
construction. The first character of a text is read and not scored; every other counts once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nextchar.errors import TextError
from nextchar.formatting.units import to_bits
from nextchar.model.loss import log_softmax
from nextchar.model.network import forward
from nextchar.model.parameters import Array, Parameters
from nextchar.text.batches import ALL, Share
from nextchar.text.vocabulary import Codes

Map = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]
# codes (T, B) and the state before them → logits (T, B, V) and the state after
Forward = Callable[[Codes, Array], tuple[Array, Array]]

CHUNK = 2048  # characters of all lanes together in one forward pass
WARM_UP = 512  # characters that a lane reads before those it scores


@dataclass(frozen=True)
class Score:
    """Score of a model on a text.

    characters: number of predicted ones; nats: their summed surprisal; correct: number of them
    that were the most probable.
    """

    characters: int
    nats: float
    correct: int

    @property
    def nats_per_char(self) -> float:
        """Mean negative log-likelihood in nats: the loss."""
        return self.nats / self.characters

    @property
    def bits_per_char(self) -> float:
        """Mean negative log-likelihood in bits."""
        return to_bits(self.nats_per_char)

    @property
    def perplexity(self) -> float:
        """Exponential of the loss."""
        return math.exp(min(self.nats_per_char, 700))

    @property
    def accuracy(self) -> float:
        """Share of characters that were the model's first guess."""
        return self.correct / self.characters


class Likelihoods(NamedTuple):
    """Log-likelihoods of a chunk of text, and the state before it."""

    log_p: Array  # (T, B) float64, of each target, in nats
    right: NDArray[np.bool_]  # (T, B), the target was the first guess
    every: Array  # (T, B, V), of every symbol
    state: Array  # (L, STATES, B, H), before the chunk


class Chunk(NamedTuple):
    """A scored chunk of a text, as passed to `watch`."""

    lanes: NDArray[Any]  # (B,), their numbers
    places: NDArray[np.int64]  # (T, B), indices of the predicted characters in the text
    own: NDArray[np.bool_]  # (T, B), scored in this lane; the others warm it up
    read: Likelihoods


Watch = Callable[[Chunk], None]


def score(
    parameters: Parameters,
    codes: Codes,
    *,
    lanes: int = 1,
    forwards: Sequence[Forward] = (),
    run: Map = map,
    share: Share = ALL,
    watch: Watch | None = None,
) -> Score:
    """Score a text.

    codes: (N,) codes, N ≥ 2.
    lanes: 1 carries the state through the whole text, exactly. More split it into lanes that are
    computed in parallel, each warmed up on the `WARM_UP` characters before its first: many times
    faster, but without the influence of characters further back than that.
    forwards: functions that run the network, one for each group of lanes; by default that of
    `model.network`.
    run: map over the groups, such as that of a thread pool.
    share: part of the lanes to score; nats and correct guesses are of these alone.
    watch: callback for each chunk, called on the thread that scored it.
    """
    pairs = len(codes) - 1
    if pairs < 1:
        length = f"{len(codes)} known character{'' if len(codes) == 1 else 's'}"
        raise TextError(f"nothing to score: the text has {length}, and the first one is only read")
    lanes = max(1, min(lanes, pairs // (4 * WARM_UP)))
    starts = np.linspace(0, pairs, lanes + 1).astype(np.int64)
    forwards = forwards or [_plain_forward(parameters)]
    first, end = share.of(lanes)
    groups = np.array_split(np.arange(first, end), max(min(end - first, len(forwards)), 1))
    tasks = list(zip(groups, forwards, strict=False))  # fewer lanes than forwards, fewer groups
    tasks = [task for task in tasks if len(task[0])]  # other ranks score the rest
    parts = list(
        run(lambda task: _score_lanes(parameters, codes, starts, task[0], task[1], watch), tasks)
    )
    return Score(pairs, sum(nats for nats, _ in parts), sum(correct for _, correct in parts))


def _plain_forward(parameters: Parameters) -> Forward:
    return lambda codes, state: forward(parameters, codes, state)[:2]


def log_likelihoods(
    parameters: Parameters,
    chunks: Iterable[tuple[Codes, Codes]],
    run_network: Forward | None = None,
    state: Array | None = None,
) -> Iterator[Likelihoods]:
    """Yield the likelihoods of the targets, chunk by chunk.

    chunks: (inputs, targets), each of shape (T, B), consecutive in time.
    run_network: runs the network, `model.network` by default.
    state: initial state of the lanes, zero by default; carried from chunk to chunk.
    """
    run_network = run_network or _plain_forward(parameters)
    for x, y in chunks:
        before = parameters.zero_state(x.shape[1]) if state is None else state
        logits, state = run_network(x, before)
        log_p = log_softmax(logits)
        chosen = np.take_along_axis(log_p, y[..., None].astype(np.intp), axis=-1)[..., 0]
        right = logits.argmax(axis=-1) == y
        yield Likelihoods(chosen.astype(np.float64), right, log_p, before)


@np.errstate(over="ignore", invalid="ignore")  # non-finite values show in the sum
def _score_lanes(
    parameters: Parameters,
    codes: Codes,
    starts: NDArray[np.int64],
    group: NDArray[Any],
    run_network: Forward,
    watch: Watch | None,
) -> tuple[float, int]:
    """Return the summed nats and the correct guesses of some lanes.

    starts: (lanes+1,) index of the first pair (character, next one) that each lane scores.
    """
    first = np.maximum(starts[group] - WARM_UP, 0)  # first pair that each lane reads
    T = int((starts[group + 1] - first).max())
    chunk = max(1, CHUNK // len(group))
    pairs = _read_pairs(codes, first, T, chunk)
    nats, correct, t = 0.0, 0, 0
    for read in log_likelihoods(parameters, pairs, run_network):
        place = first + np.arange(t, t + len(read.log_p))[:, None]
        own = (place >= starts[group]) & (place < starts[group + 1])
        t += len(read.log_p)
        nats -= float(read.log_p[own].sum())
        correct += int(read.right[own].sum())
        if watch:
            watch(Chunk(group, place + 1, own, read))
    return nats, correct


def _read_pairs(
    codes: Codes, first: NDArray[np.int64], T: int, chunk: int
) -> Iterator[tuple[Codes, Codes]]:
    """Yield T inputs and targets of lanes that begin at `first`, in chunks.

    A lane that ends before the others reads the last pair of the text again.
    """
    for t in range(0, T, chunk):
        place = np.minimum(first + np.arange(t, min(t + chunk, T))[:, None], len(codes) - 2)
        yield codes[place], codes[place + 1]
