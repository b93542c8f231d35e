"""Worker threads of an engine.

Kernels hold no interpreter lock, so threads run side by side. Flat arrays are cut into ranges of
nearly equal size, one per thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any, TypeVar

T = TypeVar("T")

MIN_RANGE = 20_000  # numbers of a flat array that are worth a thread
POLL_SECONDS = 0.002  # between polls, each of which takes time from the computing threads


class Workers:
    """A pool of threads."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="nextchar")

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()

    def map(self, work: Callable[[Any], T], over: Iterable[Any]) -> Iterator[T]:
        """Yield the results of work on each item, in order."""
        return self._pool.map(work, over)

    def run(self, work: Callable[[int], T], over: Sequence[int]) -> list[T]:
        """Return the results of work on each number."""
        # a single one runs on this thread: no hand-over
        return list(self._pool.map(work, over) if len(over) > 1 else map(work, over))

    def run_polling(
        self, poll: Callable[[], object], work: Callable[[int], T], over: Sequence[int]
    ) -> list[T]:
        """Return the results of work on other threads, while this one calls `poll`."""
        futures = [self._pool.submit(work, each) for each in over]
        # this thread does none of the work: it is free to poll as long as any is left
        while wait(futures, POLL_SECONDS).not_done:
            poll()
        return [future.result() for future in futures]

    def parts(self, size: int) -> int:
        """Return the number of threads that a flat array of a size is worth."""
        return max(1, min(self.threads, size // MIN_RANGE))

    def over_ranges(self, work: Callable[[int, int], T], first: int, end: int) -> list[T]:
        """Return the results of work on ranges of a flat array, from `first` to `end`."""
        # contiguous ranges of at least MIN_RANGE numbers, or a single one
        bounds = [first + bound for bound in bounds_of(end - first, self.parts(end - first))]
        return self.run(lambda n: work(bounds[n], bounds[n + 1]), range(len(bounds) - 1))


def bounds_of(size: int, parts: int) -> list[int]:
    """Return where nearly equal parts begin, and where the last one ends.

    >>> bounds_of(10, 3)
    [0, 3, 6, 10]
    """
    return [size * part // parts for part in range(parts + 1)]
