"""Penalties and bans on a row of logits before a code is drawn, in this order.

    bias      z[j] += bias[j]
    penalties for each code among the last ones: z > 0 ? z / repetition : z · repetition, then
              z -= presence + frequency · (its count)
    n-grams   a code that would complete n codes seen before is banned
    the end   banned before `least` characters were drawn

Banned is -inf. The readable twin is generation/penalties.py. A lane's history has all its codes,
its counts those of the last `last_n`:

    history   c0 c1 c2 … | c[length - last_n] … c[length - 1] |     counts[code] over the window
"""

from __future__ import annotations

import numpy as np

from nextchar.kernels.jit import kernel


@kernel(inlined=True)
def apply_penalties(z, lane, lanes):
    """Apply a lane's penalties and bans to its logits (V,), in place."""
    row = lanes.rows[lane]
    if row.is_biased:
        _add_bias(z, lanes.bias[lane])
    # values without an effect cost no pass over the logits
    if row.repetition != 1.0 or row.presence != 0.0 or row.frequency != 0.0:
        _penalize(z, lanes.counts[lane], row.repetition, row.presence, row.frequency)
    if row.ngram > 0:
        _ban_repeated_ngrams(z, lanes.history[lane, : row.length], row.ngram)
    # bans that do not look back
    if lanes.unknown >= 0:
        z[lanes.unknown] = -np.inf
    if lanes.end >= 0 and row.drawn < row.least:
        z[lanes.end] = -np.inf


@kernel()
def _add_bias(z, bias):
    """Add the bias of each code, in float64."""
    for j in range(z.size):
        z[j] = np.float64(z[j]) + bias[j]


@kernel()
def _penalize(z, counts, repetition, presence, frequency):
    """Lower the logits of recent codes, once for each and by their counts."""
    for j in range(z.size):
        count = counts[j]
        if count > 0:
            value = np.float64(z[j])
            # towards less: a positive logit is divided, a negative one multiplied
            value = value / repetition if value > 0 else value * repetition
            z[j] = value - presence - frequency * count


@kernel()
def _ban_repeated_ngrams(z, history, n):
    """Ban codes that followed an earlier occurrence of the last n - 1 codes."""
    length = history.size
    # an n-gram in the history whose first n - 1 codes are the last ones: its last code is banned
    for start in range(length - n + 1):
        same = True
        for j in range(n - 1):
            if history[start + j] != history[length - n + 1 + j]:
                same = False
                break
        if same:
            z[history[start + n - 1]] = -np.inf


@kernel(inlined=True)
def append_to_history(lane, lanes, code):
    """Append a code to a lane's history and count it, where the lane keeps them."""
    row = lanes.rows[lane]
    if row.keeps_history:
        _remember(lanes.history[lane], lanes.counts[lane], row.length, row.last_n, code)
        row.length += 1


@kernel()
def _remember(history, counts, length, window, code):
    """Append a code to a history, and move the window of the counts; a negative window is all."""
    history[length] = code  # `Shard.write` has made room
    if window != 0:
        counts[code] += 1
    if 0 < window <= length:  # the code that leaves the window
        counts[history[length - window]] -= 1
