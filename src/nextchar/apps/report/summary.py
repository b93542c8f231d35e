"""Texts and tables of a report: results, differing settings, provenance."""

from __future__ import annotations

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
        characters, seconds = (float(run.records[n][-1]) for n in ("characters", "seconds"))
        epoch = float(run.records["epoch"][-1])
        pairs += [
            (short_number(characters), f"characters, {_times(epoch)} the text"),
            (
                duration(seconds, 1),
                f"of training, {short_number(characters / max(seconds, 1e-9))} char/s",
            ),
        ]
    cells = "".join(
        tag("div", tag("b", escape(number)) + tag("span", escape(what)), class_="fact")
        for number, what in pairs
    )
    return tag("div", cells, class_="facts") + notes(analysis) + _rollbacks(run)


def notes(analysis: Analysis) -> str:
    """Return the reasons why something could not be measured."""
    return "".join(tag("p", escape(note), class_="note") for note in analysis.notes)


def _rollbacks(run: Run) -> str:
    texts = [
        f"{each.get('why', '')}: rolled back to step {each['step']:,}, continued with a peak "
        f"learning rate of {each.get('peak_learning_rate', 0):g}."
        for each in run.rollbacks
    ]
    return "".join(tag("p", escape(text), class_="note") for text in texts)


def table_of_runs(report: Report) -> str:
    """Return the results as a table with one row for each run."""
    names = ("run", "nats", "bits", "at step", "steps", "parameters", "time", "char/s")
    head = "".join(_head(name, name != "run") for name in names)
    rows = []
    for number, (run, analysis) in enumerate(report.pairs):
        best = run.best
        cells = [key_of(run.name, number)]
        if best is None:
            cells += [""] * 7
        else:
            loss, seconds = float(run.losses[best]), float(run.records["seconds"][-1])
            speed = float(run.records["characters"][-1]) / max(seconds, 1e-9)
            cells += [
                f"{loss:.4f}",
                f"{to_bits(loss):.3f}",
                f"{int(run.records['step'][best]):,}",
                f"{int(run.records['step'][-1]):,}",
                short_number(analysis.parameters) if analysis.parameters else "",
                duration(seconds, 1),
                short_number(speed),
            ]
        is_best = run is report.best_run
        row = "".join(_cell(cell, column > 0) for column, cell in enumerate(cells))
        rows.append(tag("tr", row, class_="best" if is_best else None))
    table = tag("div", tag("table", tag("tr", head) + "".join(rows)), class_="scroll")
    reasons = {note for _, analysis in report.pairs for note in analysis.notes}
    return table + "".join(tag("p", escape(note), class_="note") for note in sorted(reasons))


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
    title = tag("h3", "Settings that differ", class_="apart")
    return title + tag("div", tag("table", _rows(rows)), class_="scroll")


def _rows(rows: list[list[str]]) -> str:
    """Return the rows of a table; the first is its head."""
    head, *others = rows
    elements = [tag("tr", "".join(tag("th", cell) for cell in head))]
    elements += [tag("tr", "".join(tag("td", cell) for cell in row)) for row in others]
    return "".join(elements)


def provenance(run: Run, analysis: Analysis) -> str:
    """Return the text, machine, command and settings of a run."""
    source = run.source
    rows: list[tuple[str, str]] = [
        ("run directory", str(run.path)),
        ("text", ", ".join(source["inputs"]) or "not from files"),
    ]
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
    table = _two_columns(rows)
    command = repeat_command(
        run.settings, source["inputs"], source["validation"], source.get("from")
    )
    repeat = tag("p", "Repeat it with:") + tag("pre", escape(command))
    settings = "".join(
        tag("h3", group) + _two_columns([(n, _value(v)) for n, v in values.items()])
        for group in GROUPS
        for values in [run.settings.tables()[group]]
    )
    every = tag("details", tag("summary", "All settings") + settings)
    return tag("h3", escape(run.name)) + table + repeat + every


def _two_columns(rows: list[tuple[str, str]]) -> str:
    content = "".join(
        tag("tr", tag("th", escape(name)) + tag("td", escape(value))) for name, value in rows
    )
    return tag("table", content, class_="pairs")


def _head(name: str, is_number: bool) -> str:
    return tag("th", escape(name), class_="number" if is_number else None)


def _cell(content: str, is_number: bool) -> str:
    return tag("td", content, class_="number" if is_number else None)


def _value(value: Any) -> str:
    return "–" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _times(number: float) -> str:
    return f"{number:,.0f} times" if number >= 100 else f"{number:.3g} times"
