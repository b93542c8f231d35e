"""Whole sweeps, as users run them: two workers, a journal, SQLite, PostgreSQL, kills and Ctrl-C."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from conftest import PROSE
from nextchar.cli.main import run
from nextchar.errors import RunError, SettingsError, TextError
from nextchar.model.file import load_model
from nextchar.runs.run_files import read_config
from nextchar.tuning import tune
from nextchar.tuning.study import load_study
from nextchar.tuning.worker import best_of
from tuning.postgres import postgres  # noqa: F401 - a fixture
from tuning.studies import place

TINY: dict[str, Any] = {"num_layers": 1, "batch_size": 4, "seq_length": 8, "cell": "gru"}
SIZES = {"hidden_size": (8, 16, 8)}
OPTIONS = ["--num-layers", "1", "--batch-size", "4", "--fix", "seq_length=8", "--fix", "cell=gru"]
OPTIONS += ["--range", "hidden_size=8:16:8"]
QUICK = ["--steps", "20", "--eval-every", "10"]  # each evaluation flushes files to the disk


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], str]:
    """A folder with a sweep, its JSON output, and its standard error."""
    folder = tmp_path_factory.mktemp("sweep")
    (folder / "prose.txt").write_text(PROSE * 30, encoding="utf-8", newline="")
    options = [*OPTIONS, *QUICK, "--trials", "4", "--workers", "2", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "nextchar", "tune", "prose.txt", *options],
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout), done.stderr


def study_of(folder: Path, storage: str | None = None) -> optuna.Study:
    study = load_study(place(folder / "runs" / "prose-tune", storage))
    assert study is not None
    return study


def test_a_sweep_ends_with_the_best_of_its_trials(
    swept: tuple[Path, dict[str, Any], str],
) -> None:
    folder, result, stderr = swept
    study = study_of(folder)
    best = best_of(study.trials)
    assert best is not None
    assert (result["trial"], result["loss"]) == (best.number, best.value)
    assert result["trials"]["complete"] + result["trials"]["pruned"] == 4
    assert len(study.trials) == 4
    assert sum(line.startswith("trial ") for line in stderr.splitlines()) == 4
    assert all(trial.params["hidden_size"] in {8, 16} for trial in study.trials)
    assert set(best.params) == {"hidden_size", "learning_rate", "dropout", "weight_decay"}


def test_the_best_is_a_run_directory_and_nothing_else_is_left(
    swept: tuple[Path, dict[str, Any], str],
) -> None:
    folder, result, _ = swept
    assert load_model(folder / result["directory"]).training["val_loss"] is not None
    settings, _ = read_config(folder / result["directory"])
    assert {n: v for n, v in settings.flat().items() if v is not None} == result["settings"]
    left = {path.name for path in (folder / "runs" / "prose-tune").iterdir()}
    assert left == {"best", "repeat.sh", "study.journal", "sweep.json", "trials", "workers"}
    assert [path.name for path in (folder / "runs/prose-tune/trials").iterdir()] == [
        str(result["trial"])
    ]


def test_the_command_repeats_the_best_run(
    swept: tuple[Path, dict[str, Any], str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder, result, _ = swept
    monkeypatch.chdir(folder)
    assert result["command"] in (folder / "runs/prose-tune/repeat.sh").read_text(encoding="utf-8")
    assert run([*shlex.split(result["command"])[1:], "--json", "--out", "again"]) == 0
    assert json.loads(capsys.readouterr().out)["best_loss"] == result["loss"]


def test_the_first_trial_is_what_auto_would_be_given_the_space(
    swept: tuple[Path, dict[str, Any], str],
) -> None:
    folder, result, stderr = swept
    first = study_of(folder).trials[0]
    assert first.params["hidden_size"] == 16
    assert "which is outside the search space; trial 0 has 16" in stderr
    assert result["auto_loss"] is None  # therefore not that of auto


def again(folder: Path, monkeypatch: pytest.MonkeyPatch, **changed: Any) -> Any:
    monkeypatch.chdir(folder)
    arguments = {
        **TINY,
        "steps": 20,
        "eval_every": 10,
        "ranges": SIZES,
        "trials": 4,
        "verbose": False,
        **changed,
    }
    return tune("prose.txt", **arguments)


def test_the_same_call_again_goes_on_with_the_study(
    swept: tuple[Path, dict[str, Any], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, result, _ = swept
    copy = shutil.copytree(folder, tmp_path / "copy")
    same = again(copy, monkeypatch)
    assert (same.trial, same.loss, same.command) == (
        result["trial"],
        result["loss"],
        result["command"],
    )
    shutil.rmtree(copy / "runs/prose-tune/trials")  # as where it ran on another machine
    more = tune(resume=True, out="runs/prose-tune", trials=5, verbose=False)
    assert more.complete + more.pruned == 5
    assert more.loss <= result["loss"]
    assert load_model(more.directory).training["settings"]["steps"] == 20


def test_another_sweep_in_its_place_is_refused(
    swept: tuple[Path, dict[str, Any], str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder, _, _ = swept
    with pytest.raises(RunError, match=r"holds a sweep with other settings \(fixed differs\)"):
        again(folder, monkeypatch, dropout=0.1)
    (tmp_path / "prose.txt").write_text("Another text altogether. " * 40)
    with pytest.raises(RunError, match="the sweep was started on another text"):
        tune(tmp_path / "prose.txt", out="runs/prose-tune", resume=True, verbose=False)


def wait_for(process: subprocess.Popen[str], happened: Callable[[], object]) -> Any:
    """Wait for a true value and return it."""
    while not (value := happened()):
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.05)
    return value


def begin(folder: Path, *args: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "nextchar", "tune", *args],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL and no SIGINT for others")
@pytest.mark.slow
def test_a_sweep_outlives_its_workers_and_goes_on_after_ctrl_c(prose: Path) -> None:
    folder = prose.parent
    storage = f"sqlite:///{folder}/study.db"
    where = ["--storage", storage, "--out", "runs/prose-tune"]
    long = ["--trial-time", "60s", *OPTIONS]  # none of which finishes
    process = begin(folder, "prose.txt", *where, *long)

    def running(after: int = -1) -> Any:
        if not (folder / "runs/prose-tune/sweep.json").exists():
            return []
        trials = study_of(folder, storage).get_trials(states=(TrialState.RUNNING,))
        return [t for t in trials if t.number > after and t.intermediate_values]

    (first,) = wait_for(process, running)
    os.kill(first.user_attrs["process"], signal.SIGKILL)
    (second,) = wait_for(process, lambda: running(first.number))
    assert second.params == first.params
    assert second.user_attrs["again"] == first.number
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate()
    assert process.returncode == 130, stderr
    assert "a worker was killed by signal 9; its trial is run again" in stderr
    message = "interrupted after 0 trials, nothing is lost; continue with: nextchar tune --out"
    assert message in stderr.splitlines()[-1]
    process = begin(folder, "--out", "runs/prose-tune", "--resume")
    (third,) = wait_for(process, lambda: running(second.number))
    assert third.params == first.params
    process.kill()  # its worker is left alone, and ends
    process.communicate()
    study = study_of(folder, storage)
    lock = folder / "runs/prose-tune/workers" / f"{third.user_attrs['worker']}.lock"
    while lock.exists():
        time.sleep(0.05)
    assert study.trials[third.number].state == TrialState.FAIL


@pytest.mark.slow
def test_machines_share_a_study_in_postgresql(postgres: str, prose: Path) -> None:  # noqa: F811
    """Each has its own folder; the best trial of the second may have run on the first."""
    options = [*OPTIONS, *QUICK, "--storage", postgres, "--study", "shared", "--json", "--quiet"]
    machines = [
        begin(prose.parent, "prose.txt", *options, "--out", out, "--trials", "4")
        for out in ("one", "two")
    ]
    results = []
    for process in machines:
        out, stderr = process.communicate()
        assert process.returncode == 0, stderr
        results.append(json.loads(out))
    assert all("secret" not in json.dumps(each) for each in results)
    study = load_study(place(prose.parent / "one", postgres, "shared"))
    assert study is not None
    assert 4 <= len(study.trials) <= 5  # both may begin the last one
    assert results[-1]["loss"] == min(trial.value for trial in study.trials if trial.value)
    for each in results:
        assert load_model(prose.parent / each["directory"]).training["settings"]["steps"] == 20


@pytest.fixture
def in_folder(prose: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a text, in which nothing is to be left."""
    monkeypatch.chdir(prose.parent)
    yield prose.parent
    assert [path.name for path in prose.parent.iterdir()] == ["prose.txt"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"trials": 0}, "trials must be a whole number of at least 1, got 0"),
        ({"workers": 1.5}, "workers must be a whole number"),
        ({"time": "soon"}, "time must be a duration"),
        ({"trial_time": "soon"}, "time must be a duration"),
        ({"trial_time": "5s", "steps": 4}, "give one of epochs, steps and time"),
        (
            {"cell": "gru", "choices": {"cell": ["gru"]}},
            "cell cannot be both fixed and searched; leave one out",
        ),
        ({"files": "-"}, "files cannot include standard input"),
        ({"files": ()}, "files must name a text"),
        ({"resume": True}, "resume needs the sweep to continue; add --out DIR"),
        ({"storage": "postgresql://me:***@x/y"}, "storage has no password, which is never stored"),
        ({"val_fraction": 0.0, "steps": 4, **TINY}, "val_fraction must be above 0"),
    ],
)
def test_what_a_sweep_cannot_do_is_told(
    given: dict[str, Any], message: str, in_folder: Path
) -> None:
    with pytest.raises(SettingsError, match=message):
        tune(**{"files": "prose.txt", "verbose": False, **given})


def test_a_text_or_a_sweep_that_is_not_there_is_told(in_folder: Path) -> None:
    with pytest.raises(TextError, match=r"nothere\.txt: no such file"):
        tune("nothere.txt", verbose=False)
    with pytest.raises(RunError, match=r"runs.prose-tune: no sweep to continue there"):
        tune(resume=True, out="runs/prose-tune", verbose=False)
