"""Number of usable cores."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nextchar.kernels.threads import usable_cores

pytestmark = pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity"), reason="only Linux lists cores and containers"
)


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of four cores with two threads each, of which this process may use three."""
    for cpu in range(8):
        folder = tmp_path / f"devices/system/cpu/cpu{cpu}/topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(f"{cpu % 4},{cpu % 4 + 4}\n")
    (tmp_path / "fs/cgroup").mkdir(parents=True)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2, 4, 5})
    return tmp_path


def test_two_threads_of_a_core_count_once(system: Path) -> None:
    assert usable_cores(system) == 3


@pytest.mark.parametrize(
    ("granted", "cores"), [("max 100000", 3), ("150000 100000", 2), ("10000 100000", 1)]
)
def test_a_container_may_grant_fewer(system: Path, granted: str, cores: int) -> None:
    (system / "fs/cgroup/cpu.max").write_text(granted + "\n")
    assert usable_cores(system) == cores


def test_without_a_list_of_cores_every_cpu_counts(system: Path) -> None:
    assert usable_cores(system / "nowhere") == 5
