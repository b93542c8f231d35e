"""When a run ends, evaluates and saves: after a number of steps, or on time.

A run by time does not know its number of steps. Its pace notes how long things take, and keeps
back from the budget what the end will take: scoring, writing and a sample.
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

EVALUATIONS = 20  # of a run, where eval_every does not say otherwise
SAVE_SECONDS = 30.0  # at most this much is lost to a power cut
# shares of a time
ONE_EVALUATION = 0.01  # scoring once; should it take three times as long, the end is still on time
EVALUATING = 0.06  # all evaluations but the last
SAVING = 0.02  # checkpoints between evaluations
FEWEST = 8193  # characters worth scoring: these four lanes take no longer than two would
RECENT = 5  # steps whose median is the duration of the next: one that stalled says nothing
KNOWN_SECONDS, KNOWN_SHARE = 2.0, 0.05  # after the lesser of these the speed is known


class StepBudget:
    """The pace of a run that ends after `total` steps.

    epoch: steps of one pass over the text.
    """

    budget: float | None = None

    def __init__(self, settings: TrainingSettings, epoch: int) -> None:
        self._every, self._epoch = settings.eval_every, epoch
        if settings.epochs is not None:
            self.total = max(1, math.ceil(settings.epochs * epoch))
        else:
            assert settings.steps is not None
            self.total = settings.steps

    def timed(self, what: str) -> AbstractContextManager[None]:
        """How long things take does not matter here."""
        return nullcontext()

    def fraction(self, progress: Progress) -> float:
        """How much of the run is done, 0 to 1."""
        return min(progress.step / self.total, 1.0)

    def ahead(self, progress: Progress) -> float:
        """How much of the run will be done after the next step."""
        return min((progress.step + 1) / self.total, 1.0)

    def is_over(self, progress: Progress) -> bool:
        """Whether no step is to follow."""
        return progress.step >= self.total

    def evaluation_is_due(self, progress: Progress) -> bool:
        """Whether an evaluation follows the step that was just taken."""
        step, total = progress.step, self.total
        if progress.done:
            return True
        if self._every:
            return step % self._every == 0
        if self._epoch * EVALUATIONS >= total and step % self._epoch == 0:
            return True
        return int((step - 1) / total * EVALUATIONS) < int(step / total * EVALUATIONS)

    def save_is_due(self, since: float) -> bool:
        """Whether to write a checkpoint; `since` is seconds since the last one."""
        return since > SAVE_SECONDS

    def expectation(self, progress: Progress) -> str | None:
        """What to say of the number of steps: nothing, it is known."""
        return None


class TimeBudget:
    """The pace of a run that ends on time. Its questions are those of `StepBudget`.

    clock: only measures how long things take; how late it is, the progress says.
    """

    total: int | None = None

    def __init__(
        self, settings: TrainingSettings, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        assert settings.time is not None
        self._clock = clock
        self.budget: float = seconds_of(settings.time)
        self._asked, self._every = settings.time, settings.eval_every
        self._recent: deque[float] = deque(maxlen=RECENT)
        self._costs: dict[str, float] = {}  # seconds of each of the things that the end repeats
        self._step = self._closing = 0.0  # what the next step and the end are expected to take
        self._steps, self._stepping = 0, 0.0  # steps of this process, and what they took
        self._told = False

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        """Note how long what is done within took, as `took` does."""
        began = self._clock()
        yield
        self.took(what, self._clock() - began)

    def took(self, what: str, seconds: float) -> None:
        """Note how long a step took, or one of the things that the end of the run will repeat.

        A "rehearsal" is a step whose result is thrown away, before the first one.
        """
        if what in {"step", "rehearsal"}:
            self._recent.append(seconds)
            self._step = median(self._recent)
        else:
            self._costs[what] = seconds
            self._closing = sum(self._costs.values())
        if what == "step":
            self._steps, self._stepping = self._steps + 1, self._stepping + seconds

    def choose_characters(self, scored: int, length: int, chosen: int | None = None) -> int:
        """How many of `length` characters evaluations score, where scoring took what it did.

        scored: how many characters took so long. chosen: takes the place of what is affordable.
        """
        seconds = self._costs["scoring"]
        affordable = int(scored * ONE_EVALUATION * self.budget / max(seconds, 1e-9))
        characters = min(chosen or max(affordable // 1000 * 1000, FEWEST), length)
        self.took("scoring", seconds * characters / scored)
        return characters

    def fraction(self, progress: Progress) -> float:
        """How much of the time for steps is gone."""
        return min(progress.seconds / self._span(), 1.0)

    def ahead(self, progress: Progress) -> float:
        """How much of it will be gone after the next step."""
        return min((progress.seconds + self._step) / self._span(), 1.0)

    def is_over(self, progress: Progress) -> bool:
        """Whether the end is nearer to the time asked for without another step than with it."""
        return progress.step > 0 and self._left(progress) <= self._step / 2

    def evaluation_is_due(self, progress: Progress) -> bool:
        """Whether an evaluation fits in here, neither too dear nor just before the last one."""
        if progress.done:
            return True
        left, cost = self._left(progress), self._closing
        if self._every:
            return progress.step % self._every == 0 and left > cost
        interval = self._span() / (1 + self._between())
        return progress.seconds - progress.since_seconds >= interval and left >= interval / 2

    def save_is_due(self, since: float) -> bool:
        """Whether a checkpoint is due, and not too dear."""
        return since > max(SAVE_SECONDS, self._costs["checkpoint"] / SAVING)

    def expectation(self, progress: Progress) -> str | None:
        """How many steps will fit, in one line; said once, when it is known."""
        if self._told or self._stepping < min(KNOWN_SECONDS, KNOWN_SHARE * self.budget):
            return None
        self._told = True
        evaluating = self._between() * self._closing * (1 - self.fraction(progress))
        more = max(self._left(progress) - evaluating, 0.0) * self._steps / self._stepping
        steps = _rounded(self._steps + more)
        if progress.step > self._steps:  # some were taken before a resume
            return f"about {steps} more steps fit into what is left of {self._asked}"
        return f"about {steps} steps fit into {self._asked}"

    def _span(self) -> float:
        """Seconds that are there for all before the end."""
        return max(self.budget - self._closing, 1e-9)

    def _left(self, progress: Progress) -> float:
        return self.budget - self._closing - progress.seconds

    def _between(self) -> int:
        """Evaluations that the run can afford beside the last one."""
        most = EVALUATIONS - 1
        return int(min(EVALUATING * self.budget / max(self._closing, 1e-9), most))


Pace = StepBudget | TimeBudget


def make_budget(settings: TrainingSettings, epoch: int, clock: Callable[[], float]) -> Pace:
    """The pace that the settings ask for; `epoch` is the steps of one pass over the text."""
    return StepBudget(settings, epoch) if settings.time is None else TimeBudget(settings, clock)


def _rounded(number: float) -> str:
    """2345 → 2,300; below a hundred every step is told."""
    digits = max(len(str(int(number))) - 2, 0)
    return f"{int(round(number, -digits)):,}"
