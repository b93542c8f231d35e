"""The OpenAPI document, made of the shapes that are spoken and the limits that are in force."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from nextchar import __version__
from nextchar.server import schema
from nextchar.server.http.api_errors import ErrorBody
from nextchar.server.server_settings import ServerSettings

_WHY = {
    400: "The request is malformed, or a field is wrong: `param` names it.",
    401: "The API key is missing or wrong.",
    403: "A local server without a key was called by a name that is not its own.",
    404: "There is no such model.",
    408: "The body did not arrive in time.",
    413: "The body is too large.",
    415: "The body is not called JSON.",
    429: "Too many texts wait already; `Retry-After` says when to try again.",
    500: "A fault of the server.",
    503: "The model is being loaded, or the server is shutting down or was too slow.",
}
_REF = "#/components/schemas/{name}"
_BODY = (400, 408, 413, 415)


@dataclass(frozen=True)
class Operation:
    """A method of a path.

    endpoint: the method of `routes.Api` that does it. answer: a shape, or a media type.
    statuses: of errors beside those that any may have. is_open: whether it needs no key.
    """

    method: str
    path: str
    endpoint: str
    summary: str
    answer: Any
    body: Any = None
    statuses: tuple[int, ...] = ()
    query: tuple[str, ...] = ()
    is_open: bool = False


OPERATIONS = (
    Operation(
        "post", "/v1/completions", "completions", "Write what comes after a prompt",
        schema.Completion, schema.CompletionRequest, (*_BODY, 404, 429),
    ),
    Operation("get", "/v1/models", "models", "The models that are served", schema.ModelList),
    Operation(
        "get", "/v1/models/{id}", "model", "One of them", schema.ModelCard, statuses=(404,)
    ),
    Operation(
        "post", "/tokenize", "tokenize", "The codes of a text",
        schema.TokenizeAnswer, schema.TokenizeRequest, (*_BODY, 404),
    ),
    Operation(
        "post", "/detokenize", "detokenize", "The text of codes",
        schema.DetokenizeAnswer, schema.DetokenizeRequest, (*_BODY, 404),
    ),
    Operation(
        "get", "/props", "props", "Defaults, limits and the model's facts",
        schema.Props, statuses=(404,), query=("model",),
    ),
    Operation("get", "/metrics", "metrics", "What was counted, for Prometheus", "text/plain"),
    Operation(
        "get", "/health", "health", "Whether requests are taken", schema.Health, is_open=True
    ),
    Operation(
        "get", "/v1/health", "health", "The same", schema.Health, is_open=True
    ),
)  # fmt: skip


def document(settings: ServerSettings) -> dict[str, Any]:
    """The whole document."""
    shapes = [each for op in OPERATIONS for each in (op.body, op.answer) if isinstance(each, type)]
    _, schemas = msgspec.json.schema_components([*shapes, ErrorBody], ref_template=_REF)
    _limit(schemas["CompletionRequest"]["properties"], settings)
    paths: dict[str, Any] = {}
    for op in OPERATIONS:
        paths.setdefault(op.path, {})[op.method] = _operation(op, settings)
    components: dict[str, Any] = {"schemas": schemas}
    if settings.api_key is not None:
        components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "nextchar",
            "version": __version__,
            "description": "Character-level models over the completion API. A token is a character "
            "(a byte with a model of bytes).",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "paths": paths,
        "components": components,
    }


def _limit(properties: dict[str, Any], settings: ServerSettings) -> None:
    """Write this server's own limits into the fields they hold for."""
    limits = {
        "max_tokens": settings.max_tokens,
        "n_predict": settings.max_tokens,
        "logprobs": settings.max_logprobs,
        "n": min(128, settings.max_choices, settings.parallel + settings.queue),
        "best_of": min(schema.MOST_BEST, settings.max_choices, settings.parallel + settings.queue),
    }
    for name, most in limits.items():
        _number(properties[name])["maximum"] = most
    properties["max_tokens"]["description"] = (
        f"Characters to write; {settings.default_max_tokens} where nothing is said."
    )


def _number(schema: dict[str, Any]) -> dict[str, Any]:
    return next((each for each in schema.get("anyOf", ()) if each["type"] == "integer"), schema)


def _operation(op: Operation, settings: ServerSettings) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": op.endpoint if not op.path.startswith("/v1/health") else "v1_health",
        "summary": op.summary,
        "responses": {"200": _answer(op), **_errors(op, settings)},
    }
    parameters = [*_parameters("path", _names(op.path)), *_parameters("query", op.query)]
    if parameters:
        described["parameters"] = parameters
    if op.body is not None:
        described["requestBody"] = {"required": True, "content": _json(op.body.__name__)}
    if settings.api_key is not None:
        described["security"] = [] if op.is_open else [{"key": []}]
    return described


def _names(path: str) -> list[str]:
    return [part[1:-1] for part in path.split("/") if part.startswith("{")]


def _parameters(place: str, names: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": place, "required": place == "path", "schema": {"type": "string"}}
        for name in names
    ]


def _answer(op: Operation) -> dict[str, Any]:
    if isinstance(op.answer, str):
        content: dict[str, Any] = {op.answer: {"schema": {"type": "string"}}}
    else:
        content = _json(op.answer.__name__)
    if op.endpoint == "completions":
        content["text/event-stream"] = {
            "schema": {
                "type": "string",
                "description": "With `stream`: `data: ` and a Completion in each event, its text "
                "being what is new; then `data: [DONE]`. Lines that begin with `:` are comments.",
            }
        }
    return {"description": op.summary, "headers": _REQUEST_ID, "content": content}


def _errors(op: Operation, settings: ServerSettings) -> dict[str, Any]:
    statuses = {*op.statuses, 500, 503}
    if settings.api_key is not None and not op.is_open:
        statuses.add(401)
    if settings.names is not None:
        statuses.add(403)
    answers = {}
    for status in sorted(statuses):
        headers = {**_REQUEST_ID, **(_RETRY if status in (429, 503) else {})}
        answers[str(status)] = {
            "description": _WHY[status], "headers": headers, "content": _json("ErrorBody")
        }  # fmt: skip
    return answers


_REQUEST_ID = {
    "x-request-id": {
        "description": "The client's own, or a new one.",
        "required": True,
        "schema": {"type": "string"},
    }
}
_RETRY = {
    "retry-after": {
        "description": "Seconds.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
    }
}


def _json(name: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": _REF.format(name=name)}}}
