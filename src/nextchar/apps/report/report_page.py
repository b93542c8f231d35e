"""The report as one HTML file."""

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

_PAGES = Path(__file__).parent.parent / "html"


def html(report: Report, refresh: int | None = None) -> str:
    """The whole page. refresh: seconds after which a browser loads it again."""
    title = " · ".join(run.name for run in report.runs[:3])
    if len(report.runs) > 3:
        title += f" and {len(report.runs) - 3} more"
    body = [
        _overview(report),
        _training(report),
        _knowledge(report),
        _writing(report),
        _memory(report),
        section("What was run", *(card(provenance(run, each)) for run, each in report.pairs)),
    ]
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
        "\n".join(part for part in body if part),
        subtitle=escape(subtitle(report)),
        more_style=f".clock{{display:none}}{choosers}",
        script=(_PAGES / "tooltip.js").read_text(encoding="utf-8"),
        refresh=refresh,
    )


def _overview(report: Report) -> str:
    if len(report.runs) == 1:
        run, analysis = report.pairs[0]
        return card(facts(run, analysis))
    return card(table_of_runs(report), differences(report))


def _training(report: Report) -> str:
    if not any(report.curves.values()):
        return section("Training", card(tag("p", "Nothing was evaluated yet.")))
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
    if len(report.runs) == 1:
        return section("What the model knows", cards)
    about = tag("span", "Colours and dashes are those of the table above.", class_="note")
    return section("What the models know", cards, about=about)


def _writing(report: Report) -> str:
    several = len(report.runs) > 1
    made = []
    for run, analysis in report.pairs:
        parts = [part for part in (_steps(run.samples), _ladder(analysis.ladder)) if part]
        if not parts:
            continue
        content = grid(*(card(part, size="half" if len(parts) > 1 else "whole") for part in parts))
        if several:
            is_open = run is report.best_run
            summary = tag("summary", escape(run.name))
            content = tag("details", summary + content, open=is_open, class_="apart")
        made.append(content)
    return section("What it writes", *made) if made else ""


def _steps(samples: Sequence[dict[str, object]]) -> str:
    """What the model wrote in the course of training."""
    if not samples:
        return ""
    rows = [
        tag("tr", tag("td", f"{each['step']:,}", class_="number") + _text(str(each["text"])))
        for each in samples
    ]
    title = tag("h3", "From noise to words") + tag("p", "By steps of training.", class_="note")
    return title + tag("table", "".join(rows), class_="texts")


def _ladder(rungs: Sequence[TemperatureSample]) -> str:
    """What the final model writes, from safe to wild."""
    if not rungs:
        return ""
    rows = [
        tag(
            "tr", tag("td", f"{rung.temperature:g}", class_="number") + _text(rung.text, rung.spans)
        )
        for rung in rungs
    ]
    marked = any(rung.spans for rung in rungs)
    note = f"Marked: passages of {MARKED} characters and more that stand in the training text."
    about = f"By temperature. {note if marked else ''}"
    title = tag("h3", "The best model, from safe to wild") + tag("p", about, class_="note")
    return title + tag("table", "".join(rows), class_="texts")


def _verdict(memory: Memorisation) -> str:
    """What is said where a model does not recite."""
    place = memory.lengths.index(LONG)
    made = f"of passages of {LONG} characters that it writes {memory.generated[place]:.1%} stand"
    own = f", of held-out text's {memory.held_out[place]:.1%}" if memory.held_out else ""
    known = "It does not recite" if memory.held_out else "There is no held-out text to compare with"
    return f"{known}: {made} in its training text{own}."


def _text(text: str, spans: Sequence[tuple[int, int]] = ()) -> str:
    made, end = "", 0
    for start, stop in spans:
        made += escape(text[end:start]) + tag("mark", escape(text[start:stop]))
        end = stop
    return tag("td", made + escape(text[end:]), class_="text")


def _memory(report: Report) -> str:
    if report.memory is None:
        return ""
    told = []
    for run, analysis in report.pairs:
        memory = analysis.memorisation
        if memory is None:
            continue
        name = f"{run.name}: " if len(report.runs) > 1 else ""
        if memory.recites:
            warning = (
                f"{name}the model recites: far more of its long passages stand in the training "
                "text than of held-out text. More text, a smaller network or dropout helps."
            )
            told.append(tag("p", escape(warning), class_="warning"))
        else:
            told.append(tag("p", escape(name + _verdict(memory))))
        length = len(memory.longest)
        against = f" (held-out text: {memory.longest_held_out:,})" if memory.held_out else ""
        said = f"Longest passage copied, {length:,} characters{against}:"
        told.append(tag("p", escape(said)) + tag("div", escape(memory.longest), class_="text"))
    return section("Memory", grid(card(draw_svg(report.memory)), card("".join(told))))
