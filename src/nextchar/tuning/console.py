"""Progress of a sweep: a line per trial of any machine, and a progress bar on a terminal."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TextIO

from nextchar.callbacks.progress import bar_class
from nextchar.formatting.units import to_bits
from nextchar.tuning.result import Tuned, auto_loss, changed_from_auto, count_trials
from nextchar.tuning.study import POINTS, SweepPlan
from nextchar.tuning.worker import best_of

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial
    from tqdm import tqdm


class SweepProgress:
    """Shows a sweep on a stream, standard error by default. quiet: show only notes."""

    def __init__(self, stream: TextIO | None = None, *, quiet: bool = False) -> None:
        self._stream = stream or sys.stderr
        self._quiet = quiet
        self._bar: tqdm[Any] | None = None
        self._shown: set[int] = set()
        self._best: float | None = None

    def note(self, text: str, *, is_by_the_way: bool = False) -> None:
        """Show a note to the user."""
        if not (self._quiet and is_by_the_way):
            self._line(f"note: {text}")

    def begin(self, trials: Sequence[FrozenTrial]) -> None:
        """Show earlier trials of the study, if any."""
        finished = [trial for trial in trials if trial.state.is_finished()]
        self._shown = {trial.number for trial in finished}
        best = best_of(finished)
        self._best = best.value if best else None
        if finished:
            result = f", best {best.value:.4f} nats/char (trial {best.number})" if best else ""
            number = len(finished)
            self.note(f"the sweep continues after {number} trials{result}", is_by_the_way=True)

    def update(self, trials: Sequence[FrozenTrial], plan: SweepPlan, fraction: float) -> int:
        """Show trials that ended since the last call and return their number.

        fraction: of the sweep that is done.
        """
        finished = [t for t in trials if t.state.is_finished() and t.number not in self._shown]
        for trial in finished:
            self._shown.add(trial.number)
            if not self._quiet:
                self._line(self._describe(trial, plan))
        if not self._quiet and self._stream.isatty():
            self._draw(trials, fraction)
        return len(finished)

    def end(self, tuned: Tuned) -> None:
        """Show the result."""
        self.close()
        if self._quiet:
            return
        directory = shlex.quote(str(tuned.directory))
        auto = f"; the preset auto: {tuned.auto_loss:.4f}" if tuned.auto_loss else ""
        self._line(
            f"done: {tuned.complete + tuned.pruned} trials, {tuned.pruned} of them pruned; best "
            f"{tuned.loss:.4f} nats/char ({to_bits(tuned.loss):.3f} bits), trial "
            f"{tuned.trial}{auto}"
        )
        self._line(f"saved in {tuned.directory}; generate text with: nextchar generate {directory}")
        if "://" not in tuned.storage:
            self._line(f"view the trials with: optuna-dashboard {shlex.quote(tuned.storage)}")

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            with suppress(OSError):
                self._bar.close()
            self._bar = None

    def _describe(self, trial: FrozenTrial, plan: SweepPlan) -> str:
        params = changed_from_auto(plan, trial.params)
        state = trial.state.name
        if state == "COMPLETE":
            assert trial.value is not None
            is_best = self._best is None or trial.value < self._best
            self._best = trial.value if is_best else self._best
            result = f"{trial.value:.4f} nats/char{', best so far' if is_best else ''}"
        elif state == "PRUNED" and trial.value is not None:
            done = f"{100 * (trial.last_step or 0) // POINTS} %"
            result = f"pruned at {done} ({trial.value:.4f} nats/char)"
        elif state == "PRUNED":
            result = f"cannot be trained ({trial.user_attrs.get('why')})"
        else:
            result = "not finished"
        return f"trial {trial.number}: {result} · {params}"

    def _draw(self, trials: Sequence[FrozenTrial], fraction: float) -> None:
        if self._bar is None:
            layout = "{percentage:3.0f}% {bar} {desc}"
            self._bar = bar_class()(
                total=1.0, file=self._stream, dynamic_ncols=True, leave=False, bar_format=layout
            )
        self._bar.n = min(fraction, 1.0)
        self._bar.set_description_str(self._figures(trials))

    def _figures(self, trials: Sequence[FrozenTrial]) -> str:
        running = [trial for trial in trials if trial.state.name == "RUNNING"]
        losses = [t.intermediate_values[t.last_step] for t in running if t.last_step]
        now = f" at {', '.join(f'{loss:.3f}' for loss in losses)}" if losses else ""
        best = f"best {self._best:.4f}" if self._best is not None else "none complete yet"
        loss = auto_loss(trials)
        auto = f", auto {loss:.4f}" if loss else ""
        number = count_trials(trials).finished
        return f"{number} trials, {best}{auto}; {len(running)} running{now}"

    def _line(self, text: str) -> None:
        with suppress(OSError):  # the reader is gone; the sweep continues
            if self._bar is not None:
                self._bar.write(text, file=self._stream)
            else:
                self._stream.write(text + "\n")
                self._stream.flush()
