"""Shard: the lanes of one thread, side by side in its workspace.

The first ones are in use. One that leaves is replaced by the last one, so that a call always works
on a block without gaps; numbers of lanes therefore change, and `Decoder` keeps track of them.

    lanes   | A | B | C | D |        B leaves        | A | D | C |
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextchar.kernels.decoding.decode import write
from nextchar.kernels.decoding.lanes import (
    LANE_DTYPE,
    RUNNING,
    Lanes,
    allocate_lanes,
    sampler_scratch,
)
from nextchar.kernels.gemm.packed_weights import PackedWeights
from nextchar.kernels.layout import Layout
from nextchar.kernels.training.dropout import NO_DROPOUT
from nextchar.kernels.training.workspace import WorkspaceSize, allocate_workspace

Array = NDArray[Any]


@dataclass(frozen=True)
class Snapshot:
    """State of a lane after the codes that it has read."""

    state: Array  # (L, STATES, H) without padding
    logits: Array  # (V,)
    history: Array  # codes of the lane, where it keeps them


@dataclass(frozen=True)
class Rules:
    """Sampling rules of a lane."""

    numbers: dict[str, float]  # names and values of LANE_DTYPE
    bias: Array | None = None  # (V,) added to the logits


class Shard:
    """Up to B lanes of a network. longest: codes of a lane in one call."""

    def __init__(
        self,
        layout: Layout,
        B: int,
        longest: int,
        dtype: Any,
        *,
        pairs: bool,
        unknown: int,
        end: int,
    ) -> None:
        self.layout, self.capacity, self.count = layout, B, 0
        # one time step: the states after it are moved before the next
        size = WorkspaceSize(1, B, pairs=pairs, backward=False)
        self._workspace = allocate_workspace(layout, size, dtype)
        self.lanes: Lanes = allocate_lanes(B, layout.V, longest, unknown=unknown, end=end)
        self._scratch = sampler_scratch(layout.V, dtype)

    @property
    def rows(self) -> Array:
        """Numbers of the lanes in use."""
        return self.lanes.rows[: self.count]

    def logits(self, lane: int) -> Array:
        """Return the logits of a lane's next code, (V,)."""
        begin = lane * self.layout.VP  # (B·VP): a row per lane
        return self._workspace.logits[begin : begin + self.layout.V]

    def enter(self, rules: Rules, start: Snapshot) -> int:
        """Add a lane that continues from a snapshot; return its number."""
        lane, V = self.count, self.layout.V
        self.count += 1
        row = np.zeros((), LANE_DTYPE)
        row["state"], row["status"] = -1, RUNNING
        for name, value in rules.numbers.items():
            row[name] = value
        row["length"] = len(start.history)  # the n-gram ban looks at all of it
        self.lanes.rows[lane] = row
        for n, states in enumerate(self._states(lane)):  # h, and c of the LSTM
            # (L, H) of (L, P): the padding is zero and stays zero
            states[:, : self.layout.H] = start.state[:, n]
        self.logits(lane)[:] = start.logits
        # arrays that only some rules need are widened by the first lane that needs them
        if rules.bias is not None:
            self._widen("bias", V)
            self.lanes.bias[lane] = rules.bias
            self.lanes.rows[lane]["is_biased"] = 1
        if row["keeps_history"]:
            self._set_history(lane, start.history, int(row["last_n"]))
        if row["top"] >= 0:
            self._reserve_scores(int(row["top"]))
        return lane

    def leave(self, lane: int) -> int:
        """Remove a lane; return the old number of the one that is `lane` from now on."""
        self.count -= 1
        last = self.count
        if lane != last:  # the last lane takes its place: states, logits, and its row everywhere
            for states, source in zip(self._states(lane), self._states(last), strict=True):
                states[:] = source
            self.logits(lane)[:] = self.logits(last)
            for array in self.lanes:
                if isinstance(array, np.ndarray):
                    array[lane] = array[last]
        return last

    def snapshot(self, lane: int) -> Snapshot:
        """Return a copy of the state of a lane."""
        H = self.layout.H  # a snapshot has no padding
        # (L, STATES, H)
        states = np.stack([states[:, :H] for states in self._states(lane)], axis=1)
        length = int(self.lanes.rows[lane]["length"])
        history = self.lanes.history[lane, :length].copy()
        return Snapshot(states, self.logits(lane).copy(), history)

    def write(self, parameters: Array, packed: PackedWeights, n: int, patience: int) -> None:
        """Read and draw up to n codes in every lane."""
        if self.count == 0:
            return
        if self.rows["keeps_history"].any():  # compiled code cannot grow an array
            self._widen("history", int(self.rows["length"].max()) + n)
        write(
            self.layout, parameters, packed, self._workspace, self.lanes, self._scratch,
            self.count, n, patience, NO_DROPOUT,
        )  # fmt: skip

    def _states(self, lane: int) -> list[Array]:
        """Return the states before the next step, padded, (L, P) each."""
        P = self.layout.P
        # (L, 2·B·P): the first B·P numbers of a layer are the states before the step
        arrays = [self._workspace.h, self._workspace.c][: self.layout.S]
        return [array[:, lane * P : (lane + 1) * P] for array in arrays]

    def _set_history(self, lane: int, history: Array, window: int) -> None:
        """Set the history that a lane continues from."""
        V = self.layout.V
        # both arrays have no width until a lane keeps a history
        self._widen("history", len(history))
        self._widen("counts", V)
        self.lanes.history[lane, : len(history)] = history
        # counts are those of the window alone
        last = history if window < 0 else history[max(0, len(history) - window) :]
        self.lanes.counts[lane] = np.bincount(last, minlength=V)

    def _reserve_scores(self, top: int) -> None:
        """Make the arrays of log-probabilities large enough."""
        # a place for each code of a call, given or drawn
        B, n = self.lanes.codes.shape
        self._widen("logprobs", n)
        if self.lanes.top_codes.shape[2] < top or self.lanes.top_codes.shape[1] == 0:
            self.lanes = self.lanes._replace(
                top_codes=np.zeros((B, n, top), np.int64),
                top_logprobs=np.zeros((B, n, top), np.float64),
            )

    def _widen(self, name: str, width: int) -> None:
        """Widen an array of the lanes to a width or more; doubling keeps the copies few."""
        old: Array = getattr(self.lanes, name)
        if old.shape[1] >= width:
            return
        new = np.zeros((len(old), max(width, 2 * old.shape[1])), old.dtype)
        new[:, : old.shape[1]] = old
        self.lanes = self.lanes._replace(**{name: new})  # type: ignore[arg-type]
