"""Pages agree with each other and with the project: READMEs, links, settings page, changelog."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from conftest import ROOT
from documents import PAGES, READMES, blocks, read
from nextchar import __version__


def test_both_readmes_show_the_same_commands_and_figures() -> None:
    for language in ("console", "sh", "python"):
        english, chinese = (
            [re.sub(r"  #.*", "", block.text) for block in blocks(name, language)]
            for name in READMES
        )
        assert english == chinese
    english, chinese = (set(re.findall(r"\d+[.,]\d+", read(name))) for name in READMES)
    assert english == chinese


@pytest.mark.parametrize("name", READMES)
def test_the_readme_has_a_real_run_before_line_25(name: str) -> None:
    head = "\n".join(read(name).splitlines()[:25])
    assert "$ nextchar train" in head


@pytest.mark.parametrize("name", PAGES)
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
