"""How many threads there are to use, and keeping BLAS to one of them."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

from threadpoolctl import ThreadpoolController


def usable_cores(system: Path = Path("/sys")) -> int:
    """Physical cores that this process may use.

    Two threads of one core gain nothing from each other here: one keeps its units busy. Where
    nothing is known of physical cores (not on Linux) it is the logical ones.
    system: where Linux tells of CPUs and of the share of them that a container has.
    """
    if not hasattr(os, "sched_getaffinity"):
        return os.cpu_count() or 1
    siblings = set()
    for cpu in os.sched_getaffinity(0):
        path = system / f"devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"
        siblings.add(path.read_text() if path.exists() else str(cpu))
    return max(1, min(len(siblings), _share(system / "fs/cgroup/cpu.max")))


def _share(path: Path) -> int:
    """How many CPUs' time a container is granted, rounded up; very many without a limit."""
    if not path.exists():
        return 1 << 20
    quota, period = path.read_text().split()
    return 1 << 20 if quota == "max" else -(-int(quota) // int(period))


def one_blas_thread() -> Any:
    """A context in which BLAS uses one thread, from when it is made until it is left.

    Small products gain nothing from more, and their order of summation, so the bits, stay the
    same on every machine with the same BLAS.
    """
    return _pools().limit(limits=1, user_api="blas")


@cache
def _pools() -> ThreadpoolController:
    """The thread pools of this process; finding them takes forty times as long as a limit."""
    import numpy as np  # BLAS must be there to be found

    assert np
    return ThreadpoolController()
