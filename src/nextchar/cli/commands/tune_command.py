"""`nextchar tune`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import click

from nextchar.cli.options import SectionCommand, option, options_of, split_params, training_options
from nextchar.errors import SettingsError


@dataclass(frozen=True, kw_only=True)
class TuneOptions:
    """Parameters of `nextchar tune` that are not settings."""

    files: tuple[str, ...]
    trials: int | None = option("Number of trials.  [default: 50, or as many as --time allows]")
    time: str | None = option("Stop after this time: 90s, 10m, 2h.", metavar="T")
    trial_time: str | None = option(
        "Time of one trial; --steps or --epochs limit it otherwise.  "
        "[default: a share of --time, or 20s]",
        metavar="T",
    )
    workers: int | None = option("Processes that run trials and share the cores.  [default: 1]")
    fix: tuple[str, ...] = option(
        "Fix a setting instead of searching it, as every option of a setting below does; "
        "repeatable.",
        metavar="NAME=VALUE",
    )
    ranges: tuple[str, ...] = option(
        "Search numbers from LOW to HIGH: learning_rate=0.001:0.03:log, hidden_size=64:256:32; "
        "repeatable.",
        "--range",
        metavar="NAME=LOW:HIGH",
    )
    choices: tuple[str, ...] = option(
        "Search these values: hidden_size=128,192; repeatable.", metavar="NAME=A,B"
    )
    no_pruning: bool = option("Run hopeless trials to their end, too.")
    out: str | None = option(
        "Directory of the sweep.  [default: runs/NAME-tune of the text]", metavar="DIR"
    )
    storage: str | None = option(
        "Store the study in this journal file, or in a database that Optuna supports.  "
        "[default: DIR/study.journal]",
        metavar="URL",
    )
    study: str | None = option(
        "Name of the study in the storage.  [default: that of DIR]", metavar="NAME"
    )
    resume: bool = option("Continue the sweep in --out; repeating the command does the same.")
    val: tuple[str, ...] = option("Validate on this text instead; repeatable.", metavar="FILE")
    start_from: str | None = option(
        "Fine-tune this model in every trial.", "--from", metavar="MODEL"
    )
    quiet: bool = option("Show no progress.")
    as_json: bool = option("Print the result as JSON.", "--json")
    worker: bool = option("", hidden=True)


@click.command("tune", cls=SectionCommand)
@click.argument("files", nargs=-1, metavar="FILE...")
@options_of(TuneOptions)
@training_options(omitted=("time",))
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
            problem = f"is given twice, as {settings[name]} and as {value}"
            raise SettingsError(problem, setting=name, remedy="leave one out")
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
