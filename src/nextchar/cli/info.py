"""`nextchar info`."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import click


@click.command("info")
@click.argument("model")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def command(model: str, as_json: bool) -> None:
    """Show what MODEL, a model file or a run directory, holds."""
    from nextchar.model.file import load_model

    loaded = load_model(model)
    vocabulary, network = loaded.vocabulary, loaded.architecture.settings
    described: dict[str, Any] = {
        "network": dataclasses.asdict(network),
        "parameters": loaded.architecture.size,
        "dtype": str(loaded.parameters.dtype),
        "vocabulary": {
            "size": len(vocabulary),
            "alphabet": "bytes" if vocabulary.is_bytes else "characters",
            "unknown": vocabulary.unknown_code is not None,
            "characters": None if vocabulary.is_bytes else "".join(map(chr, vocabulary.points)),
        },
        "text": dataclasses.asdict(loaded.text),
        "training": dict(loaded.training),
    }
    if as_json:
        click.echo(json.dumps(described))
        return
    for group, content in described.items():
        if isinstance(content, dict):
            click.echo(f"{group}:")
            for name, value in content.items():
                click.echo(f"  {name:<16} {_shown(value)}")
        else:
            click.echo(f"{group:<18} {content}")


def _shown(value: Any) -> str:
    """A value on one line, a long one cut."""
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 300 else f"{text[:300]} …"
