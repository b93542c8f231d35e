"""The thread of a model: takes requests between characters and generates their texts together.

The event loop calls `submit` and `cancel`. The thread answers with one call into the loop for
each `advance` of the batch, whatever the number of clients.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from typing import Any, Protocol, cast

from nextchar.generation.generation_settings import GenerationSettings
from nextchar.generation.requests import Request, TextDelta, make_request
from nextchar.generation.scheduler import BatchScheduler
from nextchar.model.file import Model
from nextchar.server.http.api_errors import ApiError
from nextchar.server.server_settings import ServerSettings

FIRST = 0.002  # seconds that the first advance after a new request should last
LONGEST = 512  # characters of a lane in one advance; the scheduler limits its time


class Job(Protocol):
    """Requests of one client, one for each prompt, and the receiver of their deltas.

    lanes: as many are held until the job is done.
    """

    requests: list[Request]
    lanes: int

    @property
    def is_done(self) -> bool:
        """True if no more deltas will arrive."""

    def put(self, prompt: int, delta: TextDelta) -> None:
        """Take a delta for a prompt."""

    def fail(self, error: Exception) -> None:
        """End the job with an error, unless it is done."""


Key = tuple[Job, int]  # a job and one of its prompts
Command = tuple[Key, Request | None]  # None cancels
_log = logging.getLogger("nextchar.server")


class ModelWorker:
    """Generates the texts of many jobs with one model.

    held: lanes of all jobs, running or waiting. waiting: prompts without a lane yet.
    The event loop calls everything but the loop of the thread.
    """

    def __init__(self, model: Model, settings: ServerSettings) -> None:
        self.ready = False
        self.held = 0
        self.waiting = 0
        self._model, self._settings = model, settings
        self._jobs: set[Job] = set()
        self._wake = threading.Condition()
        self._commands: list[Command] = []
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="model worker", daemon=True)

    @property
    def prompts(self) -> int:
        """Number of prompts that are running or waiting."""
        return sum(len(job.requests) for job in self._jobs)

    def start(self, on_ready: Callable[[], None], on_failure: Callable[[Exception], None]) -> None:
        """Start the thread.

        The event loop calls on_ready when requests are accepted, on_failure if they never will be.
        """
        self._loop, self._on_ready = asyncio.get_running_loop(), on_ready
        self._on_failure = on_failure
        self._thread.start()

    def close(self) -> None:
        """End the thread; the remaining jobs fail."""
        self.fail_all(ApiError(503, "the server is shutting down"))
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._thread.ident is not None:
            self._thread.join()

    def submit(self, job: Job) -> None:
        """Start or queue a job. Raises ApiError, 429, if the queue is full."""
        if self.held + job.lanes > self._settings.parallel + self._settings.queue:
            raise ApiError(429, "the queue is full; try again later")
        self.held += job.lanes
        self._jobs.add(job)
        self._send([((job, n), request) for n, request in enumerate(job.requests)])

    def cancel(self, job: Job) -> None:
        """Stop a job; no error if it is done."""
        if job in self._jobs:
            self._forget(job)
            self._send([((job, n), None) for n in range(len(job.requests))])

    def fail_all(self, error: Exception) -> None:
        """Stop all jobs with an error."""
        for job in list(self._jobs):
            self.cancel(job)
            job.fail(error)

    def _send(self, commands: list[Command]) -> None:
        with self._wake:
            self._commands += commands
            self._wake.notify()

    def _forget(self, job: Job) -> None:
        self._jobs.discard(job)
        self.held -= job.lanes

    def _deliver(self, deltas: list[tuple[Hashable, TextDelta]], waiting: int) -> None:
        self.waiting = waiting
        for key, delta in deltas:
            job, prompt = cast(Key, key)
            job.put(prompt, delta)
            if job.is_done and job in self._jobs:
                self._forget(job)

    def _reject(self, job: Job) -> None:
        self.cancel(job)
        job.fail(ApiError(500, "internal error: the model could not take the request"))

    # the rest runs in the worker's own thread

    def _run(self) -> None:
        settings = self._settings
        while not self._closing:
            try:
                with BatchScheduler(
                    self._model,
                    lanes=settings.parallel,
                    threads=settings.threads,
                    dtype=settings.dtype,
                ) as batch:
                    self._warm_up(batch)
                    if not self.ready:
                        self._call(self._set_ready)
                    self._generate(batch)
            except Exception as error:
                if not self.ready:
                    self._call(self._on_failure, error)
                    return
                _log.exception("generation failed; its requests are answered with 500")
                self._call(self.fail_all, ApiError(500, "internal error: generation failed"))

    def _generate(self, batch: BatchScheduler) -> None:
        """Generate until the worker is closed."""
        pace, most = 1e-3, 1  # seconds for a character in all lanes; characters of an advance
        while True:
            with self._wake:
                while not (self._commands or len(batch) or self._closing):
                    self._wake.wait()
                commands, self._commands = self._commands, []
            if self._closing:
                return
            new = self._apply_commands(batch, commands)
            if new:  # up to the first new character, or for FIRST
                most = min(max(min(new) + 1, int(FIRST / pace)), LONGEST)
            before = time.perf_counter()
            deltas = batch.advance(most)
            pace = (time.perf_counter() - before) / most
            most = min(2 * most, LONGEST)
            self._call(self._deliver, deltas, batch.waiting)

    def _apply_commands(self, batch: BatchScheduler, commands: Sequence[Command]) -> list[int]:
        """Add and cancel requests; returns the lengths of the new prompts."""
        new = []
        for key, request in commands:
            if request is None:
                batch.cancel(key)
                continue
            try:
                batch.add(key, request)
                new.append(len(request.prompt))
            except Exception:  # this request's fault, not that of the others in the batch
                _log.exception("a request could not be added to the batch")
                self._call(self._reject, key[0])
        return new

    def _warm_up(self, batch: BatchScheduler) -> None:
        """Generate once, so that everything is compiled before a client waits."""
        settings = GenerationSettings(length=2, logprobs=1)
        batch.add("warm-up", make_request(self._model, "", settings, seed=0))
        while len(batch):
            batch.advance(1)

    def _call(self, function: Callable[..., None], *args: Any) -> None:
        with suppress(RuntimeError):  # the event loop is closed: no client waits
            self._loop.call_soon_threadsafe(function, *args)

    def _set_ready(self) -> None:
        self.ready = True
        self._on_ready()
