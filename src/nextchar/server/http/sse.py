"""A completion as it is written: server-sent events, a few characters in each.

A client that reads nothing more is given up some time after the time-out.
"""

from __future__ import annotations

import asyncio

from msgspec import UNSET, UnsetType
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from nextchar.server.http.api_errors import ApiError, encoded
from nextchar.server.in_flight import ChoiceState, InFlightCompletion, state_of
from nextchar.server.schema import Choice

PAUSE = 15.0  # seconds without an event after which a comment is sent
SLOW = 10.0  # seconds that a client has beyond the time-out to take what was written
_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}
# what JSON leaves as it is and some readers of lines take for the end of one
_LINE_ENDS = (
    (b"\xc2\x85", rb"\u0085"),
    (b"\xe2\x80\xa8", rb"\u2028"),
    (b"\xe2\x80\xa9", rb"\u2029"),
)


class StreamedAnswer(Response):
    """Events for each piece, a last one with the reason for each choice, and `[DONE]`."""

    def __init__(self, writing: InFlightCompletion) -> None:
        super().__init__(headers=_HEADERS, media_type="text/event-stream")
        del self.headers["content-length"]
        self._writing, self._begun = writing, False
        self._led: set[int] = set()  # choices whose prompt was echoed
        self._usage: UnsetType | None = None if writing.asked.include_usage else UNSET

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Write and send."""
        try:
            async with (
                asyncio.timeout_at(self._writing.deadline + SLOW),
                self._writing.under_way(receive),
            ):
                await self._stream(send)
        except TimeoutError:  # what was sent is not read
            state_of(scope)["abort"]()
        except ApiError as error:
            if not self._begun:
                raise
            await self._send(send, event(error.data), last=True)

    async def _stream(self, send: Send) -> None:
        writing = self._writing
        async for arrived in writing.arrivals(PAUSE):
            events = b"".join(self._events(number, text) for number, text in arrived)
            if events or not arrived:
                await self._send(send, events or b": ping\n\n")
        events = b""
        if writing.asked.include_usage:
            events = event(encoded(writing.completion([], writing.usage)))
        await self._send(send, events + b"data: [DONE]\n\n", last=True)

    def _events(self, number: int, text: ChoiceState) -> bytes:
        """What is new of a choice, and its end where that has come."""
        shown, text.parts = "".join(text.parts), []
        if number not in self._led:
            self._led.add(number)
            shown = self._writing.lead(number) + shown
        choice = self._writing.choice(number, text, shown, None)
        events = (
            self._event_of(choice) if shown or (choice.logprobs and choice.logprobs.tokens) else b""
        )
        if text.reason is None:
            return events
        return events + self._event_of(Choice("", number, None, text.reason, choice.seed))

    def _event_of(self, choice: Choice) -> bytes:
        return event(encoded(self._writing.completion([choice], self._usage)))

    async def _send(self, send: Send, data: bytes, *, last: bool = False) -> None:
        if not self._begun:
            self._begun = True
            start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
            await send(start)
        await send({"type": "http.response.body", "body": data, "more_body": not last})


def event(data: bytes) -> bytes:
    """Some JSON as an event: one line, whatever a reader takes for the end of one."""
    for raw, written in _LINE_ENDS:
        data = data.replace(raw, written)
    return b"data: " + data + b"\n\n"
