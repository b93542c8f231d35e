"""One batch, cut into shards of lanes, one worker thread each.

The gradients of the shards are summed in fixed order, so the same thread count gives the same
bits. Each worker's BLAS is held to one thread: workers share the cores, not fight for them.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from nextchar.kernels.threads import one_blas_thread
from nextchar.model.dropout import draw_masks
from nextchar.model.network import loss_and_gradient
from nextchar.model.parameters import Architecture, Parameters
from nextchar.model.scorer import Score, score
from nextchar.text.batches import Batch
from nextchar.text.vocabulary import Codes

Array = NDArray[Any]

SCORING_LANES = 64


class Engine:
    """Computes losses and gradients of an architecture on worker threads; a context manager.

    gradient: where `loss_and_gradient` leaves the gradient of the mean loss.
    """

    def __init__(self, architecture: Architecture, *, threads: int, dtype: Any) -> None:
        self._gradients = [Parameters(architecture, dtype=dtype) for _ in range(threads)]
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="nextchar")
        self._limit = one_blas_thread()
        self.gradient = self._gradients[0]

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
        new_state = np.empty_like(state)
        bounds = np.linspace(0, B, min(len(self._gradients), B) + 1).astype(int)

        @np.errstate(over="ignore", invalid="ignore")  # the trainer looks at what comes out
        def work(shard: int) -> float:
            first, end = int(bounds[shard]), int(bounds[shard + 1])
            loss, new_state[:, :, first:end] = loss_and_gradient(
                parameters,
                np.ascontiguousarray(batch.inputs[:, first:end]),
                batch.targets[:, first:end],
                state[:, :, first:end],
                self._gradients[shard],
                scale=1 / (T * B),
                masks=draw_masks(
                    parameters.architecture,
                    (first, end),
                    T,
                    dropout,
                    seed=seed,
                    step=step,
                    dtype=parameters.dtype,
                ),
            )
            return loss

        shards = range(len(bounds) - 1)
        losses = list(self._pool.map(work, shards) if len(shards) > 1 else map(work, shards))
        for shard in shards[1:]:
            self.gradient.flat += self._gradients[shard].flat
        return sum(losses) / (T * B), new_state

    def score(self, parameters: Parameters, codes: Codes) -> Score:
        """Score a text quickly, in lanes (see `model.scorer.score`)."""
        return score(parameters, codes, lanes=SCORING_LANES, run=self._pool.map)
