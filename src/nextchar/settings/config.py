"""Every setting: three frozen dataclasses that validate themselves, and the presets.

The fields here make the options of the command line, the arguments of `CharRNN`, `config.toml`
and the tables of the documentation; a default is written once, here. Imports nothing heavy.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nextchar.errors import SettingsError
from nextchar.settings.fields import (
    Validated,
    escaped,
    require_known,
    seconds_of,
    setting,
    unescaped,
)
from nextchar.settings.presets import AUTO, PRESETS

CELLS = ("rnn", "lstm", "gru")
INITIALISATIONS = ("uniform", "glorot", "orthogonal", "normal")
OPTIMIZERS = ("sgd", "momentum", "adagrad", "rmsprop", "adam", "adamw")
SCHEDULES = ("constant", "step", "cosine", "linear")
RESERVED = "\ufdd0"  # stands between records where no character of theirs does; it is no character
BUDGETS = ("epochs", "steps", "time")  # at most one of them ends a run


@dataclass(frozen=True, kw_only=True)
class TextSettings(Validated):
    """How files become characters and characters become codes."""

    encoding: str = setting("utf-8", "Encoding of the text files.", metavar="NAME")
    normalize: str | None = setting(
        None, "Unicode normalisation of the text.", choices=("NFC", "NFD", "NFKC", "NFKD")
    )
    pattern: str = setting(
        "*",
        "Which files of a folder are read; * is all but hidden, binary ones.",
        metavar="GLOB",
    )
    alphabet: str = setting(
        "characters",
        "What a symbol is: the text's own code points, or the 256 bytes (any file at all).",
        choices=("characters", "bytes"),
    )
    min_count: int = setting(
        1, "Characters rarer than this become one unknown symbol.", low=1, metavar="N"
    )
    records: str | None = setting(
        None,
        "The text is a list of records, and the model learns where one begins and ends: line (one "
        "a line), file (one a file) or what stands between them, such as '%%' or '\\n\\n'. They "
        "are shuffled by the seed before a part is kept for validation.",
        metavar="line|file|TEXT",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.records is not None:
            object.__setattr__(self, "records", _records(self.records, self.alphabet))


def _records(value: str, alphabet: str) -> str:
    """The setting `records` as it is kept: a delimiter with its escapes, always the same ones."""
    delimiter = unescaped(value).replace("\r\n", "\n")
    if delimiter == "\n" or value == "line":
        return "line"
    if not delimiter or RESERVED in delimiter:
        raise SettingsError(f"records: wants line, file or what stands between two, got {value!r}")
    if alphabet == "bytes" and (value == "file" or len(delimiter) > 1 or delimiter > "\xff"):
        raise SettingsError(
            "records: with the bytes alphabet wants line or one byte that ends a record, got "
            f"{value!r}; put one between them that they lack, such as '\\0'"
        )
    return escaped(delimiter)


@dataclass(frozen=True, kw_only=True)
class NetworkSettings(Validated):
    """The shape of the network, but for the vocabulary's size."""

    cell: str = setting("lstm", "Kind of recurrent cell.", choices=CELLS)
    hidden_size: int = setting(256, "Units in each layer (H).", low=1, high=10**5, metavar="N")
    num_layers: int = setting(2, "Recurrent layers (L).", low=1, high=1000, metavar="N")
    embedding_size: int = setting(
        0, "Width of a learnt input embedding (E); 0 is one-hot.", low=0, high=10**5, metavar="N"
    )
    tied: bool = setting(
        False, "Use the embedding as output weights too (wants embedding_size = hidden_size)."
    )
    initialisation: str = setting(
        "orthogonal", "How the weights are drawn.", choices=INITIALISATIONS
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.tied and self.embedding_size != self.hidden_size:
            raise SettingsError(
                f"tied: wants embedding_size equal to hidden_size, got {self.embedding_size} "
                f"and {self.hidden_size}; set embedding_size to {self.hidden_size}"
            )


@dataclass(frozen=True, kw_only=True)
class TrainingSettings(Validated):
    """How a network is fitted to a corpus."""

    seq_length: int = setting(
        64, "Characters that the gradient reaches back (T).", low=1, metavar="N"
    )
    batch_size: int = setting(32, "Lanes trained at once (B).", low=1, metavar="N")
    batching: str = setting(
        "stream",
        "stream: parallel lanes that carry the state on; windows: shuffled windows from a zero "
        "state.",
        choices=("stream", "windows"),
    )
    restart_every: int = setting(
        32,
        "Batches after which a lane starts from the zero state, as what is scored or written does.",
        low=0,
        metavar="N",
    )
    lane_starts: str = setting(
        "random",
        "Stream: where lanes begin in each pass over the text, so that it is cut elsewhere.",
        choices=("random", "fixed"),
    )
    stride: int | None = setting(
        None, "Characters from one window to the next; seq_length by default.", low=1, metavar="N"
    )
    optimizer: str = setting("adam", "Update rule.", choices=OPTIMIZERS)
    learning_rate: float = setting(0.01, "Peak learning rate.", above=0.0, metavar="X")
    momentum: float = setting(
        0.9, "Momentum of the optimizer momentum.", low=0.0, below=1.0, metavar="X"
    )
    schedule: str = setting("cosine", "How the learning rate goes over the run.", choices=SCHEDULES)
    warmup: int = setting(
        100, "Steps over which the learning rate rises from zero.", low=0, metavar="N"
    )
    decay_every: float = setting(
        0.1, "Schedule step: the part of the run between two drops.", above=0.0, metavar="X"
    )
    decay_factor: float = setting(
        0.5, "Schedule step: what a drop multiplies by.", above=0.0, high=1.0, metavar="X"
    )
    clip: float = setting(1.0, "Gradient clipping threshold; 0 is off.", low=0.0, metavar="X")
    clip_by: str = setting(
        "norm", "Clip the global norm, or each value.", choices=("value", "norm")
    )
    on_divergence: str = setting(
        "retry",
        "When the numbers run away: stop, or go back and on at half the rate, three times at most.",
        choices=("stop", "retry"),
    )
    dropout: float = setting(
        0.0, "Share of hidden units left out in training.", low=0.0, below=1.0, metavar="P"
    )
    weight_decay: float = setting(
        0.0, "Decay of the weight matrices (decoupled in adamw).", low=0.0, metavar="X"
    )
    epochs: float | None = setting(
        None, "Stop after X passes over the text.", above=0.0, metavar="X"
    )
    steps: int | None = setting(3000, "Stop after N steps.", low=1, metavar="N")
    time: str | None = setting(None, "End on time, evaluations and all: 90s, 5m, 2h.", metavar="T")
    val_fraction: float = setting(
        0.1, "Last part of the text, kept for validation.", low=0.0, below=1.0, metavar="X"
    )
    test_fraction: float = setting(
        0.0,
        "Part of the text before that one, by which nothing is chosen; scored once, at the end.",
        low=0.0,
        below=1.0,
        metavar="X",
    )
    eval_every: int | None = setting(
        None, "Steps between evaluations; 20 a run, or what a time allows.", low=1, metavar="N"
    )
    patience: int | None = setting(
        None, "Stop after N evaluations without a better one.", low=1, metavar="N"
    )
    sample_every: int | None = setting(
        None, "Show what the model writes so far every N steps.", low=1, metavar="N"
    )
    keep_samples: int = setting(
        8,
        "Keep what the model writes in the run directory, N times at most; 0 is never.",
        low=0,
        high=1000,
        metavar="N",
    )
    eval_characters: int = setting(
        200_000, "Score the first N in validation; fewer in a short time.", low=2, metavar="N"
    )
    seed: int = setting(1, "Seed of everything random.", low=0, high=2**63 - 1, metavar="N")
    threads: int | None = setting(
        None, "Worker threads; the usable physical cores by default.", low=1, metavar="N"
    )
    compress_gradients: str = setting(
        "none",
        "Between ranks of mpiexec: bf16 sends gradients in half the bytes.",
        choices=("none", "bf16"),
    )
    dtype: str = setting(
        "auto",
        "Precision. bfloat16 rounds the operands of products, and keeps weights and sums in "
        "float32; it wants a CPU with avx512_bf16, and auto is float32 on others.",
        choices=("auto", "float32", "bfloat16", "float64"),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        given = [name for name in BUDGETS if getattr(self, name) is not None]
        if len(given) != 1:
            raise SettingsError(
                f"a run ends by one of epochs, steps and time, got {' and '.join(given) or 'none'}"
            )
        if self.time is not None:
            seconds_of(self.time)
        if self.val_fraction + self.test_fraction >= 1:
            raise SettingsError(
                f"val_fraction and test_fraction: want less than 1 together, got "
                f"{self.val_fraction:g} and {self.test_fraction:g}; nothing is left to train on"
            )


GROUPS: Mapping[str, type[Any]] = {
    "text": TextSettings,
    "network": NetworkSettings,
    "training": TrainingSettings,
}


@dataclass(frozen=True)
class Settings:
    """All settings of a run, in their three groups."""

    text: TextSettings
    network: NetworkSettings
    training: TrainingSettings

    @classmethod
    def make(cls, preset: str | None = None, **given: Any) -> Settings:
        """Settings of a preset with the given ones laid over it.

        A given `None` means "as the preset has it". Of `epochs`, `steps` and `time` the given
        one takes the place of the preset's. Raises SettingsError for an unknown name (naming
        the nearest known one), a wrong type or a value out of range.
        """
        flat = laid_over(preset, given)
        return cls(
            **{
                group: kind(**{n: flat[n] for n in _names(kind) if n in flat})
                for group, kind in GROUPS.items()
            }
        )

    def flat(self) -> dict[str, Any]:
        """Every setting by name."""
        return {
            name: value
            for group in GROUPS
            for name, value in dataclasses.asdict(getattr(self, group)).items()
        }

    def tables(self) -> dict[str, dict[str, Any]]:
        """Every setting that is not None, by group: the content of `config.toml`."""
        return {
            group: {
                n: v for n, v in dataclasses.asdict(getattr(self, group)).items() if v is not None
            }
            for group in GROUPS
        }

    @classmethod
    def from_tables(cls, tables: Mapping[str, Mapping[str, Any]]) -> Settings:
        """Settings from what `tables` gave. Raises SettingsError for an unknown table too."""
        for name in tables:
            require_known(name, GROUPS, "table")
        flat: dict[str, Any] = {}
        for group in GROUPS:
            flat |= tables.get(group, {})
        return cls.make(None, **flat)


def fields() -> Iterator[dataclasses.Field[Any]]:
    """Every field of the three groups, in order."""
    for kind in GROUPS.values():
        yield from dataclasses.fields(kind)


def _names(kind: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind))


FIELDS: Mapping[str, dataclasses.Field[Any]] = {field.name: field for field in fields()}


def option_of(name: str) -> str:
    """The command-line spelling of a setting: `seq_length` → `--seq-length`."""
    return "--" + name.replace("_", "-")


def laid_over(preset: str | None, given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that a preset sets, with the given ones that are not None laid over them."""
    given = {name: value for name, value in given.items() if value is not None}
    for name in given:
        require_known(name, FIELDS, "setting")
    preset = AUTO if preset is None else preset
    require_known(preset, PRESETS, "preset")
    return _with_one_budget(_with_one_budget({}, PRESETS[preset]), given)


def _with_one_budget(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` laid over `base`; a budget in `over` switches the other two off."""
    budgets = [name for name in BUDGETS if over.get(name) is not None]
    if len(budgets) > 1:
        raise SettingsError(f"give one of epochs, steps and time, got {' and '.join(budgets)}")
    return {**base, **(dict.fromkeys(BUDGETS) if budgets else {}), **over}
