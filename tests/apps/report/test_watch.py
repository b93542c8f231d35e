"""The page of a report, written once or repeatedly while a run trains."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import PROSE
from made_runs import made_records, made_run
from nextchar.apps.report.report import make_report
from nextchar.apps.report.watch import watch_runs, write_page
from nextchar.errors import RunError
from nextchar.runs.metrics_file import MetricsFile
from nextchar.runs.run_files import CONFIG, METRICS
from nextchar.training.saving.run_directory import RunDirectory


def test_a_page_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    text = tmp_path / "prose.txt"
    text.write_text(PROSE * 5)
    path = tmp_path / "file" / "report.html"
    with pytest.raises(RunError, match="cannot be written") as caught:
        write_page(make_report([made_run(tmp_path / "run", text, 3)], analyses=False), path)
    assert caught.value.path == str(path)
    assert caught.value.remedy == "give another --out"


def test_watching_writes_the_page_again_until_the_run_ends(tmp_path: Path) -> None:
    text = tmp_path / "prose.txt"
    text.write_text(PROSE * 5)
    path, page = made_run(tmp_path / "run", text, 3), tmp_path / "report.html"
    notes: list[str] = []
    pages: list[str] = []
    directory = RunDirectory.open(path)
    begun = (path / CONFIG).read_bytes()
    (path / CONFIG).unlink()  # as while the text is read

    def sleep(seconds: float) -> None:
        if not page.exists() and not (path / CONFIG).exists():
            (path / CONFIG).write_bytes(begun)
            return
        pages.append(page.read_text())
        records = made_records(3 + 2 * min(len(pages), 2))
        (path / METRICS).write_bytes(bytes(MetricsFile(records)))
        if len(pages) == 4:
            directory.close()

    watch_runs([path], page, notes.append, sleep)
    assert len(pages) == 4
    assert pages[0] != pages[1] != pages[2] == pages[3]
    assert all('http-equiv="refresh"' in each and "Still training" in each for each in pages)
    assert notes == [f"open {page} in a browser; it reloads itself during training"]


def test_watching_a_run_that_is_over_ends_at_once(tmp_path: Path) -> None:
    text = tmp_path / "prose.txt"
    text.write_text(PROSE * 5)
    path = made_run(tmp_path / "run", text, 3)
    watch_runs([path], tmp_path / "report.html", pytest.fail, pytest.fail)
    assert not (tmp_path / "report.html").exists()
