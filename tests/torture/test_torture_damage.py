"""Ten thousand damaged files of a run: a clear error or the same result."""

from __future__ import annotations

import pytest

from damage import FILES, Run, make_run, torture

pytestmark = pytest.mark.torture

PARTS, EACH = 5, 500  # of each of the four files


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return make_run(tmp_path_factory.mktemp("damage") / "run")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("part", range(PARTS))
def test_a_damaged_file_is_refused_or_makes_no_difference(
    finished: Run, name: str, part: int
) -> None:
    torture(finished, name, seed=100 + part, count=EACH)
