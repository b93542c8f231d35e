"""How many threads there are to use, and keeping BLAS to one of them."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController


def usable_cores() -> int:
    """Cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):  # Linux; elsewhere there is no affinity to ask for
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


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
