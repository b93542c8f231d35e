"""Who is told of a run: the console, the terminal's curves, TensorBoard."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import click


class RunCallback(Protocol):
    """Is told of events, and of the end of them."""

    def __call__(self, event: Any) -> None:
        """Show an event."""

    def close(self) -> None:
        """No more events come."""


class RunCallbacks:
    """Several of them; what a run takes as `on_event`."""

    def __init__(self, make_callbacks: Sequence[RunCallback]) -> None:
        self._listeners = make_callbacks

    def __call__(self, event: Any) -> None:
        """Tell all of an event."""
        for each in self._listeners:
            each(event)

    def close(self) -> None:
        """No more events come."""
        for each in self._listeners:
            each.close()


def make_callbacks(directory: Path, *, quiet: bool, live: bool, tensorboard: bool) -> RunCallbacks:
    """Those that were asked for. Raises MissingExtraError where a package is not there."""
    from nextchar.callbacks.live import Live
    from nextchar.callbacks.progress import ConsoleProgress
    from nextchar.callbacks.tensorboard import EventFiles

    is_terminal = sys.stderr.isatty()
    if live and not is_terminal:
        click.echo("note: --live wants a terminal; plain lines are shown instead", err=True)
    shown = Live() if live and is_terminal and not quiet else ConsoleProgress(quiet=quiet)
    return RunCallbacks([shown, *([EventFiles(directory)] if tensorboard else [])])
