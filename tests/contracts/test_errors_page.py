"""docs/errors.md: each command on it is run and prints the message that the page shows."""

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
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of all mistakes, made once and copied for each."""
    folder = tmp_path_factory.mktemp("mistakes") / "folder"
    folder.mkdir()
    make_folder(folder)
    return folder


@pytest.fixture
def folder(template: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh copy at the same path, under which a run finds its text again."""
    whole = template.with_name("whole")
    if not whole.exists():
        shutil.copytree(template, whole)
    shutil.rmtree(template)
    shutil.copytree(whole, template)
    monkeypatch.chdir(template)
    return template


def printed(capfd: pytest.CaptureFixture[str], folder: Path) -> list[str]:
    """The lines on standard error, with paths as on the page."""
    text = capfd.readouterr().err.replace(f"note: {COMPILING}\n", "")
    return text.replace(f"{folder.resolve()}{os.sep}", "").replace(os.sep, "/").splitlines()


def as_pattern(message: str) -> str:
    return ".+?".join(map(re.escape, message.split("…"))) + r"\Z"


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
    lines = printed(capfd, folder)
    if mistake.status == 0:
        notes = [line for line in lines if re.match(as_pattern(f"note: {mistake.message}"), line)]
        assert len(notes) == bool(mistake.message), lines
        return
    lines = [line for line in lines if not line.startswith("note: ")]
    assert len(lines) == 1, lines
    assert re.match(as_pattern(f"nextchar: {mistake.message}"), lines[0]), lines[0]
    assert {path.relative_to(folder) for path in folder.rglob("*")} == before


def test_a_text_that_nothing_is_said_of_is_not_doubted(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for mistake in (each for each in EVERY if not each.message):
        run([*words(mistake.command), "--out", f"new-{mistake.command.split()[1]}"])
        notes = [line for line in printed(capfd, folder) if "control" in line or "decoded" in line]
        assert notes == []


def test_the_page_is_that_of_the_mistakes() -> None:
    kept = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    assert kept == page(), "run `python tests/mistakes.py > docs/errors.md`"


def test_no_mistake_is_there_twice() -> None:
    everything = [(each.command, each.prepare) for each in EVERY]
    assert len(set(everything)) == len(everything) >= 30
