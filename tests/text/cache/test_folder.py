"""Location of the cache folder."""

from __future__ import annotations

from pathlib import Path

import pooch
import pytest

from nextchar.text.cache.folder import VARIABLE, cache_folder


def test_the_environment_names_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "here"))
    assert cache_folder() == tmp_path / "here"


def test_otherwise_it_is_the_systems_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert cache_folder() == Path(pooch.os_cache("nextchar"))
    monkeypatch.setenv(VARIABLE, "")
    assert cache_folder() == Path(pooch.os_cache("nextchar"))
