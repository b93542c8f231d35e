"""The function `tune`: validates its arguments and runs a sweep."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import closing
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
from nextchar.tuning.invocation import Invocation, read_invocation
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

    files: paths, folders or data sets. fixed: settings that are not searched.
    trials: of the study, 50 by default without a time. time: of this call. trial_time: of one
    trial; the default is `steps` or `epochs`, otherwise a share of `time`, otherwise 20s.
    workers: processes that run trials and divide the cores among them.
    ranges: name → (low, high), (low, high, "log") or (low, high, step). choices: name → values.
    Settings that are neither fixed nor given here are searched around the choice of `auto`.
    pruning: end trials that are worse than the median of the others.
    validation, start_from: as in `CharRNN.fit`.
    out: directory of the sweep, `runs/NAME-tune` by default; its `best` is the run directory of the
    best trial. storage: path of a journal or URL of a database, by default a journal in `out`.
    study: its name in the storage, by default that of `out`.
    resume: continue the sweep in `out`; repeating the call does the same.
    Raises SettingsError, TextError, RunError, or InterruptedRun, after which it can be resumed.
    """
    require_optuna()
    began, inputs = monotonic(), _paths(files)
    folder = _folder(inputs, out, resume=resume)
    fixed = {name: value for name, value in fixed.items() if value is not None}
    base, threads = None if start_from is None else fspath(start_from), fixed.pop("threads", None)
    invocation = Invocation(
        inputs, _paths(validation), base, storage, study, trials, time, workers, threads
    )
    if resume:
        invocation = invocation.resuming(read_invocation(folder))
    invocation = invocation.resolved()
    space: Space = {
        **{name: make_range(name, parts) for name, parts in (ranges or {}).items()},
        **{name: make_choices(name, values) for name, values in (choices or {}).items()},
    }
    request = {**_request(invocation, fixed, trial_time, space), "pruning": pruning}
    compares = not resume or bool(fixed or space or trial_time or not pruning)
    with stop_on_interrupt() as should_stop, closing(SweepProgress(quiet=not verbose)) as progress:
        sweep = Sweep(folder, invocation, progress, should_stop, began)
        return sweep.run(request, space, resumes=resume, compares=compares)


def _paths(files: PathName | Sequence[PathName]) -> tuple[str, ...]:
    several = [files] if isinstance(files, str | PathLike) else files
    return tuple(fspath(each) for each in several)


def _folder(inputs: Sequence[str], out: PathName | None, *, resume: bool) -> Path:
    if out is not None:
        return Path(out)
    if resume:
        raise SettingsError("needs the sweep to continue", setting="resume", remedy="add --out DIR")
    if not inputs:
        raise SettingsError("must name a text", setting="files")
    return Path("runs") / f"{name_of(inputs)}-tune"


def _request(
    invocation: Invocation, fixed: Mapping[str, Any], trial_time: str | None, space: Space
) -> dict[str, Any]:
    """Return the user's fixed settings and search space, validated, as a JSON object."""
    if both := set(fixed) & set(space):
        problem = "cannot be both fixed and searched"
        raise SettingsError(problem, setting=min(both), remedy="leave one out")
    if trial_time is not None:
        seconds_of(trial_time, "trial_time")
        fixed = {**fixed, "time": trial_time}
    elif not any(name in fixed for name in BUDGETS):
        fixed = {**fixed, "time": invocation.default_trial_time()}
    val_fraction = Settings.make(None, **fixed).training.val_fraction
    if val_fraction == 0 and not invocation.validation:
        problem = "must be above 0, since a sweep compares validation losses"
        raise SettingsError(problem, setting="val_fraction", value=val_fraction)
    return dict(json.loads(json.dumps({"fixed": dict(fixed), "space": as_json(space)})))
