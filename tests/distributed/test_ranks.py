"""Several ranks train as one process does: the same losses, the same weights, one decision."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from distributed import program, ranks
from nextchar.training.cohort import SINGLE

pytestmark = ranks.needs_mpi


@pytest.fixture(scope="module")
def alone() -> dict[str, dict[str, np.ndarray]]:
    """What one process comes to in each variant."""
    return {
        name: program.figures(program.trained(SINGLE, **given)[0])
        for name, given in program.VARIANTS.items()
    }


@pytest.mark.parametrize("size", [2, 3, 4])
def test_ranks_come_to_what_one_process_comes_to_and_do_so_again(
    size: int, alone: dict[str, dict[str, np.ndarray]], tmp_path: Path
) -> None:
    status, _, said = ranks.run(size, str(ranks.PROGRAM), "variants", str(tmp_path))
    assert status == 0, said
    for name, expected in alone.items():
        first, *others = [
            dict(np.load(tmp_path / f"{name}-{turn}-{rank}.npz"))
            for turn in (1, 2)
            for rank in range(size)
        ]
        for other in others:  # ranks among themselves, and the second time
            for key, value in first.items():
                np.testing.assert_array_equal(value, other[key], err_msg=f"{name} {key}")
        # order of sums; 12 steps let it grow by two digits; bfloat16 keeps 8 bits of a gradient
        is_exact = expected["parameters"].dtype == np.float64
        close = {"rtol": 1e-12, "atol": 1e-12} if is_exact else {"rtol": 2e-4, "atol": 2e-5}
        if name == "halves":
            close = {"rtol": 0.05, "atol": 0.05}
            assert np.abs(first["parameters"] - expected["parameters"]).max() > 1e-5
        for key, value in expected.items():
            np.testing.assert_allclose(first[key], value, err_msg=f"{name} {key}", **close)


def test_nan_on_one_rank_is_one_decision_by_all(tmp_path: Path) -> None:
    status, _, said = ranks.run(3, str(ranks.PROGRAM), "a_number_is_nan", str(tmp_path))
    assert status == 0, said
    told = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(3)]
    assert all(each["finite"] for each in told)
    (back,) = {note for each in told for note in each["notes"] if "back to step" in note}
    assert "half the learning rate" in back
    assert (tmp_path / "run" / "metrics.jsonl").read_text().count("diverged_at") == 1


@pytest.mark.parametrize(
    ("scenario", "wanted"),
    [
        (
            "others",
            ["rank 1 on", "hidden_size 13 (rank 0 has 12)", "instruction set sse2 (rank 0 has"],
        ),
        ("one_drifts", ["rank 1 on", "weights"]),
    ],
)
def test_ranks_that_disagree_are_told_which_and_how(
    scenario: str, wanted: list[str], tmp_path: Path
) -> None:
    status, _, said = ranks.run(3, str(ranks.PROGRAM), scenario, str(tmp_path))
    assert status != 0
    (line,) = [line for line in said.splitlines() if line.startswith("nextchar: ")]
    assert "the ranks do not agree: " in line
    assert all(each in line for each in wanted), line


def test_an_error_of_one_rank_ends_the_job_with_one_line_of_ours(tmp_path: Path) -> None:
    status, _, said = ranks.run(3, str(ranks.PROGRAM), "one_fails", str(tmp_path))
    assert status != 0
    (line,) = [line for line in said.splitlines() if line.startswith("nextchar: ")]
    assert line.startswith("nextchar: rank 1 on ")
    assert "the disk of this machine fell off" in line
    assert "Traceback" not in said


def test_a_text_on_disk_is_encoded_once_and_read_by_each_rank_where_it_has_lanes(
    tmp_path: Path, alone: dict[str, dict[str, np.ndarray]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEXTCHAR_CACHE", str(tmp_path / "cache"))
    status, _, said = ranks.run(2, str(ranks.PROGRAM), "on_disk", str(tmp_path))
    assert status == 0, said
    assert len(list((tmp_path / "cache" / "texts").glob("*.codes"))) == 1
    for rank in (0, 1):
        found = np.load(tmp_path / f"{rank}.npz")
        for key, value in alone["plain"].items():  # 12 steps, order of sums
            np.testing.assert_allclose(found[key], value, rtol=1e-12, atol=1e-12)
