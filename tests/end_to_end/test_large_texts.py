"""Training and scoring from disk give the same bits as from memory, resumed or not."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conftest import PROSE
from nextchar import CharRNN
from nextchar.apps.evaluate import evaluate
from nextchar.errors import InterruptedRun
from nextchar.model.file import Model
from nextchar.text.cache import spooled
from nextchar.training.events import Encoding, Event, Note
from nextchar.training.run import RunRequest, Trained, text_from_paths, train
from nextchar.training.run_context import Hooks

SETTINGS = {
    "hidden_size": 12, "num_layers": 1, "batch_size": 8, "seq_length": 8, "steps": 30,
    "eval_every": 10, "dropout": 0.2, "threads": 2, "seed": 3, "dtype": "float32",
}  # fmt: skip


@pytest.fixture
def text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A text with characters that only its end has; its cache is beside it."""
    monkeypatch.setenv("NEXTCHAR_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "text.txt"
    path.write_text(PROSE * 30 + "ЖÄ" + PROSE, encoding="utf-8", newline="")
    return path


def on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spooled, "IN_MEMORY", 1000)


def bits(trained: Trained) -> tuple[Any, ...]:
    losses = [(record.train_loss, record.val_loss) for record in trained.records]
    return trained.model.parameters.flat.tobytes(), losses, trained.model.training["text_sha256"]


@pytest.mark.parametrize("given", [{}, {"batching": "windows", "min_count": 40}], ids=str)
def test_a_run_from_disk_gives_the_same_bits(
    given: dict[str, Any], text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run() -> tuple[Any, ...]:
        return bits(train(RunRequest(text_from_paths([text]), given={**SETTINGS, **given})))

    memory = run()
    on_disk(monkeypatch)
    assert run() == memory  # encoded now
    assert run() == memory  # found in the cache
    assert len(list((text.parent / "cache" / "texts").iterdir())) == 1


def test_a_run_from_disk_is_resumed_with_the_same_bits(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = bits(train(RunRequest(text_from_paths([text]), given=SETTINGS, out=tmp_path / "whole")))
    on_disk(monkeypatch)
    asked = itertools.count()
    stop = Hooks(should_stop=lambda: next(asked) > 12)  # some of them while it is encoded
    with pytest.raises(InterruptedRun, match="at step"):
        train(RunRequest(text_from_paths([text]), given=SETTINGS, out=tmp_path / "run"), stop)
    assert bits(train(RunRequest(None, out=tmp_path / "run", resume=True))) == whole


def test_an_entry_damaged_in_the_middle_of_a_run_changes_nothing(
    text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_disk(monkeypatch)
    clean = bits(train(RunRequest(text_from_paths([text]), given=SETTINGS)))
    (entry,) = (text.parent / "cache" / "texts").iterdir()
    entry.write_bytes(b"\x01" * 100 + entry.read_bytes()[100:])
    events: list[Event] = []
    assert (
        bits(train(RunRequest(text_from_paths([text]), given=SETTINGS), Hooks(events.append)))
        == clean
    )
    notes = [event.text for event in events if isinstance(event, Note)]
    assert sum("damaged" in note and "encoding it again" in note for note in notes) == 1


def test_a_run_is_stopped_while_its_text_is_encoded(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_disk(monkeypatch)
    events: list[Event] = []
    hooks = Hooks(events.append, should_stop=lambda: True)
    with pytest.raises(InterruptedRun, match="while the text was encoded"):
        train(RunRequest(text_from_paths([text]), given=SETTINGS, out=tmp_path / "run"), hooks)
    assert [type(event) for event in events] == [Encoding]
    assert not (tmp_path / "run").exists()
    folder = tmp_path / "cache" / "texts"
    assert not folder.exists() or not list(folder.iterdir())


def test_an_open_file_goes_to_disk_too(text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fitted() -> Any:
        with text.open(encoding="utf-8", newline="") as file:
            return CharRNN(**SETTINGS).fit(file, verbose=False).model_.parameters.flat

    memory = fitted()
    monkeypatch.setattr("nextchar.api.inputs.IN_MEMORY", 1000)
    assert np.array_equal(fitted(), memory)
    assert list((text.parent / "cache" / "texts").iterdir()) == []


@pytest.mark.parametrize("lanes", [1, 3])
def test_scores_from_disk_are_the_same(
    lanes: int, small_model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEXTCHAR_CACHE", str(tmp_path))
    pieces = [PROSE * 20, "Ж", PROSE * 20]
    memory = evaluate(small_model, pieces, unknown="skip", lanes=lanes)
    on_disk(monkeypatch)
    assert evaluate(small_model, pieces, unknown="skip", lanes=lanes) == memory
    assert list((tmp_path / "texts").iterdir()) == []


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells how much memory was held")
def test_a_large_text_takes_no_more_memory_than_a_small_one(tmp_path: Path) -> None:
    """From a file, from the cache, and from standard input."""
    code = (
        "import re, sys; from pathlib import Path; from nextchar.cli.main import run\n"
        "status = run(['train', sys.argv[1], '--quiet', '--steps', '2', '--hidden-size', '8',"
        " '--num-layers', '1', '--eval-characters', '1000', '--out', sys.argv[2]])\n"
        "assert status == 0\n"
        "told = Path('/proc/self/status').read_text()\n"
        "print(int(re.search(r'VmHWM:\\s*(\\d+)', told)[1]) / 1024)"
    )
    numbers = itertools.count()

    def peak(name: str, stdin: Path | None = None) -> float:
        with (stdin or Path(os.devnull)).open("rb") as file:
            done = subprocess.run(
                [sys.executable, "-c", code, name, f"run{next(numbers)}"],
                cwd=tmp_path,
                stdin=file,
                stdout=subprocess.PIPE,
                encoding="utf-8",
                env={**os.environ, "NEXTCHAR_CACHE": str(tmp_path / "cache")},
                check=True,
            )
        return float(done.stdout)

    for name, size in (("small", 10_000_000), ("large", 120_000_000)):
        with (tmp_path / name).open("wb") as file:
            while file.tell() < size:
                file.write(PROSE.encode() * 1000)
    small = peak("small")
    for large in peak("large"), peak("large"), peak("-", tmp_path / "large"):
        assert large < small + 64  # the text alone would be 114 MiB


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot send Ctrl-C to one process only")
def test_ctrl_c_while_a_text_is_encoded_ends_the_command_with_130(text: Path) -> None:
    run = subprocess.Popen(
        [sys.executable, "-m", "nextchar", "train", "-", "--out", "run"],
        cwd=text.parent,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert run.stdin is not None
    run.stdin.write(b"abc\n" * 6_000_000)  # past the limit: it is being encoded
    run.stdin.flush()
    run.send_signal(signal.SIGINT)
    _, said = run.communicate(b"abc\n" * 600_000, timeout=240)
    assert run.returncode == 130, said
    assert said.decode().splitlines()[-1].startswith("nextchar: interrupted while the text was")
    assert not (text.parent / "run").exists()
    assert list((text.parent / "cache" / "texts").iterdir()) == []
