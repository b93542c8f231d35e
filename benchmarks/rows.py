"""Rows of the tables and their contenders, as data."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True)
class Contender:
    """A contender: the function `prepare(row, variant)` in a module of this package.

    precision: ratios are taken within a precision, and over all of them.
    needs: CPU feature that it requires.
    """

    label: str
    module: str
    variant: str = ""
    precision: str = "float32"
    needs: str = ""
    is_ours: bool = False


CONTENDERS = {
    "nextchar": Contender("nextchar", "nextchar_side", "float32", is_ours=True),
    "nextchar-bf16": Contender(
        "nextchar bfloat16", "nextchar_side", "bfloat16", "bfloat16", "avx512_bf16", is_ours=True
    ),
    "torch": Contender("PyTorch eager", "torch_side", "eager"),
    "torch-compile": Contender("PyTorch torch.compile", "torch_side", "compile"),
    "torch-bf16": Contender(
        "PyTorch bf16 autocast", "torch_side", "autocast", "bfloat16", "avx512_bf16"
    ),
    "jax": Contender("JAX jit + lax.scan", "jax_side"),
    "onnx": Contender("ONNX Runtime", "onnx_side"),
    "numpy": Contender("plain NumPy loop", "numpy_side", precision="float64"),
}

FLOAT32 = ("nextchar", "torch", "torch-compile", "jax")
BOTH = (*FLOAT32, "nextchar-bf16", "torch-bf16")
GENERATORS = ("nextchar", "torch", "onnx")


@dataclass(frozen=True)
class Row:
    """One line of a table.

    kind: "train" counts whole training steps; "generate" counts sampled characters, where
    batch_size is the number of streams and seq_length the characters of each in one call.
    targets: contender, or "best" peer, or "bfloat16" peer → target ratio.
    """

    name: str
    kind: str
    cell: str
    hidden_size: int
    num_layers: int
    batch_size: int
    seq_length: int
    contenders: tuple[str, ...]
    targets: dict[str, float] = dataclasses.field(default_factory=dict)
    vocabulary_size: int = 65

    @property
    def title(self) -> str:
        """Title for the report: `LSTM 128×1, B 50, T 50`."""
        model = f"{self.cell.upper()} {self.hidden_size}×{self.num_layers}"
        if self.kind == "generate":
            streams = "1 stream" if self.batch_size == 1 else f"{self.batch_size} streams"
            return f"{model}, {streams}"
        vocabulary = f", V {self.vocabulary_size:,}" if self.vocabulary_size != 65 else ""
        return f"{model}, B {self.batch_size}, T {self.seq_length}{vocabulary}"

    def flops_per_character(self) -> float:
        """FLOPs of the matrix products of training: forward, and twice that backward.

        The product of the one-hot input is a look-up and is not counted.
        """
        gates, H = {"rnn": 1, "lstm": 4, "gru": 3}[self.cell], self.hidden_size
        recurrent = self.num_layers * gates * H * H
        between = (self.num_layers - 1) * gates * H * H
        return 6.0 * (recurrent + between + H * self.vocabulary_size)


def _train(
    name: str,
    size: tuple[str, int, int, int, int],
    contenders: tuple[str, ...],
    targets: dict[str, float],
    V: int = 65,
) -> Row:
    return Row(f"train/{name}", "train", *size, contenders, targets, V)


def _generate(
    name: str, size: tuple[str, int, int], streams: int, targets: dict[str, float]
) -> Row:
    return Row(f"generate/{name}", "generate", *size, streams, 500, GENERATORS, targets)


ROWS = (
    _train("rnn-100x1", ("rnn", 100, 1, 1, 100), (*FLOAT32, "numpy"), {"best": 2.0, "numpy": 20.0}),
    _train("lstm-128x1", ("lstm", 128, 1, 50, 50), BOTH, {"best": 1.8, "bfloat16": 1.3}),
    _train("lstm-128x2", ("lstm", 128, 2, 50, 50), BOTH, {"best": 1.6, "bfloat16": 1.3}),
    _train("lstm-256x2", ("lstm", 256, 2, 64, 64), BOTH, {"best": 1.5, "bfloat16": 1.3}),
    _train("lstm-512x2", ("lstm", 512, 2, 64, 128), BOTH, {"best": 1.4, "bfloat16": 1.3}),
    _train("gru-256x2", ("gru", 256, 2, 64, 64), FLOAT32, {"best": 1.5}),
    _train(
        "lstm-128x1-v5000", ("lstm", 128, 1, 32, 64), BOTH, {"best": 1.3, "bfloat16": 1.3}, 5000
    ),
    _generate("rnn-100x1", ("rnn", 100, 1), 1, {"torch": 30.0}),
    _generate("lstm-128x1", ("lstm", 128, 1), 1, {"best": 6.0}),
    _generate("lstm-512x2", ("lstm", 512, 2), 1, {"best": 1.5}),
    _generate("lstm-512x2-64", ("lstm", 512, 2), 64, {"best": 2.0}),
)

# for the tests of the harness; in a table only if requested by name
TINY = (
    Row("tiny/train", "train", "rnn", 8, 1, 2, 5, (*FLOAT32, "numpy"), {"best": 1.0}),
    Row("tiny/lstm", "train", "lstm", 8, 2, 2, 5, BOTH, {"best": 1.0}),
    Row("tiny/gru", "train", "gru", 8, 2, 2, 5, FLOAT32, {"best": 1.0}),
    Row("tiny/generate", "generate", "lstm", 8, 2, 2, 20, GENERATORS, {"best": 1.0}),
    Row("tiny/generate-rnn", "generate", "rnn", 8, 1, 1, 20, GENERATORS, {"best": 1.0}),
)


def matches(name: str, pattern: str) -> bool:
    """Return whether a name matches a glob; tiny rows match only by their own name."""
    return fnmatchcase(name, pattern) and (
        not name.startswith("tiny/") or pattern.startswith("tiny/")
    )


def select(pattern: str, rows: Iterable[Row] = (*ROWS, *TINY)) -> list[Row]:
    """Return the rows that a glob matches: `train/*`, `*lstm-512x2*`."""
    return [row for row in rows if matches(row.name, pattern)]
