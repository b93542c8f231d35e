"""Waiting for other ranks without occupying a core that one of them may need.

MPI's own waits poll without a pause. Here a rank polls for a moment, then sleeps between polls;
signals are handled meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mpi4py import MPI

POLLS = 200  # without a pause: some tenths of a millisecond
SHORT_SLEEP, LONG_SLEEP = 5e-5, 2e-3  # seconds
LONG_WAIT = 1.0  # seconds of waiting after which sleeps are long


def wait_for(requests: Sequence[MPI.Request]) -> None:
    """Return when all requests have completed."""
    from mpi4py import MPI

    pending = list(requests)
    for _ in range(POLLS):
        if MPI.Request.Testall(pending):
            return
    began = time.monotonic()
    while not MPI.Request.Testall(pending):
        time.sleep(SHORT_SLEEP if time.monotonic() - began < LONG_WAIT else LONG_SLEEP)
