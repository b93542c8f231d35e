"""`nextchar report`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from nextchar.cli.output.compile_notice import announce_compilation_on_stderr


@click.command("report")
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option(
    "--out", default="report.html", metavar="FILE", help="The page.  [default: report.html]"
)
@click.option("--png", metavar="DIR", help="Also write the figures as images into a folder.")
@click.option(
    "--watch", is_flag=True, help="Make the page anew while training goes on; it reloads itself."
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@click.option("--quiet", is_flag=True, help="Say nothing of what is being done.")
def command(
    runs: tuple[str, ...], out: str, png: str | None, watch: bool, as_json: bool, quiet: bool
) -> None:
    """Show what RUNs (run directories) did and what their models know, as one page of HTML.

    Loss curves, what the model wrote on its way, loss beside counting, by context and by kind of
    character, calibration, confusions, and how much it copies. Several runs stand side by side.
    """
    from nextchar.apps.report.images import require_matplotlib, write_images
    from nextchar.apps.report.report import as_json as figures_of
    from nextchar.apps.report.report import make_report
    from nextchar.apps.report.watch import watch_runs, write_page

    if png:
        require_matplotlib()  # said before anything is computed

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
