"""What is answered where nothing else can be: a status and the body of an error.

The types are those that clients of the completion API know their exceptions by.
"""

from __future__ import annotations

import msgspec
from starlette.responses import Response

TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    500: "server_error",
    501: "not_supported_error",
    503: "unavailable_error",
}  # every other one is an invalid_request_error
RETRY = "1"  # seconds after which it is worth asking again


class ErrorDetail(msgspec.Struct):
    """What was wrong."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(msgspec.Struct):
    """The body of every answer that is an error."""

    error: ErrorDetail


class ApiError(Exception):
    """A request that is answered with an error.

    status: of HTTP. param: the field that is wrong. code: a word for programs.
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
        """The body."""
        return encoded(self.body)

    def response(self) -> Response:
        """The answer."""
        return Response(self.data, self.status, self.headers, "application/json")


class ClientGone(Exception):  # noqa: N818 - nobody is left to be told
    """The client closed the connection before it was answered."""


def encoded(value: object) -> bytes:
    """JSON of a shape; halves of surrogate pairs, which a model may have learnt, become `?`."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return msgspec.json.encode(_mended(msgspec.to_builtins(value)))


def _mended(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_mended(each) for each in value]
    if isinstance(value, dict):
        return {_mended(key): _mended(each) for key, each in value.items()}
    return value
