"""A model that reads and writes character by character, on any number of threads.

The weights are packed once. Where they would not stay in a core's cache they are held as
bfloat16, half the bytes: one lane does little but stream them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from nextchar.kernels.decode import read, write
from nextchar.kernels.draw import Rules
from nextchar.kernels.dropping import dropout_of
from nextchar.kernels.memory import aligned_zeros
from nextchar.kernels.room import Room, room_for
from nextchar.kernels.shape import require_codes, shape_of
from nextchar.kernels.weights import pack_weights, room_for_weights
from nextchar.model.parameters import Parameters

Array = NDArray[Any]

IN_CACHE = 1 << 20  # bytes of packed weights that a core's L2 cache is taken to hold
WORK = 1_000_000_000  # multiply-adds that a thread does before Python has the turn: 10 to 30 ms
LONGEST = 512  # characters of a lane, however little work they are


class Decoder:
    """Lanes that a model reads, or writes, character by character; a context manager.

    bfloat16: how the weights are held; by default where they are larger than `IN_CACHE`, and
    never those of a float64 model. States and sums stay what the parameters are.
    """

    def __init__(
        self, parameters: Parameters, *, threads: int = 1, bfloat16: bool | None = None
    ) -> None:
        architecture, dtype = parameters.architecture, parameters.dtype
        if bfloat16 is None:
            bfloat16 = architecture.matrix_size * 4 > IN_CACHE and dtype == np.float32
        self._parameters, self._threads, self._pairs = parameters, threads, bfloat16
        self._shape = shape_of(architecture, dtype)
        self._nothing = dropout_of(self._shape.L, 0.0, 0, 0)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="nextchar")
        self.packed = room_for_weights(self._shape, dtype, pairs=bfloat16, backward=False)
        pack_weights(self._shape, parameters.flat, self.packed, 0, 1)
        self._cuts = [0, 1]  # where the lanes of each room begin, and where the last ones end
        self._rooms = [self._room(1)]
        self._logits(0)[:] = parameters["b_out"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._pool.shutdown()

    @property
    def logits(self) -> Array:
        """What each lane expects next, (B, V); before any character what the biases say."""
        return np.concatenate([self._logits(n) for n in range(len(self._rooms))])

    @property
    def block(self) -> int:
        """How many characters to draw in one call, so that it lasts some milliseconds."""
        lanes = max(np.diff(self._cuts).tolist())
        work = lanes * self._parameters.architecture.matrix_size
        return max(1, min(LONGEST, WORK // work))

    def read(self, codes: NDArray[Any]) -> None:
        """Read a text of shape (T,) in every lane."""
        require_codes(codes, self._shape.V)
        for start in range(0, len(codes), self.block):  # in between, Ctrl-C is heard
            self._read(codes[start : start + self.block].astype(np.int64))

    def _read(self, codes: NDArray[np.int64]) -> None:
        def work(n: int, lanes: slice) -> None:
            same = np.repeat(codes[:, None], lanes.stop - lanes.start, axis=1)
            read(self._shape, self._flat, self.packed, self._rooms[n], same, self._nothing)

        self._each(work)

    def split(self, lanes: int) -> None:
        """Make one lane into several, all in its state, cut over the threads."""
        if lanes == 1:
            return
        ((one,), logits) = self._rooms, self._logits(0)
        self._cuts = np.linspace(0, lanes, min(self._threads, lanes) + 1).astype(int).tolist()
        self._rooms = [self._room(int(count)) for count in np.diff(self._cuts)]
        for n, room in enumerate(self._rooms):
            self._logits(n)[:] = logits
            for into, source in ((room.h, one.h), (room.c, one.c)):
                P, L = self._shape.P, self._shape.L
                into.reshape(L, 2, -1, P)[:] = source.reshape(L, 2, -1, P)

    def write(self, uniforms: Array, rules: Rules) -> NDArray[np.int64]:
        """Draw and read n characters in every lane; codes (n, B) for uniforms (n, B) in [0, 1)."""
        codes = np.empty(uniforms.shape, np.int64)

        def work(n: int, lanes: slice) -> None:
            own = np.ascontiguousarray(uniforms[:, lanes])
            drawn = np.empty(own.shape, np.int64)
            V = self._shape.V
            weights, heap = aligned_zeros(V, self._parameters.dtype), aligned_zeros(V, np.int64)
            write(
                self._shape, self._flat, self.packed, self._rooms[n], rules, own, drawn,
                weights, heap, self._nothing,
            )  # fmt: skip
            codes[:, lanes] = drawn

        self._each(work)
        return codes

    @property
    def _flat(self) -> Array:
        return self._parameters.flat

    def _logits(self, n: int) -> Array:
        """A room's logits without padding, (B, V)."""
        logits = self._rooms[n].logits.reshape(-1, self._shape.VP)
        return logits[:, : self._shape.V]

    def _each(self, work: Callable[[int, slice], None]) -> None:
        """Do some work in every room, on its lanes."""
        rooms: Sequence[int] = range(len(self._rooms))
        lanes = [slice(*self._cuts[n : n + 2]) for n in rooms]
        run = self._pool.map if len(rooms) > 1 else map
        list(run(work, rooms, lanes))

    def _room(self, B: int) -> Room:
        dtype = self._parameters.dtype
        return room_for(self._shape, 1, B, dtype, pairs=self._pairs, backward=False)
