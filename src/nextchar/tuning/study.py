"""The study of a sweep: what was asked for is kept with it, so that whoever joins does the same."""

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

PLAN = "nextchar"  # the study's attribute that holds the plan
POINTS = 20  # of a trial's curve; at each it is held against the others
STARTUP, PATIENT = 5, 5  # trials that are not pruned, and points before any is
RANDOM = 10  # trials before the sampler has seen enough
PLAN_SECONDS = 30.0  # that whoever made the study may take to write the plan


@dataclass(frozen=True)
class SweepPlan:
    """What all trials of a study have in common.

    asked: what the user gave. text: its sha256. auto: every setting as the preset `auto` chose it,
    what is fixed among them. space: what is searched.
    """

    asked: Mapping[str, Any]
    text: str
    auto: Mapping[str, Any]
    space: Mapping[str, Any]

    @property
    def dimensions(self) -> Space:
        """The space that is searched."""
        return from_json(self.space)

    @property
    def first(self) -> dict[str, Any]:
        """The parameters of trial 0: auto's choice, or the nearest in the space."""
        return {name: each.nearest(self.auto[name]) for name, each in self.dimensions.items()}

    @property
    def holds_auto(self) -> bool:
        """Whether auto's choice is in the space."""
        return all(self.auto[name] == value for name, value in self.first.items())

    @property
    def seed(self) -> int:
        """Of the sampler, and of each training where it is not searched."""
        return int(self.auto["seed"])


def find(place: StudyStorage) -> Study | None:
    """The study, where there is one."""
    import optuna

    if not place.is_database and not Path(place.storage).exists():
        return None
    with place.telling():
        try:
            return optuna.load_study(study_name=place.name, storage=place.open(), pruner=pruner())
        except KeyError:
            return None


def begin(place: StudyStorage, plan: SweepPlan) -> Study | None:
    """A new study by a plan; None where another was faster."""
    import optuna

    with place.telling():
        try:
            study = optuna.create_study(
                study_name=place.name,
                storage=place.open(),
                direction="minimize",
                pruner=pruner(),
            )
        except optuna.exceptions.DuplicatedStudyError:
            return None
        study.enqueue_trial(plan.first, user_attrs={"auto": plan.holds_auto, "params": plan.first})
        study.set_user_attr(PLAN, asdict(plan))
        return study


def plan_of(study: Study, place: StudyStorage) -> SweepPlan:
    """The plan of a study. Raises RunError where it has none: then it is not one of ours."""
    begun = time.monotonic()
    while PLAN not in study.user_attrs:
        if len(study.get_trials(deepcopy=False)) > 1 or time.monotonic() - begun > PLAN_SECONDS:
            raise RunError(
                f"{place.told}: the study {place.name!r} is none that nextchar tune began; give "
                "another --study or --out"
            )
        time.sleep(0.2)
    return SweepPlan(**study.user_attrs[PLAN])


def pruner() -> Any:
    """What ends trials that are worse than the median of the others at the same point."""
    from optuna.pruners import MedianPruner

    return MedianPruner(n_startup_trials=STARTUP, n_warmup_steps=PATIENT)


def sampler(seed: int) -> BaseSampler:
    """TPE over all dimensions together, its random numbers those of the seed and the trial.

    So what a trial draws depends neither on who runs it nor on when the sweep was begun anew.
    """
    from optuna.samplers import BaseSampler, TPESampler

    class ByNumber(BaseSampler):
        def _of(self, trial: FrozenTrial, name: str = "") -> TPESampler:
            mixed = zlib.crc32(f"{seed} {trial.number} {name}".encode())
            return TPESampler(seed=mixed, multivariate=True, n_startup_trials=RANDOM)

        def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, Any]:
            return self._of(trial).infer_relative_search_space(study, trial)

        def sample_relative(
            self, study: Study, trial: FrozenTrial, search_space: dict[str, Any]
        ) -> dict[str, Any]:
            return self._of(trial).sample_relative(study, trial, search_space)

        def sample_independent(
            self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: Any
        ) -> Any:
            sampler = self._of(trial, param_name)  # else all would draw the same number
            return sampler.sample_independent(study, trial, param_name, param_distribution)

    return ByNumber()
