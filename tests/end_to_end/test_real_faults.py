"""Faults made in earnest, in processes of their own: what is said, and what is left on disk."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from end_to_end.processes import (
    SETTINGS,
    STEADY,
    assert_opens,
    assert_same_run,
    begin,
    changed,
    finish,
    metrics,
    wait_until,
)
from nextchar.model import container
from nextchar.runs.run_files import CHECKPOINT, CONFIG, METRICS, read_metrics

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals and limits")

TEN = [*SETTINGS, "--steps", "10"]
ENDLESS = [*STEADY, "--steps", "1000000"]
PROGRAM = [sys.executable, "-m", "nextchar"]
ENVIRONMENT = {**os.environ, "PYTHONUTF8": "1"}
# limits of this kind are for the program, not for what measures the coverage of its tests
UNMEASURED = {k: v for k, v in ENVIRONMENT.items() if not k.startswith("COV")}


def begun(folder: Path, text: Path) -> subprocess.Popen[str]:
    """An endless run in `folder / "run"` that has written its first checkpoint."""
    process = begin(folder, text.name, "--out", "run", *ENDLESS)
    wait_until(process, (folder / "run" / CHECKPOINT).exists)
    return process


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Its exit status and its last line, after no traceback."""
    _, said = process.communicate(timeout=240)
    assert "Traceback" not in said
    return process.returncode, said.splitlines()[-1]


def step_of(run: Path) -> int:
    """The step of a run's checkpoint."""
    return int(container.read(run / CHECKPOINT, "checkpoint")[1]["progress"]["step"])


def assert_goes_on(run: Path, text: Path) -> None:
    """Resumed for some steps more it is the run that was never disturbed."""
    assert_opens(run)
    steps = ["--steps", str(step_of(run) + 5)]
    folder = text.parent
    finish(begin(folder, "--out", str(run), "--resume", *steps))
    finish(begin(folder, text.name, "--out", "whole", *STEADY, *steps))
    assert_same_run(folder / "whole", run)


# signals


def test_sigterm_writes_a_checkpoint_and_exits_143(tmp_path: Path, prose: Path) -> None:
    process = begun(tmp_path, prose)
    process.send_signal(signal.SIGTERM)
    status, last = ended(process)
    step = step_of(tmp_path / "run")
    assert (status, last) == (
        143,
        f"nextchar: interrupted at step {step}, nothing is lost; "
        "continue with: nextchar train --out run --resume",
    )
    assert_goes_on(tmp_path / "run", prose)


def test_a_closed_terminal_writes_a_checkpoint_and_exits_129(tmp_path: Path, prose: Path) -> None:
    """SIGHUP often comes twice, from the shell and from the kernel, and nobody reads any more."""
    process = begun(tmp_path, prose)
    assert process.stderr
    process.stderr.close()
    for _ in range(2):
        process.send_signal(signal.SIGHUP)
    assert process.wait(timeout=240) == 129
    assert step_of(tmp_path / "run") == read_metrics(tmp_path / "run")[-1]["step"]
    assert_opens(tmp_path / "run")


# output that nobody takes


def test_a_run_goes_on_where_its_progress_is_cut_off(tmp_path: Path, prose: Path) -> None:
    """`nextchar train … 2>&1 | head -1` has shown enough; the training is wanted all the same."""
    process = begin(tmp_path, prose.name, "--out", "run", *SETTINGS)
    assert process.stderr
    assert process.stderr.readline()
    process.stderr.close()
    assert process.wait(timeout=240) == 0
    assert [record["step"] for record in metrics(tmp_path / "run")] == [*range(1, 61)]


@pytest.mark.parametrize("closed", ["2>&-", "<&- >&- 2>&-"])
def test_a_run_without_standard_streams_writes_whole_files(
    closed: str, tmp_path: Path, prose: Path
) -> None:
    """A file that is opened where standard error was must not get what is said there."""
    command = " ".join([*PROGRAM, "train", prose.name, "--out", "run", *TEN, "--json"])
    done = subprocess.run(["bash", "-c", f"exec {command} {closed}"], cwd=tmp_path, env=ENVIRONMENT)
    assert done.returncode == 0
    assert step_of(tmp_path / "run") == 10
    assert_opens(tmp_path / "run")


@pytest.mark.parametrize(("stream", "status"), [("stdout", 0), ("stderr", 1)])
def test_a_pipe_without_a_reader_is_no_status_of_its_own(
    stream: str, status: int, tmp_path: Path, prose: Path
) -> None:
    """Python would make it 120."""
    reading, writing = os.pipe()
    os.close(reading)
    args = ["train", prose.name, "--out", "run", *SETTINGS, "--steps", "2", "--json"]
    if status:
        args = ["train", "no-such-file"]
    streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    done = subprocess.run(
        [*PROGRAM, *args], cwd=tmp_path, env=ENVIRONMENT, **{**streams, stream: writing}
    )
    os.close(writing)
    assert done.returncode == status
    assert b"Traceback" not in (done.stderr or b"")


# the disk


def test_a_write_over_the_limit_keeps_the_checkpoint_before_it(tmp_path: Path, prose: Path) -> None:
    """The limit lies between the size of a model and that of a checkpoint."""
    resource = pytest.importorskip("resource")
    if not hasattr(resource, "prlimit"):
        pytest.skip("only Linux limits another process")
    run = tmp_path / "run"
    process = subprocess.Popen(
        [*PROGRAM, "train", prose.name, "--out", "run", *ENDLESS, "--hidden-size", "64"],
        cwd=tmp_path,
        env=UNMEASURED,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    wait_until(process, (run / CHECKPOINT).exists)
    limit = (run / CHECKPOINT).stat().st_size // 2
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (limit, limit))
    status, last = ended(process)
    assert (status, last) == (
        1,
        f"nextchar: {Path('run') / CHECKPOINT}: cannot be written (File too large); the last "
        "checkpoint is whole: raise the limit on file sizes (ulimit -f) and continue with: "
        "nextchar train --out run --resume",
    )
    assert_opens(run)
    assert not list(run.glob(".*.tmp"))
    assert step_of(run) == read_metrics(run)[-1]["step"] - 1


def in_namespace(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    """A shell script in which file systems can be mounted that nobody else sees."""
    way = ["unshare", "--map-root-user", "--mount"]
    if (
        not shutil.which("unshare")
        or subprocess.run([*way, "true"], capture_output=True).returncode
    ):
        pytest.skip("this machine lets nobody mount a file system of their own")
    return subprocess.run(
        [*way, "bash", "-c", script],
        cwd=folder,
        env={**ENVIRONMENT, "nextchar": " ".join(PROGRAM)},
        capture_output=True,
        encoding="utf-8",
    )


def test_a_full_disk_keeps_the_last_good_state(tmp_path: Path, prose: Path) -> None:
    """A tmpfs of 300 kB that something else fills up between two parts of a run."""
    (tmp_path / "disk").mkdir()
    steady = " ".join(STEADY)
    done = in_namespace(
        tmp_path,
        f"""
        mount -t tmpfs -o size=300k tmpfs disk
        $nextchar train {prose.name} --out disk/run {steady} --steps 5 --quiet || exit 99
        cat /dev/zero > disk/other 2> full.txt
        truncate -s -8K disk/other
        $nextchar train --out disk/run --resume --steps 10 --quiet; echo status $?
        cp -r disk/run found
        rm disk/other
        $nextchar train --out disk/run --resume --steps 10 --quiet; echo status $?
        cp -r disk/run run
        """,
    )
    assert done.stdout.split("\n") == ["status 1", "status 0", ""], done.stderr
    (told,) = done.stderr.splitlines()
    assert "cannot be written (No space left on device); the last checkpoint is whole" in told
    assert told.endswith(
        "free some disk space and continue with: nextchar train --out disk/run --resume"
    )
    assert_opens(tmp_path / "found")
    assert step_of(tmp_path / "found") == 5
    assert not list((tmp_path / "found").glob(".*.tmp"))
    finish(begin(tmp_path, prose.name, "--out", "whole", *STEADY, "--steps", "10"))
    assert_same_run(tmp_path / "whole", tmp_path / "run")


def test_a_folder_that_is_read_only_is_told_and_left_as_it_is(tmp_path: Path, prose: Path) -> None:
    """By a read-only mount: whoever is root may write to what only its permissions protect."""
    folder = tmp_path / "disk"
    finish(begin(tmp_path, prose.name, "--out", "disk/run", *STEADY, "--steps", "2"))
    before = {path.name: path.read_bytes() for path in (folder / "run").iterdir()}
    done = in_namespace(
        tmp_path,
        f"""
        mount --bind disk disk && mount -o remount,ro,bind disk
        $nextchar train --out disk/run --resume --steps 4; echo status $?
        $nextchar train {prose.name} --out disk/new; echo status $?
        """,
    )
    assert done.stdout == "status 1\nstatus 1\n", done.stderr
    told = "cannot be used (Read-only file system); make it writable, or give another --out"
    assert done.stderr.splitlines() == [
        f"nextchar: disk/run: {told}",
        f"nextchar: disk/new: {told}",
    ]
    assert {path.name: path.read_bytes() for path in (folder / "run").iterdir()} == before
    assert sorted(path.name for path in folder.iterdir()) == ["run"]


@pytest.mark.parametrize("moved", [True, False], ids=["moved", "deleted"])
def test_a_run_directory_that_goes_away_is_told(moved: bool, tmp_path: Path, prose: Path) -> None:
    process = begun(tmp_path, prose)
    (tmp_path / "run").rename(tmp_path / "elsewhere")
    if not moved:
        shutil.rmtree(tmp_path / "elsewhere")
    status, last = ended(process)
    assert (status, last) == (
        1,
        "nextchar: run: the run directory was deleted or moved during training, so nothing more "
        "can be saved; if you moved it, continue there with --resume",
    )
    assert not (tmp_path / "run").exists()
    if moved:
        assert not list((tmp_path / "elsewhere").glob(".*.tmp"))
        assert_goes_on(tmp_path / "elsewhere", prose)


# two at once, the clock, memory


def test_a_second_trainer_is_told_who_holds_the_directory(tmp_path: Path, prose: Path) -> None:
    process = begun(tmp_path, prose)
    second = begin(tmp_path, "--out", "run", "--resume")
    status, last = ended(second)
    assert status == 1
    assert last.startswith(
        f"nextchar: run: another nextchar is training there (process {process.pid} on "
    )
    assert "since 20" in last
    written = changed(tmp_path / "run" / METRICS)
    wait_until(process, written)  # the first one goes on
    assert process.poll() is None
    process.kill()
    process.communicate()
    assert_goes_on(tmp_path / "run", prose)  # and does not block once it is dead


def test_a_clock_that_is_set_back_changes_nothing(tmp_path: Path, prose: Path) -> None:
    """Each look at it finds it an hour earlier; how long things take, another clock says."""
    program = (
        "import itertools, sys, time\n"
        "from nextchar.cli.main import run\n"
        "train, steps = ['train', *sys.argv[1:], '--out'], ['--steps', '60']\n"
        "assert run([*train, 'whole', *steps]) == 0\n"
        "hours, now = itertools.count(1), time.time\n"
        "time.time = lambda: now() - 3600 * next(hours)\n"
        "assert run([*train, 'run', *steps]) == 0\n"
        "assert run([*train, 'timed', '--time', '1s']) == 0\n"
    )
    place = SETTINGS.index("--steps")
    settings = SETTINGS[:place] + SETTINGS[place + 2 :]
    assert "--steps" not in settings
    command = [sys.executable, "-c", program, prose.name, *settings]
    done = subprocess.run(command, cwd=tmp_path, env=ENVIRONMENT, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    assert_same_run(tmp_path / "whole", tmp_path / "run")
    for run in ("run", "timed"):
        records = read_metrics(tmp_path / run)
        seconds = [record["seconds"] for record in records]
        assert seconds[0] > 0
        assert seconds == sorted(seconds)
        assert all(record["chars_per_second"] > 0 for record in records)


def test_what_needs_more_memory_than_is_allowed_is_refused_first(
    tmp_path: Path, prose: Path, nextchar: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    big = ["train", prose.name, "--out", "run", "--num-layers", "2", "--hidden-size", "4000"]
    done = subprocess.run(
        ["bash", "-c", f"ulimit -v 4000000; exec {' '.join([*PROGRAM, *big])}"],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        encoding="utf-8",
    )
    refused = nextchar(*big[:-1], 10**5)
    for each, words in ((done, "the limit (ulimit -v) is 4.1 GB"), (refused, "GB of memory, ")):
        assert each.returncode == 2
        told = each.stderr.splitlines()[-1]
        assert told.startswith("nextchar: a run with these settings needs about ")
        assert words in told
        assert "lower hidden_size (now " in told
    assert not (tmp_path / "run" / CONFIG).exists()
    assert not (tmp_path / "run").exists()
