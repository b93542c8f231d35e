"""Decoder: lanes of text that a model reads and writes character by character, on threads.

The weights are packed once. Where they would not stay in a core's cache they are stored as
bfloat16, half the bytes: with one lane, almost all time goes into streaming them.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from nextchar.kernels.decoding.automata import CompiledAutomaton, stacked
from nextchar.kernels.decoding.lanes import FULL, RUNNING, STOPPED
from nextchar.kernels.decoding.shard import Rules, Shard, Snapshot
from nextchar.kernels.gemm.packed_weights import allocate_packed_weights, pack_weights
from nextchar.kernels.layout import layout_of, require_codes
from nextchar.model.parameters import Parameters

__all__ = ["FULL", "RUNNING", "STOPPED", "Decoder", "Lane", "Rules", "Snapshot", "Wrote"]

Array = NDArray[Any]

IN_CACHE = 1 << 20  # bytes of packed weights assumed to fit a core's L2 cache
WORK = 1_000_000_000  # multiply-adds of a thread in one call: 10 to 30 ms
LONGEST = 512  # characters of a lane in a call at most
READING = Rules({"most": 0})  # a lane that only reads


@dataclass(eq=False)
class Lane:
    """Handle of one text; created and changed by a `Decoder` alone."""

    shard: Shard
    number: int  # in the shard; another lane that leaves may change it
    automaton: CompiledAutomaton | None


@dataclass(frozen=True)
class Wrote:
    """Output of a lane; views that feeding it overwrites."""

    codes: Array  # (m,) given, then drawn
    logprobs: Array  # (m,) where the lane is scored, as the next two
    top_codes: Array  # (m, N)
    top_logprobs: Array  # (m, N)
    status: int  # RUNNING, STOPPED or FULL


class Decoder:
    """Lanes of a model; a context manager.

    lanes: number of lanes at once at most. bfloat16: store the weights as bfloat16; by default
    where they are larger than `IN_CACHE`, and never those of a float64 model. States and sums keep
    the type of the parameters. unknown, end: codes, -1 for none: `unknown` is never drawn, `end`
    ends a text.
    """

    def __init__(
        self,
        parameters: Parameters,
        *,
        lanes: int = 1,
        threads: int = 1,
        bfloat16: bool | None = None,
        unknown: int = -1,
        end: int = -1,
    ) -> None:
        architecture, dtype = parameters.architecture, parameters.dtype
        if bfloat16 is None:
            bfloat16 = architecture.matrix_size * 4 > IN_CACHE and dtype == np.float32
        self._parameters, self._layout = parameters, layout_of(architecture, dtype)
        self.packed = allocate_packed_weights(self._layout, dtype, pairs=bfloat16, backward=False)
        pack_weights(self._layout, parameters.flat, self.packed, 0, 1)
        # one shard per thread, of nearly equal numbers of lanes
        threads = min(threads, lanes)
        sizes = np.diff(np.linspace(0, lanes, threads + 1).astype(int)).tolist()
        self._shards = [
            Shard(self._layout, B, LONGEST, dtype, pairs=bfloat16, unknown=unknown, end=end)
            for B in sizes
        ]
        self._lanes: list[list[Lane]] = [[] for _ in self._shards]
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="nextchar")
        # patterns in use, stacked for all shards
        self._automata: list[CompiledAutomaton] = []
        self._firsts: list[int] = []  # first state of each
        # with h = 0 the logits are the bias alone
        self.beginning = Snapshot(
            parameters.zero_state(1)[:, :, 0], parameters["b_out"].copy(), np.empty(0, np.int32)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._pool.shutdown()

    def __len__(self) -> int:
        return sum(map(len, self._lanes))

    @property
    def free(self) -> int:
        """Number of lanes that may still enter."""
        return sum(shard.capacity - shard.count for shard in self._shards)

    @property
    def block(self) -> int:
        """Number of characters to draw in one call for it to take some milliseconds."""
        lanes = max(1, *(shard.count for shard in self._shards))  # of the busiest thread
        # a character of a lane takes one multiply-add per weight of the matrices
        work = lanes * self._parameters.architecture.matrix_size
        return max(1, min(LONGEST, WORK // work))

    def enter(
        self,
        rules: Rules = READING,
        start: Snapshot | None = None,
        automaton: CompiledAutomaton | None = None,
    ) -> Lane:
        """Add a lane, on the thread that has the fewest; there must be a free place."""
        # the call takes as long as its largest shard: fill the smallest
        with_room = (n for n, each in enumerate(self._shards) if each.count < each.capacity)
        place = min(with_room, key=lambda n: self._shards[n].count)
        shard = self._shards[place]
        number = shard.enter(rules, start or self.beginning)
        lane = Lane(shard, number, automaton)
        self._lanes[place].append(lane)
        if automaton is not None:
            self._place(lane, automaton)
        return lane

    def leave(self, lane: Lane) -> None:
        """Remove a lane."""
        lanes = self._lanes[self._shards.index(lane.shard)]
        # the shard moves its last lane into the gap: its handle gets the new number
        moved = lanes[lane.shard.leave(lane.number)]
        lanes[lane.number] = moved
        moved.number = lane.number
        lanes.pop()

    def snapshot(self, lane: Lane) -> Snapshot:
        """Return the state of a lane; another may continue from it, at any time."""
        return lane.shard.snapshot(lane.number)

    def logits(self, lane: Lane) -> Array:
        """Return the logits of a lane's next code, (V,); a view that the next call overwrites."""
        return lane.shard.logits(lane.number)

    def feed(self, lane: Lane, codes: Array, uniforms: Array) -> None:
        """Set the codes that a lane reads next, up to `LONGEST`, and the numbers to draw by then.

        They serve for `LONGEST` codes in all, or as many as there are numbers for. The lane's
        previous output is discarded.
        """
        require_codes(codes, self._layout.V)
        lanes, number = lane.shard.lanes, lane.number
        lanes.rows["given"][number] = len(codes)
        lanes.rows["made"][number] = 0
        lanes.codes[number, : len(codes)] = codes
        lanes.uniforms[number, : len(uniforms)] = uniforms

    def write(self, n: int, patience: int = 0) -> None:
        """Read and draw up to n codes in every lane, no more than any has room and numbers for.

        patience: number of ended lanes of a thread beyond which it returns.
        """

        def work(shard: Shard) -> None:
            shard.write(self._parameters.flat, self.packed, n, patience)

        # a single shard runs on this thread: no hand-over
        busy = [shard for shard in self._shards if shard.count]
        list((self._pool.map if len(busy) > 1 else map)(work, busy))

    def progress(self, lane: Lane) -> tuple[int, int]:
        """Return the number of codes a lane has read and drawn since it was fed, and its status."""
        rows, number = lane.shard.lanes.rows, lane.number
        return int(rows["made"][number]), int(rows["status"][number])

    def wrote(self, lane: Lane, since: int = 0) -> Wrote:
        """Return the codes a lane has read and drawn since it was fed, from number `since` on."""
        made, status = self.progress(lane)
        lanes, part = lane.shard.lanes, slice(since, made)
        return Wrote(
            lanes.codes[lane.number, part],
            lanes.logprobs[lane.number, part],
            lanes.top_codes[lane.number, part],
            lanes.top_logprobs[lane.number, part],
            status,
        )

    def read(self, codes: Array) -> None:
        """Let all lanes read a text of shape (T,)."""
        for start in range(0, len(codes), self.block):  # Ctrl-C works between calls
            part = codes[start : start + self.block]
            for lane in (lane for lanes in self._lanes for lane in lanes):
                self.feed(lane, part, np.empty(0))
            self.write(len(part))

    def _place(self, lane: Lane, automaton: CompiledAutomaton) -> None:
        """Set a lane to the first state of its pattern, which is stacked where it is new."""
        if not any(automaton is each for each in self._automata):
            self._restack(automaton)
        # states are numbered over all patterns: a lane begins at the first of its pattern
        which = next(n for n, each in enumerate(self._automata) if each is automaton)
        rows = lane.shard.lanes.rows
        rows["pattern"][lane.number], rows["state"][lane.number] = which, self._firsts[which]

    def _restack(self, new: CompiledAutomaton) -> None:
        """Stack the patterns in use and a new one; patterns of lanes that left are dropped."""
        # lanes with the same pattern share its object, which identifies it
        before = dict(zip(map(id, self._automata), self._firsts, strict=True))
        lanes = [lane for some in self._lanes for lane in some if lane.automaton is not None]
        kept = {id(lane.automaton): lane.automaton for lane in lanes}
        self._automata = [each for each in {**kept, id(new): new}.values() if each is not None]
        stack, self._firsts = stacked(self._automata, self._layout.V)
        number = {id(each): n for n, each in enumerate(self._automata)}
        for shard in self._shards:
            shard.lanes = shard.lanes._replace(automata=stack)
        for lane in lanes:
            # a lane keeps its place in its pattern: its state moves with the first one
            key = id(lane.automaton)
            if key in before:
                rows, which = lane.shard.lanes.rows, number[key]
                rows["pattern"][lane.number] = which
                rows["state"][lane.number] += self._firsts[which] - before[key]
