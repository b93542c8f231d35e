"""Runs that diverge: the point of the rollback, the number of retries, the same bits."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given as given_by
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from conftest import PROSE
from nextchar.errors import DivergedError, InterruptedRun
from nextchar.model import container
from nextchar.model.file import BEST, LAST
from nextchar.model.initialise import initialise
from nextchar.model.parameters import Architecture
from nextchar.runs.run_files import CHECKPOINT, read_metrics
from nextchar.settings.config import Settings, TrainingSettings
from nextchar.text.corpus import text_corpus
from nextchar.training.events import Event, Note, Stepped
from nextchar.training.health.rollback import MOST_RETRIES, Rollback
from nextchar.training.optim.optimizers import make_slots
from nextchar.training.run import RunRequest, TextInput, train
from nextchar.training.run_context import Hooks, RunContext
from nextchar.training.saving.checkpoint import Checkpoint, Progress
from nextchar.training.session import Trained

TEXT = PROSE * 8
# After warm-up, weight decay alone multiplies the matrices by -2.7 a step; at half the rate by
# -0.85. The validation loss, which guessing brings to 3.22, is 3.2 at step 5, 57 at step 10, and
# the training loss passes the bound of 1,000 before step 15. Each is far from the bound that
# decides over it (twice the loss of guessing, and 1,000), therefore rounding decides nothing.
GROWING: dict[str, Any] = {
    "cell": "lstm", "hidden_size": 8, "num_layers": 1, "seq_length": 8, "batch_size": 4,
    "steps": 60, "threads": 1, "eval_every": 5, "dtype": "float32",
    "optimizer": "sgd", "schedule": "constant",
    "warmup": 3, "clip": 0.0, "learning_rate": 0.025, "weight_decay": 148.0, "seed": 4,
}  # fmt: skip
HOPELESS = {**GROWING, "learning_rate": 1e30}


def go(
    out: Path | None,
    given: dict[str, Any],
    *,
    stop: int | None = None,
    hear: Callable[[Event], None] = lambda event: None,
    **options: Any,
) -> tuple[Trained, list[str]]:
    """Start or resume a run; return its model and its notes. stop: the step to interrupt it at."""
    notes: list[str] = []
    asked = 0

    def on_event(event: Event) -> None:
        if isinstance(event, Note) and not event.is_by_the_way:
            notes.append(event.text)
        hear(event)

    def should_stop() -> bool:
        nonlocal asked
        asked += 1
        return asked == stop

    material = TextInput(lambda how, listener: text_corpus(TEXT, how))
    return train(
        RunRequest(material, given=given, out=out, **options), Hooks(on_event, should_stop)
    ), notes


def without_clock(record: dict[str, Any]) -> dict[str, Any]:
    clock = {"seconds", "since_seconds", "chars_per_second"}
    return {name: value for name, value in record.items() if name not in clock}


def left(out: Path) -> list[Any]:
    """All files of a run, without times."""
    models = [container.read(out / name, "model")[0] for name in (LAST, BEST)]
    tensors, document = container.read(out / CHECKPOINT, "checkpoint")
    bits = [{name: array.tobytes() for name, array in each.items()} for each in (*models, tensors)]
    return [*bits, without_clock(document["progress"]), [*map(without_clock, read_metrics(out))]]


@pytest.fixture(scope="module")
def rolled_back(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A run with one rollback, never interrupted, and its notes."""
    out = tmp_path_factory.mktemp("whole") / "run"
    trained, notes = go(out, GROWING)
    assert trained.steps == 60
    return out, notes


def test_it_rolls_back_to_an_evaluation_and_halves_the_rate(
    rolled_back: tuple[Path, list[str]],
) -> None:
    out, notes = rolled_back
    (note,) = notes
    (rolled,) = (record for record in read_metrics(out) if "retries" in record)
    step = rolled["step"]
    assert note == (
        f"{rolled['why']}: rolled back to step {step}, continuing with half the learning rate "
        "(0.0125; rollback 1 of 3)"
    )
    assert step == 5
    # the evaluation at step 10 is not a point to roll back to
    assert 10 < rolled["diverged_at"] < 15
    assert rolled["peak_learning_rate"] == 0.0125


def test_the_evaluations_of_the_way_that_was_left_are_forgotten(
    rolled_back: tuple[Path, list[str]],
) -> None:
    records = read_metrics(rolled_back[0])
    evaluations = [record for record in records if "retries" not in record]
    assert [record["step"] for record in evaluations] == [*range(5, 61, 5)]
    at = next(n for n, record in enumerate(records) if "retries" in record)
    assert {record["learning_rate"] for record in records[:at]} <= {0.025}
    assert {record["learning_rate"] for record in records[at + 1 :]} == {0.0125}
    assert all(math.isfinite(record["val_loss"]) for record in evaluations)


def test_after_the_third_time_the_run_stops_with_advice(tmp_path: Path) -> None:
    notes: list[str] = []
    with pytest.raises(DivergedError, match="lower --learning-rate") as caught:
        go(
            tmp_path / "run",
            HOPELESS,
            hear=lambda event: notes.append(event.text) if isinstance(event, Note) else None,
        )
    rollbacks = [note for note in notes if "back to step 0" in note]
    assert [note[-17:] for note in rollbacks] == [f" rollback {n} of 3)" for n in (1, 2, 3)]
    assert "\n" not in str(caught.value)
    assert [record["retries"] for record in read_metrics(tmp_path / "run")] == [1, 2, 3]


def test_a_run_in_memory_rolls_back_too(rolled_back: tuple[Path, list[str]]) -> None:
    trained, notes = go(None, GROWING)
    assert notes == rolled_back[1]
    assert trained.steps == 60
    assert [record.step for record in trained.records] == [*range(5, 61, 5)]


def test_to_stop_is_to_stop_at_once_and_resume_may_think_better_of_it(tmp_path: Path) -> None:
    out = tmp_path / "run"
    with pytest.raises(DivergedError, match="the last good checkpoint is kept"):
        go(out, {**GROWING, "on_divergence": "stop"})
    assert not any("retries" in record for record in read_metrics(out))
    trained, notes = go(out, {"on_divergence": "retry"}, resume=True)
    assert trained.steps == 60
    assert len(notes) >= 1


# the same bits


@hypothesis_settings(max_examples=10)
@given_by(stops=st.lists(st.integers(1, 30), min_size=1, max_size=4))
def test_resume_gives_the_same_bits_wherever_it_was_stopped(
    rolled_back: tuple[Path, list[str]],
    tmp_path_factory: pytest.TempPathFactory,
    stops: list[int],
) -> None:
    """Even if the checkpoint is from between two evaluations, before or after the rollback."""
    out = tmp_path_factory.mktemp("parts") / "run"
    resume = False
    for stop in [*stops, None]:
        try:
            go(out, GROWING, stop=stop, resume=resume)
        except InterruptedRun:
            resume = True
    assert left(out) == left(rolled_back[0])


def test_a_run_killed_after_a_rollback_rolls_back_again(
    rolled_back: tuple[Path, list[str]], tmp_path: Path
) -> None:
    class Killed(BaseException):
        pass

    has_rolled_back = False

    def kill(event: Event) -> None:
        nonlocal has_rolled_back
        has_rolled_back |= isinstance(event, Note) and "half the learning rate" in event.text
        if has_rolled_back and isinstance(event, Stepped):
            raise Killed

    with pytest.raises(Killed):
        go(tmp_path / "run", GROWING, hear=kill)
    go(tmp_path / "run", GROWING, resume=True)
    assert left(tmp_path / "run") == left(rolled_back[0])


def test_a_checkpoint_carries_the_good_point_only_where_it_is_another(tmp_path: Path) -> None:
    for stop, carried in ((5, False), (7, True)):
        out = tmp_path / str(stop)
        with pytest.raises(InterruptedRun):
            go(out, GROWING, stop=stop)
        tensors, document = container.read(out / CHECKPOINT, "checkpoint")
        assert ("good.parameters" in tensors) == ("good" in document) == carried


# good points


def point(step: int, value: float) -> Checkpoint:
    settings = Settings.make(hidden_size=4, num_layers=1)
    parameters = initialise(Architecture(settings.network, 8), 1)
    parameters.flat[:] = value
    return Checkpoint(
        parameters,
        make_slots("momentum", parameters.flat),
        parameters.zero_state(2),
        Progress(step),
        "",
    )


def rollback_of(begin: Checkpoint, **given: Any) -> Rollback:
    return Rollback(TrainingSettings(**given), begin, RunContext())


@pytest.mark.parametrize(("loss", "back_to"), [(2.0, 10), (4.0, 10), (4.3, 0), (math.nan, 0)])
def test_an_evaluation_far_worse_than_chance_is_no_point_to_roll_back_to(
    loss: float, back_to: int
) -> None:
    """Guessing among eight characters has a loss of ln 8, 2.08."""
    rollback = rollback_of(point(0, 0.5))
    rollback.update(point(10, 1.5), loss)
    now = point(17, np.nan)
    now.progress.seconds = 9.0
    state = rollback.roll_back(now, DivergedError("the loss became nan", 17))
    assert now.progress == Progress(back_to, seconds=9.0, since_seconds=9.0, retries=1)
    assert set(now.parameters.flat) == {1.5 if back_to else 0.5}
    assert state.shape == now.state.shape


def test_the_good_point_is_a_copy() -> None:
    begin = point(0, 0.5)
    rollback = rollback_of(begin)
    for _ in range(MOST_RETRIES):
        begin.parameters.flat[:] = np.nan
        begin.slots["velocity"][:] = np.nan
        state = rollback.roll_back(begin, DivergedError("", 0))
        assert set(begin.parameters.flat) == {0.5}
        assert not begin.slots["velocity"].any()
        state[:] = np.nan
    with pytest.raises(DivergedError):
        rollback.roll_back(begin, DivergedError("", 0))


def test_nothing_is_copied_where_the_run_is_to_stop() -> None:
    rollback = rollback_of(point(0, 0.5), on_divergence="stop")
    rollback.update(point(5, 0.5), 1.0)
    now = point(7, 0.5)
    assert rollback.with_last_good(now) is now
    with pytest.raises(DivergedError):
        rollback.roll_back(now, DivergedError("", 7))
