"""`tune`: what the user gave, checked, and made a sweep."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from os import PathLike, fspath
from pathlib import Path
from time import monotonic
from typing import Any

from nextchar.errors import SettingsError
from nextchar.settings.config import BUDGETS, Settings
from nextchar.settings.fields import seconds_of
from nextchar.training.saving.run_directory import name_of
from nextchar.training.signals import stop_on_interrupt
from nextchar.tuning.console import SweepProgress
from nextchar.tuning.invocation import Invocation, over, read_invocation
from nextchar.tuning.result import Tuned
from nextchar.tuning.space import Space, as_json, make_choices, make_range
from nextchar.tuning.storage import require_optuna
from nextchar.tuning.sweep import Sweep

PathName = str | PathLike[str]


def tune(
    files: PathName | Sequence[PathName] = (),
    *,
    trials: int | None = None,
    time: str | None = None,
    trial_time: str | None = None,
    workers: int | None = None,
    ranges: Mapping[str, Sequence[Any]] | None = None,
    choices: Mapping[str, Sequence[Any]] | None = None,
    pruning: bool = True,
    validation: PathName | Sequence[PathName] = (),
    start_from: PathName | None = None,
    out: PathName | None = None,
    storage: str | None = None,
    study: str | None = None,
    resume: bool = False,
    verbose: bool = True,
    **fixed: Any,
) -> Tuned:
    """Search the settings that suit a text best, with Optuna, and keep the best model.

    files: paths, folders or data sets. fixed: settings that are to stay as they are.
    trials: of the study (50, where no time is given); time: of this call; trial_time: of one trial
    (else `steps` or `epochs`, or a share of `time`, or 20s).
    workers: processes that run trials, the cores shared out among them.
    ranges: name → (low, high), (low, high, "log") or (low, high, step); choices: name → values.
    What is neither fixed nor given here is searched around what the preset `auto` chooses.
    pruning: end trials that are worse than the median of the others. validation, start_from: as
    `CharRNN.fit` has them. out: the sweep's directory, by default `runs/NAME-tune`; its `best` is
    the run directory of the best trial. storage: a journal's path or a database's URL, by default
    a journal in `out`; study: its name there, by default that of `out`.
    resume: go on with the sweep in `out`. The same call again does so as well.
    Raises SettingsError, TextError, RunError, or InterruptedRun, after which it can be resumed.
    """
    require_optuna()
    inputs, begun = _paths(files), monotonic()
    if out is None and (resume or not inputs):
        raise SettingsError(
            "resume: say which sweep, --out DIR" if resume else "files: give a text"
        )
    folder = Path("runs") / f"{name_of(inputs)}-tune" if out is None else Path(out)
    fixed = {name: value for name, value in fixed.items() if value is not None}
    session = Invocation(
        inputs,
        _paths(validation),
        None if start_from is None else fspath(start_from),
        storage,
        study,
        trials,
        time,
        workers,
        fixed.pop("threads", None),
    )
    session = (over(session, read_invocation(folder)) if resume else session).checked()
    asked_space: Space = {
        **{name: make_range(name, parts) for name, parts in (ranges or {}).items()},
        **{name: make_choices(name, values) for name, values in (choices or {}).items()},
    }
    asked = _asked(session, fixed, trial_time, asked_space, pruning)
    is_silent = resume and not (fixed or asked_space or trial_time or not pruning)
    progress = SweepProgress(quiet=not verbose)
    with stop_on_interrupt() as should_stop:
        try:
            sweep = Sweep(folder, session, progress, should_stop, begun)
            return sweep.run(asked, asked_space, resumes=resume, compares=not is_silent)
        finally:
            progress.close()


def _paths(given: PathName | Sequence[PathName]) -> tuple[str, ...]:
    several = [given] if isinstance(given, str | PathLike) else given
    return tuple(fspath(each) for each in several)


def _asked(
    session: Invocation,
    fixed: Mapping[str, Any],
    trial_time: str | None,
    space: Space,
    pruning: bool,
) -> dict[str, Any]:
    """What the user asked for, checked, as JSON keeps it."""
    if "time" in fixed:
        raise SettingsError("time: of a trial is trial_time")
    if both := set(fixed) & set(space):
        raise SettingsError(f"{min(both)}: is to be both fixed and searched; leave one out")
    if trial_time is not None:
        seconds_of(trial_time)
        fixed = {**fixed, "time": trial_time}
    elif not any(name in fixed for name in BUDGETS):
        fixed = {**fixed, "time": session.trial_time()}
    if Settings.make(None, **fixed).training.val_fraction == 0 and not session.validation:
        raise SettingsError(
            "val_fraction: a sweep compares losses in validation; wants a number above 0, got 0"
        )
    made = {"fixed": dict(fixed), "space": as_json(space), "pruning": pruning}
    return dict(json.loads(json.dumps(made)))
