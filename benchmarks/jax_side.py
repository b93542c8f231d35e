"""JAX: one jitted training step with `lax.scan` over time and donated buffers.

The fastest of three variants counts: one-hot input as a product or as a look-up, and the scan
unrolled.
"""

from __future__ import annotations

from functools import partial
from itertools import count

import jax
import jax.numpy as jnp
from jax import lax

from benchmarks import material
from benchmarks.job import Job, Step, fastest
from benchmarks.rows import Row


def prepare(row: Row, variant: str) -> Job:
    """Prepare a training step; generation is not measured."""
    forms = {
        "look-up": partial(_made, row, one_hot=False, unroll=1),
        "one-hot product": partial(_made, row, one_hot=True, unroll=1),
        "look-up, scan unrolled by 8": partial(_made, row, one_hot=False, unroll=8),
    }
    note, step = fastest(forms)
    inputs, targets = map(jnp.asarray, material.stacked(row))
    loss, _ = _loss(_weights(row), inputs[0], targets[0], _zero(row), row, False, 1)
    return Job(step, float(loss), sum(w.size for w in _weights(row).values()), note)


def _weights(row: Row):
    return {name: jnp.asarray(value) for name, value in material.weights(row).items()}


def _zero(row: Row):
    states = 2 if row.cell == "lstm" else 1
    return jnp.zeros((row.num_layers, states, row.batch_size, row.hidden_size), jnp.float32)


def _made(row: Row, *, one_hot: bool, unroll: int) -> Step:
    p = _weights(row)
    means, squares = ({name: jnp.zeros_like(w) for name, w in p.items()} for _ in range(2))
    inputs, targets = map(jnp.asarray, material.stacked(row))
    state, steps = _zero(row), count()
    run = jax.jit(
        partial(_train_step, row=row, one_hot=one_hot, unroll=unroll), donate_argnums=(0, 1, 2)
    )

    def step() -> int:
        nonlocal p, means, squares, state
        number = next(steps)
        batch = number % material.STEPS
        if batch == 0:
            state = _zero(row)
        p, means, squares, state, loss = run(
            p, means, squares, state, inputs[batch], targets[batch], number + 1.0
        )
        loss.block_until_ready()
        return row.batch_size * row.seq_length

    return step


def _train_step(p, means, squares, state, inputs, targets, number, *, row, one_hot, unroll):
    (loss, state), d = jax.value_and_grad(_loss, has_aux=True)(
        p, inputs, targets, state, row, one_hot, unroll
    )
    norm = jnp.sqrt(sum((g**2).sum() for g in d.values()))
    scale = jnp.minimum(material.CLIP / (norm + 1e-6), 1.0)
    b1, b2 = material.BETA_1, material.BETA_2
    for name, g in d.items():
        g = g * scale
        means[name] = b1 * means[name] + (1 - b1) * g
        squares[name] = b2 * squares[name] + (1 - b2) * g * g
        root = jnp.sqrt(squares[name] / (1 - b2**number)) + material.EPSILON
        p[name] = p[name] - material.LEARNING_RATE / (1 - b1**number) * means[name] / root
    return p, means, squares, state, loss


def _loss(p, inputs, targets, state, row, one_hot, unroll):
    x = jax.nn.one_hot(inputs, row.vocabulary_size) if one_hot else None
    after = []
    for n in range(row.num_layers):
        w = {name: p[f"layer{n}.{name}"] for name in ("W_ih", "W_hh", "b")}
        a = (w["W_ih"][inputs] if x is None else x @ w["W_ih"]) + w["b"]  # (T, B, G·H)
        b_hn = p.get(f"layer{n}.b_hn")
        last, x = lax.scan(partial(_CELLS[row.cell], w["W_hh"], b_hn), state[n], a, unroll=unroll)
        after.append(last)
    logits = x @ p["W_out"] + p["b_out"]  # (T, B, V)
    logs = jax.nn.log_softmax(logits)
    loss = -jnp.take_along_axis(logs, targets[..., None], axis=-1).mean()
    return loss, jnp.stack(after)


def _rnn(w_hh, _, state, a):
    h = jnp.tanh(a + state[0] @ w_hh)
    return h[None], h


def _lstm(w_hh, _, state, a):
    h, c = state
    i, f, g, o = jnp.split(a + h @ w_hh, 4, axis=1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    h = jax.nn.sigmoid(o) * jnp.tanh(c)
    return jnp.stack([h, c]), h


def _gru(w_hh, b_hn, state, a):
    h = state[0]
    (ar, az, an), (ur, uz, un) = jnp.split(a, 3, axis=1), jnp.split(h @ w_hh, 3, axis=1)
    r, z = jax.nn.sigmoid(ar + ur), jax.nn.sigmoid(az + uz)
    n = jnp.tanh(an + r * (un + b_hn))
    h = (1 - z) * n + z * h
    return h[None], h


_CELLS = {"rnn": _rnn, "lstm": _lstm, "gru": _gru}
