"""HTTP/1.1 connections: uvicorn with limits on time and number, and with JSON errors."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from nextchar.server.http.api_errors import ApiError

HEAD = 15.0  # seconds within which the head of a request must arrive
LINGER = 2.0  # seconds for a client to read an error before the connection is closed


class Connection(H11Protocol):
    """A connection that a silent client cannot hold open. limit: on the number of connections."""

    def __init__(self, limit: int, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._limit = limit
        self.app_state = {**self.app_state, "abort": self.abort}
        self._timer: asyncio.TimerHandle | None = None
        self._is_rejected = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept a connection, or reject it if there are too many."""
        super().connection_made(transport)
        if len(self.connections) > self._limit:
            self._reject(ApiError(503, "too many connections; try again later"))
        else:
            self._watch_head()

    def data_received(self, data: bytes) -> None:
        """Process some bytes; after a rejection they are dropped, so that the client reads it."""
        if not self._is_rejected:
            super().data_received(data)
            self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Release the connection."""
        self._stop_timer()
        super().connection_lost(exc)

    def abort(self) -> None:
        """Close at once, without sending what is pending."""
        self.transport.abort()

    def send_400_response(self, msg: str) -> None:
        """Reject a malformed request."""
        self._reject(ApiError(400, "the request is not valid HTTP/1.1"))

    def _reject(self, error: ApiError) -> None:
        """Send an error, and close when the client has read it."""
        self._is_rejected = True
        self._stop_timer()
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.abort()  # another response has begun: it ends here
            return
        headers = {
            "content-type": "application/json",
            "content-length": str(len(error.data)),
            "connection": "close",
            "x-request-id": f"req-{secrets.token_hex(16)}",
            **error.headers,
        }
        response = h11.Response(status_code=error.status, headers=list(headers.items()))
        for event in (response, h11.Data(data=error.data), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.write_eof()
        self._timer = self.loop.call_later(LINGER, self.abort)

    def _watch_head(self) -> None:
        """Run the timer while the head of a request is awaited."""
        if self.transport.is_closing() or self._is_rejected:
            return
        if self.conn.their_state is not h11.IDLE:
            self._stop_timer()
        elif self._timer is None:
            self._timer = self.loop.call_later(HEAD, self._time_out)

    def _time_out(self) -> None:
        if not self.transport.is_closing():
            self._reject(ApiError(408, f"the request did not arrive within {HEAD:g} s"))

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
