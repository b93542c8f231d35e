"""The study of a sweep, which stores the plan that all machines follow."""

from __future__ import annotations

import time
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nextchar.errors import RunError
from nextchar.tuning.space import Space, from_json
from nextchar.tuning.storage import StudyStorage

if TYPE_CHECKING:
    from optuna import Study
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

PLAN = "nextchar"  # attribute of the study that holds the plan
POINTS = 20  # of a trial's loss curve, at which trials are compared
STARTUP_TRIALS, WARMUP_POINTS = 5, 5  # trials, and points of a trial, without pruning
RANDOM_TRIALS = 10  # before the sampler uses its model
PLAN_SECONDS = 30.0  # that the creator of the study may take to write the plan


@dataclass(frozen=True)
class SweepPlan:
    """Values that all trials of a study share.

    asked: the user's request. text: SHA-256 of the text. auto: every setting as chosen by the
    preset `auto`, with the fixed ones. space: the search space, as JSON.
    """

    asked: Mapping[str, Any]
    text: str
    auto: Mapping[str, Any]
    space: Mapping[str, Any]

    @property
    def dimensions(self) -> Space:
        """The search space."""
        return from_json(self.space)

    @property
    def first(self) -> dict[str, Any]:
        """Parameters of trial 0: the choice of `auto`, or the nearest in the space."""
        return {name: each.nearest(self.auto[name]) for name, each in self.dimensions.items()}


def load_study(storage: StudyStorage) -> Study | None:
    """Load a study; return None if there is none."""
    import optuna

    if not storage.is_database and not Path(storage.storage).exists():
        return None
    with storage.errors_translated():
        try:
            return optuna.load_study(
                study_name=storage.name, storage=storage.open(), pruner=make_pruner()
            )
        except KeyError:
            return None


def create_study(storage: StudyStorage, plan: SweepPlan) -> Study | None:
    """Create a study with a plan; return None if another process created it first."""
    import optuna

    with storage.errors_translated():
        try:
            study = optuna.create_study(
                study_name=storage.name, storage=storage.open(), pruner=make_pruner()
            )
        except optuna.exceptions.DuplicatedStudyError:
            return None
        first = plan.first
        is_auto = all(plan.auto[name] == value for name, value in first.items())
        study.enqueue_trial(first, user_attrs={"auto": is_auto, "params": first})
        study.set_user_attr(PLAN, asdict(plan))
        return study


def load_plan(study: Study, storage: StudyStorage) -> SweepPlan:
    """Load the plan of a study. Raises RunError if nextchar did not create the study."""
    began = time.monotonic()
    while PLAN not in study.user_attrs:
        if len(study.get_trials(deepcopy=False)) > 1 or time.monotonic() - began > PLAN_SECONDS:
            raise RunError(
                f"the study {storage.name!r} was not created by nextchar tune",
                path=storage.public_url,
                remedy="give another --study or --out",
            )
        time.sleep(0.2)
    return SweepPlan(**study.user_attrs[PLAN])


def make_pruner() -> Any:
    """Make a pruner of trials that are worse than the median of the others at the same point."""
    from optuna.pruners import MedianPruner

    return MedianPruner(n_startup_trials=STARTUP_TRIALS, n_warmup_steps=WARMUP_POINTS)


def make_sampler(seed: int) -> BaseSampler:
    """Make a multivariate TPE sampler whose random numbers depend on the seed and the trial.

    The parameters of a trial therefore depend neither on its worker nor on interruptions.
    """
    from optuna.samplers import BaseSampler, TPESampler

    class SamplerByTrial(BaseSampler):
        def _tpe(self, trial: FrozenTrial, name: str = "") -> TPESampler:
            mixed = zlib.crc32(f"{seed} {trial.number} {name}".encode())
            return TPESampler(seed=mixed, multivariate=True, n_startup_trials=RANDOM_TRIALS)

        def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, Any]:
            return self._tpe(trial).infer_relative_search_space(study, trial)

        def sample_relative(
            self, study: Study, trial: FrozenTrial, search_space: dict[str, Any]
        ) -> dict[str, Any]:
            return self._tpe(trial).sample_relative(study, trial, search_space)

        def sample_independent(
            self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: Any
        ) -> Any:
            sampler = self._tpe(trial, param_name)  # otherwise all would get the same number
            return sampler.sample_independent(study, trial, param_name, param_distribution)

    return SamplerByTrial()
