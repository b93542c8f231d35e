"""`nextchar complete`."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import click

from nextchar.cli.options import setting_options
from nextchar.cli.output.compile_notice import announce_compilation_on_stderr
from nextchar.cli.output.text_io import lines_of, print_text
from nextchar.errors import NextcharError, TextError
from nextchar.generation.autocomplete import SuggestionSettings

if TYPE_CHECKING:
    from nextchar.generation.autocomplete import Suggestions

NOT_EXACT = "there may be more probable ones; more --beams look further"


@click.command("complete")
@click.argument("model")
@click.argument("prefix")
@setting_options(dataclasses.fields(SuggestionSettings))
@click.option(
    "--unknown",
    type=click.Choice(["error", "skip"]),
    default="error",
    help="What to do with characters of the prefix that the model never saw.  [default: error]",
)
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
def command(model: str, prefix: str, unknown: Any, as_json: bool, **options: Any) -> None:
    """Tell how MODEL would most probably go on from PREFIX.

    A line for each continuation: its probability, and its text in quotes, with … where it was cut
    at --length. With - as PREFIX, each line of standard input is one, answered at once by a line of
    JSON. With the bytes alphabet --length counts bytes.
    """
    settings = SuggestionSettings(**{n: v for n, v in options.items() if v is not None})

    from nextchar.generation.autocomplete import Completer
    from nextchar.model.file import load_model

    with announce_compilation_on_stderr(), Completer(load_model(model), settings) as completer:
        if prefix != "-":
            found = completer.complete(prefix, unknown=unknown)
            print_text(_json(prefix, completer.to, found) if as_json else _lines(found))
            if not found.exact and not as_json:
                click.echo(f"note: {NOT_EXACT}", err=True)
            return
        for number, line in enumerate(lines_of("-"), 1):
            try:
                found = completer.complete(line, unknown=unknown)
            except NextcharError as error:
                raise TextError(f"-: line {number}: {error}") from error
            print_text(_json(line, completer.to, found))


def _lines(found: Suggestions) -> str:
    return "".join(
        f"{_short(each.probability)}  {json.dumps(each.text, ensure_ascii=False)}"
        f"{'' if each.ends else '…'}\n"
        for each in found
    )


def _short(probability: float) -> str:
    """Three digits or four that say something, in eight columns."""
    return f"{probability:<8{'.4f' if probability >= 0.001 else '.2e'}}"


def _json(prefix: str, to: str, found: Suggestions) -> str:
    made = [
        {"text": each.text, "probability": each.probability, "ends": each.ends} for each in found
    ]
    described = {"prefix": prefix, "to": to, "exact": found.exact, "completions": made}
    return json.dumps(described, ensure_ascii=False) + "\n"
