"""Reading and writing one character at a time.

    read     for each character of a prompt:  step;  then the logits
    write    for each character:  for each lane: choose a code from its logits;  step;  logits
    step     the network forward (forward.py) over one time step

The lanes of a call move together. What a lane computes does not depend on how many there are:
a tile sums along K in the same order whatever its height.
"""

from __future__ import annotations

from nextchar.kernels.compiled import kernel
from nextchar.kernels.draw import choose
from nextchar.kernels.forward import forward, project


@kernel()
def read(shape, parameters, packed, room, codes, dropout):
    """Read codes (T, B); the room's logits are those after the last."""
    T, B = codes.shape
    for t in range(T):
        _step(shape, parameters, packed, room, codes[t], dropout)
    project(shape, parameters, packed, room, 1, B, dropout)


@kernel()
def write(shape, parameters, packed, room, rules, uniforms, codes, weights, heap, dropout):
    """Draw characters and read them: codes (n, B) from uniforms (n, B).

    weights (V,) and heap (V,): workspace of `choose`.
    """
    n, B = codes.shape
    logits = room.logits.reshape(B, shape.VP)
    for i in range(n):
        for lane in range(B):
            z = logits[lane, : shape.V]
            codes[i, lane] = choose(z, uniforms[i, lane], rules, weights, heap)
        _step(shape, parameters, packed, room, codes[i], dropout)
        project(shape, parameters, packed, room, 1, B, dropout)


@kernel(inlined=True)
def _step(shape, parameters, packed, room, codes, dropout):
    B = codes.size
    for lane in range(B):
        room.codes[lane] = codes[lane]
    forward(shape, parameters, packed, room, 1, B, dropout, 0, B)
    for n in range(shape.L):
        _move_on(room.h[n])
        if shape.S == 2:
            _move_on(room.c[n])


@kernel()
def _move_on(states):
    """The state after a step is the one before the next."""
    half = states.size // 2
    for j in range(half):
        states[j] = states[half + j]
