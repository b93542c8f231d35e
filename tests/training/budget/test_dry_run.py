"""The dry run before a run by time: tasks of its end, first compiled and then timed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from nextchar.settings.config import TrainingSettings
from nextchar.training.budget.budget import FEWEST, TimeBudget
from nextchar.training.budget.dry_run import FinalTasks, measure_final_costs
from nextchar.training.saving.checkpoint import Progress


class Stage:
    """A clock, and tasks of a second each; the first of a kind is compiled, for a minute."""

    def __init__(self, time: str = "100s") -> None:
        self.now = 0.0
        self.done: list[str] = []
        self.budget = TimeBudget(TrainingSettings(steps=None, time=time), lambda: self.now)

    def act(self, name: str, *, compiled: bool = True) -> Callable[..., None]:
        def do(*args: object) -> None:
            self.now += 1.0 if compiled or name in self.done else 60.0
            self.done.append(name)

        return do

    def measure_final_costs(
        self, *, length: int = 10**6, chosen: int | None = None, samples: int = 0
    ) -> int:
        tasks = FinalTasks(
            step=self.act("step"),
            write=self.act("write"),
            sample=self.act("sample", compiled=False) if samples else None,
            score=self.act("score", compiled=False),
        )
        return measure_final_costs(self.budget, tasks, length, chosen)

    def kept_back(self) -> float:
        """Seconds that the budget reserves for the end."""
        seconds = (n / 4 for n in range(401))
        over = next(s for s in seconds if self.budget.is_over(Progress(step=1, seconds=s)))
        return 100 - over - 0.5  # half a step


def test_compiling_is_not_measured() -> None:
    stage = Stage()
    assert stage.measure_final_costs(length=FEWEST, samples=1) == FEWEST
    assert stage.done == ["step", "write", "write", "sample", "sample", "score", "score"]
    assert stage.kept_back() == pytest.approx(4.0)  # checkpoint, models, sample, scoring


def test_no_sample_is_drawn_where_the_run_shows_none() -> None:
    stage = Stage()
    stage.measure_final_costs(length=FEWEST)
    assert "sample" not in stage.done
    assert stage.kept_back() == pytest.approx(3.0)


@pytest.mark.parametrize("length", [0, 1])
def test_nothing_is_scored_where_there_is_no_validation_part(length: int) -> None:
    stage = Stage()
    assert stage.measure_final_costs(length=length) == length
    assert "score" not in stage.done


def test_what_was_chosen_before_a_resume_is_scored_again_and_kept_time_for() -> None:
    stage = Stage()
    assert stage.measure_final_costs(chosen=10 * FEWEST) == 10 * FEWEST
    assert stage.kept_back() == pytest.approx(12.0)


def test_as_many_characters_are_scored_as_the_time_allows() -> None:
    # in 2.5 of 250 seconds, when 8,193 take one
    assert Stage("250s").measure_final_costs() == 20_000
