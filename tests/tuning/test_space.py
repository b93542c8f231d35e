"""The search space of a sweep: its syntax, and the default around the choice of `auto`."""

from __future__ import annotations

import optuna
import pytest

from nextchar.errors import SettingsError
from nextchar.settings.config import Settings
from nextchar.tuning.space import (
    Choices,
    Range,
    as_json,
    from_json,
    make_choices,
    make_range,
    parse_choices,
    parse_fix,
    parse_range,
    rounded,
    space_around,
)

AUTO = Settings.make(None, cell="gru", hidden_size=100, num_layers=1, optimizer="adamw").flat()


@pytest.mark.parametrize(
    ("typed", "name", "expected"),
    [
        ("learning_rate=0.001:0.03:log", "learning_rate", Range(0.001, 0.03, is_log=True)),
        ("learning-rate=1e-3:0.03", "learning_rate", Range(0.001, 0.03)),
        ("hidden_size=64:250:32", "hidden_size", Range(64, 224, step=32)),
        ("hidden_size=8:64:log", "hidden_size", Range(8, 64, is_log=True)),
        ("dropout=0:0.5:0.1", "dropout", Range(0.0, 0.5, step=0.1)),
    ],
)
def test_a_range_is_what_was_typed(typed: str, name: str, expected: Range) -> None:
    parsed, parts = parse_range(typed)
    assert parsed == name
    assert make_range(name, parts) == expected


def test_choices_and_fixed_values_have_the_settings_own_types() -> None:
    assert parse_choices("hidden_size=128,192") == ("hidden_size", (128, 192))
    assert parse_choices("tied=true,False") == ("tied", (True, False))
    assert make_choices("tied", (True, False)).values == (True, False)
    assert make_choices("batch_size", (8, 8.0, 16)).values == (8, 16)
    assert parse_fix("learning_rate=0.01") == ("learning_rate", 0.01)
    assert parse_fix("cell=lstm") == ("cell", "lstm")


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("learning_rate=0.1", "range must have the form learning_rate=0.001:0.03:log, got"),
        ("learning_rate", "range must have the form"),
        ("lerning_rate=1:2", "did you mean learning_rate"),
        ("learning_rate=a:b", "learning_rate must be a number, got 'a'"),
        ("learning_rate=0.2:0.1", "learning_rate must have a range with low < high, got '0.2:0.1'"),
        ("dropout=0:0.5:log", "must have a range with 0 < low < high"),
        ("dropout=0:2", "dropout must be a number of at least 0 and below 1, got 2"),
        ("cell=1:2", "cell is not a number; search it with --choices cell=A,B"),
        ("steps=1:2", "steps cannot be searched"),
        ("val_fraction=0.1:0.2", "val_fraction cannot be searched"),
        ("records=1:2", "records cannot be searched"),
    ],
)
def test_a_range_that_cannot_be_is_told(typed: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        make_range(*parse_range(typed))


def test_choices_that_cannot_be_are_told() -> None:
    with pytest.raises(SettingsError, match="cell must be one of rnn, lstm, gru, got 'foo'"):
        make_choices(*parse_choices("cell=lstm,foo"))


def test_the_time_of_a_trial_is_not_fixed_as_a_setting() -> None:
    with pytest.raises(SettingsError, match="time cannot be fixed; give --trial-time"):
        parse_fix("time=5s")


def test_the_space_holds_autos_choice_and_leaves_out_what_is_fixed() -> None:
    space = space_around(AUTO, {"cell": "gru"}, {"clip": Choices((1.0, 5.0))})
    assert "cell" not in space
    assert space["clip"] == Choices((1.0, 5.0))
    for name in ("num_layers", "seq_length", "batch_size", "learning_rate", "dropout"):
        assert space[name].nearest(AUTO[name]) == AUTO[name]
    assert space["weight_decay"].nearest(0.0) == 0.0
    assert "weight_decay" not in space_around({**AUTO, "optimizer": "adam"}, {}, {})


@pytest.mark.parametrize("size", [1, 16, 64, 100, 160, 1024])
def test_every_size_that_is_searched_is_reached_by_steps(size: int) -> None:
    sizes = space_around({**AUTO, "hidden_size": size}, {}, {})["hidden_size"]
    assert isinstance(sizes, Range)
    assert sizes.step
    assert (sizes.high - sizes.low) % sizes.step == 0
    assert sizes.low <= max(size, 16)


def test_what_is_nearest_lies_in_the_space() -> None:
    assert Range(8, 32, step=8).nearest(21) == 24
    assert Range(8, 32).nearest(100) == 32
    assert Choices((8, 16)).nearest(13) == 16
    assert Choices(("rnn", "lstm")).nearest("gru") == "rnn"
    assert Choices(("rnn", "gru")).nearest("gru") == "gru"


def test_a_space_is_the_same_when_it_was_kept_as_json() -> None:
    space = space_around(AUTO, {}, {"hidden_size": Range(8, 64, is_log=True)})
    assert from_json(as_json(space)) == space


def test_every_dimension_suggests_values_that_settings_take() -> None:
    space = space_around(AUTO, {}, {"hidden_size": Range(8, 64, is_log=True)})
    trial = optuna.create_study().ask()
    params = {name: rounded(each.suggest(trial, name)) for name, each in space.items()}
    Settings.make(None, **params)
    assert rounded(0.0123456) == 0.0123
