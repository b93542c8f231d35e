"""The words and tables of a report: what was reached, what differs, and what was run."""

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
    """In a line, what the report is of."""
    going = [run.name for run in report.runs if run.is_going]
    if going:
        return f"Training goes on: {', '.join(going)}"
    count = len(report.runs)
    return f"{count} runs side by side" if count > 1 else network(report.runs[0])


def network(run: Run) -> str:
    """The shape of a run's network: LSTM 256×2."""
    shape = run.settings.network
    return f"{shape.cell.upper()} {shape.hidden_size}×{shape.num_layers}"


def facts(run: Run, analysis: Analysis) -> str:
    """The few numbers that matter most, large."""
    made: list[tuple[str, str]] = []
    if run.best is not None:
        loss = float(run.losses[run.best])
        what = "validation" if np.isfinite(run.records["val_loss"]).any() else "training"
        step = int(run.records["step"][run.best])
        made += [
            (f"{loss:.4f}", f"nats per character, best in {what}, at step {step:,}"),
            (f"{to_bits(loss):.3f}", "bits per character"),
        ]
    if analysis.accuracy is not None:
        made.append((f"{analysis.accuracy:.1%}", "of the first guesses are right"))
    if analysis.parameters:
        made.append((short_number(analysis.parameters), f"weights, {network(run)}"))
    if len(run.records["step"]):
        characters, seconds = (float(run.records[n][-1]) for n in ("characters", "seconds"))
        epoch = float(run.records["epoch"][-1])
        made += [
            (short_number(characters), f"characters read, {_times(epoch)} the text"),
            (
                duration(seconds, 1),
                f"of training, {short_number(characters / max(seconds, 1e-9))} char/s",
            ),
        ]
    cells = "".join(
        tag("div", tag("b", escape(number)) + tag("span", escape(what)), class_="fact")
        for number, what in made
    )
    return tag("div", cells, class_="facts") + notes(analysis) + _back(run)


def notes(analysis: Analysis) -> str:
    """What could not be measured, and why."""
    return "".join(tag("p", escape(note), class_="note") for note in analysis.notes)


def _back(run: Run) -> str:
    return "".join(
        tag("p", escape(f"{each.get('why', '')}: back to step {each['step']:,}, on with a peak "
                        f"learning rate of {each.get('peak_learning_rate', 0):g}."), class_="note")
        for each in run.went_back
    )  # fmt: skip


def table_of_runs(report: Report) -> str:
    """What each run reached, one row each."""
    names = ("run", "nats", "bits", "at step", "steps", "weights", "time", "char/s")
    head = "".join(_head(name, name != "run") for name in names)
    rows = []
    for place, (run, analysis) in enumerate(report.pairs):
        best = run.best
        cells = [key_of(run.name, place)]
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
        own = "".join(_cell(cell, number > 0) for number, cell in enumerate(cells))
        rows.append(tag("tr", own, class_="best" if is_best else None))
    table = tag("div", tag("table", tag("tr", head) + "".join(rows)), class_="scroll")
    told = {note for _, analysis in report.pairs for note in analysis.notes}
    return table + "".join(tag("p", escape(note), class_="note") for note in sorted(told))


def differences(report: Report) -> str:
    """The settings that differ from run to run, and no others."""
    found = differing(report.runs)
    if not found:
        return tag("p", "All settings are the same.", class_="note")
    names = [key_of(run.name, place) for place, run in enumerate(report.runs)]
    rows = [["run", *map(escape, found)]]  # by runs, or by settings where those are more
    values = [[escape(_shown(each)) for each in own] for own in found.values()]
    rows += [[name, *own] for name, *own in zip(names, *values, strict=True)]
    if len(found) > len(names):
        rows = [list(column) for column in zip(*rows, strict=True)]
    title = tag("h3", "Settings that differ", class_="apart")
    return title + tag("div", tag("table", _rows(rows)), class_="scroll")


def _rows(rows: list[list[str]]) -> str:
    """Rows of a table, the first of which is its head."""
    head, *others = rows
    made = [tag("tr", "".join(tag("th", cell) for cell in head))]
    made += [tag("tr", "".join(tag("td", cell) for cell in row)) for row in others]
    return "".join(made)


def provenance(run: Run, analysis: Analysis) -> str:
    """What was run: text, machine, command, settings."""
    source = run.source
    rows: list[tuple[str, str]] = [
        ("run directory", str(run.path)),
        ("text", ", ".join(source["inputs"]) or "not from files"),
    ]
    if source["validation"]:
        rows.append(("validation text", ", ".join(source["validation"])))
    if analysis.text:
        text = analysis.text
        parts = f"{text.training:,} characters to train on, {text.validation:,} to validate on"
        test = f", {text.test:,} to test on" if text.test else ""
        rows.append(("its parts", f"{parts}{test}; {text.vocabulary:,} different ones"))
    if run.model and (sha256 := run.model.training.get("text_sha256")):
        rows.append(("its SHA-256", str(sha256)))
    rows += [(name, str(source[name])) for name in _MACHINE if name in source]
    table = _two_columns(rows)
    command = repeat_command(
        run.settings, source["inputs"], source["validation"], source.get("from")
    )
    again = tag("p", "Repeat it with:") + tag("pre", escape(command))
    settings = "".join(
        tag("h3", group) + _two_columns([(n, _shown(v)) for n, v in values.items()])
        for group in GROUPS
        for values in [run.settings.tables()[group]]
    )
    every = tag("details", tag("summary", "All settings") + settings)
    return tag("h3", escape(run.name)) + table + again + every


def _two_columns(rows: list[tuple[str, str]]) -> str:
    made = "".join(
        tag("tr", tag("th", escape(name)) + tag("td", escape(value))) for name, value in rows
    )
    return tag("table", made, class_="pairs")


def _head(name: str, is_number: bool) -> str:
    return tag("th", escape(name), class_="number" if is_number else None)


def _cell(content: str, is_number: bool) -> str:
    return tag("td", content, class_="number" if is_number else None)


def _shown(value: Any) -> str:
    return "–" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _times(number: float) -> str:
    return f"{number:,.0f} times" if number >= 100 else f"{number:.3g} times"
