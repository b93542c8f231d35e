"""The recurrent layers written out in PyTorch, so that `torch.compile` sees all of them.

One bias per layer, as in nextchar (and the second bias of the GRU's candidate).
"""

from __future__ import annotations

import torch
from torch import nn

from benchmarks import material
from benchmarks.rows import Row


class WrittenOut(nn.Module):
    """Look-up by code, the cells in a loop over time, linear output."""

    def __init__(self, row: Row) -> None:
        super().__init__()
        self.cell, self.layers = row.cell, row.num_layers
        self.weights = nn.ParameterDict(
            {
                name.replace(".", "_"): nn.Parameter(torch.tensor(value))
                for name, value in material.weights(row).items()
            }
        )

    def forward(self, codes, state):
        """Return logits (T, B, V) and the state, for codes (T, B)."""
        w, x, after = self.weights, None, []
        for n in range(self.layers):
            w_ih = w[f"layer{n}_W_ih"]
            a = w[f"layer{n}_b"] + (w_ih[codes] if x is None else x @ w_ih)  # (T, B, G·H)
            before = (state[0][n], state[1][n]) if self.cell == "lstm" else (state[n],)
            x, last = self._layer(n, a, before)
            after.append(last)
        states = tuple(torch.stack(each) for each in zip(*after, strict=True))
        return x @ w["W_out"] + w["b_out"], states if self.cell == "lstm" else states[0]

    def _layer(self, n: int, a, state):
        w_hh, out = self.weights[f"layer{n}_W_hh"], []
        for t in range(a.shape[0]):
            if self.cell == "rnn":
                state = (torch.tanh(a[t] + state[0] @ w_hh),)
            elif self.cell == "lstm":
                state = _lstm(a[t] + state[0] @ w_hh, state[1])
            else:
                state = (_gru(a[t], state[0] @ w_hh, self.weights[f"layer{n}_b_hn"], state[0]),)
            out.append(state[0])
        return torch.stack(out), state


def _lstm(a, c):
    i, f, g, o = a.chunk(4, dim=1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def _gru(a, u, b_hn, h):
    (ar, az, an), (ur, uz, un) = a.chunk(3, dim=1), u.chunk(3, dim=1)
    r, z = torch.sigmoid(ar + ur), torch.sigmoid(az + uz)
    n = torch.tanh(an + r * (un + b_hn))
    return (1 - z) * n + z * h
