"""HTTP/1.1 by uvicorn, with what it lacks: limits of time and number, errors in our form."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from nextchar.server.http.api_errors import ApiError

HEAD = 15.0  # seconds that a request's head may take to arrive
LINGER = 2.0  # seconds that a client has to read why it was refused


def connection_factory(most: int) -> Callable[..., asyncio.Protocol]:
    """What makes a connection's protocol. most: connections at once."""

    class Limited(Connection):
        limit = most

    return Limited


class Connection(H11Protocol):
    """A connection that cannot be held open by sending or reading nothing."""

    limit = 1000

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.app_state = {**self.app_state, "abort": self.abort}
        self._timer: asyncio.TimerHandle | None = None
        self._refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, or tell that there are too many."""
        super().connection_made(transport)
        if len(self.connections) > self.limit:
            self._refuse(ApiError(503, "too many connections; try again soon"))
        else:
            self._mind_head()

    def data_received(self, data: bytes) -> None:
        """Take some bytes."""
        if not self._refused:  # else it is read for the answer not to be lost on the way
            super().data_received(data)
            self._mind_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_timer()
        super().connection_lost(exc)

    def abort(self) -> None:
        """Close at once, whatever was not sent yet."""
        self.transport.abort()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP."""
        self._refuse(ApiError(400, "the request is no HTTP/1.1 that can be read"))

    def _refuse(self, refusal: ApiError) -> None:
        """Answer, and close when the client has read it."""
        self._refused = True
        self._stop_timer()
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.abort()  # another answer is on its way already: it ends here
            return
        headers = {
            "content-type": "application/json",
            "content-length": str(len(refusal.data)),
            "connection": "close",
            "x-request-id": f"req-{secrets.token_hex(16)}",
            **refusal.headers,
        }
        for event in (
            h11.Response(status_code=refusal.status, headers=list(headers.items())),
            h11.Data(data=refusal.data),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.write_eof()
        self._timer = self.loop.call_later(LINGER, self.abort)

    def _mind_head(self) -> None:
        """While a request's head is awaited, a clock runs."""
        if self.transport.is_closing() or self._refused:
            return
        if self.conn.their_state is not h11.IDLE:
            self._stop_timer()
        elif self._timer is None:
            self._timer = self.loop.call_later(HEAD, self._too_slow)

    def _too_slow(self) -> None:
        if not self.transport.is_closing():
            self._refuse(ApiError(408, f"the request did not arrive within {HEAD:g} s"))

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
