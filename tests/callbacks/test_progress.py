"""Progress on the console: a bar on a terminal, plain lines elsewhere, notes always."""

from __future__ import annotations

import contextlib
import io
import os
import re
import struct
import subprocess
import sys
import threading
from pathlib import Path
from typing import TextIO

import pytest

from nextchar.callbacks import progress as module
from nextchar.callbacks.progress import ConsoleProgress, bar_class
from nextchar.training.events import (
    Encoding,
    Evaluated,
    Event,
    Finished,
    Note,
    Sampled,
    Started,
    Stepped,
)

needs_terminal = pytest.mark.skipif(
    os.name == "nt", reason="Windows has no pseudo-terminals that a test can open"
)

EVALUATED = Evaluated(
    step=150, epoch=0.5, characters=307_200, seconds=35.0, train_loss=2.25, val_loss=2.0,
    learning_rate=0.003, chars_per_second=12_345.0, is_best=True,
)  # fmt: skip
EVENTS: list[Event] = [
    Note("the text is short"),
    Started(0, 3000, None),
    Stepped(1, 1 / 3000, 3.1234, 3.2345, 2_048, 0.5),
    Stepped(150, 150 / 3000, 2.1234, 2.0, 309_248, 30.5),
    EVALUATED,
    Sampled(150, "the worst of\ntimes"),
    Finished(3000, 3725.0, 6_144_000, 1.5, 2850, Path("runs/poems")),
]


def shown(events: list[Event], *, quiet: bool = False) -> str:
    """Return the output of these events on a stream that is not a terminal."""
    stream = io.StringIO()
    progress = ConsoleProgress(stream, quiet=quiet)
    for event in events:
        progress(event)
    progress.close()
    return stream.getvalue()


class Terminal:
    """A pseudo-terminal of some width."""

    def __init__(self, columns: int) -> None:
        import fcntl
        import pty
        import termios

        self._master, self.slave = pty.openpty()
        size = struct.pack("HHHH", 24, columns, 0, 0)
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, size)

    def stream(self) -> TextIO:
        return os.fdopen(self.slave, "w", encoding="utf-8")

    def read(self) -> str:
        """Return all output once every writer has closed the terminal."""
        parts = []
        try:
            while part := os.read(self._master, 65536):
                parts.append(part)
        except OSError:  # the end, on Linux
            pass
        os.close(self._master)
        return b"".join(parts).decode()


def seen(events: list[Event], *, columns: int = 100, quiet: bool = False) -> str:
    """Return the output of these events on a terminal."""
    terminal = Terminal(columns)
    with terminal.stream() as stream:
        progress = ConsoleProgress(stream, quiet=quiet)
        for event in events:
            progress(event)
        progress.close()
    return terminal.read()


# elsewhere


def test_elsewhere_an_evaluation_is_one_plain_line() -> None:
    assert shown([Started(0, 3000, None), EVALUATED]) == (
        "step 150/3000 · epoch 0.50 · train 2.2500 · validation 2.0000 nats/char (2.885 bits) "
        "· best · 12.3 k char/s\n"
    )


def test_an_evaluation_without_validation_says_so() -> None:
    without = Evaluated(
        step=7, epoch=0.1, characters=9, seconds=1.0, train_loss=2.0, val_loss=None,
        learning_rate=0.1, chars_per_second=9.0, is_best=False,
    )  # fmt: skip
    assert shown([Started(0, None, 60.0), without]) == (
        "step 7 · epoch 0.10 · train 2.0000 · no validation · 9 char/s\n"
    )


def test_elsewhere_nothing_is_overwritten() -> None:
    text = shown(EVENTS)
    assert "\r" not in text
    assert "\x1b" not in text
    assert text.endswith("\n")


def test_steps_are_printed_now_and_then_only(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = [event for event in EVENTS if isinstance(event, Started | Stepped)]
    monkeypatch.setattr(module, "LINE_SECONDS", float("inf"))
    assert shown(steps) == ""
    monkeypatch.setattr(module, "LINE_SECONDS", -1.0)
    # 307,200 characters in 30 s; 149 of 3000 steps took 30 s, so 2850 will take 574 s
    assert shown(steps).splitlines()[-1] == (
        "step 150/3000 · loss 2.123, smoothed 2.000 (2.89 bits), 10.2 k char/s, 10 min left"
    )


def test_a_resumed_run_is_timed_from_where_it_continued(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LINE_SECONDS", -1.0)
    text = shown(
        [
            Started(1000, 2000, None),
            Stepped(1001, 0.5, 2.0, 2.0, 1_000_000, 5000.0),
            Stepped(1250, 0.625, 2.0, 2.0, 1_250_000, 5010.0),
        ]
    )
    assert text.splitlines()[-1].endswith("25.0 k char/s, 30 s left")


def test_a_run_of_a_time_has_what_is_left_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time left does not depend on the speed so far or on a resume."""
    monkeypatch.setattr(module, "LINE_SECONDS", -1.0)
    steps = [Stepped(10, 0.1, 2.0, 2.0, 1000, 6.0), Stepped(20, 0.7, 2.0, 2.0, 2000, 42.0)]
    lines = shown([Started(9, None, 60.0), *steps]).splitlines()
    assert [line.split(", ")[-1] for line in lines] == ["54 s left", "18 s left"]
    late = Stepped(21, 1.0, 2.0, 2.0, 2100, 61.0)
    assert shown([Started(9, None, 60.0), late]).endswith(" 0 s left\n")


def test_samples_stand_apart() -> None:
    assert shown([EVENTS[5]]) == "─── step 150 writes ───\nthe worst of\ntimes\n───\n"


def test_the_end_has_a_summary_and_the_next_command() -> None:
    assert shown([EVENTS[-1]]) == (
        "done: 3000 steps, 6.1 M characters in 1 h 02 min; best 1.5000 nats/char (2.164 bits) "
        "at step 2850\n"
        f"saved in {Path('runs/poems')}; generate text with: "
        f"nextchar generate {Path('runs/poems')}\n"
    )


def test_the_end_of_a_run_in_memory_names_no_directory() -> None:
    text = shown([Finished(3, 125.4, 999, 1.0, 3, None)])
    assert text == (
        "done: 3 steps, 999 characters in 2 min 05 s; best 1.0000 nats/char (1.443 bits) at "
        "step 3\n"
    )


def test_quiet_shows_notes_only() -> None:
    assert shown(EVENTS, quiet=True) == "note: the text is short\n"


def test_standard_error_is_where_it_goes(capfd: pytest.CaptureFixture[str]) -> None:
    ConsoleProgress()(Note("here"))
    out, err = capfd.readouterr()
    assert (out, err) == ("", "note: here\n")


class Gone(io.StringIO):
    """A stream whose reader leaves after one line."""

    def write(self, text: str) -> int:
        if self.tell():
            raise BrokenPipeError(32, "Broken pipe")
        return super().write(text)


def test_a_stream_without_a_reader_is_no_error() -> None:
    stream = Gone()
    progress = ConsoleProgress(stream)
    for event in EVENTS * 2:
        progress(event)
    progress.close()
    assert stream.getvalue() == "note: the text is short\n"


# on a terminal


@needs_terminal
@pytest.mark.parametrize("columns", [80, 120])
def test_a_terminal_shows_a_bar_with_everything(columns: int) -> None:
    lines = re.split(r"[\r\n]+", seen(EVENTS, columns=columns))
    (bar,) = {line.rstrip() for line in lines if "smoothed" in line}
    assert re.fullmatch(
        r"  5% \S+ +loss 2\.123, smoothed 2\.000 \(2\.89 bits\), 10\.2 k char/s, 10 min left", bar
    )
    assert len(bar) <= columns


@needs_terminal
def test_lines_stand_above_the_bar_whole() -> None:
    text = seen(EVENTS)
    for line in shown(EVENTS).splitlines():
        assert f"\r{line}\r\n" in text or f"\n{line}\r\n" in text or text.startswith(f"{line}\r\n")


@needs_terminal
def test_the_bar_is_removed_at_the_end() -> None:
    last = seen(EVENTS[:-1]).split("\r")[-2:]
    assert [part.strip() for part in last] == ["", ""]


@needs_terminal
def test_the_bar_continues_when_the_clock_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DRAW_SECONDS", -1.0)
    monkeypatch.setattr("tqdm.std.time", lambda: -1e9)
    steps: list[Event] = [Stepped(n, n / 100, 2.0, 2.0, 1000 * n, float(n)) for n in range(1, 100)]
    text = seen([Started(0, 100, None), *steps])
    assert len(set(re.findall(r"\r *(\d+)% ", text))) >= 99


@needs_terminal
def test_a_closed_terminal_does_not_end_the_run() -> None:
    terminal = Terminal(80)
    stream = terminal.stream()
    progress = ConsoleProgress(stream)
    for event in EVENTS[:3]:
        progress(event)
    os.close(terminal._master)
    for event in EVENTS[3:]:
        progress(event)
    progress.close()
    with contextlib.suppress(OSError):  # its buffer is lost
        stream.close()


@needs_terminal
def test_quiet_shows_no_bar() -> None:
    assert seen(EVENTS, quiet=True) == "note: the text is short\r\n"


@needs_terminal
def test_the_program_shows_a_bar_on_a_terminal_and_none_in_a_pipe(
    tmp_path: Path, prose: Path
) -> None:
    command = [
        sys.executable, "-m", "nextchar", "train", prose.name, "--hidden-size", "8",
        "--num-layers", "1", "--batch-size", "4", "--steps", "20", "--eval-every", "10",
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONUTF8": "1"}

    def run(stderr: int) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=stderr,
            check=True, timeout=240,
        )  # fmt: skip

    piped = run(subprocess.PIPE)
    assert b"\r" not in piped.stderr.replace(b"\r\n", b"\n")
    assert piped.stdout == b""
    terminal = Terminal(120)
    assert run(terminal.slave).stdout == b""
    os.close(terminal.slave)
    text = terminal.read()
    assert re.search(r"\r *\d+% .*smoothed \d\.\d{3} \(\d\.\d\d bits\), .* char/s, .* left", text)
    assert "done: 20 steps" in text


# encoding a large text

ENCODING: list[Event] = [
    Encoding(500_000_000, 2_000_000_000),
    Encoding(2_000_000_000, 2_000_000_000),
    Encoding(30_000_000, 60_000_000),  # another text, for validation
    Started(0, 3000, None),
]


def test_elsewhere_encoding_is_printed_now_and_then_only(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(ENCODING) == ""
    monkeypatch.setattr(module, "LINE_SECONDS", -1.0)
    assert shown(ENCODING[:1]) == "encoding the text: 500 MB of 2,000 MB\n"
    assert shown([Encoding(500_000_000, None)]) == "encoding the text: 500 MB\n"
    assert shown(ENCODING, quiet=True) == ""


@needs_terminal
def test_on_a_terminal_encoding_has_a_bar_that_goes_when_training_begins() -> None:
    text = seen(ENCODING)
    assert "encoding the text:  25%" in text
    assert "500M/2.00G" in text
    assert "30.0M/60.0M" in text
    assert "\n" not in text.replace("\r\n", "")
    assert seen(ENCODING, quiet=True) == ""


def test_a_bar_that_cannot_be_drawn_does_not_hold_up_bars_of_other_threads() -> None:
    class Broken(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError

    bars = bar_class()
    with pytest.raises(OSError):
        bars(total=1.0, file=Broken())
    thread = threading.Thread(target=lambda: bars(total=1.0, file=io.StringIO()).close())
    thread.daemon = True
    thread.start()
    thread.join(30)
    assert not thread.is_alive()
