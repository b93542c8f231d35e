"""`nextchar tune`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import click

from nextchar.cli.options import SectionedCommand, split_params, training_options
from nextchar.errors import SettingsError


@dataclass(frozen=True)
class TuneOptions:
    """Parameters of `nextchar tune` that are not settings."""

    files: tuple[str, ...]
    trials: int | None
    time: str | None
    trial_time: str | None
    workers: int | None
    fix: tuple[str, ...]
    ranges: tuple[str, ...]
    choices: tuple[str, ...]
    no_pruning: bool
    out: str | None
    storage: str | None
    study: str | None
    resume: bool
    val: tuple[str, ...]
    start_from: str | None
    quiet: bool
    as_json: bool
    worker: bool


@click.command("tune", cls=SectionedCommand)
@click.argument("files", nargs=-1, metavar="FILE...")
@click.option(
    "--trials",
    type=int,
    metavar="N",
    help="Number of trials.  [default: 50, or as many as --time allows]",
)
@click.option("--time", metavar="T", help="Stop after this time: 90s, 10m, 2h.")
@click.option(
    "--trial-time",
    metavar="T",
    help="Time of one trial; --steps or --epochs limit it otherwise.  "
    "[default: a share of --time, or 20s]",
)
@click.option(
    "--workers",
    type=int,
    metavar="N",
    help="Processes that run trials and share the cores.  [default: 1]",
)
@click.option(
    "--fix",
    multiple=True,
    metavar="NAME=VALUE",
    help="Fix a setting instead of searching it, as every option of a setting below does; "
    "repeatable.",
)
@click.option(
    "--range",
    "ranges",
    multiple=True,
    metavar="NAME=LOW:HIGH",
    help="Search numbers from LOW to HIGH: learning_rate=0.001:0.03:log, hidden_size=64:256:32; "
    "repeatable.",
)
@click.option(
    "--choices",
    multiple=True,
    metavar="NAME=A,B",
    help="Search these values: hidden_size=128,192; repeatable.",
)
@click.option("--no-pruning", is_flag=True, help="Run hopeless trials to their end, too.")
@click.option(
    "--out", metavar="DIR", help="Directory of the sweep.  [default: runs/NAME-tune of the text]"
)
@click.option(
    "--storage",
    metavar="URL",
    help="Store the study in this journal file, or in a database that Optuna supports.  "
    "[default: DIR/study.journal]",
)
@click.option(
    "--study", metavar="NAME", help="Name of the study in the storage.  [default: that of DIR]"
)
@click.option(
    "--resume",
    is_flag=True,
    help="Continue the sweep in --out; repeating the command does the same.",
)
@click.option(
    "--val", multiple=True, metavar="FILE", help="Validate on this text instead; repeatable."
)
@click.option("--from", "start_from", metavar="MODEL", help="Fine-tune this model in every trial.")
@training_options(omitted=("time",))
@click.option("--quiet", is_flag=True, help="Show no progress.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.option("--worker", is_flag=True, hidden=True)
def command(**params: Any) -> None:
    """Search the settings that suit FILEs best: many short trainings, the hopeless ones pruned.

    Trial 0 uses the choices of the preset auto. The settings that are not fixed are searched
    around it, with Optuna. The best run is kept in DIR/best, and the command that repeats it is
    printed. Ctrl-C ends the sweep; the same command, or --resume, continues it.
    """
    options, settings = split_params(TuneOptions, params)
    if options.worker:
        from nextchar.tuning.worker import work

        work()
        return
    if not options.files and not options.resume:
        raise click.UsageError("Missing argument 'FILE...': a text file, a folder or a data set.")

    from nextchar.tuning import tune
    from nextchar.tuning.space import parse_choices, parse_fix, parse_range

    for name, value in map(parse_fix, options.fix):
        if settings.get(name, value) != value:
            raise SettingsError(
                f"is given twice, as {settings[name]} and as {value}",
                setting=name,
                remedy="leave one out",
            )
        settings[name] = value
    tuned = tune(
        options.files,
        trials=options.trials,
        time=options.time,
        trial_time=options.trial_time,
        workers=options.workers,
        ranges=dict(map(parse_range, options.ranges)),
        choices=dict(map(parse_choices, options.choices)),
        pruning=not options.no_pruning,
        validation=options.val,
        start_from=options.start_from,
        out=options.out,
        storage=options.storage,
        study=options.study,
        resume=options.resume,
        verbose=not options.quiet,
        **settings,
    )
    click.echo(json.dumps(tuned.as_json()) if options.as_json else tuned.command)
