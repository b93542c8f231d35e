"""The budget of a run, steps or time: when it ends, evaluates and saves.

A run by time does not know its number of steps. Its budget records durations, and reserves the
cost of the end: scoring, writing and a sample.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from statistics import median

from nextchar.settings.config import TrainingSettings
from nextchar.settings.fields import seconds_of
from nextchar.training.saving.checkpoint import Progress

EVALUATIONS = 20  # of a run, unless eval_every says otherwise
SAVE_SECONDS = 30.0  # at most this much is lost in a power cut
# shares of a time
ONE_EVALUATION = 0.01  # scoring once; if it takes three times as long, the end is still on time
EVALUATING = 0.06  # all evaluations but the last
SAVING = 0.02  # checkpoints between evaluations
FEWEST = 8193  # characters worth scoring: their four lanes take no longer than two would
RECENT = 5  # steps whose median predicts the next one: a single slow step does not count
KNOWN_SECONDS, KNOWN_SHARE = 2.0, 0.05  # after the lesser of these the speed is known


class StepBudget:
    """The budget of a run that ends after `total` steps. epoch: steps of one pass over the text."""

    seconds: float | None = None

    def __init__(self, settings: TrainingSettings, epoch: int) -> None:
        self._every, self._epoch = settings.eval_every, epoch
        if settings.epochs is not None:
            self.total = max(1, math.ceil(settings.epochs * epoch))
        else:
            assert settings.steps is not None
            self.total = settings.steps

    def timed(self, name: str) -> AbstractContextManager[None]:
        """Context that a `TimeBudget` times; durations do not matter here."""
        return nullcontext()

    def fraction(self, progress: Progress, ahead: int = 0) -> float:
        """Return the fraction of the run that will be done some steps ahead, 0 to 1."""
        return min((progress.step + ahead) / self.total, 1.0)

    def is_over(self, progress: Progress) -> bool:
        """Return whether the last step has been taken."""
        return progress.step >= self.total

    def evaluation_is_due(self, progress: Progress) -> bool:
        """Return whether an evaluation follows the step that was just taken."""
        step, total = progress.step, self.total
        if progress.done:
            return True
        if self._every:
            return step % self._every == 0
        if self._epoch * EVALUATIONS >= total and step % self._epoch == 0:
            return True
        return int((step - 1) / total * EVALUATIONS) < int(step / total * EVALUATIONS)

    def save_is_due(self, since: float) -> bool:
        """Return whether a checkpoint is due. since: seconds since the last one."""
        return since > SAVE_SECONDS

    def expectation(self, progress: Progress) -> str | None:
        """Return a note on the expected number of steps: None, it is known."""
        return None


class TimeBudget:
    """The budget of a run that ends on time, with the methods of `StepBudget`.

    clock: measures durations only; the time that has passed is in the progress.
    """

    total: int | None = None

    def __init__(
        self, settings: TrainingSettings, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        assert settings.time is not None
        self._clock = clock
        self.seconds: float = seconds_of(settings.time)
        self._time, self._every = settings.time, settings.eval_every
        self._recent: deque[float] = deque(maxlen=RECENT)
        self._costs: dict[str, float] = {}  # seconds of each task that the end repeats
        self._step = self._final_cost = 0.0  # expected seconds of the next step and of the end
        self._steps, self._stepping = 0, 0.0  # steps of this process, and their seconds
        self._has_expected = False

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Context whose duration is recorded."""
        began = self._clock()
        yield
        self.record(name, self._clock() - began)

    def record(self, name: str, seconds: float) -> None:
        """Record the duration of a step, or of a task that the end of the run will repeat.

        A "dry run" is a step whose result is discarded, before the first one.
        """
        if name in {"step", "dry run"}:
            self._recent.append(seconds)
            self._step = median(self._recent)
        else:
            self._costs[name] = seconds
            self._final_cost = sum(self._costs.values())
        if name == "step":
            self._steps, self._stepping = self._steps + 1, self._stepping + seconds

    def choose_characters(self, scored: int, length: int, chosen: int | None = None) -> int:
        """Return how many of `length` characters evaluations score, by the time of scoring.

        scored: characters that were scored in that time. chosen: overrides the affordable number.
        """
        seconds = self._costs["scoring"]
        affordable = int(scored * ONE_EVALUATION * self.seconds / max(seconds, 1e-9))
        characters = min(chosen or max(affordable // 1000 * 1000, FEWEST), length)
        self.record("scoring", seconds * characters / scored)
        return characters

    def fraction(self, progress: Progress, ahead: int = 0) -> float:
        """Return the fraction of the time for steps that will have passed some steps ahead."""
        return min((progress.seconds + ahead * self._step) / self._span(), 1.0)

    def is_over(self, progress: Progress) -> bool:
        """Return whether the run ends closer to its time without another step than with it."""
        return progress.step > 0 and self._left(progress) <= self._step / 2

    def evaluation_is_due(self, progress: Progress) -> bool:
        """Return whether an evaluation is affordable now, and not just before the last one."""
        if progress.done:
            return True
        left, cost = self._left(progress), self._final_cost
        if self._every:
            return progress.step % self._every == 0 and left > cost
        interval = self._span() / (1 + self._affordable_evaluations())
        return progress.seconds - progress.since_seconds >= interval and left >= interval / 2

    def save_is_due(self, since: float) -> bool:
        """Return whether a checkpoint is due and affordable. since: seconds since the last one."""
        return since > max(SAVE_SECONDS, self._costs["checkpoint"] / SAVING)

    def expectation(self, progress: Progress) -> str | None:
        """Return a note on the expected number of steps, once, when the speed is known."""
        if self._has_expected or self._stepping < min(KNOWN_SECONDS, KNOWN_SHARE * self.seconds):
            return None
        self._has_expected = True
        rest = 1 - self.fraction(progress)
        evaluating = self._affordable_evaluations() * self._final_cost * rest
        more = max(self._left(progress) - evaluating, 0.0) * self._steps / self._stepping
        steps = _rounded(self._steps + more)
        if progress.step > self._steps:  # some were taken before a resume
            return f"about {steps} more steps fit into the rest of {self._time}"
        return f"about {steps} steps fit into {self._time}"

    def _span(self) -> float:
        return max(self.seconds - self._final_cost, 1e-9)

    def _left(self, progress: Progress) -> float:
        return self.seconds - self._final_cost - progress.seconds

    def _affordable_evaluations(self) -> int:
        """Return the number of evaluations that the run can afford before the last one."""
        affordable = EVALUATING * self.seconds / max(self._final_cost, 1e-9)
        return int(min(affordable, EVALUATIONS - 1))


Budget = StepBudget | TimeBudget


def make_budget(settings: TrainingSettings, epoch: int, clock: Callable[[], float]) -> Budget:
    """Return the budget of the settings; `epoch` is the steps of one pass over the text."""
    return StepBudget(settings, epoch) if settings.time is None else TimeBudget(settings, clock)


def _rounded(number: float) -> str:
    """2345 → 2,300; numbers below a hundred are exact."""
    digits = max(len(str(int(number))) - 2, 0)
    return f"{int(round(number, -digits)):,}"
