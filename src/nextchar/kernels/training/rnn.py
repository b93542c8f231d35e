"""Loop over time of the vanilla RNN; the readable twin is model/cells/rnn.py.

    forward    for t:  h[t+1] = tanh(a[t] + h[t] W_hh)
    backward   for t from the end:  da[t] = dh[t] (1 - h²);  dh[t-1] += da[t] W_hhᵀ

a: (T, B, 1, P) with P = H padded to whole vectors; h: (T+1, B, P); dh: (T, B, P).
The sweeps run over whole blocks (B, P), padding included: it is zero and stays zero.
"""

from __future__ import annotations

from nextchar.kernels.gemm.gemm import gemm
from nextchar.kernels.jit import kernel
from nextchar.kernels.training.activations import tanh


@kernel()
def forward(a, h, W, H, context):
    """Run a layer; h[0] is the state before it."""
    T, B, _, P = a.shape
    for t in range(T):  # a[t] += h[t] W_hh
        gemm(h[t].ctypes.data, P, W, a[t].ctypes.data, P, B, H, P, True, context)
        before, after = a[t].reshape(-1), h[t + 1].reshape(-1)  # (B·P,)
        for j in range(after.size):
            after[j] = tanh(before[j])


@kernel()
def backward(a, h, dh, W_T, context):
    """Write da into a; dh, from above, is added to."""
    T, B, _, P = a.shape
    one = dh.dtype.type(1)
    for t in range(T - 1, -1, -1):
        da, d, after = a[t].reshape(-1), dh[t].reshape(-1), h[t + 1].reshape(-1)
        for j in range(after.size):
            da[j] = d[j] * (one - after[j] * after[j])
        if t > 0:  # the state before the first step is a constant
            gemm(a[t].ctypes.data, P, W_T, dh[t - 1].ctypes.data, P, B, P, P, True, context)
