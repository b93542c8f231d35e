"""Memory estimate of a run, made before it begins, and the limit of this machine.

    weights     parameters, their gradient, one shard of it per thread, the optimizer's arrays, the
                packed matrices of the kernels; copies to roll back to and to write to disk
    lanes       the workspaces of the threads, for their lanes and for scoring

A bound, not a forecast: a run above the limit cannot work, one below it may have to share.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from nextchar.errors import SettingsError
from nextchar.formatting.quantities import memory_size
from nextchar.model.parameters import Architecture
from nextchar.settings.config import NetworkSettings, TrainingSettings
from nextchar.training.optim.optimizers import slots_of

BEST = 1  # copies of the parameters: the best model so far
WRITING = 2  # copies of a checkpoint while it is written: safetensors' own and the result
_UNLIMITED = 1 << 62  # larger than any memory; some Linux kernels write such numbers for no limit


@dataclass(frozen=True)
class MemoryNeed:
    """Bytes that a run needs besides its text.

    weights: of the engine, for arrays as large as the network. lanes: of the engine, for arrays as
    large as a batch. copies: of the trainer besides the engine.
    """

    weights: int
    lanes: int
    copies: int

    @property
    def total(self) -> int:
        """Sum of all."""
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
    """Return the memory of a run with batches of T steps of B lanes. pairs: bfloat16 products.

    Each layer after the first needs as much as the second, so one and two layers are computed: a
    table of the layers that were requested could itself exceed the memory.
    """

    def need(layers: int) -> MemoryNeed:
        from nextchar.kernels.engine import engine_bytes  # imports Numba

        network = replace(architecture.settings, num_layers=layers)
        smaller = Architecture(network, architecture.vocabulary_size)
        engine = engine_bytes(
            smaller, T=T, B=B, threads=threads, dtype=dtype, bfloat16=pairs,
            dropout=settings.dropout > 0,
        )  # fmt: skip
        copies = _copies(settings) * smaller.size * np.dtype(dtype).itemsize
        return MemoryNeed(engine.weights, engine.lanes, copies)

    more, one, two = architecture.settings.num_layers - 1, need(1), need(2)
    return MemoryNeed(
        one.weights + more * (two.weights - one.weights),
        one.lanes + more * (two.lanes - one.lanes),
        one.copies + more * (two.copies - one.copies),
    )


def _copies(settings: TrainingSettings) -> int:
    """Return the number of arrays as large as the parameters that a trainer keeps."""
    own = 1 + len(slots_of(settings.optimizer))  # parameters and the optimizer's arrays
    good = own if settings.on_divergence == "retry" else 0
    return own + good + BEST + WRITING * own


def require_memory(need: MemoryNeed, network: NetworkSettings, *, T: int, B: int) -> None:
    """Raise SettingsError, with the settings to lower, where a run needs more than the limit."""
    limit, owner = memory_limit()
    if need.total <= limit:
        return
    weights = need.weights + need.copies
    lower = f"hidden_size (now {network.hidden_size}) or num_layers (now {network.num_layers})"
    if need.lanes > weights:
        lower = f"batch_size (now {B}), seq_length (now {T}), {lower}"
    raise SettingsError(
        f"a run with these settings needs about {memory_size(need.total)} of memory, {owner} "
        f"{memory_size(limit)}: {memory_size(weights)} for the weights and "
        f"{memory_size(need.lanes)} for the batches",
        remedy=f"lower {lower}",
    )


def memory_limit(root: Path = Path("/")) -> tuple[int, str]:
    """Return the bytes that this process may use at most, and a phrase for their origin.

    root: where Linux lists control groups, by which containers and batch systems limit memory.
    """
    limits = [(_machine(), "this machine has"), (_address_space(), "the limit (ulimit -v) is")]
    for path in _limit_files(root):
        try:
            limits.append((int(path.read_text()), "this container may use"))
        except (OSError, ValueError):  # not there, or "max"
            continue
    return min(limits)


def _limit_files(root: Path) -> list[Path]:
    """Return the files with limits of this process's control groups, of either version."""
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
