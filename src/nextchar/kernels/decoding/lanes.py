"""State of the lanes of generation besides the network's: rules, history, output.

A lane reads its given codes, then draws, each by its own rules; generation/sampling.py has them
in readable form, and the order in which they apply.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

RUNNING, STOPPED, FULL = range(3)  # status of a lane; STOPPED: its text ended, FULL: its length

# numbers of one lane: its rules, its place, its output
LANE_DTYPE = np.dtype(
    [
        ("temperature", np.float64),  # 0 takes the largest logit
        ("top_p", np.float64),
        ("min_p", np.float64),
        ("typical_p", np.float64),
        ("repetition", np.float64),
        ("presence", np.float64),
        ("frequency", np.float64),
        ("last_n", np.int64),  # characters that these three look back at, -1 for all
        ("top_k", np.int64),  # 0 or less is off
        ("ngram", np.int64),  # no sequence of so many characters twice; 0 is off
        ("is_biased", np.int64),
        ("pattern", np.int64),  # index of the automaton
        ("state", np.int64),  # of that automaton; -1 without one
        ("least", np.int64),  # characters drawn before the text may end
        ("most", np.int64),  # characters drawn at most
        ("drawn", np.int64),  # characters drawn so far
        ("keeps_history", np.int64),
        ("length", np.int64),  # of the history, given codes included
        ("status", np.int64),
        ("given", np.int64),  # codes read before any is drawn
        ("made", np.int64),  # codes read and drawn since then
        ("is_scored", np.int64),  # given codes are scored too
        ("top", np.int64),  # most probable codes to return, -1 to score nothing
    ]
)


class Automata(NamedTuple):
    """Patterns of all lanes: A automata, their S states numbered consecutively."""

    classes: Array  # (A, V) class of each code, -1 for one that is allowed nowhere
    begins: Array  # (S + 1,) where the row of a state begins in `table`
    table: Array  # in a row: the next state for each class, -1 for none
    accepts: Array  # (S,) whether the text may end here
    is_last: Array  # (S,) whether it must
    distance: Array  # (S,) fewest characters until it may


class Lanes(NamedTuple):
    """B lanes, of which the first ones are in use; V symbols, n codes of each at most.

    An array that no lane needs has a width of zero.
    """

    unknown: int  # code that is never drawn, -1 for none
    end: int  # code that ends a text and is not part of it, -1 for none
    rows: Array  # (B,) of LANE_DTYPE
    automata: Automata
    bias: Array  # (B, V) added to the logits of a biased lane
    history: Array  # (B, capacity) all codes of a lane
    counts: Array  # (B, V) of codes among the last_n
    codes: Array  # (B, n) given, then drawn
    uniforms: Array  # (B, n) to draw by
    logprobs: Array  # (B, n) of the codes
    top_codes: Array  # (B, n, N) the most probable codes
    top_logprobs: Array  # (B, n, N)


class SamplerScratch(NamedTuple):
    """Scratch memory of one thread for drawing a code, (V,) each."""

    raw: Array  # logits before any rule
    weights: Array  # of the logits' type
    counts: Array  # the same
    keys: Array  # sort keys of codes
    candidates: Array  # some codes in order
    banned: Array  # codes that a pattern does not allow


def sampler_scratch(V: int, dtype: Any) -> SamplerScratch:
    """Allocate the scratch memory for a vocabulary."""
    return SamplerScratch(
        raw=np.zeros(V, np.float64),
        weights=np.zeros(V, dtype),
        counts=np.zeros(V, dtype),
        keys=np.zeros(V, np.float64),
        candidates=np.zeros(V, np.int64),
        banned=np.zeros(V, np.bool_),
    )


def allocate_lanes(B: int, V: int, n: int, *, unknown: int = -1, end: int = -1) -> Lanes:
    """Allocate B lanes without patterns, biases, history or scores."""
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
    """Return the automata of no pattern."""
    return Automata(
        classes=np.zeros((0, V), np.int32),
        begins=np.zeros(1, np.int64),
        table=np.zeros(0, np.int32),
        accepts=np.zeros(0, np.bool_),
        is_last=np.zeros(0, np.bool_),
        distance=np.zeros(0, np.int32),
    )
