"""Comparisons of kernels/training with model/ and training/optim."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from contracts.kernel_twins.gemm import close, random, same
from contracts.kernel_twins.plain import load, run
from model.gradient_check import Problem, make_problem
from nextchar.model import dropout as masks
from nextchar.model.loss import cross_entropy as readable_cross_entropy
from nextchar.model.network import forward, loss_and_gradient
from nextchar.model.parameters import Parameters
from nextchar.settings.config import Settings
from nextchar.training.optim import optimizers
from nextchar.training.optim.optimizers import clip

Array = NDArray[Any]

# activations


def activation(name: str, function: Callable[[Array], Array]) -> Callable[[], None]:
    """Hold a function to NumPy's in float64, to 4 ulp, over the range where it changes."""

    def compare() -> None:
        single = not name.endswith("64")
        kind = np.float32 if single else np.float64
        edges = [-200.0, -104.5, -89.5, 0.0, 1e-3, 0.6, 0.624, 0.626, 88.5, 120.0, np.inf, -np.inf]
        x = np.array([*np.linspace(-9, 9, 41), *edges], kind)
        if not single:
            x = np.array([*x, 708.5, 709.5, 710.0])
        with np.errstate(over="ignore"):
            wanted = function(x.astype(np.float64)).astype(kind)
        if "apply" in name:
            out = np.full_like(x, np.nan)
            run(f"training.activations.{name}", x, out)
        else:
            out = np.array([run(f"training.activations.{name}", each) for each in x], kind)
        with np.errstate(invalid="ignore"):  # infinity less infinity
            near = np.nextafter(np.abs(wanted), kind(np.inf)) - np.abs(wanted)
            off = np.where(wanted == out, 0, np.abs(out - wanted))
        near[np.isinf(wanted)] = 0
        assert (off <= 4 * near).all()
        if "apply" not in name:
            assert np.isnan(run(f"training.activations.{name}", kind(np.nan)))

    return compare


def sigmoid(x: Array) -> Array:
    return np.exp(-np.logaddexp(0, -x))


def by_type(name: str, function: Callable[[Array], Array]) -> Callable[[], None]:
    """Hold a choice by type to both types: the result keeps its type."""

    def compare() -> None:
        for kind in (np.float32, np.float64):
            found = run(f"training.activations.{name}", kind(0.7))
            close(found, function(np.array(0.7)), 1e-6 if kind == np.float32 else 1e-15)

    return compare


# lookup: codes (N,), gates (N, G, P) with H = 3 of P = 4

N, V, G, H = 11, 5, 2, 3
CODES = np.random.default_rng(0).integers(0, V, N)


def lookup_with_bias() -> None:
    W, b, a = random(V, G * H), random(1, G * H)[0], np.zeros((N, G, 4))
    run("training.lookup.lookup_with_bias", CODES, W, b, a)
    same(a[:, :, :H], (W[CODES] + b).reshape(N, G, H))
    assert not a[:, :, H:].any()


def lookup() -> None:
    E, x = random(V, 3), np.zeros((N, 4))
    run("training.lookup.lookup", CODES, E, x)
    same(x, np.pad(E[CODES], ((0, 0), (0, 1))))


def broadcast_bias() -> None:
    b, a = random(1, G * H)[0], np.full((N, G, 5), np.nan)
    run("training.lookup.broadcast_bias", a, b)
    same(a, np.broadcast_to(np.pad(b.reshape(G, H), ((0, 0), (0, 2))), a.shape))


def sums_by_code(name: str, before: float) -> Callable[[], None]:
    def compare() -> None:
        d, out = random(N, G, 4), np.full((V, G * H), before or np.nan)
        if before:
            out[:] = random(V, G * H)
        wanted = np.eye(V)[CODES].T @ d[:, :, :H].reshape(N, G * H) + (out if before else 0)
        run(f"training.lookup.{name}", CODES, d, out)
        close(out, wanted)

    return compare


def sum_rows() -> None:
    d, out = random(N, G, 4), np.full(G * H, np.nan)
    run("training.lookup.sum_rows", d, out)
    close(out, d[:, :, :H].sum(axis=0).ravel())


def sum_gate() -> None:
    d, out = random(N, 3, 4), np.full(H, np.nan)
    run("training.lookup.sum_gate", d, 2, out)
    close(out, d[:, 2, :H].sum(axis=0))


# loss


def cross_entropy() -> None:
    for size in (1, 5, 16, 40):
        z = 5 * random(6, size + 3)
        targets = np.random.default_rng(1).integers(0, size, 6)
        wanted, gradient = readable_cross_entropy(z[:, :size].copy(), targets)
        padding = z[:, size:].copy()
        loss = run("training.loss.cross_entropy", z, targets, size, 0.3, np.zeros(16))
        close(loss, wanted)
        close(z[:, :size], gradient * 0.3)
        same(z[:, size:], padding)


def row_maximum() -> None:
    for size in (1, 15, 16, 17, 47):
        for place in range(0, size, 1 + size // 32):
            row = random(1, size)[0] - 9
            row[place] = 3.0
            assert run("training.loss._row_maximum", row, np.zeros(16)) == 3.0
            assert run("training.loss._row_maximum", row - 50, np.zeros(16)) == -47.0


# dropout


def apply_dropout() -> None:
    problem = make_problem("rnn", layers=2, T=4, B=5)
    architecture = problem.parameters.architecture
    rate, layer, first, B = 0.4, 1, 2, 3  # three of five lanes, from the third on
    mask = masks.draw_masks(architecture, 4, 5, rate, seed=3, step=7, dtype=np.float64)
    made = load("training.dropout").make_dropout(2, rate, 3, 7)
    h, out = random(4, B, 4), np.full((4, B, 4), np.nan)
    run("training.dropout.apply_dropout", h, out, layer, made, H, first, 5)
    assert mask
    close(out[:, :, :H], h[:, :, :H] * mask[layer][:, first : first + B])


def hashes(name: str) -> Callable[[], None]:
    def compare() -> None:
        numbers = np.arange(0, 2**32, 2**27 + 12345, dtype=np.uint64).astype(np.uint32)
        keys = np.uint32(0x12345678), np.uint32(0x9ABCDEF0)
        with np.errstate(over="ignore"):
            wanted = masks._hash(numbers, *keys) if name == "_hash" else masks._mixed(numbers)
        more = keys if name == "_hash" else ()
        same([run(f"training.dropout.{name}", each, *more) for each in numbers], wanted)

    return compare


# whole steps


class Case(NamedTuple):
    """Lanes 2 and 3 of the five that are here, which are 1 to 5 of the seven of a batch."""

    problem: Problem
    rate: float
    T: int = 3
    B: int = 2
    first: int = 2
    first_lane: int = 1
    lanes: int = 7


def cases(*cells: str) -> Iterator[Case]:
    for cell in cells or ("lstm", "gru", "rnn"):
        yield Case(make_problem(cell, layers=2, T=3, B=5), 0.0)
        yield Case(make_problem(cell, layers=3, embedding=2, T=3, B=5, V=9), 0.4)
        yield Case(make_problem(cell, layers=1, tied=True, T=3, B=5), 0.0)
        yield Case(make_problem(cell, layers=1, T=3, B=5, V=9), 0.0)  # more codes than rows


def wanted_of(case: Case) -> tuple[float, Array, Parameters]:
    """Loss, state and gradient of the lanes by the readable network."""
    p, lanes = case.problem, slice(case.first, case.first + case.B)
    architecture = p.parameters.architecture
    gradient = Parameters(architecture, dtype=np.float64)
    drawn = masks.draw_masks(
        architecture, case.T, case.lanes, case.rate, seed=3, step=7, dtype=np.float64
    )
    begin = case.first_lane + case.first
    loss, state = loss_and_gradient(
        p.parameters, p.codes[:, lanes], p.targets[:, lanes], p.state[:, :, lanes], gradient,
        scale=0.25, masks=drawn and [each[:, begin : begin + case.B] for each in drawn],
    )  # fmt: skip
    return loss, state, gradient


def step_arguments(case: Case) -> tuple[Any, ...]:
    """Layout, packed weights, workspace, gradient and inputs of a step."""
    p, dtype = case.problem, case.problem.parameters.dtype
    architecture = p.parameters.architecture
    layout = load("layout").layout_of(architecture, dtype)
    weights, memory = load("gemm.packed_weights"), load("training.workspace")
    packed = weights.allocate_packed_weights(layout, dtype)
    run("gemm.packed_weights.pack_weights", layout, p.parameters.flat, packed, 0, 1)
    size = memory.WorkspaceSize(case.T + 1, case.B + 1, dropout=case.rate > 0)
    workspace = memory.allocate_workspace(layout, size, dtype)
    inputs = load("training.step").StepInputs(
        parameters=p.parameters.flat, codes=p.codes, targets=p.targets, state=p.state,
        new_state=np.full_like(p.state, np.nan), scale=0.25,
        dropout=load("training.dropout").make_dropout(layout.L, case.rate, 3, 7),
        first_lane=case.first_lane, lanes=case.lanes,
    )  # fmt: skip
    return layout, packed, workspace, np.full(architecture.size, np.nan), inputs


def check_step(case: Case, *, in_buckets: bool = False) -> None:
    layout, packed, workspace, gradient, inputs = step_arguments(case)
    before, lanes = case.problem.state.copy(), (case.first, case.B)
    if in_buckets:
        loss = run("training.step.forward_to_loss", layout, packed, workspace, inputs, *lanes)
        for n in range(layout.L, -1, -1):
            run("training.step.backward_bucket", layout, packed, workspace, gradient, inputs, n,
                *lanes)  # fmt: skip
    else:
        loss = run("training.step.step", layout, packed, workspace, gradient, inputs, *lanes)
    wanted, state, by_name = wanted_of(case)
    close(loss, wanted)
    close(gradient, by_name.flat, 1e-10)
    here = slice(case.first, case.first + case.B)
    close(inputs.new_state[:, :, here], state)
    assert np.isnan(np.delete(inputs.new_state, [2, 3], axis=2)).all(), "others' lanes are written"
    same(case.problem.state, before)


def steps(*cells: str, in_buckets: bool = False) -> Callable[[], None]:
    def compare() -> None:
        for case in cases(*cells):
            check_step(case, in_buckets=in_buckets)

    return compare


def refuses_codes(name: str) -> Callable[[], None]:
    """A step and its checks of codes and targets, each at its bounds."""

    def compare() -> None:
        steps("rnn", in_buckets="bucket" in name or "loss" in name)()
        for where in ("codes", "targets"):
            for code in (-1, 5):
                case = next(cases("rnn"))
                getattr(case.problem, where)[2, 2] = code
                layout, packed, workspace, gradient, inputs = step_arguments(case)
                loss = run("training.step.step", layout, packed, workspace, gradient, inputs, 2, 2)
                assert loss == -1.0
                assert np.isnan(gradient).all(), "something was done"

    return compare


def predict() -> None:
    for case in cases("lstm", "gru"):
        layout, packed, workspace, _, _ = step_arguments(case)
        p = case.problem
        state = p.state[:, :, :2].copy()
        new_state, codes = np.full_like(state, np.nan), p.codes[:, :2].copy()
        none = load("training.dropout").NO_DROPOUT
        run("training.step.predict", layout, p.parameters.flat, packed, workspace, codes, state,
            new_state, none)  # fmt: skip
        logits, wanted, _ = forward(p.parameters, codes, state)
        found = workspace.logits[: 6 * layout.VP].reshape(3, 2, layout.VP)
        close(found[:, :, : layout.V], logits)
        close(new_state, wanted)


def copy_lanes() -> None:
    narrow, wide = random(2, 3), random(2, 4)
    into = wide.copy()
    run("training.forward._copy_lanes", into, narrow)
    same(into, np.concatenate([narrow, wide[:, 3:]], axis=1))
    out = np.full((2, 3), np.nan)
    run("training.forward._copy_lanes", out, wide)
    same(out, wide[:, :3])


def views(name: str, *shape: int) -> Callable[[], None]:
    """A view of the first numbers of a memory; H = 3 is padded to 4."""

    def compare() -> None:
        layout = load("layout").layout_of(make_problem("lstm").parameters.architecture, np.float64)
        memory = np.arange(500.0)
        found = run(f"training.forward.{name}", layout, memory, 2, 3)
        same(found, np.arange(float(np.prod(shape))).reshape(shape))
        assert found.base is not None

    return compare


def without_padding() -> None:
    dW = random(3, 8)
    into = np.full(3 * 2 * 3, np.nan)
    run("training.backward._without_padding", dW, 3, into, 2)
    same(into, dW.reshape(3, 2, 4)[:, :, :3].ravel())


# optimizers


def add_shards() -> None:
    for first, end in ((0, 11), (3, 9), (2, 6)):
        for count in (1, 3):
            shards, out = random(count, 11), np.full(11, np.nan)
            squares = run("training.optimizers.add_shards", shards, out, first, end)
            close(out[first:end], shards[:, first:end].sum(axis=0))
            assert np.isnan(np.delete(out, range(first, end))).all()
            close(squares, (out[first:end] ** 2).sum())


def updates(*names: str) -> Callable[[], None]:
    """Steps of optimizers, clipped by norm, by value and not, over ranges that meet anywhere."""

    def compare() -> None:
        for name in names:
            for options in ({}, {"clip": 0.9}, {"clip": 0.3, "clip_by": "value"}):
                for cut in (0, 3, 7, 10):
                    check_update(name, options, cut)

    return compare


def check_update(name: str, options: dict[str, Any], cut: int) -> None:
    settings = Settings.make(optimizer=name, weight_decay=0.1, **options).training
    kernel = load("training.optimizers")
    mine, gradient = random(1, 10)[0], random(10, 1)[:, 0]
    slots = optimizers.make_slots(name, mine)
    theirs, theirs_slots = mine.copy(), optimizers.make_slots(name, mine)
    for step in (1, 2, 3):
        constants = kernel.update_constants(
            settings, norm=float(np.linalg.norm(gradient)), learning_rate=0.1, step=step
        )
        own = tuple([*slots.values(), mine[:0], mine[:0]][:2])
        before = gradient.copy()
        for first, end in ((0, cut), (cut, 10)):
            run("training.optimizers.update", constants, mine, gradient, own, first, end, 6)
        same(gradient, before)
        clip(before, settings.clip, settings.clip_by)
        optimizers.update(
            theirs, before, theirs_slots, learning_rate=0.1, step=step, settings=settings,
            matrix_size=6,
        )  # fmt: skip
        close(mine, theirs)
        gradient = np.roll(gradient, 1) * 0.9


ALL = ("sgd", "momentum", "adagrad", "rmsprop", "adam", "adamw")
STEP, FORWARD, BACKWARD = "training.step.", "training.forward.", "training.backward."

TWINS: dict[str, Callable[[], None]] = {
    "training.activations.tanh": by_type("tanh", np.tanh),
    "training.activations.tanh32": activation("tanh32", np.tanh),
    "training.activations.tanh64": activation("tanh64", np.tanh),
    "training.activations.exp": by_type("exp", np.exp),
    "training.activations.exp32": activation("exp32", np.exp),
    "training.activations.exp64": activation("exp64", np.exp),
    "training.activations.sigmoid": activation("sigmoid", sigmoid),
    "training.activations.apply_tanh": activation("apply_tanh", np.tanh),
    "training.activations.apply_exp": activation("apply_exp", np.exp),
    "training.activations.apply_sigmoid": activation("apply_sigmoid", sigmoid),
    "training.lookup.lookup_with_bias": lookup_with_bias,
    "training.lookup.lookup": lookup,
    "training.lookup.broadcast_bias": broadcast_bias,
    "training.lookup.sum_by_code": sums_by_code("sum_by_code", 0.0),
    "training.lookup.scatter_add": sums_by_code("scatter_add", 1.0),
    "training.lookup.sum_rows": sum_rows,
    "training.lookup.sum_gate": sum_gate,
    "training.loss.cross_entropy": cross_entropy,
    "training.loss._row_maximum": row_maximum,
    "training.dropout.apply_dropout": apply_dropout,
    "training.dropout._hash": hashes("_hash"),
    "training.dropout._mixed": hashes("_mixed"),
    **{
        f"training.{cell}.{part}": steps(cell)
        for cell in ("rnn", "lstm", "gru")
        for part in ("forward", "_gates", "backward", "_gates_backward")
        if cell != "rnn" or not part.startswith("_")
    },
    **{STEP + name: refuses_codes(name) for name in ("step", "_loss")},
    STEP + "forward_to_loss": steps("lstm", in_buckets=True),
    STEP + "backward_bucket": steps("lstm", in_buckets=True),
    STEP + "predict": predict,
    FORWARD + "states": views("states", 2, 3, 4),
    FORWARD + "gates": views("gates", 2, 3, 4, 4),
    FORWARD + "_copy_lanes": copy_lanes,
    **{
        FORWARD + name: steps()
        for name in (
            "forward", "project", "load_states", "store_states", "layer_output", "_input", "_cell",
        )
    },
    BACKWARD + "_without_padding": without_padding,
    **{
        BACKWARD + name: steps()
        for name in (
            "backward", "layer_backward", "output_backward", "_cell_backward",
            "_recurrent_gradient", "_input_gradient", "_embedding_gradient", "_weight_gradient",
        )
    },
    "training.optimizers.add_shards": add_shards,
    "training.optimizers.update": updates(*ALL),
    "training.optimizers._update": updates(*ALL),
    "training.optimizers._momentum": updates("sgd", "momentum"),
    "training.optimizers._rmsprop": updates("adagrad", "rmsprop"),
    "training.optimizers._adam": updates("adam", "adamw"),
    "training.optimizers._clipped": updates("sgd"),
}  # fmt: skip
