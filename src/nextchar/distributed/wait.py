"""Waiting for other ranks without keeping a core busy that one of them may need.

MPI's own waits look after messages as fast as they can. Here a rank looks for a moment and then
naps between two looks; signals are handled meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mpi4py import MPI

LOOKS = 200  # without a pause: some tenths of a millisecond
SHORT_NAP, LONG_NAP = 5e-5, 2e-3  # seconds
LONG = 1.0  # seconds after which a wait is a long one


def wait_for(requests: Sequence[MPI.Request]) -> None:
    """Return when all requests are done."""
    from mpi4py import MPI

    pending = list(requests)
    for _ in range(LOOKS):
        if MPI.Request.Testall(pending):
            return
    began = time.monotonic()
    while not MPI.Request.Testall(pending):
        time.sleep(SHORT_NAP if time.monotonic() - began < LONG else LONG_NAP)
