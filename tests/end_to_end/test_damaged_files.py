"""Five hundred damaged files: a clear error or the same result. tests/torture has ten thousand."""

from __future__ import annotations

import sys

import pytest

from damage import FILES, Run, check, make_run, torture
from nextchar.model.file import BEST
from nextchar.runs.run_files import CHECKPOINT

if sys.platform != "win32":
    import resource

EACH = 125


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return make_run(tmp_path_factory.mktemp("damage") / "run")


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_refused_or_makes_no_difference(finished: Run, name: str) -> None:
    torture(finished, name, seed=1, count=EACH)


@pytest.mark.parametrize("name", [BEST, CHECKPOINT])
def test_a_file_cut_at_any_border_is_refused(finished: Run, name: str) -> None:
    data = (finished.path / name).read_bytes()
    header = 8 + int.from_bytes(data[:8], "little")
    for border in (0, 8, header, header + 4, len(data) - 4, len(data)):
        for length in (border - 1, border, border + 1):
            if 0 <= length < len(data):
                assert check(finished, name, data[:length]), length


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no getrusage to measure with")
def test_no_damaged_file_makes_much_memory_be_asked_for(finished: Run) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    torture(finished, BEST, seed=2, count=50)
    unit = 1 if sys.platform == "darwin" else 1024
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * unit < 50e6
