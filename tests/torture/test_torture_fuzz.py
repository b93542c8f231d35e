"""The properties of tests/fuzz.py, on thousands of inputs that are new in each run."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fuzz import ARGUMENTS, PROPERTIES, Folder, any_arguments

pytestmark = pytest.mark.torture

long = settings(
    suppress_health_check=list(HealthCheck),
    max_examples=3000,
    derandomize=False,
    deadline=None,
    print_blob=True,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    return Folder(tmp_path_factory.mktemp("fuzz"))


@pytest.mark.parametrize("name", PROPERTIES)
def test_whatever_is_given_is_taken_or_refused_in_a_line(name: str) -> None:
    holds, strategies = PROPERTIES[name]

    @long
    @given(st.tuples(*strategies))
    def check(example: tuple[Any, ...]) -> None:
        holds(*example)

    check()


@long
@given(arguments=ARGUMENTS)
def test_any_command_is_done_or_refused_in_a_line(folder: Folder, arguments: list[str]) -> None:
    any_arguments(folder, arguments)
