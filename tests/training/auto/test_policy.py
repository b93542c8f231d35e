"""Choices of `auto`: larger networks for more time, more dropout for more passes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given as given_by
from hypothesis import strategies as st

from nextchar.model.parameters import Architecture
from nextchar.settings.config import Settings
from nextchar.training.auto.policy import (
    CHOSEN,
    FINE_TUNING_FACTOR,
    MOST_PASSES,
    AutoChoice,
    DataFacts,
    choose_auto,
)
from nextchar.training.auto.throughput import flops_per_character

SPEED = 150e9  # FLOP/s of two cores of 2023
known = st.builds(
    DataFacts,
    characters=st.integers(2, 10**10),
    vocabulary_size=st.integers(1, 10**5),
    flops=st.one_of(st.none(), st.floats(1e6, 1e18)),
)


def chosen(
    characters: int = 1_000_000, distinct: int = 65, seconds: float | None = None, **given: Any
) -> Settings:
    work = None
    if seconds is not None:
        work, given = SPEED * seconds, {"time": f"{seconds}s", **given}
    return choose_auto(given, DataFacts(characters, distinct, work)).settings


def weights(settings: Settings, distinct: int = 65) -> float:
    return flops_per_character(Architecture(settings.network, distinct)) / 6


def test_a_small_text_gets_a_small_network_with_dropout() -> None:
    settings = chosen(20_000, seconds=60)
    assert weights(settings) < 400_000
    assert settings.training.dropout >= 0.3
    assert settings.training.weight_decay > 0


def test_a_large_text_gets_a_larger_network_without_dropout() -> None:
    settings = chosen(100_000_000, 200, seconds=3600)
    assert weights(settings, 200) > 1_000_000
    assert settings.training.dropout == settings.training.weight_decay == 0


@given_by(st.integers(2, 10**9), st.integers(1, 10**4), st.lists(st.floats(1, 10**5), min_size=2))
def test_more_time_is_never_a_smaller_network(
    characters: int, distinct: int, times: list[float]
) -> None:
    sizes = [weights(chosen(characters, distinct, s), distinct) for s in sorted(times)]
    assert sizes == sorted(sizes)


@given_by(st.integers(2, 10**9), st.lists(st.floats(1, 10**5), min_size=2))
def test_more_time_for_one_network_is_never_less_dropout(
    characters: int, times: list[float]
) -> None:
    given = {"hidden_size": 128, "num_layers": 1}
    rates = [chosen(characters, seconds=s, **given).training.dropout for s in sorted(times)]
    assert rates == sorted(rates)


@given_by(known)
def test_whatever_is_known_a_choice_is_made_and_explained_in_three_lines(facts: DataFacts) -> None:
    given = {} if facts.flops is None else {"time": "60s"}
    choice = choose_auto(given, facts)
    assert isinstance(choice, AutoChoice)
    assert len(choice.reasons) == 3
    assert all(reason and "\n" not in reason for reason in choice.reasons)


GIVEN: dict[str, Any] = {
    "cell": "rnn", "hidden_size": 77, "num_layers": 3, "embedding_size": 5,
    "initialisation": "glorot", "seq_length": 33, "batch_size": 7, "optimizer": "rmsprop",
    "learning_rate": 0.123, "dropout": 0.07, "weight_decay": 0.5, "steps": 12, "epochs": 2.5,
    "time": "7m", "seed": 5, "alphabet": "bytes", "schedule": "linear", "warmup": 3,
}  # fmt: skip


@pytest.mark.parametrize("name", GIVEN)
@pytest.mark.parametrize("characters", [20_000, 10**8])
def test_what_is_given_stays(name: str, characters: int) -> None:
    work = 1e13 if name == "time" else None
    settings = choose_auto({name: GIVEN[name]}, DataFacts(characters, 65, work)).settings
    assert settings.flat()[name] == GIVEN[name]


@given_by(known)
def test_nothing_else_is_chosen(facts: DataFacts) -> None:
    given = {} if facts.flops is None else {"time": "60s"}
    flat, default = choose_auto(given, facts).settings.flat(), Settings.make(None, **given).flat()
    assert {name for name in flat if flat[name] != default[name]} <= set(CHOSEN)


def test_all_can_be_given_at_once() -> None:
    given = {name: value for name, value in GIVEN.items() if name not in {"epochs", "time"}}
    assert choose_auto(given, DataFacts(20_000, 65)).settings == Settings.make(None, **given)


@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop", "adam"])
def test_weight_decay_is_chosen_for_the_optimizer_of_its_runs(optimizer: str) -> None:
    assert chosen(epochs=30.0).training.weight_decay > 0
    assert chosen(epochs=30.0, optimizer=optimizer).training.weight_decay == 0


def test_none_is_not_given() -> None:
    assert choose_auto({"hidden_size": None}, DataFacts(10**6, 65)) == choose_auto(
        {}, DataFacts(10**6, 65)
    )


@pytest.mark.parametrize("characters", [2, 3000, 20_000, 10**6, 10**9])
def test_without_an_end_given_a_number_of_steps_is_chosen(characters: int) -> None:
    training = chosen(characters).training
    assert training.steps is not None
    assert training.time is training.epochs is None
    read = training.steps * training.batch_size * training.seq_length
    assert read <= max(MOST_PASSES * characters, training.batch_size * training.seq_length)


def test_the_same_text_is_always_given_the_same_where_no_time_is() -> None:
    assert chosen(123_456) == chosen(123_456)


def test_a_given_end_says_how_often_the_text_is_read() -> None:
    assert chosen(epochs=1.0).training.dropout == 0
    assert chosen(epochs=30.0).training.dropout > 0
    assert chosen(steps=10).training.dropout == 0


def test_the_reasons_name_what_was_chosen() -> None:
    choice = choose_auto({"time": "60s"}, DataFacts(1_003_855, 65, 60 * SPEED))
    network, training = choice.settings.network, choice.settings.training
    first, second, third = choice.reasons
    assert f"{network.cell.upper()} {network.hidden_size}×{network.num_layers}" in first
    assert "60 s on this machine" in first
    assert f"{training.batch_size} × {training.seq_length}" in second
    assert f"{training.learning_rate:.2g}" in second
    assert f"dropout {training.dropout:g}" in third
    assert "1 M characters" in third


def test_a_trained_model_is_trained_on_at_a_lower_rate() -> None:
    given = {"cell": "lstm", "hidden_size": 100, "num_layers": 3}
    fresh = choose_auto(given, DataFacts(10**6, 65)).settings
    choice = choose_auto(given, DataFacts(10**6, 65, is_trained=True))
    assert choice.settings.network == fresh.network
    assert choice.settings.training.learning_rate == pytest.approx(
        FINE_TUNING_FACTOR * fresh.training.learning_rate
    )
    assert choice.reasons[0].endswith("parameters, those of the model that the run starts from")
