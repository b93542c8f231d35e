"""The routes of the API: each handler, and the table that the application and openapi.py read."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from nextchar import __version__
from nextchar.errors import UnknownCharacterError
from nextchar.generation.generation_settings import GenerationSettings
from nextchar.model.file import Model
from nextchar.server import schema
from nextchar.server.completion_params import (
    GENERATION_FIELDS,
    CompletionParams,
    is_slow_to_prepare,
    parse_completion_request,
)
from nextchar.server.completions import CompletionResponse
from nextchar.server.http.api_errors import ApiError, api_error, encoded, field_error
from nextchar.server.http.request_body import read_body
from nextchar.server.http.sse import StreamedCompletionResponse
from nextchar.server.in_flight import InFlightCompletion
from nextchar.server.prometheus import CONTENT_TYPE, Metrics
from nextchar.server.registry import ModelRegistry
from nextchar.server.server_settings import ServerSettings
from nextchar.text.sources import normalized

Struct = TypeVar("Struct", bound=msgspec.Struct)

MAX_PREPARING = 16  # requests that wait until their pattern or long prompt is prepared
_LIMITS = ("max_prompt", "max_tokens", "max_choices", "max_logprobs", "max_body", "timeout")


class Api:
    """Handlers of the routes, over the models of a registry."""

    def __init__(self, registry: ModelRegistry, settings: ServerSettings, metrics: Metrics) -> None:
        self._registry, self._settings, self._metrics = registry, settings, metrics
        self._preparer = ThreadPoolExecutor(1, thread_name_prefix="preparing")
        self._preparing = 0
        self._completion = self._decoder(schema.CompletionRequest)
        self._tokenize = self._decoder(schema.TokenizeRequest)
        self._detokenize = self._decoder(schema.DetokenizeRequest)

    def _decoder(self, kind: type[Struct]) -> msgspec.json.Decoder[Struct]:
        if self._settings.strict:
            kind = type(kind.__name__, (kind,), {}, forbid_unknown_fields=True)
        return msgspec.json.Decoder(kind)

    async def completions(self, request: Request) -> Response:
        """Generate texts after a prompt."""
        body = await read_body(request, self._completion, self._settings.max_body)
        served = self._registry.ready_model(body.model)
        params = await self._params(served.model, body)
        in_flight = InFlightCompletion(served, params, self._metrics, self._settings.timeout)
        return (StreamedCompletionResponse if params.stream else CompletionResponse)(in_flight)

    async def _params(self, model: Model, body: schema.CompletionRequest) -> CompletionParams:
        """Parse a request; where that takes time, off the event loop and one at a time."""
        if not is_slow_to_prepare(body):
            return parse_completion_request(model, body, self._settings)
        if self._preparing >= MAX_PREPARING:
            raise ApiError(429, "too many long requests are being prepared; try again later")
        self._preparing += 1
        work = partial(parse_completion_request, model, body, self._settings)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._preparer, work)
        finally:
            self._preparing -= 1

    async def models(self, request: Request) -> Response:
        """List the served models."""
        return _json(schema.ModelList("list", [served.card for served in self._registry]))

    async def model(self, request: Request) -> Response:
        """Describe a model."""
        return _json(self._registry.model(request.path_params["id"]).card)

    async def health(self, request: Request) -> Response:
        """Report whether requests are accepted."""
        if not self._registry.ready:
            raise ApiError(503, "Loading model")
        return _json(schema.Health("ok"))

    async def metrics(self, request: Request) -> Response:
        """Return the metrics for Prometheus."""
        return Response(self._metrics.text(), headers={"content-type": CONTENT_TYPE})

    async def tokenize(self, request: Request) -> Response:
        """Encode a text as codes, one for each character."""
        body = await read_body(request, self._tokenize, self._settings.max_body)
        served = self._registry.model(body.model)
        try:
            text = "".join(normalized([body.content], served.model.text.normalize))
            codes = served.model.vocabulary.encode(text).tolist()
        except UnknownCharacterError as error:
            raise api_error(error, param="content", remedy="leave it out") from None
        if body.with_pieces:
            codes = [schema.TokenPiece(code, served.symbols[code]) for code in codes]
        return _json(schema.TokenizeAnswer(codes))

    async def detokenize(self, request: Request) -> Response:
        """Decode codes to their text."""
        body = await read_body(request, self._detokenize, self._settings.max_body)
        vocabulary = self._registry.model(body.model).model.vocabulary
        size = len(vocabulary)
        invalid = next((code for code in body.tokens if code >= size), None)
        if invalid is not None:
            raise field_error("tokens", f"must be codes below {size}", invalid)
        return _json(schema.DetokenizeAnswer(vocabulary.decode(body.tokens)))

    async def props(self, request: Request) -> Response:
        """Describe defaults, limits and a model."""
        served = self._registry.model(request.query_params.get("model"))
        vocabulary, rules = served.model.vocabulary, GenerationSettings()
        defaults = {name: getattr(rules, name) for name in GENERATION_FIELDS}
        defaults["max_tokens"] = self._settings.default_max_tokens
        props = schema.Props(
            build_info=f"nextchar {__version__}",
            model=served.name,
            total_slots=self._settings.parallel,
            default_generation_settings=defaults,
            limits={name: getattr(self._settings, name) for name in _LIMITS},
            characters=None if vocabulary.is_bytes else "".join(map(chr, vocabulary.points)),
            meta=served.card.meta,
        )
        return _json(props)


def _json(value: object) -> Response:
    return Response(encoded(value), media_type="application/json")


@dataclass(frozen=True)
class RouteSpec:
    """A route and its description.

    answer: the struct of a successful response, or a media type. statuses: of the errors that not
    every route has. query: parameters. is_open: whether it needs no key.
    """

    method: str
    path: str
    handler: Callable[[Api, Request], Awaitable[Response]]
    summary: str
    answer: Any
    body: Any = None
    statuses: tuple[int, ...] = ()
    query: tuple[str, ...] = ()
    is_open: bool = False


_BODY = (400, 408, 413, 415)  # statuses of a route that reads a body
ROUTES = (
    RouteSpec(
        "post", "/v1/completions", Api.completions, "Generate texts after a prompt",
        schema.Completion, schema.CompletionRequest, (*_BODY, 404, 429),
    ),
    RouteSpec("get", "/v1/models", Api.models, "List the served models", schema.ModelList),
    RouteSpec(
        "get", "/v1/models/{id}", Api.model, "Describe a model", schema.ModelCard, statuses=(404,)
    ),
    RouteSpec(
        "post", "/tokenize", Api.tokenize, "Encode a text as codes",
        schema.TokenizeAnswer, schema.TokenizeRequest, (*_BODY, 404),
    ),
    RouteSpec(
        "post", "/detokenize", Api.detokenize, "Decode codes to their text",
        schema.DetokenizeAnswer, schema.DetokenizeRequest, (*_BODY, 404),
    ),
    RouteSpec(
        "get", "/props", Api.props, "Describe defaults, limits and a model",
        schema.Props, statuses=(404,), query=("model",),
    ),
    RouteSpec("get", "/metrics", Api.metrics, "Metrics for Prometheus", "text/plain"),
    RouteSpec(
        "get", "/health", Api.health, "Report whether requests are accepted", schema.Health,
        is_open=True,
    ),
    RouteSpec("get", "/v1/health", Api.health, "The same", schema.Health, is_open=True),
)  # fmt: skip
