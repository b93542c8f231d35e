"""Nats and bits."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nextchar.formatting.units import NATS_TO_BITS, to_bits


def test_a_nat_is_1_by_ln_2_bits() -> None:
    assert to_bits(math.log(2)) == 1
    assert pytest.approx(to_bits(1.0)) == NATS_TO_BITS
    assert to_bits(np.array([0.0, math.log(4)])).tolist() == [0, 2]
