"""A request that is being answered: its job, its choices so far, and who waits for them."""

from __future__ import annotations

import asyncio
import math
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

from msgspec import UNSET, UnsetType
from starlette.types import Receive

from nextchar.generation.requests import TextDelta
from nextchar.server.completion_params import CompletionParams
from nextchar.server.http.api_errors import ApiError, ClientGone
from nextchar.server.job import Job
from nextchar.server.logprobs import Scores
from nextchar.server.prometheus import Metrics
from nextchar.server.registry import ServedModel
from nextchar.server.schema import Choice, Completion, Reason, Usage


class ChoiceState:
    """One text that is being written.

    parts: its pieces. count: characters that were drawn for it. logprob: the sum of theirs.
    """

    def __init__(self, scores: Scores | None) -> None:
        self.parts: list[str] = []
        self.count, self.logprob = 0, 0.0
        self.reason: Reason | None = None
        self.begun = False
        self.scores = scores

    @property
    def mean_logprob(self) -> float:
        """Mean log-probability of its characters; -inf for an empty text."""
        return self.logprob / self.count if self.count else -math.inf

    def add(self, piece: TextDelta) -> None:
        """What comes next."""
        self.begun = True
        self.parts.append(piece.text)
        self.count += len(piece.codes)
        if piece.logprobs is not None:
            self.logprob += float(piece.logprobs.sum())
        if self.scores is not None:
            self.scores.add(piece)
        if piece.finish_reason is not None:
            self.reason = "stop" if piece.finish_reason == "stop" else "length"


class InFlightCompletion:
    """A request under way: its texts by prompt, fed from its job until the deadline."""

    def __init__(
        self, served: ServedModel, asked: CompletionParams, metrics: Metrics, seconds: float
    ) -> None:
        self.asked, self.served, self._metrics = asked, served, metrics
        self.job = Job(asked.requests)
        self._begin = asyncio.get_running_loop().time()
        self.deadline = self._begin + seconds
        self._read = [0] * len(asked.requests)  # codes of each prompt that were scored
        self.texts = [
            [ChoiceState(self._scores()) for _ in range(request.settings.samples)]
            for request in asked.requests
        ]
        self._id = f"cmpl-{uuid.uuid4().hex}"
        self._created = int(time.time())

    def _scores(self) -> Scores | None:
        if self.asked.logprobs is None:
            return None
        is_bytes = self.served.model.vocabulary.is_bytes
        return Scores(self.served.symbols, is_bytes=is_bytes)

    @asynccontextmanager
    async def under_way(self, receive: Receive) -> AsyncIterator[None]:
        """Within this context it is written; a client that goes away ends that at once."""
        self.served.engine.submit(self.job)
        self._metrics.prompt_tokens.inc(self.asked.prompt_tokens)
        watching = asyncio.create_task(self._watch(receive))
        try:
            yield
        finally:
            watching.cancel()
            self.served.engine.drop(self.job)
            self._metrics.generated_tokens.inc(self.written)

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self.served.engine.drop(self.job)
        self.job.fail(ClientGone())

    async def arrivals(
        self, pause: float = 86400.0
    ) -> AsyncIterator[list[tuple[int, ChoiceState]]]:
        """The choices that got more, by number; an empty list after a pause without any.

        Where the time-out comes first they all end with what there is.
        Raises Refusal where one has not even begun by then, and ClientGone.
        """
        now = asyncio.get_running_loop().time
        while (arrived := await self.job.take(min(pause, self.deadline - now()))) is not None:
            if not arrived and now() >= self.deadline:
                yield list(self._cut_off())
                return
            if arrived and self._begin:
                self._metrics.first_seconds.observe(now() - self._begin)
                self._begin = 0
            yield [each for prompt, piece in arrived for each in self._feed(prompt, piece)]

    def _feed(self, prompt: int, piece: TextDelta) -> Iterator[tuple[int, ChoiceState]]:
        texts = self.texts[prompt]
        if piece.index >= 0:
            texts[piece.index].add(piece)
            yield prompt * len(texts) + piece.index, texts[piece.index]
            return
        # the prompt: what the client did not give, a line break say, is not shown
        skip = max(0, self.asked.requests[prompt].primed - self._read[prompt])
        self._read[prompt] += len(piece.codes)
        for text in texts:
            if text.scores is not None:
                text.scores.add(piece, min(skip, len(piece.codes)))

    def _cut_off(self) -> Iterator[tuple[int, ChoiceState]]:
        self.served.engine.drop(self.job)
        texts = [text for texts in self.texts for text in texts]
        if not all(text.begun for text in texts):
            raise ApiError(503, "the time-out came before the text was begun; try again later")
        for number, text in enumerate(texts):
            if text.reason is None:
                text.reason = "length"
                yield number, text

    @property
    def written(self) -> int:
        """Characters that were written so far, those of best_of among them."""
        return sum(text.count for texts in self.texts for text in texts)

    @property
    def usage(self) -> Usage:
        """What it took."""
        read, written = self.asked.prompt_tokens, self.written
        return Usage(read, written, read + written)

    def choice(self, number: int, text: ChoiceState, shown: str, reason: Reason | None) -> Choice:
        """One choice of an answer. shown: the text, or what of it is new."""
        seed = self.asked.requests[number // self.asked.n].seed
        scores = None if text.scores is None else text.scores.take()
        return Choice(shown, number, scores, reason, seed)

    def completion(
        self, choices: list[Choice], usage: Usage | UnsetType | None = UNSET
    ) -> Completion:
        """The answer's frame."""
        return Completion(
            id=self._id,
            object="text_completion",
            created=self._created,
            model=self.served.name,
            system_fingerprint=self.served.fingerprint,
            choices=choices,
            usage=usage,
        )

    def lead(self, number: int) -> str:
        """What stands before a choice's text: the prompt with echo."""
        return self.asked.prompts[number // self.asked.n] if self.asked.echo else ""


def state_of(scope: Any) -> Any:
    """What the connection offers to the answer, such as `abort`."""
    return scope.get("state", {})
