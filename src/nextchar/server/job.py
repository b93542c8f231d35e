"""One client's request under way: where the engine's thread leaves what it wrote."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from nextchar.generation.requests import Request, TextDelta

Arrived = tuple[int, TextDelta]  # which of the prompts, and what was written for it


class Job:
    """Requests, one for each prompt, and what came of them so far. The event loop's alone.

    left: texts that are not ended yet.
    """

    def __init__(self, requests: Sequence[Request]) -> None:
        self.requests = requests
        self.left = sum(request.settings.samples for request in requests)
        self.lanes = self.left  # as many are held until the job is done
        self._arrived: list[Arrived] = []
        self._error: Exception | None = None
        self._news = asyncio.Event()

    @property
    def done(self) -> bool:
        """Whether nothing more will come."""
        return self.left == 0 or self._error is not None

    def put(self, prompt: int, piece: TextDelta) -> None:
        """Something was written."""
        self._arrived.append((prompt, piece))
        self.left -= piece.finish_reason is not None
        self._news.set()

    def fail(self, error: Exception) -> None:
        """Nothing more will come, as something went wrong."""
        if not self.done:
            self._error = error
            self._news.set()

    async def take(self, seconds: float) -> list[Arrived] | None:
        """What was written since the last call, waited for; None when all was taken.

        An empty list tells that the time is over. Raises what the job failed with, after all that
        came before it was taken.
        """
        if not self._arrived and not self.done:
            try:
                async with asyncio.timeout(seconds):
                    await self._news.wait()
            except TimeoutError:
                return []
        self._news.clear()
        if self._arrived:
            arrived, self._arrived = self._arrived, []
            return arrived
        if self._error is not None:
            raise self._error
        return None
