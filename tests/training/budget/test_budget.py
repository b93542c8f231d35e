"""Runs that end on time, on a clock that only the test's engine and disk advance."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from conftest import PROSE
from nextchar.errors import InterruptedRun
from nextchar.kernels.engine import Gradient, StepResult
from nextchar.model.file import Model
from nextchar.model.parameters import Parameters
from nextchar.model.scorer import Score
from nextchar.settings.config import Settings, TrainingSettings
from nextchar.text.batches import ALL, Batch, Share, make_batches
from nextchar.text.corpus import prepare, text_corpus
from nextchar.training import trainer
from nextchar.training.budget.budget import FEWEST, SAVE_SECONDS, StepBudget, TimeBudget, _rounded
from nextchar.training.events import Evaluated, Event, Finished, Note, Sampled, Started, Stepped
from nextchar.training.run_context import Hooks, RunContext
from nextchar.training.saving.checkpoint import Progress, load_checkpoint
from nextchar.training.saving.run_directory import RunDirectory
from nextchar.training.session import initial_checkpoint
from nextchar.training.trainer import Trainer

TEXT = PROSE * 1200  # 205,200 characters, 20,520 of them to validate on
SETTINGS: dict[str, Any] = {
    "hidden_size": 4, "num_layers": 1, "seq_length": 8, "batch_size": 4, "threads": 1,
}  # fmt: skip
ON_TIME = 0.03  # of the setting
TEXT_PARTS = prepare(text_corpus(TEXT, Settings.make().text), Settings.make(**SETTINGS))


@dataclass
class Machine:
    """An engine and a disk with a simulated clock, which compute next to nothing.

    step, scoring, writing, sampling: seconds of a step, of scoring a character, of writing a
    file and of a sample; slowness: their factor at a given time.
    spent: seconds by task.
    """

    step: float = 0.1
    scoring: float = 1e-5
    writing: float = 0.0
    sampling: float = 0.0
    slowness: Callable[[float], float] = lambda now: 1.0
    now: float = 1000.0
    started: float = 0.0
    spent: dict[str, float] = field(default_factory=dict)
    scored: list[int] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)

    def clock(self) -> float:
        return self.now

    def take(self, what: str, seconds: float) -> None:
        seconds *= self.slowness(self.now - self.started)
        self.spent[what] = self.spent.get(what, 0.0) + seconds
        self.now += seconds

    def loss_and_gradient(
        self, parameters: Parameters, batch: Batch, state: Any, **how: Any
    ) -> StepResult:
        self.take("steps", self.step)
        return StepResult(2.0, state, Gradient(np.zeros(1), 0.0))

    def update(
        self, parameters: Parameters, slots: Any, gradient: Any, *, learning_rate: float, **_: Any
    ) -> None:
        """Nothing moves."""
        self.rates.append(learning_rate)

    def score(self, parameters: Parameters, codes: Any, *, share: Share = ALL) -> Score:
        self.scored.append(len(codes))
        self.take("scoring", self.scoring * len(codes))
        return Score(len(codes) - 1, 2.0 * len(codes), 0)

    def make_sample(self, model: Model, step: int) -> str:
        self.take("sampling", self.sampling)
        return "text"

    def start(self) -> None:
        """Forget everything before the run."""
        self.started = self.now
        self.spent.clear()
        self.scored.clear()
        self.rates.clear()


@dataclass
class Run:
    """Events of a run; `seconds`: from its start to its end by the machine's clock."""

    events: list[Event]
    seconds: float

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def notes(self) -> list[str]:
        return [note.text for note in self.of(Note)]


def run(
    machine: Machine,
    time: str,
    *,
    out: Path | None = None,
    stop_at: float | None = None,
    resume: bool = False,
    **given: Any,
) -> Run:
    """Run on a machine. stop_at: seconds after which it is interrupted."""
    settings = Settings.make(**{**SETTINGS, "time": time, **given})
    batches = make_batches(TEXT_PARTS.train, settings.training)
    events: list[Event] = []

    def on_event(event: Event) -> None:
        if isinstance(event, Started):
            machine.start()
        events.append(event)

    directory = None
    start = initial_checkpoint(TEXT_PARTS, batches, settings)
    if out is not None:
        directory = RunDirectory(out)
        if resume:
            start = load_checkpoint(directory.checkpoint, start)
    hooks = Hooks(
        on_event,
        lambda: stop_at is not None and machine.now - machine.started >= stop_at,
        machine.make_sample,
    )
    run = Trainer(
        TEXT_PARTS,
        batches,
        settings,
        cast(Any, machine),
        start,
        context=RunContext(hooks, directory),
        clock=machine.clock,
    )
    try:
        with suppress(InterruptedRun):
            run.fit()
    finally:
        if directory:
            directory.close()
    return Run(events, machine.now - machine.started)


@pytest.fixture
def slow_disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[Machine], None]:
    """Make writing a file take a machine's time."""

    def install(machine: Machine) -> None:
        write, model = trainer.save_checkpoint, RunDirectory.save_model

        def slow_write(*args: Any) -> None:
            machine.take("writing", machine.writing)
            write(*args)

        def slow_model(*args: Any) -> None:
            machine.take("writing", machine.writing)
            model(*args)

        monkeypatch.setattr(trainer, "save_checkpoint", slow_write)
        monkeypatch.setattr(RunDirectory, "save_model", slow_model)

    return install


def slower_from(when: float, times: float = 3.0) -> Callable[[float], float]:
    return lambda now: times if now >= when else 1.0


def assert_on_time(result: Run, asked: float) -> None:
    assert result.seconds == pytest.approx(asked, rel=ON_TIME)
    (finished,) = result.of(Finished)
    assert finished.seconds == pytest.approx(result.seconds)


# the end


@pytest.mark.parametrize("time", [6, 30, 300])
def test_a_run_at_constant_speed_ends_on_time(time: int) -> None:
    assert_on_time(run(Machine(), f"{time}s"), time)


@pytest.mark.parametrize("times", [3.0, 1 / 3])
@pytest.mark.parametrize("time", [6, 60])
def test_a_machine_that_changes_its_speed_half_way_ends_on_time(time: int, times: float) -> None:
    machine = Machine(step=0.02, slowness=slower_from(time / 2, times))
    assert_on_time(run(machine, f"{time}s"), time)


def test_a_machine_that_slows_down_after_the_last_evaluation_but_one_ends_on_time() -> None:
    machine = Machine(step=0.02, scoring=4e-5, slowness=slower_from(20))
    result = run(machine, "20s", eval_every=900)
    assert_on_time(result, 20)
    assert len(result.of(Evaluated)) == 2


def test_time_for_a_long_last_evaluation_is_kept_from_the_beginning() -> None:
    machine = Machine(scoring=2 / FEWEST)  # even the fewest characters take two seconds
    result = run(machine, "20s")
    assert_on_time(result, 20)
    assert len(result.of(Evaluated)) == 1


def test_an_evaluation_that_is_longer_than_expected_is_the_last() -> None:
    machine = Machine(slowness=lambda now: 1.0)
    score = machine.score

    def slow_score(parameters: Parameters, codes: Any, *, share: Share = ALL) -> Score:
        if machine.now - machine.started > 1:
            machine.take("scoring", 6.0)
        return score(parameters, codes)

    machine.score = slow_score  # type: ignore[method-assign]
    result = run(machine, "20s", eval_every=80)  # due at 8 and 16 seconds
    assert result.of(Evaluated)[-1].step == result.of(Stepped)[-1].step
    assert_on_time(result, 20)


def test_time_for_writing_is_kept_before_anything_was_evaluated(
    tmp_path: Path, slow_disk: Callable[[Machine], None]
) -> None:
    machine = Machine(step=0.05, writing=0.5)
    slow_disk(machine)
    result = run(machine, "20s", out=tmp_path / "run")
    assert_on_time(result, 20)


def test_time_for_the_sample_at_the_end_is_kept() -> None:
    result = run(Machine(sampling=2.0), "20s", sample_every=1000)
    assert len(result.of(Sampled)) == 1
    assert_on_time(result, 20)


def test_the_shortest_time_takes_one_step_and_evaluates_it() -> None:
    result = run(Machine(), "0.001s")
    assert len(result.of(Stepped)) == len(result.of(Evaluated)) == 1


@pytest.mark.parametrize(("step", "steps"), [(2.4, 4), (2.6, 4), (3.0, 3), (3.8, 3), (4.2, 2)])
def test_steps_are_taken_as_long_as_they_bring_the_end_nearer(step: float, steps: int) -> None:
    result = run(Machine(step=step, scoring=0.0), "10s")
    assert len(result.of(Stepped)) == steps


def test_a_step_that_stalled_is_not_expected_again() -> None:
    machine = Machine(slowness=lambda now: 20.0 if 18.2 <= now < 18.3 else 1.0)
    assert_on_time(run(machine, "21s"), 21)


# resume


def test_a_resumed_run_takes_the_time_that_was_left(tmp_path: Path) -> None:
    machine = Machine()
    first = run(machine, "30s", out=tmp_path / "run", stop_at=12)
    assert not first.of(Finished)
    machine.now += 1e6  # the pause does not count
    rest = run(machine, "30s", out=tmp_path / "run", resume=True)
    assert first.seconds + rest.seconds == pytest.approx(30, rel=ON_TIME)
    assert rest.of(Finished)[0].seconds == pytest.approx(30, rel=ON_TIME)


def test_time_spent_in_evaluations_counts_after_a_resume(tmp_path: Path) -> None:
    machine = Machine(scoring=1 / FEWEST)
    first = run(machine, "60s", out=tmp_path / "run", eval_every=10, stop_at=30)
    rest = run(machine, "60s", out=tmp_path / "run", eval_every=10, resume=True)
    assert len(first.of(Evaluated)) > 10
    assert first.seconds + rest.seconds == pytest.approx(60, rel=ON_TIME)


def test_a_run_resumed_when_its_time_is_up_is_only_evaluated(tmp_path: Path) -> None:
    machine = Machine()
    first = run(machine, "60s", out=tmp_path / "run", stop_at=20, eval_every=150)
    assert [record.step for record in first.of(Evaluated)] == [150]
    rest = run(machine, "10s", out=tmp_path / "run", resume=True)
    assert not rest.of(Stepped)
    assert [record.step for record in rest.of(Evaluated)] == [first.of(Stepped)[-1].step]
    again = run(machine, "10s", out=tmp_path / "run", resume=True)
    assert [type(event) for event in again.events] == [Started, Finished]


# the learning rate


def rates(machine: Machine, time: str, **given: Any) -> Any:
    """The learning rate of each step of a run."""
    run(machine, time, learning_rate=1.0, **given)
    return np.array(machine.rates)


@pytest.mark.parametrize("slowness", [lambda now: 1.0, slower_from(15)])
@pytest.mark.parametrize("schedule", ["cosine", "linear"])
def test_the_learning_rate_has_fallen_to_nearly_zero_at_the_end(
    schedule: str, slowness: Callable[[float], float]
) -> None:
    result = rates(Machine(slowness=slowness), "30s", schedule=schedule)
    assert result[-1] < 0.02
    assert result.max() > 0.7


@pytest.mark.parametrize("step", [0.01, 0.1, 1.0])
def test_warm_up_takes_a_fifth_of_a_short_run(step: float) -> None:
    machine = Machine(step=step, scoring=0.0)
    result = rates(machine, "20s", schedule="constant", warmup=10**6)
    assert np.all(np.diff(result) >= 0)
    assert np.flatnonzero(result == 1)[0] == pytest.approx(len(result) / 5, abs=1)


def test_warm_up_takes_its_steps_where_there_are_many() -> None:
    result = rates(Machine(step=0.01), "20s", schedule="constant", warmup=50)
    assert list(result[:50]) == pytest.approx([(n + 1) / 51 for n in range(50)])
    assert np.all(result[50:] == 1)


def test_the_shortest_run_does_not_warm_up() -> None:
    assert list(rates(Machine(), "0.1s")) == [1.0]


# evaluations and checkpoints


@pytest.mark.parametrize("scoring", [1e-7, 1e-5, 5e-5])
@pytest.mark.parametrize("slowness", [lambda now: 1.0, slower_from(10)])
@pytest.mark.parametrize("time", [20, 100])
def test_evaluations_take_a_tenth_of_the_time_at_most(
    time: int,
    slowness: Callable[[float], float],
    scoring: float,
    tmp_path: Path,
    slow_disk: Callable[[Machine], None],
) -> None:
    machine = Machine(scoring=scoring, writing=0.002, slowness=slowness)
    slow_disk(machine)
    result = run(machine, f"{time}s", out=tmp_path / "run")
    assert machine.spent["scoring"] + machine.spent["writing"] < 0.1 * time
    assert_on_time(result, time)
    assert result.of(Evaluated)[-1].step == result.of(Stepped)[-1].step


def test_where_they_cost_little_there_are_twenty_evaluations() -> None:
    result = run(Machine(scoring=1e-7), "60s")
    seconds = np.array([0.0, *(record.seconds for record in result.of(Evaluated))])
    assert len(seconds) == 21
    assert np.diff(seconds) == pytest.approx(np.full(20, 3.0), abs=0.2)


def test_eval_every_is_kept_to_whatever_it_costs() -> None:
    result = run(Machine(scoring=1 / FEWEST), "60s", eval_every=10)
    steps = [record.step for record in result.of(Evaluated)]
    assert steps[:-1] == [*range(10, 10 * len(steps), 10)]
    assert len(steps) > 20
    assert_on_time(result, 60)


def test_a_short_time_evaluates_on_fewer_characters_and_says_so() -> None:
    machine = Machine(scoring=1e-5)
    result = run(machine, "12.2s")
    assert set(machine.scored) == {12_000}  # a hundredth of the time
    assert "evaluations score the first 12,000 of 20,520 characters, to save time" in result.notes


def test_a_long_time_evaluates_on_all_characters() -> None:
    machine = Machine(scoring=1e-5)
    result = run(machine, "60s")
    assert set(machine.scored) == {len(TEXT_PARTS.validation)}
    assert not any("characters" in note for note in result.notes)


def test_all_evaluations_of_a_run_score_the_same_characters(tmp_path: Path) -> None:
    machine = Machine(scoring=1e-5)
    run(machine, "12.2s", out=tmp_path / "run", stop_at=3)
    machine.scoring *= 10
    run(machine, "60s", out=tmp_path / "run", resume=True)
    assert set(machine.scored) == {12_000}


def test_checkpoints_that_cost_much_are_written_less_often() -> None:
    budget = budget_of("1h")
    budget.record("checkpoint", 0.1)
    assert not budget.save_is_due(SAVE_SECONDS)
    assert budget.save_is_due(SAVE_SECONDS + 1)
    budget.record("checkpoint", 3.0)
    assert not budget.save_is_due(149)
    assert budget.save_is_due(151)


# notes


def test_how_many_steps_will_fit_is_reported_once_and_is_right() -> None:
    result = run(Machine(step=0.025), "60s")
    (note,) = result.notes
    assert note == "about 2,300 steps fit into 60s"
    assert len(result.of(Stepped)) == pytest.approx(2300, rel=0.03)
    place = result.events.index(Note(note, is_by_the_way=True))
    assert sum(isinstance(event, Stepped) for event in result.events[:place]) in {80, 81}


def test_after_a_resume_the_rest_of_the_steps_is_reported(tmp_path: Path) -> None:
    machine = Machine(step=0.025)
    run(machine, "60s", out=tmp_path / "run", stop_at=45)
    rest = run(machine, "60s", out=tmp_path / "run", resume=True)
    (note,) = rest.notes
    assert note == "about 550 more steps fit into the rest of 60s"
    assert len(rest.of(Stepped)) == pytest.approx(550, rel=0.03)


def test_a_run_by_steps_tells_no_number_of_them_and_minds_no_clock() -> None:
    machine = Machine(slowness=slower_from(1, 1000.0))
    result = run(machine, cast(Any, None), steps=40)
    assert len(result.of(Stepped)) == 40
    assert len(result.of(Evaluated)) == 20
    assert not result.notes


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0.4, "0"),
        (7.0, "7"),
        (84.2, "84"),
        (126.0, "130"),
        (2345.0, "2,300"),
        (1.26e6, "1,300,000"),
    ],
)
def test_estimates_are_reported_in_two_digits(number: float, words: str) -> None:
    assert _rounded(number) == words


# the budget itself


def budget_of(time: str) -> TimeBudget:
    return TimeBudget(TrainingSettings(steps=None, time=time))


def test_before_anything_is_known_only_the_time_counts() -> None:
    budget = budget_of("10s")
    assert budget.fraction(Progress(step=1, seconds=2.5)) == 0.25
    assert not budget.is_over(Progress(step=1, seconds=9.9))
    assert budget.is_over(Progress(step=1, seconds=10.0))


def test_the_last_cost_of_the_end_is_reserved() -> None:
    budget = budget_of("10s")
    budget.record("step", 0.2)
    budget.record("models", 0.5)
    for scoring, over in ((0.5, 8.9), (2.0, 7.4)):
        budget.record("scoring", scoring)
        assert budget.is_over(Progress(step=1, seconds=over))
        assert not budget.is_over(Progress(step=1, seconds=over - 0.1))


def test_a_run_without_a_step_is_not_over() -> None:
    assert not budget_of("1s").is_over(Progress(seconds=100.0))


def test_what_takes_longer_than_the_whole_time_leaves_the_schedule_at_its_end() -> None:
    budget = budget_of("1s")
    budget.record("scoring", 5.0)
    assert budget.fraction(Progress(step=1, seconds=0.1)) == 1


@pytest.mark.parametrize(("epochs", "total"), [(2.0, 80), (0.51, 21), (1e-9, 1)])
def test_epochs_are_as_many_steps_as_they_need(epochs: float, total: int) -> None:
    assert StepBudget(TrainingSettings(steps=None, epochs=epochs), 40).total == total


def test_a_budget_of_steps_saves_after_some_time_all_the_same() -> None:
    budget = StepBudget(TrainingSettings(), 40)
    assert not budget.save_is_due(SAVE_SECONDS)
    assert budget.save_is_due(SAVE_SECONDS + 1)
