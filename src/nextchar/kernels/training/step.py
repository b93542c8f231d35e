"""Training step and scoring over the lanes of one thread, one compiled call each.

Where gradients are summed over machines, a step is split into `forward_to_loss` and one
`backward_bucket` per layer.
A call holds no lock, allocates nothing, and reads and writes only its own lanes of shared arrays:

    codes, targets   (T, lanes)               first           first + B
    state            (L, STATES, lanes, H)    │ ← this thread → │
"""

from __future__ import annotations

from typing import Any, NamedTuple

from numpy.typing import NDArray

from nextchar.kernels.jit import kernel
from nextchar.kernels.training.backward import backward, layer_backward, output_backward
from nextchar.kernels.training.dropout import Dropout
from nextchar.kernels.training.forward import forward, load_states, project, store_states
from nextchar.kernels.training.loss import cross_entropy

NO_CODE = -1.0  # no loss is negative

Array = NDArray[Any]


class StepInputs(NamedTuple):
    """Inputs of a training step, shared by all threads; `new_state` is an output."""

    parameters: Array  # flat
    codes: Array  # (T, lanes here) int64
    targets: Array  # the same
    state: Array  # (L, STATES, lanes here, H)
    new_state: Array  # the same
    scale: float  # factor of the gradient
    dropout: Dropout  # the dropped units
    first_lane: int  # number of the first lane here among all of the batch, on whatever machine
    lanes: int  # number of all lanes of the batch


@kernel()
def step(layout, packed, workspace, gradient, inputs, first, B):
    """Return the summed loss of B lanes from `first` on; write its gradient times `scale`.

    Returns NO_CODE, with nothing done, where a code or target is not in [0, V).
    """
    loss = _loss(layout, packed, workspace, inputs, first, B)
    if loss != NO_CODE:
        T, number = len(inputs.codes), inputs.first_lane + first
        backward(
            layout, packed, workspace, gradient, T, B, inputs.dropout, number, inputs.lanes
        )  # fmt: skip
    return loss


@kernel(inlined=True)
def _loss(layout, packed, workspace, inputs, first, B):
    """Return the summed loss; leave the gradient of the logits times `scale` in the workspace."""
    T, number = len(inputs.codes), inputs.first_lane + first  # number: for dropout
    # compiled code looks codes up without a check: check them while they are gathered
    for t in range(T):
        for lane in range(B):
            code, target = inputs.codes[t, first + lane], inputs.targets[t, first + lane]
            if not (0 <= code < layout.V and 0 <= target < layout.V):
                return NO_CODE
            workspace.codes[t * B + lane], workspace.targets[t * B + lane] = code, target
    # states in, all layers, logits, states out
    load_states(layout, workspace, inputs.state, T, B, first)
    forward(
        layout, inputs.parameters, packed, workspace, T, B, inputs.dropout, number, inputs.lanes
    )
    project(layout, inputs.parameters, packed, workspace, T, B, inputs.dropout)
    store_states(layout, workspace, inputs.new_state, T, B, first)
    # the summed loss; logits become their gradient, in place
    N = T * B
    logits = workspace.logits[: N * layout.VP].reshape(N, layout.VP)
    return cross_entropy(logits, workspace.targets[:N], layout.V, inputs.scale, workspace.maxima)


@kernel()
def forward_to_loss(layout, packed, workspace, inputs, first, B):
    """`step` up to the gradient of the logits."""
    return _loss(layout, packed, workspace, inputs, first, B)


@kernel()
def backward_bucket(layout, packed, workspace, gradient, inputs, n, first, B):
    """Compute layer n's gradient bucket (n = L: the output's), after `forward_to_loss`."""
    T, number = len(inputs.codes), inputs.first_lane + first
    if n == layout.L:
        output_backward(layout, packed, workspace, gradient, T, B, inputs.dropout)
    else:
        layer_backward(
            layout, packed, workspace, gradient, n, T, B, inputs.dropout, number, inputs.lanes
        )  # fmt: skip


@kernel()
def predict(layout, parameters, packed, workspace, codes, state, new_state, dropout):
    """Leave the logits of codes (T, B) in the workspace, the states after them in `new_state`."""
    T, B = codes.shape
    for t in range(T):  # the caller has checked the codes
        for lane in range(B):
            workspace.codes[t * B + lane] = codes[t, lane]
    load_states(layout, workspace, state, T, B, 0)
    forward(layout, parameters, packed, workspace, T, B, dropout, 0, B)
    project(layout, parameters, packed, workspace, T, B, dropout)
    store_states(layout, workspace, new_state, T, B, 0)
