"""The command that repeats a run: parsed by the command line it gives the same run again."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from nextchar.cli.commands.train_command import command as train_command
from nextchar.runs.repeat_command import repeat_command
from nextchar.settings.config import FIELDS, Settings
from nextchar.settings.presets import AUTO, PRESETS


def parsed(command: str) -> dict[str, Any]:
    words = shlex.split(command)
    assert words[:2] == ["nextchar", "train"]
    return train_command.make_context("train", words[2:]).params


@pytest.mark.parametrize("start_from", [None, "my runs/old"])
@pytest.mark.parametrize(
    "given",
    [
        {}, {"cell": "rnn", "clip_by": "value"}, {"tied": True, "embedding_size": 16},
        {"time": "90s"}, {"epochs": 1.5}, {"steps": 4}, {"records": "a b"}, {"records": "\\n\\n"},
        {"learning_rate": 0.0123, "records": "'%%' \"x\"", "tied": True, "embedding_size": 16},
    ],
)  # fmt: skip
def test_the_command_gives_the_same_settings_again(
    given: dict[str, Any], start_from: str | None
) -> None:
    settings = Settings.make("medium", **{"hidden_size": 16, **given})
    params = parsed(repeat_command(settings, ["my text.txt"], ["a val.txt", "b"], start_from))
    assert (params["files"], params["val"], params["start_from"]) == (
        ("my text.txt",),
        ("a val.txt", "b"),
        start_from,
    )
    assert params["preset"] != AUTO
    again = {name: params[name] for name in FIELDS}
    assert Settings.make(params["preset"], **again) == settings


@pytest.mark.parametrize("preset", [name for name in PRESETS if name != AUTO])
def test_the_preset_is_the_one_that_needs_the_fewest_options(preset: str) -> None:
    words = shlex.split(repeat_command(Settings.make(preset, seed=7), ["text"]))
    assert words[3:5] == ["--preset", preset]
    assert words[-2:] == ["--seed", "7"]
    assert len(words) == 9  # and the budget


def test_without_files_there_is_a_placeholder() -> None:
    assert repeat_command(Settings.make("small"), []).startswith("nextchar train TEXT --preset")
