"""docs/errors.md: each mistake on it is made, and answered as it says."""

from __future__ import annotations

import io
import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from conftest import ROOT
from mistakes import MISTAKES, Mistake, make_folder, page, words
from nextchar.cli.main import run
from nextchar.kernels import COMPILING

EVERY = [mistake for mistakes in MISTAKES.values() for mistake in mistakes]
ALL = [
    pytest.param(mistake, id=f"{title}-{mistake.what}")
    for title, mistakes in MISTAKES.items()
    for mistake in mistakes
]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that all mistakes are made in, made once and copied for each."""
    folder = tmp_path_factory.mktemp("mistakes") / "folder"
    folder.mkdir()
    make_folder(folder)
    return folder


@pytest.fixture
def folder(made: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """That folder, anew: a run's text is found again under the path it was begun with."""
    whole = made.with_name("whole")
    if not whole.exists():
        shutil.copytree(made, whole)
    shutil.rmtree(made)
    shutil.copytree(whole, made)
    monkeypatch.chdir(made)
    return made


def said(capfd: pytest.CaptureFixture[str], folder: Path) -> list[str]:
    """The lines on standard error, paths as they stand on the page."""
    text = capfd.readouterr().err.replace(f"note: {COMPILING}\n", "")
    return text.replace(f"{folder.resolve()}{os.sep}", "").replace(os.sep, "/").splitlines()


def as_pattern(told: str) -> str:
    return ".+?".join(map(re.escape, told.split("…"))) + r"\Z"


@pytest.mark.parametrize("mistake", ALL)
def test_a_mistake_is_answered_as_the_page_says(
    mistake: Mistake,
    folder: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if mistake.prepare:
        mistake.prepare(folder)
    if mistake.stdin is not None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(mistake.stdin)))
    before = {path.relative_to(folder) for path in folder.rglob("*")}
    capfd.readouterr()
    assert run(words(mistake.command)) == mistake.status
    lines = said(capfd, folder)
    if mistake.status == 0:
        told = [line for line in lines if re.match(as_pattern(f"note: {mistake.told}"), line)]
        assert len(told) == bool(mistake.told), lines
        return
    lines = [line for line in lines if not line.startswith("note: ")]
    assert len(lines) == 1, lines
    assert re.match(as_pattern(f"nextchar: {mistake.told}"), lines[0]), lines[0]
    assert {path.relative_to(folder) for path in folder.rglob("*")} == before


def test_a_text_that_nothing_is_said_of_is_not_doubted(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for mistake in (each for each in EVERY if not each.told):
        run([*words(mistake.command), "--out", f"new-{mistake.command.split()[1]}"])
        notes = [line for line in said(capfd, folder) if "control" in line or "decoded" in line]
        assert notes == []


def test_the_page_is_that_of_the_mistakes() -> None:
    kept = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    assert kept == page(), "run `python tests/mistakes.py > docs/errors.md`"


def test_no_mistake_is_there_twice() -> None:
    everything = [(each.command, each.prepare) for each in EVERY]
    assert len(set(everything)) == len(everything) >= 30
