"""What each route does."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import msgspec
import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from nextchar import __version__
from nextchar.errors import UnknownCharacterError
from nextchar.generation.generation_settings import GenerationSettings
from nextchar.model.file import Model
from nextchar.server.completion_params import (
    RULES,
    CompletionParams,
    is_slow_to_prepare,
    parse_completion_request,
)
from nextchar.server.completions import WholeAnswer
from nextchar.server.http.api_errors import ApiError, encoded
from nextchar.server.http.request_body import read_shape
from nextchar.server.http.sse import StreamedAnswer
from nextchar.server.in_flight import InFlightCompletion
from nextchar.server.prometheus import CONTENT_TYPE, Metrics
from nextchar.server.registry import ModelRegistry
from nextchar.server.schema import (
    CompletionRequest,
    DetokenizeAnswer,
    DetokenizeRequest,
    Health,
    ModelList,
    Props,
    TokenizeAnswer,
    TokenizeRequest,
    TokenPiece,
)
from nextchar.server.server_settings import ServerSettings
from nextchar.text.sources import normalized

Shape = TypeVar("Shape")

MOST_PREPARED = 16  # requests that wait until their pattern or long prompt is prepared
_LIMITS = ("max_prompt", "max_tokens", "max_choices", "max_logprobs", "max_body", "timeout")


class Api:
    """The endpoints over the models of a shelf."""

    def __init__(self, shelf: ModelRegistry, settings: ServerSettings, metrics: Metrics) -> None:
        self._shelf, self._settings, self._metrics = shelf, settings, metrics
        self._workshop = ThreadPoolExecutor(1, thread_name_prefix="preparing")
        self._preparing = 0
        self._completion = self._decoder(CompletionRequest)
        self._tokenize = self._decoder(TokenizeRequest)
        self._detokenize = self._decoder(DetokenizeRequest)

    def _decoder(self, kind: type[Shape]) -> msgspec.json.Decoder[Shape]:
        if self._settings.strict:
            kind = type(kind.__name__, (kind,), {}, forbid_unknown_fields=True)
        return msgspec.json.Decoder(kind)

    async def completions(self, request: Request) -> Response:
        """Write what comes after a prompt."""
        body = await read_shape(request, self._completion, self._settings.max_body)
        served = self._shelf.writer(body.model)
        asked = await self._asked_for(served.model, body)
        writing = InFlightCompletion(served, asked, self._metrics, self._settings.timeout)
        return StreamedAnswer(writing) if asked.stream else WholeAnswer(writing)

    async def _asked_for(self, model: Model, body: CompletionRequest) -> CompletionParams:
        """What a request asks; where that takes time, one by one and beside the event loop."""
        if not is_slow_to_prepare(body):
            return parse_completion_request(model, body, self._settings)
        if self._preparing >= MOST_PREPARED:
            raise ApiError(429, "too many long requests are being prepared; try again soon")
        self._preparing += 1
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(
                self._workshop, parse_completion_request, model, body, self._settings
            )
        finally:
            self._preparing -= 1

    async def models(self, request: Request) -> Response:
        """List the models that are served."""
        return _json(ModelList("list", [served.card for served in self._shelf]))

    async def model(self, request: Request) -> Response:
        """Describe a model."""
        return _json(self._shelf.named(request.path_params["id"]).card)

    async def health(self, request: Request) -> Response:
        """Tell whether requests are taken."""
        if not self._shelf.ready:
            raise ApiError(503, "Loading model")
        return _json(Health("ok"))

    async def metrics(self, request: Request) -> Response:
        """Tell what was counted, for Prometheus."""
        return Response(self._metrics.text(), headers={"content-type": CONTENT_TYPE})

    async def tokenize(self, request: Request) -> Response:
        """Turn a text into codes, one a character."""
        body = await read_shape(request, self._tokenize, self._settings.max_body)
        model = self._shelf.named(body.model).model
        vocabulary = model.vocabulary
        try:
            text = "".join(normalized([body.content], model.text.normalize))
            codes = vocabulary.encode(text).tolist()
        except UnknownCharacterError as error:
            raise ApiError(400, str(error).split(";")[0], param="content") from None
        if not body.with_pieces:
            return _json(TokenizeAnswer(codes))
        symbols = self._shelf.named(body.model).symbols
        return _json(TokenizeAnswer([TokenPiece(code, symbols[code]) for code in codes]))

    async def detokenize(self, request: Request) -> Response:
        """Turn codes into their text."""
        body = await read_shape(request, self._detokenize, self._settings.max_body)
        vocabulary = self._shelf.named(body.model).model.vocabulary
        size = len(vocabulary)
        wrong = next((code for code in body.tokens if code >= size), None)
        if wrong is not None:
            raise ApiError(400, f"tokens: wants codes below {size}, got {wrong}", param="tokens")
        return _json(DetokenizeAnswer(vocabulary.decode(np.array(body.tokens, np.int64))))

    async def props(self, request: Request) -> Response:
        """Show defaults, limits and the facts of a model."""
        served = self._shelf.named(request.query_params.get("model"))
        vocabulary, rules = served.model.vocabulary, GenerationSettings()
        defaults: dict[str, Any] = {name: getattr(rules, name) for name in RULES}
        defaults["max_tokens"] = self._settings.default_max_tokens
        props = Props(
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
