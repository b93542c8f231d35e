"""`nextchar tune`."""

from __future__ import annotations

import json
from typing import Any

import click

from nextchar.cli.options import setting_options
from nextchar.errors import SettingsError
from nextchar.settings.config import fields


@click.command("tune")
@click.argument("files", nargs=-1, metavar="FILE...")
@click.option(
    "--trials",
    type=int,
    metavar="N",
    help="Trials of the study.  [default: 50, or what --time allows]",
)
@click.option("--time", metavar="T", help="End on time: 90s, 10m, 2h.")
@click.option(
    "--trial-time",
    metavar="T",
    help="Time of one trial; or give --steps or --epochs.  [default: a share of --time, or 20s]",
)
@click.option(
    "--workers",
    type=int,
    metavar="N",
    help="Processes that run trials; the cores are shared out.  [default: 1]",
)
@click.option(
    "--fix",
    multiple=True,
    metavar="NAME=VALUE",
    help="A setting that is to stay; every option below does the same.",
)
@click.option(
    "--range",
    "ranges",
    multiple=True,
    metavar="NAME=LOW:HIGH",
    help="Search numbers from LOW to HIGH: learning_rate=0.001:0.03:log, hidden_size=64:256:32.",
)
@click.option(
    "--choices", multiple=True, metavar="NAME=A,B", help="Search these values: hidden_size=128,192."
)
@click.option("--no-pruning", is_flag=True, help="Let hopeless trials come to their end.")
@click.option(
    "--out", metavar="DIR", help="Directory of the sweep.  [default: runs/NAME-tune of the text]"
)
@click.option(
    "--storage",
    metavar="URL",
    help="Keep the study in this journal file, or a database that Optuna takes.  "
    "[default: DIR/study.journal]",
)
@click.option(
    "--study", metavar="NAME", help="Name of the study in the storage.  [default: that of DIR]"
)
@click.option(
    "--resume", is_flag=True, help="Go on with the sweep in --out, as the same command again does."
)
@click.option("--val", multiple=True, metavar="FILE", help="Validate on this text instead.")
@click.option("--from", "start_from", metavar="MODEL", help="Start every trial from this model.")
@setting_options(field for field in fields() if field.name != "time")
@click.option("--quiet", is_flag=True, help="Show no progress.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.option("--worker", is_flag=True, hidden=True)
def command(
    files: tuple[str, ...],
    trials: int | None,
    time: str | None,
    trial_time: str | None,
    workers: int | None,
    fix: tuple[str, ...],
    ranges: tuple[str, ...],
    choices: tuple[str, ...],
    no_pruning: bool,
    out: str | None,
    storage: str | None,
    study: str | None,
    resume: bool,
    val: tuple[str, ...],
    start_from: str | None,
    quiet: bool,
    as_json: bool,
    worker: bool,
    **settings: Any,
) -> None:
    """Search the settings that suit FILEs best: many short trainings, the hopeless ended early.

    Trial 0 has what the preset auto chooses; what is not fixed is searched around that, with
    Optuna. The best run is kept in DIR/best, and printed as the command that repeats it. Ctrl-C
    ends the sweep; the same command, or --resume, goes on with it.
    """
    if worker:
        from nextchar.tuning.worker import work

        work()
        return
    if not files and not resume:
        raise click.UsageError("Missing argument 'FILE...': a text file, a folder or a data set.")

    from nextchar.tuning import tune
    from nextchar.tuning.space import parse_choices, parse_fix, parse_range

    given = {name: value for name, value in settings.items() if value is not None}
    for name, value in map(parse_fix, fix):
        if given.get(name, value) != value:
            raise SettingsError(f"{name}: is given twice, as {given[name]} and as {value}")
        given[name] = value
    tuned = tune(
        files,
        trials=trials,
        time=time,
        trial_time=trial_time,
        workers=workers,
        ranges=dict(map(parse_range, ranges)),
        choices=dict(map(parse_choices, choices)),
        pruning=not no_pruning,
        validation=val,
        start_from=start_from,
        out=out,
        storage=storage,
        study=study,
        resume=resume,
        verbose=not quiet,
        **given,
    )
    click.echo(json.dumps(tuned.as_json()) if as_json else tuned.command)
