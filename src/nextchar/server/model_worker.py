"""A model's thread: requests are taken between characters, and written together.

The event loop talks to it through `submit` and `drop`; it answers with one call into the loop for
each `advance` of the batch, however many clients share it.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Hashable
from contextlib import suppress
from typing import Any, cast

from nextchar.generation.generation_settings import GenerationSettings
from nextchar.generation.requests import Request, TextDelta, make_request
from nextchar.generation.scheduler import BatchScheduler
from nextchar.model.file import Model
from nextchar.server.http.api_errors import ApiError
from nextchar.server.job import Job

FIRST = 0.002  # seconds that the first advance after a new request should last
LONGEST = 512  # characters of a lane in an advance; the batch bounds its time

Key = tuple[Job, int]
_log = logging.getLogger("nextchar.server")


class ModelWorker:
    """Writes the texts of many jobs with one model.

    lanes: texts at once; queue: texts that may wait beyond them.
    Everything but the thread's own loop is called from the event loop.
    """

    def __init__(
        self, model: Model, *, lanes: int, queue: int, threads: int | None, dtype: str
    ) -> None:
        self.ready = False
        self.held = 0  # lanes that jobs ask for, written or waiting
        self.waiting = 0  # prompts that wait for a lane
        self._model, self._most_held = model, lanes + queue
        self._how: dict[str, Any] = {"lanes": lanes, "threads": threads, "dtype": dtype}
        self._jobs: set[Job] = set()
        self._wake = threading.Condition()
        self._orders: list[tuple[Key, Request | None]] = []  # None cancels
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    @property
    def prompts(self) -> int:
        """How many prompts are written for or wait."""
        return sum(len(job.requests) for job in self._jobs)

    def start(self, on_ready: Callable[[], None], on_failure: Callable[[Exception], None]) -> None:
        """Start the thread.

        In the event loop on_ready is called when it takes requests, on_failure if it never will.
        """
        self._loop, self._on_ready = asyncio.get_running_loop(), on_ready
        self._on_failure = on_failure
        self._thread.start()

    def close(self) -> None:
        """End the thread; jobs that are left fail."""
        self.fail_all(ApiError(503, "the server is shutting down"))
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._thread.ident is not None:
            self._thread.join()

    def submit(self, job: Job) -> None:
        """Have a job's texts written. Raises Refusal: 429 where too many wait."""
        if self.held + job.lanes > self._most_held:
            raise ApiError(429, "too many texts are waiting to be written; try again soon")
        self.held += job.lanes
        self._jobs.add(job)
        self._order([((job, n), request) for n, request in enumerate(job.requests)])

    def drop(self, job: Job) -> None:
        """Write no more for a job; one that is done is no error."""
        if job in self._jobs:
            self._forget(job)
            self._order([((job, n), None) for n in range(len(job.requests))])

    def fail_all(self, error: Exception) -> None:
        """Write no more for any job; those who wait get the error."""
        for job in list(self._jobs):
            self.drop(job)
            job.fail(error)

    def _order(self, orders: list[tuple[Key, Request | None]]) -> None:
        with self._wake:
            self._orders += orders
            self._wake.notify()

    def _forget(self, job: Job) -> None:
        self._jobs.discard(job)
        self.held -= job.lanes

    def _deliver(self, pieces: list[tuple[Hashable, TextDelta]], waiting: int) -> None:
        self.waiting = waiting
        for key, piece in pieces:
            job, n = cast(Key, key)
            job.put(n, piece)
            if job.done and job in self._jobs:
                self._forget(job)

    def _refuse(self, job: Job) -> None:
        self.drop(job)
        job.fail(ApiError(500, "the model's engine could not take the request"))

    # what follows runs in the engine's own thread

    def _run(self) -> None:
        while not self._closing:
            try:
                with BatchScheduler(self._model, **self._how) as batch:
                    self._warm_up(batch)
                    if not self.ready:
                        self._call(self._is_ready)
                    self._write(batch)
            except Exception as error:
                if not self.ready:
                    self._call(self._on_failure, error)
                    return
                _log.exception("the engine failed; its requests are answered with 500")
                self._call(self._failed)

    def _write(self, batch: BatchScheduler) -> None:
        """Write until the engine is closed."""
        pace, most = 1e-3, 1  # seconds that a character took in all lanes, and how many to write
        while True:
            with self._wake:
                while not (self._orders or len(batch) or self._closing):
                    self._wake.wait()
                orders, self._orders = self._orders, []
            if self._closing:
                return
            fresh = self._follow(batch, orders)
            if fresh:  # up to its first character, or for a moment
                most = min(max(min(fresh) + 1, int(FIRST / pace)), LONGEST)
            before = time.perf_counter()
            pieces = batch.advance(most)
            pace = (time.perf_counter() - before) / most
            most = min(2 * most, LONGEST)
            self._call(self._deliver, pieces, batch.waiting)

    def _follow(self, batch: BatchScheduler, orders: list[tuple[Key, Request | None]]) -> list[int]:
        """Take requests and cancellations; how long the prompts of the requests are."""
        fresh = []
        for key, request in orders:
            if request is None:
                batch.cancel(key)
                continue
            try:
                batch.add(key, request)
                fresh.append(len(request.prompt))
            except Exception:  # its own fault, not that of those it would be written with
                _log.exception("a request could not be taken into the batch")
                self._call(self._refuse, key[0])
        return fresh

    def _warm_up(self, batch: BatchScheduler) -> None:
        """Write once, so that everything is compiled before somebody waits for it."""
        settings = GenerationSettings(length=2, logprobs=1)
        batch.add("warm", make_request(self._model, "", settings, seed=0))
        while len(batch):
            batch.advance(1)

    def _call(self, function: Callable[..., None], *args: Any) -> None:
        with suppress(RuntimeError):  # the event loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(function, *args)

    def _is_ready(self) -> None:
        self.ready = True
        self._on_ready()

    def _failed(self) -> None:
        self.fail_all(ApiError(500, "the model's engine failed; its request was given up"))
