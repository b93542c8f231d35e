"""What one call of a sweep is given, and what of it is kept beside the study for `--resume`.

`sweep.json` has what belongs to this machine: paths, where the study is, how long and with how many
workers. What all machines have in common is in the study's plan.
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

SESSION = "sweep.json"
TRIALS = 50  # of a sweep that no time ends
TRIAL_TIME = "20s"  # of a trial, where neither it nor the sweep's time is given
SHARES = 50  # trials that a sweep's time is cut into


@dataclass(frozen=True)
class Invocation:
    """One call of a sweep on one machine.

    trials: of the study, whoever ran them; time: of this session. None is no limit.
    threads: of one trial; None shares the cores out.
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

    def checked(self) -> Invocation:
        """The session with its defaults. Raises SettingsError for what cannot be."""
        for name in ("trials", "workers", "threads"):
            value = getattr(self, name)
            if value is not None and (type(value) is not int or value < 1):
                raise SettingsError(f"{name}: wants a whole number of at least 1, got {value!r}")
        if self.time is not None:
            seconds_of(self.time)
        trials = TRIALS if self.trials is None and self.time is None else self.trials
        workers = self.workers or 1
        threads = self.threads or max(1, usable_cores() // workers)
        return replace(self, trials=trials, workers=workers, threads=threads)

    def trial_time(self) -> str:
        """How long a trial takes where nothing was said of it."""
        if self.time is None:
            return TRIAL_TIME
        return f"{max(1, round(seconds_of(self.time) / (self.trials or SHARES)))}s"

    def place(self, folder: Path) -> StudyStorage:
        """Where its study is."""
        storage = self.storage or str(folder / JOURNAL)
        if ":***@" in storage:
            raise SettingsError("storage: its password was not kept; give --storage again")
        return StudyStorage(storage, self.study or folder.resolve().name, folder)


def over(session: Invocation, before: Invocation) -> Invocation:
    """A session with what it was not given taken from one before."""
    given = {name: value for name, value in asdict(session).items() if value not in (None, ())}
    if "trials" in given or "time" in given:  # one of them was meant to end it
        before = replace(before, trials=None, time=None)
    return replace(before, **given)


def write_invocation(folder: Path, session: Invocation, place: StudyStorage) -> None:
    """Keep a session, but for a password."""
    kept = asdict(session)
    if session.storage is not None:
        kept["storage"] = place.told
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / SESSION, json.dumps(kept, indent=1).encode())


def read_invocation(folder: Path) -> Invocation:
    """The session that a folder keeps. Raises RunError where there is none."""
    path = folder / SESSION
    try:
        document: Mapping[str, Any] = json.loads(path.read_bytes())
        lists = {name: tuple(document[name]) for name in ("inputs", "validation")}
        return Invocation(**{**document, **lists})
    except FileNotFoundError:
        raise RunError(f"{folder}: no sweep to go on with there (no {SESSION})") from None
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (ValueError, TypeError, KeyError) as error:
        raise RunError(f"{path}: cannot be read ({in_one_line(error)})") from error
