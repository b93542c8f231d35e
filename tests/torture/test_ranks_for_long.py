"""Ranks killed at moments by chance, again and again, and other numbers of ranks that go on."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest

from distributed import ranks
from distributed.test_train_command import (
    LONG,
    SETTINGS,
    assert_close,
    begin_long,
    processes_of,
)
from end_to_end.processes import assert_opens
from nextchar.training.saving.run_directory import read_metrics

pytestmark = ranks.needs_mpi
KILLS = 25
# over ten thousand steps training makes any difference of rounding grow, the less the slower it is
SLOWLY = ["--learning-rate", "1e-4"]


def test_kills_at_any_moment_lose_nothing_whoever_goes_on(tmp_path: Path, prose: Path) -> None:
    moments = random.Random(5)
    process, run = begin_long(tmp_path, prose, 2, *SLOWLY), tmp_path / "run"
    for _ in range(KILLS):
        time.sleep(moments.uniform(0, 1.5))
        if pids := processes_of(process.pid):
            os.kill(moments.choice(pids), signal.SIGKILL)
        _, said = process.communicate(timeout=60)
        assert process.returncode != 0
        assert "Traceback" not in said
        assert_opens(run)
        size = moments.choice([1, 2, 3, 4])
        again = ["-m", "nextchar", "train", "--out", "run", "--resume", *LONG, "--threads", "1"]
        process = ranks.begin(size, *again, folder=tmp_path)
        time.sleep(moments.uniform(0, 4))
    last = read_metrics(run)[-1]["step"]
    process.kill()
    process.communicate()
    time.sleep(1)  # the launcher's own children
    end = str(last + 60)
    status, _, said = ranks.train(
        3, "--out", "run", "--resume", "--steps", end, "--threads", "1", folder=tmp_path
    )
    assert status == 0, said
    status, _, said = ranks.train(
        1, str(prose), "--out", "alone", *SETTINGS, *SLOWLY, "--steps", end, "--eval-every", "20",
        folder=tmp_path,
    )  # fmt: skip
    assert status == 0, said
    assert_close(run, tmp_path / "alone")


@pytest.mark.parametrize("size", [2, 4])
def test_a_time_ends_on_time_on_all_ranks(size: int, tmp_path: Path, prose: Path) -> None:
    args = [str(prose), "--out", "run", "--time", "6s"]
    status, _, said = ranks.train(size, *args, folder=tmp_path)
    assert status == 0, said
    assert 4.5 < read_metrics(tmp_path / "run")[-1]["seconds"] < 8
