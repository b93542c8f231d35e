"""What one thread does of a training step, and of scoring: one compiled call each.

Where gradients are summed over machines, a step is split into `forward_to_loss` and one
`backward_bucket` per layer.
It holds no lock, allocates nothing, and reads and writes its own lanes of what threads share.
"""

from __future__ import annotations

from nextchar.kernels.jit import kernel
from nextchar.kernels.training import lookup
from nextchar.kernels.training.backward import backward, layer_backward, output_backward
from nextchar.kernels.training.forward import forward, load_states, project, store_states

NO_CODE = -1.0  # no loss is negative


@kernel()
def step(
    shape, parameters, packed, room, gradient, codes, targets, state, new_state, first, B, scale,
    dropout,
):  # fmt: skip
    """Summed loss of B lanes from `first` on; its gradient times `scale` goes to `gradient`.

    codes, targets: (T, lanes) int64; state, new_state: (L, STATES, lanes, H).
    NO_CODE, with nothing done, where one of them is not in [0, V).
    """
    T, lanes = codes.shape
    loss = losses(
        shape, parameters, packed, room, codes, targets, state, new_state, first, B, scale,
        dropout, first, lanes,
    )  # fmt: skip
    if loss != NO_CODE:
        backward(shape, packed, room, gradient, T, B, dropout, first, lanes)
    return loss


@kernel(inlined=True)
def losses(
    shape, parameters, packed, room, codes, targets, state, new_state, first, B, scale,
    dropout, number, lanes,
):  # fmt: skip
    """The first half of a step: the summed loss, the gradient of logits times `scale` in the room.

    number, lanes: that of the lane `first` among all lanes of the batch, and how many those are.
    """
    T = len(codes)
    for t in range(T):
        for lane in range(B):
            code, target = codes[t, first + lane], targets[t, first + lane]
            if not (0 <= code < shape.V and 0 <= target < shape.V):
                return NO_CODE
            room.codes[t * B + lane], room.targets[t * B + lane] = code, target
    load_states(shape, room, state, T, B, first)
    forward(shape, parameters, packed, room, T, B, dropout, number, lanes)
    project(shape, parameters, packed, room, T, B, dropout)
    store_states(shape, room, new_state, T, B, first)
    N = T * B
    logits = room.logits[: N * shape.VP].reshape(N, shape.VP)
    return lookup.cross_entropy(logits, room.targets[:N], shape.V, scale, room.maxima)


@kernel()
def forward_to_loss(
    shape, parameters, packed, room, codes, targets, state, new_state, first, B, scale,
    dropout, number, lanes,
):  # fmt: skip
    """`step` up to the gradient of logits, for lanes that may be some of more.

    number, lanes: that of the lane `first` among all lanes of the batch, and how many those are.
    """
    return losses(
        shape, parameters, packed, room, codes, targets, state, new_state, first, B, scale,
        dropout, number, lanes,
    )  # fmt: skip


@kernel()
def backward_bucket(shape, packed, room, gradient, n, T, B, dropout, number, lanes):
    """Compute layer n's gradient bucket (n = L: the output's), after `forward_to_loss`."""
    if n == shape.L:
        output_backward(shape, packed, room, gradient, T, B, dropout)
    else:
        layer_backward(shape, packed, room, gradient, n, T, B, dropout, number, lanes)


@kernel()
def predict(shape, parameters, packed, room, codes, state, new_state, dropout):
    """Leave the logits of codes (T, B) in the room, and the states after them in `new_state`."""
    T, B = codes.shape
    for t in range(T):
        for lane in range(B):
            room.codes[t * B + lane] = codes[t, lane]
    load_states(shape, room, state, T, B, 0)
    forward(shape, parameters, packed, room, T, B, dropout, 0, B)
    project(shape, parameters, packed, room, T, B, dropout)
    store_states(shape, room, new_state, T, B, 0)
