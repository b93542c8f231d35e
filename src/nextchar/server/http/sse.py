"""The streamed response to a completion: server-sent events with a few characters each."""

from __future__ import annotations

import asyncio

from msgspec import UNSET, UnsetType
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from nextchar.server.http.api_errors import ApiError, encoded
from nextchar.server.in_flight import ChoiceState, InFlightCompletion
from nextchar.server.schema import Choice

PAUSE = 15.0  # seconds without an event after which a comment is sent
SLOW = 10.0  # seconds after the timeout in which a client may still read the end of its stream
_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}
_LINE_ENDS = "\x85\u2028\u2029"  # to some readers; JSON does not escape them


class StreamedCompletionResponse(Response):
    """Events with the new text of a choice, one with the reason of its end, then `[DONE]`.

    A client that stops reading is disconnected some seconds after the timeout.
    """

    def __init__(self, in_flight: InFlightCompletion) -> None:
        super().__init__(headers=_HEADERS, media_type="text/event-stream")
        del self.headers["content-length"]
        self._in_flight, self._is_begun = in_flight, False
        self._echoed: set[int] = set()  # choices whose prompt was sent
        self._usage: UnsetType | None = None if in_flight.params.include_usage else UNSET

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Generate and send."""
        try:
            async with (
                asyncio.timeout_at(self._in_flight.deadline + SLOW),
                self._in_flight.running(receive),
            ):
                await self._stream(send)
        except TimeoutError:  # the client does not read
            scope["state"]["abort"]()
        except ApiError as error:
            if not self._is_begun:
                raise
            await self._send(send, event(error.data), last=True)

    async def _stream(self, send: Send) -> None:
        in_flight = self._in_flight
        async for grown in in_flight.updates(PAUSE):
            events = b"".join(self._events(number, state) for number, state in grown)
            if events or not grown:
                await self._send(send, events or b": ping\n\n")
        events = b""
        if in_flight.params.include_usage:
            events = event(encoded(in_flight.body([], in_flight.usage)))
        await self._send(send, events + b"data: [DONE]\n\n", last=True)

    def _events(self, number: int, state: ChoiceState) -> bytes:
        """Events for the new text of a choice, and for its end if it has ended."""
        text, state.parts = "".join(state.parts), []
        if number not in self._echoed:
            self._echoed.add(number)
            text = self._in_flight.echo(number) + text
        choice = self._in_flight.choice(number, state, text, None)
        has_news = text or (choice.logprobs and choice.logprobs.tokens)
        events = self._event_of(choice) if has_news else b""
        if state.reason is None:
            return events
        return events + self._event_of(Choice("", number, None, state.reason, choice.seed))

    def _event_of(self, choice: Choice) -> bytes:
        return event(encoded(self._in_flight.body([choice], self._usage)))

    async def _send(self, send: Send, data: bytes, *, last: bool = False) -> None:
        if not self._is_begun:
            self._is_begun = True
            start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
            await send(start)
        await send({"type": "http.response.body", "body": data, "more_body": not last})


def event(data: bytes) -> bytes:
    """Return JSON as an event, in a single line for every reader."""
    for character in _LINE_ENDS:
        data = data.replace(character.encode(), rb"\u%04x" % ord(character))
    return b"data: " + data + b"\n\n"
