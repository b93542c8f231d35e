"""Saying on standard error what a command waits for while kernels are compiled."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from nextchar.kernels import COMPILING


@contextmanager
def announce_compilation_on_stderr() -> Iterator[None]:
    """Within this context, one line when something has to be compiled."""
    from nextchar.kernels.jit import announce_compilation

    with announce_compilation(lambda: click.echo(f"note: {COMPILING}", err=True)):
        yield
