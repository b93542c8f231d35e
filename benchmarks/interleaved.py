"""A row: its contenders are prepared one after another, then run in turn, round after round."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

from benchmarks.contender import REST_SECONDS, Running
from benchmarks.job import UnavailableError
from benchmarks.ratios import Speeds, against_best, ratio
from benchmarks.rows import CONTENDERS, Row

Tell = Callable[[str], None]

TOLERANCE = {"float64": 1e-3, "float32": 1e-3, "bfloat16": 0.05}  # of the first loss
OURS = "nextchar"


class Race:
    """The running contenders of a row. left_out: reasons, by contender, of the others."""

    def __init__(self, row: Row, tell: Tell) -> None:
        self.row, self.running, self.left_out = row, dict[str, Running](), dict[str, str]()
        self._tell = tell

    def prepare(self, features: list[str], limit: float) -> None:
        """Start every contender of the row; leave out those that cannot take part."""
        for name in self.row.contenders:
            needs = CONTENDERS[name].needs
            try:
                if needs and needs not in features:
                    raise UnavailableError(f"this CPU has no {needs}")
                self.running[name] = Running(name, self.row, limit=limit)
                self._require_same_model(name)
            except UnavailableError as error:
                self.leave_out(name, str(error))

    def leave_out(self, name: str, why: str) -> None:
        """Continue without a contender."""
        self._tell(f"  {CONTENDERS[name].label}: left out, {why}")
        self.left_out[name] = why
        if name in self.running:
            self.running.pop(name).close()

    def close(self) -> None:
        """End all processes."""
        for each in self.running.values():
            each.close()

    def _require_same_model(self, name: str) -> None:
        """Require the first loss of nextchar; otherwise the models differ."""
        if OURS not in self.running:
            return
        theirs, ours = self.running[name].ready["check"], self.running[OURS].ready["check"]
        if not abs(theirs - ours) <= TOLERANCE[CONTENDERS[name].precision] * abs(ours):
            raise UnavailableError(
                f"it computes something else: its first loss is {theirs:.6f}, ours {ours:.6f}"
            )

    def rounds(self, seconds: float, rounds: int, limit: float) -> dict[str, list[dict[str, Any]]]:
        """Return turns of contenders that ran in all rounds; each round starts with another one."""
        turns: dict[str, list[dict[str, Any]]] = {name: [] for name in self.running}
        for number in range(rounds):
            names = list(self.running)
            start = number % len(names) if names else 0
            for name in names[start:] + names[:start]:
                time.sleep(REST_SECONDS)
                try:
                    turns[name].append(self.running[name].run(seconds, limit))
                except UnavailableError as error:
                    self.leave_out(name, str(error))
        return {name: made for name, made in turns.items() if name in self.running}


def measure(
    row: Row, features: list[str], *, seconds: float, rounds: int, limit: float, tell: Tell
) -> dict[str, Any]:
    """Return the record of a row, ready for JSON."""
    race = Race(row, tell)
    try:
        race.prepare(features, limit)
        turns = race.rounds(seconds, rounds, limit + seconds)
        ready = {name: race.running[name].ready for name in turns}
    finally:
        race.close()
    speeds = {
        name: [turn["characters"] / turn["seconds"] for turn in made]
        for name, made in turns.items()
    }
    contenders = [
        {
            "contender": name,
            "label": CONTENDERS[name].label,
            "speeds": speeds[name],
            "median": median(speeds[name]),
            "peak": turns[name][-1]["peak"],
            **ready[name],
        }
        for name in turns
    ]
    return {
        "row": row.name,
        "title": row.title,
        "kind": row.kind,
        "flops_per_character": row.flops_per_character(),
        "contenders": contenders,
        "left_out": race.left_out,
        "ratios": ratios(row, speeds),
    }


def ratios(row: Row, speeds: Speeds) -> list[dict[str, Any]]:
    """Return ratios of nextchar to each peer, to the best, and to the best of a precision.

    Each has its target, if there is one.

    against: a contender, "best" (of those of the same precision) or "best of all".
    """
    made = []
    for ours in (name for name in speeds if CONTENDERS[name].is_ours):
        precision = CONTENDERS[ours].precision
        peers = [name for name in speeds if not CONTENDERS[name].is_ours]
        same = [n for n in peers if CONTENDERS[n].precision in {precision, "float64"}]
        compared = [(name, ratio(speeds[ours], name, speeds[name])) for name in peers]
        compared += [
            ("best", against_best(speeds, ours, same)),
            ("best of all", against_best(speeds, ours, peers)),
        ]
        for against, found in compared:
            if found is not None:
                target = target_ratio(row, precision, against)
                fields = {"peer": found.peer, "value": found.value, "low": found.low}
                made.append(
                    {
                        "ours": ours,
                        "against": against,
                        **fields,
                        "high": found.high,
                        "target": target,
                    }
                )
    return made


def target_ratio(row: Row, precision: str, against: str) -> float | None:
    """Return the target ratio, or None."""
    if precision == "bfloat16":
        return row.targets.get("bfloat16") if against == "best" else None
    return row.targets.get(against)
