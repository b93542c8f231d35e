"""The HTML page of a report, in one file."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from nextchar.apps.html.markup import tag
from nextchar.apps.html.svg import draw_svg
from nextchar.apps.html.template import card, grid, page, section
from nextchar.apps.memorisation.passages import MARKED
from nextchar.apps.report.loss_curves import CLOCKS
from nextchar.apps.report.report import Report
from nextchar.apps.report.summary import differences, facts, provenance, subtitle, table_of_runs
from nextchar.apps.report.temperature_samples import LONG, Memorisation, TemperatureSample

_HTML = Path(__file__).parent.parent / "html"


def html(report: Report, refresh: int | None = None) -> str:
    """Return the page. refresh: seconds after which a browser reloads it."""
    title = " · ".join(run.name for run in report.runs[:3])
    if len(report.runs) > 3:
        title += f" and {len(report.runs) - 3} more"
    parts = (_overview, _training, _knowledge, _samples, _memorisation, _information)
    body = [part(report) for part in parts]
    choosers = "".join(
        f"#clock-{clock}:checked~.of-{clock}{{display:block}}"
        f"#clock-{clock}:checked~.chooser label[for=clock-{clock}]"
        "{color:var(--ink);border-color:var(--ink)}"
        f"#clock-{clock}:focus-visible~.chooser label[for=clock-{clock}]"
        "{outline:2px solid var(--c0)}"
        for clock in CLOCKS
    )
    return page(
        title,
        "\n".join(filter(None, body)),
        subtitle=escape(subtitle(report)),
        more_style=f".clock{{display:none}}{choosers}",
        script=(_HTML / "tooltip.js").read_text(encoding="utf-8"),
        refresh=refresh,
    )


def _overview(report: Report) -> str:
    if len(report.runs) == 1:
        run, analysis = report.pairs[0]
        return card(facts(run, analysis))
    return card(table_of_runs(report), differences(report))


def _training(report: Report) -> str:
    if not any(report.curves.values()):
        return section("Training", card(tag("p", "There is no evaluation yet.")))
    inputs, labels, figures = "", "", ""
    for number, (clock, name) in enumerate(CLOCKS.items()):
        inputs += tag("input", type="radio", name="clock", class_="choice", id=f"clock-{clock}",
                      checked=number == 0)  # fmt: skip
        labels += tag("label", f"by {name}", for_=f"clock-{clock}")
        cards = [card(draw_svg(figure), size=figure.size) for figure in report.curves[clock]]
        figures += tag("div", grid(*cards), class_=f"clock of-{clock}")
    return section("Training", inputs, tag("div", labels, class_="chooser"), figures)


def _knowledge(report: Report) -> str:
    if not report.knowledge:
        return ""
    cards = grid(*(card(draw_svg(each), size=each.size) for each in report.knowledge))
    legend = tag("span", "Colours and dashes are those of the table above.", class_="note")
    return section("Model analysis", cards, about=legend if len(report.runs) > 1 else "")


def _information(report: Report) -> str:
    return section("Run information", *(card(provenance(*each)) for each in report.pairs))


def _samples(report: Report) -> str:
    sections = []
    for run, analysis in report.pairs:
        parts = [*filter(None, (_by_step(run.samples), _by_temperature(analysis.samples)))]
        if not parts:
            continue
        content = grid(*(card(part, size="half" if len(parts) > 1 else "whole") for part in parts))
        if len(report.runs) > 1:
            content = tag("summary", escape(run.name)) + content
            content = tag("details", content, open=run is report.best_run, class_="apart")
        sections.append(content)
    return section("Generated text", *sections) if sections else ""


def _by_step(samples: Sequence[dict[str, object]]) -> str:
    """Return the samples that the run kept during training."""
    rows = [_row(f"{each['step']:,}", str(each["text"])) for each in samples]
    return _table_of_texts("From noise to words", "By training step.", rows)


def _by_temperature(samples: Sequence[TemperatureSample]) -> str:
    """Return samples of the best model by temperature."""
    rows = [_row(f"{each.temperature:g}", each.text, each.spans) for each in samples]
    marked = any(each.spans for each in samples)
    note = f"Marked: passages of {MARKED} characters or more that occur in the training text."
    about = f"By temperature. {note if marked else ''}"
    return _table_of_texts("The best model, from safe to wild", about, rows)


def _table_of_texts(title: str, about: str, rows: Sequence[str]) -> str:
    head = tag("h3", title) + tag("p", about, class_="note")
    return head + tag("table", "".join(rows), class_="texts") if rows else ""


def _row(number: str, text: str, spans: Sequence[tuple[int, int]] = ()) -> str:
    """Return a row of a number and a text with its marked spans."""
    content, end = "", 0
    for start, stop in spans:
        content += escape(text[end:start]) + tag("mark", escape(text[start:stop]))
        end = stop
    content = tag("td", content + escape(text[end:]), class_="text")
    return tag("tr", tag("td", number, class_="number") + content)


def _verdict(found: Memorisation) -> str:
    """Describe a model that has not memorised its text."""
    column = found.lengths.index(LONG)
    share = f"{found.generated[column]:.1%} of the generated passages of {LONG} characters occur"
    held_out = f" ({found.held_out[column]:.1%} of held-out ones)" if found.held_out else ""
    verdict = "No memorisation" if found.held_out else "There is no held-out text to compare with"
    return f"{verdict}: {share} in the training text{held_out}."


def _memorisation(report: Report) -> str:
    if report.memorisation is None:
        return ""
    parts = []
    for run, analysis in report.pairs:
        found = analysis.memorisation
        if found is None:
            continue
        name = f"{run.name}: " if len(report.runs) > 1 else ""
        if found.memorises:
            warning = (
                f"{name}the model memorised its text: far more of its long passages occur in the "
                "training text than of held-out text. Use more text, a smaller network or dropout."
            )
            parts.append(tag("p", escape(warning), class_="warning"))
        else:
            parts.append(tag("p", escape(name + _verdict(found))))
        length = len(found.longest)
        against = f" (held-out text: {found.longest_held_out:,})" if found.held_out else ""
        title = f"Longest passage copied, {length:,} characters{against}:"
        parts.append(tag("p", escape(title)) + tag("div", escape(found.longest), class_="text"))
    return section("Memorisation", grid(card(draw_svg(report.memorisation)), card("".join(parts))))
