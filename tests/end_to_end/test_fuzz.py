"""Any text, file, setting and command at all: done, or refused in a line."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fuzz import ARGUMENTS, PROPERTIES, Folder, any_arguments

calm = settings(suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    return Folder(tmp_path_factory.mktemp("fuzz"))


@pytest.mark.parametrize("name", PROPERTIES)
def test_whatever_is_given_is_taken_or_refused_in_a_line(name: str) -> None:
    holds, strategies = PROPERTIES[name]

    @settings(calm, max_examples=60)
    @given(st.tuples(*strategies))
    def check(example: tuple[Any, ...]) -> None:
        holds(*example)

    check()


@settings(calm, max_examples=120)
@given(arguments=ARGUMENTS)
def test_any_command_is_done_or_refused_in_a_line(folder: Folder, arguments: list[str]) -> None:
    any_arguments(folder, arguments)
