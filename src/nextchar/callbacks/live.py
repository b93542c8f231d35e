"""Loss curves in the terminal during training: `nextchar train --live`.

They use the terminal's alternate screen, as an editor does. When it is left, the usual lines of a
run are printed. plotille draws: it is maintained, plain Python, and turns numbers into text
without a state.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import TextIO

from nextchar.callbacks.progress import ConsoleProgress
from nextchar.errors import MissingExtraError
from nextchar.formatting.units import to_bits
from nextchar.training.events import Evaluated, Event, Finished, Note, Sampled, Started, Stepped

DRAW_SECONDS = 0.5  # between two drawings
POINTS = 1000  # kept of a curve, at most
MEANS = 200  # points that the losses of a run of known length are averaged to
_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
_TRAINING, _VALIDATION = 32, 208  # blue and orange of the terminal's 256 colours
_SAMPLE_LINES = 4
_AXIS_COLUMNS = 24


class LiveCurves:
    """Callback that draws the losses of a run on a terminal.

    stream: a terminal. clock: returns seconds; only differences matter.
    Raises MissingExtraError where plotille is not installed.
    """

    def __init__(
        self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        try:
            import plotille  # noqa: F401
        except ImportError:
            raise MissingExtraError("--live", "plotille", "live") from None
        self._stream, self._clock = stream or sys.stderr, clock
        self._held: list[Event] = []  # printed when the alternate screen is left
        self._training, self._validation = TerminalCurve(), TerminalCurve()
        self._started = Started(0, None, None)
        self._last: Stepped | None = None
        self._sample, self._is_shown, self._is_lost, self._drawn = "", False, False, -DRAW_SECONDS

    def __call__(self, event: Event) -> None:
        """Show an event."""
        match event:
            case Started():
                self._started = event
                self._training = TerminalCurve((event.total or 0) // MEANS)
                self._put(_ENTER)
                self._is_shown = True
            case Stepped():
                self._last = event
                self._training.add(event.step, event.loss)
                if self._clock() - self._drawn >= DRAW_SECONDS:
                    self._draw()
            case _:
                self._hold(event)

    def _hold(self, event: Event) -> None:
        if isinstance(event, Sampled):
            self._sample = event.text
        if isinstance(event, Evaluated) and event.val_loss is not None:
            self._validation.add(event.step, event.val_loss)
        if self._is_shown:
            self._held.append(event)
        else:
            ConsoleProgress(self._stream)(event)
        if isinstance(event, Finished):
            self.close()

    def close(self) -> None:
        """Leave the alternate screen, and print the events that were held back."""
        if self._is_shown:
            self._is_shown = False
            self._put(_LEAVE)
            progress = ConsoleProgress(self._stream)
            progress(self._started)  # the lines name its number of steps
            progress.close()
            for event in self._held:
                progress(event)
            self._held = []

    def _draw(self) -> None:
        self._drawn = self._clock()
        lines = self.screen(*_size(self._stream))
        self._put("\x1b[H" + "\x1b[K\r\n".join(lines) + "\x1b[J")

    def _put(self, text: str) -> None:
        try:
            if not self._is_lost:
                self._stream.write(text)
                self._stream.flush()
        except OSError:  # the terminal was closed; the run continues without it
            self._is_lost = True

    def screen(self, width: int, height: int) -> list[str]:
        """Return the lines to show on a terminal of `width` columns and `height` lines."""
        foot = [*self._notes(width), *self._sample_lines(width)]
        lines = [self._head()[:width], "", *self._curves(width, height - len(foot) - 3), "", *foot]
        return lines[:height]

    def _head(self) -> str:
        last = self._last
        if last is None:
            return "nextchar: taking the first step"
        total = f" of {self._started.total:,}" if self._started.total else ""
        speed = last.characters / max(last.seconds, 1e-9)
        return (
            f"step {last.step:,}{total} · {last.fraction:.0%} · loss {last.smoothed_loss:.4f} nats "
            f"({to_bits(last.smoothed_loss):.3f} bits) · {speed / 1e3:,.1f} k char/s"
        )

    def _curves(self, width: int, height: int) -> list[str]:
        import plotille

        curves = [each for each in (self._training, self._validation) if each.x]
        if not curves or height < 6 or width < 40:
            return []
        figure = plotille.Figure()
        figure.width, figure.height = width - _AXIS_COLUMNS, height - 5
        figure.color_mode = "byte"
        figure.x_label, figure.y_label = "steps", "nats"
        figure.register_label_formatter(float, _label)
        figure.register_label_formatter(int, _label)
        end = max(self._started.total or 0, *(each.x[-1] for each in curves))
        figure.set_x_limits(min_=0, max_=max(end, 1))
        figure.plot(self._training.x, self._training.y, lc=_TRAINING, label="training")
        if self._validation.x:
            figure.plot(self._validation.x, self._validation.y, lc=_VALIDATION, label="validation")
        names = "\x1b[38;5;32m⠤⠤\x1b[0m training   \x1b[38;5;208m⠤⠤\x1b[0m validation"
        return [*figure.show().split(os.linesep), names]

    def _notes(self, width: int) -> list[str]:
        """Return the last evaluation and the last note."""
        validations = [
            f"validation {event.val_loss:.4f} nats at step {event.step:,}"
            f"{' · best' if event.is_best else ''}"
            for event in self._held
            if isinstance(event, Evaluated) and event.val_loss is not None
        ]
        notes = [f"note: {each.text}" for each in self._held if isinstance(each, Note)]
        return [line[:width] for line in (*validations[-1:], *notes[-1:])]

    def _sample_lines(self, width: int) -> list[str]:
        lines = [line for line in self._sample.splitlines() if line.strip()][:_SAMPLE_LINES]
        return ["it writes:", *(f"  {_plain(line)}"[:width] for line in lines)] if lines else []


class TerminalCurve:
    """Curve of fewer than `POINTS` points, each the mean of as many values.

    x: the step of the last value of each point; y: the means. every: values a point at first.
    """

    def __init__(self, every: int = 1) -> None:
        self.x: list[float] = []
        self.y: list[float] = []
        self._every, self._sum, self._count = max(every, 1), 0.0, 0

    def add(self, x: float, y: float) -> None:
        """Append a value, and halve the number of points where they become too many."""
        self._sum, self._count = self._sum + y, self._count + 1
        if self._count < self._every:
            return
        self.x.append(x)
        self.y.append(self._sum / self._count)
        self._sum, self._count = 0.0, 0
        if len(self.x) >= POINTS:
            pairs = zip(self.y[::2], self.y[1::2], strict=True)
            self.x, self.y = self.x[1::2], [(a + b) / 2 for a, b in pairs]
            self._every *= 2


def _label(value: float, chars: int, delta: float, left: bool = False) -> str:
    """Return the label of a tick. chars: its width; left: align it to the left."""
    text = f"{value:.4g}" if abs(value) < 1e4 else f"{value / 1e3:.4g}k"
    return text.ljust(chars) if left else text.rjust(chars)


def _plain(text: str) -> str:
    """Return a text without the characters that control a terminal."""
    return "".join(each if each.isprintable() else " " for each in text)


def _size(stream: TextIO) -> tuple[int, int]:
    try:
        size = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        return 80, 24
    return max(size.columns, 20), max(size.lines, 5)
