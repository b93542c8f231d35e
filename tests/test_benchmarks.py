"""The benchmark harness on tiny rows: what it writes and computes, never how fast anything is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT

if not (ROOT / "benchmarks").exists():
    pytest.skip("benchmarks/ is in the repository, not in a distribution", allow_module_level=True)

sys.path.insert(0, str(ROOT))

from benchmarks import environment, interleaved, ratios, report, rows
from benchmarks.contender import reason

PEERS = ("torch", "jax", "onnxruntime", "onnx")
BARE = 'raise ModuleNotFoundError("No module named " + __name__, name=__name__)\n'


def run(tmp_path: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """The harness where no peer can be imported, whatever is installed."""
    for peer in PEERS:
        (tmp_path / f"{peer}.py").write_text(BARE, encoding="utf-8")
    return subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "run.py", *args],
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": str(tmp_path), "OPENBLAS_CORETYPE": "Haswell"},
    )


def made(speeds: dict[str, list[float]], row: str = "train/rnn-100x1") -> dict[str, object]:
    """The record of a row with made-up speeds."""
    (found,) = rows.select(row)
    contenders = [
        {
            "contender": name,
            "label": rows.CONTENDERS[name].label,
            "speeds": each,
            "median": sorted(each)[len(each) // 2],
            "parameters": 10,
            "note": "",
        }
        for name, each in speeds.items()
    ]
    return {
        "row": found.name,
        "title": found.title,
        "kind": found.kind,
        "flops_per_character": 1e6,
        "contenders": contenders,
        "left_out": {"jax": "jax is not installed"},
        "ratios": interleaved.ratios(found, speeds),
    }


def test_a_tiny_row_runs_without_peers_and_names_the_missing_ones(tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run(tmp_path, "--rows", "tiny/train", "--seconds", "0", "--rounds", "2", "--out", out)
    assert done.returncode == 0, done.stderr
    record = json.loads((out / "report.json").read_text(encoding="utf-8"))
    (row,) = record["rows"]
    assert [each["contender"] for each in row["contenders"]] == ["nextchar", "numpy"]
    assert all(len(each["speeds"]) == 2 for each in row["contenders"])
    assert row["left_out"] == {
        "torch": "torch is not installed",
        "torch-compile": "torch is not installed",
        "jax": "jax is not installed",
    }
    assert record["machine"]["cleared"] == ["OPENBLAS_CORETYPE"]
    assert record["machine"]["sgemm"]["all"] > 0
    text = (out / "report.md").read_text(encoding="utf-8")
    assert "- jax was left out: jax is not installed." in text
    assert text.strip() == done.stdout.strip()


def test_generation_runs_without_peers(tmp_path: Path) -> None:
    args = ("--rows", "tiny/generate", "--seconds", "0", "--rounds", "1", "--out", tmp_path)
    done = run(tmp_path, *args)
    assert done.returncode == 0, done.stderr
    (row,) = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["rows"]
    assert [each["contender"] for each in row["contenders"]] == ["nextchar"]


def test_a_row_that_is_not_there_is_told(tmp_path: Path) -> None:
    done = run(tmp_path, "--rows", "train/none")
    assert done.returncode == 1
    assert "no row matches train/none" in done.stderr


def test_a_ratio_is_that_of_the_medians_and_its_spread_that_of_the_rounds() -> None:
    found = ratios.ratio([10.0, 20.0, 60.0], "peer", [10.0, 5.0, 20.0])
    assert found == ratios.Ratio("peer", value=2.0, low=1.0, high=4.0)


def test_the_best_peer_has_the_highest_median_not_the_highest_round() -> None:
    speeds = {"ours": [4.0, 4.0, 4.0], "steady": [2.0, 2.0, 2.0], "lucky": [1.0, 1.0, 9.0]}
    found = ratios.against_best(speeds, "ours", ["steady", "lucky", "absent"])
    assert found == ratios.Ratio("steady", 2.0, 2.0, 2.0)
    assert ratios.against_best(speeds, "ours", ["absent"]) is None


@pytest.mark.parametrize(
    ("value", "text"), [(1.499, "1.49"), (1.5, "1.50"), (2.9999, "2.99"), (0.29, "0.29")]
)
def test_no_ratio_is_rounded_up(value: float, text: str) -> None:
    assert ratios.floored(value) == text


def test_ratios_are_taken_within_a_precision_and_over_all() -> None:
    speeds = {"nextchar": [12.0], "torch": [6.0], "torch-bf16": [8.0], "nextchar-bf16": [24.0]}
    (row,) = rows.select("train/lstm-128x1")
    found = {
        (each["ours"], each["against"]): (each["peer"], each["value"], each["target"])
        for each in interleaved.ratios(row, speeds)
    }
    assert found["nextchar", "best"] == ("torch", 2.0, 1.8)
    assert found["nextchar", "best of all"] == ("torch-bf16", 1.5, None)
    assert found["nextchar-bf16", "best"] == ("torch-bf16", 3.0, 1.3)


def test_the_report_says_what_was_reached_and_what_fell_short() -> None:
    row = made({"nextchar": [40.0, 41.0, 42.0], "numpy": [2.0, 2.0, 2.0], "torch": [30.0] * 3})
    summary = report._summary("Training", [row])
    assert "| PyTorch eager 30 | 1.36 (1.33…1.40) | ≥ 2 | short |" in summary
    assert "| plain NumPy loop 2 | 20.50 (20.00…21.00) | ≥ 20 | reached |" in summary


def test_variables_that_pin_libraries_are_cleared() -> None:
    given = {"OPENBLAS_CORETYPE": "Haswell", "NPVL_X": "1", "OMP_NUM_THREADS": "1", "HOME": "/"}
    assert environment.pins(given) == ["NPVL_X", "OMP_NUM_THREADS", "OPENBLAS_CORETYPE"]
    kept = environment.clean(given)
    assert not environment.pins(kept)
    assert kept["HOME"] == "/"


def test_flops_are_those_of_the_products_forward_and_twice_backward() -> None:
    (row,) = rows.select("train/lstm-512x2")
    assert row.flops_per_character() == 6 * (3 * 4 * 512 * 512 + 512 * 65)


def test_a_failure_is_one_line() -> None:
    assert reason(ValueError("first\nsecond")) == "ValueError: first"
    assert reason(ModuleNotFoundError("…", name="jax.numpy")) == "jax is not installed"


def test_rows_have_names_of_their_own_and_known_contenders() -> None:
    names = [row.name for row in (*rows.ROWS, *rows.TINY)]
    assert len(names) == len(set(names))
    assert not [row for row in rows.select("*") if row.name.startswith("tiny/")]
    for row in rows.ROWS:
        assert set(row.contenders) <= set(rows.CONTENDERS)
        assert set(row.targets) <= {*rows.CONTENDERS, "best", "bfloat16"}


@pytest.mark.parametrize("row", ["tiny/lstm", "tiny/gru", "tiny/train"])
def test_the_table_of_parts_names_where_a_steps_time_goes(row: str) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "parts.py", row],
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    names = [line.split("|")[1].strip() for line in done.stdout.splitlines()[2:] if line]
    assert {"the step", "cells, forward", "cells, backward", "rest"} < set(names)
