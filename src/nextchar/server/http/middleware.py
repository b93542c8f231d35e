"""What every request passes: its id, the key, errors as bodies, counts."""

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

_SANE_ID = re.compile(rb"[\w.:+/=-]{1,128}", re.ASCII)
_NOBODY = 499  # the status that a request is counted under whose client went away
_SAID = {404: "there is nothing at this path", 405: "this path does not take this method"}
_log = logging.getLogger("nextchar.server")
_access = logging.getLogger("nextchar.access")


class RequestMiddleware:
    """Gives each request an id, counts its answer, and turns what nobody expected into a 500.

    names: which route an endpoint is counted under.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, names: Mapping[Any, str]) -> None:
        self._app, self._metrics, self._names = app, metrics, names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        request_id = _id_of(scope)
        begin, status = asyncio.get_running_loop().time(), 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {
                    **message,
                    "headers": [*message["headers"], (b"x-request-id", request_id)],
                }
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except ClientGone:
            status = _NOBODY
        except Exception:
            _log.exception("request %s failed", request_id.decode())
            if status:  # part of an answer is out: cut it off
                raise
            problem = ApiError(500, "something went wrong in the server; it is told in its log")
            await problem.response()(scope, receive, sending)
        finally:
            route = self._names.get(scope.get("endpoint"), "other")
            seconds = asyncio.get_running_loop().time() - begin
            self._metrics.requests.labels(route, str(status or _NOBODY)).inc()
            self._metrics.seconds.labels(route).observe(seconds)
            _access.info(
                "%s %s %s %.1f ms",
                scope["method"],
                ascii(scope["path"])[1:-1],
                status,
                1e3 * seconds,
            )


class AuthMiddleware:
    """Asks for the key, and answers errors in the form that clients know.

    open_paths: what needs no key.
    """

    def __init__(self, app: ASGIApp, settings: ServerSettings, open_paths: frozenset[str]) -> None:
        self._app, self._open = app, open_paths
        self._key = None if settings.api_key is None else settings.api_key.encode()
        self._names = settings.names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        try:
            self._admit(scope)
            scope["app"] = self  # so that the router raises what it cannot find
            await self._app(scope, receive, send)
        except HTTPException as error:
            told = _SAID.get(error.status_code, error.detail)
            refusal = ApiError(error.status_code, told, headers=dict(error.headers or {}))
            await refusal.response()(scope, receive, send)
        except ApiError as refusal:
            await refusal.response()(scope, receive, send)

    def _admit(self, scope: Scope) -> None:
        headers = dict(scope["headers"])
        if self._names is not None and not _is_allowed(headers.get(b"host", b""), self._names):
            raise ApiError(
                403,
                "this server answers to localhost only; behind a proxy, start it with "
                "--allowed-hosts NAME or --api-key KEY",
            )
        if self._key is None or scope["path"] in self._open:
            return
        scheme, _, key = headers.get(b"authorization", b"").partition(b" ")
        if scheme.lower() != b"bearer" or not hmac.compare_digest(key.strip(), self._key):
            raise ApiError(
                401,
                "wants the server's API key as `Authorization: Bearer KEY`",
                code="invalid_api_key",
                headers={"www-authenticate": "Bearer"},
            )


def _is_allowed(host: bytes, names: Sequence[str]) -> bool:
    """Whether a `Host` is an address or one of some names, whatever its port."""
    name = re.sub(r":\d*$", "", host.decode("latin-1")).lower().rstrip(".")
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return name == "" or name in names or name.endswith(".localhost")
    return True


def _id_of(scope: Scope) -> bytes:
    """The client's own id of a request where it is sane, or a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _SANE_ID.fullmatch(value):
            return bytes(value)
    return f"req-{secrets.token_hex(16)}".encode()
