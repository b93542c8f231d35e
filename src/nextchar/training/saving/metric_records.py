"""The records of `metrics.jsonl` as the evaluations that they tell of."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from nextchar.training.events import Evaluated

_FIELDS = {each.name: str(each.type) for each in dataclasses.fields(Evaluated)}
_TYPES: Mapping[str, Any] = {
    "int": int,
    "float": (int, float),
    "float | None": (int, float, type(None)),
}


def evaluations_of(records: Iterable[Mapping[str, Any]]) -> list[Evaluated]:
    """The records as events. Raises ValueError, which names the step, where one cannot be."""
    return [_evaluated(record) for record in records]


def _evaluated(record: Mapping[str, Any]) -> Evaluated:
    for name, kind in _FIELDS.items():
        value = record.get(name)
        is_right = isinstance(value, _TYPES.get(kind, ())) and not isinstance(value, bool)
        if name != "is_best" and not is_right:
            raise ValueError(f"step {record['step']}: {name} is {value!r:.20}")
    known: dict[str, Any] = {name: record.get(name) for name in _FIELDS if name != "is_best"}
    return Evaluated(**known, is_best=False)
