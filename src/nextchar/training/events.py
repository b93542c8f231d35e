"""Events that a trainer reports through `on_event`; it prints nothing itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self


@dataclass(frozen=True)
class Note:
    """A line that the user should read.

    is_by_the_way: it changes nothing that was requested; `--quiet` leaves it out.
    """

    text: str
    is_by_the_way: bool = False


@dataclass(frozen=True)
class Encoding:
    """A large text is being read and encoded; small ones report nothing.

    done: bytes read so far; total: of the whole text, None if unknown.
    """

    done: int
    total: int | None


@dataclass(frozen=True)
class Started:
    """The first step is next.

    total: steps of the run, None if a time ends it; seconds: that time.
    """

    step: int
    total: int | None
    seconds: float | None


@dataclass(frozen=True)
class Stepped:
    """A step was taken; losses are in nats per character.

    step: steps taken so far; fraction: of the run, 0 to 1; characters: trained on so far.
    seconds: of training so far, evaluations included.
    """

    step: int
    fraction: float
    loss: float
    smoothed_loss: float
    characters: int
    seconds: float


@dataclass(frozen=True)
class Evaluated:
    """One record of `metrics.jsonl`.

    Losses are in nats per character: train_loss is the mean since the last evaluation, val_loss
    None without a validation part. is_best: no earlier evaluation was better.
    gradient_norm: mean since the last evaluation, before clipping; gradient_norm_max: the largest;
    gradient_norm_clipped: mean after clipping; clipped_share: of the steps. None if unknown.
    """

    step: int
    epoch: float
    characters: int
    seconds: float
    train_loss: float
    val_loss: float | None
    learning_rate: float
    chars_per_second: float
    is_best: bool
    gradient_norm: float | None = None
    gradient_norm_max: float | None = None
    gradient_norm_clipped: float | None = None
    clipped_share: float | None = None

    def to_record(self) -> dict[str, Any]:
        """Return the fields that `metrics.jsonl` has: all but is_best, which earlier ones imply."""
        return {name: value for name, value in vars(self).items() if name != "is_best"}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """Return the evaluation of a record; ValueError, which names the step, if it is none."""
        values = {}
        for each in dataclasses.fields(cls):
            if each.name == "is_best":
                continue
            value = values[each.name] = record.get(each.name)
            is_right = isinstance(value, _TYPES[str(each.type)]) and not isinstance(value, bool)
            if not is_right:
                raise ValueError(f"step {record['step']}: {each.name} is {value!r:.20}")
        return cls(**values, is_best=False)  # type: ignore[arg-type]  # checked above


_TYPES: Mapping[str, Any] = {
    "int": int,
    "float": (int, float),
    "float | None": (int, float, type(None)),
}


@dataclass(frozen=True)
class Sampled:
    """The model wrote a sample."""

    step: int
    text: str


@dataclass(frozen=True)
class Finished:
    """The run is over, its last checkpoint written.

    best_loss: nats per character of the best model, on the validation part if there is one.
    """

    step: int
    seconds: float
    characters: int
    best_loss: float
    best_step: int
    directory: Path | None


@dataclass(frozen=True)
class Scored:
    """The best model was scored on the test part. loss: nats per character."""

    loss: float
    characters: int


Event = Note | Encoding | Started | Stepped | Evaluated | Sampled | Finished | Scored
OnEvent = Callable[[Event], None]
