"""`nextchar report`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from nextchar.cli.output.compile_notice import announce_compilation_on_stderr


@click.command("report")
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option(
    "--out", default="report.html", metavar="FILE", help="File of the page.  [default: report.html]"
)
@click.option("--png", metavar="DIR", help="Also write the figures as images into this folder.")
@click.option(
    "--watch", is_flag=True, help="Update the page while training runs; the page reloads itself."
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@click.option("--quiet", is_flag=True, help="Print no notes.")
def command(
    runs: tuple[str, ...], out: str, png: str | None, watch: bool, as_json: bool, quiet: bool
) -> None:
    """Write an HTML page about RUNs (run directories) and their models.

    The page shows loss curves, samples from the course of training, a comparison with n-grams, the
    loss by context length and by kind of character, calibration, confusions, and the share of text
    that the model copies. It compares several runs.
    """
    from nextchar.apps.report.images import require_matplotlib, write_images
    from nextchar.apps.report.report import as_json as figures_of
    from nextchar.apps.report.report import make_report
    from nextchar.apps.report.watch import watch_runs, write_page

    if png:
        require_matplotlib()  # fails before anything is computed

    def note(text: str) -> None:
        if not quiet:
            click.echo(f"note: {text}", err=True)

    paths, page = [Path(run) for run in runs], Path(out)
    with announce_compilation_on_stderr():
        if watch:
            watch_runs(paths, page, note)
        report = make_report(paths, note=note)
        write_page(report, page)
        images = write_images(report.figures, Path(png)) if png else []
    if as_json:
        figures = figures_of(report)
        click.echo(json.dumps({"page": out, "images": [*map(str, images)], **figures}))
    else:
        click.echo(out)
        if png:
            click.echo(f"{png}: {len(images)} images")
