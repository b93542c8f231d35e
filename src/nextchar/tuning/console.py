"""What a sweep shows: a line a trial, whoever ran it, and on a terminal a bar."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TextIO

from nextchar.formatting.units import to_bits
from nextchar.tuning.result import Tuned, auto_loss, changed_from_auto, count
from nextchar.tuning.study import POINTS, SweepPlan
from nextchar.tuning.worker import best_of

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial
    from tqdm import tqdm


class SweepProgress:
    """Shows a sweep on a stream, standard error by default. quiet: only notes are shown."""

    def __init__(self, stream: TextIO | None = None, *, quiet: bool = False) -> None:
        self._stream = stream or sys.stderr
        self._quiet = quiet
        self._bar: tqdm[Any] | None = None
        self._shown: set[int] = set()
        self._best: float | None = None

    def note(self, text: str, *, is_by_the_way: bool = False) -> None:
        """Show something the user should know."""
        if not (self._quiet and is_by_the_way):
            self._line(f"note: {text}")

    def begin(self, trials: Sequence[FrozenTrial]) -> None:
        """Say what was there before, if anything."""
        over = [trial for trial in trials if trial.state.is_finished()]
        self._shown = {trial.number for trial in over}
        best = best_of(over)
        self._best = best.value if best else None
        if over:
            told = f", best {best.value:.4f} nats/char (trial {best.number})" if best else ""
            self.note(f"the sweep goes on after {len(over)} trials{told}", is_by_the_way=True)

    def update(self, trials: Sequence[FrozenTrial], plan: SweepPlan, share: float) -> int:
        """Show the trials that are over since; how many. share: of the sweep that is done."""
        over = [t for t in trials if t.state.is_finished() and t.number not in self._shown]
        for trial in over:
            self._shown.add(trial.number)
            if not self._quiet:
                self._line(self._told(trial, plan))
        if not self._quiet and self._stream.isatty():
            self._draw(trials, share)
        return len(over)

    def end(self, tuned: Tuned) -> None:
        """Say what it came to."""
        self.close()
        if self._quiet:
            return
        where = shlex.quote(str(tuned.directory))
        auto = f"; the preset auto: {tuned.auto_loss:.4f}" if tuned.auto_loss else ""
        self._line(
            f"done: {tuned.complete + tuned.pruned} trials, {tuned.pruned} of them pruned; best "
            f"{tuned.loss:.4f} nats/char ({to_bits(tuned.loss):.3f} bits), trial "
            f"{tuned.trial}{auto}"
        )
        self._line(f"kept in {tuned.directory}; write with: nextchar generate {where}")
        if "://" not in tuned.storage:
            self._line(f"see its trials with: optuna-dashboard {shlex.quote(tuned.storage)}")

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            with suppress(OSError):
                self._bar.close()
            self._bar = None

    def _told(self, trial: FrozenTrial, plan: SweepPlan) -> str:
        what = changed_from_auto(plan, trial.params)
        state = trial.state.name
        if state == "COMPLETE":
            assert trial.value is not None
            is_best = self._best is None or trial.value < self._best
            self._best = trial.value if is_best else self._best
            how = f"{trial.value:.4f} nats/char{', best so far' if is_best else ''}"
        elif state == "PRUNED" and trial.value is not None:
            done = f"{100 * (trial.last_step or 0) // POINTS} %"
            how = f"pruned at {done} ({trial.value:.4f} nats/char)"
        elif state == "PRUNED":
            how = f"cannot be trained ({trial.user_attrs.get('why')})"
        else:
            how = "not finished"
        return f"trial {trial.number}: {how} · {what}"

    def _draw(self, trials: Sequence[FrozenTrial], share: float) -> None:
        if self._bar is None:
            from tqdm import tqdm

            self._bar = tqdm(
                total=1.0,
                file=self._stream,
                dynamic_ncols=True,
                leave=False,
                bar_format="{percentage:3.0f}% {bar} {desc}",
            )
        self._bar.n = min(share, 1.0)
        self._bar.set_description_str(self._figures(trials))

    def _figures(self, trials: Sequence[FrozenTrial]) -> str:
        counted = count(trials)
        running = [trial for trial in trials if trial.state.name == "RUNNING"]
        losses = [t.intermediate_values[t.last_step] for t in running if t.last_step]
        now = f" at {', '.join(f'{loss:.3f}' for loss in losses)}" if losses else ""
        best = f"best {self._best:.4f}" if self._best is not None else "none whole yet"
        auto = auto_loss(trials)
        told = f", auto {auto:.4f}" if auto else ""
        over = counted["complete"] + counted["pruned"]
        return f"{over} trials, {best}{told}; {len(running)} running{now}"

    def _line(self, text: str) -> None:
        with suppress(OSError):  # nobody reads it any more: the sweep goes on
            if self._bar is not None:
                self._bar.write(text, file=self._stream)
            else:
                self._stream.write(text + "\n")
                self._stream.flush()
