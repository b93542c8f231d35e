"""`mpiexec -n N nextchar train`: stopped, killed, resumed, and its messages."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from distributed import ranks
from nextchar.cli.main import run
from nextchar.distributed.launcher import Launch, detect_launch
from nextchar.training.saving.run_directory import CHECKPOINT, CONFIG, METRICS, read_metrics

SETTINGS = [
    "--preset", "medium", "--hidden-size", "12", "--num-layers", "1", "--batch-size", "8",
    "--seq-length", "8", "--dropout", "0.2", "--threads", "1", "--seed", "3", "--schedule",
    "constant", "--warmup", "0", "--dtype", "float64",
]  # fmt: skip
STEPS = ["--steps", "40", "--eval-every", "10"]
LONG = ["--steps", "1000000", "--eval-every", "20"]


def tensors(run: Path) -> dict[str, np.ndarray]:
    return safetensors.numpy.load_file(run / CHECKPOINT)


def assert_close(one: Path, other: Path) -> None:
    """Equal up to the order of sums."""
    mine, theirs = tensors(one), tensors(other)
    assert mine.keys() == theirs.keys()
    for name, value in mine.items():
        np.testing.assert_allclose(value, theirs[name], rtol=1e-9, atol=1e-12, err_msg=name)


def begin_long(folder: Path, text: Path, size: int, *more: str) -> subprocess.Popen[str]:
    """A run that is under way. more: settings."""
    args = [str(text), "--out", "run", *SETTINGS, *LONG, *more]
    process = ranks.begin(size, "-m", "nextchar", "train", *args, folder=folder)
    metrics = folder / "run" / METRICS
    while process.poll() is None and not metrics.exists():
        time.sleep(0.01)
    assert process.poll() is None, process.communicate()[1]
    return process


def processes_of(launcher: int) -> list[int]:
    """The ranks that a launcher started, first to last."""
    pids = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parts = (path / "environ").read_bytes().split(b"\0")
            parents, pid = {int(path.name)}, int(path.name)
            while pid > 1 and pid != launcher:
                pid = int(
                    (Path("/proc") / str(pid) / "stat").read_text().rsplit(")")[-1].split()[1]
                )
                parents.add(pid)
        except (OSError, ValueError):
            continue
        environment = dict(
            part.decode(errors="replace").split("=", 1) for part in parts if b"=" in part
        )
        rank = environment.get("PMI_RANK", environment.get("OMPI_COMM_WORLD_RANK"))
        if launcher in parents and rank:  # also where there is only one
            pids[int(rank)] = int(path.name)
    return [pids[rank] for rank in sorted(pids)]


@ranks.needs_mpi
def test_two_ranks_leave_a_run_and_one_summary(tmp_path: Path, prose: Path) -> None:
    args = [str(prose), "--out", "run", *SETTINGS, *STEPS, "--json", "--sample-every", "20"]
    status, out, stderr = ranks.train(2, *args, folder=tmp_path)
    assert status == 0, stderr
    assert json.loads(out)["steps"] == 40
    assert stderr.count("done: 40 steps") == stderr.count("step 20 writes") == 1
    assert "ranks = 2" in (tmp_path / "run" / CONFIG).read_text()
    assert not list((tmp_path / "run").glob(".*.tmp"))


@ranks.needs_mpi
def test_a_signal_to_one_rank_stops_all_and_another_number_of_ranks_goes_on(
    tmp_path: Path, prose: Path
) -> None:
    """As a batch system does before its limit; the same losses as of one that was left alone."""
    process = begin_long(tmp_path, prose, 3)
    os.kill(processes_of(process.pid)[1], signal.SIGTERM)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, stderr
    step = int(re.findall(r"interrupted at step (\d+), nothing is lost", stderr)[0])
    assert "continue with: mpiexec -n 3 nextchar train --out run --resume" in stderr
    more = str(step + 15)
    again = ["--out", "run", "--resume", "--steps", more, "--threads", "2"]
    status, _, stderr = ranks.train(2, *again, folder=tmp_path)
    assert status == 0, stderr
    assert "ranks = 2" in (tmp_path / "run" / CONFIG).read_text()
    more_options = ["--steps", more, "--eval-every", "20", "--quiet"]
    assert (
        run(["train", str(prose), "--out", str(tmp_path / "alone"), *SETTINGS, *more_options]) == 0
    )
    assert_close(tmp_path / "run", tmp_path / "alone")
    steps = [record["step"] for record in read_metrics(tmp_path / "run")]
    assert steps == [record["step"] for record in read_metrics(tmp_path / "alone")]


@ranks.needs_mpi
@pytest.mark.parametrize("victim", [0, 1])
def test_a_rank_that_is_killed_ends_the_job_and_one_process_goes_on(
    victim: int, tmp_path: Path, prose: Path
) -> None:
    process = begin_long(tmp_path, prose, 2)
    pids = processes_of(process.pid)
    os.kill(pids[victim], signal.SIGKILL)
    _, stderr = process.communicate(timeout=30)  # raises where it hangs
    assert process.returncode != 0
    assert "Traceback" not in stderr
    assert not any(Path(f"/proc/{pid}/cmdline").exists() and _is_ours(pid) for pid in pids)
    step = read_metrics(tmp_path / "run")[-1]["step"]
    again = ["--resume", "--steps", str(step + 20), "--quiet"]
    assert run(["train", "--out", str(tmp_path / "run"), *again]) == 0
    assert "ranks" not in (tmp_path / "run" / CONFIG).read_text()


def _is_ours(pid: int) -> bool:
    try:
        return b"nextchar" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


ONE_AFTER_THE_OTHER = """
import json, sys
from nextchar.cli.main import run
print(json.dumps([run(args) for args in json.loads(sys.argv[1])]))
"""


@ranks.needs_mpi
def test_a_mistake_is_told_once(tmp_path: Path, prose: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / CONFIG).write_text("")
    mistakes = (
        ([str(prose), "--out", "run"], "holds a run already", 1),
        (["nothing.txt"], "nothing.txt: ", 1),
        ([str(prose), "--batch-size", "1"], "cannot be split over 2 ranks", 2),
        ([str(prose), "--hidden-size", "0"], "hidden_size", 2),
        ([str(prose), "--hidden"], "No such option", 2),
    )
    commands = json.dumps([["train", *args, "--preset", "medium"] for args, _, _ in mistakes])
    status, out, stderr = ranks.run(2, "-c", ONE_AFTER_THE_OTHER, commands, folder=tmp_path)
    assert status == 0, stderr
    statuses = json.dumps([status for _, _, status in mistakes])
    assert out.replace("\n", "") == statuses * 2  # the ends of lines may come in any order
    lines = [line for line in stderr.splitlines() if line.startswith("nextchar: ")]
    assert len(lines) == len(mistakes), stderr
    for line, (_, wanted, _) in zip(lines, mistakes, strict=True):
        assert wanted in line


# without MPI


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, None),
        ({"OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "3"}, Launch(3, 4, "mpiexec -n 4 ")),
        ({"PMI_SIZE": "2", "PMI_RANK": "0"}, Launch(0, 2, "mpiexec -n 2 ")),
        ({"SLURM_STEP_NUM_TASKS": "8", "SLURM_PROCID": "5"}, Launch(5, 8, "srun -n 8 ")),
        ({"SLURM_NTASKS": "8", "SLURM_PROCID": "0"}, None),  # sbatch: one process
        ({"PMI_SIZE": "1", "PMI_RANK": "0"}, None),
        ({"PMI_SIZE": "many", "PMI_RANK": "0"}, None),
    ],
)
def test_launchers_are_known_by_what_they_say(
    environment: dict[str, str], expected: Launch | None
) -> None:
    assert detect_launch(environment) == expected


def as_rank(rank: int, code: str, prose: Path) -> subprocess.CompletedProcess[str]:
    """`nextchar train` as one of two that a launcher of the Open MPI kind started."""
    code += "; from nextchar.cli.main import main; main(['train', sys.argv[1], '--out', 'run'])"
    return subprocess.run(
        [sys.executable, "-c", code, str(prose)],
        cwd=prose.parent,
        env={**os.environ, "OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": str(rank)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_without_the_extra_one_rank_says_what_to_install(prose: Path) -> None:
    one, other = (
        as_rank(rank, "import sys; sys.modules['mpi4py'] = None", prose) for rank in (0, 1)
    )
    assert one.returncode == other.returncode == 1
    assert 'pip install "mpi4py>=' in one.stderr
    assert one.stderr.count("\n") == 1
    assert other.stderr == ""
    assert not (prose.parent / "run").exists()


@ranks.needs_mpi
def test_an_mpi_that_is_not_the_launchers_is_refused(prose: Path) -> None:
    """Else each would take itself for the only one."""
    one = as_rank(0, "import sys", prose)
    assert one.returncode == 1
    assert "another MPI than the launcher's" in one.stderr
    assert not (prose.parent / "run").exists()
