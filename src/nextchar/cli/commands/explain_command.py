"""`nextchar explain`."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nextchar.apps.explain.explain_settings import ExplainSettings
from nextchar.cli.options import given, reading_options, setting_options
from nextchar.cli.output import colours
from nextchar.cli.output.compile_notice import announce_compilation_on_stderr
from nextchar.cli.output.explain_summary import explain_summary

if TYPE_CHECKING:
    from nextchar.apps.explain.text_analysis import OnProgress

PAGE = "explain.html"


@click.command("explain")
@click.argument("model")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--out", metavar="PATH", help=f"File of the page.  [default: {PAGE}]")
@click.option(
    "--png", metavar="DIR", help="Also write the curves of the page as images into this folder."
)
@setting_options(dataclasses.fields(ExplainSettings))
@reading_options
@click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    help="Show the text in colour; auto does so on a terminal, unless NO_COLOR is set.  "
    "[default: auto]",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print all figures as JSON; no page unless --out."
)
def command(
    model: str,
    files: tuple[str, ...],
    out: str | None,
    png: str | None,
    encoding: str | None,
    unknown: Any,
    color: str,
    as_json: bool,
    **options: Any,
) -> None:
    """Analyse how MODEL reads the text of FILEs (- is standard input).

    Writes a page for a browser and prints a summary: the most surprising characters, the features
    that hidden units track, how far back the model remembers, and which characters it treats alike.
    """
    settings = ExplainSettings(**given(options))
    if out and not Path(out).absolute().parent.is_dir():  # fails before any work is done
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), out)

    from nextchar.apps.explain.explanation import explain_files
    from nextchar.model.file import load_model

    name = Path(model).stem if Path(model).is_file() else Path(model).name
    with announce_compilation_on_stderr(), _progress() as on_progress:
        explanation = explain_files(
            load_model(model), files, settings,
            name=name, encoding=encoding, unknown=unknown, on_progress=on_progress,
        )  # fmt: skip
    if explanation.text.left_out:
        click.echo(f"note: {explanation.text.left_out} unknown characters were left out", err=True)
    if png:
        from nextchar.apps.explain.render.page_context import all_curves
        from nextchar.apps.report.images import write_images

        write_images(all_curves(explanation), Path(png))
    if out or not as_json:
        explanation.save(out or PAGE)
    if as_json:
        click.echo(json.dumps(explanation.as_json()))
        return
    shades = colours.depth() if colours.is_wanted(color, sys.stdout) else 0
    click.echo(explain_summary(explanation, shades), color=bool(shades))
    click.echo(f"the page: {out or PAGE}", err=True)


@contextmanager
def _progress() -> Iterator[OnProgress]:
    """Show a progress bar on a terminal while a long text is scored."""
    from nextchar.callbacks.progress import bar_class

    bar: Any = None

    def advance(done: int, total: int) -> None:
        nonlocal bar
        if bar is None:
            bar = bar_class()(
                total=total, unit="char", unit_scale=True, desc="scoring", leave=False, delay=1,
                disable=None,
            )  # fmt: skip
        bar.update(done - bar.n)

    try:
        yield advance
    finally:
        if bar is not None:
            bar.close()
