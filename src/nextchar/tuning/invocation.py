"""Arguments of one call of a sweep on one machine, stored next to the study for `--resume`.

`sweep.json` has the values of this machine: paths, the storage, time and workers. Values that all
machines share are in the study's plan.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from nextchar.errors import RunError, SettingsError, in_one_line
from nextchar.files import write_atomically
from nextchar.kernels.threads import usable_cores
from nextchar.settings.fields import seconds_of
from nextchar.tuning.storage import JOURNAL, StudyStorage

INVOCATION = "sweep.json"
DEFAULT_TRIALS = 50  # of a sweep without a time limit
DEFAULT_TRIAL_TIME = "20s"  # of a sweep without a time limit
TRIALS_PER_TIME = 50  # trials that a sweep's time is divided by


@dataclass(frozen=True)
class Invocation:
    """One call of a sweep on one machine.

    trials: of the study, those of other machines included; time: of this call. None: no limit.
    threads: of one trial; None divides the cores among the workers.
    """

    inputs: tuple[str, ...]
    validation: tuple[str, ...] = ()
    start_from: str | None = None
    storage: str | None = None
    study: str | None = None
    trials: int | None = None
    time: str | None = None
    workers: int | None = None
    threads: int | None = None

    def resolved(self) -> Invocation:
        """Return a copy with defaults filled in. Raises SettingsError for a wrong value."""
        for name in ("trials", "workers", "threads"):
            value = getattr(self, name)
            if value is not None and (type(value) is not int or value < 1):
                problem = "must be a whole number of at least 1"
                raise SettingsError(problem, setting=name, value=value)
        if self.time is not None:
            seconds_of(self.time)
        trials = DEFAULT_TRIALS if self.trials is None and self.time is None else self.trials
        workers = self.workers or 1
        threads = self.threads or max(1, usable_cores() // workers)
        return replace(self, trials=trials, workers=workers, threads=threads)

    def resuming(self, before: Invocation) -> Invocation:
        """Return a copy that takes the values that are missing here from an earlier call."""
        given = {name: value for name, value in asdict(self).items() if value not in (None, ())}
        if "trials" in given or "time" in given:  # a new limit replaces both earlier ones
            before = replace(before, trials=None, time=None)
        return replace(before, **given)

    def default_trial_time(self) -> str:
        """Return the time of a trial if neither it nor its steps were given."""
        if self.time is None:
            return DEFAULT_TRIAL_TIME
        return f"{max(1, round(seconds_of(self.time) / (self.trials or TRIALS_PER_TIME)))}s"

    def study_storage(self, folder: Path) -> StudyStorage:
        """Return the storage of the study of a sweep in a folder."""
        storage = self.storage or str(folder / JOURNAL)
        if ":***@" in storage:
            problem = "has no password, which is never stored"
            raise SettingsError(problem, setting="storage", remedy="give --storage again")
        return StudyStorage(storage, self.study or folder.resolve().name, folder)


def write_invocation(folder: Path, invocation: Invocation, storage: StudyStorage) -> None:
    """Write `sweep.json`, without a password."""
    document = asdict(invocation)
    if invocation.storage is not None:
        document["storage"] = storage.public_url
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / INVOCATION, json.dumps(document, indent=1).encode())


def read_invocation(folder: Path) -> Invocation:
    """Read `sweep.json`. Raises RunError if it is missing or damaged."""
    path = folder / INVOCATION
    try:
        document: Mapping[str, Any] = json.loads(path.read_bytes())
        lists = {name: tuple(document[name]) for name in ("inputs", "validation")}
        return Invocation(**{**document, **lists})
    except FileNotFoundError:
        raise RunError(f"no sweep to continue there (no {INVOCATION})", path=folder) from None
    except OSError as error:
        raise RunError(f"cannot be read ({error.strerror or error})", path=path) from error
    except (ValueError, TypeError, KeyError) as error:
        raise RunError(f"cannot be read ({in_one_line(error)})", path=path) from error
