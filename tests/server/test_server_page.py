"""docs/server.md: its requests and its program are answered; it names every status and route."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import ROOT
from nextchar.server.routes import ROUTES
from serving import Server, served

PAGE = ROOT / "docs" / "server.md"
if not PAGE.exists():
    pytest.skip("docs/ is in the repository, not in a distribution", allow_module_level=True)
TEXT = PAGE.read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def poems(served_models: dict[str, Path]) -> Iterator[Server]:
    with served({"poems": served_models["prose"]}) as server:
        yield server


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_its_requests_are_answered(poems: Server) -> None:
    for block in blocks("sh"):
        whole = block.replace("\\\n", "").replace("http://127.0.0.1:8000", poems.url)
        words = shlex.split(whole)
        done = subprocess.run(
            [*words, "--fail-with-body", "--silent", "--noproxy", "*"],
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        assert done.returncode == 0, done.stdout
        assert '"text":' in done.stdout


def test_its_program_runs(poems: Server) -> None:
    (program,) = blocks("python")
    done = subprocess.run(
        [sys.executable, "-c", program.replace("http://127.0.0.1:8000", poems.url)],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONUTF8": "1", "NO_PROXY": "*"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout) == 100


def test_it_names_every_route_status_and_other_name() -> None:
    for operation in ROUTES:
        assert operation.path in TEXT
        for status in operation.statuses:
            assert re.search(rf"\b{status}\b", TEXT), status
    for name in ("n_predict", "min_tokens", "repeat_penalty", "stop_strings"):
        assert f"`{name}`" in TEXT
