"""Reading of a request's body, and decoding to a struct of the schema."""

from __future__ import annotations

import asyncio
import json
import math
import re
from typing import TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request

from nextchar.server.http.api_errors import ApiError, ClientGone, field_error

SECONDS = 30.0  # within which a body must arrive
DRAINED = 64 << 20  # bytes of a too large body that are read, so that the client sees the error
_LOCATION = re.compile(r" - at `\$\.?(?P<field>\w*)(?P<rest>.*)`$")
_WORDS = {  # of msgspec's messages
    "Expected": "must be",
    "Invalid enum value": "must not be",
    "Number out of range": "is out of range",
}

Struct = TypeVar("Struct", bound=msgspec.Struct)


async def read_body(
    request: Request, decoder: msgspec.json.Decoder[Struct], max_bytes: int
) -> Struct:
    """Read and decode the body of a request.

    Raises ApiError: 415 if the content type is not JSON, 413 if the body is too large, 408 if it
    does not arrive in time, 400 if it does not match the schema.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise ApiError(415, f"content-type must be application/json, got {kind[:100]!r}")
    return _decode(await _read(request, max_bytes), decoder)


def _decode(body: bytes, decoder: msgspec.json.Decoder[Struct]) -> Struct:
    try:
        body.decode()  # msgspec does not check the fields that it skips
        return decoder.decode(body)
    except UnicodeDecodeError as error:
        raise ApiError(400, f"the body is not UTF-8 (byte {error.start})") from None
    except msgspec.ValidationError as error:
        raise _mismatch(str(error)) from None
    except msgspec.DecodeError as error:
        raise _malformed(body, str(error)) from None
    except RecursionError:
        raise ApiError(400, "the JSON of the body is nested too deeply") from None


async def _read(request: Request, max_bytes: int) -> bytes:
    claimed = request.headers.get("content-length", "0")  # only digits: the parser checks it
    is_large, size, chunks = int(claimed) > max_bytes, 0, bytearray()
    try:
        async with asyncio.timeout(SECONDS):
            async for chunk in request.stream():
                size += len(chunk)
                is_large = is_large or size > max_bytes
                if not is_large:
                    chunks += chunk
                elif size > max(DRAINED, max_bytes):
                    break
    except ClientDisconnect:
        raise ClientGone from None
    except TimeoutError:
        raise ApiError(
            408, f"the body did not arrive within {SECONDS:g} s", headers={"connection": "close"}
        ) from None
    if is_large:
        message = f"the body must have at most {max_bytes} bytes here"
        raise ApiError(413, message, headers={"connection": "close"})
    return bytes(chunks)


def _mismatch(message: str) -> ApiError:
    """Turn msgspec's message `Expected ..., got ... - at $.field` into ours."""
    location = _LOCATION.search(message)
    problem = message[: location.start()] if location else message
    if missing := re.fullmatch(r"Object missing required field `(\w+)`", problem):
        return field_error(missing[1], "is required")
    if unknown := re.fullmatch(r"Object contains unknown field `(.*)`", problem):
        return field_error(unknown[1], "is not a field of this request")
    for theirs, ours in _WORDS.items():
        problem = problem.replace(theirs, ours)
    if location is None or not location["field"]:
        return ApiError(400, f"the body {problem}")
    field = location["field"]
    return ApiError(400, f"{field}{location['rest']} {problem}", param=field)


def _malformed(body: bytes, message: str) -> ApiError:
    """Describe invalid JSON; where only a NaN or an infinity is invalid, name its field."""
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        parsed = None
    if isinstance(parsed, dict):
        for name, value in parsed.items():
            if not _is_finite(value):
                return field_error(name[:100], "must be finite; JSON has no NaN or infinity")
    return ApiError(400, f"the body is not valid JSON: {message}")


def _is_finite(value: object) -> bool:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return all(map(_is_finite, value))
    return not isinstance(value, float) or math.isfinite(value)
