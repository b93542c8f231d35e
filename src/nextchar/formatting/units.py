"""Nats and bits, the two units of a loss: one nat is 1 / ln 2 bits."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, overload

if TYPE_CHECKING:
    from numpy.typing import NDArray

NATS_TO_BITS = 1 / math.log(2)


@overload
def to_bits(nats: float) -> float: ...
@overload
def to_bits(nats: NDArray[Any]) -> NDArray[Any]: ...
def to_bits(nats: Any) -> Any:
    """Return nats, one number or an array, as bits."""
    return nats / math.log(2)
