"""Each sampling rule against a plain form of its definition, and draws against chance."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from nextchar.generation.generation_settings import GenerationSettings
from nextchar.generation.penalties import (
    with_bias,
    with_presence_and_frequency,
    with_repetition_penalty,
    without_repeated_ngrams,
)
from nextchar.generation.sampling import (
    keep_min_p,
    keep_top_k,
    keep_top_p,
    keep_typical_p,
    probabilities,
    recent_codes,
    sample,
    with_temperature,
)

Array = NDArray[np.float64]

# whole numbers make ties likely; -inf bans a code
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


# min_p


@given(rows=ROWS, p=st.floats(0, 1))
def test_min_p_keeps_what_is_p_times_as_probable_as_the_best(rows: Array, p: float) -> None:
    for row, logits in zip(keep_min_p(rows, p), rows, strict=True):
        chances = softmax(logits)
        assert kept(row) >= {code for code in kept(logits) if logits[code] == max(logits)}
        for code in kept(logits):
            # a quotient of two rounded exponentials
            if abs(chances[code] / max(chances) - p) > 1e-12:
                assert (code in kept(row)) == (chances[code] / max(chances) > p)
        assert all(row[code] == logits[code] for code in kept(row))


def test_a_min_p_of_one_keeps_the_best_and_its_equals() -> None:
    assert kept(keep_min_p(np.array([[3.0, 2, 3, -np.inf]]), 1.0)[0]) == {0, 2}


def test_a_min_p_of_zero_is_off() -> None:
    rows = np.array([[0.0, -700, -5]])
    assert (probabilities(rows, settings(min_p=0)) > 0).all()


# typical_p


def distances(logits: Array) -> dict[int, float]:
    """Distance of the surprisal of each drawable code from the entropy, by the definition."""
    largest = max(logits)
    total = math.log(math.fsum(math.exp(logit - largest) for logit in logits))
    surprises = {code: total - (logits[code] - largest) for code in kept(logits)}
    entropy = math.fsum(math.exp(-surprise) * surprise for surprise in surprises.values())
    return {code: abs(surprise - entropy) for code, surprise in surprises.items()}


@given(rows=ROWS, p=st.floats(0.001, 0.999))
def test_typical_p_keeps_the_fewest_of_nearly_expected_surprise(rows: Array, p: float) -> None:
    for row, logits in zip(keep_typical_p(rows, p), rows, strict=True):
        chances, chosen, far = softmax(logits), kept(row), distances(logits)
        assert chosen
        assert all(row[code] == logits[code] for code in chosen)
        # surprisals of at most 125 nats, rounded
        assert all(far[a] <= far[b] + 1e-11 for a in chosen for b in kept(logits) - chosen)
        together = math.fsum(chances[code] for code in chosen)
        assert together >= p - 1e-12
        last = max(chosen, key=far.__getitem__)
        if all(abs(far[code] - far[last]) > 1e-11 for code in chosen - {last}):
            assert together - chances[last] < p + 1e-12


def test_typical_p_may_leave_out_the_most_probable_character() -> None:
    # entropy 1.95 nats: the surprisal of the first is 0.80, of each other 2.90
    rows = np.log([[0.45] + [0.055] * 10])
    assert kept(keep_typical_p(rows, 0.15)[0]) == {1, 2, 3}


def test_of_two_as_typical_the_lower_code_is_kept() -> None:
    rows = np.zeros((1, 4))
    assert kept(keep_typical_p(rows, 0.5)[0]) == {0, 1}


def test_a_typical_p_of_one_is_off() -> None:
    rows = np.array([[0.0, -700, -5]])
    assert (probabilities(rows, settings(typical_p=1)) > 0).all()


# bias and bans


@given(rows=ROWS, data=st.data())
def test_bias_is_added_and_infinity_bans(rows: Array, data: st.DataObject) -> None:
    V = rows.shape[1]
    bias = np.array(data.draw(st.lists(LOGIT, min_size=V, max_size=V)))
    for row, logits in zip(with_bias(rows, bias), rows, strict=True):
        assert row.tolist() == [a + b for a, b in zip(logits, bias, strict=True)]


def test_what_is_not_allowed_has_no_probability() -> None:
    rows = np.log([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]])
    allowed = np.array([[False, True, True], [True, True, True]])
    made = probabilities(rows, settings(), allowed=allowed)
    assert made[0] == pytest.approx([0, 0.6, 0.4])
    assert made[1] == pytest.approx([0.5, 0.3, 0.2])


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"temperature": 0},
        {"top_k": 2, "top_p": 0.5, "min_p": 0.1, "typical_p": 0.5},
        {"repetition_penalty": 2.0, "presence_penalty": -2.0, "frequency_penalty": -2.0},
    ],
)
def test_a_row_in_which_all_is_banned_has_no_probabilities(given: dict[str, float]) -> None:
    rows = np.array([[1.0, 2, -np.inf], [1, 2, 3]])
    allowed = np.array([[False, False, True], [True, True, True]])
    made = probabilities(rows, settings(**given), [np.array([0, 1])] * 2, allowed=allowed)
    assert made[0].tolist() == [0, 0, 0]
    assert made[1].sum() == pytest.approx(1)
    assert sample(made, np.array([0.5, 0.5]))[0] == -1
    assert sample(made, np.array([0.5, 0.5]))[1] >= 0


# penalties

CODES = st.lists(st.integers(0, 7), max_size=12)


def histories_for(rows: Array, data: st.DataObject) -> list[NDArray[np.integer]]:
    """Codes below V for each row, of different lengths, with many repeats."""
    made = data.draw(st.lists(CODES, min_size=len(rows), max_size=len(rows)))
    return [np.array(codes, dtype=np.uint8) % rows.shape[1] for codes in made]


@given(codes=CODES, n=st.integers(-1, 14))
def test_the_window_is_the_last_n_codes(codes: list[int], n: int) -> None:
    expected = codes if n == -1 else [] if n == 0 else codes[-n:]
    assert recent_codes(np.array(codes, dtype=int), n).tolist() == expected


@given(rows=ROWS, data=st.data(), penalty=st.floats(0.01, 100))
def test_the_repetition_penalty_moves_each_recent_logit_once(
    rows: Array, data: st.DataObject, penalty: float
) -> None:
    before, recent = rows.copy(), histories_for(rows, data)
    made = with_repetition_penalty(rows, recent, penalty)
    for row, logits, codes in zip(made, rows, recent, strict=True):
        expected = list(logits)
        for code in {*codes.tolist()}:
            expected[code] *= penalty if expected[code] < 0 else 1 / penalty
        assert row == pytest.approx(expected, rel=1e-15)
    assert rows.tolist() == before.tolist()


@pytest.mark.parametrize("penalty", [5e-324, 1e-300, 1e300])
def test_no_repetition_penalty_fails(penalty: float) -> None:
    rows = np.array([[3.0, -2, 0, 1, -np.inf]])
    given = settings(repetition_penalty=penalty)
    made = probabilities(rows, given, [np.array([0, 1, 4])])
    assert made.sum() == pytest.approx(1)
    # towards infinity logits of recent codes go to 0 or far below; towards 0 the opposite
    assert made[0].argmax() == (3 if penalty > 1 else 0)
    assert made[0, 4] == 0


@given(rows=ROWS, data=st.data(), presence=st.floats(-2, 2), frequency=st.floats(-2, 2))
def test_presence_counts_once_and_frequency_each_time(
    rows: Array, data: st.DataObject, presence: float, frequency: float
) -> None:
    recent = histories_for(rows, data)
    made = with_presence_and_frequency(rows, recent, presence, frequency)
    for row, logits, codes in zip(made, rows, recent, strict=True):
        for code in range(len(row)):
            count = codes.tolist().count(code)
            expected = logits[code] - presence * (count > 0) - frequency * count
            assert row[code] == pytest.approx(expected, rel=1e-12, abs=1e-12)


@given(rows=ROWS, data=st.data(), n=st.integers(1, 5))
def test_no_ngram_comes_twice(rows: Array, data: st.DataObject, n: int) -> None:
    histories = histories_for(rows, data)
    made = without_repeated_ngrams(rows, histories, n)
    for row, logits, codes in zip(made, rows, histories, strict=True):
        text = codes.tolist()
        there = [text[i : i + n] for i in range(len(text) - n + 1)]
        for code in range(len(row)):
            # with fewer than n-1 codes there is no n-gram to be the last of
            repeats = [*text, code][-n:] in there
            assert row[code] == (-math.inf if repeats else logits[code])


def test_an_ngram_longer_than_the_text_bans_nothing() -> None:
    rows = np.zeros((1, 3))
    made = without_repeated_ngrams(rows, [np.array([0, 1, 2, 0])], 2**31 - 1)
    assert made.tolist() == rows.tolist()


def test_penalties_apply_to_the_window_and_ngrams_to_all_codes() -> None:
    rows, history = np.zeros((1, 3)), [np.array([0, 1, 0])]
    given = {"repeat_last_n": 1, "presence_penalty": 1.0}
    made = probabilities(rows, settings(**given), history)
    assert made[0, 1] == made[0, 2] > made[0, 0]
    made = probabilities(rows, settings(**given, no_repeat_ngram_size=2), history)
    assert made[0, 1] == 0
    for none in ({"repeat_last_n": 0, "frequency_penalty": 2.0}, {}):
        assert probabilities(rows, settings(**none), history).tolist() == [
            [pytest.approx(1 / 3)] * 3
        ]


# together


def test_penalties_apply_to_biased_logits() -> None:
    # 1 - 2 = -1, times 2 is -2; were the bias added last, 1/2 - 2 = -1.5
    bias, given = np.array([-2.0, 0]), settings(repetition_penalty=2)
    made = probabilities(np.array([[1.0, 0]]), given, [np.array([0])], bias)
    assert made[0, 0] / made[0, 1] == pytest.approx(math.exp(-2))


def test_repetition_is_penalised_before_presence() -> None:
    # 4/2 - 1 = 1; the other way round 3/2
    given = settings(repetition_penalty=2, presence_penalty=1)
    made = probabilities(np.array([[4.0, 0]]), given, [np.array([0])])
    assert made[0, 0] / made[0, 1] == pytest.approx(math.e)


def test_greedy_heeds_penalties_and_bans() -> None:
    rows, history = np.array([[3.0, 2.5, 2.4]]), [np.array([0])]
    assert probabilities(rows, settings(temperature=0)).argmax() == 0
    assert probabilities(rows, settings(temperature=0, presence_penalty=1), history).tolist() == [
        [0, 1, 0]
    ]
    banned = np.array([[False, False, True]])
    assert probabilities(rows, settings(temperature=0), allowed=banned).tolist() == [[0, 0, 1]]


def test_min_p_applies_after_top_p_and_typical_p_after_both() -> None:
    # top_p leaves three, of which min_p drops the last; the two left have entropy 0.68,
    # which -log 0.571 = 0.56 is nearer than -log 0.429 = 0.85
    rows = np.log([[0.4, 0.3, 0.15, 0.15]])
    made = probabilities(rows, settings(top_p=0.8, min_p=0.5))
    assert made[0] == pytest.approx([4 / 7, 3 / 7, 0, 0])
    made = probabilities(rows, settings(top_p=0.8, min_p=0.5, typical_p=0.5))
    assert made[0] == pytest.approx([1, 0, 0, 0])


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
    data=st.data(),
    given=st.fixed_dictionaries(
        {},
        optional={
            "temperature": st.floats(0.1, 5),
            "top_k": st.integers(-1, 9),
            "top_p": st.floats(0.01, 1),
            "min_p": st.floats(0, 1),
            "typical_p": st.floats(0.01, 1),
            "repetition_penalty": st.floats(0.1, 5),
            "presence_penalty": st.floats(-2, 2),
            "frequency_penalty": st.floats(-2, 2),
            "repeat_last_n": st.integers(-1, 8),
            "no_repeat_ngram_size": st.integers(0, 3),
        },
    ),
)
def test_the_rules_together_are_the_rules_one_after_the_other(
    rows: Array, data: st.DataObject, given: dict[str, float]
) -> None:
    s, before, histories = settings(**given), rows.copy(), histories_for(rows, data)
    bias = data.draw(st.lists(st.floats(-5, 5), min_size=rows.shape[1], max_size=rows.shape[1]))
    made = probabilities(rows, s, histories, np.array(bias))
    assert rows.tolist() == before.tolist()
    recent = [recent_codes(history, s.repeat_last_n) for history in histories]
    step = with_bias(rows, np.array(bias))
    step = with_repetition_penalty(step, recent, s.repetition_penalty)
    step = with_presence_and_frequency(step, recent, s.presence_penalty, s.frequency_penalty)
    if s.no_repeat_ngram_size:
        step = without_repeated_ngrams(step, histories, s.no_repeat_ngram_size)
    for row, logits in zip(made, step, strict=True):
        if not drawable(logits.tolist()):
            assert (row == 0).all()
            continue
        left = with_temperature(logits[None], s.temperature)
        if 0 < s.top_k < rows.shape[1]:
            left = keep_top_k(left, s.top_k)
        if s.top_p < 1:
            left = keep_top_p(left, s.top_p)
        left = keep_min_p(left, s.min_p)
        if s.typical_p < 1:
            left = keep_typical_p(left, s.typical_p)
        assert row == pytest.approx(softmax(left[0]), rel=1e-11, abs=1e-300)
        assert row.sum() == pytest.approx(1)


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
    (code,) = sample(np.array([row]), np.array([uniform]))
    assert row[code] > 0


@given(row=CHANCES, uniform=UNIFORM)
def test_a_draw_is_where_the_running_sum_passes_the_uniform_number(
    row: list[float], uniform: float
) -> None:
    (code,) = sample(np.array([row]), np.array([uniform]))
    total, share = math.fsum(row), 1e-12  # of the sum: rounding of eight terms
    assert math.fsum(row[:code]) <= (uniform + share) * total
    assert math.fsum(row[: code + 1]) >= (uniform - share) * total


@pytest.mark.parametrize("total", [1.0000001, 0.9999999, 1.0, 1e-300])
def test_rows_need_not_sum_to_one(total: float) -> None:
    row = np.array([[0, 0.25, 0.75, 0]]) * total
    for uniform, code in [(0.0, 1), (0.2499, 1), (0.2501, 2), (math.nextafter(1, 0), 2)]:
        assert sample(row, np.array([uniform])) == [code]


def test_a_row_so_small_that_products_are_rounded_up_to_its_sum_is_drawn_from() -> None:
    assert sample(np.array([[0, 5e-324, 0]]), np.array([0.9])) == [1]


def test_nothing_is_drawn_where_nothing_has_probability() -> None:
    assert sample(np.array([[0.0, 0], [0, 1]]), np.array([0.0, 0.5])).tolist() == [-1, 1]


def test_each_row_is_drawn_by_its_own_number() -> None:
    rows = np.array([[0.5, 0.5], [0.5, 0.5], [0, 1]])
    assert sample(rows, np.array([0.1, 0.9, 0.1])).tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    "given", [{}, {"temperature": 0.5}, {"top_k": 3}, {"top_p": 0.8}, {"temperature": 2.0}]
)
def test_frequencies_are_the_probabilities(
    given: dict[str, float], rng: np.random.Generator
) -> None:
    draws = 20_000
    logits = np.array([[1.0, 0.5, 0.2, -0.3, -1.0, -np.inf]])
    chances = probabilities(logits, settings(**given))
    codes = sample(np.repeat(chances, draws, axis=0), rng.random(draws))
    counts = np.bincount(codes, minlength=6)
    expected = chances[0] * draws
    assert (counts[expected == 0] == 0).all()
    possible = expected > 0
    chi_square = ((counts - expected)[possible] ** 2 / expected[possible]).sum()
    assert chi_square < 18.5  # the 99.9th percentile at 4 degrees of freedom; the seed is fixed
