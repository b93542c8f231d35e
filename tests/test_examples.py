"""The notebooks in examples/ run from beginning to end, and are kept without what they printed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from conftest import ROOT

NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))


def shown(cell: Any) -> list[dict[str, Any]]:
    """What a cell that was run shows: by kind, text, HTML or an image."""
    return [output.get("data", {}) for output in cell.outputs]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a notebook's kernel works, with nothing in it."""
    monkeypatch.setenv("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    return tmp_path


@pytest.mark.slow
# asked of the operating system's sockets, not of us
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def test_a_notebook_runs_and_shows_what_it_promises(path: Path, folder: Path) -> None:
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=240, resources={"metadata": {"path": folder}}).execute()
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    frames = [data for cell in cells for data in shown(cell) if "text/html" in data]
    assert frames, "nothing showed itself"
    assert all("<iframe" in data["text/html"] for data in frames)
    if path.stem == "first-walk":
        assert any("image/png" in data for cell in cells for data in shown(cell))


def test_there_are_two_notebooks_without_outputs() -> None:
    assert [path.stem for path in NOTEBOOKS] == ["first-walk", "look-inside"]
    for path in NOTEBOOKS:
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            assert not cell.get("outputs"), f"{path.name}: strip its outputs"
            assert cell.get("execution_count") is None
