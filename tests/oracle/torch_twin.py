"""The same network and optimizers in PyTorch, with its names mapped to ours.

PyTorch keeps weights (outputs, inputs), ours are the transpose; it has two biases a layer, whose
sum is our b, but for the GRU's new gate, where the recurrent one stands inside the bracket and is
our b_hn. The gates come in the same order.
"""

from __future__ import annotations

import numpy as np
import torch
from agreement import CLIPS, COLUMNS, LEARNING_RATE, MOMENTUM, ROWS, Array
from torch import nn

from nextchar.settings.config import NetworkSettings

CORES = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


class Twin(nn.Module):
    """[embedding] → recurrent layers → linear output, tied or not."""

    def __init__(self, s: NetworkSettings, V: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.settings, self.V = s, V
        E, H = s.embedding_size, s.hidden_size
        self.embedding = nn.Embedding(V, E, dtype=dtype) if E else None
        self.core = CORES[s.cell](E or V, H, s.num_layers, dtype=dtype)
        self.out = nn.Linear(H, V, dtype=dtype)
        if s.tied:
            self.embedding.weight = self.out.weight

    def forward(self, codes: torch.Tensor, state: torch.Tensor):
        """Return logits (T, B, V) and the state (L, STATES, B, H) after the given one."""
        one_hot = nn.functional.one_hot(codes, self.V).to(state.dtype)
        x = one_hot if self.embedding is None else self.embedding(codes)
        if self.settings.cell == "lstm":
            h, after = self.core(x, (state[:, 0].contiguous(), state[:, 1].contiguous()))
            return self.out(h), torch.stack(after, dim=1)
        h, after = self.core(x, state[:, 0].contiguous())
        return self.out(h), after[:, None]


def in_our_names(twin: Twin, gradient: bool) -> dict[str, Array]:
    """Every parameter, or the gradient of every parameter, under our names."""

    def array(parameter: nn.Parameter) -> Array:
        return (parameter.grad if gradient else parameter).detach().numpy().copy()

    s, core, H = twin.settings, twin.core, twin.settings.hidden_size
    ours = {"b_out": array(twin.out.bias)}
    if twin.embedding is not None:
        ours["embedding"] = array(twin.embedding.weight)
    if not s.tied:
        ours["W_out"] = array(twin.out.weight).T
    for n in range(s.num_layers):
        ours[f"layer{n}.W_ih"] = array(getattr(core, f"weight_ih_l{n}")).T
        ours[f"layer{n}.W_hh"] = array(getattr(core, f"weight_hh_l{n}")).T
        b_ih, b_hh = array(getattr(core, f"bias_ih_l{n}")), array(getattr(core, f"bias_hh_l{n}"))
        if s.cell == "gru":
            ours[f"layer{n}.b_hn"] = b_hh[2 * H :].copy()
            b_hh[2 * H :] = 0
        # the gradient of a sum's value is that of either summand
        ours[f"layer{n}.b"] = b_ih if gradient else b_ih + b_hh
    return ours


def network_record(
    settings: NetworkSettings, *, T: int, B: int, V: int, seed: int, dtype: str = "float64"
) -> dict[str, Array]:
    """PyTorch's results for a random network and batch (see `agreement`)."""
    torch.manual_seed(seed)
    s, kind = settings, getattr(torch, dtype)
    twin = Twin(s, V, kind)
    inputs, targets = torch.randint(V, (2, T, B))
    states = 2 if s.cell == "lstm" else 1
    state = torch.randn(s.num_layers, states, B, s.hidden_size, dtype=kind)
    logits, after = twin(inputs, state)
    loss = nn.functional.cross_entropy(logits.reshape(T * B, V), targets.reshape(T * B))
    loss.backward()
    return {
        "inputs": inputs.numpy().astype(np.uint16),
        "targets": targets.numpy().astype(np.uint16),
        "state": state.numpy(),
        "new_state": after.detach().numpy(),
        "loss": loss.detach().numpy(),
        **{f"w.{name}": array for name, array in in_our_names(twin, gradient=False).items()},
        **{f"d.{name}": array for name, array in in_our_names(twin, gradient=True).items()},
    }


def torch_walk(
    optimizer: str, weight_decay: float, clipping: str, start: Array, towards: Array
) -> Array:
    """Parameters after each step of PyTorch's optimizer, (steps, n); decay on the matrix only."""
    matrix = torch.tensor(start[: ROWS * COLUMNS].reshape(ROWS, COLUMNS), requires_grad=True)
    bias = torch.tensor(start[ROWS * COLUMNS :], requires_grad=True)
    groups = [{"params": [matrix], "weight_decay": weight_decay}, {"params": [bias]}]
    lr = LEARNING_RATE
    made = {
        "sgd": lambda: torch.optim.SGD(groups, lr),
        "momentum": lambda: torch.optim.SGD(groups, lr, momentum=MOMENTUM),
        "adagrad": lambda: torch.optim.Adagrad(groups, lr),
        "rmsprop": lambda: torch.optim.RMSprop(groups, lr),
        "adam": lambda: torch.optim.Adam(groups, lr),
        "adamw": lambda: torch.optim.AdamW(groups, lr, weight_decay=0),
    }[optimizer]()
    threshold, by = CLIPS[clipping]
    steps = []
    for target in torch.tensor(towards):
        flat = torch.cat([matrix.reshape(-1), bias])
        made.zero_grad()
        (((flat - target) ** 2).sum() / 2).backward()
        if threshold and by == "value":
            nn.utils.clip_grad_value_([matrix, bias], threshold)
        elif threshold:
            nn.utils.clip_grad_norm_([matrix, bias], threshold)
        made.step()
        steps.append(torch.cat([matrix.reshape(-1), bias]).detach().numpy())
    return np.array(steps)
