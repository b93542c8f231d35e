"""Saying on standard error what a command waits for while kernels are compiled."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from nextchar.kernels import COMPILING


@contextmanager
def telling() -> Iterator[None]:
    """Within this context, one line when something has to be compiled."""
    from nextchar.kernels.compiled import telling_of_compilation

    with telling_of_compilation(lambda: click.echo(f"note: {COMPILING}", err=True)):
        yield
