"""Any text, file, setting and command at all: done, or refused in a line."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fuzz import ARGUMENTS, PROPERTIES, Folder, any_arguments, any_model, parts_of
from nextchar.text.vocabulary import Vocabulary

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


@pytest.mark.parametrize(
    ("values", "records"),
    [
        ({"b_out": -np.inf}, None),  # no character has a probability
        ({"layer0.b": 50, "W_out": -3e38}, None),  # the same after the first one, by overflow
        ({"b_out": [50, 0, 0, 0, 0, 0, 0]}, "line"),  # a line break, which ends a record
    ],
)
def test_a_model_that_writes_next_to_nothing_is_refused_or_says_why(
    values: dict[str, Any], records: str | None
) -> None:
    tensors, document = parts_of("model")
    for name, value in values.items():
        tensors[name] = np.broadcast_to(np.float32(value), tensors[name].shape).copy()
    document["vocabulary"] = Vocabulary.of_text("to be\nr").to_json()
    document["text"]["records"] = records
    any_model((tensors, document))


@settings(calm, max_examples=120)
@given(arguments=ARGUMENTS)
def test_any_command_is_done_or_refused_in_a_line(folder: Folder, arguments: list[str]) -> None:
    any_arguments(folder, arguments)
