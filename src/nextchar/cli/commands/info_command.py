"""`nextchar info`."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from nextchar.model.file import Model


@click.command("info")
@click.argument("model")
@click.option("--json", "as_json", is_flag=True, help="Print the contents as JSON.")
def command(model: str, as_json: bool) -> None:
    """Show the contents of MODEL, a model file or a run directory."""
    from nextchar.model.file import load_model

    loaded = load_model(model)
    vocabulary, network = loaded.vocabulary, loaded.architecture.settings
    contents: dict[str, Any] = {
        "network": dataclasses.asdict(network),
        "parameters": loaded.architecture.size,
        "dtype": str(loaded.parameters.dtype),
        "vocabulary": {
            "size": len(vocabulary),
            "alphabet": "bytes" if vocabulary.is_bytes else "characters",
            "unknown": vocabulary.unknown_code is not None,
            "characters": None if vocabulary.is_bytes else _characters(loaded),
            "end_of_record": _end_of_record(loaded),
        },
        "text": dataclasses.asdict(loaded.text),
        "training": dict(loaded.training),
    }
    if as_json:
        click.echo(json.dumps(contents))
        return
    for group, content in contents.items():
        if isinstance(content, dict):
            click.echo(f"{group}:")
            for name, value in content.items():
                click.echo(f"  {name:<16} {_shown(value)}")
        else:
            click.echo(f"{group:<18} {content}")


def _characters(model: Model) -> str:
    """The characters that a text can contain: all except the boundary of records."""
    points = model.vocabulary.points
    return "".join(chr(point) for code, point in enumerate(points) if code != model.end_code)


def _end_of_record(model: Model) -> str | None:
    """The symbol that ends a record, in words, since it may be no character."""
    from nextchar.text.records import boundary_of

    boundary = boundary_of(model.text)
    if boundary is None:
        return None
    if model.vocabulary.is_bytes:
        return f"the byte {ord(boundary)}"
    return "a line break" if boundary == "\n" else f"a separate symbol (U+{ord(boundary):04X})"


def _shown(value: Any) -> str:
    """A value in one line, cut if it is long."""
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 300 else f"{text[:300]} …"
