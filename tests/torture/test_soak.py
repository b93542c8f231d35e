"""Hours in minutes: many evaluations and checkpoints, and nothing that grows but the metrics."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from conftest import PROSE
from end_to_end.processes import assert_opens, begin, changed, wait_until
from nextchar import CharRNN
from nextchar.runs.run_files import read_metrics
from nextchar.settings.config import TrainingSettings

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="wants Linux's /proc to look at a process"
)
MINUTES = float(os.environ.get("SOAK_MINUTES", "3"))
GROWTH = 4_000_000  # bytes that an allocator may come to hold for good
RECORD = 3_000  # bytes that one evaluation's record takes, in memory in two forms
NETWORK = ["--hidden-size", "48", "--num-layers", "1", "--batch-size", "8", "--seq-length", "16"]


def memory(process: int | str = "self") -> int:
    """Bytes of memory that a process has resident."""
    status = Path(f"/proc/{process}/status").read_text()
    (kilobytes,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))
    return int(kilobytes) * 1024


def threads(process: int | str = "self") -> int:
    return len(list(Path(f"/proc/{process}/task").iterdir()))


def files(process: int | str = "self") -> int:
    """Open files, a moment's temporary one included."""
    return len(list(Path(f"/proc/{process}/fd").iterdir()))


def test_a_long_run_grows_in_nothing(tmp_path: Path, prose: Path) -> None:
    """Evaluations, checkpoints, models and samples, several a second."""
    run = tmp_path / "run"
    often = ["--eval-every", "100", "--sample-every", "1000", "--patience", "1000000"]
    process = begin(
        tmp_path, prose.name, "--out", "run", *NETWORK, *often, "--steps", "100000000", "--quiet"
    )
    looks: list[tuple[int, int, int, int]] = []
    on_disk: Counter[tuple[str, ...]] = Counter()
    end = time.monotonic() + 60 * MINUTES
    while time.monotonic() < end and process.poll() is None:
        time.sleep(0.25)
        if (run / "checkpoint.safetensors").exists():
            records = (run / "metrics.jsonl").stat().st_size // 250
            pid = process.pid
            looks.append((memory(pid), threads(pid), files(pid), records))
            on_disk[tuple(sorted(path.name for path in run.glob("[!.]*")))] += 1
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 143, said

    assert len(read_metrics(run)) > 20 * MINUTES
    settled = looks[len(looks) // 4 :]
    first, last = settled[: len(settled) // 4], settled[-len(settled) // 4 :]
    grown = max(look[0] for look in last) - max(look[0] for look in first)
    assert grown < GROWTH + RECORD * (last[-1][3] - first[0][3])
    assert len({look[1] for look in settled}) == 1
    assert min(look[2] for look in last) == min(look[2] for look in first)
    assert max(look[2] for look in looks) <= min(look[2] for look in looks) + 3
    assert list(on_disk) == [
        ("best.safetensors", "checkpoint.safetensors", "config.toml", "last.safetensors",
         "metrics.jsonl", "samples.jsonl")
    ]  # fmt: skip
    assert len(list(run.iterdir())) == 7  # and the lock: nothing is left beside them
    samples = (run / "samples.jsonl").read_text(encoding="utf-8").splitlines()
    assert 1 <= len(samples) <= TrainingSettings().keep_samples
    assert_opens(run)


def test_training_again_and_again_in_one_process_grows_in_nothing(tmp_path: Path) -> None:
    """A sweep or a server that trains: engines, pools and directories are let go of."""
    sizes = []
    end = time.monotonic() + 60 * MINUTES / 3
    while time.monotonic() < end or len(sizes) < 40:
        number = len(sizes)
        model = CharRNN(
            hidden_size=32, num_layers=1, batch_size=8, seq_length=16, steps=20, threads=2,
            eval_every=5,
        )  # fmt: skip
        model.fit(text=PROSE * 10, out=tmp_path / str(number % 7 == 0) / f"{number}", verbose=False)
        model.generate("it was", length=20, seed=number)
        sizes.append((memory(), threading.active_count(), threads(), files()))
    settled = sizes[len(sizes) // 4 :]
    first, last = settled[: len(settled) // 4], settled[-len(settled) // 4 :]
    assert max(size[0] for size in last) - max(size[0] for size in first) < GROWTH
    for column in (1, 2, 3):
        assert len({size[column] for size in settled}) == 1


def test_an_estimate_of_memory_is_that_of_a_process(tmp_path: Path, prose: Path) -> None:
    """What a run takes beside the interpreter and the compiler is what was reckoned."""
    from nextchar.model.parameters import Architecture
    from nextchar.settings.config import NetworkSettings
    from nextchar.training.budget.memory_estimate import estimate_memory

    text = tmp_path / "long.txt"
    text.write_text(PROSE * 3000, encoding="utf-8")
    took = []
    for size in (64, 900):
        process = begin(
            tmp_path, text.name, "--out", f"run-{size}", "--hidden-size", str(size),
            "--preset", "medium", "--threads", "2", "--steps", "1000000", "--eval-every", "3",
            "--dtype", "float32",
        )  # fmt: skip
        checkpoint = tmp_path / f"run-{size}" / "checkpoint.safetensors"
        wait_until(process, checkpoint.exists)
        # steps, an evaluation and the writing of models and of the next checkpoint
        written, looks = changed(checkpoint), list[int]()
        while process.poll() is None and not (len(looks) >= 200 and written()):
            time.sleep(0.05)
            looks.append(memory(process.pid))
        assert process.poll() is None
        process.kill()
        process.communicate()
        architecture = Architecture(NetworkSettings(hidden_size=size), len(set(PROSE)))
        how = {"T": 64, "B": 32, "threads": 2, "dtype": "float32"}
        need = estimate_memory(architecture, TrainingSettings(), **how)
        took.append((need.total, max(looks)))
    (small_need, small), (large_need, large) = took
    assert large - small == pytest.approx(large_need - small_need, rel=0.2)
