"""Listening, and stopping when asked to: what runs is finished, what is new is refused."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn

from nextchar.errors import RunError
from nextchar.server.app import App
from nextchar.server.http.connection import connection_factory
from nextchar.server.registry import ModelRegistry
from nextchar.server.server_settings import ServerSettings

KEEP_ALIVE = 30  # seconds that a connection may be idle
BACKLOG = 2048

OnReady = Callable[[Callable[[], None]], None]


def bind(settings: ServerSettings) -> socket.socket:
    """A socket at the address. Raises RunError where it cannot be had."""
    try:
        ((family, _, _, _, address), *_) = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        return socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except (OSError, UnicodeError, OverflowError) as error:
        why = getattr(error, "strerror", None) or error
        raise RunError(
            f"{settings.host}:{settings.port}: cannot be listened on ({why}); "
            "give another --port or --host"
        ) from error


def url_of(listening: socket.socket) -> str:
    """Where a socket listens, as a browser wants it."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(
    shelf: ModelRegistry, settings: ServerSettings, listening: socket.socket, on_ready: OnReady
) -> bool:
    """Serve until a signal asks to stop; whether it was not asked twice.

    on_ready: called when requests are taken, with a function that asks to stop as well.
    Raises what an engine could not begin with.
    """
    return asyncio.run(_serve(shelf, settings, listening, on_ready))


async def _serve(
    shelf: ModelRegistry, settings: ServerSettings, listening: socket.socket, on_ready: OnReady
) -> bool:
    config = uvicorn.Config(
        App(shelf, settings),
        http=connection_factory(settings.max_connections),  # type: ignore[arg-type]
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
    server = _Server(config, shelf, settings.grace)
    shelf.start(lambda: on_ready(server.stop), server.fail)
    try:
        await server.serve(sockets=[listening])
    finally:
        shelf.close()
    if server.failure is not None:
        raise server.failure
    return not server.force_exit


class _Server(uvicorn.Server):
    """Stops when a signal comes, and leaves it at that."""

    def __init__(self, config: uvicorn.Config, shelf: ModelRegistry, grace: float) -> None:
        super().__init__(config)
        self._shelf, self._grace = shelf, grace
        self.failure: Exception | None = None

    def stop(self) -> None:
        """Ask it to stop; for any thread."""
        self.should_exit = True

    def fail(self, error: Exception) -> None:
        """Stop, as there is nothing to serve."""
        self.failure = self.failure or error
        self.should_exit = True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop; at a second Ctrl-C, at once."""
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let what runs end, for so long as it was granted."""
        self._shelf.closing = True
        asyncio.get_running_loop().call_later(self._grace, self._shelf.fail_all)
        await super().shutdown(sockets)
