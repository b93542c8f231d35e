"""`Settings`: presets, names, tables."""

from __future__ import annotations

import dataclasses
import tomllib
from typing import Any

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from nextchar.errors import SettingsError
from nextchar.settings import groups
from nextchar.settings.config import (
    BUDGETS,
    FIELDS,
    GROUPS,
    NetworkSettings,
    Settings,
    TextSettings,
    TrainingSettings,
    laid_over,
    option_of,
)
from nextchar.settings.presets import PRESET_HELP, PRESETS

# defaults and presets


def test_the_defaults_are_the_preset_medium() -> None:
    assert Settings.make() == Settings.make("medium")
    assert Settings.make() == Settings(TextSettings(), NetworkSettings(), TrainingSettings())


def test_the_default_is_an_lstm_of_two_layers_over_the_text_as_it_is() -> None:
    settings = Settings.make()
    assert (settings.network.cell, settings.network.hidden_size) == ("lstm", 256)
    assert settings.network.num_layers == 2
    assert (settings.training.seq_length, settings.training.batch_size) == (64, 32)
    assert settings.text == TextSettings(encoding="utf-8", normalize=None, alphabet="characters")


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_holds_what_it_sets(preset: str) -> None:
    flat = Settings.make(preset).flat()
    assert flat.items() >= PRESETS[preset].items()


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_leaves_all_else_at_its_default(preset: str) -> None:
    changed = {n for n, v in Settings.make(preset).flat().items() if v != FIELDS[n].default}
    assert changed <= {*PRESETS[preset], *BUDGETS}


def test_every_preset_has_a_line_of_help() -> None:
    assert set(PRESET_HELP) == set(PRESETS)
    assert all(PRESET_HELP.values())


def test_the_classic_preset_ends_by_epochs() -> None:
    training = Settings.make("classic").training
    assert (training.epochs, training.steps, training.time) == (4.0, None, None)


def test_what_is_given_wins_over_the_preset() -> None:
    settings = Settings.make("small", hidden_size=7, cell="gru")
    assert (settings.network.hidden_size, settings.network.cell) == (7, "gru")
    assert settings.network.num_layers == PRESETS["small"]["num_layers"]


def test_none_means_as_the_preset_has_it() -> None:
    assert Settings.make("large", hidden_size=None, steps=None) == Settings.make("large")


# names


@pytest.mark.parametrize(
    ("given", "meant"),
    [("learning_rat", "learning_rate"), ("hidden", "hidden_size"), ("seqlength", "seq_length")],
)
def test_an_unknown_setting_is_answered_with_the_nearest(given: str, meant: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.make(**{given: 1})
    assert str(caught.value) == f"{given} is not a setting; did you mean {meant}?"


def test_a_setting_like_no_other_is_answered_with_all_of_them() -> None:
    with pytest.raises(SettingsError, match="xyzzy is not a setting; choose from encoding, ") as no:
        Settings.make(xyzzy=1)
    assert all(name in str(no.value) for name in FIELDS)


def test_an_unknown_preset_is_answered_with_the_nearest() -> None:
    with pytest.raises(
        SettingsError, match=r"^preset must be .*, got 'smal'; did you mean small\?$"
    ):
        Settings.make("smal")
    with pytest.raises(
        SettingsError, match=r"one of auto, medium, small, large, classic, got 'huge!'$"
    ):
        Settings.make("huge!")


def test_an_unknown_name_is_reported_even_if_its_value_is_valid() -> None:
    with pytest.raises(SettingsError, match="sede is not a setting"):
        laid_over(None, {"sede": 1})


# tables


ENDS = {"epochs": 2.5, "steps": 10, "time": "5m"}


changes = st.fixed_dictionaries(
    {},
    optional={
        "encoding": st.sampled_from(["latin-1", 'quoted "\\\n']),
        "normalize": st.sampled_from(["NFC", "NFKD"]),
        "alphabet": st.sampled_from(["characters", "bytes"]),
        "cell": st.sampled_from(groups.CELLS),
        "hidden_size": st.integers(1, 10**5),
        "learning_rate": st.floats(1e-300, 1e300),
        "dropout": st.floats(0, 1, exclude_max=True),
        "stride": st.integers(1, 99),
        "patience": st.integers(1, 99),
        "seed": st.integers(0, 2**63 - 1),
    },
)
ends = st.sampled_from([{}, *({name: value} for name, value in ENDS.items())])


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_comes_back_from_its_tables(preset: str) -> None:
    settings = Settings.make(preset)
    assert Settings.from_tables(settings.tables()) == settings
    assert Settings.from_tables(tomllib.loads(tomli_w.dumps(settings.tables()))) == settings


@given(st.sampled_from(list(PRESETS)), changes, ends)
def test_any_settings_come_back_from_their_tables(
    preset: str, given: dict[str, Any], end: dict[str, Any]
) -> None:
    settings = Settings.make(preset, **given, **end)
    assert Settings.from_tables(tomllib.loads(tomli_w.dumps(settings.tables()))) == settings
    assert Settings.make(**settings.flat()) == settings


def test_tables_hold_every_setting_but_those_that_are_none() -> None:
    settings = Settings.make("classic")
    tables = settings.tables()
    assert list(tables) == list(GROUPS)
    shown = {name: value for table in tables.values() for name, value in table.items()}
    assert shown == {n: v for n, v in settings.flat().items() if v is not None}
    assert "steps" not in tables["training"]
    assert tables["training"]["epochs"] == 4.0


def test_a_table_that_is_missing_means_its_defaults() -> None:
    assert Settings.from_tables({}) == Settings.make()
    assert Settings.from_tables({"network": {"cell": "gru"}}) == Settings.make(cell="gru")


def test_an_unknown_table_or_name_in_one_is_reported() -> None:
    with pytest.raises(SettingsError, match=r"trainign is not a table; did you mean training\?"):
        Settings.from_tables({"trainign": {"seed": 2}})
    with pytest.raises(SettingsError, match=r"sed is not a setting; did you mean seed\?"):
        Settings.from_tables({"training": {"sed": 2}})


def test_flat_names_every_setting_once() -> None:
    assert (
        list(Settings.make().flat())
        == list(FIELDS)
        == [field.name for kind in GROUPS.values() for field in dataclasses.fields(kind)]
    )


def test_an_option_is_spelt_with_dashes() -> None:
    assert option_of("seq_length") == "--seq-length"
    assert option_of("seed") == "--seed"


def test_a_name_of_the_functions_own_in_a_table_is_an_unknown_setting() -> None:
    for name in ("preset", "self"):
        with pytest.raises((SettingsError, TypeError)):
            Settings.from_tables({"text": {name: "small"}})
