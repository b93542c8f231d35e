"""What changes a row of logits before a code is drawn, in this order.

    bias      z[j] += bias[j]
    penalties for each code among the last ones: z > 0 ? z / repetition : z · repetition, then
              z -= presence + frequency · (how often it is there)
    n-grams   whatever would complete n characters that were there before is banned
    the end   banned before `least` characters were drawn
    patterns  what leaves no way to a full match within what is left of the length is banned

Banned is -inf. The readable twins are in generation/sampling.py.
"""

from __future__ import annotations

import numpy as np

from nextchar.kernels.jit import kernel


@kernel(inlined=True)
def apply_penalties(z, lane, lanes):
    """Apply all but the pattern to a lane's logits (V,), in place."""
    row = lanes.rows[lane]
    if row.is_biased:
        _add(z, lanes.bias[lane])
    if row.repetition != 1.0 or row.presence != 0.0 or row.frequency != 0.0:
        _penalize(z, lanes.counts[lane], row.repetition, row.presence, row.frequency)
    if row.ngram > 0:
        _ban_repeats(z, lanes.history[lane, : row.length], row.ngram)
    if lanes.unknown >= 0:
        z[lanes.unknown] = -np.inf
    if lanes.end >= 0 and row.drawn < row.least:
        z[lanes.end] = -np.inf


@kernel()
def _add(z, bias):
    for j in range(z.size):
        z[j] = np.float64(z[j]) + bias[j]


@kernel()
def _penalize(z, counts, repetition, presence, frequency):
    for j in range(z.size):
        count = counts[j]
        if count > 0:
            value = np.float64(z[j])
            value = value / repetition if value > 0 else value * repetition
            z[j] = value - presence - frequency * count


@kernel()
def _ban_repeats(z, history, n):
    """Ban what once came after the n - 1 codes that are the last ones now."""
    length = history.size
    for start in range(length - n + 1):
        same = True
        for j in range(n - 1):
            if history[start + j] != history[length - n + 1 + j]:
                same = False
                break
        if same:
            z[history[start + n - 1]] = -np.inf


@kernel(inlined=True)
def mask_by_pattern(z, lane, lanes, banned):
    """Ban what a lane's pattern does not let through; whether it lets anything through.

    Where the text so far is a full match it may end. In a model whose texts have an end that is
    drawn as any other code. In another, drawing what the pattern bans is the end: `banned` (V,)
    then says what that is, and it stays as probable as it is once `least` characters are there.
    """
    row, automata = lanes.rows[lane], lanes.automata
    state = row.state
    begin, end = automata.begins[state], automata.begins[state + 1]
    may_end = automata.accepts[state]
    keeps = may_end and lanes.end < 0 and row.drawn >= row.least
    return _confine(
        z, automata.classes[row.pattern], automata.table[begin:end], automata.distance,
        row.most - row.drawn, lanes.end if may_end else -1, keeps, banned,
    )  # fmt: skip


@kernel()
def _confine(z, classes, table, distance, left, end, keeps, banned):
    goes_on = False
    for j in range(z.size):
        there = table[classes[j]] if classes[j] >= 0 else -1
        goes = there >= 0 and distance[there] < left
        goes_on = goes_on or goes
        banned[j] = not goes and j != end
        if banned[j] and not keeps:
            z[j] = -np.inf
    return goes_on


@kernel(inlined=True)
def advance_pattern(lane, lanes, code):
    """Take a drawn code into the pattern's state; whether the pattern wants no more."""
    row, automata = lanes.rows[lane], lanes.automata
    place = automata.begins[row.state] + automata.classes[row.pattern, code]
    row.state = automata.table[place]
    return automata.is_last[row.state]


@kernel(inlined=True)
def append_to_history(lane, lanes, code):
    """Take a code into a lane's history and counts, where it has them."""
    row = lanes.rows[lane]
    if row.keeps_history:
        _remember(lanes.history[lane], lanes.counts[lane], row.length, row.last_n, code)
        row.length += 1


@kernel()
def _remember(history, counts, length, window, code):
    history[length] = code
    if window != 0:
        counts[code] += 1
    if 0 < window <= length:
        counts[history[length - window]] -= 1
