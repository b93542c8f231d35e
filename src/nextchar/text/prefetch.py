"""Batches of a text on disk, read by a thread before they are needed.

The trainer waits for the disk only at its first step.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

from nextchar.text.batches import Batch, Batches

AHEAD = 8  # batches: at a few ms a step, time enough for a slow disk


class PrefetchedBatches:
    """The same batches, of which those of the next steps are read in advance."""

    def __init__(self, batches: Batches) -> None:
        self.batch_size, self.seq_length = batches.batch_size, batches.seq_length
        self.steps_per_epoch = batches.steps_per_epoch
        self._batches = batches
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="nextchar-read")
        self._pending: dict[int, Future[Batch]] = {}

    def at(self, step: int) -> Batch:
        """Return the batch of a step. Raises TextError if it cannot be read."""
        needed = range(step, step + AHEAD + 1)
        for other in self._pending.keys() - set(needed):
            self._pending.pop(other).cancel()
        for each in needed:
            if each not in self._pending:
                self._pending[each] = self._thread.submit(self._batches.at, each)
        return self._pending[step].result()  # kept: a step may be requested twice
