"""`nextchar cache`."""

from __future__ import annotations

import json
from datetime import datetime

import click

from nextchar.formatting.quantities import megabytes


@click.command("cache")
@click.option("--clear", is_flag=True, help="Remove all cached texts.")
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
def command(clear: bool, as_json: bool) -> None:
    """List the large texts that are encoded in the cache, the newest first.

    A cached text is not encoded again when it is read again; removing it costs only that time. The
    environment variable NEXTCHAR_CACHE sets the folder of the cache.
    """
    from nextchar.text.cache import entries

    listed = entries.clear() if clear else list(entries.entries())
    folder, size = entries.texts_folder(), sum(entry.size for entry in listed)
    if as_json:
        texts = [
            {
                "name": entry.name, "bytes": entry.size, "made": _timestamp(entry.made),
                "characters": entry.characters, "text": entry.inputs,
            }
            for entry in listed
        ]  # fmt: skip
        document = {"folder": str(folder), "bytes": size, "cleared": clear, "texts": texts}
        click.echo(json.dumps(document))
        return
    for entry in listed:
        size_and_time = f"{megabytes(entry.size):>13}  {_timestamp(entry.made)}"
        click.echo(f"{entry.name}  {size_and_time}  {entry.inputs}")
    total = f"{len(listed)} text{'' if len(listed) == 1 else 's'}, {megabytes(size)}"
    click.echo(f"{total}, {'removed from' if clear else 'in'} {folder}")


def _timestamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).isoformat(" ", "seconds")
