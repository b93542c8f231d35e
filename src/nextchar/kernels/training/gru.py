"""Loop over time of the GRU; the readable twin is model/cells/gru.py.

    forward    for t:  u = h[t] W_hh;  r, z, n, h[t+1] of each lane in one sweep
    backward   for t from the end:  gates → da in place;  dh[t-1] += dh[t] z + du[t] W_hhᵀ

a: (T, B, 3, P) with P = H padded to whole vectors, gates | r | z | n |; h: (T+1, B, P);
dh: (T, B, P); u: (T, B, 3, P), h W_hh, kept apart from a since r multiplies its third block alone:

    forward    u = | r_h | z_h | n_h + b_hn |        backward    u = | dr | dz | dn r |
"""

from __future__ import annotations

from nextchar.kernels.gemm.gemm import gemm
from nextchar.kernels.jit import kernel
from nextchar.kernels.training.activations import sigmoid, tanh


@kernel()
def forward(a, h, u, b_hn, W, H, context):
    """Run a layer; h[0] is the state before it, a becomes the gates."""
    T, B, _, P = a.shape
    for t in range(T):
        # one product for all lanes, then one sweep a lane over its gates while they are in cache
        gemm(h[t].ctypes.data, P, W, u[t].ctypes.data, 3 * P, B, H, 3 * P, False, context)
        for lane in range(B):
            _gates(a[t, lane], u[t, lane], b_hn, h[t, lane], h[t + 1, lane], H)


@kernel()
def _gates(a, u, b_hn, before, after, H):
    """Compute one lane's gates and h; a: (3, P), pre-activations that become the gates."""
    r_, z_, n_ = a[0], a[1], a[2]
    u_r, u_z, bracket = u[0], u[1], u[2]  # (P,) each
    for j in range(H):  # not over the padding, which b_hn lacks
        bracket[j] += b_hn[j]
    for j in range(after.size):
        r, z = sigmoid(r_[j] + u_r[j]), sigmoid(z_[j] + u_z[j])
        n = tanh(n_[j] + r * bracket[j])
        r_[j], z_[j], n_[j] = r, z, n
        after[j] = (before[j] - n) * z + n  # (1 - z) n + z h, in one multiplication


@kernel()
def backward(a, h, u, dh, W_T, context):
    """Turn gates into da, and u into the gradient of h W_hh; dh, from above, is added to."""
    T, B, _, P = a.shape
    for t in range(T - 1, -1, -1):
        for lane in range(B):
            _gates_backward(a[t, lane], u[t, lane], h[t, lane], dh[t, lane])
        if t > 0:  # the state before the first step is a constant
            carried, before = dh[t].reshape(-1), dh[t - 1].reshape(-1)
            for j in range(before.size):
                before[j] += carried[j]  # already times z
            gemm(u[t].ctypes.data, 3 * P, W_T, dh[t - 1].ctypes.data, P, B, 3 * P, P, True, context)


@kernel()
def _gates_backward(a, u, before, dh):
    """Turn one lane's gates into da, u into its gradient, dh into the part that z carries on."""
    r_, z_, n_ = a[0], a[1], a[2]
    u_r, u_z, bracket = u[0], u[1], u[2]
    one = dh.dtype.type(1)
    for j in range(dh.size):
        r, z, n, d = r_[j], z_[j], n_[j], dh[j]
        # gradient of each gate, times the slope of its tanh or sigmoid
        dn = d * (one - z) * (one - n * n)
        dz = d * (before[j] - n) * z * (one - z)
        dr = dn * bracket[j] * r * (one - r)
        r_[j], z_[j], n_[j] = dr, dz, dn
        u_r[j], u_z[j], bracket[j] = dr, dz, dn * r  # r multiplied the bracket
        dh[j] = d * z
