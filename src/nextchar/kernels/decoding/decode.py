"""Decoding: reading and writing one character at a time.

    write    for each character:  each lane's next code, given or drawn;  step;  logits
    step     the network forward (training/forward.py) over one time step

    codes of a lane   | given … | drawn …        |        up to n in a call
                        made ─────────→ next one          `made` counts both

The lanes of a call move together. The result of a lane does not depend on their number: a tile
sums along K in the same order whatever its height.
"""

from __future__ import annotations

import math

import numpy as np

from nextchar.kernels.decoding.constraints import advance_pattern, mask_by_pattern
from nextchar.kernels.decoding.lanes import FULL, RUNNING, STOPPED
from nextchar.kernels.decoding.penalties import append_to_history, apply_penalties
from nextchar.kernels.decoding.sampling import sample
from nextchar.kernels.jit import kernel
from nextchar.kernels.training.forward import forward, project


@kernel()
def write(layout, parameters, packed, workspace, lanes, scratch, B, n, patience, dropout):
    """Let the first B lanes read their given codes and draw more, up to n characters each.

    Each continues from its place in its codes, which have room for n more. Ends early when more
    than `patience` lanes have ended. A lane of full length has read its last code too: its state
    and logits are those after it.
    """
    logits = workspace.logits[: B * layout.VP].reshape(B, layout.VP)
    for i in range(n):
        # a code for each lane, into the workspace
        ended = 0
        for lane in range(B):
            row = lanes.rows[lane]
            workspace.codes[lane] = 0  # a lane that has ended reads any code
            if row.status == RUNNING:
                _advance(logits[lane, : layout.V], lane, lanes, scratch, workspace.codes)
            ended += row.status != RUNNING
        # logits are the larger part of a step: only where some lane needs them
        _step(layout, parameters, packed, workspace, B, dropout)
        if i + 1 == n or ended > patience or _needs_logits(lanes.rows, B):
            project(layout, parameters, packed, workspace, 1, B, dropout)
        if ended > patience:
            break


@kernel(inlined=True)
def _advance(z, lane, lanes, scratch, codes):
    """Find a lane's next code, given or drawn from its logits z (V,); write it to codes (B,)."""
    row = lanes.rows[lane]
    i = row.made  # place of the next code
    is_given = i < row.given
    noted = row.top >= 0 and (row.is_scored or not is_given)
    # log-probabilities are the model's own: taken before any rule changes the logits
    total = _copy_logits(z, scratch.raw) if noted else 0.0  # log of the softmax denominator
    # given, or drawn; a lane that has all its characters, or whose text ends, has no next code
    code = lanes.codes[lane, i] if is_given else -1
    if not is_given and row.drawn < row.most:
        code = _draw(z, lane, lanes, scratch, lanes.uniforms[lane, i - row.given])
        if code >= 0:
            _record_drawn(lane, lanes, code, i)
        else:
            row.status = STOPPED
    elif not is_given:
        row.status = FULL
    if code >= 0:  # the network reads it in this step
        row.made = i + 1
        codes[lane] = code
        append_to_history(lane, lanes, code)
        if noted:
            lanes.logprobs[lane, i] = scratch.raw[code] - total
            _note_top(
                scratch.raw, total, row.top, lanes.top_codes[lane, i], lanes.top_logprobs[lane, i]
            )


@kernel(inlined=True)
def _record_drawn(lane, lanes, code, i):
    """Record a drawn code, and whether the lane ends with it."""
    row = lanes.rows[lane]
    lanes.codes[lane, i] = code
    row.drawn += 1
    # a finished pattern comes first: the text ended by itself, not by its length
    if row.state >= 0 and advance_pattern(lane, lanes, code):
        row.status = STOPPED
    elif row.drawn == row.most:
        row.status = FULL


@kernel(inlined=True)
def _draw(z, lane, lanes, scratch, uniform):
    """Return the code that a lane draws; -1 where its text ends."""
    row = lanes.rows[lane]
    apply_penalties(z, lane, lanes)  # in place: logits are computed again after each step
    has_pattern = row.state >= 0
    code = -1
    if not has_pattern or mask_by_pattern(z, lane, lanes, scratch.banned):
        code = sample(
            z, uniform, row.temperature, row.top_k, row.top_p, row.min_p, row.typical_p, scratch
        )
    # a banned code stands for the end in a model whose texts have none (mask_by_pattern)
    if code == lanes.end or (code >= 0 and has_pattern and scratch.banned[code]):
        code = -1
    return code


@kernel()
def _copy_logits(z, raw):
    """Copy logits to raw; return the logarithm of the sum of their exponentials."""
    largest, total = -np.inf, 0.0  # the largest is subtracted: no exponential overflows
    for j in range(z.size):
        raw[j] = z[j]
        largest = max(largest, raw[j])
    for j in range(z.size):
        total += math.exp(raw[j] - largest)
    return largest + math.log(total)


@kernel()
def _note_top(raw, total, top, codes, logprobs):
    """Write the most probable codes and their log-probabilities, the best first; raw is used up."""
    for rank in range(min(top, raw.size)):  # few ranks: a pass for each is enough
        best = 0
        for j in range(1, raw.size):
            if raw[j] > raw[best]:
                best = j
        codes[rank] = best
        logprobs[rank] = raw[best] - total
        raw[best] = -np.inf  # not again


@kernel()
def _needs_logits(rows, B):
    """Return whether any lane needs logits for its next code."""
    for lane in range(B):
        row = rows[lane]
        if row.status == RUNNING and (row.made >= row.given or row.is_scored):
            return True
    return False


@kernel(inlined=True)
def _step(layout, parameters, packed, workspace, B, dropout):
    """Run the layers over one time step, from and to the states before it."""
    forward(layout, parameters, packed, workspace, 1, B, dropout, 0, B)
    for n in range(layout.L):
        _carry_states(workspace.h[n], B * layout.P)
        if layout.S == 2:
            _carry_states(workspace.c[n], B * layout.P)


@kernel()
def _carry_states(states, size):
    """Move the states after a step, the second block, to those before the next, the first."""
    for j in range(size):
        states[j] = states[size + j]
