"""Progress of a run on the console: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from typing import TYPE_CHECKING, Any, TextIO

from nextchar.formatting.quantities import duration, megabytes, rough_duration, short_number
from nextchar.formatting.units import to_bits
from nextchar.training import events

if TYPE_CHECKING:
    from tqdm import tqdm

LINE_SECONDS = 10.0  # between plain lines
DRAW_SECONDS = 0.1  # between two drawings of the bar


@cache
def bar_class() -> type[tqdm[Any]]:
    """A tqdm that releases its lock if drawing fails, so that bars of other threads do not hang."""
    from tqdm import tqdm

    class Bar(tqdm):  # type: ignore[type-arg]
        def refresh(self, nolock: bool = False, lock_args: Any = None) -> None:
            with nullcontext() if nolock else self.get_lock():  # type: ignore[no-untyped-call]
                super().refresh(nolock=True)

    return Bar


class ConsoleProgress:
    """Callback that prints the events of a run.

    stream: standard error by default. quiet: print only notes.
    Once the stream can no longer be written (`| head`, a closed terminal), nothing is printed.
    """

    def __init__(self, stream: TextIO | None = None, *, quiet: bool = False) -> None:
        self._stream = stream or sys.stderr
        self._quiet = quiet
        self._bar: tqdm[Any] | None = None
        self._started = events.Started(0, None, None)
        self._first: events.Stepped | None = None
        self._line_at = self._drawn_at = time.monotonic()
        self._is_lost = False

    def __call__(self, event: events.Event) -> None:
        """Print an event."""
        if not self._is_lost:
            with self._ending_on_error():
                self._show(event)

    @contextmanager
    def _ending_on_error(self) -> Iterator[None]:
        """Stop all output after an error of the stream; the run continues."""
        try:
            yield
        except OSError:
            self._is_lost, self._bar = True, None

    def _show(self, event: events.Event) -> None:
        match event:
            case events.Note() if not (self._quiet and event.is_by_the_way):
                self._line(f"note: {event.text}")
            case _ if self._quiet:
                return
            case events.Encoding():
                self._encode(event)
            case events.Started():
                self.close()  # removes the bar of the encoding
                self._start(event)
            case events.Stepped():
                self._step(event)
            case events.Evaluated():
                self._line(self._evaluation(event))
            case events.Sampled():
                self._line(f"─── step {event.step} writes ───\n{event.text}\n───")
            case events.Finished():
                self.close()
                self._line(_summary(event))
            case events.Scored():
                self._line(_test(event))

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            with self._ending_on_error():
                self._bar.close()
            self._bar = None

    def _encode(self, event: events.Encoding) -> None:
        done = megabytes(event.done, 0)
        if self._stream.isatty():
            if self._bar is not None and event.done < self._bar.n:  # another text begins
                self.close()
            if self._bar is None:
                self._bar = bar_class()(
                    desc="encoding the text", initial=event.done, total=event.total,
                    unit="B", unit_scale=True, file=self._stream, dynamic_ncols=True, leave=False,
                )  # fmt: skip
            self._bar.update(event.done - self._bar.n)
        elif time.monotonic() - self._line_at > LINE_SECONDS:
            of = f" of {megabytes(event.total, 0)}" if event.total else ""
            self._line(f"encoding the text: {done}{of}")

    def _start(self, event: events.Started) -> None:
        self._started = event
        if not self._stream.isatty():
            return
        self._bar = bar_class()(
            total=1.0, bar_format="{percentage:3.0f}% {bar} {desc}",
            file=self._stream, dynamic_ncols=True, leave=False,
        )  # fmt: skip

    def _step(self, event: events.Stepped) -> None:
        self._first = self._first or event
        figures = (  # these and the bar fit into 80 columns
            f"loss {event.loss:.3f}, smoothed {event.smoothed_loss:.3f} "
            f"({to_bits(event.smoothed_loss):.2f} bits), "
            f"{short_number(self._speed(event))} char/s, "
            f"{rough_duration(self._seconds_left(event))} left"
        )
        if self._bar is not None:
            self._draw(self._bar, event.fraction, figures)
        elif time.monotonic() - self._line_at > LINE_SECONDS:
            self._line(f"step {event.step}{self._of_total()} · {figures}")

    def _draw(self, bar: tqdm[Any], fraction: float, figures: str) -> None:
        """Draw the bar now and then; by tqdm's wall clock it would stop when that is set back."""
        bar.n = fraction
        bar.set_description_str(figures, refresh=False)
        if time.monotonic() - self._drawn_at >= DRAW_SECONDS:
            bar.refresh()
            self._drawn_at = time.monotonic()

    def _speed(self, event: events.Stepped) -> float:
        first = self._first or event
        return (event.characters - first.characters) / max(event.seconds - first.seconds, 1e-9)

    def _seconds_left(self, event: events.Stepped) -> float:
        """Estimate the seconds left: of the run's time, or at the speed of this process so far."""
        if self._started.seconds is not None:
            return max(self._started.seconds - event.seconds, 0.0)
        first = self._first or event
        done = event.fraction - first.fraction
        if done <= 0:
            return 0.0
        return (1 - event.fraction) * (event.seconds - first.seconds) / done

    def _of_total(self) -> str:
        return f"/{self._started.total}" if self._started.total else ""

    def _evaluation(self, event: events.Evaluated) -> str:
        if event.val_loss is None:
            validation = "no validation"
        else:
            bits = to_bits(event.val_loss)
            validation = f"validation {event.val_loss:.4f} nats/char ({bits:.3f} bits)"
        return (
            f"step {event.step}{self._of_total()} · epoch {event.epoch:.2f} · "
            f"train {event.train_loss:.4f} · {validation}{' · best' if event.is_best else ''} · "
            f"{short_number(event.chars_per_second)} char/s"
        )

    def _line(self, text: str) -> None:
        self._line_at = time.monotonic()
        if self._bar is not None:
            self._bar.write(text, file=self._stream)
            return
        self._stream.write(text + "\n")
        self._stream.flush()


def _summary(event: events.Finished) -> str:
    text = (
        f"done: {event.step} steps, {short_number(event.characters)} characters in "
        f"{duration(event.seconds)}; best {event.best_loss:.4f} nats/char "
        f"({to_bits(event.best_loss):.3f} bits) at step {event.best_step}"
    )
    if event.directory is None:
        return text
    where = shlex.quote(str(event.directory))
    return f"{text}\nsaved in {event.directory}; generate text with: nextchar generate {where}"


def _test(event: events.Scored) -> str:
    bits = to_bits(event.loss)
    loss = f"{event.loss:.4f} nats/char ({bits:.3f} bits)"
    return f"test part: {loss}, {event.characters:,} held-out characters"
