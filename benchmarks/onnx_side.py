"""ONNX Runtime: a graph of one step with the state going in and out, sampled in NumPy.

The fastest of two variants counts, each with one thread or all: the operators LSTM and RNN after a
one-hot, or the cell written out after a look-up.
"""

from __future__ import annotations

from functools import partial
from itertools import product

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from benchmarks import material
from benchmarks.job import Job, Step, fastest
from benchmarks.rows import Row

OPSET, IR = 17, 8


def prepare(row: Row, variant: str) -> Job:
    """Prepare generation, of rnn or lstm; training is not measured."""
    forms = {
        f"{form}, {'all threads' if threads == 0 else '1 thread'}": partial(
            _made, row, form, threads
        )
        for form, threads in product(("operator", "written out"), (0, 1))
    }
    note, step = fastest(forms)
    weights = material.weights(row)
    return Job(step, _check(row), sum(w.size for w in weights.values()), note)


def _made(row: Row, form: str, threads: int) -> Step:
    session, rng = _session(row, form, threads), np.random.default_rng(3)

    def step() -> int:
        codes, state = np.zeros(row.batch_size, np.int64), _zero(row, row.batch_size)
        for _ in range(row.seq_length):
            logits, *after = session.run(None, {"codes": codes, **state})
            state = dict(zip(state, after, strict=True))
            codes = _draw(logits, rng)
        return row.batch_size * row.seq_length

    return step


def _draw(logits, rng):
    """Sample a code from each row of logits (B, V), by inverting the cumulative distribution."""
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    sums = np.cumsum(e, axis=1)
    return (sums < rng.random((len(e), 1)) * sums[:, -1:]).sum(axis=1)


def _zero(row: Row, lanes: int):
    zero = np.zeros((1, lanes, row.hidden_size), np.float32)
    return {f"{kind}{n}": zero for n in range(row.num_layers) for kind in _states(row)}


def _states(row: Row) -> str:
    return "hc" if row.cell == "lstm" else "h"


def _session(row: Row, form: str, threads: int):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads  # 0: one per core
    options.log_severity_level = 3
    graph = _Graph(row, written_out=form == "written out").model().SerializeToString()
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


class _Graph:
    """Codes (B,) and states (1, B, H) → logits (B, V) and states."""

    def __init__(self, row: Row, *, written_out: bool) -> None:
        self.row, self.weights = row, material.weights(row)
        self.nodes, self.constants = [], []
        x = None if written_out else self._one_hot()
        for n in range(row.num_layers):
            x = self._written_out(n, x) if written_out else self._operator(n, x)
        flat = x if written_out else self._node("Squeeze", x, self._constant("axis0", [0]))
        inputs = [flat, self._weight("W_out"), self._weight("b_out")]
        self._node("Gemm", *inputs, outputs=["logits"])

    def model(self):
        row, B = self.row, self.row.batch_size
        shape = (1, "B", row.hidden_size)
        names = [f"{kind}{n}" for n in range(row.num_layers) for kind in _states(row)]
        info = helper.make_tensor_value_info
        graph = helper.make_graph(
            self.nodes,
            f"step of {B}",
            [info("codes", TensorProto.INT64, ["B"])]
            + [info(name, TensorProto.FLOAT, shape) for name in names],
            [info("logits", TensorProto.FLOAT, ["B", row.vocabulary_size])]
            + [info(f"{name}_after", TensorProto.FLOAT, shape) for name in names],
            self.constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
        model.ir_version = IR
        onnx.checker.check_model(model)
        return model

    def _node(self, kind: str, *inputs: str, outputs=None, **attributes) -> str:
        outputs = outputs or [f"{kind}_{len(self.nodes)}"]
        self.nodes.append(helper.make_node(kind, inputs, outputs, **attributes))
        return outputs[0]

    def _constant(self, name: str, value, dtype=np.int64) -> str:
        if all(each.name != name for each in self.constants):
            self.constants.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def _weight(self, name: str) -> str:
        return self._constant(name, self.weights[name], np.float32)

    def _one_hot(self) -> str:
        depth = self._constant("depth", self.row.vocabulary_size)
        x = self._node("OneHot", "codes", depth, self._constant("values", [0, 1], np.float32))
        return self._node("Unsqueeze", x, self._constant("axis0", [0]))  # (1, B, V)

    def _operator(self, n: int, x: str) -> str:
        """The gates of ONNX come in the order i, o, f, c; weights are (1, G·H, inputs)."""
        row, H, lstm = self.row, self.row.hidden_size, self.row.cell == "lstm"
        order = [0, 3, 1, 2] if lstm else [0]

        def ordered(name: str):
            blocks = np.split(self.weights[f"layer{n}.{name}"], len(order), axis=-1)
            return np.concatenate([blocks[k] for k in order], axis=-1)

        W = self._constant(f"W{n}", ordered("W_ih").T[None], np.float32)
        R = self._constant(f"R{n}", ordered("W_hh").T[None], np.float32)
        b = ordered("b")
        b = self._constant(f"B{n}", np.concatenate([b, 0 * b])[None], np.float32)
        states = [f"{kind}{n}" for kind in _states(row)]
        out = [f"Y{n}", *(f"{state}_after" for state in states)]
        kind = "LSTM" if lstm else "RNN"
        self._node(kind, x, W, R, b, "", *states, outputs=out, hidden_size=H)
        return self._node("Squeeze", f"Y{n}", self._constant("axis1", [1]))  # (1, B, H)

    def _written_out(self, n: int, x: str | None) -> str:
        w_ih, zero = self._weight(f"layer{n}.W_ih"), self._constant("axis0", [0])
        if x is None:
            a = self._node("Gather", w_ih, "codes")
            a = self._node("Add", a, self._weight(f"layer{n}.b"))
        else:
            a = self._node("Gemm", x, w_ih, self._weight(f"layer{n}.b"))
        h = self._node("Squeeze", f"h{n}", zero)
        a = self._node("Gemm", h, self._weight(f"layer{n}.W_hh"), a)
        if self.row.cell == "rnn":
            h = self._node("Tanh", a)
        else:
            i, f, g, o = (f"{gate}{n}" for gate in "ifgo")
            self._node("Split", a, outputs=[i, f, g, o], axis=1)
            i, f, o = (self._node("Sigmoid", gate) for gate in (i, f, o))
            kept = self._node("Mul", f, self._node("Squeeze", f"c{n}", zero))
            c = self._node("Add", kept, self._node("Mul", i, self._node("Tanh", g)))
            h = self._node("Mul", o, self._node("Tanh", c))
            self._node("Unsqueeze", c, zero, outputs=[f"c{n}_after"])
        self._node("Unsqueeze", h, zero, outputs=[f"h{n}_after"])
        return h


def _check(row: Row) -> float:
    """Return the loss of both variants, which must agree."""
    losses = [_loss(row, _session(row, form, 1)) for form in ("operator", "written out")]
    assert abs(losses[0] - losses[1]) < 1e-3, f"the two graphs differ: {losses}"
    return losses[0]


def _loss(row: Row, session) -> float:
    text, state, rows = material.check_codes(row).astype(np.int64), _zero(row, 1), []
    for code in text[:-1]:
        logits, *after = session.run(None, {"codes": np.array([code]), **state})
        state = dict(zip(state, after, strict=True))
        rows.append(logits[0])
    return material.mean_loss(np.array(rows), text[1:])
