"""Number of usable cores, and BLAS on one thread."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

from threadpoolctl import ThreadpoolController


def usable_cores(system: Path = Path("/sys")) -> int:
    """Return the number of physical cores that this process may use.

    A second thread on a core gains nothing here: one keeps its units busy. Where physical cores are
    unknown (not on Linux), logical ones are counted.
    system: where Linux lists CPUs and the share of them that a container has.
    """
    if not hasattr(os, "sched_getaffinity"):
        return os.cpu_count() or 1
    siblings = set()
    for cpu in os.sched_getaffinity(0):
        path = system / f"devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"
        # one text for each physical core: the list of its logical ones
        siblings.add(path.read_text() if path.exists() else str(cpu))
    return max(1, min(len(siblings), _share(system / "fs/cgroup/cpu.max")))


def _share(path: Path) -> int:
    """Return the CPUs granted to a container, rounded up; a very large number without a limit."""
    if not path.exists():
        return 1 << 20
    quota, period = path.read_text().split()  # microseconds of CPU time per period
    return 1 << 20 if quota == "max" else -(-int(quota) // int(period))


def one_blas_thread() -> Any:
    """Limit BLAS to one thread from now until the context is left.

    Small products gain nothing from more threads, and their order of summation, and therefore the
    bits, stay the same on every machine with the same BLAS.
    """
    return _pools().limit(limits=1, user_api="blas")


@cache
def _pools() -> ThreadpoolController:
    """Return the thread pools of this process; finding them takes 40 times as long as a limit."""
    import numpy as np  # BLAS must be loaded to be found

    assert np
    return ThreadpoolController()
