"""Engine: gradients and predictions of one batch, split into shards of lanes, one per thread.

    pack the weights | step over each shard | add the gradients | update

Each is a compiled call per thread, and the threads wait for each other between them. The
gradients of the shards are summed in fixed order, so the same thread count gives the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
    packed_weights_bytes,
)
from nextchar.kernels.isa import HOST
from nextchar.kernels.layout import layout_of, require_codes
from nextchar.kernels.predictor import Predictor, predictor_bytes
from nextchar.kernels.results import EngineBytes, Gradient, StepResult
from nextchar.kernels.threads import one_blas_thread
from nextchar.kernels.training import optimizers
from nextchar.kernels.training.buckets import (
    Buckets,
    GradientAllReduce,
    bucket_bounds,
    step_in_buckets,
)
from nextchar.kernels.training.dropout import make_dropout
from nextchar.kernels.training.step import NO_CODE, StepInputs
from nextchar.kernels.training.step import step as training_step
from nextchar.kernels.training.workspace import (
    Workspace,
    WorkspaceSize,
    allocate_workspace,
    workspace_bytes,
)
from nextchar.kernels.workers import Workers, bounds_of
from nextchar.model.parameters import Architecture, Parameters
from nextchar.model.scorer import Forward, Score, Watch, score
from nextchar.settings.config import TrainingSettings
from nextchar.text.batches import ALL, Batch, Share
from nextchar.text.vocabulary import Codes

__all__ = ["Engine", "EngineBytes", "Gradient", "GradientAllReduce", "StepResult", "engine_bytes"]

Array = NDArray[Any]
T = TypeVar("T")

SCORING_LANES = 64  # that a text is cut into for fast scoring


class Engine:
    """Computes losses and gradients of an architecture on worker threads; a context manager.

    bfloat16: round the operands of products to bfloat16; needs a CPU that multiplies them.
    all_reduce: sums gradients over the machines that compute the other lanes of a batch.
    """

    def __init__(
        self,
        architecture: Architecture,
        *,
        threads: int,
        dtype: Any,
        bfloat16: bool = False,
        all_reduce: GradientAllReduce | None = None,
    ) -> None:
        if bfloat16 and not HOST.has_bfloat16:
            raise SettingsError(
                f"bfloat16 needs a CPU with avx512_bf16, which this one ({HOST.name}) lacks",
                setting="dtype",
                remedy="use float32",
            )
        self._dtype, self._bfloat16, self._all_reduce = np.dtype(dtype), bfloat16, all_reduce
        self._matrix_size = architecture.matrix_size
        self._layout = layout_of(architecture, dtype)
        self._packed = allocate_packed_weights(self._layout, dtype, pairs=bfloat16)
        self._unrounded = self._packed
        if bfloat16:  # so that validation and `nextchar eval` agree
            self._unrounded = allocate_packed_weights(self._layout, dtype, backward=False)
        self._predictor = Predictor(self._layout, self._unrounded, self._dtype, threads)
        self._workspaces: list[Workspace] = []
        self._size = WorkspaceSize(0, 0)  # that they are allocated for
        self._workers = Workers(threads)
        self._limit = one_blas_thread()
        self._shards = aligned_zeros((threads, architecture.size), dtype)  # a gradient per thread
        self._gradient = np.zeros(architecture.size, dtype)  # their sum

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the worker threads and restore the thread limit of BLAS."""
        self._workers.close()
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
    ) -> StepResult:
        """Compute the mean loss of a batch, the state after it, and the gradient.

        state: (L, STATES, B, H), the state before it; not changed.
        dropout: rate; seed and step choose the dropped units.
        Of a batch whose other lanes are on other machines, loss and gradient are of all lanes.
        """
        length, B = batch.inputs.shape  # B is 0 where this machine has no lane
        self._allocate(length, max(B, 1), dropout > 0)
        self._pack(parameters, self._packed)  # the last update changed the weights
        inputs = StepInputs(
            parameters=parameters.flat,
            codes=np.ascontiguousarray(batch.inputs, np.int64),
            targets=np.ascontiguousarray(batch.targets, np.int64),
            state=np.ascontiguousarray(state),
            new_state=np.empty(state.shape, state.dtype),  # each thread writes its lanes
            scale=1 / batch.characters,  # of all lanes, on whatever machine: their mean loss
            dropout=make_dropout(self._layout.L, dropout, seed, step),
            first_lane=batch.first,
            lanes=batch.lanes,
        )
        if self._all_reduce is None:
            loss, norm = self._step(inputs)
        else:
            loss, norm = self._step_in_buckets(inputs, self._all_reduce)
        gradient = Gradient(self._gradient, norm)
        return StepResult(loss / batch.characters, inputs.new_state, gradient)

    def _step(self, inputs: StepInputs) -> tuple[float, float]:
        """Return the summed loss of all lanes and the norm of their gradient."""
        B = inputs.codes.shape[1]
        bounds = bounds_of(B, min(self._workers.threads, B))  # a lane or more in each shard

        def work(shard: int) -> float:
            first, end = bounds[shard], bounds[shard + 1]
            workspace, gradient = self._workspaces[shard], self._shards[shard]
            loss: float = training_step(
                self._layout, self._packed, workspace, gradient, inputs, first, end - first
            )
            return loss

        losses = self._workers.run(work, range(len(bounds) - 1))
        self._require_known(losses, inputs)
        return float(sum(losses)), self._sum(self._shards[: len(losses)])  # in fixed order

    def _step_in_buckets(
        self, inputs: StepInputs, all_reduce: GradientAllReduce
    ) -> tuple[float, float]:
        """Return the same with other lanes on other machines; sum each bucket when it is ready."""
        B, gradient, poll = inputs.codes.shape[1], self._gradient, all_reduce.poll
        bounds = bounds_of(B, min(self._workers.threads, B)) if B else [0]
        # a machine without a lane has no shard, but one row of zeros as its share of the sums
        shards, rows = range(len(bounds) - 1), self._shards[: max(len(bounds) - 1, 1)]
        buckets = Buckets(self._layout, self._packed, self._workspaces, rows, bounds, inputs)
        if not B:
            rows[:] = 0

        def forward_to_loss() -> list[float]:
            # this thread polls the sums over machines while the workers compute
            losses = self._workers.run_polling(poll, buckets.loss, shards)
            self._require_known(losses, inputs)
            return losses

        add = partial(optimizers.add_shards, rows, gradient)  # over the threads of this machine
        loss = step_in_buckets(
            bucket_bounds(self._layout, self._matrix_size),
            gradient,
            all_reduce,
            forward_to_loss=forward_to_loss,
            compute=lambda n: self._workers.run_polling(poll, partial(buckets.compute, n), shards),
            add=partial(self._workers.over_ranges, add),
        )
        return loss, self._sum(gradient[None])  # (1, size): a sum of one row, for its norm

    def _require_known(self, losses: Sequence[float], inputs: StepInputs) -> None:
        """Raise IndexError where a kernel met an invalid code."""
        if NO_CODE in losses:  # checked again here: the kernel does not report the code
            require_codes(inputs.codes, self._layout.V)
            require_codes(inputs.targets, self._layout.V)

    def update(
        self,
        parameters: Parameters,
        slots: Mapping[str, Array],
        gradient: Gradient,
        *,
        learning_rate: float,
        step: int,
        settings: TrainingSettings,
    ) -> None:
        """Clip the gradient and move the parameters against it by the settings' optimizer.

        step: counts from 1. Parameters and slots are changed, the gradient is not.
        """
        constants = optimizers.update_constants(
            settings, norm=gradient.norm, learning_rate=learning_rate, step=step
        )
        flat = parameters.flat
        # (size,) each, or (0,) where the optimizer has fewer
        pair = tuple([*slots.values(), flat[:0], flat[:0]][:2])

        def work(first: int, end: int) -> None:
            optimizers.update(constants, flat, gradient.flat, pair, first, end, self._matrix_size)

        self._workers.over_ranges(work, 0, flat.size)  # elementwise: ranges are independent

    def score(
        self,
        parameters: Parameters,
        codes: Codes,
        *,
        lanes: int = SCORING_LANES,
        share: Share = ALL,
        watch: Watch | None = None,
    ) -> Score:
        """Score a text, with one lane exactly, with several fast (see `model.scorer.score`)."""
        require_codes(codes, self._layout.V)
        forwards = self.forwards(parameters, lanes)
        return score(
            parameters, codes, lanes=lanes, forwards=forwards, run=self.each, share=share,
            watch=watch,
        )  # fmt: skip

    def forwards(self, parameters: Parameters, lanes: int) -> list[Forward]:
        """Return functions that run the network, one for each thread that has a lane.

        Each takes at most `CHUNK` characters, of at most so many lanes. The parameters are those
        of this call; the logits are valid until a function's next call.
        """
        self._pack(parameters, self._unrounded)  # never rounded to bfloat16
        return self._predictor.forwards(parameters.flat, lanes)

    def each(self, work: Callable[[Any], T], over: Iterable[Any]) -> Iterator[T]:
        """Yield the results of work on each item, done by the worker threads."""
        return self._workers.map(work, over)

    def _allocate(self, length: int, B: int, dropout: bool) -> None:
        """Allocate the workspaces for batches up to a size, unless they are large enough."""
        # never smaller than before: a short batch uses the beginning of the memory
        old, threads = self._size, self._workers.threads
        size = WorkspaceSize(
            max(length, old.T), max(B, old.B), self._bfloat16, dropout=dropout or old.dropout
        )
        if size == old:
            return
        self._size = size
        size = size._replace(B=-(-size.B // min(threads, size.B)))  # lanes of the largest shard
        self._workspaces = [
            allocate_workspace(self._layout, size, self._dtype) for _ in range(threads)
        ]

    def _pack(self, parameters: Parameters, into: PackedWeights) -> None:
        flat, n = parameters.flat, self._workers.parts(parameters.flat.size)
        self._workers.run(lambda part: pack_weights(self._layout, flat, into, part, n), range(n))

    def _sum(self, rows: Array) -> float:
        """Sum gradients (shards, size) into the gradient; return its norm."""
        # each range returns its sum of squares: the norm needs no separate pass
        add = partial(optimizers.add_shards, rows, self._gradient)
        return float(np.sqrt(sum(self._workers.over_ranges(add, 0, self._gradient.size))))


def engine_bytes(
    architecture: Architecture,
    *,
    T: int,
    B: int,
    threads: int,
    dtype: Any,
    bfloat16: bool = False,
    dropout: bool = False,
) -> EngineBytes:
    """Return the bytes that an engine allocates for steps of T characters of B lanes."""
    layout, flat = layout_of(architecture, dtype), architecture.size * np.dtype(dtype).itemsize
    packed = packed_weights_bytes(layout, dtype, pairs=bfloat16)
    if bfloat16:  # the unrounded weights, for scoring
        packed += packed_weights_bytes(layout, dtype, backward=False)
    size = WorkspaceSize(T, -(-B // threads), bfloat16, dropout=dropout)  # of the largest shard
    lanes = threads * workspace_bytes(layout, size, dtype)
    lanes += predictor_bytes(layout, dtype, threads, SCORING_LANES)
    return EngineBytes(packed + (threads + 1) * flat, lanes)  # a gradient per thread, their sum
