"""Several ranks train as one process does: the same losses, the same weights, one decision."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distributed import program, ranks
from nextchar.errors import TextError
from nextchar.settings.config import TextSettings
from nextchar.text import sources
from nextchar.text.cache import spooled
from nextchar.text.cache.disk_codes import CodeFile
from nextchar.text.cache.entries import open_entry
from nextchar.text.reading import read_corpus
from nextchar.training.process_group import SINGLE_PROCESS

pytestmark = ranks.needs_mpi

Left = Callable[[int], Path]


@pytest.fixture(scope="module")
def alone() -> dict[str, dict[str, np.ndarray]]:
    """Figures of one process in each variant."""
    return {
        name: program.figures(program.trained(SINGLE_PROCESS, **given)[0])
        for name, given in program.VARIANTS.items()
    }


def results_of(folder: Path) -> list[Any]:
    """Results of each of three ranks in a scenario."""
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(3)]


@pytest.mark.parametrize("size", [2, 3, 4])
def test_ranks_come_to_what_one_process_comes_to_and_do_so_again(
    size: int, alone: dict[str, dict[str, np.ndarray]], left: Left
) -> None:
    folder = left(size) / "variants"
    for name, expected in alone.items():
        first, *others = [
            dict(np.load(folder / f"{name}-{turn}-{rank}.npz"))
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


def test_nan_on_one_rank_is_one_decision_by_all(left: Left) -> None:
    folder = left(3) / "a_number_is_nan"
    results = results_of(folder)
    assert all(each["finite"] for each in results)
    (back,) = {note for each in results for note in each["notes"] if "rolled back to step" in note}
    assert "half the learning rate" in back
    assert (folder / "run" / "metrics.jsonl").read_text().count("diverged_at") == 1


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
    scenario: str, wanted: list[str], left: Left
) -> None:
    (line,) = set(results_of(left(3) / scenario))  # all stop for the same reason
    assert line.startswith("RunError: the ranks do not agree: ")
    assert all(each in line for each in wanted), line


def test_an_error_of_one_rank_ends_the_job_with_one_line_of_ours(tmp_path: Path) -> None:
    status, _, stderr = ranks.run(2, str(ranks.PROGRAM), str(tmp_path), "one_fails")
    assert status != 0
    (line,) = [line for line in stderr.splitlines() if line.startswith("nextchar: ")]
    assert line.startswith("nextchar: rank 1 on ")
    assert "the disk of this machine fell off" in line
    assert "Traceback" not in stderr


def test_a_text_on_disk_is_encoded_once_and_read_by_each_rank_where_it_has_lanes(
    left: Left, alone: dict[str, dict[str, np.ndarray]]
) -> None:
    folder = left(3) / "on_disk"
    assert len(list((folder / "cache" / "texts").iterdir())) == 1
    for rank in range(3):
        result = np.load(folder / f"{rank}.npz")
        for key, value in alone["plain"].items():  # 12 steps, order of sums
            np.testing.assert_allclose(result[key], value, rtol=1e-12, atol=1e-12)


# reading a large text: two machines of two ranks, each with its own cache


@pytest.fixture
def reports(left: Left) -> list[dict[str, Any]]:
    """The result of each of four ranks."""
    return [json.loads((left(4) / "encoded" / f"{rank}.json").read_text()) for rank in range(4)]


def content(entry: Path) -> tuple[Any, ...]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NEXTCHAR_CACHE", str(entry.parent.parent))
        opened = open_entry(entry.stem)
    assert opened
    file, index, points, description = opened
    codes = CodeFile(file, index).read(0, index.total)
    return entry.name, codes.tolist(), points.tolist(), description


def test_the_entry_of_each_cache_is_that_of_one_process(
    left: Left, reports: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = left(4)
    monkeypatch.setattr(spooled, "IN_MEMORY", 1000)
    monkeypatch.setattr(sources, "PIECE", 500)
    monkeypatch.setenv("NEXTCHAR_CACHE", str(tmp_path))
    alone = read_corpus([folder / "good.txt"], TextSettings())
    expected = content(next((tmp_path / "texts").iterdir()))
    for cache in ("one", "other"):
        (only,) = (folder / "encoded" / cache / "texts").iterdir()  # nothing of those that failed
        assert content(only) == expected
    assert {each["said"]["good"] for each in reports} == {alone.sha256}


def test_one_rank_of_each_machine_encodes_and_none_the_second_time(
    reports: list[dict[str, Any]], large_text: str
) -> None:
    first, again = zip(*(each["counts"] for each in reports), strict=True)
    assert first == (len(large_text), 0, len(large_text), 0)
    assert again == (0, 0, 0, 0)
    assert {each["said"]["again"] for each in reports} == {reports[0]["said"]["good"]}


def test_progress_is_that_of_the_whole_text(reports: list[dict[str, Any]], large_text: str) -> None:
    size = len(large_text.encode())
    assert reports[0]["progress"][-1] == [size, size]
    assert reports[0]["progress"] == sorted(reports[0]["progress"])


def test_a_bad_byte_is_reported_as_one_process_reports_it(
    left: Left, reports: list[dict[str, Any]], large_text: str
) -> None:
    place = len(large_text.encode()) - ranks.BAD
    with pytest.raises(TextError, match=f"at byte {place}") as error:
        read_corpus([left(4) / "bad.txt"], TextSettings())
    assert {each["said"]["bad"] for each in reports} == {f"TextError: {error.value}"}


def test_a_rank_that_encodes_and_is_asked_to_stop_stops_all(
    reports: list[dict[str, Any]],
) -> None:
    assert {each["said"]["stopped"] for each in reports} == {"InterruptedRun: stopped"}
