"""The message for ranks that differ."""

from __future__ import annotations

from nextchar.distributed.consistency import MAX_LENGTH, difference, host_facts

NAMES = ["rank 0 on a", "rank 1 on b", "rank 2 on c"]


def test_nothing_is_said_where_none_differs() -> None:
    assert difference(NAMES, [{"seed": 1}] * 3) is None


def test_each_that_differs_is_named_with_what_and_from_what() -> None:
    facts = [{"seed": 1, "x": "a\nb"}, {"seed": 1, "x": "c"}, {"seed": 3, "clip": 0.5, "x": "a\nb"}]
    assert difference(NAMES, facts) == (
        "rank 1 on b: x c (rank 0 has a b); "
        "rank 2 on c: clip 0.5 (rank 0 has not given), seed 3 (rank 0 has 1)"
    )


def test_a_thousand_differences_fit_into_a_line() -> None:
    line = difference([f"rank {n}" for n in range(1000)], [{"seed": n} for n in range(1000)])
    assert line
    assert len(line) == MAX_LENGTH + 1
    assert line.endswith("…")


def test_a_host_is_like_itself() -> None:
    assert host_facts() == host_facts()
    assert {"version", "kernels", "instruction set"} <= host_facts().keys()
