"""`nextchar eval`."""

from __future__ import annotations

import json
from typing import Any

import click

from nextchar.cli.options import reading_options
from nextchar.cli.output.compile_notice import announce_compilation_on_stderr


@click.command("eval")
@click.argument("model")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@reading_options
@click.option(
    "--lanes",
    type=click.IntRange(min=1),
    default=1,
    metavar="N",
    help="Score the text in N parts in parallel, many times faster; results differ in the sixth "
    "digit or later. 1 carries the state through the whole text, exactly.  [default: 1]",
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def command(
    model: str,
    files: tuple[str, ...],
    encoding: str | None,
    unknown: Any,
    lanes: int,
    as_json: bool,
) -> None:
    """Measure how well MODEL predicts the text of FILEs (- is standard input).

    The state is carried through the whole text. Every character counts once, except the first.
    """
    from nextchar.apps.evaluate import as_json as figures_of
    from nextchar.apps.evaluate import evaluate_files
    from nextchar.model.file import load_model

    with announce_compilation_on_stderr():
        score, left_out = evaluate_files(
            load_model(model), files, encoding=encoding, unknown=unknown, lanes=lanes
        )
    if left_out:
        click.echo(f"note: {left_out} unknown characters were left out", err=True)
    figures = figures_of(score, left_out)
    if as_json:
        click.echo(json.dumps(figures))
        return
    for name, value in figures.items():
        click.echo(f"{name:<14} {value:.4f}" if isinstance(value, float) else f"{name:<14} {value}")
