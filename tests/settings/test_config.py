"""Settings: presets hold, what is wrong is told by name, tables come back as they were.

The checks themselves (`validation.py`) are shown through the settings that use them.
"""

from __future__ import annotations

import dataclasses
import math
import tomllib
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from nextchar.errors import NextcharError, SettingsError
from nextchar.generation.generation_settings import GenerationSettings
from nextchar.settings import config
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
from nextchar.settings.fields import Setting, Validated, seconds_of
from nextchar.settings.presets import PRESET_HELP, PRESETS

KINDS = (*GROUPS.values(), GenerationSettings)
Field = dataclasses.Field[Any]


def setting_of(field: Field) -> Setting:
    return field.metadata["setting"]


def made(kind: type[Any], **given: Any) -> Any:
    """Settings of one kind; a budget switches the default one off."""
    if "test_fraction" in given:  # the two parts must leave one to train on
        given = {"val_fraction": 0.0, **given}
    if kind is TrainingSettings and not given.keys().isdisjoint(BUDGETS):
        given = {**dict.fromkeys(BUDGETS), **given}
    return kind(**given)


def refused(kind: type[Any], **given: Any) -> str:
    """The one-line message by which settings are refused."""
    with pytest.raises(SettingsError) as caught:
        made(kind, **given)
    message = str(caught.value)
    assert "\n" not in message
    return message


def all_fields(*types: str) -> list[Any]:
    """Every field of those types, or of any, as parameters named for it."""
    return [
        pytest.param(kind, field, id=field.name)
        for kind in KINDS
        for field in dataclasses.fields(kind)
        if not types or field.type.removesuffix(" | None") in types
    ]


def test_the_parts_held_out_must_leave_one_to_train_on() -> None:
    message = refused(TrainingSettings, val_fraction=0.5, test_fraction=0.5)
    assert "val_fraction and test_fraction" in message


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


# names


@pytest.mark.parametrize(
    ("given", "meant"),
    [("learning_rat", "learning_rate"), ("hidden", "hidden_size"), ("seqlength", "seq_length")],
)
def test_an_unknown_setting_is_answered_with_the_nearest(given: str, meant: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.make(**{given: 1})
    assert str(caught.value) == f"unknown setting {given!r}; did you mean {meant}?"


def test_a_setting_like_no_other_is_answered_with_all_of_them() -> None:
    with pytest.raises(SettingsError, match=r"unknown setting 'xyzzy'; known are encoding, ") as no:
        Settings.make(xyzzy=1)
    assert all(name in str(no.value) for name in FIELDS)


def test_an_unknown_preset_is_answered_with_the_nearest() -> None:
    with pytest.raises(SettingsError, match=r"^unknown preset 'smal'; did you mean small\?$"):
        Settings.make("smal")
    with pytest.raises(SettingsError, match="known are auto, medium, small, large, classic"):
        Settings.make("huge!")


def test_an_unknown_name_is_told_even_where_its_value_would_do() -> None:
    with pytest.raises(SettingsError, match="unknown setting 'sede'"):
        laid_over(None, {"sede": 1})


# values


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"seq_length": 0}, "seq_length: wants a whole number of at least 1, got 0"),
        ({"seq_length": 2.5}, "seq_length: wants a whole number of at least 1, got 2.5"),
        ({"seq_length": "64"}, "seq_length: wants a whole number of at least 1, got '64'"),
        ({"learning_rate": 0}, "learning_rate: wants a number above 0, got 0"),
        ({"learning_rate": "fast"}, "learning_rate: wants a number above 0, got 'fast'"),
        ({"dropout": 1.0}, "dropout: wants a number of at least 0 and below 1, got 1.0"),
        ({"decay_factor": 2}, "decay_factor: wants a number above 0 and of at most 1, got 2"),
        ({"batching": "both"}, "batching: wants one of stream, windows, got 'both'"),
        ({"cell": None}, None),
        ({"cell": 5}, "cell: wants one of rnn, lstm, gru, got 5"),
        ({"encoding": 8}, "encoding: wants a text, got 8"),
        ({"tied": 1}, "tied: wants True or False, got 1"),
        ({"tied": "yes"}, "tied: wants True or False, got 'yes'"),
        ({"time": 300}, "time: wants a text, got 300"),
        ({"time": "soon"}, "time: wants a duration such as 90s, 5m or 2h, got 'soon'"),
    ],
    ids=str,
)
def test_a_bad_value_is_told_by_setting_wish_and_value(
    given: dict[str, Any], message: str | None
) -> None:
    if message is None:  # for `make`, None is no value
        assert Settings.make(**given) == Settings.make()
        return
    with pytest.raises(SettingsError) as caught:
        Settings.make(**given)
    assert str(caught.value) == message


def limits_of(field: Field) -> Iterator[tuple[float, bool]]:
    """Values at the limits of a field, and whether they are within them."""
    setting = setting_of(field)
    step = 1 if field.type.startswith("int") else 1e-9
    if setting.low is not None:
        yield from ((setting.low, True), (setting.low - step, False))
    if setting.high is not None:
        yield from ((setting.high, True), (setting.high + step, False))
    if setting.above is not None:
        yield from ((setting.above, False), (setting.above + step, True))
    if setting.below is not None:
        yield from ((setting.below, False), (setting.below - step, True))


@pytest.mark.parametrize(("kind", "field"), all_fields("int", "float"))
def test_a_number_is_held_to_its_limits(kind: type[Any], field: Field) -> None:
    for value, within in limits_of(field):
        if within:
            assert getattr(made(kind, **{field.name: value}), field.name) == value
        else:
            message = refused(kind, **{field.name: value})
            assert message.startswith(f"{field.name}: wants ")
            assert message.endswith(f", got {value!r}")


@pytest.mark.parametrize(("kind", "field"), all_fields("int", "float"))
def test_every_number_has_a_lower_limit(kind: type[Any], field: Field) -> None:
    assert f"{field.name}: " in refused(kind, **{field.name: -(10**6)})


NO_NUMBERS = [
    *(True, False, np.True_),
    *(math.nan, math.inf, -math.inf, np.float32("nan"), 10**400),
    *("1", b"1", [1], np.array([1]), 1j, np.complex64(1), object()),
]


@pytest.mark.parametrize(("kind", "field"), all_fields("int", "float"))
def test_what_is_no_number_is_refused_for_one(kind: type[Any], field: Field) -> None:
    for value in NO_NUMBERS:
        message = refused(kind, **{field.name: value})
        assert message.startswith(f"{field.name}: wants a ")
        assert message.endswith(f", got {value!r}")


@pytest.mark.parametrize(("kind", "field"), all_fields("str"))
def test_what_is_no_text_is_refused_for_one(kind: type[Any], field: Field) -> None:
    for value in True, 1, 1.0, b"utf-8", ["a"]:
        assert refused(kind, **{field.name: value}).startswith(f"{field.name}: wants ")


@pytest.mark.parametrize(("kind", "field"), all_fields("str"))
def test_a_choice_is_one_of_those_known(kind: type[Any], field: Field) -> None:
    choices = setting_of(field).choices
    for choice in choices:
        assert getattr(made(kind, **{field.name: choice}), field.name) == choice
    if choices:
        message = refused(kind, **{field.name: "neither"})
        assert message == f"{field.name}: wants one of {', '.join(choices)}, got 'neither'"


@pytest.mark.parametrize(("kind", "field"), all_fields())
def test_none_is_a_value_only_where_the_type_says_so(kind: type[Any], field: Field) -> None:
    if field.type.endswith(" | None"):
        if field.name in BUDGETS:  # one of them is needed: tested below
            return
        assert getattr(kind(**{field.name: None}), field.name) is None
    else:
        assert refused(kind, **{field.name: None}).endswith(", got None")


@pytest.mark.parametrize("one", [np.int8(1), np.uint64(1), np.float32(1), 1.0, Fraction(2, 2)])
def test_a_whole_number_of_any_type_becomes_an_int(one: Any) -> None:
    value = TrainingSettings(seq_length=one).seq_length
    assert value == 1
    assert type(value) is int


@pytest.mark.parametrize("half", [np.float32(0.5), np.float64(0.5), Fraction(1, 2)])
def test_a_number_of_any_type_becomes_a_float(half: Any) -> None:
    value = TrainingSettings(dropout=half).dropout
    assert value == 0.5
    assert type(value) is float
    assert type(TrainingSettings(learning_rate=np.int64(1)).learning_rate) is float


def test_a_large_seed_is_kept_to_the_last_digit() -> None:
    for seed in 2**53 + 1, 2**63 - 1, np.uint64(2**63 - 1):
        assert TrainingSettings(seed=seed).seed == int(seed)
    assert "got 9223372036854775808" in refused(TrainingSettings, seed=2**63)


def test_an_error_of_a_setting_is_a_value_error_and_one_of_ours() -> None:
    assert issubclass(SettingsError, ValueError)
    assert issubclass(SettingsError, NextcharError)


def test_tied_weights_want_an_embedding_as_wide_as_the_layer() -> None:
    message = refused(NetworkSettings, tied=True, hidden_size=8, embedding_size=4)
    assert message == (
        "tied: wants embedding_size equal to hidden_size, got 4 and 8; set embedding_size to 8"
    )
    assert NetworkSettings(tied=True, hidden_size=8, embedding_size=8).tied


def test_generation_settings_name_what_is_wrong_too() -> None:
    assert refused(GenerationSettings, top_p=0) == (
        "top_p: wants a number above 0 and of at most 1, got 0"
    )
    assert refused(GenerationSettings, temperature=-1).startswith("temperature: ")
    assert GenerationSettings(seed=None).seed is None


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
    told = f"give one of epochs, steps and time, got {' and '.join(names)}"
    assert str(caught.value) == told
    assert refused(TrainingSettings, **given).endswith(f"got {' and '.join(names)}")


def test_a_run_without_an_end_is_refused() -> None:
    message = refused(TrainingSettings, steps=None)
    assert message == "a run ends by one of epochs, steps and time, got none"


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [
        ("90s", 90),
        ("5m", 300),
        ("2h", 7200),
        ("1.5h", 5400),
        ("0.5s", 0.5),
        ("45", 45),
        (" 5 m ", 300),
    ],
)
def test_a_duration_is_in_seconds_minutes_or_hours(duration: str, seconds: float) -> None:
    assert seconds_of(duration) == seconds
    assert Settings.make(time=duration).training.time == duration


@pytest.mark.parametrize(
    "duration",
    ["", "s", "0", "0s", "0.0h", "-5m", "5d", "1e3", "nan", "inf", "1h30m", "5.", "9" * 400 + "s"],
)
def test_a_duration_that_is_none_is_refused(duration: str) -> None:
    with pytest.raises(SettingsError) as caught:
        seconds_of(duration)
    told = f"time: wants a duration such as 90s, 5m or 2h, got {duration!r}"
    assert str(caught.value) == told
    with pytest.raises(SettingsError):
        Settings.make(time=duration)


# tables

changes = st.fixed_dictionaries(
    {},
    optional={
        "encoding": st.sampled_from(["latin-1", 'quoted "\\\n']),
        "normalize": st.sampled_from(["NFC", "NFKD"]),
        "alphabet": st.sampled_from(["characters", "bytes"]),
        "cell": st.sampled_from(config.CELLS),
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
    told = {name: value for table in tables.values() for name, value in table.items()}
    assert told == {n: v for n, v in settings.flat().items() if v is not None}
    assert "steps" not in tables["training"]
    assert tables["training"]["epochs"] == 4.0


def test_a_table_that_is_missing_means_its_defaults() -> None:
    assert Settings.from_tables({}) == Settings.make()
    assert Settings.from_tables({"network": {"cell": "gru"}}) == Settings.make(cell="gru")


def test_an_unknown_table_or_name_in_one_is_told() -> None:
    with pytest.raises(SettingsError, match=r"unknown table 'trainign'; did you mean training\?"):
        Settings.from_tables({"trainign": {"seed": 2}})
    with pytest.raises(SettingsError, match=r"unknown setting 'sed'; did you mean seed\?"):
        Settings.from_tables({"training": {"sed": 2}})


def test_flat_names_every_setting_once() -> None:
    assert list(Settings.make().flat()) == list(FIELDS) == [f.name for f in config.fields()]


def test_an_option_is_spelt_with_dashes() -> None:
    assert option_of("seq_length") == "--seq-length"
    assert option_of("seed") == "--seed"


def test_all_settings_check_themselves() -> None:
    assert all(issubclass(kind, Validated) for kind in KINDS)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"hidden_size": 10**30},
            "hidden_size: wants a whole number of at least 1 and of at most 100",
        ),
        (
            {"num_layers": 1001},
            "num_layers: wants a whole number of at least 1 and of at most 1000,",
        ),
        (
            {"stride": 2**31},
            "stride: wants a whole number of at least 1 and of at most 2147483647,",
        ),
        ({"seq_length": 10**400}, "seq_length: wants a whole number of at least 1, got 1"),
    ],
)
def test_a_number_that_no_run_could_use_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.make(**given)
    assert str(caught.value).startswith(message)


def test_a_name_of_the_functions_own_in_a_table_is_an_unknown_setting() -> None:
    for name in ("preset", "self"):
        with pytest.raises((SettingsError, TypeError)):
            Settings.from_tables({"text": {name: "small"}})


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
        with pytest.raises(SettingsError, match="records: with the bytes alphabet wants line or"):
            Settings.make(records=value, alphabet="bytes")


@pytest.mark.parametrize("value", ["", "a\ufdd0", r"\ufdd0"])
def test_what_cannot_stand_between_records_is_refused(value: str) -> None:
    with pytest.raises(SettingsError, match="records: wants line, file or what stands between"):
        Settings.make(records=value)
