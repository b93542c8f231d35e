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
from nextchar.kernels.gemm import bfloat16, packing
from nextchar.kernels.gemm.packed_weights import (
    FORWARD,
    TRANSPOSED,
    PackedWeights,
    allocate_packed_weights,
    pack_weights,
)
from nextchar.kernels.layout import W_HH, Layout, layout_of
from nextchar.kernels.training import gru, lookup, lstm, optimizers, rnn
from nextchar.kernels.training.dropout import dropout_of
from nextchar.kernels.training.step import step
from nextchar.kernels.training.update_constants import update_constants
from nextchar.kernels.training.workspace import Workspace, allocate_workspace
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
    shape = layout_of(parameters.architecture, np.float32)
    packed = allocate_packed_weights(shape, np.float32, pairs=pairs)
    T, B, L = row.seq_length, row.batch_size, row.num_layers
    room = allocate_workspace(shape, T, B, np.float32, pairs=pairs)
    batch = material.batches(row).at(0)
    codes, targets = (np.ascontiguousarray(x, np.int64) for x in (batch.inputs, batch.targets))
    gradient, state = np.zeros_like(parameters.flat), parameters.zero_state(B)
    nothing = dropout_of(L, 0.0, 0, 0)
    pack = (shape, parameters.flat, packed, 0, 1)
    pack_weights(*pack)
    N, H, P, G, V = T * B, shape.H, shape.P, shape.G, shape.V
    whole = (
        shape, parameters.flat, packed, room, gradient, codes, targets, state, state.copy(), 0, B,
        1 / N, nothing,
    )  # fmt: skip
    yield "the step", lambda: step(*whole), row.flops_per_character() * N, 1
    recurrent = 2.0 * N * H * G * H
    yield from _cell_parts(row, shape, packed, room, recurrent)
    a = room.a[0][: N * G * P].reshape(N, G * P)
    h = room.h[0][: N * P].reshape(N, P)
    yield "gradients of W_hh and W_ih", lambda: _outer(room, h, H, a, pairs), recurrent, 2 * L - 1
    W = packed.matrices[packed.layers[0, W_HH, FORWARD] :]
    yield (
        "products between layers",
        lambda: packing.product(
            h.ctypes.data, P, W, a.ctypes.data, G * P, N, H, G * P, False, room.tools
        ),
        recurrent,
        2 * (L - 1),
    )
    logits = room.logits.reshape(N, shape.VP)
    yield "gradient of W_out", lambda: _outer(room, h, H, logits, pairs), 2.0 * N * H * V, 1
    yield "softmax, cross-entropy", lambda: lookup.cross_entropy(
        logits, room.targets, V, 1e-9, room.maxima
    ), 0, 1  # fmt: skip
    table_ = gradient[: V * G * H].reshape(V, G * H)
    into = a.reshape(N, G, P)
    yield "look-up of the codes", lambda: lookup.look_up(room.codes, table_, table_[0], into), 0, 1
    yield "sums by code", lambda: lookup.sum_by_code(room.codes, into, table_), 0, 1
    yield "packing the weights, apart", lambda: pack_weights(*pack), 0, 1
    slots = np.zeros((2, gradient.size), np.float32)
    rule = update_constants(Settings.make().training, norm=1.0, learning_rate=1e-9, step=9)
    yield "optimizer, apart", lambda: optimizers.update(
        rule, parameters.flat, gradient, *slots, 0, gradient.size, gradient.size
    ), 0, 1  # fmt: skip


def _cell_parts(
    row: Row, shape: Layout, packed: PackedWeights, room: Workspace, recurrent: float
) -> Iterator[Part]:
    T, B, H, L, tools = row.seq_length, row.batch_size, shape.H, row.num_layers, room.tools
    G, P = shape.G, shape.P
    a, d = room.a[0].reshape(T, B, G, P), room.d[0].reshape(T, B, P)
    h, extra = room.h[0].reshape(T + 1, B, P), room.extra[0]
    there = packed.matrices[packed.layers[0, W_HH, FORWARD] :]
    back = packed.matrices[packed.layers[0, W_HH, TRANSPOSED] :]
    match row.cell:
        case "rnn":
            forward = (rnn.forward, (a, h, there, H, tools))
            backward = (rnn.backward, (a, h, d, back, tools))
        case "lstm":
            c, t = room.c[0].reshape(T + 1, B, P), extra.reshape(T, B, P)
            dc = room.dc.reshape(B, shape.P)
            forward = (lstm.forward, (a, h, c, t, there, H, tools))
            backward = (lstm.backward, (a, c, t, d, dc, back, tools))
        case _:
            u, b = extra.reshape(T, B, G, P), np.zeros(H, np.float32)
            forward = (gru.forward, (a, h, u, b, there, H, tools))
            backward = (gru.backward, (a, h, u, d, back, tools))
    yield "cells, forward", lambda: forward[0](*forward[1]), recurrent, L
    yield "cells, backward", lambda: backward[0](*backward[1]), recurrent, L


def _outer(room: Workspace, a, M: int, d, pairs: bool) -> None:
    out = room.sums[: M * d.shape[1]].reshape(M, d.shape[1])
    sum_products = bfloat16.outer_pairs if pairs else packing.gemm_tn
    rest = (room.packed_a, room.packed_b, room.tools)
    sum_products(a, M, d, d.shape[1], out, len(a), *rest)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
