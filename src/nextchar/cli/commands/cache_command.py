"""`nextchar cache`."""

from __future__ import annotations

import json
from datetime import datetime

import click

from nextchar.formatting.quantities import megabytes


@click.command("cache")
@click.option("--clear", is_flag=True, help="Remove them all.")
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
def command(clear: bool, as_json: bool) -> None:
    """List the large texts that were encoded into the cache, the newest first.

    A text in the cache need not be encoded again; without it, nothing is lost but that time.
    The environment variable NEXTCHAR_CACHE names another folder for it.
    """
    from nextchar.text.cache import entries

    found = entries.clear() if clear else list(entries.entries())
    folder, size = entries.texts_folder(), sum(entry.size for entry in found)
    if as_json:
        texts = [
            {
                "name": entry.name,
                "bytes": entry.size,
                "made": _when(entry.made),
                "characters": entry.characters,
                "text": entry.inputs,
            }
            for entry in found
        ]
        document = {"folder": str(folder), "bytes": size, "cleared": clear, "texts": texts}
        click.echo(json.dumps(document))
        return
    for entry in found:
        click.echo(f"{entry.name}  {_megabytes(entry.size)}  {_when(entry.made)}  {entry.inputs}")
    texts_of = f"{len(found)} text{'' if len(found) == 1 else 's'}, {_megabytes(size).strip()}"
    click.echo(f"{texts_of}, {'removed from' if clear else 'in'} {folder}")


def _megabytes(size: int) -> str:
    return f"{megabytes(size):>13}"


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).isoformat(" ", "seconds")
