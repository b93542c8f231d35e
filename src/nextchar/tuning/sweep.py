"""A sweep from what the user gave to the best model: begin or join the study, have workers run its
trials, and keep what did best.
"""  # noqa: D205

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from os import PathLike, fspath
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

from nextchar.config import BUDGETS, Settings
from nextchar.errors import InterruptedRun, RunError, SettingsError
from nextchar.training.directory import name_of
from nextchar.training.events import Event, Note
from nextchar.training.interrupt import stop_on_interrupt
from nextchar.training.train import Hooks
from nextchar.tuning.automatic import settings_of_auto
from nextchar.tuning.best import keep_best, write_repeat
from nextchar.tuning.lost import fail_lost
from nextchar.tuning.outcome import Tuned, auto_loss, command_of, count
from nextchar.tuning.pool import Pool
from nextchar.tuning.progress import SweepProgress
from nextchar.tuning.session import Session, over, read_session, write_session
from nextchar.tuning.space import Dimension, as_json, make_choices, make_range, space_around
from nextchar.tuning.storage import require_optuna
from nextchar.tuning.study import Plan, begin, find, plan_of
from nextchar.tuning.texts import Texts, texts_of
from nextchar.tuning.worker import Job, best_of
from nextchar.validation import seconds_of

if TYPE_CHECKING:
    from optuna import Study

PathName = str | PathLike[str]
POLL_SECONDS = 0.3


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
    session = Session(
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
    session = (over(session, read_session(folder)) if resume else session).checked()
    asked_space: dict[str, Dimension] = {}
    asked_space |= {name: make_range(name, parts) for name, parts in (ranges or {}).items()}
    asked_space |= {name: make_choices(name, values) for name, values in (choices or {}).items()}
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
    session: Session,
    fixed: Mapping[str, Any],
    trial_time: str | None,
    space: Mapping[str, Dimension],
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


class Sweep:
    """A sweep on this machine, in a folder, since a moment of the monotonic clock."""

    def __init__(
        self,
        folder: Path,
        session: Session,
        progress: SweepProgress,
        should_stop: Callable[[], bool],
        begun: float,
    ) -> None:
        self._folder, self._session, self._progress = folder, session, progress
        self._should_stop, self._begun = should_stop, begun
        self._place = session.place(folder)
        self._texts: Texts = texts_of(session.inputs, session.validation, session.start_from)

    def run(
        self,
        asked: Mapping[str, Any],
        space: Mapping[str, Dimension],
        *,
        resumes: bool,
        compares: bool,
    ) -> Tuned:
        """Run it to its end.

        resumes: whether the study is to be there. compares: whether it must be by what was asked.
        """
        with self._place.telling():
            study = find(self._place)
            if study is None and resumes:
                raise RunError(f"{self._place.told}: no study {self._place.name!r} to go on with")
            if study is None:
                study = begin(self._place, self._planned(asked, space)) or find(self._place)
                assert study is not None
            plan = plan_of(study, self._place)
            self._require_same(plan, asked if compares else plan.asked)
            write_session(self._folder, self._session, self._place)
            self._progress.begin(study.get_trials(deepcopy=False))
            is_whole = self._watch(study, plan)
            return self._outcome(study, plan, is_whole)

    def _planned(self, asked: Mapping[str, Any], space: Mapping[str, Dimension]) -> Plan:
        """The plan of a new study."""
        given = {**asked["fixed"], "threads": self._session.threads}
        auto = settings_of_auto(self._texts, given, self._folder, self._listen, self._should_stop)
        whole = space_around(auto, self._known(given), space)
        sha256 = self._texts.sha256(Settings.make(None, **asked["fixed"]).text)
        plan = Plan(asked, sha256, auto, as_json(whole))
        for name, value in plan.first.items():
            if value != auto[name]:
                told = f"{name} {auto[name]}, which is not among what is searched"
                self._progress.note(f"the preset auto chose {told}; trial 0 has {value}")
        return plan

    def _known(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """What is fixed: what was given, and the network of a model to start from."""
        base = self._texts.base
        network = vars(base.model.architecture.settings) if base else {}
        return {**network, **given}

    def _require_same(self, plan: Plan, asked: Mapping[str, Any]) -> None:
        """Raise RunError where the study is another's than the one that is asked for."""
        again = "go on with it (--resume), or give another --out or --study"
        if plan.asked != asked:
            differ = [name for name in asked if asked[name] != plan.asked.get(name)]
            raise RunError(
                f"{self._folder}: holds a sweep with other settings ({', '.join(differ)} "
                f"{'differ' if len(differ) > 1 else 'differs'}); {again}"
            )
        text = self._texts.sha256(Settings.make(None, **plan.asked["fixed"]).text)
        if plan.text != text:
            raise RunError(
                f"{self._folder}: the sweep was begun on another text (sha256 {plan.text[:8]}…, "
                f"now {text[:8]}…); give the original one, or another --out or --study"
            )

    def _watch(self, study: Study, plan: Plan) -> bool:
        """Have workers run trials until there are enough; False where the user stopped it."""
        fail_lost(study, self._place)
        with Pool(self._session.workers or 1, self._job, self._folder / "workers") as pool:
            while pool.size:
                for told in pool.deaths():
                    self._progress.note(told)
                    fail_lost(study, self._place)
                if self._should_stop():
                    pool.stop()
                    return False
                if self._show(study, plan):
                    pool.forgive()
                    fail_lost(study, self._place)
                sleep(POLL_SECONDS)
        self._show(study, plan)
        return True

    def _show(self, study: Study, plan: Plan) -> int:
        """Show what happened since; how many trials are over."""
        trials = study.get_trials(deepcopy=False)
        over = sum(trial.state.name in {"COMPLETE", "PRUNED"} for trial in trials)
        shares = [over / self._session.trials] if self._session.trials else []
        if self._session.time:
            shares.append((monotonic() - self._begun) / seconds_of(self._session.time))
        return self._progress.update(trials, plan, max(shares))

    def _job(self, name: str) -> Job:
        session, seconds = self._session, None
        if session.time is not None:
            seconds = seconds_of(session.time) - (monotonic() - self._begun)
        return Job(
            name=name,
            storage=self._place.storage,
            study=self._place.name,
            folder=str(self._folder),
            inputs=session.inputs,
            validation=session.validation,
            start_from=session.start_from,
            threads=session.threads or 1,
            trials=session.trials,
            seconds=seconds,
        )

    def _listen(self, event: Event) -> None:
        if isinstance(event, Note):
            self._progress.note(event.text, is_by_the_way=event.is_by_the_way)

    def _outcome(self, study: Study, plan: Plan, is_whole: bool) -> Tuned:
        """Keep the best trial. Raises InterruptedRun where the user stopped the sweep."""
        trials = study.get_trials(deepcopy=False)
        best, counts = best_of(trials), count(trials)
        if not is_whole:
            again = f"nextchar tune --out {shlex.quote(str(self._folder))} --resume"
            number = counts["complete"] + counts["pruned"]
            raise InterruptedRun(
                f"interrupted after {number} trial{'' if number == 1 else 's'}, nothing is lost; "
                f"go on with: {again}"
            )
        if best is None or best.value is None:
            raise RunError(
                f"{self._folder}: no trial came to its end; allow more --trials or --time"
            )
        settings = best.user_attrs["settings"]
        session = self._session
        command = command_of(settings, session.inputs, session.validation, session.start_from)
        directory = keep_best(
            self._folder, best, self._texts, Hooks(self._listen, self._should_stop)
        )
        write_repeat(self._folder, best, command)
        with suppress(OSError):
            (self._folder / "workers").rmdir()
        tuned = Tuned(
            directory=directory,
            trial=best.number,
            loss=best.value,
            auto_loss=auto_loss(trials),
            settings=settings,
            command=command,
            **counts,
            storage=self._place.told,
            study=self._place.name,
        )
        self._progress.end(tuned)
        return tuned
