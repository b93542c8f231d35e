"""Codes → batches: the characters of each training step.

Both kinds compute the batch of any step from the step's number alone. A resumed run therefore needs
no other state, and no window is built before it is used.

    stream    lane b reads its own part of the text from left to right:
              lane 0 |abcd|efgh|…   lane 1 |mnop|qrst|…   the state is carried from batch to batch;
              each pass may begin elsewhere in the text, so that the lanes are cut elsewhere
    windows   windows of T characters, one every `stride`, in an order that is shuffled again in
              each epoch, each from a zero state
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
    fresh: the state starts from zero, not from the end of the previous batch.
    first, total_lanes: index of the first lane here, and the number of lanes on all ranks, if
    several ranks share a batch.
    """

    inputs: Codes
    targets: Codes
    fresh: bool
    first: int = 0
    total_lanes: int | None = None

    @property
    def lanes(self) -> int:
        """Lanes on all ranks."""
        return self.inputs.shape[1] if self.total_lanes is None else self.total_lanes

    @property
    def characters(self) -> int:
        """Characters of all lanes."""
        return len(self.inputs) * self.lanes


class Share(NamedTuple):
    """A rank's share of the lanes."""

    rank: int = 0
    size: int = 1

    def of(self, lanes: int) -> tuple[int, int]:
        """First lane of the share, and the one after its last; shares differ by one at most."""
        return lanes * self.rank // self.size, lanes * (self.rank + 1) // self.size


ALL = Share()


class Batches(Protocol):
    """The batches of a text, of either kind.

    batch_size, seq_length: of a full batch; smaller than the settings if the text is short.
    steps_per_epoch: batches in one pass over the text.
    """

    batch_size: int
    seq_length: int
    steps_per_epoch: int

    def at(self, step: int) -> Batch:
        """Return the batch of a step, counted from 0 over all epochs."""
        ...


def make_batches(codes: AnyCodes, settings: TrainingSettings, share: Share = ALL) -> Batches:
    """Return the batches of a text of N ≥ 2 characters, restricted to a share of the lanes."""
    B, T = settings.batch_size, settings.seq_length
    if settings.batching == "stream":
        seed = settings.seed if settings.lane_starts == "random" else None
        return StreamBatches(codes, B, T, seed, share)
    return WindowBatches(codes, B, T, settings.stride or T, settings.seed, share)


class StreamBatches:
    """Parallel lanes that carry the state on (truncated backpropagation through time).

    A text too short to fill `batch_size` lanes of `seq_length` characters gets fewer lanes.
    (N-1) mod B characters of the text are not used in a pass: in the first pass, the last ones.

    seed: chooses the start of lane 0 in each pass but the first; None always starts at the
    beginning. A lane that reaches the end of the text continues at its beginning.
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
        self._lane_length = pairs // self.batch_size  # characters
        self.steps_per_epoch = -(-self._lane_length // self.seq_length)
        self._share = share.of(self.batch_size)
        self._lanes = np.arange(*self._share, dtype=np.int64) * self._lane_length
        self._codes, self._pairs, self._seed = codes, pairs, seed

    def at(self, step: int) -> Batch:
        """Return the batch of a step; the last one of an epoch may be shorter than seq_length."""
        epoch, index = divmod(step, self.steps_per_epoch)
        start = index * self.seq_length
        length = min(self.seq_length, self._lane_length - start)
        origin = _start_of_lane_0(self._seed, epoch, self._pairs)
        starts = (origin + self._lanes + start) % self._pairs  # (B,)
        if starts.max() + length <= self._pairs:
            inputs, targets = _windows(self._codes, starts, length)
        else:
            positions = (starts + np.arange(length, dtype=np.int64)[:, None]) % self._pairs
            inputs, targets = self._codes[positions], self._codes[positions + 1]  # (T, B)
        return Batch(inputs, targets, start == 0, self._share[0], self.batch_size)


@lru_cache(maxsize=4)  # building a generator takes as long as the rest of a batch
def _start_of_lane_0(seed: int | None, epoch: int, pairs: int) -> int:
    if seed is None or epoch == 0:
        return 0
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
        """Return the batch of a step."""
        epoch, index = divmod(step, self.steps_per_epoch)
        first_window = index * self.batch_size
        total_lanes = min(self.batch_size, self.windows - first_window)
        first, end = self._share.of(total_lanes)
        windows = np.arange(first_window + first, first_window + end, dtype=np.int64)
        key = self._seed * 0x1_0000_0001 + epoch
        starts = shuffled(windows, self.windows, key) * self._stride  # (B,)
        inputs, targets = _windows(self._codes, starts, self.seq_length)
        return Batch(inputs, targets, True, first, total_lanes)


def _windows(codes: AnyCodes, starts: NDArray[np.int64], length: int) -> tuple[Codes, Codes]:
    """Windows of a text and the character after each of theirs, (T, B) each. starts: (B,)."""
    window = codes[starts + np.arange(length + 1, dtype=np.int64)[:, None]]  # (T+1, B)
    return window[:-1], window[1:]
