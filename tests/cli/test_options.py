"""Options made from settings: sections of the help, defaults in force, parameters."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import Any

import click
import pytest
from click.testing import CliRunner

from conftest import ROOT
from nextchar.cli.main import run
from nextchar.cli.options import setting_options, split_params
from nextchar.settings.config import FIELDS, GROUPS, option_of
from nextchar.settings.fields import setting_of
from nextchar.settings.presets import CHOSEN_BY_AUTO


def help_of(command: str, capfd: pytest.CaptureFixture[str]) -> dict[str, str]:
    """The help of a command by section, each in one line."""
    assert run([command, "--help"]) == 0
    parts = re.split(r"^(\w+):\n", capfd.readouterr().out, flags=re.MULTILINE)
    return {
        title: " ".join(text.split()) for title, text in zip(parts[1::2], parts[2::2], strict=True)
    }


@pytest.mark.parametrize("command", ["train", "tune"])
def test_the_help_has_the_sections_of_the_settings_page(
    command: str, capfd: pytest.CaptureFixture[str]
) -> None:
    sections = help_of(command, capfd)
    assert list(sections) == ["Options", "Text", "Network", "Training"]
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    titles = re.findall(r"^## (\w+)$", page, re.MULTILINE)
    assert [title for title in titles if title in sections] == list(sections)[1:]
    for group, kind in GROUPS.items():
        for field in dataclasses.fields(kind):
            if (command, field.name) != ("tune", "time"):  # the time of the sweep is meant
                assert f"{option_of(field.name)} " in sections[group.title()]


def test_the_help_shows_the_defaults_in_force(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["train", "--help"]) == 0
    options = re.split(r"^  (?=--)", capfd.readouterr().out, flags=re.MULTILINE)
    options = [" ".join(each.split("\n\n")[0].split()) for each in options]
    for name, field in FIELDS.items():
        (shown,) = (each for each in options if each.startswith(f"{option_of(name)} "))
        if name in CHOSEN_BY_AUTO:
            assert shown.endswith("[default: chosen by auto]")
        elif field.type == "bool":
            assert "[default" not in shown
        elif field.default is not None:
            assert shown.endswith(f"[default: {field.default}]")
        elif setting_of(field).unset:
            assert shown.endswith(f"[default: {setting_of(field).unset}]")


@pytest.mark.parametrize("name", CHOSEN_BY_AUTO)
def test_what_auto_chooses_is_a_setting(name: str) -> None:
    assert name in FIELDS


def test_an_option_that_is_absent_is_none_and_an_alias_is_understood() -> None:
    @click.command()
    @setting_options([FIELDS["seq_length"], FIELDS["tied"]], {"context": "seq_length"})
    def command(**params: Any) -> None:
        click.echo(repr(params))

    for args, expected in (
        ([], {"seq_length": None, "tied": None}),
        (["--context", "9", "--tied"], {"seq_length": 9, "tied": True}),
        (["--seq-length", "7"], {"seq_length": 7, "tied": None}),
    ):
        assert eval(CliRunner().invoke(command, args).output) == expected


@dataclass(frozen=True)
class Some:
    out: str | None
    quiet: bool


def test_parameters_are_split_into_options_and_given_settings() -> None:
    params = {"out": None, "quiet": False, "steps": 3, "cell": None, "tied": False}
    assert split_params(Some, params) == (Some(None, False), {"steps": 3, "tied": False})
