"""Codes → batches: which characters a training step sees.

Both kinds compute the batch of any step from the step's number alone, so a resumed run needs no
more than that number, and no window is ever made before it is used.

    stream    lane b reads its own part of the text from left to right:
              lane 0 |abcd|efgh|…   lane 1 |mnop|qrst|…   the state is carried from batch to batch;
              each pass over the text may begin elsewhere, so that the cuts fall elsewhere
    windows   windows of T characters, one every `stride`, in an order shuffled anew each epoch,
              each from a zero state
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nextchar.config import TrainingSettings
from nextchar.text.shuffle import shuffled
from nextchar.text.stored import AnyCodes
from nextchar.text.vocabulary import Codes


@dataclass(frozen=True)
class Batch:
    """Inputs and targets of one training step.

    inputs, targets: (T, B) codes; targets are the characters that follow the inputs.
    fresh: whether the state starts from zero rather than from the previous batch's end.
    """

    inputs: Codes
    targets: Codes
    fresh: bool


class Batches(Protocol):
    """What the trainer asks of either kind.

    batch_size, seq_length: of a full batch; smaller than asked where the text is short.
    steps_per_epoch: batches that one pass over the text takes.
    """

    batch_size: int
    seq_length: int
    steps_per_epoch: int

    def at(self, step: int) -> Batch:
        """The batch of a step, counted from 0 over all epochs."""
        ...


def make_batches(codes: AnyCodes, settings: TrainingSettings) -> Batches:
    """The batches of a text of N ≥ 2 characters, as the settings want them."""
    if settings.batching == "stream":
        seed = settings.seed if settings.lane_starts == "random" else None
        return StreamBatches(codes, settings.batch_size, settings.seq_length, seed)
    stride = settings.stride or settings.seq_length
    return WindowBatches(codes, settings.batch_size, settings.seq_length, stride, settings.seed)


class StreamBatches:
    """Parallel lanes that carry the state on (truncated backpropagation through time).

    A text too short to fill `batch_size` lanes of `seq_length` characters gets fewer lanes;
    (N-1) mod B characters of the text are not trained on in a pass, the last ones of the first.

    seed: chooses where the first lane begins in each pass but the first; None is at the beginning.
    A lane that comes to the text's end goes on at its beginning.
    """

    def __init__(
        self, codes: AnyCodes, batch_size: int, seq_length: int, seed: int | None = None
    ) -> None:
        pairs = len(codes) - 1  # (character, next character)
        self.seq_length = min(seq_length, pairs)
        self.batch_size = min(batch_size, pairs // self.seq_length)
        self._lane = pairs // self.batch_size  # characters of a lane
        self.steps_per_epoch = -(-self._lane // self.seq_length)
        self._lanes = np.arange(self.batch_size, dtype=np.int64) * self._lane
        self._codes, self._pairs, self._seed = codes, pairs, seed

    def at(self, step: int) -> Batch:
        """The batch of a step; the last one of an epoch may be shorter than seq_length."""
        epoch, index = divmod(step, self.steps_per_epoch)
        start = index * self.seq_length
        length = min(self.seq_length, self._lane - start)
        begins = (self._first(epoch) + self._lanes + start) % self._pairs  # (B,)
        if begins.max() + length <= self._pairs:
            return _batch(self._codes, begins, length, fresh=start == 0)
        places = (begins + np.arange(length, dtype=np.int64)[:, None]) % self._pairs  # (T, B)
        return Batch(self._codes[places], self._codes[places + 1], fresh=start == 0)

    def _first(self, epoch: int) -> int:
        """Where the first lane begins in a pass."""
        if self._seed is None or epoch == 0:
            return 0
        return _drawn(self._seed, epoch, self._pairs)


@lru_cache(maxsize=4)  # a generator takes as long to make as the rest of a batch
def _drawn(seed: int, epoch: int, pairs: int) -> int:
    return int(np.random.default_rng([seed, epoch]).integers(pairs))


class WindowBatches:
    """Shuffled windows, each from a zero state; the last batch of an epoch may have fewer lanes."""

    def __init__(
        self, codes: AnyCodes, batch_size: int, seq_length: int, stride: int, seed: int
    ) -> None:
        pairs = len(codes) - 1
        self.seq_length = min(seq_length, pairs)
        self.windows = (pairs - self.seq_length) // stride + 1
        self.batch_size = min(batch_size, self.windows)
        self.steps_per_epoch = -(-self.windows // self.batch_size)
        self._codes, self._stride, self._seed = codes, stride, seed

    def at(self, step: int) -> Batch:
        """The batch of a step."""
        epoch, index = divmod(step, self.steps_per_epoch)
        first = index * self.batch_size
        lanes = np.arange(first, min(first + self.batch_size, self.windows), dtype=np.int64)
        key = self._seed * 0x1_0000_0001 + epoch
        starts = shuffled(lanes, self.windows, key) * self._stride  # (B,)
        return _batch(self._codes, starts, self.seq_length, fresh=True)


def _batch(codes: AnyCodes, starts: NDArray[np.int64], length: int, *, fresh: bool) -> Batch:
    """Windows of a text and what follows each character. starts: (B,)."""
    window = codes[starts + np.arange(length + 1, dtype=np.int64)[:, None]]  # (T+1, B)
    return Batch(window[:-1], window[1:], fresh)
