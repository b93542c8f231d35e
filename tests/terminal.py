"""The program in a pseudo-terminal: keys are typed, and the screen is read as a person sees it."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import pyte

PATIENCE = 120  # seconds until a screen is taken not to come: machines stall, kernels compile
KEYS = {
    "up": "\x1b[A",
    "down": "\x1b[B",
    "right": "\x1b[C",
    "left": "\x1b[D",
    "ctrl-right": "\x1b[1;5C",
    "tab": "\t",
    "enter": "\r",
    "backspace": "\x7f",
    "escape": "\x1b",
    "f1": "\x1bOP",
    "f2": "\x1bOQ",
    "f3": "\x1bOR",
    "pageup": "\x1b[5~",
    "pagedown": "\x1b[6~",
}


class Terminal:
    """A program whose standard streams are a terminal; a context manager.

    stdout: where standard output goes instead. Call `see` after keys: it waits.
    """

    def __init__(
        self,
        *args: object,
        cwd: Path,
        rows: int = 24,
        columns: int = 80,
        stdout: Any = None,
        env: dict[str, str] | None = None,
    ) -> None:
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self.sent = b""  # all that the program wrote
        self._ours, theirs = os.openpty()
        termios.tcsetwinsize(theirs, (rows, columns))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "nextchar", *map(str, args)],
            cwd=cwd,
            stdin=theirs,
            stdout=theirs if stdout is None else stdout,
            stderr=theirs,
            env={**os.environ, "TERM": "xterm-256color", "PYTHONUTF8": "1", **(env or {})},
            start_new_session=True,
        )
        os.close(theirs)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)

    def type(self, *keys: str) -> None:
        """Type texts, or keys by their name: `<up>`, and `^w` for one with Ctrl."""
        for key in keys:
            if key.startswith("^"):
                key = chr(ord(key[1]) & 31)
            elif key.startswith("<"):
                key = KEYS[key[1:-1]]
            os.write(self._ours, key.encode())

    def resize(self, rows: int, columns: int) -> None:
        """Give the terminal another size."""
        self._screen.resize(rows, columns)
        termios.tcsetwinsize(self._ours, (rows, columns))
        self.process.send_signal(signal.SIGWINCH)

    @property
    def lines(self) -> list[str]:
        """The screen as it is, without spaces at the ends."""
        return [line.rstrip() for line in self._screen.display]

    @property
    def cells(self) -> Any:
        """Its cells: row → column → `data`, `fg`, `bg`, `reverse` and so on."""
        return self._screen.buffer

    def see(self, wanted: str | Callable[[list[str]], bool]) -> list[str]:
        """Wait until the screen holds a text, or fulfils a condition; the screen."""
        holds = wanted if callable(wanted) else (lambda lines: wanted in "\n".join(lines))
        until = time.monotonic() + PATIENCE
        while not holds(self.lines):
            assert time.monotonic() < until, "\n".join([f"never seen: {wanted}", *self.lines])
            self._read()
        return self.lines

    def status(self) -> int:
        """Wait for the program's end; its status."""
        until = time.monotonic() + PATIENCE
        while self._read() or self.process.poll() is None:
            assert time.monotonic() < until, "\n".join(["never ended", *self.lines])
        return self.process.returncode

    def _read(self) -> bool:
        """Take what the program wrote by now."""
        if not select.select([self._ours], [], [], 0.05)[0]:
            return False
        try:
            data = os.read(self._ours, 1 << 16)
        except OSError:  # the program closed its side
            return False
        self.sent += data
        self._stream.feed(data)
        return bool(data)
