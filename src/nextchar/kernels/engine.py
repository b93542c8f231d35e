"""One batch, cut into shards of lanes, one worker thread each.

    pack the weights | step over each shard | add the gradients | update

Each is a compiled call per thread, and the threads wait for each other between them. The
gradients of the shards are summed in fixed order, so the same thread count gives the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from nextchar.errors import SettingsError
from nextchar.kernels.aligned import aligned_zeros
from nextchar.kernels.gemm.packed_weights import (
    PackedWeights,
    allocate_packed_weights,
    pack_weights,
)
from nextchar.kernels.isa import HOST
from nextchar.kernels.layout import layout_of, require_codes
from nextchar.kernels.threads import one_blas_thread
from nextchar.kernels.training.buckets import (
    Buckets,
    GradientAllReduce,
    StepInputs,
    bucket_bounds,
    step_in_buckets,
)
from nextchar.kernels.training.dropout import dropout_of
from nextchar.kernels.training.optimizers import add_shards, update
from nextchar.kernels.training.step import NO_CODE, predict, step
from nextchar.kernels.training.update_constants import update_constants
from nextchar.kernels.training.workspace import Workspace, allocate_workspace
from nextchar.model.parameters import Architecture, Parameters
from nextchar.model.scorer import CHUNK, Forward, Score, Watch, score
from nextchar.settings.config import TrainingSettings
from nextchar.text.batches import ALL, Batch, Share
from nextchar.text.vocabulary import Codes

Array = NDArray[Any]
T = TypeVar("T")

SCORING_LANES = 64
LEAST_PART = 20_000  # numbers of a flat array that are worth a thread's while
POLL_SECONDS = 0.002  # between two looks after messages: each takes its time of those who compute


class Engine:
    """Computes losses and gradients of an architecture on worker threads; a context manager.

    bfloat16: round the operands of products to bfloat16; needs a CPU that multiplies them.
    exchange: sums gradients over the machines that compute the other lanes of a batch.
    gradient: where `loss_and_gradient` leaves the gradient of the mean loss, and gradient_norm
    its Euclidean norm.
    """

    def __init__(
        self,
        architecture: Architecture,
        *,
        threads: int,
        dtype: Any,
        bfloat16: bool = False,
        exchange: GradientAllReduce | None = None,
    ) -> None:
        if bfloat16 and not HOST.has_bfloat16:
            raise SettingsError(
                f"dtype: bfloat16 wants a CPU with avx512_bf16, which this one ({HOST.name}) "
                "lacks; use float32"
            )
        self._threads, self._dtype, self._pairs = threads, np.dtype(dtype), bfloat16
        self._exchange = exchange
        self._shape = layout_of(architecture, dtype)
        self._packed = allocate_packed_weights(self._shape, dtype, pairs=bfloat16)
        self._rooms: list[Workspace] = []
        self._room_for = (0, 0, False)  # T, B and dropout that the rooms are laid out for
        self._readers: list[
            Workspace
        ] = []  # what scoring works in, and the lanes it is laid out for
        self._reading, self._unrounded = 0, self._packed
        if bfloat16:  # so that validation and `nextchar eval` agree
            self._unrounded = allocate_packed_weights(self._shape, dtype, backward=False)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="nextchar")
        self._limit = one_blas_thread()
        self._shards = aligned_zeros((threads, architecture.size), dtype)
        self.gradient = Parameters(architecture, dtype=dtype)
        self.gradient_norm = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the worker threads and give BLAS its own back."""
        self._pool.shutdown()
        self._limit.restore_original_limits()

    def loss_and_gradient(
        self,
        parameters: Parameters,
        batch: Batch,
        state: Array,
        *,
        dropout: float = 0.0,
        seed: int = 0,
        step: int = 0,
    ) -> tuple[float, Array]:
        """The mean loss of a batch in nats per character, and the state after it.

        state: (L, STATES, B, H), the state before it; not changed.
        dropout, seed, step: the share of units left out, and what their choice depends on.
        Of a batch whose other lanes are elsewhere, loss and gradient are those of all lanes.
        """
        T, B = batch.inputs.shape
        codes, targets = (
            np.ascontiguousarray(each, np.int64) for each in (batch.inputs, batch.targets)
        )
        self._lay_out(T, max(B, 1), dropout > 0)
        self._pack(parameters, self._packed)
        state = np.ascontiguousarray(state)
        new_state = np.empty_like(state)
        dropped = dropout_of(self._shape.L, dropout, seed, step)
        scale = 1 / batch.characters
        task = StepInputs(parameters.flat, codes, targets, state, new_state, scale, dropped)
        if self._exchange is None:
            loss = self._at_once(task)
        else:
            loss = self._exchanged(task, batch, self._exchange)
        return loss / batch.characters, new_state

    def _at_once(self, task: StepInputs) -> float:
        """The summed loss of all lanes, their gradient in `gradient`."""
        B = task.codes.shape[1]
        bounds = _parts_of(B, min(self._threads, B))

        def work(shard: int) -> float:
            first, end = bounds[shard], bounds[shard + 1]
            return float(
                _step(
                    self._shape, task.flat, self._packed, self._rooms[shard],
                    self._shards[shard], task.codes, task.targets, task.state, task.new_state,
                    first, end - first, task.scale, task.dropped,
                )
            )  # fmt: skip

        losses = self._each(work, range(len(bounds) - 1))
        self._require_known(losses, task)
        self._add(self._shards[: len(losses)])
        return float(sum(losses))

    def _exchanged(self, task: StepInputs, batch: Batch, exchange: GradientAllReduce) -> float:
        """The same where others compute the other lanes: in pieces, each summed when it is ready.

        There may be no lane left for this machine: its share of the sums is then zero.
        """
        B, gradient = task.codes.shape[1], self.gradient
        bounds = _parts_of(B, min(self._threads, B)) if B else [0]
        shards, rows = range(len(bounds) - 1), self._shards[: max(len(bounds) - 1, 1)]
        pieces = Buckets(self._shape, self._packed, self._rooms, rows, bounds, task, batch)
        if not B:
            rows[:] = 0

        def losses() -> list[float]:
            found = self._polling(exchange, pieces.losses, shards)
            self._require_known(found, task)
            return found

        loss = step_in_buckets(
            bucket_bounds(self._shape, gradient.architecture.matrix_size),
            gradient.flat,
            exchange,
            forward_to_loss=losses,
            compute=lambda n: self._polling(exchange, partial(pieces.compute, n), shards),
            add=partial(self._over_parts, lambda a, b: add_shards(rows, gradient.flat, a, b)),
        )
        self._add(gradient.flat[None])  # for its norm
        return loss

    def _require_known(self, losses: Sequence[float], task: StepInputs) -> None:
        """Raise IndexError where a kernel met a code that is none."""
        if NO_CODE in losses:
            require_codes(task.codes, self._shape.V)
            require_codes(task.targets, self._shape.V)

    def update(
        self,
        parameters: Parameters,
        slots: Mapping[str, Array],
        *,
        learning_rate: float,
        step: int,
        settings: TrainingSettings,
    ) -> None:
        """Clip the gradient and move the parameters against it, as the settings say.

        step: counts from 1. The parameters and the optimizer's slots are changed.
        """
        rule = update_constants(
            settings, norm=self.gradient_norm, learning_rate=learning_rate, step=step
        )
        one, two = [*slots.values(), parameters.flat[:0], parameters.flat[:0]][:2]
        size = parameters.architecture.matrix_size
        flat, gradient = parameters.flat, self.gradient.flat
        self._over_parts(
            lambda first, end: update(rule, flat, gradient, one, two, first, end, size)
        )

    def score(
        self,
        parameters: Parameters,
        codes: Codes,
        *,
        lanes: int = SCORING_LANES,
        share: Share = ALL,
        watch: Watch | None = None,
    ) -> Score:
        """Score a text, one lane exactly, several quickly (see `model.scorer.score`)."""
        require_codes(codes, self._shape.V)
        forwards = self.forwards(parameters, lanes)
        how: Any = {"forwards": forwards, "run": self.each, "share": share, "watch": watch}
        return score(parameters, codes, lanes=lanes, **how)

    def forwards(self, parameters: Parameters, lanes: int) -> list[Forward]:
        """What runs the network, one for each thread that has a lane.

        Each takes at most `CHUNK` characters, of at most so many lanes; the parameters are as they
        are now, and its logits are valid until its next call.
        """
        self._pack(parameters, self._unrounded)
        if self._reading < lanes:  # room for CHUNK characters however they are cut into lanes
            self._reading = lanes
            self._readers = [
                allocate_workspace(self._shape, CHUNK + 2 * lanes, 1, self._dtype, backward=False)
                for _ in range(min(self._threads, lanes))
            ]
        rooms = self._readers[:lanes]
        return [partial(self._predict, parameters.flat, room) for room in rooms]

    def each(self, work: Callable[[Any], T], over: Iterable[Any]) -> Iterator[T]:
        """The results of some work, done by the worker threads."""
        return self._pool.map(work, over)

    def _predict(
        self, flat: Array, room: Workspace, codes: Codes, state: Array
    ) -> tuple[Array, Array]:
        """Logits (T, B, V), valid until the next call, and the state after the codes (T, B)."""
        (T, B), V, VP = codes.shape, self._shape.V, self._shape.VP
        new_state = np.empty_like(state)
        nothing = dropout_of(self._shape.L, 0.0, 0, 0)
        x = np.ascontiguousarray(codes, np.int64)
        predict(self._shape, flat, self._unrounded, room, x, state, new_state, nothing)
        return room.logits[: T * B * VP].reshape(T, B, VP)[:, :, :V], new_state

    def _lay_out(self, T: int, B: int, dropout: bool) -> None:
        """Lay out the workers' memory, once for the largest batch."""
        old = self._room_for
        if old[0] >= T and old[1] >= B and old[2] >= dropout:
            return
        T, B, dropout = max(T, old[0]), max(B, old[1]), dropout or old[2]
        self._room_for = (T, B, dropout)
        lanes = -(-B // min(self._threads, B))
        how = {"pairs": self._pairs, "dropout": dropout}
        self._rooms = [
            allocate_workspace(self._shape, T, lanes, self._dtype, **how)
            for _ in range(self._threads)
        ]

    def _pack(self, parameters: Parameters, into: PackedWeights) -> None:
        flat, parts = parameters.flat, self._parts()
        self._each(lambda part: pack_weights(self._shape, flat, into, part, parts), range(parts))

    def _add(self, rows: Array) -> None:
        """The gradient is the sum of the shards', (shards, size)."""
        out = self.gradient.flat
        squares = self._over_parts(lambda first, end: add_shards(rows, out, first, end))
        self.gradient_norm = float(np.sqrt(sum(squares)))

    def _over_parts(
        self, work: Callable[[int, int], Any], first: int = 0, end: int | None = None
    ) -> list[Any]:
        """The results of some work over the flat arrays, a part for each thread."""
        size = (self.gradient.flat.size if end is None else end) - first
        bounds = [first + bound for bound in _parts_of(size, self._parts())]
        return self._each(lambda n: work(bounds[n], bounds[n + 1]), range(len(bounds) - 1))

    def _parts(self) -> int:
        return max(1, min(self._threads, self.gradient.flat.size // LEAST_PART))

    def _each(self, work: Callable[[int], Any], over: Sequence[int]) -> list[Any]:
        """The results of some work, done by all threads; by this one where there is but one."""
        return list(self._pool.map(work, over) if len(over) > 1 else map(work, over))

    def _polling(
        self, exchange: GradientAllReduce, work: Callable[[int], Any], over: Sequence[int]
    ) -> list[Any]:
        """The same, by other threads in any case, while this one looks after messages."""
        futures = [self._pool.submit(work, each) for each in over]
        while wait(futures, POLL_SECONDS).not_done:
            exchange.poll()
        return [future.result() for future in futures]


def _parts_of(size: int, parts: int) -> list[int]:
    """Where nearly equal parts begin, and where the last one ends."""
    return [size * part // parts for part in range(parts + 1)]


_step = step  # within `loss_and_gradient` the name is an argument's
