"""Where a study is kept: a journal, which is a file that any number of machines append to, or a
database that Optuna takes; and where the workers on this machine hold their locks.
"""  # noqa: D205

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nextchar.errors import MissingExtraError, RunError, SettingsError, in_one_line
from nextchar.tuning.tries import retry

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import BaseStorage, RDBStorage
    from optuna.trial import FrozenTrial

JOURNAL = "study.journal"
HEARTBEAT_SECONDS, GRACE_SECONDS = 15, 60  # of workers on a database


def require_optuna() -> None:
    """Raise MissingExtraError where Optuna is not installed; silence it where it is."""
    try:
        import optuna
    except ImportError:
        raise MissingExtraError("tune", "Optuna", "tune") from None
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)  # what there is to say, we say


@dataclass(frozen=True)
class StudyStorage:
    """A study by its name and where it is kept.

    storage: a database's URL, or the path of a journal.
    folder: of the sweep on this machine.
    """

    storage: str
    name: str
    folder: Path

    @property
    def is_database(self) -> bool:
        """Whether it is kept in a database."""
        return "://" in self.storage

    @property
    def locks(self) -> Path:
        """Where workers hold locks: beside a journal, which all machines see."""
        if self.is_database:
            return self.folder / "workers"
        return Path(self.storage).parent / "workers"

    @property
    def told(self) -> str:
        """The storage as it may be shown: without a password."""
        if not self.is_database:
            return self.storage
        from sqlalchemy.engine import make_url

        try:
            return make_url(self.storage).render_as_string(hide_password=True)
        except Exception:
            return "the storage"

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Within this context what a storage raises is a RunError of one line."""
        from optuna.exceptions import StorageInternalError
        from sqlalchemy.exc import SQLAlchemyError

        try:
            yield
        except (StorageInternalError, SQLAlchemyError) as error:
            cause = error.__cause__ if isinstance(error, StorageInternalError) else error
            why = in_one_line(getattr(cause, "orig", None) or cause or error)  # type: ignore[arg-type]
            raise RunError(f"{self.told}: cannot be used ({why})") from error

    def open(self) -> BaseStorage:
        """The storage. Raises RunError where it cannot be used."""
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

        if self.is_database:
            return self._database()
        try:
            Path(self.storage).parent.mkdir(parents=True, exist_ok=True)
            lock = JournalFileOpenLock(self.storage)
            return JournalStorage(JournalFileBackend(self.storage, lock_obj=lock))
        except OSError as error:
            why = error.strerror or error
            raise RunError(f"{self.storage}: cannot be used ({why})") from error
        except ValueError as error:  # what is there is no journal
            raise RunError(
                f"{self.storage}: is no Optuna journal ({in_one_line(error)})"
            ) from error

    def _database(self) -> BaseStorage:
        from optuna.storages import get_storage
        from sqlalchemy.exc import ArgumentError

        with self.telling():
            try:
                return get_storage(_made(_with_driver(self.storage)))
            except ImportError as error:
                raise SettingsError(
                    f"storage: {self.told} needs a driver that is not installed (PostgreSQL: pip "
                    f'install "psycopg[binary]"): {in_one_line(error)}'
                ) from None
            except (ArgumentError, ValueError) as error:
                raise SettingsError(
                    f"storage: wants a file or the URL of a database that Optuna takes, got "
                    f"{self.told} ({in_one_line(error)})"
                ) from None


def _made(url: str, tries: int = 5) -> RDBStorage:
    """A database with Optuna's tables: where two machines create them at once, one fails first."""
    from optuna.exceptions import ExperimentalWarning
    from optuna.storages import RDBStorage
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.pool import NullPool

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # heartbeats are called so
        try:
            return RDBStorage(
                url,
                engine_kwargs={"poolclass": NullPool},  # hundreds of workers, none connected
                heartbeat_interval=HEARTBEAT_SECONDS,
                grace_period=GRACE_SECONDS,
                heartbeat_stale_trial_callback=_tried_again,
            )
        except DBAPIError as error:
            if tries == 1 or "already exists" not in str(error):
                raise
    time.sleep(0.5)
    return _made(url, tries - 1)


def _tried_again(study: Study, trial: FrozenTrial) -> None:
    retry(study, trial, "its worker was lost")


def _with_driver(url: str) -> str:
    """PostgreSQL's URL as psycopg 3 takes it, where no driver was named."""
    scheme, separator, rest = url.partition("://")
    name = "postgresql+psycopg" if scheme in {"postgres", "postgresql"} else scheme
    return f"{name}{separator}{rest}"
