"""`nextchar train`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nextchar.cli.options import setting_options
from nextchar.cli.output.error_output import report_rank_error
from nextchar.errors import SettingsError
from nextchar.settings.config import fields
from nextchar.settings.presets import PRESET_HELP, PRESETS

if TYPE_CHECKING:
    from nextchar.callbacks.combine import RunCallbacks
    from nextchar.training.process_group import ProcessGroup
    from nextchar.training.run import TextInput
    from nextchar.training.session import Trained


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

    from nextchar.distributed.join import join_process_group
    from nextchar.training.run import load_base_model, text_from_paths

    with join_process_group(report_rank_error) as group:
        directory = group.on_rank_zero(lambda: _directory(out, files, resume))
        show = _listeners(group, directory, quiet=quiet, live=live, tensorboard=tensorboard)
        trained = _train(
            group,
            show,
            text=text_from_paths(files) if files else None,
            preset=preset,
            given={name: value for name, value in settings.items() if value is not None},
            validation=text_from_paths(val) if val else None,
            base=group.on_rank_zero(lambda: load_base_model(start_from) if start_from else None),
            out=directory,
            resume=resume,
        )
    if as_json and group.share.rank == 0:
        summary = {
            "directory": str(directory),
            "steps": trained.steps,
            "best_loss": trained.best_loss,
            "test_loss": trained.test_loss,
            "model": str(directory / "best.safetensors"),
        }
        click.echo(json.dumps(summary))


def _directory(out: str | None, files: tuple[str, ...], resume: bool) -> Path:
    from nextchar.training.saving.run_directory import free_name

    if resume and out is None:
        raise SettingsError("resume: say which run, --out DIR")
    return Path(out) if out else free_name(files)


def _listeners(group: ProcessGroup, directory: Path, **how: bool) -> RunCallbacks:
    """Who is told of the run: what was asked for, by the first rank."""
    from nextchar.callbacks.combine import RunCallbacks, make_callbacks

    asked: list[RunCallbacks] = []
    group.on_rank_zero(lambda: asked.append(make_callbacks(directory, **how)))
    return RunCallbacks(asked)


def _train(group: ProcessGroup, show: RunCallbacks, text: TextInput | None, **how: Any) -> Trained:
    """Train until it is done or asked to stop."""
    from nextchar.api.estimator import write_sample
    from nextchar.training.run import RunRequest, train
    from nextchar.training.run_context import Hooks
    from nextchar.training.signals import stop_on_interrupt

    with stop_on_interrupt(also=group.share.size > 1) as should_stop:
        try:
            hooks = Hooks(show, should_stop, write_sample)
            return train(RunRequest(text, **how), hooks, group)
        finally:
            show.close()
