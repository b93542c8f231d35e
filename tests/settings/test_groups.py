"""The settings of training: each group by itself, and the rules between settings."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from nextchar.errors import SettingsError
from nextchar.settings.config import (
    BUDGETS,
    FIELDS,
    GROUPS,
    NetworkSettings,
    Settings,
    TrainingSettings,
)
from nextchar.settings.fields import setting_of
from nextchar.settings.presets import PRESETS
from settings.attempts import KINDS, refused


def test_a_setting_is_in_one_group_and_says_what_it_is_for() -> None:
    names = [field.name for kind in GROUPS.values() for field in dataclasses.fields(kind)]
    assert sorted(names) == sorted(set(names)) == sorted(FIELDS)
    for kind in KINDS:
        for field in dataclasses.fields(kind):
            assert setting_of(field).help.endswith("."), field.name


@pytest.mark.parametrize("kind", KINDS)
def test_settings_cannot_be_changed(kind: type[Any]) -> None:
    settings = kind()
    for field in dataclasses.fields(kind):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(settings, field.name, field.default)


def test_settings_are_checked_again_when_they_are_replaced() -> None:
    with pytest.raises(SettingsError, match="seq_length"):
        dataclasses.replace(TrainingSettings(), seq_length=0)


def test_tied_weights_want_an_embedding_as_wide_as_the_layer() -> None:
    message = refused(NetworkSettings, tied=True, hidden_size=8, embedding_size=4)
    assert message == (
        "tied needs embedding_size equal to hidden_size, not 4 and 8; set embedding_size to 8"
    )
    assert NetworkSettings(tied=True, hidden_size=8, embedding_size=8).tied


def test_the_parts_held_out_must_leave_one_to_train_on() -> None:
    message = refused(TrainingSettings, val_fraction=0.5, test_fraction=0.5)
    assert message.startswith("test_fraction must be below 1 together with val_fraction")


# what ends a run


ENDS = {"epochs": 2.5, "steps": 10, "time": "5m"}


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("budget", BUDGETS)
def test_the_given_budget_takes_the_place_of_the_presets(preset: str, budget: str) -> None:
    training = Settings.make(preset, **{budget: ENDS[budget]}).training
    assert {name: getattr(training, name) for name in BUDGETS} == {
        **dict.fromkeys(BUDGETS),
        budget: ENDS[budget],
    }


@pytest.mark.parametrize(
    "names", [("epochs", "steps"), ("epochs", "time"), ("steps", "time"), BUDGETS]
)
def test_two_budgets_are_refused(names: tuple[str, ...]) -> None:
    given = {name: ENDS[name] for name in names}
    with pytest.raises(SettingsError) as caught:
        Settings.make(**given)
    message = f"{names[0]} cannot be combined with {' and '.join(names[1:])}"
    assert str(caught.value) == f"{message}; give one of epochs, steps and time"
    assert refused(TrainingSettings, **given).startswith(message)


def test_a_run_without_an_end_is_refused() -> None:
    message = refused(TrainingSettings, steps=None)
    assert message == "one of epochs, steps and time is needed to end the run"


# records


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("line", "line"), ("\n", "line"), (r"\n", "line"), (r"\r\n", "line"), ("file", "file"),
        ("%%", "%%"), ("\n\n", r"\n\n"), (r"\r\n\r\n", r"\n\n"), (r"\x41", "A"), ("。", "。"),
        ("\\", r"\\"), (r"\q", r"\\q"), (r"\\n", r"\\n"), (r"\0", r"\x00"), ("\ud800", r"\ud800"),
        (r"\U0001F600", "😀"),
    ],
)  # fmt: skip
def test_a_delimiter_is_kept_with_its_escapes_always_the_same(given: str, kept: str) -> None:
    settings = Settings.make(records=given)
    assert settings.text.records == kept
    assert Settings.from_tables(settings.tables()) == settings  # kept as it is, once more


def test_records_of_bytes_end_with_one_byte() -> None:
    for value in ("line", r"\0", "\n", r"\xff"):
        assert Settings.make(records=value, alphabet="bytes").text.records
    for value in ("file", "%%", "Ā"):
        with pytest.raises(SettingsError, match="records must be line or a single byte with the"):
            Settings.make(records=value, alphabet="bytes")


@pytest.mark.parametrize("value", ["", "a\ufdd0", r"\ufdd0"])
def test_what_cannot_stand_between_records_is_refused(value: str) -> None:
    with pytest.raises(SettingsError, match="records must be line, file or a delimiter"):
        Settings.make(records=value)
