"""Storage of a study: errors are one line, without passwords."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from nextchar.errors import MissingExtraError, RunError, SettingsError
from nextchar.tuning.storage import StudyStorage, require_optuna
from nextchar.tuning.study import create_study, load_plan, load_study
from tuning.studies import place, plan


def test_a_study_is_kept_in_sqlite(tmp_path: Path) -> None:
    where = place(tmp_path, f"sqlite:///{tmp_path / 'study.db'}")
    assert load_study(where) is None
    assert create_study(where, plan()) is not None
    loaded = load_study(where)
    assert loaded is not None
    assert load_plan(loaded, where) == plan()


def test_without_optuna_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingExtraError, match=r'Optuna; install.*pip install "optuna>='):
        require_optuna()


def opened(storage: str, folder: Path) -> None:
    StudyStorage(storage, "x", folder).open()


def test_a_file_that_is_no_journal_is_told(tmp_path: Path) -> None:
    (tmp_path / "prose.txt").write_text("It was\nthe best\n")
    with pytest.raises(RunError, match=r"prose\.txt: is not an Optuna journal"):
        opened(str(tmp_path / "prose.txt"), tmp_path)


def test_a_journal_in_no_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="cannot be used"):
        opened(str(tmp_path / "file" / "study.journal"), tmp_path)


def test_a_database_that_does_not_answer_is_told_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"cannot be used \(.*") as error:
        opened("postgresql://me:secret@127.0.0.1:1/sweeps", tmp_path)
    assert "postgresql://me:***@127.0.0.1:1/sweeps: " in str(error.value)
    assert "secret" not in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nosuch://x/y", "storage must be a file or the URL of a database that Optuna supports"),
        ("oracle://x/y", "needs a driver that is not installed"),
        ("://", "storage must be a file or the URL of a database that Optuna supports"),
    ],
)
def test_a_url_that_is_none_is_told(url: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=message) as error:
        opened(url, tmp_path)
    assert "\n" not in str(error.value)
