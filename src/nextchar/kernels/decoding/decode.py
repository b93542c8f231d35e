"""Reading and writing one character at a time.

    write    for each character:  each lane's next code, given or drawn;  step;  logits
    step     the network forward (forward.py) over one time step

The lanes of a call move together. What a lane computes does not depend on how many there are:
a tile sums along K in the same order whatever its height.
"""

from __future__ import annotations

import math

import numpy as np

from nextchar.kernels.decoding import penalties
from nextchar.kernels.decoding.lanes import FULL, RUNNING, STOPPED
from nextchar.kernels.decoding.sampling import sample
from nextchar.kernels.jit import kernel
from nextchar.kernels.training.forward import forward, project


@kernel()
def write(shape, parameters, packed, room, lanes, desk, B, n, patience, dropout):
    """Let the first B lanes read what they are given and draw on, up to n characters each.

    Each goes on from where it stands in its codes, which have room for n more. Ends early when
    more than `patience` lanes are at their end. A lane whose length is complete has read its last
    code too: its state and logits are those after it.
    """
    logits = room.logits[: B * shape.VP].reshape(B, shape.VP)
    for i in range(n):
        ended = 0
        for lane in range(B):
            row = lanes.rows[lane]
            room.codes[lane] = 0  # what a lane at its end reads does not matter
            if row.status == RUNNING:
                _next(logits[lane, : shape.V], lane, lanes, desk, room.codes)
            ended += row.status != RUNNING
        _step(shape, parameters, packed, room, B, dropout)
        if i + 1 == n or ended > patience or _wants_logits(lanes.rows, B):
            project(shape, parameters, packed, room, 1, B, dropout)
        if ended > patience:
            break


@kernel(inlined=True)
def _next(z, lane, lanes, desk, codes):
    """Work a lane's next code out, from its logits z (V,), and put it into codes (B,)."""
    row = lanes.rows[lane]
    i = row.made
    is_given = i < row.given
    noted = row.top >= 0 and (row.is_scored or not is_given)
    total = _keep_raw(z, desk.raw) if noted else 0.0
    code = lanes.codes[lane, i] if is_given else -1
    if not is_given and row.drawn < row.most:
        code = _drawn(z, lane, lanes, desk, lanes.uniforms[lane, i - row.given])
        if code >= 0:
            _take(lane, lanes, code, i)
        else:
            row.status = STOPPED
    elif not is_given:
        row.status = FULL
    if code >= 0:
        row.made = i + 1
        codes[lane] = code
        penalties.append_to_history(lane, lanes, code)
        if noted:
            lanes.logprobs[lane, i] = desk.raw[code] - total
            _note_top(
                desk.raw, total, row.top, lanes.top_codes[lane, i], lanes.top_logprobs[lane, i]
            )


@kernel(inlined=True)
def _take(lane, lanes, code, i):
    """Note a drawn code; whether the lane is at its end with it."""
    row = lanes.rows[lane]
    lanes.codes[lane, i] = code
    row.drawn += 1
    if row.state >= 0 and penalties.advance_pattern(lane, lanes, code):
        row.status = STOPPED
    elif row.drawn == row.most:
        row.status = FULL


@kernel(inlined=True)
def _drawn(z, lane, lanes, desk, uniform):
    """The code that a lane draws; -1 where its text ends."""
    row = lanes.rows[lane]
    penalties.apply_penalties(z, lane, lanes)
    has_pattern = row.state >= 0
    code = -1
    if not has_pattern or penalties.mask_by_pattern(z, lane, lanes, desk.banned):
        code = sample(
            z, uniform, row.temperature, row.top_k, row.top_p, row.min_p, row.typical_p, desk
        )
    if code == lanes.end or (code >= 0 and has_pattern and desk.banned[code]):
        code = -1
    return code


@kernel()
def _keep_raw(z, raw):
    """Keep logits before any rule; the logarithm of the sum of their exponentials."""
    largest, total = -np.inf, 0.0
    for j in range(z.size):
        raw[j] = z[j]
        largest = max(largest, raw[j])
    for j in range(z.size):
        total += math.exp(raw[j] - largest)
    return largest + math.log(total)


@kernel()
def _note_top(raw, total, top, codes, logprobs):
    """Note the most probable codes and their log-probabilities, the best first."""
    for rank in range(min(top, raw.size)):
        best = 0
        for j in range(1, raw.size):
            if raw[j] > raw[best]:
                best = j
        codes[rank] = best
        logprobs[rank] = raw[best] - total
        raw[best] = -np.inf


@kernel()
def _wants_logits(rows, B):
    """Whether any lane needs logits for its next code."""
    for lane in range(B):
        row = rows[lane]
        if row.status == RUNNING and (row.made >= row.given or row.is_scored):
            return True
    return False


@kernel(inlined=True)
def _step(shape, parameters, packed, room, B, dropout):
    forward(shape, parameters, packed, room, 1, B, dropout, 0, B)
    for n in range(shape.L):
        _move_on(room.h[n], B * shape.P)
        if shape.S == 2:
            _move_on(room.c[n], B * shape.P)


@kernel()
def _move_on(states, size):
    """The state after a step is the one before the next."""
    for j in range(size):
        states[j] = states[size + j]
