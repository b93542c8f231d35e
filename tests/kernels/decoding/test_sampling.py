"""Compiled sampling against the readable twin, generation/sampling.py."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from nextchar.generation.generation_settings import GenerationSettings
from nextchar.generation.sampling import probabilities
from nextchar.kernels.decoding.lanes import sampler_scratch
from nextchar.kernels.decoding.sampling import sample

Array = NDArray[Any]

# whole numbers make ties likely; -inf is never drawn
LOGIT = st.one_of(st.integers(-4, 4).map(float), st.floats(-60, 60, width=32), st.just(-math.inf))
LOGITS = st.lists(LOGIT, min_size=1, max_size=40).filter(lambda row: max(row) > -math.inf)
EDGE = 1e-5  # a number this near to the boundary between two characters may draw either


def chosen(row: Any, uniform: float = 0.5, dtype: Any = np.float32, **given: Any) -> int:
    rules = {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0, "typical_p": 1.0, **given}
    z = np.array(row, dtype)
    return int(sample(z, uniform, *rules.values(), sampler_scratch(z.size, dtype)))


def readable(row: Any, uniform: float, **given: Any) -> set[int]:
    """Return the codes that `generation.sampling` draws with the number and next to it."""
    rows = probabilities(np.array([row]), GenerationSettings(**given))
    nearby = np.clip(uniform + EDGE * np.array([-1, 0, 1]), 0, np.nextafter(1, 0))
    return set(sample(np.repeat(rows, 3, axis=0), nearby).tolist())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(
    row=LOGITS,
    uniform=st.floats(0, 1, exclude_max=True),
    temperature=st.sampled_from([0.0, 1e-320, 1e-3, 0.5, 1.0, 3.0, 1e300]),
    top_k=st.integers(-1, 45),
    top_p=st.sampled_from([1e-9, 0.3, 0.77, 0.95, 1.0]),
    min_p=st.sampled_from([0.0, 1e-4, 0.1, 1.0]),
)
def test_sample_draws_as_the_readable_rules_do(
    dtype: Any,
    row: list[float],
    uniform: float,
    temperature: float,
    top_k: int,
    top_p: float,
    min_p: float,
) -> None:
    given_rules = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "min_p": min_p}
    # where a probability is near min_p, or a sum near top_p, rounding decides: both are right
    nearly = {
        code
        for p in (top_p * (1 - EDGE), top_p, min(1.0, top_p * (1 + EDGE)))
        for least in (min_p * (1 - EDGE), min_p, min(1.0, min_p * (1 + EDGE)))
        for code in readable(row, uniform, **{**given_rules, "top_p": p, "min_p": least})
    }
    assert chosen(row, uniform, dtype, **given_rules) in nearly


@given(
    row=st.lists(st.floats(-8, 8), min_size=1, max_size=30),
    uniform=st.floats(0, 1, exclude_max=True),
    typical_p=st.sampled_from([1e-6, 0.2, 0.5, 0.9, 0.999]),
    top_k=st.sampled_from([0, 5]),
)
def test_sample_keeps_typical_codes_as_the_readable_rule_does(
    row: list[float], uniform: float, typical_p: float, top_k: int
) -> None:
    rules = {"typical_p": typical_p, "top_k": top_k}
    nearly = {
        code
        for p in (typical_p * (1 - EDGE), typical_p, typical_p * (1 + EDGE))
        for code in readable(row, uniform, top_k=top_k, typical_p=min(1.0, p))
    }
    drawn = chosen(row, uniform, np.float64, **rules)
    # two that are equally near to the entropy, up to rounding, may change places
    gaps = np.abs(np.subtract.outer(row, row))[np.triu_indices(len(row), 1)]
    assert drawn in nearly or (gaps < 1e-6).any() or _is_mirrored(row, top_k)


def _is_mirrored(row: list[float], top_k: int) -> bool:
    """Whether two probabilities lie as far above the entropy as below it, up to rounding."""
    kept = probabilities(np.array([row]), GenerationSettings(top_k=top_k))[0]
    surprise = -np.log(kept[kept > 0])
    far = np.sort(np.abs(surprise - (kept[kept > 0] * surprise).sum()))
    return bool((np.diff(far) < 1e-6).any())


def test_a_row_of_thousands_is_drawn_from_like_a_short_one(rng: np.random.Generator) -> None:
    row = rng.standard_normal(5000).astype(np.float32) * 3
    for top_k, top_p in ((0, 1.0), (40, 1.0), (0, 0.9), (1000, 0.5), (4999, 0.999)):
        for uniform in (0.0, 0.2, 0.7, 0.999):
            rules = {"temperature": 0.8, "top_k": top_k, "top_p": top_p}
            assert chosen(row, uniform, **rules) in readable(row, uniform, **rules)


def test_draws_are_as_frequent_as_probable(rng: np.random.Generator) -> None:
    row = np.log([0.5, 0.25, 0.125, 0.125])
    counts = np.bincount([chosen(row, uniform) for uniform in rng.random(4000)], minlength=4)
    assert counts / 4000 == pytest.approx(np.exp(row), abs=0.04)  # five standard deviations


def test_where_all_is_banned_nothing_is_drawn() -> None:
    for given_rules in ({}, {"top_k": 2}, {"top_p": 0.5}, {"temperature": 0.0}):
        assert chosen([-math.inf] * 3, **given_rules) == -1


def test_greedy_takes_the_first_of_equals() -> None:
    assert chosen([1.0, 2, 2], temperature=0.0) == 1


def test_ties_with_the_last_of_top_k_are_kept_and_the_first_ones_of_top_p() -> None:
    row = [0.0, 1.0, 1.0, 1.0]
    assert {chosen(row, uniform, top_k=2) for uniform in np.linspace(0, 0.999, 50)} == {1, 2, 3}
    assert {chosen(row, uniform, top_p=0.5) for uniform in np.linspace(0, 0.999, 50)} == {1, 2}


def test_numbers_at_the_ends_draw_the_first_and_the_last_that_can_be() -> None:
    row = [-math.inf, 0.0, 0.0, -math.inf]
    assert chosen(row, 0.0) == 1
    assert chosen(row, float(np.nextafter(1, 0))) == 2


def test_logits_that_are_not_numbers_still_give_a_code() -> None:
    for row in ([math.nan] * 5, [0.0, math.nan, 1.0], [math.inf, math.inf]):
        for given_rules in ({}, {"top_k": 2}, {"top_p": 0.5}, {"temperature": 0.0}):
            assert 0 <= chosen(row, **given_rules) < len(row)
