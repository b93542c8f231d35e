"""`nextchar report` as a user calls it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import PROSE
from made_runs import made_run
from nextchar.cli.main import run

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    (folder / "prose.txt").write_text(PROSE * 10)
    for name in ("a", "b"):
        made_run(folder / name, folder / "prose.txt")
    return folder


def test_a_page_images_and_figures_come_out(folder: Path, nextchar: Run, tmp_path: Path) -> None:
    done = nextchar("report", folder / "a", folder / "b", "--png", "images", "--json")
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert made["page"] == "report.html"
    assert [each["run"] for each in made["runs"]] == [str(folder / "a"), str(folder / "b")]
    assert (tmp_path / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert {tmp_path / name for name in made["images"]} == {*(tmp_path / "images").iterdir()}
    assert done.stderr == ""


def test_it_says_where_the_page_is(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "some" / "page.html"
    assert run(["report", str(folder / "a"), "--out", str(page), "--quiet"]) == 0
    assert capsys.readouterr() == (f"{page}\n", "")
    assert page.exists()


def test_watching_a_run_that_is_over_makes_its_whole_page(folder: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert run(["report", str(folder / "a"), "--watch", "--out", str(page), "--quiet"]) == 0
    text = page.read_text(encoding="utf-8")
    assert "http-equiv" not in text
    assert "Model analysis" in text


def test_a_folder_without_a_run_is_reported_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["report", str(tmp_path), "--out", str(tmp_path / "x.html")]) == 1
    assert capsys.readouterr().err == f"nextchar: {tmp_path}: no run there (no config.toml)\n"


def test_without_matplotlib_images_are_refused_before_anything_is_done(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    out = tmp_path / "x.html"
    assert run(["report", str(folder / "a"), "--png", str(tmp_path), "--out", str(out)]) == 1
    error = capsys.readouterr().err
    assert error.startswith('nextchar: --png needs matplotlib; install it with: pip install "matpl')
    assert not out.exists()
