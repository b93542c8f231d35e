"""PyTorch: one-hot input into nn.RNN, nn.LSTM or nn.GRU, fused Adam; eager, bf16, compiled.

Its layers have two biases, those of nextchar one. The second starts at zero, so that the initial
models are equal, and is trained as usual in PyTorch. `torch.compile` cannot see into those layers
(and with `allow_rnn` compiles for minutes); it is given the same cells written out.
"""

from __future__ import annotations

import os
from itertools import count

import torch
from torch import nn

from benchmarks import material
from benchmarks.job import Job, Step, fastest
from benchmarks.rows import Row
from benchmarks.torch_cells import WrittenOut

CORES = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


class Network(nn.Module):
    """One-hot → recurrent layers → linear output."""

    def __init__(self, row: Row) -> None:
        super().__init__()
        self.V = row.vocabulary_size
        self.core = CORES[row.cell](self.V, row.hidden_size, row.num_layers)
        self.out = nn.Linear(row.hidden_size, self.V)
        load(self, row)

    def forward(self, codes, state):
        """Return logits (T, B, V) and the state, for codes (T, B)."""
        h, state = self.core(nn.functional.one_hot(codes, self.V).float(), state)
        return self.out(h), state


def load(network: Network, row: Row) -> None:
    """Load the initial weights."""
    ours, H = material.weights(row), row.hidden_size
    with torch.no_grad():
        network.out.weight.copy_(torch.tensor(ours["W_out"].T.copy()))
        network.out.bias.copy_(torch.tensor(ours["b_out"]))
        for n in range(row.num_layers):
            for kind in ("ih", "hh"):
                weight = torch.tensor(ours[f"layer{n}.W_{kind}"].T.copy())
                getattr(network.core, f"weight_{kind}_l{n}").copy_(weight)
            getattr(network.core, f"bias_ih_l{n}").copy_(torch.tensor(ours[f"layer{n}.b"]))
            second = getattr(network.core, f"bias_hh_l{n}").zero_()
            if row.cell == "gru":
                second[2 * H :] = torch.tensor(ours[f"layer{n}.b_hn"])


def zero_state(row: Row):
    """Return the state in PyTorch's form: h, or h and c, (L, B, H)."""
    h = torch.zeros(row.num_layers, row.batch_size, row.hidden_size)
    return (h, h.clone()) if row.cell == "lstm" else h


def prepare(row: Row, variant: str) -> Job:
    """Prepare a step. variant: `eager`, `autocast` or `compile`."""
    return _training(row, variant) if row.kind == "train" else _generation(row)


def cores() -> int:
    """Return the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def with_threads(make) -> dict[str, object]:
    """Return variants with one thread and with all: small models are faster with one."""

    def made(threads: int) -> Step:
        torch.set_num_threads(threads)
        return make()

    return {
        f"{n} thread{'s' * (n > 1)}": lambda n=n: made(n)
        for n in sorted({1, cores()}, reverse=True)
    }


def _training(row: Row, variant: str) -> Job:
    compiled = variant == "compile"
    network = WrittenOut(row) if compiled else Network(row)
    run = torch.compile(network) if compiled else network
    step, loss = _step(row, network, run, autocast=variant == "autocast")
    check = loss()
    if compiled:  # compiled code is for a number of threads
        threads = 1 if row.batch_size == 1 else cores()
        torch.set_num_threads(threads)
        note, best = f"{threads} thread{'s' * (threads > 1)}, cells written out", step
    else:
        note, best = fastest(with_threads(lambda: step))
    parameters = sum(p.numel() for p in network.parameters())
    return Job(best, check, parameters, note)


def _step(row: Row, network, run, *, autocast: bool):
    """Return a whole training step, and the loss of the first batch."""
    optimizer = torch.optim.Adam(network.parameters(), lr=material.LEARNING_RATE, fused=True)
    inputs, targets = map(torch.tensor, material.stacked(row))
    state, steps = zero_state(row), count()

    def loss_of(batch: int, state):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
            logits, state = run(inputs[batch], state)
        flat = logits.reshape(-1, row.vocabulary_size).float()
        return nn.functional.cross_entropy(flat, targets[batch].reshape(-1)), state

    def step() -> int:
        nonlocal state
        batch = next(steps) % material.STEPS
        if batch == 0:
            state = zero_state(row)
        optimizer.zero_grad(set_to_none=True)
        loss, after = loss_of(batch, state)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), material.CLIP)
        optimizer.step()
        state = (
            tuple(s.detach().float() for s in after)
            if isinstance(after, tuple)
            else (after.detach().float())
        )
        return row.batch_size * row.seq_length

    return step, lambda: float(loss_of(0, zero_state(row))[0])


def _generation(row: Row) -> Job:
    network = Network(row).eval()

    @torch.inference_mode()
    def step() -> int:
        codes, state = torch.zeros(1, row.batch_size, dtype=torch.int64), zero_state(row)
        for _ in range(row.seq_length):
            logits, state = network(codes, state)
            codes = torch.multinomial(torch.softmax(logits[0], dim=1), 1).T
        return row.batch_size * row.seq_length

    note, best = fastest(with_threads(lambda: step))
    return Job(best, _check(row, network), sum(p.numel() for p in network.parameters()), note)


@torch.inference_mode()
def _check(row: Row, network: Network) -> float:
    text = torch.tensor(material.check_codes(row).astype("int64"))
    logits, _ = network(text[:-1, None], None)
    return float(nn.functional.cross_entropy(logits[:, 0], text[1:]))
