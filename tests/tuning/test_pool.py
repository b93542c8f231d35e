"""Workers as processes: those that die are replaced, those that cannot continue end the sweep."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from nextchar.errors import RunError
from nextchar.tuning import pool as pooling
from nextchar.tuning.pool import WorkerPool
from nextchar.tuning.worker import WorkerJob

WAITS = "import sys; sys.stdin.read()"


def job(name: str) -> WorkerJob:
    return WorkerJob(name, "study.journal", "prose", ".", ("prose.txt",), (), None, 1, None, None)


def pool_of(
    program: str, monkeypatch: pytest.MonkeyPatch, folder: Path, workers: int = 1
) -> WorkerPool:
    monkeypatch.setattr(pooling, "COMMAND", (sys.executable, "-c", program))
    return WorkerPool(workers, job, folder)


def deaths(pool: WorkerPool) -> list[str]:
    """Return the messages once all first workers are dead."""
    while not (messages := pool.replace_dead()) and pool.size:
        time.sleep(0.01)
    return messages


def test_workers_that_end_well_leave_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pool_of("pass", monkeypatch, tmp_path, workers=2) as pool:
        assert deaths(pool) == []
        assert pool.size == 0
    assert not list(tmp_path.iterdir())


def test_workers_stop_when_their_input_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pool_of(WAITS, monkeypatch, tmp_path, workers=2) as pool:
        assert pool.replace_dead() == []
        assert pool.size == 2
        pool.stop()
        assert pool.size == 0


def test_a_worker_that_hangs_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pooling, "STOP_SECONDS", 0.1)
    with pool_of("import time; time.sleep(600)", monkeypatch, tmp_path) as pool:
        pool.stop()
        assert pool.size == 0


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals to die of")
def test_a_worker_that_was_killed_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pool_of(WAITS, monkeypatch, tmp_path) as pool:
        pool._running[0].process.kill()
        killed = f"a worker was killed by signal {signal.SIGKILL:d}; its trial is run again"
        assert deaths(pool) == [killed]
        assert pool.size == 1


def test_too_many_deaths_end_the_sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pool_of("import os; os._exit(99)", monkeypatch, tmp_path) as pool:
        for _ in range(pooling.MAX_DEATHS - 1):
            assert deaths(pool) == ["a worker ended with status 99; its trial is run again"]
        with pytest.raises(RunError, match="5 workers died in a row, the last ended"):
            deaths(pool)


def test_deaths_are_forgiven_when_a_trial_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pool_of("import os; os._exit(99)", monkeypatch, tmp_path) as pool:
        for _ in range(pooling.MAX_DEATHS + 1):
            assert deaths(pool)
            pool.reset_deaths()


def test_a_worker_that_cannot_go_on_ends_the_sweep_in_its_own_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = "import sys; sys.exit('note: x\\nnextchar: prose.txt: no such file')"
    with (
        pool_of(program, monkeypatch, tmp_path) as pool,
        pytest.raises(RunError, match=r"^prose\.txt: no such file$"),
    ):
        deaths(pool)
