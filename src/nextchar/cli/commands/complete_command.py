"""`nextchar complete`."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import click

from nextchar.cli.options import given, setting_options, unknown_option
from nextchar.cli.output.compile_notice import announce_compilation_on_stderr
from nextchar.cli.output.text_io import lines_of, print_text
from nextchar.errors import TextError
from nextchar.generation.autocomplete import SuggestionSettings

if TYPE_CHECKING:
    from nextchar.generation.autocomplete import Suggestions

NOT_EXACT = "more --beams may find more probable continuations"


@click.command("complete")
@click.argument("model")
@click.argument("prefix")
@setting_options(dataclasses.fields(SuggestionSettings))
@unknown_option
@click.option("--json", "as_json", is_flag=True, help="Print the continuations as JSON.")
def command(model: str, prefix: str, unknown: Any, as_json: bool, **options: Any) -> None:
    """Print the most probable continuations of PREFIX by MODEL.

    Each line shows the probability of a continuation and its text in quotes, with … if the text
    was cut at --length. If PREFIX is -, each line of standard input is a prefix, answered at once
    by a line of JSON. With the bytes alphabet, --length counts bytes.
    """
    settings = SuggestionSettings(**given(options))

    from nextchar.generation.autocomplete import Completer
    from nextchar.model.file import load_model

    with announce_compilation_on_stderr(), Completer(load_model(model), settings) as completer:
        if prefix != "-":
            suggestions = completer.complete(prefix, unknown=unknown)
            print_text(_json(prefix, completer.to, suggestions) if as_json else _lines(suggestions))
            if not suggestions.exact and not as_json:
                click.echo(f"note: {NOT_EXACT}", err=True)
            return
        for number, line in enumerate(lines_of("-"), 1):
            try:
                suggestions = completer.complete(line, unknown=unknown)
            except TextError as error:
                raise error.located(f"-: line {number}") from error
            print_text(_json(line, completer.to, suggestions))


def _lines(suggestions: Suggestions) -> str:
    return "".join(
        f"{_short(each.probability)}  {json.dumps(each.text, ensure_ascii=False)}"
        f"{'' if each.ends else '…'}\n"
        for each in suggestions
    )


def _short(probability: float) -> str:
    """A probability with three or four significant digits, in eight columns."""
    return f"{probability:<8{'.4f' if probability >= 0.001 else '.2e'}}"


def _json(prefix: str, to: str, suggestions: Suggestions) -> str:
    completions = [
        {"text": each.text, "probability": each.probability, "ends": each.ends}
        for each in suggestions
    ]
    answer = {"prefix": prefix, "to": to, "exact": suggestions.exact, "completions": completions}
    return json.dumps(answer, ensure_ascii=False) + "\n"
