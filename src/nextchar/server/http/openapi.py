"""The OpenAPI document, built from the routes, the schema and the limits in force."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from nextchar import __version__
from nextchar.server import schema
from nextchar.server.http.api_errors import ErrorBody
from nextchar.server.routes import ROUTES, RouteSpec
from nextchar.server.server_settings import ServerSettings

_WHY = {
    400: "The request is malformed, or the field in `param` is invalid.",
    401: "The API key is missing or wrong.",
    403: "The host name is not allowed; see `--allowed-hosts`.",
    404: "The model does not exist.",
    408: "The body did not arrive in time.",
    413: "The body is too large.",
    415: "The content type is not JSON.",
    429: "The queue is full; try again after the seconds in `Retry-After`.",
    500: "Internal error.",
    503: "The model is loading, or the server is shutting down or too slow.",
}
_REF = "#/components/schemas/{name}"


def document(settings: ServerSettings) -> dict[str, Any]:
    """Return the whole document."""
    structs = [each for route in ROUTES for each in (route.body, route.answer)]
    kinds = [each for each in structs if isinstance(each, type)]
    _, schemas = msgspec.json.schema_components([*kinds, ErrorBody], ref_template=_REF)
    _limit(schemas["CompletionRequest"]["properties"], settings)
    paths: dict[str, Any] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method] = _operation(route, settings)
    components: dict[str, Any] = {"schemas": schemas}
    if settings.api_key is not None:
        components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "nextchar",
            "version": __version__,
            "description": "Character-level models over the completion API. A token is a "
            "character; for a model of bytes, a byte.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "paths": paths,
        "components": components,
    }


def _limit(properties: dict[str, Any], settings: ServerSettings) -> None:
    """Add the limits of this server to the fields."""
    choices = min(settings.max_choices, settings.parallel + settings.queue)
    limits = {
        "max_tokens": settings.max_tokens,
        "n_predict": settings.max_tokens,
        "logprobs": settings.max_logprobs,
        "n": min(128, choices),
        "best_of": min(schema.MAX_BEST_OF, choices),
    }
    for name, limit in limits.items():
        _number(properties[name])["maximum"] = limit
    description = f"Characters to generate; {settings.default_max_tokens} by default."
    properties["max_tokens"]["description"] = description


def _number(field: dict[str, Any]) -> dict[str, Any]:
    return next((each for each in field.get("anyOf", ()) if each["type"] == "integer"), field)


def _operation(route: RouteSpec, settings: ServerSettings) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": "v1_health" if route.path == "/v1/health" else route.handler.__name__,
        "summary": route.summary,
        "responses": {"200": _answer(route), **_errors(route, settings)},
    }
    places = dict.fromkeys(re.findall(r"{(\w+)}", route.path), "path")
    places |= dict.fromkeys(route.query, "query")
    if places:
        described["parameters"] = [
            {"name": name, "in": place, "required": place == "path", "schema": {"type": "string"}}
            for name, place in places.items()
        ]
    if route.body is not None:
        described["requestBody"] = {"required": True, "content": _json(route.body.__name__)}
    if settings.api_key is not None:
        described["security"] = [] if route.is_open else [{"key": []}]
    return described


def _answer(route: RouteSpec) -> dict[str, Any]:
    if isinstance(route.answer, str):
        content: dict[str, Any] = {route.answer: {"schema": {"type": "string"}}}
    else:
        content = _json(route.answer.__name__)
    if route.path == "/v1/completions":
        stream = (
            "With `stream`: events `data: ` with a Completion that holds the new text, then "
            "`data: [DONE]`. Lines that begin with `:` are comments."
        )
        content["text/event-stream"] = {"schema": {"type": "string", "description": stream}}
    return {"description": route.summary, "headers": _REQUEST_ID, "content": content}


def _errors(route: RouteSpec, settings: ServerSettings) -> dict[str, Any]:
    statuses = {*route.statuses, 500, 503}
    if settings.api_key is not None and not route.is_open:
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


def _header(name: str, description: str, **schema: str) -> dict[str, Any]:
    text = {"type": "string", **schema}
    return {name: {"description": description, "required": True, "schema": text}}


_REQUEST_ID = _header("x-request-id", "The client's own id, or a new one.")
_RETRY = _header("retry-after", "Seconds.", pattern="^[0-9]+$")


def _json(name: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": _REF.format(name=name)}}}
