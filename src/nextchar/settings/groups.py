"""The settings of training in three frozen dataclasses: text, network, training.

The fields make the options of the command line, the arguments of `CharRNN`, `config.toml` and the
tables of the documentation. Each default is written once, here. Nothing heavy is imported.
"""

from __future__ import annotations

from dataclasses import dataclass

from nextchar.errors import SettingsError
from nextchar.settings.fields import (
    Validated,
    escaped,
    require_at_most_one,
    seconds_of,
    setting,
    unescaped,
)

CELLS = ("rnn", "lstm", "gru")
INITIALISATIONS = ("uniform", "glorot", "orthogonal", "normal")
OPTIMIZERS = ("sgd", "momentum", "adagrad", "rmsprop", "adam", "adamw")
SCHEDULES = ("constant", "step", "cosine", "linear")
RESERVED = "\ufdd0"  # a noncharacter; ends a record where the delimiter is no single character
BUDGETS = ("epochs", "steps", "time")  # exactly one of them ends a run


# a table of settings: default and help first, limits in the last line
# fmt: off
@dataclass(frozen=True, kw_only=True)
class TextSettings(Validated):
    """Conversion of files into characters, and of characters into codes."""

    encoding: str = setting("utf-8", "Encoding of the text files.", metavar="NAME")
    normalize: str | None = setting(
        None, "Unicode normalization form that the text is converted to.",
        choices=("NFC", "NFD", "NFKC", "NFKD"), unset="none",
    )
    pattern: str = setting(
        "*",
        "Glob that selects the files of a folder; * selects all except hidden and binary files.",
        metavar="GLOB",
    )
    alphabet: str = setting(
        "characters",
        "Symbols that are predicted: the code points of the text, or the 256 byte values, with "
        "which any file can be read.",
        choices=("characters", "bytes"),
    )
    min_count: int = setting(
        1, "Replace characters that occur fewer than N times by one unknown symbol.", low=1
    )
    records: str | None = setting(
        None,
        "Read the text as a list of records and learn where each one begins and ends: line (one "
        "per line), file (one per file), or the delimiter between two, such as '%%' or '\\n\\n'. "
        "The seed shuffles the records before the validation part is split off.",
        metavar="line|file|TEXT", unset="running text",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.records is not None:
            object.__setattr__(self, "records", _records(self.records, self.alphabet))


def _records(value: str, alphabet: str) -> str:
    """The canonical form of the setting `records`: line, file, or the delimiter with escapes."""
    delimiter = unescaped(value).replace("\r\n", "\n")
    if delimiter == "\n" or value == "line":
        return "line"
    if not delimiter or RESERVED in delimiter:
        raise SettingsError("must be line, file or a delimiter", setting="records", value=value)
    if alphabet == "bytes" and (value == "file" or len(delimiter) > 1 or delimiter > "\xff"):
        problem = "must be line or a single byte with the bytes alphabet"
        remedy = "separate the records by a byte that they lack, such as '\\0'"
        raise SettingsError(problem, setting="records", value=value, remedy=remedy)
    return escaped(delimiter)


@dataclass(frozen=True, kw_only=True)
class NetworkSettings(Validated):
    """Architecture of the network, apart from the size of the vocabulary."""

    cell: str = setting("lstm", "Recurrent cell.", choices=CELLS)
    hidden_size: int = setting(256, "Hidden units of each layer (H).", low=1, high=10**5)
    num_layers: int = setting(2, "Recurrent layers (L).", low=1, high=1000)
    embedding_size: int = setting(
        0, "Width of a learnt input embedding (E); 0 is one-hot input.", low=0, high=10**5
    )
    tied: bool = setting(
        False, "Use the embedding as output weights too; needs embedding_size = hidden_size."
    )
    initialisation: str = setting(
        "orthogonal", "Initial distribution of the weights.", choices=INITIALISATIONS
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.tied and self.embedding_size != self.hidden_size:
            sizes = f"{self.embedding_size} and {self.hidden_size}"
            problem = f"needs embedding_size equal to hidden_size, not {sizes}"
            remedy = f"set embedding_size to {self.hidden_size}"
            raise SettingsError(problem, setting="tied", remedy=remedy)


@dataclass(frozen=True, kw_only=True)
class TrainingSettings(Validated):
    """Training and evaluation of the network."""

    seq_length: int = setting(
        64, "Characters that the gradient is propagated back through (T).", low=1
    )
    batch_size: int = setting(32, "Sequences of a batch, called lanes (B).", low=1)
    batching: str = setting(
        "stream",
        "stream: each lane reads its own part of the text and carries its state from batch to "
        "batch; windows: shuffled windows, each from the zero state.",
        choices=("stream", "windows"),
    )
    restart_every: int = setting(
        32,
        "Reset each lane's state to zero every N batches, so that the model also sees the state "
        "that evaluation and generation start from; 0 disables it.",
        low=0,
    )
    lane_starts: str = setting(
        "random",
        "Where the lanes of --batching stream begin in the text: random shifts them before each "
        "pass, so that the text is cut into batches differently each time; fixed does not.",
        choices=("random", "fixed"),
    )
    stride: int | None = setting(
        None, "Characters from the start of a window to the start of the next.",
        low=1, unset="seq_length",
    )
    optimizer: str = setting("adam", "Optimizer that updates the weights.", choices=OPTIMIZERS)
    learning_rate: float = setting(0.01, "Peak learning rate.", above=0.0)
    momentum: float = setting(
        0.9, "Momentum coefficient, with --optimizer momentum.", low=0.0, below=1.0
    )
    schedule: str = setting(
        "cosine",
        "Course of the learning rate after the warm-up: constant, dropping in steps, or falling to "
        "zero along half a cosine or a line.",
        choices=SCHEDULES,
    )
    warmup: int = setting(
        100, "Steps over which the learning rate rises linearly from zero.", low=0
    )
    decay_every: float = setting(
        0.1, "Fraction of the run between two drops of the learning rate, with --schedule step.",
        above=0.0,
    )
    decay_factor: float = setting(
        0.5, "Factor by which each drop multiplies the learning rate, with --schedule step.",
        above=0.0, high=1.0,
    )
    clip: float = setting(1.0, "Threshold of gradient clipping; 0 disables it.", low=0.0)
    clip_by: str = setting(
        "norm", "Clip the global norm of the gradient, or each of its values.",
        choices=("value", "norm"),
    )
    on_divergence: str = setting(
        "retry",
        "When the loss or the gradient becomes NaN or infinite: stop, or roll back to the last "
        "good evaluation and retry at half the learning rate, at most three times.",
        choices=("stop", "retry"),
    )
    dropout: float = setting(
        0.0, "Probability of dropping a hidden unit in training.", low=0.0, below=1.0, metavar="P"
    )
    weight_decay: float = setting(
        0.0, "Weight decay of the weight matrices; decoupled from the gradient in adamw.", low=0.0
    )
    epochs: float | None = setting(None, "Stop after X passes over the text.", above=0.0)
    steps: int | None = setting(3000, "Stop after N steps.", low=1)
    time: str | None = setting(
        None, "Stop after this time, evaluations included: 90s, 5m, 2h.", metavar="T"
    )
    val_fraction: float = setting(
        0.1, "Fraction of the text held out for validation, at its end.", low=0.0, below=1.0
    )
    test_fraction: float = setting(
        0.0,
        "Fraction held out as a test set, just before the validation part; evaluated once, at the "
        "end.",
        low=0.0, below=1.0,
    )
    eval_every: int | None = setting(
        None, "Steps between evaluations.", low=1, unset="20 a run, or as --time allows"
    )
    patience: int | None = setting(
        None, "Early stopping: stop after N evaluations in a row without a new best.",
        low=1, unset="off",
    )
    sample_every: int | None = setting(
        None, "Print a text of the model every N steps.", low=1, unset="never"
    )
    keep_samples: int = setting(
        8,
        "Store up to N texts of the model in the run directory, written in the course of the run; "
        "0 stores none.",
        low=0, high=1000,
    )
    eval_characters: int = setting(
        200_000,
        "Evaluate on the first N characters of the validation part; on fewer where --time is "
        "short.",
        low=2,
    )
    seed: int = setting(
        1, "Seed of all random numbers: initial weights, order of records and windows, dropout.",
        low=0, high=2**63 - 1,
    )
    threads: int | None = setting(None, "Worker threads.", low=1, unset="the usable physical cores")
    compress_gradients: str = setting(
        "none",
        "Compression of the gradients that the ranks of mpiexec exchange: bf16 halves the bytes.",
        choices=("none", "bf16"),
    )
    dtype: str = setting(
        "auto",
        "Precision. bfloat16 rounds the operands of matrix products and keeps weights and sums in "
        "float32; it needs a CPU with avx512_bf16. auto is bfloat16 there, float32 elsewhere.",
        choices=("auto", "float32", "bfloat16", "float64"),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        require_at_most_one(BUDGETS, vars(self))
        if all(getattr(self, name) is None for name in BUDGETS):
            raise SettingsError("one of epochs, steps and time is needed to end the run")
        if self.time is not None:
            seconds_of(self.time)
        if self.val_fraction + self.test_fraction >= 1:
            fraction, remedy = self.test_fraction, "leave a part of the text to train on"
            problem = f"must be below 1 together with val_fraction, which is {self.val_fraction:g}"
            raise SettingsError(problem, setting="test_fraction", value=fraction, remedy=remedy)


# fmt: on
