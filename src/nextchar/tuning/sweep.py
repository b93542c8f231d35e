"""A sweep on one machine: begin or join the study, have workers run its trials, keep the best."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

from nextchar.errors import InterruptedRun, RunError
from nextchar.settings.config import Settings
from nextchar.settings.fields import seconds_of
from nextchar.training.events import Event, Note
from nextchar.training.run_context import Hooks
from nextchar.tuning.baseline import auto_baseline
from nextchar.tuning.best import keep_best, write_repeat
from nextchar.tuning.console import SweepProgress
from nextchar.tuning.invocation import Invocation, write_invocation
from nextchar.tuning.pool import Pool
from nextchar.tuning.result import Tuned, auto_loss, count, repeat_command_of_trial
from nextchar.tuning.space import Space, as_json, space_around
from nextchar.tuning.stale_trials import fail_lost
from nextchar.tuning.study import SweepPlan, begin, find, plan_of
from nextchar.tuning.sweep_texts import Texts, texts_of
from nextchar.tuning.worker import WorkerJob, best_of

if TYPE_CHECKING:
    from optuna import Study

POLL_SECONDS = 0.3


class Sweep:
    """A sweep on this machine, in a folder, since a moment of the monotonic clock."""

    def __init__(
        self,
        folder: Path,
        session: Invocation,
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
        space: Space,
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
            write_invocation(self._folder, self._session, self._place)
            self._progress.begin(study.get_trials(deepcopy=False))
            if not self._watch(study, plan):
                raise self._interrupted(study)
            try:
                return self._outcome(study)
            except InterruptedRun:  # while the best was trained again
                raise self._interrupted(study) from None

    def _planned(self, asked: Mapping[str, Any], space: Space) -> SweepPlan:
        """The plan of a new study."""
        given = {**asked["fixed"], "threads": self._session.threads}
        auto = auto_baseline(self._texts, given, Hooks(self._listen, self._should_stop))
        whole = space_around(auto, self._known(given), space)
        sha256 = self._texts.sha256(Settings.make(None, **asked["fixed"]).text)
        plan = SweepPlan(asked, sha256, auto, as_json(whole))
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

    def _require_same(self, plan: SweepPlan, asked: Mapping[str, Any]) -> None:
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

    def _watch(self, study: Study, plan: SweepPlan) -> bool:
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

    def _show(self, study: Study, plan: SweepPlan) -> int:
        """Show what happened since; how many trials are over."""
        trials = study.get_trials(deepcopy=False)
        over = sum(trial.state.name in {"COMPLETE", "PRUNED"} for trial in trials)
        shares = [over / self._session.trials] if self._session.trials else []
        if self._session.time:
            shares.append((monotonic() - self._begun) / seconds_of(self._session.time))
        return self._progress.update(trials, plan, max(shares))

    def _job(self, name: str) -> WorkerJob:
        session, seconds = self._session, None
        if session.time is not None:
            seconds = seconds_of(session.time) - (monotonic() - self._begun)
        return WorkerJob(
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

    def _outcome(self, study: Study) -> Tuned:
        """Keep the best trial, and say what the sweep came to."""
        session, trials = self._session, study.get_trials(deepcopy=False)
        best = best_of(trials)
        if best is None or best.value is None:
            raise RunError(
                f"{self._folder}: no trial came to its end; allow more --trials or --time"
            )
        settings = best.user_attrs["settings"]
        command = repeat_command_of_trial(
            settings, session.inputs, session.validation, session.start_from
        )
        hooks = Hooks(self._listen, self._should_stop)
        directory = keep_best(self._folder, best, self._texts, hooks)
        write_repeat(self._folder, best, command)
        tuned = Tuned(
            directory=directory,
            trial=best.number,
            loss=best.value,
            auto_loss=auto_loss(trials),
            settings=settings,
            command=command,
            **count(trials),
            storage=self._place.told,
            study=self._place.name,
        )
        self._progress.end(tuned)
        return tuned

    def _interrupted(self, study: Study) -> InterruptedRun:
        """The error that ends a sweep which the user stopped: how far it is, and how to go on."""
        counts = count(study.get_trials(deepcopy=False))
        number = counts["complete"] + counts["pruned"]
        return InterruptedRun(
            f"interrupted after {number} trial{'' if number == 1 else 's'}, nothing is lost; go on "
            f"with: nextchar tune --out {shlex.quote(str(self._folder))} --resume"
        )
