"""A note on standard error while kernels are compiled."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from nextchar.kernels import COMPILING


@contextmanager
def announce_compilation_on_stderr() -> Iterator[None]:
    """Context that prints one line when a kernel has to be compiled."""
    from nextchar.kernels.jit import announce_compilation

    with announce_compilation(lambda: click.echo(f"note: {COMPILING}", err=True)):
        yield
