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
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from nextchar.settings.config import TrainingSettings
from nextchar.text.cache.disk_codes import AnyCodes
from nextchar.text.shuffle import shuffled
from nextchar.text.vocabulary import Codes


@dataclass(frozen=True)
class Batch:
    """Inputs and targets of one training step.

    inputs, targets: (T, B) codes; targets are the characters that follow the inputs.
    fresh: whether the state starts from zero rather than from the previous batch's end.
    first, whole: where other machines have lanes of it too, the number of the first one here,
    and how many there are in all.
    """

    inputs: Codes
    targets: Codes
    fresh: bool
    first: int = 0
    whole: int | None = None

    @property
    def lanes(self) -> int:
        """Lanes of the batch, wherever they are."""
        return self.inputs.shape[1] if self.whole is None else self.whole

    @property
    def characters(self) -> int:
        """Characters of all lanes."""
        return len(self.inputs) * self.lanes


class Share(NamedTuple):
    """Which part of the lanes is computed here, where several machines share them."""

    rank: int = 0
    size: int = 1

    def of(self, lanes: int) -> tuple[int, int]:
        """The first lane of the part, and the one after its last; parts differ by one at most."""
        return lanes * self.rank // self.size, lanes * (self.rank + 1) // self.size


ALL = Share()


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


def make_batches(codes: AnyCodes, settings: TrainingSettings, share: Share = ALL) -> Batches:
    """The batches of a text of N ≥ 2 characters, as the settings want them; a share of each."""
    B, T = settings.batch_size, settings.seq_length
    if settings.batching == "stream":
        seed = settings.seed if settings.lane_starts == "random" else None
        return StreamBatches(codes, B, T, seed, share)
    return WindowBatches(codes, B, T, settings.stride or T, settings.seed, share)


class StreamBatches:
    """Parallel lanes that carry the state on (truncated backpropagation through time).

    A text too short to fill `batch_size` lanes of `seq_length` characters gets fewer lanes;
    (N-1) mod B characters of the text are not trained on in a pass, the last ones of the first.

    seed: chooses where the first lane begins in each pass but the first; None is at the beginning.
    A lane that comes to the text's end goes on at its beginning.
    """

    def __init__(
        self,
        codes: AnyCodes,
        batch_size: int,
        seq_length: int,
        seed: int | None = None,
        share: Share = ALL,
    ) -> None:
        pairs = len(codes) - 1  # (character, next character)
        self.seq_length = min(seq_length, pairs)
        self.batch_size = min(batch_size, pairs // self.seq_length)
        self._lane = pairs // self.batch_size  # characters of a lane
        self.steps_per_epoch = -(-self._lane // self.seq_length)
        self._share = share.of(self.batch_size)
        self._lanes = np.arange(*self._share, dtype=np.int64) * self._lane
        self._codes, self._pairs, self._seed = codes, pairs, seed

    def at(self, step: int) -> Batch:
        """The batch of a step; the last one of an epoch may be shorter than seq_length."""
        epoch, index = divmod(step, self.steps_per_epoch)
        start = index * self.seq_length
        length = min(self.seq_length, self._lane - start)
        begins = (self._first(epoch) + self._lanes + start) % self._pairs  # (B,)
        if begins.max() + length <= self._pairs:
            inputs, targets = _windows(self._codes, begins, length)
        else:
            places = (begins + np.arange(length, dtype=np.int64)[:, None]) % self._pairs  # (T, B)
            inputs, targets = self._codes[places], self._codes[places + 1]
        return Batch(inputs, targets, start == 0, self._share[0], self.batch_size)

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
        self,
        codes: AnyCodes,
        batch_size: int,
        seq_length: int,
        stride: int,
        seed: int,
        share: Share = ALL,
    ) -> None:
        pairs = len(codes) - 1
        self.seq_length = min(seq_length, pairs)
        self.windows = (pairs - self.seq_length) // stride + 1
        self.batch_size = min(batch_size, self.windows)
        self.steps_per_epoch = -(-self.windows // self.batch_size)
        self._codes, self._stride, self._seed = codes, stride, seed
        self._share = share

    def at(self, step: int) -> Batch:
        """The batch of a step."""
        epoch, index = divmod(step, self.steps_per_epoch)
        first = index * self.batch_size
        whole = min(self.batch_size, self.windows - first)
        here, end = self._share.of(whole)
        lanes = np.arange(first + here, first + end, dtype=np.int64)
        key = self._seed * 0x1_0000_0001 + epoch
        starts = shuffled(lanes, self.windows, key) * self._stride  # (B,)
        return Batch(*_windows(self._codes, starts, self.seq_length), True, here, whole)


def _windows(codes: AnyCodes, starts: NDArray[np.int64], length: int) -> tuple[Codes, Codes]:
    """Windows of a text and what follows each character, (T, B) each. starts: (B,)."""
    window = codes[starts + np.arange(length + 1, dtype=np.int64)[:, None]]  # (T+1, B)
    return window[:-1], window[1:]
