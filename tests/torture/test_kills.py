"""Two hundred kills at moments by chance: the run is in the end what it was without them."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from end_to_end.processes import SETTINGS, assert_same_run, begin, finish, kill_again_and_again

KILLS = 20  # of each of the ten
CASES = {
    "lstm": [],
    "gru, windows": ["--cell", "gru", "--batching", "windows"],
    "rnn, momentum": ["--cell", "rnn", "--optimizer", "momentum"],
    "one thread": ["--threads", "1"],
    "two layers, embedding": ["--num-layers", "2", "--embedding-size", "6"],
    "float64": ["--dtype", "float64"],
    "no validation": ["--val-fraction", "0"],
    "bytes": ["--alphabet", "bytes"],
    "evaluations far apart": ["--eval-every", "7"],
    # weight decay multiplies the matrices by -2.7 a step until the run goes back, then by -0.85
    "numbers that run away": [
        "--optimizer", "sgd", "--learning-rate", "0.025", "--weight-decay", "148", "--clip", "0",
        "--schedule", "constant", "--warmup", "3", "--eval-every", "2",
    ],
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_resume_after_kill_gives_the_same_bits(case: str, tmp_path: Path, prose: Path) -> None:
    settings = [*SETTINGS, "--steps", "200", *CASES[case]]
    kill_again_and_again(tmp_path, prose.name, settings, KILLS, random.Random(case))
    said = finish(begin(tmp_path, prose.name, "--out", "whole", *settings))
    assert ("half the learning rate" in said) == ("run away" in case)
    assert_same_run(tmp_path / "whole", tmp_path / "run")
