"""The run directory: one owner, whole files, round trips of settings."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nextchar.errors import ModelFileError, RunError
from nextchar.model.file import BEST, LAST, Model, load_model
from nextchar.runs.run_files import (
    CHECKPOINT,
    CONFIG,
    METRICS,
    OWNER,
    read_config,
    read_metrics,
)
from nextchar.settings.config import Settings
from nextchar.settings.presets import PRESETS
from nextchar.text.corpus import text_corpus
from nextchar.training.run import RunRequest, TextInput, train
from nextchar.training.saving.run_directory import RunDirectory, free_name
from nextchar.training.saving.run_lock import owner_of

SETTINGS = Settings.make(hidden_size=8)
SOURCE: dict[str, Any] = {"inputs": ["/a text.txt", "数据.txt"], "validation": []}

HOLD = (
    "import sys, time; from pathlib import Path\n"
    "from nextchar.training.saving.run_directory import RunDirectory\n"
    "held = RunDirectory(Path(sys.argv[1])); print('held', flush=True); time.sleep(600)"
)


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    """The directory of a run that has started."""
    with RunDirectory.create(tmp_path / "run") as directory:
        directory.write_config(SETTINGS, SOURCE)
    return tmp_path / "run"


# one owner


def test_a_second_owner_in_the_same_process_is_refused(begun: Path) -> None:
    with RunDirectory.open(begun):
        for way in (RunDirectory.open, RunDirectory.create):
            with pytest.raises(RunError, match="another nextchar is training there") as caught:
                way(begun)
            assert str(begun) in str(caught.value)
    RunDirectory.open(begun).close()


def test_a_second_owner_in_another_process_is_refused(begun: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from nextchar.errors import RunError\n"
        "from nextchar.training.saving.run_directory import RunDirectory\n"
        "try: RunDirectory.open(Path(sys.argv[1]))\n"
        "except RunError as error: print(error)\n"
        "else: print('mine')"
    )

    def other() -> str:
        command = [sys.executable, "-c", program, str(begun)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    with RunDirectory.open(begun):
        assert f"{begun}: another nextchar is training there" in other()
    assert other() == "mine\n"


def test_the_second_owner_learns_of_the_first_until_that_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path / "run")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(RunError) as caught:
            RunDirectory(tmp_path / "run")
        assert f"process {holder.pid} on {platform.node()}, since" in str(caught.value)
        holder.kill()
    assert json.loads((tmp_path / "run" / OWNER).read_text())["process"] == holder.pid
    with RunDirectory(tmp_path / "run"):  # the owner file and the lock of the dead one do not block
        assert f"process {os.getpid()} " in owner_of(tmp_path / "run")
    assert owner_of(tmp_path / "run") == ""


def test_a_lock_file_without_an_owner_does_not_block(begun: Path) -> None:
    (begun / ".lock").write_text("left by a machine that lost power")
    RunDirectory.open(begun).close()


def test_a_directory_is_let_go_of_where_creating_it_is_refused(begun: Path) -> None:
    with pytest.raises(RunError, match="holds a run already"):
        RunDirectory.create(begun)
    RunDirectory.open(begun).close()


def test_what_a_killed_process_left_is_removed(begun: Path) -> None:
    for name in (f".{LAST}.123-456.tmp", f".{CONFIG}.1-2.tmp"):
        (begun / name).write_bytes(b"half a fi")
    (begun / "notes.tmp").write_text("the user's own")
    with RunDirectory.open(begun):
        pass
    assert not list(begun.glob(".*.tmp"))
    assert (begun / "notes.tmp").exists()


def test_what_cannot_be_a_directory_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file")
    for path in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(RunError, match="cannot be used"):
            RunDirectory.create(path)


def test_a_directory_in_which_nothing_was_begun_leaves_no_trace(tmp_path: Path) -> None:
    RunDirectory.create(tmp_path / "runs" / "run").close()
    assert not (tmp_path / "runs").exists()


def test_a_directory_that_was_there_stays(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("a file of the user")
    RunDirectory.create(tmp_path).close()
    assert (tmp_path / "mine").exists()


# config.toml


@pytest.mark.parametrize(
    "given",
    [
        *({"preset": preset} for preset in PRESETS),
        {"epochs": 2.5},
        {"time": "5m", "patience": 3, "stride": 2, "normalize": "NFC"},
        {"seed": 2**63 - 1, "learning_rate": 1 / 3, "weight_decay": 5e-324},
        {"embedding_size": 256, "tied": True, "encoding": "utf-16", "pattern": '*"\\.txt'},
    ],
)
def test_settings_come_back_as_they_were(tmp_path: Path, given: dict[str, Any]) -> None:
    settings = Settings.make(**given)
    with RunDirectory.create(tmp_path / "run") as directory:
        directory.write_config(settings, SOURCE)
    assert read_config(tmp_path / "run") == (settings, SOURCE)


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff", b"[source]\n[network]\nhidden_size = 0", b"[source", b"[source]\nx = 1\n[text]\n"
     b"colour = 1", b"source = 1\n"],
)  # fmt: skip
def test_a_damaged_config_is_reported(begun: Path, content: bytes) -> None:
    (begun / CONFIG).write_bytes(content)
    with pytest.raises(RunError, match="cannot be read") as caught:
        read_config(begun)
    assert str(begun / CONFIG) in str(caught.value)


@pytest.mark.parametrize("number", ["2", "'1'", "1.5", "[]", "{ a = 1 }", "true_"])
def test_a_directory_of_another_format_says_which(begun: Path, number: str) -> None:
    text = (begun / CONFIG).read_text(encoding="utf-8")
    assert text.startswith("format = 1\n")
    (begun / CONFIG).write_text(text.replace("format = 1", f"format = {number}"), encoding="utf-8")
    with pytest.raises(RunError, match=r"a run of format|cannot be read") as caught:
        read_config(begun)
    assert len(str(caught.value).splitlines()) == 1


def test_every_config_that_lost_its_end_is_reported(begun: Path) -> None:
    data = (begun / CONFIG).read_bytes()
    for length in range(len(data.rstrip())):
        (begun / CONFIG).write_bytes(data[:length])
        with pytest.raises(RunError, match="cannot be read"):
            read_config(begun)


@pytest.mark.parametrize(
    "content",
    [
        b"a = " + b"[" * 100_000,
        b"[network]\nhidden_size = " + b"9" * 5000,
        b"[text]\npreset = 'small'\n[source]\ninputs = []\nvalidation = []",
        b"[text]\nself = 1\n[source]\ninputs = []\nvalidation = []",
        b"[text]\ncls = 1\n[source]\ninputs = []\nvalidation = []",
        b"text = 1\n[source]\ninputs = []\nvalidation = []",
        b"[source]\ninputs = 'abc'\nvalidation = []",
        b"[source]\ninputs = [1]\nvalidation = []",
    ],
    ids=lambda content: content[:30],
)
def test_a_config_of_odd_content_is_reported_in_a_line(begun: Path, content: bytes) -> None:
    (begun / CONFIG).write_bytes(content)
    with pytest.raises(RunError, match="cannot be read") as caught:
        read_config(begun)
    assert len(str(caught.value).splitlines()) == 1


def test_where_there_is_no_config_there_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no run there"):
        read_config(tmp_path)
    with pytest.raises(RunError, match="no run to resume there"):
        RunDirectory.open(tmp_path)


# metrics.jsonl


def test_metrics_come_back_as_they_were(begun: Path) -> None:
    records = [{"step": step, "train_loss": 1 / 3 / step} for step in (1, 2, 3)]
    with RunDirectory.open(begun) as directory:
        for record in records:
            directory.append_metrics(record)
    assert read_metrics(begun) == records


def test_metrics_after_the_checkpoint_are_forgotten(begun: Path) -> None:
    with RunDirectory.open(begun) as directory:
        for step in (1, 2, 3):
            directory.append_metrics({"step": step})
    with RunDirectory.open(begun) as directory:
        assert directory.rewind_metrics(2) == [{"step": 1}, {"step": 2}]
        directory.append_metrics({"step": 4})
    assert read_metrics(begun) == [{"step": 1}, {"step": 2}, {"step": 4}]


def test_a_run_without_evaluations_has_no_metrics(begun: Path) -> None:
    assert read_metrics(begun) == []


@pytest.mark.parametrize("content", [b"{", b"{\n", b"[]\n", b"{}\n", b"1\n", b"\xff\n"])
def test_damaged_metrics_are_reported(begun: Path, content: bytes) -> None:
    (begun / METRICS).write_bytes(content)
    with pytest.raises(RunError, match="cannot be read"):
        read_metrics(begun)


# models and checkpoint


def test_models_are_kept_under_their_names(begun: Path, small_model: Model) -> None:
    with RunDirectory.open(begun) as directory:
        directory.save_model(BEST, small_model)
        directory.save_model(LAST, small_model)
    for path in (begun, begun / BEST, begun / LAST):
        loaded = load_model(path)
        assert loaded.parameters.flat.tobytes() == small_model.parameters.flat.tobytes()


def test_a_damaged_checkpoint_is_reported_and_left_as_it_is(tmp_path: Path) -> None:
    text = TextInput(lambda how, listener: text_corpus("to be or not to be, " * 20, how))
    given = {"hidden_size": 8, "num_layers": 1, "steps": 2, "threads": 1}
    train(RunRequest(text, given=given, out=tmp_path / "run"))
    damaged = (tmp_path / "run" / CHECKPOINT).read_bytes()[:-10]
    (tmp_path / "run" / CHECKPOINT).write_bytes(damaged)
    with pytest.raises(ModelFileError, match=CHECKPOINT):
        train(RunRequest(text, out=tmp_path / "run", resume=True))
    assert (tmp_path / "run" / CHECKPOINT).read_bytes() == damaged
    assert load_model(tmp_path / "run")


# names


@pytest.mark.parametrize(
    ("inputs", "name"),
    [
        (["poems.txt"], "poems"),
        (["a/b/poems.tar.gz", "other.txt"], "poems"),
        (["folder/"], "folder"),
        (["-"], "stdin"),
        ([".hidden"], "text"),
        (["a\0b"], "text"),
        ([], "text"),
    ],
)
def test_a_run_is_named_after_its_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inputs: list[str], name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert free_name(inputs) == Path("runs") / name


def test_a_name_that_is_taken_gets_a_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for expected in ("poems", "poems-2", "poems-3"):
        path = free_name(["poems.txt"])
        assert path == Path("runs") / expected
        path.mkdir(parents=True)
        (path / "file").touch()
    (tmp_path / "runs" / "file").touch()
    assert free_name(["file.txt"]) == Path("runs") / "file-2"
    (tmp_path / "runs" / "empty").mkdir()
    assert free_name(["empty.txt"]) == Path("runs") / "empty"


def test_half_a_line_at_the_end_of_the_metrics_does_not_keep_a_run_from_opening(
    begun: Path,
) -> None:
    """None is ever written; an interrupted copy of the directory may have one."""
    whole = b'{"step": 5}\n{"step": 10}\n'
    (begun / METRICS).write_bytes(whole + b'{"step": 15, "tra')
    assert [record["step"] for record in read_metrics(begun)] == [5, 10]
    with RunDirectory.open(begun) as directory:
        assert [record["step"] for record in directory.rewind_metrics(20)] == [5, 10]
        directory.append_metrics({"step": 25})
    assert [record["step"] for record in read_metrics(begun)] == [5, 10, 25]
    assert (begun / METRICS).read_bytes().endswith(b"}\n")


def test_a_last_line_that_lacks_only_its_end_counts(begun: Path) -> None:
    (begun / METRICS).write_bytes(b'{"step": 5}\n{"step": 10}')
    assert [record["step"] for record in read_metrics(begun)] == [5, 10]
