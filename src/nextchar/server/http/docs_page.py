"""The page `/docs`: the OpenAPI document without scripts or external resources."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from typing import Any

_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>nextchar API</title>
<link rel="stylesheet" href="/playground/reference.css">
</head>
<body>
"""


def docs_page(document: dict[str, Any]) -> str:
    """Return the page of an OpenAPI document."""
    info = document["info"]
    parts = [
        _HEAD,
        f"<h1>nextchar {escape(info['version'])} API</h1>\n",
        f"<p>{escape(info['description'])} Machine-readable: "
        '<a href="/openapi.json">openapi.json</a>. <a href="/">Playground</a></p>\n',
    ]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            parts += _operation(path, method, operation)
    parts.append("<h1>Schemas</h1>\n")
    for name, schema in document["components"]["schemas"].items():
        parts += _schema(name, schema)
    return "".join([*parts, "</body>\n</html>\n"])


def _operation(path: str, method: str, operation: dict[str, Any]) -> Iterator[str]:
    yield f"<h2><code>{method.upper()} {escape(path)}</code> {escape(operation['summary'])}</h2>\n"
    for each in operation.get("parameters", ()):
        yield f"<p><code>{escape(each['name'])}</code> in the {each['in']}</p>\n"
    if "requestBody" in operation:
        yield f"<p>Body: {_content(operation['requestBody']['content'])}</p>\n"
    yield "<table>\n<tr><th>status</th><th>when</th><th>body</th></tr>\n"
    for status, answer in operation["responses"].items():
        when, body = _prose(answer["description"]), _content(answer["content"])
        yield f"<tr><td>{status}</td><td>{when}</td><td>{body}</td></tr>\n"
    yield "</table>\n"


def _prose(text: str) -> str:
    """Text as HTML; words in backquotes become code."""
    return re.sub("`([^`]*)`", r"<code>\1</code>", escape(text))


def _content(content: dict[str, Any]) -> str:
    return " or ".join(
        f"<code>{escape(media)}</code> {_type(each['schema'])}" for media, each in content.items()
    )


def _schema(name: str, schema: dict[str, Any]) -> Iterator[str]:
    yield f'<h2 id="{escape(name)}">{escape(name)}</h2>\n'
    yield f"<p>{escape(schema.get('description', ''))}</p>\n"
    yield "<table>\n<tr><th>field</th><th>type</th><th></th></tr>\n"
    required = schema.get("required", ())
    for field, value in schema.get("properties", {}).items():
        star = " (required)" if field in required else ""
        yield f"<tr><td><code>{escape(field)}</code>{star}</td><td>{_type(value)}</td>"
        yield f"<td>{_prose(value.get('description', ''))}</td></tr>\n"
    yield "</table>\n"


def _type(schema: dict[str, Any]) -> str:
    """A type with its bounds."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_type(each) for each in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(f"<code>{escape(repr(each))}</code>" for each in schema["enum"])
    kind = str(schema.get("type", "anything"))
    if kind == "array" and "items" in schema:
        kind = f"array of {_type(schema['items'])}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        kind = f"object of {_type(schema['additionalProperties'])}"
    return kind + _bounds(schema)


def _bounds(schema: dict[str, Any]) -> str:
    words = {"minimum": "≥", "exclusiveMinimum": "&gt;", "maximum": "≤", "maxItems": "≤"}
    return "".join(f" {word} {schema[key]}" for key, word in words.items() if key in schema)
