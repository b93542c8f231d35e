"""Every cell on every instruction set; `make test` has two of these, with a cell each."""

from __future__ import annotations

import platform

import pytest

from kernels.test_isa import SETS, compute_on
from nextchar.settings.groups import CELLS


@pytest.mark.skipif(
    platform.machine() not in {"x86_64", "AMD64"}, reason="these instruction sets are x86-64's"
)
@pytest.mark.parametrize("name", SETS)
def test_gradients_and_predictions_of_every_cell_are_right(name: str) -> None:
    compute_on(name, *CELLS)
