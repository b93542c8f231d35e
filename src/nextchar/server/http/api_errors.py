"""Errors of the HTTP API: a status and a JSON body, also for errors of the library.

The types are those from which clients of the completion API choose an exception.
"""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.responses import Response

from nextchar.errors import NO_VALUE, NextcharError, SettingsError

TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    500: "server_error",
    501: "not_supported_error",
    503: "unavailable_error",
}  # every other status is an invalid_request_error
RETRY = "1"  # seconds after which a client should try again
FIELDS = {"length": "max_tokens", "samples": "n"}  # setting of generation → field of a request


class ErrorDetail(msgspec.Struct):
    """Description of an error."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(msgspec.Struct):
    """Body of every error response."""

    error: ErrorDetail


class ApiError(Exception):
    """A request that is answered with an error.

    status: HTTP status. param: the invalid field. code: identifier for programs.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        kind = TYPES.get(status, "invalid_request_error")
        self.body = ErrorBody(ErrorDetail(message, kind, param, code))
        self.headers = dict(headers or {})
        if status in (429, 503):
            self.headers.setdefault("retry-after", RETRY)

    @property
    def data(self) -> bytes:
        """The body as JSON."""
        return encoded(self.body)

    def response(self) -> Response:
        """The error response."""
        return Response(self.data, self.status, self.headers, "application/json")


class ClientGone(Exception):  # noqa: N818 - no client is left to receive an error
    """The client closed the connection before it was answered."""


def api_error(
    error: NextcharError, *, param: str | None = None, remedy: str | None = None
) -> ApiError:
    """Turn an error of the library into a 400 under the request's own name for the setting.

    param: the invalid field where the error names no setting. remedy: replaces the error's own.
    """
    field = FIELDS.get(error.setting, error.setting) if error.setting else None
    return ApiError(400, str(error.renamed(field, remedy)), param=field or param)


def field_error(
    field: str, problem: str, value: Any = NO_VALUE, remedy: str | None = None
) -> ApiError:
    """Return a 400 for an invalid field, worded as an error of the library."""
    message = str(SettingsError(problem, setting=field, value=value, remedy=remedy))
    return ApiError(400, message, param=field)


def encoded(value: object) -> bytes:
    """Encode a struct as JSON; lone surrogates, which a model may have learnt, become `?`."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return msgspec.json.encode(_without_surrogates(msgspec.to_builtins(value)))


def _without_surrogates(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_without_surrogates(each) for each in value]
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(each) for key, each in value.items()}
    return value
