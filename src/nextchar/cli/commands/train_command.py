"""`nextchar train`."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nextchar.cli.options import SectionCommand, option, options_of, split_params, training_options
from nextchar.cli.output.error_output import report_rank_error
from nextchar.errors import SettingsError
from nextchar.settings.presets import PRESET_HELP, PRESETS

if TYPE_CHECKING:
    from nextchar.callbacks.combine import RunCallbacks
    from nextchar.training.process_group import ProcessGroup
    from nextchar.training.session import Trained


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """Parameters of `nextchar train` that are not settings."""

    files: tuple[str, ...]
    out: str | None = option("Run directory.  [default: runs/NAME of the text]", metavar="DIR")
    preset: str | None = option(
        "; ".join(f"{name}: {text}" for name, text in PRESET_HELP.items()) + ".",
        type=click.Choice(list(PRESETS)),
    )
    val: tuple[str, ...] = option("Validate on this text instead; repeatable.", metavar="FILE")
    start_from: str | None = option(
        "Fine-tune this model, a file or a run directory. Its network is kept; characters that "
        "are new to it are added to its vocabulary.",
        "--from",
        metavar="MODEL",
    )
    resume: bool = option("Continue the run in --out.")
    quiet: bool = option("Show no progress.")
    live: bool = option("Draw loss curves in the terminal.")
    tensorboard: bool = option("Write an event file for TensorBoard.")
    as_json: bool = option("Print the result as JSON.", "--json")


@click.command("train", cls=SectionCommand)
@click.argument("files", nargs=-1, metavar="FILE...")
@options_of(TrainOptions)
@training_options()
def command(**params: Any) -> None:
    """Train a model on FILEs: text files (also .gz, .bz2, .xz, .zst), folders, - for standard
    input, or a data set: pydoc, stdlib, shakespeare.

    The run directory stores settings, metrics, models and a checkpoint. Ctrl-C writes the
    checkpoint, and --resume continues from it.

    mpiexec -n N (or srun) before the command trains on N processes, on any number of machines.
    """  # noqa: D205
    options, settings = split_params(TrainOptions, params)
    if not options.files and not options.resume:
        problem = "Missing argument 'FILE...': a text file, a folder, - or a data set."
        raise click.UsageError(problem)

    from nextchar.distributed.join import join_process_group
    from nextchar.model.file import BEST

    with join_process_group(report_rank_error) as group:
        directory = group.on_rank_zero(lambda: _directory(options))
        callbacks = group.on_all_ranks(lambda: _callbacks(group, directory, options))
        trained = _train(options, settings, directory, group, callbacks)
    if options.as_json and group.share.rank == 0:
        losses = {"best_loss": trained.best_loss, "test_loss": trained.test_loss}
        summary = {"directory": str(directory), "steps": trained.steps, **losses}
        summary["model"] = str(directory / BEST)
        click.echo(json.dumps(summary))


def _directory(options: TrainOptions) -> Path:
    from nextchar.training.saving.run_directory import free_name

    if options.resume and options.out is None:
        raise SettingsError("needs the run to continue", setting="resume", remedy="add --out DIR")
    return Path(options.out) if options.out else free_name(options.files)


def _callbacks(group: ProcessGroup, directory: Path, options: TrainOptions) -> RunCallbacks:
    """The callbacks of the run; only the first rank has any."""
    from nextchar.callbacks.combine import RunCallbacks, make_callbacks

    if group.share.rank:
        return RunCallbacks([])
    return make_callbacks(
        directory, quiet=options.quiet, live=options.live, tensorboard=options.tensorboard
    )


def _train(
    options: TrainOptions,
    settings: dict[str, Any],
    directory: Path,
    group: ProcessGroup,
    callbacks: RunCallbacks,
) -> Trained:
    from nextchar.api.estimator import write_sample
    from nextchar.training.run import RunRequest, load_base_model, text_from_paths, train
    from nextchar.training.run_context import Hooks
    from nextchar.training.signals import stop_on_interrupt

    source = options.start_from
    with stop_on_interrupt(also=group.share.size > 1) as should_stop, closing(callbacks):
        request = RunRequest(
            text_from_paths(options.files) if options.files else None,
            preset=options.preset,
            given=settings,
            validation=text_from_paths(options.val) if options.val else None,
            base=group.on_rank_zero(lambda: load_base_model(source) if source else None),
            out=directory,
            resume=options.resume,
        )
        return train(request, Hooks(callbacks, should_stop, write_sample), group)
