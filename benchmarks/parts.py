"""Profile of a training step by kernel: `python -m benchmarks.parts [ROW] [--bfloat16]`.

Each kernel is called by itself, on one thread and all lanes, with the sizes of the row. The whole
step is measured too, which shows the time outside of the parts.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

if not __package__:  # run as a file
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks import material
from benchmarks.rows import Row, select
from nextchar.kernels.gemm.gemm import apply_gemm, gemm_tn
from nextchar.kernels.gemm.packed_weights import (
    FORWARD,
    TRANSPOSED,
    PackedWeights,
    allocate_packed_weights,
    pack_weights,
)
from nextchar.kernels.layout import W_HH, Layout, layout_of
from nextchar.kernels.training import gru, lookup, loss, lstm, optimizers, rnn
from nextchar.kernels.training.dropout import NO_DROPOUT
from nextchar.kernels.training.step import StepInputs, step
from nextchar.kernels.training.workspace import Workspace, WorkspaceSize, allocate_workspace
from nextchar.settings.config import Settings

Part = tuple[str, Callable[[], object], float, int]  # name, work, its FLOPs, calls per step
SECONDS = 0.5  # that each part is repeated for


def main(args: list[str]) -> int:
    """Print the table of a row, by default LSTM 256×2."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("row", nargs="?", default="train/lstm-256x2", metavar="ROW")
    parser.add_argument("--bfloat16", action="store_true", help="operands in bfloat16")
    options = parser.parse_args(args)
    rows = select(options.row)
    if not rows:
        print(f"no row matches {options.row}", file=sys.stderr)
        return 1
    for row in rows:
        print(table(row, pairs=options.bfloat16))
    return 0


def table(row: Row, *, pairs: bool) -> str:
    """Return the table of a row in Markdown."""
    measured = [
        (name, seconds_of(work) * n, flops * n) for name, work, flops, n in parts(row, pairs)
    ]
    whole = measured[0][1]
    lines = [f"{row.title}{', bfloat16' * pairs}, one thread\n", "| part | ms | share | GF/s |"]
    lines.append("|---|---|---|---|")
    for name, seconds, flops in measured:
        rate = f"{flops / seconds / 1e9:.0f}" if flops else ""
        lines.append(f"| {name} | {seconds * 1e3:.2f} | {100 * seconds / whole:.0f} % | {rate} |")
    rest = whole - sum(seconds for name, seconds, _ in measured[1:] if "apart" not in name)
    lines.append(f"| rest | {rest * 1e3:.2f} | {100 * rest / whole:.0f} % | |")
    return "\n".join(lines) + "\n"


def seconds_of(work: Callable[[], object]) -> float:
    """Return the seconds of the fastest of many repetitions."""
    work()
    best, end = np.inf, time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        begin = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - begin)
    return float(best)


def parts(row: Row, pairs: bool) -> Iterator[Part]:
    """Return the step, then its parts; "apart" marks work outside of the step's call."""
    parameters = material.parameters(row)
    layout = layout_of(parameters.architecture, np.float32)
    packed = allocate_packed_weights(layout, np.float32, pairs=pairs)
    T, B, L = row.seq_length, row.batch_size, row.num_layers
    workspace = allocate_workspace(layout, WorkspaceSize(T, B, pairs), np.float32)
    batch = material.batches(row).at(0)
    codes, targets = (np.ascontiguousarray(x, np.int64) for x in (batch.inputs, batch.targets))
    gradient, state = np.zeros_like(parameters.flat), parameters.zero_state(B)
    pack = (layout, parameters.flat, packed, 0, 1)
    pack_weights(*pack)
    N, H, P, G, V = T * B, layout.H, layout.P, layout.G, layout.V
    inputs = StepInputs(
        parameters.flat, codes, targets, state, state.copy(), 1 / N, NO_DROPOUT, 0, B
    )
    whole = (layout, packed, workspace, gradient, inputs, 0, B)
    yield "the step", lambda: step(*whole), row.flops_per_character() * N, 1
    recurrent = 2.0 * N * H * G * H
    yield from _cell_parts(row, layout, packed, workspace, recurrent)
    a = workspace.a[0][: N * G * P].reshape(N, G * P)
    h = workspace.h[0][: N * P].reshape(N, P)
    yield (
        "gradients of W_hh and W_ih",
        lambda: _weight_gradient(workspace, h, H, a),
        recurrent,
        2 * L - 1,
    )
    W = packed.matrices[packed.layers[0, W_HH, FORWARD] :]
    yield (
        "products between layers",
        lambda: apply_gemm(
            h.ctypes.data, P, W, a.ctypes.data, G * P, N, H, G * P, False, workspace.context
        ),
        recurrent,
        2 * (L - 1),
    )
    logits = workspace.logits.reshape(N, layout.VP)
    yield "gradient of W_out", lambda: _weight_gradient(workspace, h, H, logits), 2.0 * N * H * V, 1
    yield "softmax, cross-entropy", lambda: loss.cross_entropy(
        logits, workspace.targets, V, 1e-9, workspace.maxima
    ), 0, 1  # fmt: skip
    table_ = gradient[: V * G * H].reshape(V, G * H)
    into = a.reshape(N, G, P)
    yield (
        "look-up of the codes",
        lambda: lookup.lookup_with_bias(workspace.codes, table_, table_[0], into),
        0,
        1,
    )
    yield "sums by code", lambda: lookup.sum_by_code(workspace.codes, into, table_), 0, 1
    yield "packing the weights, apart", lambda: pack_weights(*pack), 0, 1
    slots = np.zeros((2, gradient.size), np.float32)
    constants = optimizers.update_constants(
        Settings.make().training, norm=1.0, learning_rate=1e-9, step=9
    )
    yield "optimizer, apart", lambda: optimizers.update(
        constants, parameters.flat, gradient, tuple(slots), 0, gradient.size, gradient.size
    ), 0, 1  # fmt: skip


def _cell_parts(
    row: Row, layout: Layout, packed: PackedWeights, workspace: Workspace, recurrent: float
) -> Iterator[Part]:
    T, B, H, L = row.seq_length, row.batch_size, layout.H, row.num_layers
    G, P, context = layout.G, layout.P, workspace.context
    a, d = workspace.a[0].reshape(T, B, G, P), workspace.d[0].reshape(T, B, P)
    h, extra = workspace.h[0].reshape(T + 1, B, P), workspace.saved[0]
    there = packed.matrices[packed.layers[0, W_HH, FORWARD] :]
    back = packed.matrices[packed.layers[0, W_HH, TRANSPOSED] :]
    match row.cell:
        case "rnn":
            forward = (rnn.forward, (a, h, there, H, context))
            backward = (rnn.backward, (a, h, d, back, context))
        case "lstm":
            c, t = workspace.c[0].reshape(T + 1, B, P), extra.reshape(T, B, P)
            dc = workspace.dc.reshape(B, layout.P)
            forward = (lstm.forward, (a, h, c, t, there, H, context))
            backward = (lstm.backward, (a, c, t, d, dc, back, context))
        case _:
            u, b = extra.reshape(T, B, G, P), np.zeros(H, np.float32)
            forward = (gru.forward, (a, h, u, b, there, H, context))
            backward = (gru.backward, (a, h, u, d, back, context))
    yield "cells, forward", lambda: forward[0](*forward[1]), recurrent, L
    yield "cells, backward", lambda: backward[0](*backward[1]), recurrent, L


def _weight_gradient(workspace: Workspace, a, M: int, d) -> None:
    out = workspace.dW[: M * d.shape[1]].reshape(M, d.shape[1])
    rest = (workspace.packed_a, workspace.packed_b, workspace.context)
    gemm_tn(a, M, d, d.shape[1], out, len(a), *rest)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
