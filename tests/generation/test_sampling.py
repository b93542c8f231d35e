"""Each sampling rule against its definition, written out slowly, and draws against chance."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from nextchar.generation.sampling import (
    draw,
    keep_top_k,
    keep_top_p,
    probabilities,
    with_temperature,
)
from nextchar.generation.settings import GenerationSettings

Array = NDArray[np.float64]

# whole numbers make ties likely; -inf is what must not be drawn
LOGIT = st.one_of(st.integers(-4, 4).map(float), st.floats(-60, 60), st.just(-math.inf))
ROWS = st.integers(1, 8).flatmap(
    lambda V: st.lists(st.lists(LOGIT, min_size=V, max_size=V).filter(drawable), min_size=1,
                       max_size=4)
).map(np.array)  # fmt: skip


def drawable(row: list[float]) -> bool:
    return max(row) > -math.inf


def softmax(row: list[float]) -> list[float]:
    """The probabilities of a row of logits, term by term."""
    largest = max(row)
    weights = [math.exp(logit - largest) for logit in row]
    return [weight / math.fsum(weights) for weight in weights]


def kept(row: Array) -> set[int]:
    return {code for code, logit in enumerate(row) if logit > -math.inf}


def settings(**given: float) -> GenerationSettings:
    return GenerationSettings(**given)


# temperature


@given(rows=ROWS)
def test_without_rules_the_probabilities_are_the_softmax(rows: Array) -> None:
    for row, expected in zip(probabilities(rows, settings()), rows, strict=True):
        assert row == pytest.approx(softmax(expected), rel=1e-12, abs=1e-300)


@given(rows=ROWS, temperature=st.floats(0.05, 20))
def test_temperature_divides_the_logits(rows: Array, temperature: float) -> None:
    for row, logits in zip(
        probabilities(rows, settings(temperature=temperature)), rows, strict=True
    ):
        expected = softmax([logit / temperature for logit in logits])
        # a quotient of 1200 at most is rounded by 1e-13
        assert row == pytest.approx(expected, rel=1e-11, abs=1e-300)


@given(rows=ROWS)
def test_temperature_zero_is_greedy(rows: Array) -> None:
    for row, logits in zip(probabilities(rows, settings(temperature=0)), rows, strict=True):
        assert row.sum() == row.max() == 1
        assert logits[row.argmax()] == max(logits)


def test_greedy_takes_the_first_of_equals() -> None:
    assert probabilities(np.array([[1.0, 2, 2]]), settings(temperature=0)).tolist() == [[0, 1, 0]]


@given(rows=ROWS, temperature=st.sampled_from([0.01, 1e-5, 1e-310, 5e-324, 1e300]))
def test_no_temperature_fails(rows: Array, temperature: float) -> None:
    made = probabilities(rows, settings(temperature=temperature))
    assert np.isfinite(made).all()
    assert made.sum(axis=1) == pytest.approx(1)
    assert (made[np.isneginf(rows)] == 0).all()


def test_a_temperature_near_zero_is_as_good_as_greedy() -> None:
    rows = np.array([[1.0, 3, 2], [800, -800, 0]])
    for temperature in (0.01, 1e-310):
        made = probabilities(rows, settings(temperature=temperature))
        assert made == pytest.approx(probabilities(rows, settings(temperature=0)))


def test_the_largest_logit_is_moved_to_zero() -> None:
    assert with_temperature(np.array([[800.0, 0, -np.inf]]), 0.5).tolist() == [[0, -1600, -np.inf]]


# top_k


@given(rows=ROWS, k=st.integers(1, 8))
def test_top_k_keeps_the_k_largest_and_their_equals(rows: Array, k: int) -> None:
    k = min(k, rows.shape[1])
    for row, logits in zip(keep_top_k(rows, k), rows, strict=True):
        threshold = sorted(logits, reverse=True)[k - 1]
        expected = [logit if logit >= threshold else -math.inf for logit in logits]
        assert row.tolist() == expected


@pytest.mark.parametrize("k", [0, 4, 5, 10**9])
def test_a_top_k_of_all_or_zero_is_off(k: int) -> None:
    rows = np.array([[0.0, 1, 2, 3]])
    assert (
        probabilities(rows, settings(top_k=k)).tolist() == probabilities(rows, settings()).tolist()
    )


def test_ties_at_the_kth_place_are_all_kept() -> None:
    made = probabilities(np.array([[5.0, 1, 1, 0]]), settings(top_k=2))
    assert kept(np.log(made[0], out=np.full(4, -np.inf), where=made[0] > 0)) == {0, 1, 2}
    assert made[0, 1] == made[0, 2]


def test_a_top_k_of_one_is_greedy() -> None:
    rows = np.array([[0.3, 0.1, 0.2], [-5, -4, -np.inf]])
    assert probabilities(rows, settings(top_k=1)).tolist() == [[1, 0, 0], [0, 1, 0]]


# top_p


@given(rows=ROWS, p=st.floats(0.001, 0.999))
def test_top_p_keeps_the_smallest_set_of_enough_probability(rows: Array, p: float) -> None:
    for row, logits in zip(keep_top_p(rows, p), rows, strict=True):
        chances, chosen = softmax(logits), kept(row)
        dropped = kept(logits) - chosen
        assert chosen
        assert all(row[code] == logits[code] for code in chosen)
        assert all(logits[a] >= logits[b] for a in chosen for b in dropped)
        # sums of at most 8 terms: rounding is far below 1e-12
        together = math.fsum(chances[code] for code in chosen)
        assert together >= p - 1e-12
        drawable = [chances[code] for code in chosen if chances[code] > 1e-12]
        assert together - min(drawable) < p + 1e-12


def test_top_p_takes_no_more_where_the_sum_is_reached_exactly() -> None:
    rows = np.log([[0.5, 0.25, 0.25]])
    assert kept(keep_top_p(rows, 0.5)[0]) == {0}
    assert kept(keep_top_p(rows, 0.75)[0]) == {0, 1}
    assert kept(keep_top_p(rows, 0.76)[0]) == {0, 1, 2}


def test_top_p_always_keeps_one() -> None:
    assert kept(keep_top_p(np.array([[3.0, 2, 1]]), 1e-300)[0]) == {0}


def test_a_top_p_of_one_is_off() -> None:
    rows = np.array([[0.0, -700, -5]])
    assert (probabilities(rows, settings(top_p=1)) > 0).all()


# together


def test_rules_apply_in_the_order_temperature_top_k_top_p() -> None:
    rows = np.log([[0.4, 0.3, 0.2, 0.1]])
    # among the two that top_k leaves, the first has 4/7 = 0.57: enough for top_p = 0.5 only after
    assert probabilities(rows, settings(top_k=2, top_p=0.5)).tolist() == [[1, 0, 0, 0]]
    assert (probabilities(rows, settings(top_p=0.5))[0] > 0).sum() == 2
    # a temperature of 1/4 first makes 0.4 into 0.7
    assert (probabilities(rows, settings(top_p=0.65))[0] > 0).sum() == 2
    assert (probabilities(rows, settings(top_p=0.65, temperature=0.25))[0] > 0).sum() == 1


@given(
    rows=ROWS,
    temperature=st.floats(0.1, 5),
    k=st.integers(0, 9),
    p=st.floats(0.01, 1),
)
def test_the_rules_together_are_the_rules_one_after_the_other(
    rows: Array, temperature: float, k: int, p: float
) -> None:
    before = rows.copy()
    made = probabilities(rows, settings(temperature=temperature, top_k=k, top_p=p))
    step = with_temperature(rows, temperature)
    if 0 < k < rows.shape[1]:
        step = keep_top_k(step, k)
    if p < 1:
        step = keep_top_p(step, p)
    for row, logits in zip(made, step, strict=True):
        assert row == pytest.approx(softmax(logits), rel=1e-11, abs=1e-300)
    assert rows.tolist() == before.tolist()
    assert made.sum(axis=1) == pytest.approx(1)
    assert (made[np.isneginf(rows)] == 0).all()


def test_float32_logits_are_worked_on_in_float64() -> None:
    rows = np.array([[0.1, 0.2]], dtype=np.float32)
    assert probabilities(rows, settings()).dtype == np.float64


# draw

CHANCES = st.lists(
    st.one_of(st.just(0.0), st.floats(1e-300, 1)), min_size=1, max_size=8
).filter(lambda row: max(row) > 0)  # fmt: skip
UNIFORM = st.one_of(
    st.floats(0, 1, exclude_max=True), st.sampled_from([0.0, math.nextafter(1, 0), 0.5])
)


@given(row=CHANCES, uniform=UNIFORM)
def test_what_has_no_probability_is_never_drawn(row: list[float], uniform: float) -> None:
    (code,) = draw(np.array([row]), np.array([uniform]))
    assert row[code] > 0


@given(row=CHANCES, uniform=UNIFORM)
def test_a_draw_is_where_the_running_sum_passes_the_uniform_number(
    row: list[float], uniform: float
) -> None:
    (code,) = draw(np.array([row]), np.array([uniform]))
    total, share = math.fsum(row), 1e-12  # of the sum: rounding of eight terms
    assert math.fsum(row[:code]) <= (uniform + share) * total
    assert math.fsum(row[: code + 1]) >= (uniform - share) * total


@pytest.mark.parametrize("total", [1.0000001, 0.9999999, 1.0, 1e-300])
def test_rows_need_not_sum_to_one(total: float) -> None:
    row = np.array([[0, 0.25, 0.75, 0]]) * total
    for uniform, code in [(0.0, 1), (0.2499, 1), (0.2501, 2), (math.nextafter(1, 0), 2)]:
        assert draw(row, np.array([uniform])) == [code]


def test_a_row_so_small_that_products_are_rounded_up_to_its_sum_is_drawn_from() -> None:
    assert draw(np.array([[0, 5e-324, 0]]), np.array([0.9])) == [1]


def test_each_row_is_drawn_by_its_own_number() -> None:
    rows = np.array([[0.5, 0.5], [0.5, 0.5], [0, 1]])
    assert draw(rows, np.array([0.1, 0.9, 0.1])).tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    "given", [{}, {"temperature": 0.5}, {"top_k": 3}, {"top_p": 0.8}, {"temperature": 2.0}]
)
def test_frequencies_are_the_probabilities(
    given: dict[str, float], rng: np.random.Generator
) -> None:
    draws = 20_000
    logits = np.array([[1.0, 0.5, 0.2, -0.3, -1.0, -np.inf]])
    chances = probabilities(logits, settings(**given))
    codes = draw(np.repeat(chances, draws, axis=0), rng.random(draws))
    counts = np.bincount(codes, minlength=6)
    expected = chances[0] * draws
    assert (counts[expected == 0] == 0).all()
    possible = expected > 0
    chi_square = ((counts - expected)[possible] ** 2 / expected[possible]).sum()
    assert chi_square < 18.5  # the 99.9th percentile at 4 degrees of freedom; the seed is fixed
