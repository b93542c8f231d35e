"""What lanes of text are written by, beside the network: rules, history, what comes of it.

A lane reads the codes that it is given, then draws, each by rules of its own, which
generation/sampling.py has in readable form, and the order in which they apply.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

RUNNING, STOPPED, FULL = range(3)  # how a lane stands: at work; at its end; of its full length

# The numbers of one lane: its rules, how far it is, and what a call makes of it.
LANE_DTYPE = np.dtype(
    [
        ("temperature", np.float64),  # 0 takes the largest logit
        ("top_p", np.float64),
        ("min_p", np.float64),
        ("typical_p", np.float64),
        ("repetition", np.float64),
        ("presence", np.float64),
        ("frequency", np.float64),
        ("last_n", np.int64),  # the characters that these three look at, -1 for all
        ("top_k", np.int64),  # 0 or less is off
        ("ngram", np.int64),  # no such many characters twice; 0 is off
        ("is_biased", np.int64),
        ("pattern", np.int64),  # which of the automata
        ("state", np.int64),  # of that automaton; -1 without one
        ("least", np.int64),  # characters to be drawn before the text may end
        ("most", np.int64),  # characters that may be drawn
        ("drawn", np.int64),  # characters drawn by now
        ("keeps_history", np.int64),
        ("length", np.int64),  # of the history, the given codes in it
        ("status", np.int64),
        ("given", np.int64),  # codes to be read before any is drawn
        ("made", np.int64),  # codes read and drawn since then
        ("is_scored", np.int64),  # whether given codes are scored too
        ("top", np.int64),  # how many most probable codes are noted, -1 to score nothing
    ]
)


class Automata(NamedTuple):
    """The patterns of all lanes: A of them, their states numbered through, S in all.

    classes: (A, V) the class of each code, -1 for one that is allowed nowhere. begins: (S + 1,)
    where the row of a state begins in `table`, which has the next state for each class, -1 for
    none. accepts: (S,) whether the text may end here; is_last: (S,) whether it must. distance:
    (S,) fewest characters to where it may.
    """

    classes: Array
    begins: Array
    table: Array
    accepts: Array
    is_last: Array
    distance: Array


class Lanes(NamedTuple):
    """B lanes, of which the first ones are in use, V symbols, room for n codes of each.

    unknown, end: codes, -1 for none: the one is never drawn, the other ends a text and is no part
    of it. rows: (B,) of ROW. bias: (B, V) added to the logits of a lane that is biased.
    history: (B, room) all codes of a lane; counts: (B, V) how often each is among the last_n.
    codes: (B, n) those that are given, then those that are drawn; uniforms: (B, n) to draw by.
    logprobs: (B, n) of the codes; top_codes, top_logprobs: (B, n, N) of the most probable ones.
    What no lane needs has a width of zero.
    """

    unknown: int
    end: int
    rows: Array
    automata: Automata
    bias: Array
    history: Array
    counts: Array
    codes: Array
    uniforms: Array
    logprobs: Array
    top_codes: Array
    top_logprobs: Array


class SamplerScratch(NamedTuple):
    """Where one thread works a lane's next code out, (V,) each.

    raw: logits before any rule; weights and counts: of the logits' type; keys: what codes are
    ordered by; found: some codes in order; banned: what a pattern does not let through.
    """

    raw: Array
    weights: Array
    counts: Array
    keys: Array
    found: Array
    banned: Array


def sampler_scratch(V: int, dtype: Any) -> SamplerScratch:
    """Room for a vocabulary."""
    return SamplerScratch(
        raw=np.zeros(V, np.float64),
        weights=np.zeros(V, dtype),
        counts=np.zeros(V, dtype),
        keys=np.zeros(V, np.float64),
        found=np.zeros(V, np.int64),
        banned=np.zeros(V, np.bool_),
    )


def lanes_for(B: int, V: int, n: int, *, unknown: int = -1, end: int = -1) -> Lanes:
    """Room for B lanes; no patterns, biases or history, nothing noted."""
    rows = np.zeros(B, LANE_DTYPE)
    rows["state"] = rows["top"] = -1
    return Lanes(
        unknown=unknown,
        end=end,
        rows=rows,
        automata=no_automata(V),
        bias=np.zeros((B, 0), np.float64),
        history=np.zeros((B, 0), np.int32),
        counts=np.zeros((B, 0), np.int32),
        codes=np.zeros((B, n), np.int64),
        uniforms=np.zeros((B, n), np.float64),
        logprobs=np.zeros((B, 0), np.float64),
        top_codes=np.zeros((B, 0, 0), np.int64),
        top_logprobs=np.zeros((B, 0, 0), np.float64),
    )


def no_automata(V: int) -> Automata:
    """No patterns."""
    return Automata(
        classes=np.zeros((0, V), np.int32),
        begins=np.zeros(1, np.int64),
        table=np.zeros(0, np.int32),
        accepts=np.zeros(0, np.bool_),
        is_last=np.zeros(0, np.bool_),
        distance=np.zeros(0, np.int32),
    )
