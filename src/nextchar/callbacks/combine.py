"""Several callbacks behind one call: the console, the terminal's curves, TensorBoard."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import click


class RunCallback(Protocol):
    """Called with each event of a run, and closed after the last one."""

    def __call__(self, event: Any) -> None:
        """Handle an event."""

    def close(self) -> None:
        """Finish: no more events follow."""


class RunCallbacks:
    """Several callbacks as one; a run takes it as `on_event`."""

    def __init__(self, callbacks: Sequence[RunCallback]) -> None:
        self._callbacks = callbacks

    def __call__(self, event: Any) -> None:
        """Pass an event to every callback."""
        for callback in self._callbacks:
            callback(event)

    def close(self) -> None:
        """Close every callback."""
        for callback in self._callbacks:
            callback.close()


def make_callbacks(directory: Path, *, quiet: bool, live: bool, tensorboard: bool) -> RunCallbacks:
    """Make the requested callbacks. Raises MissingExtraError where a package is missing."""
    from nextchar.callbacks.live import LiveCurves
    from nextchar.callbacks.progress import ConsoleProgress
    from nextchar.callbacks.tensorboard import TensorBoardWriter

    is_terminal = sys.stderr.isatty()
    if live and not is_terminal:
        click.echo("note: --live needs a terminal; plain lines are shown instead", err=True)
    shows_curves = live and is_terminal and not quiet
    console = LiveCurves() if shows_curves else ConsoleProgress(quiet=quiet)
    return RunCallbacks([console, *([TensorBoardWriter(directory)] if tensorboard else [])])
