"""Runs, what was measured of them and what is drawn: made once, for the page and for images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nextchar.apps.html.charts import Figure
from nextchar.apps.report.figures import knowledge, memorised
from nextchar.apps.report.loaded_runs import Run, read_runs
from nextchar.apps.report.loss_curves import CLOCKS, curves
from nextchar.apps.report.model_analysis import Analyser, Analysis


@dataclass(frozen=True)
class Report:
    """All that is shown.

    curves: by clock. knowledge: of the models. memory: how much they copy.
    """

    runs: list[Run]
    analyses: list[Analysis]
    curves: dict[str, list[Figure]]
    knowledge: list[Figure]
    memory: Figure | None

    @property
    def pairs(self) -> list[tuple[Run, Analysis]]:
        """Runs with what was measured of them."""
        return list(zip(self.runs, self.analyses, strict=True))

    @property
    def best_run(self) -> Run:
        """That with the lowest loss."""
        return self.runs[best_of(self.runs)]

    @property
    def figures(self) -> list[Figure]:
        """All of them."""
        every = [figure for figures in self.curves.values() for figure in figures]
        return [*every, *self.knowledge, *([self.memory] if self.memory else [])]


def make_report(
    paths: Sequence[Path],
    *,
    analyses: bool = True,
    note: Callable[[str], None] = lambda text: None,
) -> Report:
    """The report of some run directories.

    analyses: whether models are asked, which takes seconds; else only what runs recorded is shown.
    Raises RunError for what is no run.
    """
    runs = read_runs(paths)
    analyser = Analyser(note)
    return report_of(runs, [analyser.analyse(run) if analyses else Analysis() for run in runs])


def report_of(runs: list[Run], made: list[Analysis]) -> Report:
    """The report of some runs and what was measured of each."""
    named = [
        (place, run.name, each) for place, (run, each) in enumerate(zip(runs, made, strict=True))
    ]
    return Report(
        runs,
        made,
        {clock: curves(runs, clock) for clock in CLOCKS},
        knowledge(named, named[best_of(runs)]),
        memorised(named),
    )


def best_of(runs: Sequence[Run]) -> int:
    """Which of some runs has the lowest loss."""
    return min(range(len(runs)), key=lambda n: _loss(runs[n]))


def _loss(run: Run) -> float:
    return float("inf") if run.best is None else float(run.losses[run.best])


def as_json(report: Report) -> dict[str, Any]:
    """The figures of a report, for machines."""
    return {"runs": [_figures(run, analysis) for run, analysis in report.pairs]}


def _figures(run: Run, analysis: Analysis) -> dict[str, Any]:
    best, memory, context = run.best, analysis.memorisation, analysis.context
    calibration = analysis.calibration
    return {
        "run": str(run.path),
        "best_loss": None if best is None else float(run.losses[best]),
        "best_step": None if best is None else int(run.records["step"][best]),
        "parameters": analysis.parameters,
        "scored": analysis.scored,
        "loss": analysis.loss,
        "accuracy": analysis.accuracy,
        "baselines": analysis.baselines,
        "calibration_error": calibration.error if calibration else None,
        "confusions": [vars(each) for each in analysis.confusions],
        "kinds": [vars(each) for each in analysis.kinds],
        "context": None
        if context is None
        else {
            **dict(zip(map(str, context.lengths), context.loss.tolist(), strict=True)),
            "all": context.full_loss,
        },
        "memorisation": None
        if memory is None
        else {
            "lengths": list(memory.lengths),
            "generated": memory.generated,
            "held_out": memory.held_out,
            "longest": len(memory.longest),
            "longest_held_out": memory.longest_held_out,
            "recites": memory.recites,
        },
        "notes": analysis.notes,
    }
