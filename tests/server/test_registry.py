"""The served models: names by their files, run directories or aliases."""

from __future__ import annotations

from pathlib import Path

import pytest

from nextchar.errors import SettingsError
from nextchar.model.file import Model, save_model
from nextchar.server.registry import load_registry
from nextchar.server.server_settings import ServerSettings


def test_models_are_named_by_their_files_or_run_directories(
    tmp_path: Path, small_model: Model
) -> None:
    (tmp_path / "poems").mkdir()
    for name in ("poems/best.safetensors", "novel.v2.safetensors"):
        save_model(tmp_path / name, small_model)
    for name in ("poems", "poems/best.safetensors"):
        registry = load_registry([str(tmp_path / name)], [], ServerSettings())
        assert [each.name for each in registry] == ["poems"]
    (served_model,) = load_registry([str(tmp_path / "novel.v2.safetensors")], [], ServerSettings())
    assert served_model.name == "novel.v2"


@pytest.mark.parametrize(
    ("paths", "aliases"), [(2, ["one"]), (1, [""]), (1, ["a\nb"]), (2, ["one", "one"]), (2, [])]
)
def test_a_name_that_cannot_be_used_is_an_error_of_alias(
    served_models: dict[str, Path], paths: int, aliases: list[str]
) -> None:
    path = str(served_models["prose"])
    with pytest.raises(SettingsError) as raised:
        load_registry([path] * paths, aliases, ServerSettings())
    assert raised.value.setting == "alias"
