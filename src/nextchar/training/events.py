"""What a trainer tells while it works. It prints nothing itself: `on_event` is handed in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Note:
    """Something the user should know, in one line.

    is_by_the_way: changes nothing of what was asked for; who wants quiet is not told.
    """

    text: str
    is_by_the_way: bool = False


@dataclass(frozen=True)
class Encoding:
    """A large text is read and encoded; of small ones nothing is told.

    done: bytes read so far; total: of the whole text, None where it is not known.
    """

    done: int
    total: int | None


@dataclass(frozen=True)
class Started:
    """The first step is about to be taken.

    total: steps of the run, or None where a time ends it; seconds: that time.
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
    None where there is no validation part. is_best: whether no evaluation was better before.
    gradient_norm: mean since the last evaluation, before clipping; gradient_norm_max: the largest;
    gradient_norm_clipped: mean after it; clipped_share: of the steps. None where it is not known.
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


@dataclass(frozen=True)
class Sampled:
    """What the model writes so far."""

    step: int
    text: str


@dataclass(frozen=True)
class Finished:
    """The run is over, its last checkpoint written.

    best_loss: nats per character of the best model, on validation where there is such a part.
    """

    step: int
    seconds: float
    characters: int
    best_loss: float
    best_step: int
    directory: Path | None


@dataclass(frozen=True)
class Scored:
    """The best model was scored on the test part: nats per character, over so many of them."""

    loss: float
    characters: int


Event = Note | Encoding | Started | Stepped | Evaluated | Sampled | Finished | Scored
OnEvent = Callable[[Event], None]
