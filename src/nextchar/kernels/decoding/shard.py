"""The lanes that one thread works on, side by side in its room.

The first ones are in use. One that leaves is replaced by the last one, so that a call always works
on a block without gaps; numbers of lanes therefore change, and `Decoder` knows who is where.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextchar.kernels.decoding.decode import write
from nextchar.kernels.decoding.lanes import LANE_DTYPE, RUNNING, Lanes, lanes_for, sampler_scratch
from nextchar.kernels.gemm.packed_weights import PackedWeights
from nextchar.kernels.layout import Layout
from nextchar.kernels.training.dropout import dropout_of
from nextchar.kernels.training.workspace import allocate_workspace

Array = NDArray[Any]


@dataclass(frozen=True)
class Snapshot:
    """All that a lane has read.

    state: (L, STATES, H) without padding; logits: (V,); history: its codes, where it keeps them.
    """

    state: Array
    logits: Array
    history: Array


@dataclass(frozen=True)
class Rules:
    """How a lane draws: names and values of ROW, what is added to its logits (V,)."""

    numbers: dict[str, float]
    bias: Array | None = None


class Shard:
    """Up to B lanes of a network. longest: codes of a lane in one call."""

    def __init__(
        self,
        shape: Layout,
        B: int,
        longest: int,
        dtype: Any,
        *,
        pairs: bool,
        unknown: int,
        end: int,
    ) -> None:
        self.shape, self.capacity, self.count = shape, B, 0
        self._room = allocate_workspace(shape, 1, B, dtype, pairs=pairs, backward=False)
        self.lanes: Lanes = lanes_for(B, shape.V, longest, unknown=unknown, end=end)
        self._desk = sampler_scratch(shape.V, dtype)
        self._nothing = dropout_of(shape.L, 0.0, 0, 0)

    @property
    def rows(self) -> Array:
        """The numbers of the lanes in use."""
        return self.lanes.rows[: self.count]

    def logits(self, lane: int) -> Array:
        """What a lane expects next, (V,)."""
        begin = lane * self.shape.VP
        return self._room.logits[begin : begin + self.shape.V]

    def enter(self, rules: Rules, start: Snapshot) -> int:
        """Let a lane in that goes on from a snapshot; its number."""
        lane, V = self.count, self.shape.V
        self.count += 1
        row = np.zeros((), LANE_DTYPE)
        row["state"], row["status"] = -1, RUNNING
        for name, value in rules.numbers.items():
            row[name] = value
        row["length"] = len(start.history)
        self.lanes.rows[lane] = row
        for n, states in enumerate(self._states(lane)):
            states[:, : self.shape.H] = start.state[:, n]
        self.logits(lane)[:] = start.logits
        if rules.bias is not None:
            self._widen("bias", V)
            self.lanes.bias[lane] = rules.bias
            self.lanes.rows[lane]["is_biased"] = 1
        if row["keeps_history"]:
            self._remember(lane, start.history, int(row["last_n"]))
        if row["top"] >= 0:
            self._note(int(row["top"]))
        return lane

    def leave(self, lane: int) -> int:
        """Let a lane go; the number of the one that is `lane` from now on."""
        self.count -= 1
        last = self.count
        if lane != last:
            for states, source in zip(self._states(lane), self._states(last), strict=True):
                states[:] = source
            self.logits(lane)[:] = self.logits(last)
            for array in self.lanes:
                if isinstance(array, np.ndarray):
                    array[lane] = array[last]
        return last

    def snapshot(self, lane: int) -> Snapshot:
        """All that a lane has read, copied."""
        H = self.shape.H
        states = np.stack([states[:, :H] for states in self._states(lane)], axis=1)
        length = int(self.lanes.rows[lane]["length"])
        history = self.lanes.history[lane, :length].copy()
        return Snapshot(states, self.logits(lane).copy(), history)

    def write(self, parameters: Array, packed: PackedWeights, n: int, patience: int) -> None:
        """Read and draw up to n codes in every lane."""
        if self.count == 0:
            return
        if self.rows["keeps_history"].any():
            self._widen("history", int(self.rows["length"].max()) + n)
        write(
            self.shape, parameters, packed, self._room, self.lanes, self._desk, self.count, n,
            patience, self._nothing,
        )  # fmt: skip

    def _states(self, lane: int) -> list[Array]:
        """The states before the next step, padded, (L, P) each."""
        P = self.shape.P
        arrays = [self._room.h, self._room.c][: self.shape.S]
        return [array[:, lane * P : (lane + 1) * P] for array in arrays]

    def _remember(self, lane: int, history: Array, window: int) -> None:
        """Give a lane the history that it goes on from."""
        V = self.shape.V
        self._widen("history", len(history))
        self._widen("counts", V)
        self.lanes.history[lane, : len(history)] = history
        last = history if window < 0 else history[max(0, len(history) - window) :]
        self.lanes.counts[lane] = np.bincount(last, minlength=V)

    def _note(self, top: int) -> None:
        """Make room to note log-probabilities."""
        B, n = self.lanes.codes.shape
        self._widen("logprobs", n)
        if self.lanes.top_codes.shape[2] < top or self.lanes.top_codes.shape[1] == 0:
            self.lanes = self.lanes._replace(
                top_codes=np.zeros((B, n, top), np.int64),
                top_logprobs=np.zeros((B, n, top), np.float64),
            )

    def _widen(self, name: str, width: int) -> None:
        """Make an array of the lanes at least so wide, at least twice as wide as before."""
        old: Array = getattr(self.lanes, name)
        if old.shape[1] >= width:
            return
        new = np.zeros((len(old), max(width, 2 * old.shape[1])), old.dtype)
        new[:, : old.shape[1]] = old
        self.lanes = self.lanes._replace(**{name: new})  # type: ignore[arg-type]
