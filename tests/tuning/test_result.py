"""The result of a sweep, and its display."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState, create_trial

from nextchar.tuning.console import SweepProgress
from nextchar.tuning.result import TrialCounts, Tuned, auto_loss, count_trials
from tuning.studies import plan

RATES = {"learning_rate": optuna.distributions.FloatDistribution(0.001, 0.1, log=True)}


def trials() -> list[FrozenTrial]:
    def trial(state: TrialState, rate: float = 0.02, **more: Any) -> FrozenTrial:
        return create_trial(
            state=state, params={"learning_rate": rate}, distributions=RATES, **more
        )

    study = optuna.create_study()
    for each in (
        trial(TrialState.COMPLETE, 0.01, value=1.5, user_attrs={"auto": True}),
        trial(TrialState.COMPLETE, value=1.25),
        trial(TrialState.COMPLETE, value=1.75),
        trial(TrialState.PRUNED, value=2.0, intermediate_values={9: 2.0}),
        trial(TrialState.PRUNED, user_attrs={"why": "needs more memory"}),
        trial(TrialState.FAIL),
        trial(TrialState.RUNNING, intermediate_values={3: 1.9}),
    ):
        study.add_trial(each)
    return study.trials


def shown(progress: SweepProgress, stream: io.StringIO) -> list[str]:
    progress.close()
    return stream.getvalue().splitlines()


def test_each_trial_is_a_line_that_is_shown_once() -> None:
    stream = io.StringIO()
    progress = SweepProgress(stream)
    progress.begin([])
    assert progress.update(trials(), plan(), 0.5) == 6
    assert progress.update(trials(), plan(), 0.5) == 0
    assert shown(progress, stream) == [
        "trial 0: 1.5000 nats/char, best so far · settings of the preset auto",
        "trial 1: 1.2500 nats/char, best so far · learning_rate 0.02",
        "trial 2: 1.7500 nats/char · learning_rate 0.02",
        "trial 3: pruned at 45 % (2.0000 nats/char) · learning_rate 0.02",
        "trial 4: cannot be trained (needs more memory) · learning_rate 0.02",
        "trial 5: not finished · learning_rate 0.02",
    ]


def test_a_sweep_that_goes_on_says_from_where() -> None:
    stream = io.StringIO()
    progress = SweepProgress(stream)
    progress.begin(trials())
    progress.update(trials(), plan(), 0.5)
    note = "note: the sweep continues after 6 trials, best 1.2500 nats/char (trial 1)"
    assert shown(progress, stream) == [note]


def test_a_terminal_has_a_bar_with_the_best_so_far() -> None:
    stream = io.StringIO()
    stream.isatty = lambda: True  # type: ignore[method-assign]
    progress = SweepProgress(stream)
    progress.begin([])
    progress.update(trials(), plan(), 0.5)
    text = "\n".join(shown(progress, stream))
    assert "50%" in text
    assert "5 trials, best 1.2500, auto 1.5000; 1 running at 1.900" in text


def test_quiet_shows_notes_alone() -> None:
    stream = io.StringIO()
    progress = SweepProgress(stream, quiet=True)
    progress.begin(trials())
    progress.update(trials(), plan(), 0.5)
    progress.note("a worker was killed")
    progress.end(tuned())
    assert shown(progress, stream) == ["note: a worker was killed"]


def tuned(storage: str = "runs/x-tune/study.journal") -> Tuned:
    return Tuned(
        Path("runs/x-tune/best"),
        1,
        1.25,
        1.5,
        {"steps": 4},
        "nextchar train x",
        3,
        2,
        1,
        storage,
        "x",
    )


def test_the_end_says_what_was_found_and_where() -> None:
    stream = io.StringIO()
    progress = SweepProgress(stream)
    progress.end(tuned())
    assert shown(progress, stream) == [
        "done: 5 trials, 2 of them pruned; best 1.2500 nats/char (1.803 bits), trial 1; the preset "
        "auto: 1.5000",
        f"saved in {Path('runs/x-tune/best')}; generate text with: "
        "nextchar generate runs/x-tune/best",
        "view the trials with: optuna-dashboard runs/x-tune/study.journal",
    ]


def test_trials_are_counted_by_how_they_ended() -> None:
    assert count_trials(trials()) == TrialCounts(complete=3, pruned=2, failed=1)
    assert auto_loss(trials()) == 1.5
    assert auto_loss([]) is None
