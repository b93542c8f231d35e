"""Values of settings: types, limits, choices and durations, through the settings that use them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from nextchar.errors import NextcharError, SettingsError
from nextchar.generation.generation_settings import GenerationSettings
from nextchar.settings.config import (
    BUDGETS,
    Settings,
    TrainingSettings,
)
from nextchar.settings.fields import Validated, seconds_of, setting_of
from settings.attempts import KINDS, Field, made, refused


def all_fields(*types: str) -> list[Any]:
    """Every field of those types, or of any, as parameters named for it."""
    return [
        pytest.param(kind, field, id=field.name)
        for kind in KINDS
        for field in dataclasses.fields(kind)
        if not types or field.type.removesuffix(" | None") in types
    ]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"seq_length": 0}, "seq_length must be a whole number of at least 1, got 0"),
        ({"seq_length": 2.5}, "seq_length must be a whole number of at least 1, got 2.5"),
        ({"seq_length": "64"}, "seq_length must be a whole number of at least 1, got '64'"),
        ({"learning_rate": 0}, "learning_rate must be a number above 0, got 0"),
        ({"learning_rate": "fast"}, "learning_rate must be a number above 0, got 'fast'"),
        ({"dropout": 1.0}, "dropout must be a number of at least 0 and below 1, got 1.0"),
        ({"decay_factor": 2}, "decay_factor must be a number above 0 and at most 1, got 2"),
        ({"batching": "both"}, "batching must be one of stream, windows, got 'both'"),
        ({"cell": None}, None),
        ({"cell": 5}, "cell must be one of rnn, lstm, gru, got 5"),
        ({"encoding": 8}, "encoding must be a string, got 8"),
        ({"tied": 1}, "tied must be True or False, got 1"),
        ({"tied": "yes"}, "tied must be True or False, got 'yes'"),
        ({"time": 300}, "time must be a string, got 300"),
        ({"time": "soon"}, "time must be a duration such as 90s, 5m or 2h, got 'soon'"),
    ],
    ids=str,
)
def test_a_bad_value_is_reported_with_its_setting_and_what_is_accepted(
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
            assert message.startswith(f"{field.name} must be ")
            assert message.endswith(f", got {value!r}")


@pytest.mark.parametrize(("kind", "field"), all_fields("int", "float"))
def test_every_number_has_a_lower_limit(kind: type[Any], field: Field) -> None:
    assert f"{field.name} must be " in refused(kind, **{field.name: -(10**6)})


NO_NUMBERS = [
    *(True, False, np.True_),
    *(math.nan, math.inf, -math.inf, np.float32("nan"), 10**400),
    *("1", b"1", [1], np.array([1]), 1j, np.complex64(1), object()),
]


@pytest.mark.parametrize(("kind", "field"), all_fields("int", "float"))
def test_what_is_no_number_is_refused_for_one(kind: type[Any], field: Field) -> None:
    for value in NO_NUMBERS:
        message = refused(kind, **{field.name: value})
        assert message.startswith(f"{field.name} must be a ")
        assert len(repr(value)) > 40 or message.endswith(f", got {value!r}")


@pytest.mark.parametrize(("kind", "field"), all_fields("str"))
def test_what_is_no_text_is_refused_for_one(kind: type[Any], field: Field) -> None:
    for value in True, 1, 1.0, b"utf-8", ["a"]:
        assert refused(kind, **{field.name: value}).startswith(f"{field.name} must be ")


@pytest.mark.parametrize(("kind", "field"), all_fields("str"))
def test_a_choice_is_one_of_those_known(kind: type[Any], field: Field) -> None:
    choices = setting_of(field).choices
    for choice in choices:
        assert getattr(made(kind, **{field.name: choice}), field.name) == choice
    if choices:
        message = refused(kind, **{field.name: "neither"})
        assert message == f"{field.name} must be one of {', '.join(choices)}, got 'neither'"


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


def test_generation_settings_name_what_is_wrong_too() -> None:
    assert refused(GenerationSettings, top_p=0) == (
        "top_p must be a number above 0 and at most 1, got 0"
    )
    assert refused(GenerationSettings, temperature=-1).startswith("temperature must be ")
    assert GenerationSettings(seed=None).seed is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"hidden_size": 10**30},
            "hidden_size must be a whole number from 1 to 100",
        ),
        (
            {"num_layers": 1001},
            "num_layers must be a whole number from 1 to 1000,",
        ),
        (
            {"stride": 2**31},
            "stride must be a whole number from 1 to 2147483647,",
        ),
        ({"seq_length": 10**400}, "seq_length must be a whole number of at least 1, got 1"),
    ],
)
def test_a_number_that_no_run_could_use_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.make(**given)
    assert str(caught.value).startswith(message)


def test_all_settings_check_themselves() -> None:
    assert all(issubclass(kind, Validated) for kind in KINDS)


# durations


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
    message = str(caught.value)
    assert message.startswith("time must be a duration such as 90s, 5m or 2h, got ")
    assert len(duration) > 100 or message.endswith(f"got {duration!r}")
    with pytest.raises(SettingsError):
        Settings.make(time=duration)
