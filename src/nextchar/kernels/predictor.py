"""Predictor: logits of texts on worker threads, without gradients; for scoring and reports."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextchar.kernels.gemm.packed_weights import PackedWeights
from nextchar.kernels.layout import Layout
from nextchar.kernels.training.dropout import NO_DROPOUT
from nextchar.kernels.training.step import predict
from nextchar.kernels.training.workspace import (
    Workspace,
    WorkspaceSize,
    allocate_workspace,
    workspace_bytes,
)
from nextchar.model.scorer import CHUNK, Forward
from nextchar.text.vocabulary import Codes

Array = NDArray[Any]


class Predictor:
    """Workspaces of the threads, allocated for the largest number of lanes requested so far."""

    def __init__(self, layout: Layout, packed: PackedWeights, dtype: Any, threads: int) -> None:
        self._layout, self._packed, self._dtype, self._threads = layout, packed, dtype, threads
        self._workspaces: list[Workspace] = []
        self._lanes = 0

    def forwards(self, parameters: Array, lanes: int) -> list[Forward]:
        """Return functions that run the network, one for each thread that has a lane.

        parameters: flat, as they are packed.
        """
        if self._lanes < lanes:  # fewer lanes use the beginning of the same memory
            self._lanes = lanes
            self._workspaces = [
                allocate_workspace(self._layout, _size(lanes), self._dtype)
                for _ in range(min(self._threads, lanes))
            ]
        workspaces = self._workspaces[:lanes]  # a thread without a lane has nothing to do
        return [partial(self._predict, parameters, workspace) for workspace in workspaces]

    def _predict(
        self, parameters: Array, workspace: Workspace, codes: Codes, state: Array
    ) -> tuple[Array, Array]:
        """Return logits (T, B, V), valid until the next call, and the state after codes (T, B)."""
        (T, B), V, VP = codes.shape, self._layout.V, self._layout.VP
        new_state = np.empty_like(state)  # (L, STATES, B, H)
        x = np.ascontiguousarray(codes, np.int64)
        predict(
            self._layout, parameters, self._packed, workspace, x, state, new_state, NO_DROPOUT
        )  # fmt: skip
        # (T·B·VP) → (T, B, V): a view without the padding
        return workspace.logits[: T * B * VP].reshape(T, B, VP)[:, :, :V], new_state


def predictor_bytes(layout: Layout, dtype: Any, threads: int, lanes: int) -> int:
    """Return the bytes of a predictor's workspaces."""
    return min(threads, lanes) * workspace_bytes(layout, _size(lanes), dtype)


def _size(lanes: int) -> WorkspaceSize:
    """Return the size of a workspace for `CHUNK` characters, however they are cut into lanes."""
    # T · B ≤ CHUNK + lanes, as T is at least 1; h holds the states before step 0 too
    return WorkspaceSize(CHUNK + 2 * lanes, 1, backward=False)
