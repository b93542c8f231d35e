"""Loop over time of the LSTM; the readable twin is model/cells/lstm.py.

    forward    for t:  a[t] += h[t] W_hh (packed);  for each lane: four gates, c, h in one sweep
    backward   for t from the end:  gates → da in place of the gates;  dh[t-1] += da[t] W_hhᵀ

a: (T, B, 4, P) with P = H padded to whole vectors; h, c: (T+1, B, P); tanh_c, dh: (T, B, P).
A lane's row of a holds its four gates, each with its padding: | i | f | g | o |. Padding is swept
over too: its gradients are zero, as the packed weights are there.
"""

from __future__ import annotations

from nextchar.kernels.gemm.gemm import gemm
from nextchar.kernels.jit import kernel
from nextchar.kernels.training.activations import sigmoid, tanh


@kernel()
def forward(a, h, c, tanh_c, W, H, context):
    """Run a layer; h[0] and c[0] are the state before it, a becomes the gates."""
    T, B, _, P = a.shape
    for t in range(T):
        # one product for all lanes, then one sweep a lane over its gates while they are in cache
        gemm(h[t].ctypes.data, P, W, a[t].ctypes.data, 4 * P, B, H, 4 * P, True, context)
        for lane in range(B):
            _gates(a[t, lane], c[t, lane], c[t + 1, lane], tanh_c[t, lane], h[t + 1, lane])


@kernel()
def _gates(a, c_before, c, tanh_c, h):
    """Compute one lane's gates, c and h; a: (4, P), pre-activations that become the gates."""
    i_, f_, g_, o_ = a[0], a[1], a[2], a[3]  # (P,) each
    for j in range(h.size):
        i, f, g, o = sigmoid(i_[j]), sigmoid(f_[j]), tanh(g_[j]), sigmoid(o_[j])
        cell = f * c_before[j] + i * g
        squashed = tanh(cell)
        # kept for the backward pass
        i_[j], f_[j], g_[j], o_[j] = i, f, g, o
        c[j], tanh_c[j], h[j] = cell, squashed, o * squashed


@kernel()
def backward(a, c, tanh_c, dh, dc, W_T, context):
    """Turn the gates into da; dh: (T, B, P), from above, is added to; dc: (B, P), workspace."""
    T, B, _, P = a.shape
    dc[:] = 0  # the state after the last step has no gradient: truncated backpropagation
    for t in range(T - 1, -1, -1):
        for lane in range(B):
            _gates_backward(a[t, lane], c[t, lane], tanh_c[t, lane], dh[t, lane], dc[lane])
        if t > 0:  # the state before the first step is a constant
            gemm(a[t].ctypes.data, 4 * P, W_T, dh[t - 1].ctypes.data, P, B, 4 * P, P, True, context)


@kernel()
def _gates_backward(a, c_before, tanh_c, dh, dc):
    """Turn one lane's gates into da; dc: (P,) becomes the gradient of c one step earlier."""
    i_, f_, g_, o_ = a[0], a[1], a[2], a[3]
    one = dh.dtype.type(1)
    for j in range(dh.size):
        i, f, g, o, squashed, d = i_[j], f_[j], g_[j], o_[j], tanh_c[j], dh[j]
        e = dc[j] + d * o * (one - squashed * squashed)  # gradient of c: from later, and by h
        # each gate: gradient of its value, times the slope of its sigmoid or tanh
        i_[j] = e * g * i * (one - i)
        f_[j] = e * c_before[j] * f * (one - f)
        g_[j] = e * i * (one - g * g)
        o_[j] = d * squashed * o * (one - o)
        dc[j] = e * f  # one step earlier
