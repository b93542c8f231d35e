"""Curves in a terminal: the screen during the run, and the terminal after it."""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nextchar.callbacks.live import MEANS, POINTS, LiveCurves, TerminalCurve
from nextchar.errors import MissingExtraError
from nextchar.training.events import Evaluated, Finished, Note, Sampled, Started, Stepped

if sys.platform != "win32":
    import fcntl
    import pty
    import struct
    import termios


class Screen(io.StringIO):
    """A terminal of 80 columns and 24 lines."""

    def isatty(self) -> bool:
        return True


def stepped(step: int, loss: float = 2.0) -> Stepped:
    return Stepped(step, step / 100, loss, loss, 100 * step, step / 10)


def evaluated(step: int, loss: float) -> Evaluated:
    return Evaluated(step, 0.1, 100 * step, 1.0, 2.5, loss, 0.01, 1e4, is_best=True)


def shown(stream: Screen) -> list[str]:
    """The lines of the last drawing."""
    last = stream.getvalue().split("\x1b[H")[-1].split("\x1b[J")[0]
    return last.replace("\x1b[K", "").split("\r\n")


def test_the_screen_shows_where_the_run_is() -> None:
    stream, now = Screen(), [0.0]
    live = LiveCurves(stream, clock=lambda: now[0])
    live(Note("a note before"))
    live(Started(0, 100, None))
    for step in range(1, 61):
        now[0] += 1.0
        if step % 20 == 0:
            live(evaluated(step, 3.0 - step / 50))
            live(Sampled(step, "First line\nand \x1b[31mred"))
        live(stepped(step, 4 - step / 30))
    lines = shown(stream)
    assert lines[0] == "step 60 of 100 · 60% · loss 2.0000 nats (2.885 bits) · 1.0 k char/s"
    text = "\n".join(lines)
    for part in ("training", "validation 1.8000 nats at step 60 · best", "(steps)", "First line"):
        assert part in text
    assert "\x1b[31m" not in text  # generated text does not control the terminal
    assert len(lines) <= 24
    before, after = stream.getvalue().split("\x1b[?1049h")
    assert before == "note: a note before\n"
    assert "\x1b[?1049l" not in after


def test_after_the_run_the_usual_lines_are_printed() -> None:
    stream = Screen()
    live = LiveCurves(stream)
    for event in (
        Started(0, 100, None), stepped(1), Note("careful"), evaluated(50, 2.0), stepped(100),
        Finished(100, 10.0, 10_000, 2.0, 50, Path("runs/a")),
    ):  # fmt: skip
        live(event)
    live.close()
    left = stream.getvalue().split("\x1b[?25h\x1b[?1049l")
    assert len(left) == 2
    lines = left[1].rstrip("\n").split("\n")
    assert lines[0].endswith("note: careful")  # after the removed bar
    assert lines[-1].startswith("saved in runs")


def test_an_interrupted_run_leaves_the_terminal_too() -> None:
    stream = Screen()
    live = LiveCurves(stream)
    live(Started(0, None, 60.0))
    live(stepped(1))
    live(evaluated(1, 2.0))
    live.close()
    live.close()
    assert stream.getvalue().count("\x1b[?1049l") == 1
    assert "validation 2.0000" in stream.getvalue().split("\x1b[?1049l")[1]


@pytest.mark.parametrize(("width", "height"), [(20, 5), (40, 12), (200, 60)])
def test_any_size_of_terminal_is_filled_and_not_more(width: int, height: int) -> None:
    live = LiveCurves(Screen())
    live(Started(0, 100, None))
    live(stepped(1))
    live(stepped(2))
    lines = live.screen(width, height)
    assert len(lines) <= height
    assert all(len(re.sub(r"\x1b\[[\d;]*m", "", line)) <= width for line in lines)
    assert any("⠤" in line or "⠉" in line or "⡇" in line for line in lines) == (height > 10)


def test_a_terminal_that_goes_away_does_not_end_the_run() -> None:
    class Gone(Screen):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    live = LiveCurves(Gone())
    live(Started(0, 100, None))
    live(stepped(1))
    live.close()


def test_a_curve_keeps_few_points_each_a_mean() -> None:
    curve = TerminalCurve()
    for step in range(1, 10_001):
        curve.add(step, float(step))
    assert len(curve.x) < POINTS
    width = curve.x[1] - curve.x[0]
    assert curve.x[0] == width
    assert curve.y == [x - (width - 1) / 2 for x in curve.x]
    assert TerminalCurve(10_000 // MEANS)._every == 50


def test_without_plotille_the_error_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "plotille", None)
    with pytest.raises(MissingExtraError, match=r'--live needs plotille; .*pip install "plotille'):
        LiveCurves()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
def test_train_live_in_a_real_terminal(tmp_path: Path, prose: Path) -> None:
    command = [
        sys.executable, "-m", "nextchar", "train", str(prose), "--out", str(tmp_path / "run"),
        "--live", "--preset", "small", "--hidden-size", "8", "--steps", "30", "--batch-size", "4",
        "--threads", "1", "--sample-every", "10",
    ]  # fmt: skip
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp(command[0], command)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    output = b""
    while True:
        try:
            piece = os.read(terminal, 1 << 16)
        except OSError:  # on Linux: the other end was closed
            break
        if not piece:
            break
        output += piece
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    text = output.decode()
    during, after = text.split("\x1b[?1049h")[1].split("\x1b[?1049l")
    assert "step 1 of 30" in during
    assert "⠤⠤" in during or "nats (" in during
    assert "done: 30 steps" in after
    assert "step 30/30" in after


def test_where_there_is_no_terminal_plain_lines_are_shown(
    prose: Path, nextchar: Callable[..., Any]
) -> None:
    done = nextchar("train", prose, "--live", "--preset", "small", "--hidden-size", 8, "--steps", 2,
                    "--out", "run")  # fmt: skip
    assert done.stderr.startswith("note: --live needs a terminal; plain lines are shown instead\n")
    assert "done: 2 steps" in done.stderr
    assert "\x1b" not in done.stderr
