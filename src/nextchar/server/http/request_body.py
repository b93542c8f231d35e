"""From the bytes of a request to a shape, whatever the bytes: too many, no text, no JSON."""

from __future__ import annotations

import asyncio
import json
import math
import re
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request

from nextchar.server.http.api_errors import ApiError, ClientGone

SECONDS = 30.0  # that a body may take to arrive
DRAINED = 64 << 20  # bytes of one that is too large that are read on, so that its answer is seen
_PLACE = re.compile(r" - at `\$\.?(?P<field>\w*)(?P<rest>.*)`$")

Shape = TypeVar("Shape")


async def read_shape(request: Request, decoder: msgspec.json.Decoder[Shape], most: int) -> Shape:
    """The shape that a request's body holds.

    most: bytes. Raises Refusal: 415 for what is not called JSON, 413 for too much, 408 for what
    does not come, 400 for what is none of the shape.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise ApiError(415, f"content-type: wants application/json, got {kind[:100] or 'none'!r}")
    return read_json(await _read(request, most), decoder)


def read_json(body: bytes, decoder: msgspec.json.Decoder[Shape]) -> Shape:
    """The shape of some JSON."""
    try:
        body.decode()  # also where a field is skipped
        return decoder.decode(body)
    except UnicodeDecodeError as error:
        raise ApiError(400, f"the body is no UTF-8 (byte {error.start})") from None
    except msgspec.ValidationError as error:
        raise _misfit(str(error)) from None
    except msgspec.DecodeError as error:
        raise _malformed(body, str(error)) from None
    except RecursionError:
        raise ApiError(400, "the body's JSON is nested too deeply") from None


async def _read(request: Request, most: int) -> bytes:
    claimed = request.headers.get("content-length", "0")  # digits, or the request were malformed
    large, size, chunks = int(claimed) > most, 0, bytearray()
    try:
        async with asyncio.timeout(SECONDS):
            async for chunk in _chunks(request):
                size += len(chunk)
                large = large or size > most
                if not large:
                    chunks += chunk
                elif size > max(DRAINED, most):
                    break
    except TimeoutError:
        raise ApiError(
            408, f"the body did not arrive within {SECONDS:g} s", headers={"connection": "close"}
        ) from None
    if large:
        told = f"the body is larger than this server's limit of {most} bytes"
        raise ApiError(413, told, headers={"connection": "close"})
    return bytes(chunks)


async def _chunks(request: Request) -> Any:
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        yield message.get("body", b"")
        if not message.get("more_body", False):
            return


def _misfit(told: str) -> ApiError:
    """JSON that has not the shape: `Expected ..., got ... - at $.field`."""
    place = _PLACE.search(told)
    what = told[: place.start()] if place else told
    missing = re.fullmatch(r"Object missing required field `(\w+)`", what)
    if missing:
        return ApiError(400, f"{missing[1]}: is missing", param=missing[1])
    unknown = re.fullmatch(r"Object contains unknown field `(.*)`", what)
    if unknown:
        return ApiError(400, f"{unknown[1]}: is no field of a request", param=unknown[1])
    what = (
        what.replace("Expected", "wants")
        .replace("Number", "number")
        .replace("Integer", "an integer")
    )
    if place is None or not place["field"]:
        return ApiError(400, f"the body: {what}")
    field = place["field"]
    return ApiError(400, f"{field}{place['rest']}: {what}", param=field)


def _malformed(body: bytes, told: str) -> ApiError:
    """What is no JSON; where it is one but for NaN or an infinity, the field is named."""
    try:
        whole = json.loads(body)
    except (ValueError, RecursionError):
        whole = None
    if isinstance(whole, dict):
        for name, value in whole.items():
            if _is_not_finite(value):
                return ApiError(400, f"{name}: NaN and infinities are no JSON", param=name[:100])
    return ApiError(400, f"the body is no JSON: {told}")


def _is_not_finite(value: object) -> bool:
    if isinstance(value, dict):
        return any(map(_is_not_finite, value.values()))
    if isinstance(value, list):
        return any(map(_is_not_finite, value))
    return isinstance(value, float) and not math.isfinite(value)
