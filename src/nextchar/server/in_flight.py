"""A completion in flight: its requests, the deltas that arrive for them, and its choices so far."""

from __future__ import annotations

import asyncio
import math
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

from msgspec import UNSET, UnsetType
from starlette.types import Receive

from nextchar.generation.requests import TextDelta
from nextchar.server.completion_params import CompletionParams
from nextchar.server.http.api_errors import ApiError, ClientGone
from nextchar.server.logprobs import LogprobsBuilder
from nextchar.server.prometheus import Metrics
from nextchar.server.registry import ServedModel
from nextchar.server.schema import Choice, Completion, Reason, Usage


class ChoiceState:
    """One text that is being generated.

    parts: its text so far, in pieces. count: characters drawn. logprob: the sum of theirs.
    """

    def __init__(self, logprobs: LogprobsBuilder | None) -> None:
        self.parts: list[str] = []
        self.count, self.logprob = 0, 0.0
        self.reason: Reason | None = None
        self.is_begun = False
        self.logprobs = logprobs

    @property
    def mean_logprob(self) -> float:
        """Mean log-probability of its characters; -inf for an empty text."""
        return self.logprob / self.count if self.count else -math.inf

    def add(self, delta: TextDelta) -> None:
        """Append a delta."""
        self.is_begun = True
        self.parts.append(delta.text)
        self.count += len(delta.codes)
        if delta.logprobs is not None:
            self.logprob += float(delta.logprobs.sum())
        if self.logprobs is not None:
            self.logprobs.add(delta)
        if delta.finish_reason is not None:
            self.reason = "stop" if delta.finish_reason == "stop" else "length"


class InFlightCompletion:
    """A job of a worker, whose deltas become the choices of an answer until the deadline.

    requests: one for each prompt. lanes: as many are held until the job is done.
    choices: one list for each prompt. Used on the event loop only.
    """

    def __init__(
        self, served: ServedModel, params: CompletionParams, metrics: Metrics, timeout: float
    ) -> None:
        self.params, self._served, self._metrics = params, served, metrics
        self.requests = params.requests
        self.lanes = sum(request.settings.samples for request in self.requests)
        self._unfinished = self.lanes  # texts without a finish_reason
        self._arrived: list[tuple[int, TextDelta]] = []  # prompt and delta, not yet taken
        self._error: Exception | None = None
        self._wake = asyncio.Event()
        self._start: float | None = asyncio.get_running_loop().time()  # until the first delta
        self.deadline = self._start + timeout
        self._scored = [0] * len(self.requests)  # codes of each prompt
        self.choices = [
            [ChoiceState(self._logprobs_builder()) for _ in range(request.settings.samples)]
            for request in self.requests
        ]
        self._id = f"cmpl-{uuid.uuid4().hex}"
        self._created = int(time.time())

    def _logprobs_builder(self) -> LogprobsBuilder | None:
        if self.params.logprobs is None:
            return None
        is_bytes = self._served.model.vocabulary.is_bytes
        return LogprobsBuilder(self._served.symbols, is_bytes=is_bytes)

    # the side of the worker

    @property
    def is_done(self) -> bool:
        """True if no more deltas will arrive."""
        return self._unfinished == 0 or self._error is not None

    def put(self, prompt: int, delta: TextDelta) -> None:
        """Take a delta for a prompt."""
        self._arrived.append((prompt, delta))
        self._unfinished -= delta.finish_reason is not None
        self._wake.set()

    def fail(self, error: Exception) -> None:
        """End the job with an error, unless it is done."""
        if not self.is_done:
            self._error = error
            self._wake.set()

    # the side of the answer

    @asynccontextmanager
    async def running(self, receive: Receive) -> AsyncIterator[None]:
        """Run the job within this context; a client that disconnects ends it at once."""
        self._served.worker.submit(self)
        self._metrics.prompt_tokens.inc(self.params.prompt_tokens)
        watcher = asyncio.create_task(self._watch(receive))
        try:
            yield
        finally:
            watcher.cancel()
            self._served.worker.cancel(self)
            self._metrics.generated_tokens.inc(self.generated)

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._served.worker.cancel(self)
        self.fail(ClientGone())

    async def updates(self, pause: float = 86400.0) -> AsyncIterator[list[tuple[int, ChoiceState]]]:
        """Yield the choices that have grown, with their numbers.

        pause: seconds without any after which an empty list is yielded.
        At the deadline all choices end as they are. Raises ApiError if one has not begun by then,
        ClientGone, and the error that the job failed with.
        """
        now = asyncio.get_running_loop().time
        while (arrived := await self._take(min(pause, self.deadline - now()))) is not None:
            if not arrived and now() >= self.deadline:
                yield list(self._cut_off())
                return
            if arrived and self._start is not None:
                self._metrics.first_seconds.observe(now() - self._start)
                self._start = None
            yield [each for prompt, delta in arrived for each in self._apply(prompt, delta)]

    async def _take(self, seconds: float) -> list[tuple[int, TextDelta]] | None:
        """Wait for deltas and return them: none after so many seconds, None at the end.

        Raises the error of the job when all deltas before it were taken.
        """
        if not self._arrived and not self.is_done:
            try:
                async with asyncio.timeout(seconds):
                    await self._wake.wait()
            except TimeoutError:
                return []
        self._wake.clear()
        if self._arrived:
            arrived, self._arrived = self._arrived, []
            return arrived
        if self._error is not None:
            raise self._error
        return None

    def _apply(self, prompt: int, delta: TextDelta) -> Iterator[tuple[int, ChoiceState]]:
        choices = self.choices[prompt]
        if delta.index >= 0:
            choices[delta.index].add(delta)
            yield prompt * len(choices) + delta.index, choices[delta.index]
            return
        # scores of the prompt; codes that stand before the client's own are not shown
        skip = max(0, self.requests[prompt].primed - self._scored[prompt])
        self._scored[prompt] += len(delta.codes)
        for choice in choices:
            if choice.logprobs is not None:
                choice.logprobs.add(delta, min(skip, len(delta.codes)))

    def _cut_off(self) -> Iterator[tuple[int, ChoiceState]]:
        self._served.worker.cancel(self)
        choices = [choice for choices in self.choices for choice in choices]
        if not all(choice.is_begun for choice in choices):
            raise ApiError(503, "the timeout came before the text was begun; try again later")
        for number, choice in enumerate(choices):
            if choice.reason is None:
                choice.reason = "length"
                yield number, choice

    @property
    def generated(self) -> int:
        """Characters generated so far, including all texts of best_of."""
        return sum(choice.count for choices in self.choices for choice in choices)

    @property
    def usage(self) -> Usage:
        """Numbers of characters read and generated."""
        read, generated = self.params.prompt_tokens, self.generated
        return Usage(read, generated, read + generated)

    def choice(self, number: int, state: ChoiceState, text: str, reason: Reason | None) -> Choice:
        """One choice of the answer. text: all of it, or the new part in a stream."""
        seed = self.requests[number // self.params.n].seed
        logprobs = None if state.logprobs is None else state.logprobs.take()
        return Choice(text, number, logprobs, reason, seed)

    def body(self, choices: list[Choice], usage: Usage | UnsetType | None = UNSET) -> Completion:
        """The body of an answer, or of an event, with some choices."""
        return Completion(
            id=self._id,
            object="text_completion",
            created=self._created,
            model=self._served.name,
            system_fingerprint=self._served.fingerprint,
            choices=choices,
            usage=usage,
        )

    def echo(self, number: int) -> str:
        """Text before that of a choice: the prompt where the client asked for an echo."""
        return self.params.prompts[number // self.params.n] if self.params.echo else ""
