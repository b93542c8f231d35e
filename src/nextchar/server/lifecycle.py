"""Listening, serving, and shutting down: running requests finish, new ones are rejected."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable
from functools import partial
from types import FrameType

import uvicorn

from nextchar.errors import RunError
from nextchar.server.app import App
from nextchar.server.http.connection import Connection
from nextchar.server.registry import ModelRegistry
from nextchar.server.server_settings import ServerSettings

KEEP_ALIVE = 30  # seconds that a connection may be idle
BACKLOG = 2048

OnReady = Callable[[Callable[[], None]], None]


def bind(settings: ServerSettings) -> socket.socket:
    """Return a socket that listens on the address. Raises RunError if that fails."""
    try:
        ((family, _, _, _, address), *_) = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        return socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except (OSError, UnicodeError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        problem = f"cannot listen on {settings.host}:{settings.port} ({reason})"
        raise RunError(problem, remedy="choose another --port or --host") from error


def url_of(listening: socket.socket) -> str:
    """Return the URL of a listening socket."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(
    registry: ModelRegistry, settings: ServerSettings, listening: socket.socket, on_ready: OnReady
) -> bool:
    """Serve until a signal; returns False if a second one cut the shutdown short.

    on_ready: called when requests are accepted, with a function that stops the server.
    Raises the error of a worker that could not start.
    """
    config = uvicorn.Config(
        App(registry, settings),
        http=partial(Connection, settings.max_connections),  # type: ignore[arg-type]
        ws="none",
        lifespan="off",
        loop="asyncio",
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=int(settings.grace) + 3,
    )
    server = _Server(config, registry, settings.grace)

    async def run() -> None:
        registry.start(lambda: on_ready(server.stop), server.fail)
        try:
            await server.serve(sockets=[listening])
        finally:
            registry.close()

    asyncio.run(run())
    if server.failure is not None:
        raise server.failure
    return not server.force_exit


class _Server(uvicorn.Server):
    """A server that stops at a signal, without raising it again."""

    def __init__(self, config: uvicorn.Config, registry: ModelRegistry, grace: float) -> None:
        super().__init__(config)
        self._registry, self._grace = registry, grace
        self.failure: Exception | None = None

    def stop(self) -> None:
        """Stop the server, from any thread."""
        self.should_exit = True

    def fail(self, error: Exception) -> None:
        """Stop the server with an error."""
        self.failure = self.failure or error
        self.should_exit = True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop the server, at a second Ctrl-C without waiting."""
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let running requests finish within the grace period."""
        self._registry.closing = True
        asyncio.get_running_loop().call_later(self._grace, self._registry.fail_all)
        await super().shutdown(sockets)
