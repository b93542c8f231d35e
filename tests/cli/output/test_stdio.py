"""Standard streams that were closed, or that nobody reads: no error, and no status of their own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows closes its streams otherwise")

PROGRAM = "from nextchar.cli.output.stdio import drop_unwritable, open_missing\nimport os, sys\n"


def status(code: str, redirections: str) -> int:
    """The exit status of a program with redirected streams."""
    command = f'exec {sys.executable} -c "$0" {redirections}'
    environment = {**os.environ, "PYTHONUNBUFFERED": ""}
    called = ["bash", "-c", command, PROGRAM + code]
    return subprocess.run(called, timeout=60, env=environment).returncode


def test_a_new_file_never_gets_the_place_of_a_closed_stream() -> None:
    for redirections in ("2>&-", ">&- 2>&-", "<&- >&- 2>&-"):
        code = "open_missing(); sys.exit(10 + os.open(os.devnull, os.O_RDONLY))"
        assert status(code, redirections) > 12


def test_open_streams_stay_as_they_are() -> None:
    code = "a = sys.stdout, sys.stderr; open_missing(); sys.exit(a != (sys.stdout, sys.stderr))"
    assert status(code, "") == 0


def test_output_that_cannot_be_written_is_dropped() -> None:
    write = "sys.stdout.write('x'); "
    assert status(write + "drop_unwritable(); sys.exit(7)", "> /dev/full") == 7
    assert status(write + "sys.exit(7)", "> /dev/full 2> /dev/null") == 120  # without it
