"""Precision of training: a float type, and bfloat16 products or not."""

from __future__ import annotations

from typing import Any, NamedTuple


class Precision(NamedTuple):
    """dtype: float type of parameters and sums. bfloat16: round the operands of products."""

    dtype: Any
    bfloat16: bool
