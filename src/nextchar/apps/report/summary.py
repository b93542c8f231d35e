"""Texts and tables of a report: results, differing settings, provenance."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

import numpy as np

from nextchar.apps.html.markup import tag
from nextchar.apps.html.svg import key_of
from nextchar.apps.report.loaded_runs import Run, differing
from nextchar.apps.report.model_analysis import Analysis
from nextchar.apps.report.report import Report
from nextchar.formatting.quantities import duration, short_number
from nextchar.formatting.units import to_bits
from nextchar.runs.repeat_command import repeat_command
from nextchar.settings.config import GROUPS

_MACHINE = ("began", "nextchar", "python", "numpy", "numba", "system", "cpu", "cores")


def subtitle(report: Report) -> str:
    """Return the subtitle of the page."""
    training = [run.name for run in report.runs if run.is_training]
    if training:
        return f"Still training: {', '.join(training)}"
    count = len(report.runs)
    return f"{count} runs side by side" if count > 1 else network(report.runs[0])


def network(run: Run) -> str:
    """Return the size of a run's network: LSTM 256×2."""
    settings = run.settings.network
    return f"{settings.cell.upper()} {settings.hidden_size}×{settings.num_layers}"


def facts(run: Run, analysis: Analysis) -> str:
    """Return the most important numbers, in large type."""
    pairs: list[tuple[str, str]] = []
    if run.best is not None:
        loss = float(run.losses[run.best])
        part = "validation" if np.isfinite(run.records["val_loss"]).any() else "training"
        step = int(run.records["step"][run.best])
        pairs += [
            (f"{loss:.4f}", f"nats per character, best in {part}, at step {step:,}"),
            (f"{to_bits(loss):.3f}", "bits per character"),
        ]
    if analysis.accuracy is not None:
        pairs.append((f"{analysis.accuracy:.1%}", "of the first guesses are correct"))
    if analysis.parameters:
        pairs.append((short_number(analysis.parameters), f"parameters, {network(run)}"))
    if len(run.records["step"]):
        characters, epoch = (float(run.records[name][-1]) for name in ("characters", "epoch"))
        time, speed = _time_and_speed(run)
        pairs += [
            (short_number(characters), f"characters, {_times(epoch)} the text"),
            (time, f"of training, {speed} char/s"),
        ]
    cells = "".join(
        tag("div", tag("b", escape(number)) + tag("span", escape(what)), class_="fact")
        for number, what in pairs
    )
    return tag("div", cells, class_="facts") + _notes(analysis.notes) + _rollbacks(run)


def _time_and_speed(run: Run) -> tuple[str, str]:
    """Return the time of training and the characters per second, of a run with a record."""
    seconds, characters = (float(run.records[name][-1]) for name in ("seconds", "characters"))
    return duration(seconds, 1), short_number(characters / max(seconds, 1e-9))


def _notes(texts: Iterable[str]) -> str:
    return "".join(tag("p", escape(text), class_="note") for text in texts)


def _rollbacks(run: Run) -> str:
    return _notes(
        f"{each.get('why', '')}: rolled back to step {each['step']:,}, continued with a peak "
        f"learning rate of {each.get('peak_learning_rate', 0):g}."
        for each in run.rollbacks
    )


def table_of_runs(report: Report) -> str:
    """Return the results as a table with one row for each run."""
    names = ("run", "nats", "bits", "at step", "steps", "parameters", "time", "char/s")
    rows = [_row("th", names)]
    for number, (run, analysis) in enumerate(report.pairs):
        cells = [key_of(run.name, number)] + [""] * 7
        if run.best is not None:
            loss = float(run.losses[run.best])
            cells[1:] = [
                f"{loss:.4f}",
                f"{to_bits(loss):.3f}",
                f"{int(run.records['step'][run.best]):,}",
                f"{int(run.records['step'][-1]):,}",
                short_number(analysis.parameters) if analysis.parameters else "",
                *_time_and_speed(run),
            ]
        rows.append(_row("td", cells, is_best=run is report.best_run))
    table = tag("div", tag("table", "".join(rows)), class_="scroll")
    return table + _notes(sorted({note for each in report.analyses for note in each.notes}))


def _row(kind: str, cells: Sequence[str], *, is_best: bool = False) -> str:
    """Return a row of `table_of_runs`: a name, then numbers. kind: of cells, "th" or "td"."""
    first, *numbers = cells
    row = tag(kind, first) + "".join(tag(kind, each, class_="number") for each in numbers)
    return tag("tr", row, class_="best" if is_best else None)


def differences(report: Report) -> str:
    """Return a table of the settings that differ between the runs."""
    settings = differing(report.runs)
    if not settings:
        return tag("p", "All settings are the same.", class_="note")
    names = [key_of(run.name, number) for number, run in enumerate(report.runs)]
    rows = [["run", *map(escape, settings)]]  # a row is a run, or a setting if those are more
    values = [[escape(_value(each)) for each in row] for row in settings.values()]
    rows += [[name, *row] for name, *row in zip(names, *values, strict=True)]
    if len(settings) > len(names):
        rows = [list(column) for column in zip(*rows, strict=True)]
    table = "".join(
        tag("tr", "".join(tag("td" if number else "th", cell) for cell in row))
        for number, row in enumerate(rows)
    )
    title = tag("h3", "Settings that differ", class_="apart")
    return title + tag("div", tag("table", table), class_="scroll")


def provenance(run: Run, analysis: Analysis) -> str:
    """Return the text, machine, command and settings of a run."""
    source = run.source
    rows = [("run directory", str(run.path))]
    rows.append(("text", ", ".join(source["inputs"]) or "not from files"))
    if source["validation"]:
        rows.append(("validation text", ", ".join(source["validation"])))
    if analysis.text:
        text = analysis.text
        parts = f"{text.training:,} characters for training, {text.validation:,} for validation"
        test = f", {text.test:,} for the test" if text.test else ""
        rows.append(("parts", f"{parts}{test}; vocabulary of {text.vocabulary:,}"))
    if run.model and (sha256 := run.model.training.get("text_sha256")):
        rows.append(("SHA-256", str(sha256)))
    rows += [(name, str(source[name])) for name in _MACHINE if name in source]
    texts = source["inputs"], source["validation"], source.get("from")
    command = tag("pre", escape(repeat_command(run.settings, *texts)))
    tables = run.settings.tables()
    settings = "".join(
        tag("h3", group) + _two_columns([(n, _value(v)) for n, v in tables[group].items()])
        for group in GROUPS
    )
    every = tag("details", tag("summary", "All settings") + settings)
    title = tag("h3", escape(run.name))
    return title + _two_columns(rows) + tag("p", "Repeat it with:") + command + every


def _two_columns(rows: list[tuple[str, str]]) -> str:
    content = "".join(
        tag("tr", tag("th", escape(name)) + tag("td", escape(value))) for name, value in rows
    )
    return tag("table", content, class_="pairs")


def _value(value: Any) -> str:
    return "–" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _times(number: float) -> str:
    return f"{number:,.0f} times" if number >= 100 else f"{number:.3g} times"
