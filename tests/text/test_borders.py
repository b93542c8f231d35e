"""Where records are cut and how they are shuffled, beside what is obvious and slow."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextchar.text import borders
from nextchar.text.borders import border_near, shuffled_records

lists = st.lists(st.text("bcd", min_size=1, max_size=9), min_size=1, max_size=30)


def codes_of(records: list[str]) -> np.ndarray:
    return np.frombuffer(("a" + "a".join(records) + "a").encode(), np.uint8) - 97


def records_of(codes: np.ndarray) -> list[str]:
    return bytes(codes + 97).decode().split("a")[1:-1]


@pytest.fixture(params=[1 << 20, 8])
def reading(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """All at once, and a few codes at a time."""
    monkeypatch.setattr(borders, "READ", request.param)


@pytest.mark.usefixtures("reading")
def test_shuffled_records_are_the_same_ones_in_another_order() -> None:
    @given(lists, st.integers(0, 2**63 - 1))
    def holds(records: list[str], seed: int) -> None:
        shuffled = shuffled_records(codes_of(records), 0, seed)
        assert Counter(records_of(shuffled)) == Counter(records)
        assert shuffled.dtype == np.uint8

    holds()


def test_the_order_follows_from_the_seed() -> None:
    names = [f"{chr(98 + n % 24)}{chr(98 + n // 24)}" for n in range(400)]
    codes = codes_of(names)
    one, again, other = (shuffled_records(codes, 0, seed) for seed in (1, 1, 2))
    assert np.array_equal(one, again)
    assert records_of(one) != records_of(other)
    assert sum(a == b for a, b in zip(records_of(one), names, strict=True)) < 20
    assert records_of(codes) == names  # which are not changed


@pytest.mark.usefixtures("reading")
def test_the_border_near_a_place_is_the_next_one_or_else_the_last_before() -> None:
    @given(lists, st.data())
    def holds(records: list[str], data: st.DataObject) -> None:
        codes = codes_of(records)
        end = len(codes) - 1
        place = data.draw(st.integers(0, end))
        inside = np.flatnonzero(codes == 0)[1:-1].tolist()
        after = [each for each in inside if each >= place]
        before = [each for each in inside if each < place]
        assert border_near(codes, 0, place, end) == (after[:1] or before[-1:] or [end])[0]

    holds()
