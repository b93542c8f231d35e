"""The description of the machine: the name of the processor, no host, no user."""

from __future__ import annotations

import platform
from datetime import datetime
from pathlib import Path

from nextchar.runs.machine import describe


def test_the_processor_is_called_by_its_makers_name(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: Wonder 9000 \nflags\t: x\n")
    assert describe(tmp_path / "cpuinfo")["cpu"] == "Wonder 9000"
    assert describe(tmp_path / "nothing")["cpu"]


def test_versions_and_the_time_are_noted_and_the_host_is_not() -> None:
    machine = describe()
    assert datetime.fromisoformat(machine["began"]).tzinfo is not None
    assert machine["python"] == platform.python_version()
    assert machine["cores"] >= 1
    assert platform.node() not in {*map(str, machine.values())}
