"""Storage of a study: a journal file, shared by any number of machines, or a database.

Also the folder in which the workers of this machine hold their locks.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from nextchar.errors import MissingExtraError, RunError, SettingsError, in_one_line

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import BaseStorage, RDBStorage
    from optuna.trial import FrozenTrial

JOURNAL = "study.journal"
HEARTBEAT_SECONDS, GRACE_SECONDS = 15, 60  # of workers on a database
MAX_ATTEMPTS = 3  # at a trial whose workers died: the trial itself may kill them


def require_optuna() -> None:
    """Silence Optuna. Raises MissingExtraError if it is not installed."""
    try:
        import optuna
    except ImportError:
        raise MissingExtraError("tune", "Optuna", "tune") from None
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)  # nextchar prints its own messages


@dataclass(frozen=True)
class StudyStorage:
    """A study, by its name and storage.

    storage: URL of a database, or path of a journal. folder: of the sweep on this machine.
    """

    storage: str
    name: str
    folder: Path

    @property
    def is_database(self) -> bool:
        """The study is in a database."""
        return "://" in self.storage

    @property
    def locks(self) -> Path:
        """Folder of the workers' locks: next to a journal, where all machines see it."""
        return (self.folder if self.is_database else Path(self.storage).parent) / "workers"

    @property
    def public_url(self) -> str:
        """The storage without a password, for messages and files."""
        if not self.is_database:
            return self.storage
        from sqlalchemy.engine import make_url

        try:
            return make_url(self.storage).render_as_string(hide_password=True)
        except Exception:
            return "the storage"

    @contextmanager
    def errors_translated(self) -> Iterator[None]:
        """Context that turns errors of the storage into a RunError of one line."""
        from optuna.exceptions import StorageInternalError
        from sqlalchemy.exc import SQLAlchemyError

        try:
            yield
        except (StorageInternalError, SQLAlchemyError) as error:
            cause = error.__cause__ if isinstance(error, StorageInternalError) else error
            why = in_one_line(getattr(cause, "orig", None) or cause or error)  # type: ignore[arg-type]
            raise RunError(f"cannot be used ({why})", path=self.public_url) from error

    def open(self) -> BaseStorage:
        """Open the storage. Raises RunError or SettingsError if it cannot be used."""
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

        if self.is_database:
            return self._open_database()
        path = Path(self.storage)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = JournalFileOpenLock(self.storage)
            return JournalStorage(JournalFileBackend(self.storage, lock_obj=lock))
        except OSError as error:
            problem = f"cannot be used ({error.strerror or error})"
            raise RunError(problem, path=self.storage) from error
        except ValueError as error:
            problem = f"is not an Optuna journal ({in_one_line(error)})"
            raise RunError(problem, path=self.storage) from error

    def _open_database(self) -> BaseStorage:
        from optuna.storages import get_storage
        from sqlalchemy.exc import ArgumentError

        url = self.public_url
        with self.errors_translated():
            try:
                return get_storage(_create_tables(_with_driver(self.storage)))
            except ImportError as error:
                problem = f"needs a driver that is not installed ({in_one_line(error)})"
                remedy = 'for PostgreSQL: pip install "psycopg[binary]"'
                raise SettingsError(problem, setting="storage", value=url, remedy=remedy) from None
            except (ArgumentError, ValueError) as error:
                accepted = "a file or the URL of a database that Optuna supports"
                problem = f"must be {accepted} ({in_one_line(error)})"
                raise SettingsError(problem, setting="storage", value=url) from None


def _create_tables(url: str, attempts: int = 5) -> RDBStorage:
    """Open a database with Optuna's tables; if two machines create them at once, one retries."""
    from optuna.exceptions import ExperimentalWarning
    from optuna.storages import RDBStorage
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.pool import NullPool

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # heartbeats are experimental
        try:
            return RDBStorage(
                url,
                engine_kwargs={"poolclass": NullPool},  # hundreds of workers, none connected
                heartbeat_interval=HEARTBEAT_SECONDS,
                grace_period=GRACE_SECONDS,
                heartbeat_stale_trial_callback=partial(retry, why="its worker was lost"),
            )
        except DBAPIError as error:
            if attempts == 1 or "already exists" not in str(error):
                raise
    time.sleep(0.5)
    return _create_tables(url, attempts - 1)


def _with_driver(url: str) -> str:
    """Name psycopg 3 as the driver of a PostgreSQL URL that names none."""
    scheme, separator, rest = url.partition("://")
    name = "postgresql+psycopg" if scheme in {"postgres", "postgresql"} else scheme
    return f"{name}{separator}{rest}"


def retry(study: Study, trial: FrozenTrial, why: str, *, counts: bool = True) -> None:
    """Queue a failed trial again, as a new trial, unless it had `MAX_ATTEMPTS`.

    counts: it counts as an attempt; an interrupted trial does not.
    """
    attempts = trial.user_attrs.get("tries", 1) + counts
    params = trial.params or trial.user_attrs.get("params")
    if attempts <= MAX_ATTEMPTS and params:
        attributes = {"tries": attempts, "again": trial.number, "why": why, "params": params}
        if "auto" in trial.user_attrs:
            attributes["auto"] = trial.user_attrs["auto"]
        study.enqueue_trial(dict(params), user_attrs=attributes)
