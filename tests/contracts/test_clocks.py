"""Durations are measured on clocks that nobody can set back."""

from __future__ import annotations

import ast

from conftest import ROOT

WALL = {"time", "now", "today", "utcnow", "localtime", "gmtime"}
TELLS_THE_TIME = {
    "server/in_flight.py",  # when a text was asked for
    "training/saving/run_lock.py",  # since when a run directory is held
    "runs/machine.py",  # when a run was begun
}


def test_nothing_is_timed_by_the_wall_clock() -> None:
    source = ROOT / "src" / "nextchar"
    looking = {
        path.relative_to(source).as_posix()
        for path in source.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and node.attr in WALL
        and isinstance(node.value, ast.Name)
        and node.value.id in {"time", "datetime", "date"}
    }
    assert looking == TELLS_THE_TIME
