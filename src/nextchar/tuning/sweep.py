"""A sweep on one machine: create or join the study, run trials by workers, keep the best.

Output: `best`, the run directory of the best trial, and `repeat.sh`, which repeats it.
"""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

from nextchar.errors import InterruptedRun, RunError
from nextchar.files import write_atomically
from nextchar.runs.repeat_command import repeat_command
from nextchar.runs.run_files import CONFIG
from nextchar.settings.config import Settings
from nextchar.settings.fields import seconds_of
from nextchar.training.events import Event, Note
from nextchar.training.run_context import Hooks
from nextchar.tuning.baseline import auto_baseline
from nextchar.tuning.console import SweepProgress
from nextchar.tuning.invocation import Invocation, write_invocation
from nextchar.tuning.pool import WorkerPool
from nextchar.tuning.result import Tuned, auto_loss, count_trials
from nextchar.tuning.space import Space, as_json, space_around
from nextchar.tuning.stale_trials import fail_stale_trials
from nextchar.tuning.study import SweepPlan, create_study, load_plan, load_study
from nextchar.tuning.sweep_texts import SweepTexts, sweep_texts_from_paths
from nextchar.tuning.trial import run_directory, train_with
from nextchar.tuning.worker import WorkerJob, best_of

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

POLL_SECONDS = 0.3
BEST, REPEAT = "best", "repeat.sh"


class Sweep:
    """A sweep on this machine, in a folder. began: start of the call by the monotonic clock."""

    def __init__(
        self,
        folder: Path,
        invocation: Invocation,
        progress: SweepProgress,
        should_stop: Callable[[], bool],
        began: float,
    ) -> None:
        self._folder, self._invocation, self._progress = folder, invocation, progress
        self._should_stop, self._began = should_stop, began
        self._storage = invocation.study_storage(folder)
        self._texts = sweep_texts_from_paths(
            invocation.inputs, invocation.validation, invocation.start_from
        )

    def run(
        self, request: Mapping[str, Any], space: Space, *, resumes: bool, compares: bool
    ) -> Tuned:
        """Run the sweep to its end.

        resumes: the study must exist. compares: the study must be of the same request.
        """
        storage = self._storage
        with storage.errors_translated():
            study = load_study(storage)
            if study is None and resumes:
                raise RunError(f"no study {storage.name!r} to continue", path=storage.public_url)
            if study is None:
                plan = self._make_plan(request, space)
                study = create_study(storage, plan) or load_study(storage)
                assert study is not None
            plan = load_plan(study, storage)
            self._require_same(plan, request if compares else plan.asked)
            write_invocation(self._folder, self._invocation, storage)
            self._progress.begin(study.get_trials(deepcopy=False))
            if not self._run_workers(study, plan):
                raise self._interrupted(study)
            try:
                return self._finish(study)
            except InterruptedRun:  # while the best trial was trained again
                raise self._interrupted(study) from None

    def _make_plan(self, request: Mapping[str, Any], space: Space) -> SweepPlan:
        given = {**request["fixed"], "threads": self._invocation.threads}
        auto = auto_baseline(self._texts, given, Hooks(self._on_event, self._should_stop))
        base = self._texts.base
        network = vars(base.model.architecture.settings) if base else {}  # fixed by the model
        whole = space_around(auto, {**network, **given}, space)
        sha256 = self._texts.sha256(Settings.make(None, **request["fixed"]).text)
        plan = SweepPlan(request, sha256, auto, as_json(whole))
        for name, value in plan.first.items():
            if value != auto[name]:
                self._progress.note(
                    f"the preset auto chose {name} {auto[name]}, which is outside the search "
                    f"space; trial 0 has {value}"
                )
        return plan

    def _require_same(self, plan: SweepPlan, request: Mapping[str, Any]) -> None:
        """Raise RunError if the study is of another request or text."""
        if plan.asked != request:
            differ = [name for name in request if request[name] != plan.asked.get(name)]
            verb = "differ" if len(differ) > 1 else "differs"
            problem = f"holds a sweep with other settings ({', '.join(differ)} {verb})"
            remedy = "continue it (--resume), or give another --out or --study"
            raise RunError(problem, path=self._folder, remedy=remedy)
        sha256 = self._texts.sha256(Settings.make(None, **plan.asked["fixed"]).text)
        if plan.text != sha256:
            hashes = f"sha256 {plan.text[:8]}…, now {sha256[:8]}…"
            problem = f"the sweep was started on another text ({hashes})"
            remedy = "give the original text, or another --out or --study"
            raise RunError(problem, path=self._folder, remedy=remedy)

    def _run_workers(self, study: Study, plan: SweepPlan) -> bool:
        """Run workers until there are enough trials; return False if the user stopped the sweep."""
        fail_stale_trials(study, self._storage)
        workers, logs = self._invocation.workers or 1, self._folder / "workers"
        with WorkerPool(workers, self._make_job, logs) as pool:
            while pool.size:
                for message in pool.replace_dead():
                    self._progress.note(message)
                    fail_stale_trials(study, self._storage)
                if self._should_stop():
                    pool.stop()
                    return False
                if self._show(study, plan):
                    pool.reset_deaths()
                    fail_stale_trials(study, self._storage)
                sleep(POLL_SECONDS)
        self._show(study, plan)
        return True

    def _show(self, study: Study, plan: SweepPlan) -> int:
        """Show progress; return the number of trials that ended since the last call."""
        trials, invocation = study.get_trials(deepcopy=False), self._invocation
        finished = count_trials(trials).finished
        fractions = [finished / invocation.trials] if invocation.trials else []
        if invocation.time:
            fractions.append((monotonic() - self._began) / seconds_of(invocation.time))
        return self._progress.update(trials, plan, max(fractions))

    def _make_job(self, name: str) -> WorkerJob:
        invocation, seconds = self._invocation, None
        if invocation.time is not None:
            seconds = seconds_of(invocation.time) - (monotonic() - self._began)
        return WorkerJob(
            name=name,
            storage=self._storage.storage,
            study=self._storage.name,
            folder=str(self._folder),
            inputs=invocation.inputs,
            validation=invocation.validation,
            start_from=invocation.start_from,
            threads=invocation.threads or 1,
            trials=invocation.trials,
            seconds=seconds,
        )

    def _on_event(self, event: Event) -> None:
        if isinstance(event, Note):
            self._progress.note(event.text, is_by_the_way=event.is_by_the_way)

    def _finish(self, study: Study) -> Tuned:
        """Keep the best trial, and return and show the result."""
        invocation, trials = self._invocation, study.get_trials(deepcopy=False)
        best = best_of(trials)
        if best is None or best.value is None:
            remedy = "allow more --trials or --time"
            raise RunError("no trial finished", path=self._folder, remedy=remedy)
        settings = best.user_attrs["settings"]
        run = Settings.make(None, **settings)
        command = repeat_command(
            run, invocation.inputs, invocation.validation, invocation.start_from
        )
        hooks = Hooks(self._on_event, self._should_stop)
        directory = keep_best(self._folder, best, self._texts, hooks)
        loss = f"validation loss {best.value:.4f} nats/char"
        script = f"# Repeats trial {best.number}, the best of the sweep: {loss}.\n{command}\n"
        write_atomically(self._folder / REPEAT, script.encode())
        counts = count_trials(trials)
        tuned = Tuned(
            directory=directory,
            trial=best.number,
            loss=best.value,
            auto_loss=auto_loss(trials),
            settings=settings,
            command=command,
            complete=counts.complete,
            pruned=counts.pruned,
            failed=counts.failed,
            storage=self._storage.public_url,
            study=self._storage.name,
        )
        self._progress.end(tuned)
        return tuned

    def _interrupted(self, study: Study) -> InterruptedRun:
        """Return the error that ends an interrupted sweep, with the command that resumes it."""
        number = count_trials(study.get_trials(deepcopy=False)).finished
        folder = shlex.quote(str(self._folder))
        return InterruptedRun(
            f"interrupted after {number} trial{'' if number == 1 else 's'}, nothing is lost",
            remedy=f"continue with: nextchar tune --out {folder} --resume",
        )


def keep_best(folder: Path, trial: FrozenTrial, texts: SweepTexts, hooks: Hooks) -> Path:
    """Copy a trial's run to `best` and return its path.

    A trial that ran on a machine without a shared folder is trained again.
    """
    new, best = folder / ".best.new", folder / BEST
    shutil.rmtree(new, ignore_errors=True)
    if not _copy(run_directory(folder, trial.number), new):
        hooks.on_event(Note(f"trial {trial.number} ran elsewhere; it is trained again here"))
        train_with(trial.user_attrs["settings"], texts, new, hooks)
    shutil.rmtree(best, ignore_errors=True)
    new.rename(best)
    return best


def _copy(run: Path, new: Path) -> bool:
    """Copy a run; return False if it is missing, or another sweep deletes it for a better one."""
    if not (run / CONFIG).exists():
        return False
    try:
        shutil.copytree(run, new, ignore=shutil.ignore_patterns(".*"))
    except (shutil.Error, FileNotFoundError):
        shutil.rmtree(new, ignore_errors=True)
        return False
    return True
