"""Writing the page, once or again and again while a run goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from nextchar.apps.report.report import Report, make_report
from nextchar.apps.report.report_page import html
from nextchar.errors import RunError
from nextchar.files import write_atomically
from nextchar.runs.run_files import CONFIG, METRICS, SAMPLES, is_held

SECONDS = 2.0  # between two looks at a run
RELOAD = 5  # seconds after which a browser loads the page of a run that goes on


def write_page(report: Report, path: Path, refresh: int | None = None) -> None:
    """Write the page, whole. Raises RunError where that cannot be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, html(report, refresh).encode("utf-8", "backslashreplace"))
    except OSError as error:
        reason = error.strerror or error
        raise RunError(f"{path}: cannot be written ({reason}); give another --out") from error


def watch_runs(
    paths: Sequence[Path],
    page: Path,
    note: Callable[[str], None],
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Make the page anew whenever a run has something new, until none is trained any more.

    Models are not asked meanwhile, lest that take time from their training.
    """
    before: object = None
    while any(map(is_held, paths)):
        now = [_state(path) for path in paths]
        if now != before and all((path / CONFIG).exists() for path in paths):
            write_page(make_report(paths, analyses=False), page, RELOAD)
            if before is None:
                note(f"open {page} in a browser; it reloads itself while the training goes on")
            before = now
        sleep(SECONDS)


def _state(path: Path) -> list[tuple[int, int] | None]:
    """What changes where something new is written."""
    found: list[tuple[int, int] | None] = []
    for name in (METRICS, SAMPLES):
        try:
            stat = (path / name).stat()
            found.append((stat.st_mtime_ns, stat.st_size))
        except OSError:
            found.append(None)
    return found
