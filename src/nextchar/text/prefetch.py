"""Batches of a text on disk, made by a thread before they are asked for.

The trainer waits for the disk at its first step only.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

from nextchar.text.batches import Batch, Batches

AHEAD = 8  # batches: at a few ms a step, time enough for a slow disk


class ReadAhead:
    """The same batches, those of the next steps read ahead."""

    def __init__(self, batches: Batches) -> None:
        self.batch_size, self.seq_length = batches.batch_size, batches.seq_length
        self.steps_per_epoch = batches.steps_per_epoch
        self._batches = batches
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="nextchar-read")
        self._coming: dict[int, Future[Batch]] = {}

    def at(self, step: int) -> Batch:
        """The batch of a step. Raises TextError where it cannot be read."""
        wanted = range(step, step + AHEAD + 1)
        for other in self._coming.keys() - set(wanted):
            self._coming.pop(other).cancel()
        for each in wanted:
            if each not in self._coming:
                self._coming[each] = self._thread.submit(self._batches.at, each)
        return self._coming[step].result()  # kept: a step may be asked for twice
