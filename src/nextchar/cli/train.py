"""`nextchar train`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nextchar.cli.options import setting_options
from nextchar.cli.telling import tell_of_one
from nextchar.config import fields
from nextchar.errors import SettingsError
from nextchar.presets import PRESET_HELP, PRESETS

if TYPE_CHECKING:
    from nextchar.cli.listening import Listeners
    from nextchar.training.cohort import Cohort
    from nextchar.training.run import Material
    from nextchar.training.train import Trained


@click.command("train")
@click.argument("files", nargs=-1, metavar="FILE...")
@click.option("--out", metavar="DIR", help="Run directory.  [default: runs/NAME of the text]")
@click.option(
    "--preset",
    type=click.Choice(list(PRESETS)),
    help="; ".join(f"{name}: {text}" for name, text in PRESET_HELP.items()) + ".",
)
@click.option("--val", multiple=True, metavar="FILE", help="Validate on this text instead.")
@click.option(
    "--from",
    "start_from",
    metavar="MODEL",
    help="Start from this model, a file or a run directory, and its network; characters that are "
    "new to it are added.",
)
@click.option("--resume", is_flag=True, help="Go on with the run in --out.")
@setting_options(fields())
@click.option("--quiet", is_flag=True, help="Show no progress.")
@click.option("--live", is_flag=True, help="Show curves in the terminal.")
@click.option("--tensorboard", is_flag=True, help="Write an event file for TensorBoard.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(
    files: tuple[str, ...],
    out: str | None,
    preset: str | None,
    val: tuple[str, ...],
    start_from: str | None,
    resume: bool,
    quiet: bool,
    live: bool,
    tensorboard: bool,
    as_json: bool,
    **settings: Any,
) -> None:
    """Train a model on FILEs: text files (also .gz, .bz2, .xz, .zst), folders, - for standard
    input, or a data set: pydoc, stdlib, shakespeare.

    The run is kept in a directory with its settings, metrics, models and a checkpoint; Ctrl-C
    writes the checkpoint, --resume goes on from it.

    mpiexec -n N (or srun) before the command trains on N processes, on any number of machines.
    """  # noqa: D205
    if not files and not resume:
        raise click.UsageError(
            "Missing argument 'FILE...': a text file, a folder, - or a data set."
        )

    from nextchar.distributed.joining import joined
    from nextchar.training.run import base_of, from_paths

    with joined(tell_of_one) as cohort:
        directory = cohort.first(lambda: _directory(out, files, resume))
        show = _listeners(cohort, directory, quiet=quiet, live=live, tensorboard=tensorboard)
        trained = _train(
            cohort,
            show,
            text=from_paths(files) if files else None,
            preset=preset,
            given={name: value for name, value in settings.items() if value is not None},
            validation=from_paths(val) if val else None,
            base=cohort.first(lambda: base_of(start_from) if start_from else None),
            out=directory,
            resume=resume,
        )
    if as_json and cohort.share.rank == 0:
        summary = {
            "directory": str(directory),
            "steps": trained.steps,
            "best_loss": trained.best_loss,
            "test_loss": trained.test_loss,
            "model": str(directory / "best.safetensors"),
        }
        click.echo(json.dumps(summary))


def _directory(out: str | None, files: tuple[str, ...], resume: bool) -> Path:
    from nextchar.training.directory import free_name

    if resume and out is None:
        raise SettingsError("resume: say which run, --out DIR")
    return Path(out) if out else free_name(files)


def _listeners(cohort: Cohort, directory: Path, **how: bool) -> Listeners:
    """Who is told of the run: what was asked for, by the first rank."""
    from nextchar.cli.listening import Listeners, listeners

    asked: list[Listeners] = []
    cohort.first(lambda: asked.append(listeners(directory, **how)))
    return Listeners(asked)


def _train(cohort: Cohort, show: Listeners, text: Material | None, **how: Any) -> Trained:
    """Train until it is done or asked to stop."""
    from nextchar.api import write_sample
    from nextchar.training.interrupt import stop_on_interrupt
    from nextchar.training.run import start
    from nextchar.training.train import Hooks

    with stop_on_interrupt(also=cohort.share.size > 1) as should_stop:
        try:
            hooks = Hooks(show, should_stop, write_sample)
            return start(text, hooks=hooks, cohort=cohort, **how)
        finally:
            show.close()
