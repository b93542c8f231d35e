"""The program `nextchar`: finds the command, runs it, and turns errors into exit statuses.

Results go to standard output, everything else to standard error. Exit status: 0 success; 1 failure,
explained in one line; 2 wrong usage; 128 + N stopped by signal N, such as 130 by Ctrl-C.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
import traceback

import click

from nextchar import __version__
from nextchar.cli.output.error_output import message_of, print_error, status_of
from nextchar.cli.output.stdio import drop_unwritable, open_missing
from nextchar.distributed.launcher import is_rank_zero

# a command's module is imported when the command is called, which keeps help and start-up fast
COMMANDS = {
    "train": "Train a model on text.",
    "tune": "Search the settings that suit a text best.",
    "generate": "Generate text with a model, one next character at a time.",
    "plan": "Forecast the speed of training on many machines.",
    "complete": "Print the most probable continuations of a prefix.",
    "serve": "Serve models over HTTP: a completion API, and a web page to try them.",
    "eval": "Measure how well a model predicts a text.",
    "explain": "Analyse how a model reads a text: surprise, neurons, memory.",
    "info": "Show the contents of a model file.",
    "report": "Write a page about training runs and their models.",
    "cache": "List the encoded texts in the cache, or clear it.",
    "demo": "Train on Python's documentation for a minute and generate some text.",
}


# `nextchar` alone shows the help; click 8.1 does so without an error
_NO_COMMAND: tuple[type[click.ClickException], ...] = tuple(
    kind for kind in [getattr(click.exceptions, "NoArgsIsHelpError", None)] if kind
)


class _Commands(click.Group):
    """Lists the commands by name, and loads the one that is called."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module = importlib.import_module(f"nextchar.cli.commands.{name}_command")
        command: click.Command = module.command
        return command

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(context, args)
        except click.UsageError as error:
            known = ", ".join(COMMANDS)
            raise click.UsageError(f"{error.message} Commands are {known}.", context) from None


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="nextchar %(version)s")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def program(debug: bool) -> None:
    """Train character-level recurrent language models on a CPU and predict text with them."""


def main(args: list[str] | None = None) -> None:
    """Run the program and exit with its status."""
    open_missing()
    status = run(sys.argv[1:] if args is None else args)
    drop_unwritable()
    sys.exit(status)


def run(args: list[str]) -> int:
    """Run the program and return its exit status."""
    with contextlib.suppress(AttributeError):  # a console that lacks some characters
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    debug = "--debug" in args
    args = [arg for arg in args if arg != "--debug"]  # accepted before and after the command
    try:
        with program.make_context("nextchar", args) as context:
            program.invoke(context)
    except click.exceptions.Exit as done:  # --help and --version
        return done.exit_code
    except click.ClickException as error:
        if isinstance(error, _NO_COMMAND):
            error.show()
        elif args[:1] != ["train"] or is_rank_zero():
            print_error(_usage(error, args))
        return error.exit_code
    except BrokenPipeError:  # the reader ended first (`| head`): no error
        return 0
    except (KeyboardInterrupt, click.Abort):
        print_error("interrupted")
        return 130
    except Exception as error:
        if debug:
            traceback.print_exc()
        if not getattr(error, "is_reported_elsewhere", False):  # on MPI, by the first rank
            print_error(message_of(error))
        return status_of(error)
    return 0


def _usage(error: click.ClickException, args: list[str]) -> str:
    """The message of click's usage error, with the command that shows the help."""
    command = f"nextchar {args[0]}" if args and args[0] in COMMANDS else "nextchar"
    message = error.format_message().rstrip(".")
    return f"{message}{' See' if message.endswith('?') else '; see'} {command} --help"
