"""One batch, cut into shards of lanes, one worker thread each.

The gradients of the shards are summed in fixed order, so the same thread count gives the same
bits. What the workers run is compiled and holds no lock of the interpreter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from nextchar.errors import SettingsError
from nextchar.kernels.isa import HOST
from nextchar.kernels.threads import one_blas_thread
from nextchar.kernels.weights import PackedWeights
from nextchar.kernels.worker import Worker
from nextchar.model.dropout import draw_masks
from nextchar.model.parameters import Architecture, Parameters
from nextchar.model.scorer import CHUNK, Score, score
from nextchar.text.batches import Batch
from nextchar.text.vocabulary import Codes

Array = NDArray[Any]

SCORING_LANES = 64


class Engine:
    """Computes losses and gradients of an architecture on worker threads; a context manager.

    bfloat16: round the operands of products to bfloat16; needs a CPU that multiplies them.
    gradient: where `loss_and_gradient` leaves the gradient of the mean loss.
    """

    def __init__(
        self, architecture: Architecture, *, threads: int, dtype: Any, bfloat16: bool = False
    ) -> None:
        if bfloat16 and not HOST.has_bfloat16:
            raise SettingsError(
                f"dtype: bfloat16 wants a CPU with avx512_bf16, which this one ({HOST.name}) "
                "lacks; use float32"
            )
        self._architecture, self._threads, self._dtype = architecture, threads, dtype
        self._room = (0, 0)  # T and B that the workers have memory for
        self._workers: list[Worker] = []
        self._readers: list[Worker] = []  # what scoring works with, and the lanes it has room for
        self._reading = 0
        self._pairs = bfloat16
        self._packed = PackedWeights(architecture, dtype, pairs=bfloat16)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="nextchar")
        self._limit = one_blas_thread()
        self.gradient = Parameters(architecture, dtype=dtype)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
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
        """
        T, B = batch.inputs.shape
        self._require_codes(batch.inputs)
        self._require_codes(batch.targets)
        bounds = np.linspace(0, B, min(self._threads, B) + 1).astype(int)
        self._make_room(T, B)
        self._each(lambda task: task(), self._packed.tasks(parameters))
        new_state = np.empty_like(state)

        def work(shard: int) -> float:
            lanes = slice(int(bounds[shard]), int(bounds[shard + 1]))
            masks = draw_masks(
                parameters.architecture,
                (lanes.start, lanes.stop),
                T,
                dropout,
                seed=seed,
                step=step,
                dtype=parameters.dtype,
            )
            return self._workers[shard].step(
                parameters,
                self._packed,
                batch.inputs[:, lanes].astype(np.int64),
                batch.targets[:, lanes].astype(np.int64),
                state[:, :, lanes],
                new_state[:, :, lanes],
                scale=1 / (T * B),
                masks=masks,
            )

        losses = self._each(work, range(len(bounds) - 1))
        np.copyto(self.gradient.flat, self._workers[0].gradient.flat)
        for worker in self._workers[1 : len(losses)]:
            self.gradient.flat += worker.gradient.flat
        return sum(losses) / (T * B), new_state

    def score(self, parameters: Parameters, codes: Codes, *, lanes: int = SCORING_LANES) -> Score:
        """Score a text, one lane exactly, several quickly (see `model.scorer.score`)."""
        self._require_codes(codes)
        self._each(lambda task: task(), self._packed.tasks(parameters))
        forwards = [
            partial(each.predict, parameters, self._packed) for each in self._readers_for(lanes)
        ]
        return score(parameters, codes, lanes=lanes, forwards=forwards, run=self._pool.map)

    def _readers_for(self, lanes: int) -> list[Worker]:
        """What scoring works with: room for CHUNK characters however they are cut into lanes."""
        if self._reading < lanes:
            self._reading = lanes
            self._readers = [
                Worker(self._architecture, CHUNK + 2 * lanes, 1, self._dtype, pairs=self._pairs)
                for _ in range(min(self._threads, lanes))
            ]
        return self._readers

    def _require_codes(self, codes: Codes) -> None:
        """Compiled code looks codes up without a check of its own."""
        V = self._architecture.vocabulary_size
        if codes.size and not (codes.min() >= 0 and codes.max() < V):
            raise IndexError(f"codes must be in [0, {V}), got {codes.min()}…{codes.max()}")

    def _make_room(self, T: int, B: int) -> None:
        """Lay out the workers' memory, once for the largest batch."""
        if self._room[0] >= T and self._room[1] >= B:
            return
        self._room = (max(T, self._room[0]), max(B, self._room[1]))
        lanes = -(-self._room[1] // min(self._threads, B))
        self._workers = [
            Worker(self._architecture, self._room[0], lanes, self._dtype, pairs=self._pairs)
            for _ in range(self._threads)
        ]

    def _each(self, work: Callable[[Any], Any], over: Iterable[Any]) -> list[Any]:
        """The results of some work, done by all threads; by this one where there is but one."""
        return list(self._pool.map(work, over) if self._threads > 1 else map(work, over))
