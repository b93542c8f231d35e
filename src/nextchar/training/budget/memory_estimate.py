"""What a run needs of memory, told before it begins, and what the machine has.

    weights     parameters, their gradient, one shard of it a thread, the optimizer's arrays, the
                packed matrices of the kernels; copies to go back to and to write to disk
    a thread    what kernels/training/workspace.py lays out for its lanes, and for scoring

A bound, not a forecast: what is over it cannot run, what is under it may have to share.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from nextchar.errors import SettingsError
from nextchar.formatting.quantities import memory_size
from nextchar.kernels.engine import SCORING_LANES
from nextchar.kernels.gemm.gemm import CHUNK as TILE_CHUNK
from nextchar.kernels.gemm.gemm import DEPTH
from nextchar.kernels.gemm.packed_weights import packed_rows
from nextchar.kernels.isa import padded
from nextchar.kernels.layout import GRU, LSTM, Layout, layout_of
from nextchar.model.parameters import Architecture
from nextchar.model.scorer import CHUNK
from nextchar.settings.config import TrainingSettings
from nextchar.training.optim.optimizers import slots_of

BEST = 1  # copies of the parameters: the best model so far
WRITING = 2  # copies of a checkpoint while it is written: safetensors' own and the bytes it returns
_UNLIMITED = 1 << 62  # what some kernels say for no limit, and more than there is anywhere


@dataclass(frozen=True)
class MemoryNeed:
    """Bytes that a run takes beside its text.

    weights: of the engine for all that is as large as the network; lanes: for all that is as
    large as a batch; copies: what the trainer keeps beside the engine.
    """

    weights: int
    lanes: int
    copies: int

    @property
    def total(self) -> int:
        """All together."""
        return self.weights + self.lanes + self.copies


def estimate_memory(
    architecture: Architecture,
    settings: TrainingSettings,
    *,
    T: int,
    B: int,
    threads: int,
    dtype: Any,
    pairs: bool = False,
) -> MemoryNeed:
    """What a run with batches of T steps of B lanes takes. pairs: products in bfloat16.

    The need of L layers grows by as much with each, so one and two of them are laid out; the
    number that was asked for may be one that no table could be made of.
    """
    L = architecture.settings.num_layers
    how: dict[str, Any] = {
        "T": T, "B": B, "threads": threads, "dtype": np.dtype(dtype), "pairs": pairs,
    }  # fmt: skip
    one, two = (_need(_with_layers(architecture, n), settings, **how) for n in (1, 2))
    return MemoryNeed(
        one.weights + (L - 1) * (two.weights - one.weights),
        one.lanes + (L - 1) * (two.lanes - one.lanes),
        one.copies + (L - 1) * (two.copies - one.copies),
    )


def _with_layers(architecture: Architecture, layers: int) -> Architecture:
    network = replace(architecture.settings, num_layers=layers)
    return Architecture(network, architecture.vocabulary_size)


def _need(
    architecture: Architecture,
    settings: TrainingSettings,
    *,
    T: int,
    B: int,
    threads: int,
    dtype: np.dtype[Any],
    pairs: bool,
) -> MemoryNeed:
    shape, size = layout_of(architecture, dtype), dtype.itemsize
    packed = _packed(shape, dtype, pairs=pairs) + (_packed(shape, dtype, back=False) * pairs)
    own = 1 + len(slots_of(settings.optimizer))  # parameters and the optimizer's arrays
    flat = architecture.size * size
    training = _room(shape, T, -(-B // threads), dtype, pairs=pairs, dropout=settings.dropout > 0)
    scoring = _room(shape, CHUNK + 2 * SCORING_LANES, 1, dtype, back=False)
    good = own if settings.on_divergence == "retry" else 0
    return MemoryNeed(
        weights=packed + (threads + 1) * flat,
        lanes=threads * training + min(threads, SCORING_LANES) * scoring,
        copies=(own + good + BEST + WRITING * own) * flat,
    )


def _packed(shape: Layout, dtype: Any, *, pairs: bool = False, back: bool = True) -> int:
    """Bytes of `kernels.gemm.packed_weights.room_for_weights`."""
    width = shape.G * shape.P
    matrices = [packed_rows(shape, n, which) for n in range(shape.L) for which in (0, 1)]
    rows: list[int] = [each for each in matrices if each]  # 0 where the input is one-hot
    sizes = [(each, width) for each in rows] + [(shape.P, shape.VP)]
    if back:
        sizes += [(width, padded(each, dtype)) for each in rows] + [(shape.VP, shape.P)]
    if pairs:
        return sum((height + 1) // 2 * columns for height, columns in sizes) * 4
    return sum(height * columns for height, columns in sizes) * int(np.dtype(dtype).itemsize)


def _room(
    shape: Layout,
    T: int,
    B: int,
    dtype: Any,
    *,
    pairs: bool = False,
    back: bool = True,
    dropout: bool = False,
) -> int:
    """Bytes of `allocate_workspace`, without what is small whatever the settings are."""
    L, G, P, N = shape.L, shape.G, shape.P, T * B
    widest, tallest = max(G * P, shape.VP), max(shape.H, shape.E)
    extra = {LSTM: 1, GRU: 3}.get(shape.cell, 0)
    layer = N * (G + extra + dropout) * P + (T + 1) * B * P * shape.S
    numbers = L * layer + N * (shape.EP + shape.VP)
    if back:
        numbers += N * (shape.EP + 2 * P) + B * P + tallest * (widest + DEPTH)
    scratch = TILE_CHUNK * (max(widest, shape.EP, P) + 1) // 2 * 4 if pairs else 0
    return numbers * int(np.dtype(dtype).itemsize) + N * 8 * (1 + back) + scratch


def require_memory(architecture: Architecture, settings: TrainingSettings, **how: Any) -> None:
    """Raise SettingsError, with what to lower, where a run needs more than there is.

    how: T, B, threads, dtype and pairs as `estimate_memory` takes them.
    """
    need = estimate_memory(architecture, settings, **how)
    there, whose = memory_limit()
    if need.total <= there:
        return
    network, weights = architecture.settings, need.weights + need.copies
    lower = f"hidden_size (now {network.hidden_size}) or num_layers (now {network.num_layers})"
    if need.lanes > weights:
        lower = f"batch_size (now {how['B']}), seq_length (now {how['T']}), {lower}"
    raise SettingsError(
        f"a run with these settings needs about {memory_size(need.total)} of memory, {whose} "
        f"{memory_size(there)}: {memory_size(weights)} for the weights and "
        f"{memory_size(need.lanes)} for the batches; lower {lower}"
    )


def memory_limit(root: Path = Path("/")) -> tuple[int, str]:
    """Bytes that this process may use at most, and whose they are.

    root: where Linux tells of control groups, by which containers and batch systems limit.
    """
    limits = [(_machine(), "this machine has"), (_address_space(), "the limit (ulimit -v) is")]
    for path in _limit_files(root):
        try:
            limits.append((int(path.read_text()), "this container may use"))
        except (OSError, ValueError):  # not there, or "max"
            continue
    return min(limits)


def _limit_files(root: Path) -> list[Path]:
    """Where the limits of this process's control groups stand, of either version."""
    top = root / "sys/fs/cgroup"
    files = [top / "memory.max", top / "memory/memory.limit_in_bytes"]
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return files
    for line in lines:
        _, kinds, group = line.split(":", 2)
        inner = Path(group.lstrip("/"))
        for folder in (inner, *inner.parents):
            if not kinds:
                files.append(top / folder / "memory.max")
            elif "memory" in kinds.split(","):
                files.append(top / "memory" / folder / "memory.limit_in_bytes")
    return files


def _machine() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # not on Windows
        return _UNLIMITED


def _address_space() -> int:
    try:
        import resource
    except ImportError:  # not on Windows
        return _UNLIMITED
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    return _UNLIMITED if soft == resource.RLIM_INFINITY else soft
