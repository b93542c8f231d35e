"""Middleware of all requests: ids, metrics, access, errors as JSON."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import logging
import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nextchar.server.http.api_errors import ApiError, ClientGone
from nextchar.server.prometheus import Metrics
from nextchar.server.server_settings import ServerSettings

_VALID_ID = re.compile(rb"[\w.:+/=-]{1,128}", re.ASCII)
_CLIENT_GONE = 499  # status that counts a request whose client disconnected
_MESSAGES = {404: "not found", 405: "method not allowed"}
_log = logging.getLogger("nextchar.server")
_access = logging.getLogger("nextchar.access")


class RequestMiddleware:
    """Gives each request an id, measures it, and turns unexpected exceptions into a 500.

    names: the route under which an endpoint is counted.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, names: Mapping[Any, str]) -> None:
        self._app, self._metrics, self._names = app, metrics, names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Process a request."""
        request_id = _id_of(scope)
        begin, status = asyncio.get_running_loop().time(), 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [*message["headers"], (b"x-request-id", request_id)]
                message = {**message, "headers": headers}
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except ClientGone:
            status = _CLIENT_GONE
        except Exception:
            _log.exception("request %s failed", request_id.decode())
            if status:  # the response has begun: cut it off
                raise
            error = ApiError(500, "internal error; the log of the server has the details")
            await error.response()(scope, receive, send_with_id)
        finally:
            route = self._names.get(scope.get("endpoint"), "other")
            seconds = asyncio.get_running_loop().time() - begin
            self._metrics.requests.labels(route, str(status or _CLIENT_GONE)).inc()
            self._metrics.seconds.labels(route).observe(seconds)
            method, path = scope["method"], ascii(scope["path"])[1:-1]
            _access.info("%s %s %s %.1f ms", method, path, status, 1e3 * seconds)


class AuthMiddleware:
    """Checks the host and the key, and answers errors as JSON.

    open_paths: paths that need no key.
    """

    def __init__(self, app: ASGIApp, settings: ServerSettings, open_paths: frozenset[str]) -> None:
        self._app, self._open = app, open_paths
        self._key = None if settings.api_key is None else settings.api_key.encode()
        self._names = settings.names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Process a request."""
        try:
            self._authorize(scope)
            scope["app"] = self  # makes the router raise for an unknown path
            await self._app(scope, receive, send)
        except HTTPException as error:
            message = _MESSAGES.get(error.status_code, error.detail)
            answer = ApiError(error.status_code, message, headers=dict(error.headers or {}))
            await answer.response()(scope, receive, send)
        except ApiError as error:
            await error.response()(scope, receive, send)

    def _authorize(self, scope: Scope) -> None:
        headers = dict(scope["headers"])
        if self._names is not None and not _is_allowed(headers.get(b"host", b""), self._names):
            raise ApiError(
                403,
                "the host must be localhost or an IP address; behind a proxy, start the server "
                "with --allowed-hosts NAME or --api-key KEY",
            )
        if self._key is None or scope["path"] in self._open:
            return
        scheme, _, key = headers.get(b"authorization", b"").partition(b" ")
        if scheme.lower() != b"bearer" or not hmac.compare_digest(key.strip(), self._key):
            message = "the API key is missing or wrong; send it as `Authorization: Bearer KEY`"
            challenge = {"www-authenticate": "Bearer"}
            raise ApiError(401, message, code="invalid_api_key", headers=challenge)


def _is_allowed(host: bytes, names: Sequence[str]) -> bool:
    """Return whether a `Host` is an address or one of the names, with any port."""
    name = re.sub(r":\d*$", "", host.decode("latin-1")).lower().rstrip(".")
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return name == "" or name in names or name.endswith(".localhost")
    return True


def _id_of(scope: Scope) -> bytes:
    """The client's own id of a request if it is valid, or a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _VALID_ID.fullmatch(value):
            return bytes(value)
    return f"req-{secrets.token_hex(16)}".encode()
