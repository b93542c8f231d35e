"""Nothing is written that is not run: READMEs, settings page, changelog."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import PROSE, ROOT
from nextchar import __version__

READMES = ["README.md", "README.zh-CN.md"]
PAGES = [*READMES, "docs/generation.md", "docs/tuning.md"]
RUN = [each for each in PAGES if each != READMES[1]]  # whose commands are the first one's
BUDGETS = {"--time", "--steps", "--epochs", "--trials", "--trial-time"}
NAMES = "Anna\nBeta\nCarla\nDora\nJohn\nJosef\nJo\n" * 20


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(name: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", read(name), re.MULTILINE | re.DOTALL)


def commands(name: str) -> list[str]:
    """Every call of the program that a page shows."""
    lines = "".join(blocks(name, "console") + blocks(name, "sh")).splitlines()
    calls = [line.removeprefix("$ ") for line in lines]
    return [call.split("  #")[0] for call in calls if call.startswith("nextchar ")]


def shortened(command: str) -> list[str]:
    """A command with a budget of a few steps in place of its own."""
    args = shlex.split(command)[1:]
    if args[0] not in {"train", "tune"}:
        return args
    kept, skip = [], False
    for arg in args:
        if not skip and arg not in BUDGETS:
            kept.append(arg)
        skip = arg in BUDGETS
    if args[0] == "train":
        return [*kept, "--steps", "4"]
    few = ["--trials", "3"] if "--resume" in args else ["--steps", "4", "--trials", "2"]
    return [*kept, *few]


@pytest.mark.slow
@pytest.mark.parametrize("name", RUN)
def test_the_commands_of_a_page_run(name: str, tmp_path: Path) -> None:
    (tmp_path / "input.txt").write_text(PROSE * 20, encoding="utf-8")
    (tmp_path / "names.txt").write_text(NAMES, encoding="utf-8")
    (tmp_path / "new.txt").write_text(PROSE * 10, encoding="utf-8")
    (tmp_path / "prompt.txt").write_text("It was", encoding="utf-8")
    (tmp_path / "prompts.txt").write_text("It was\nthe age\n", encoding="utf-8")
    assert commands(name)
    for command in commands(name):
        if command.startswith("nextchar serve"):
            serve_for_a_moment(command, tmp_path)
            continue
        done = subprocess.run(
            [sys.executable, "-m", "nextchar", *shortened(command)],
            cwd=tmp_path,
            capture_output=True,
            encoding="utf-8",
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"


def serve_for_a_moment(command: str, folder: Path) -> None:
    """Start a server on a free port and end it as soon as it says where it listens."""
    args = [*shlex.split(command)[1:], "--port", "0"]
    with subprocess.Popen(
        [sys.executable, "-m", "nextchar", *args],
        cwd=folder,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as server:
        assert server.stderr is not None
        lines = iter(server.stderr.readline, "")
        assert any("http://127.0.0.1:" in line for line in lines), command
        server.terminate()
        assert server.wait(60) == 0


def test_the_python_of_the_readme_runs(tmp_path: Path) -> None:
    (tmp_path / "input.txt").write_text(PROSE * 5, encoding="utf-8")
    (code,) = blocks("README.md", "python")
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr


def test_both_readmes_show_the_same_commands_and_figures() -> None:
    for language in ("console", "sh", "python"):
        english, chinese = (
            [re.sub(r"  #.*", "", block) for block in blocks(name, language)] for name in READMES
        )
        assert english == chinese
    english, chinese = (set(re.findall(r"\d+[.,]\d+", read(name))) for name in READMES)
    assert english == chinese


@pytest.mark.parametrize("name", READMES)
def test_the_readme_has_a_real_run_before_line_25(name: str) -> None:
    head = "\n".join(read(name).splitlines()[:25])
    assert "$ nextchar train" in head


@pytest.mark.parametrize("name", [*PAGES, "CONTRIBUTING.md", "docs/design.md"])
def test_links_to_files_lead_somewhere(name: str) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", read(name)):
        if "://" not in target:
            assert (ROOT / name).parent.joinpath(target).exists(), target


def test_the_settings_page_is_that_of_the_settings() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "make_settings.py"],
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert done.stdout == read("docs/settings.md"), "run `make settings`"


def test_the_changelog_begins_with_this_version() -> None:
    assert re.findall(r"^## (\S+)", read("CHANGELOG.md"), re.MULTILINE)[0] == __version__


def test_the_documents_name_every_make_target_of_contributing() -> None:
    makefile = read("Makefile")
    for target in re.findall(r"`make ([a-z-]+)", read("CONTRIBUTING.md")):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
