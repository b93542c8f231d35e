"""`nextchar cache` lists and clears."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nextchar.cli.main import run
from nextchar.settings.config import TextSettings
from nextchar.text.cache import spooled
from nextchar.text.reading import read_corpus


@pytest.fixture
def texts(tmp_path: Path, prose: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with one text in it."""
    monkeypatch.setenv("NEXTCHAR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(spooled, "IN_MEMORY", 100)
    read_corpus([prose], TextSettings())
    return tmp_path / "cache" / "texts"


def test_the_list_says_name_size_time_and_text(
    texts: Path, prose: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (entry,) = texts.iterdir()
    assert run(["cache"]) == 0
    line, total = capsys.readouterr().out.splitlines()
    assert line.split()[0] == entry.stem
    assert line.endswith(str(prose))
    assert total == f"1 text, 0.0 MB, in {texts}"
    assert entry.exists()


def test_the_list_is_json_if_asked(
    texts: Path, prose: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (entry,) = texts.iterdir()
    assert run(["cache", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["folder"] == str(texts)
    (text,) = printed["texts"]
    assert (text["name"], text["bytes"]) == (entry.stem, entry.stat().st_size)
    assert (text["characters"], text["text"]) == (len(prose.read_text()), str(prose))
    assert printed["cleared"] is False


def test_clearing_removes_what_is_there(texts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["cache", "--clear"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"1 text, 0.0 MB, removed from {texts}"
    assert list(texts.iterdir()) == []
    assert run(["cache"]) == 0
    assert capsys.readouterr().out == f"0 texts, 0.0 MB, in {texts}\n"


def test_a_text_that_is_in_use_may_be_cleared(texts: Path, prose: Path) -> None:
    corpus = read_corpus([prose], TextSettings())
    assert run(["cache", "--clear"]) == 0
    assert "".join(map(chr, corpus.points[corpus.codes[:]])) == prose.read_text()
