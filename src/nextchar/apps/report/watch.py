"""The page of a report, written once or repeatedly while a run trains."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from nextchar.apps.report.report import Report, make_report
from nextchar.apps.report.report_page import html
from nextchar.errors import RunError
from nextchar.files import write_atomically
from nextchar.runs.run_files import CONFIG, METRICS, SAMPLES, is_held

SECONDS = 2.0  # between two checks of a run
RELOAD = 5  # seconds after which a browser reloads the page during training


def write_page(report: Report, path: Path, refresh: int | None = None) -> None:
    """Write the page atomically. Raises RunError where it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, html(report, refresh).encode("utf-8", "backslashreplace"))
    except OSError as error:
        problem = f"cannot be written ({error.strerror or error})"
        raise RunError(problem, path=path, remedy="give another --out") from error


def watch_runs(
    paths: Sequence[Path],
    page: Path,
    note: Callable[[str], None],
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Write the page again whenever a run has new records, until no run is training.

    Models are not run meanwhile, so that training is not slowed down.
    """
    before: object = None
    while any(map(is_held, paths)):
        now = [_state(path) for path in paths]
        if now != before and all((path / CONFIG).exists() for path in paths):
            write_page(make_report(paths, analyses=False), page, RELOAD)
            if before is None:
                note(f"open {page} in a browser; it reloads itself during training")
            before = now
        sleep(SECONDS)


def _state(path: Path) -> list[tuple[int, int] | None]:
    """Return the modification times and sizes of the files that a run appends to."""
    state: list[tuple[int, int] | None] = []
    for name in (METRICS, SAMPLES):
        try:
            stat = (path / name).stat()
            state.append((stat.st_mtime_ns, stat.st_size))
        except OSError:
            state.append(None)
    return state
