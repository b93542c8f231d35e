"""A run directory and a model of an earlier version (commit e7b4d29) open and behave as then.

They were made by `nextchar train - --cell gru --hidden-size 8 --num-layers 1 --seq-length 16
--batch-size 4 --dtype float64 --steps 40 --eval-every 10 --threads 1 --keep-samples 3 --seed 3`
on PROSE × 8. The figures below were printed by that version.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from conftest import PROSE, ROOT
from nextchar import CharRNN
from nextchar.runs.run_files import read_metrics

KEPT = ROOT / "tests" / "kept" / "e7b4d29"
Program = Callable[..., CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A copy of the run directory, with its text next to it."""
    (tmp_path / "text.txt").write_text(PROSE * 8, encoding="utf-8", newline="")
    shutil.copytree(KEPT / "run", tmp_path / "run")
    return tmp_path / "run"


def test_the_model_file_scores_and_writes_as_it_did() -> None:
    model = CharRNN.load(KEPT / "model.safetensors")
    # another order of summation on another instruction set moves the tenth digit
    assert model.score("It was the age of wisdom") == pytest.approx(-2.7448573537154424, rel=1e-8)
    text = model.generate("It was", length=40, seed=1)
    assert text == "hw,wbeseh ohcrcg e.aobgywoha,wh lrlu hf "


def test_the_commands_take_the_run_directory(run: Path, nextchar: Program) -> None:
    done = nextchar("eval", run, "text.txt", "--json")
    assert json.loads(done.stdout)["nats_per_char"] == pytest.approx(2.7748922840110417, rel=1e-6)
    assert nextchar("info", run).returncode == 0
    assert nextchar("report", run, "--json").returncode == 0
    assert len(read_metrics(run)) == 4


def test_the_run_can_be_resumed(run: Path, nextchar: Program) -> None:
    args = ("train", "-", "--out", "run", "--resume", "--steps", "60", "--quiet")
    done = nextchar(*args, input=PROSE * 8)
    assert done.returncode == 0, done.stderr
    last = read_metrics(run)[-1]
    assert last["step"] == 60
    assert last["val_loss"] == pytest.approx(2.7712602602766516, rel=1e-6)


def test_a_new_run_can_start_from_the_model(run: Path, nextchar: Program) -> None:
    model = KEPT / "model.safetensors"
    done = nextchar("train", "text.txt", "--from", model, "--steps", "2", "--out", "new")
    assert done.returncode == 0, done.stderr
