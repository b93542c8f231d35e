"""Learning-rate schedules."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextchar.settings.groups import SCHEDULES, TrainingSettings
from nextchar.training.optim.schedules import learning_rate


def rate(
    schedule="constant", *, step=10**6, fraction=0.5, total=None, fraction_after=0.0, **settings
):
    training = TrainingSettings(schedule=schedule, learning_rate=0.01, **settings)
    return learning_rate(
        training, step=step, fraction=fraction, total=total, fraction_after=fraction_after
    )


def about(x):
    return pytest.approx(x, rel=1e-12, abs=1e-15)  # rounding


@given(fraction=st.floats(0, 1))
def test_each_schedule_is_its_formula(fraction):
    assert rate("constant", fraction=fraction) == 0.01
    assert rate("linear", fraction=fraction) == about(0.01 * (1 - fraction))
    assert rate("cosine", fraction=fraction) == about(0.01 * (1 + math.cos(math.pi * fraction)) / 2)


@pytest.mark.parametrize(
    ("fraction", "drops"), [(0, 0), (0.24, 0), (0.25, 1), (0.49, 1), (0.5, 2), (0.99, 3), (1, 4)]
)
def test_step_drops_after_each_part_of_the_run(fraction, drops):
    result = rate("step", fraction=fraction, decay_every=0.25, decay_factor=0.5)
    assert result == about(0.01 * 0.5**drops)


def test_step_drops_in_time_where_the_parts_are_no_binary_fractions():
    """0.3/0.1 is a hair below 3."""
    for n in range(11):
        result = rate("step", fraction=n / 10, decay_every=0.1, decay_factor=0.5)
        assert result == about(0.01 * 0.5**n)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_schedule_begins_at_the_peak_and_never_rises(schedule):
    rates = [rate(schedule, fraction=n / 100) for n in range(101)]
    assert rates[0] == 0.01
    assert all(later <= earlier for earlier, later in itertools.pairwise(rates))
    assert min(rates) >= 0


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_linear_and_cosine_end_at_zero(schedule):
    assert rate(schedule, fraction=1.0) == about(0)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_run_that_is_overdue_stays_at_the_end(schedule):
    """A run by time may take a step after its time is up."""
    assert rate(schedule, fraction=1.5) == rate(schedule, fraction=1.0)
    assert rate(schedule, fraction=-0.1) == rate(schedule, fraction=0.0)


def test_warm_up_rises_linearly_and_is_over_after_its_steps():
    rates = [rate(step=step, warmup=4) for step in range(6)]
    assert rates == [about(0.01 * n / 5) for n in (1, 2, 3, 4, 5, 5)]


def test_warm_up_takes_a_fifth_of_a_short_run_at_most():
    rates = [rate(step=step, warmup=100, total=20) for step in range(6)]
    assert rates == [about(0.01 * n / 5) for n in (1, 2, 3, 4, 5, 5)]


def test_warm_up_takes_a_fifth_of_a_short_time_at_most():
    rates = [rate(step=step, warmup=100, fraction_after=(step + 1) / 20) for step in range(6)]
    assert rates == [about(0.01 * n / 4) for n in (1, 2, 3, 4, 4, 4)]


def test_warm_up_takes_its_steps_of_a_long_time():
    rates = [rate(step=step, warmup=4, fraction_after=(step + 1) / 10**6) for step in range(6)]
    assert rates == [about(0.01 * n / 5) for n in (1, 2, 3, 4, 5, 5)]


def test_where_the_steps_are_known_time_does_not_matter():
    assert rate(step=0, warmup=4, total=100, fraction_after=1.0) == about(0.01 / 5)


@pytest.mark.parametrize("total", [None, 1, 4, 1000])
def test_no_warm_up_begins_at_the_peak(total):
    assert rate(step=0, warmup=0, total=total) == 0.01


def test_the_first_step_of_the_shortest_run_moves():
    assert rate("cosine", step=0, fraction=0.0, total=1, warmup=100) == 0.01


def test_warm_up_multiplies_the_schedule():
    assert rate("linear", step=0, fraction=0.5, warmup=1) == about(0.01 * 0.5 * 0.5)
