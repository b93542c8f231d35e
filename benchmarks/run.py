"""Entry point: `make bench` or `python -m benchmarks [--rows GLOB] [--seconds S] [--rounds N]`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

if not __package__:  # run as a file
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks import interleaved, machine, report, startup
from benchmarks.contender import Running
from benchmarks.job import UnavailableError
from benchmarks.rows import CONTENDERS, ROWS, TINY, matches, select

RESULTS = Path(__file__).resolve().parent / "results"

MEMORY = {  # name → row of the step
    "memory/lstm-512x2": next(row for row in ROWS if row.name == "train/lstm-512x2"),
    "tiny/memory": next(row for row in TINY if row.name == "tiny/lstm"),
}


def main(args: Sequence[str] | None = None) -> int:
    """Measure, print and write; return exit status 1 if no row matches."""
    options = _parser().parse_args(args)
    if not _names(options.rows):
        print(f"no row matches {options.rows}; see --list", file=sys.stderr)
        return 1
    if options.list:
        print("\n".join(_names(options.rows)))
        return 0
    record = measure(options)
    text = report.markdown(record)
    options.out.mkdir(parents=True, exist_ok=True)
    document = json.dumps(record, indent=1, ensure_ascii=False)
    (options.out / "report.md").write_text(text, encoding="utf-8")
    (options.out / "report.json").write_text(document + "\n", encoding="utf-8")
    print(text)
    return 0


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Return the record of a run."""
    tell("looking at the machine")
    settings = {name: getattr(options, name) for name in ("rows", "seconds", "rounds")}
    described = machine.describe()
    record: dict[str, Any] = {"machine": described, "settings": settings, "rows": []}
    for row in select(options.rows):
        tell(row.name)
        record["rows"].append(
            interleaved.measure(
                row,
                described["features"],
                seconds=options.seconds,
                rounds=options.rounds,
                limit=options.limit,
                tell=tell,
            )
        )
    tell("start-up and memory")
    record["startup"] = startup.measure(options.rows, options.rounds)
    record["memory"] = memory(options.rows, options.limit)
    return record


def memory(pattern: str, limit: float) -> list[dict[str, Any]]:
    """Measure the peak memory of a fresh training process of nextchar and of PyTorch."""
    made = []
    for row in (row for name, row in MEMORY.items() if matches(name, pattern)):
        for name in ("nextchar", "torch"):
            entry = {"title": row.title, "contender": name, "label": CONTENDERS[name].label}
            try:
                running = Running(name, row, limit=limit)
                try:
                    entry["peak"] = running.run(0.0, limit)["peak"]
                finally:
                    running.close()
            except UnavailableError as error:
                entry["failed"] = str(error)
            made.append(entry)
    return made


def tell(line: str) -> None:
    """Print progress on standard error."""
    print(line, file=sys.stderr, flush=True)


def _names(pattern: str) -> list[str]:
    others = [name for name in (*startup.ROWS, *MEMORY) if matches(name, pattern)]
    return [row.name for row in select(pattern)] + others


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    add = parser.add_argument
    add("--rows", default="*", metavar="GLOB", help="rows to measure: 'train/*', '*lstm-512x2*'")
    add("--seconds", type=float, default=3.0, metavar="S", help="duration of a turn (3)")
    add("--rounds", type=_positive, default=7, metavar="N", help="turns of each contender (7)")
    add("--limit", type=float, default=180.0, metavar="S", help="time limit of an answer (180)")
    add("--out", type=Path, default=RESULTS, metavar="DIR", help="directory of the report")
    add("--list", action="store_true", help="list the rows and exit")
    return parser


def _positive(text: str) -> int:
    if int(text) < 1:
        raise ValueError
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
