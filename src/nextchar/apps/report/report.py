"""Report of some runs: their analyses and charts, for the page, for images and as JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nextchar.apps.html.charts import Figure
from nextchar.apps.report.figures import knowledge, memorised
from nextchar.apps.report.loaded_runs import Run, read_runs
from nextchar.apps.report.loss_curves import CLOCKS, curves
from nextchar.apps.report.model_analysis import Analyser, Analysis


@dataclass(frozen=True)
class Report:
    """Runs with their analyses and charts.

    curves: of the training, by clock. knowledge: of the models. memorisation: share that they copy.
    """

    runs: list[Run]
    analyses: list[Analysis]
    curves: dict[str, list[Figure]]
    knowledge: list[Figure]
    memorisation: Figure | None

    @property
    def pairs(self) -> list[tuple[Run, Analysis]]:
        """Runs with their analyses."""
        return list(zip(self.runs, self.analyses, strict=True))

    @property
    def best_run(self) -> Run:
        """Run with the lowest loss."""
        return self.runs[_best(self.runs)]

    @property
    def figures(self) -> list[Figure]:
        """All charts."""
        every = [figure for figures in self.curves.values() for figure in figures]
        return [*every, *self.knowledge, *([self.memorisation] if self.memorisation else [])]


def make_report(
    paths: Sequence[Path], *, analyses: bool = True, note: Callable[[str], None] = lambda text: None
) -> Report:
    """Return the report of some run directories.

    analyses: run the models, which takes seconds; otherwise only recorded figures are shown.
    Raises RunError where a directory is not a run.
    """
    runs = read_runs(paths)
    analyser = Analyser(note)
    return report_of(runs, [analyser.analyse(run) if analyses else Analysis() for run in runs])


def report_of(runs: list[Run], analyses: list[Analysis]) -> Report:
    """Return the report of some runs and their analyses."""
    pairs = enumerate(zip(runs, analyses, strict=True))
    named = [(number, run.name, analysis) for number, (run, analysis) in pairs]
    training = {clock: curves(runs, clock) for clock in CLOCKS}
    models = knowledge(named, named[_best(runs)])
    return Report(runs, analyses, training, models, memorised(named))


def _best(runs: Sequence[Run]) -> int:
    """Return the number of the run with the lowest loss."""
    losses = [np.inf if run.best_loss is None else run.best_loss for run in runs]
    return losses.index(min(losses))


def as_json(report: Report) -> dict[str, Any]:
    """Return the figures of a report under the names of `nextchar report --json`."""
    return {"runs": [_figures(run, analysis) for run, analysis in report.pairs]}


def _figures(run: Run, analysis: Analysis) -> dict[str, Any]:
    best, memorisation, context = run.best, analysis.memorisation, analysis.context
    calibration, losses, copies = analysis.calibration, None, None
    if context is not None:
        losses = dict(zip(map(str, context.lengths), context.loss.tolist(), strict=True))
        losses["all"] = context.full_loss
    if memorisation is not None:
        copies = {
            "lengths": list(memorisation.lengths),
            "generated": memorisation.generated,
            "held_out": memorisation.held_out,
            "longest": len(memorisation.longest),
            "longest_held_out": memorisation.longest_held_out,
            "recites": memorisation.memorises,
        }
    return {
        "run": str(run.path),
        "best_loss": run.best_loss,
        "best_step": None if best is None else int(run.records["step"][best]),
        "parameters": analysis.parameters,
        "scored": analysis.scored,
        "loss": analysis.loss,
        "accuracy": analysis.accuracy,
        "baselines": analysis.baselines,
        "calibration_error": calibration.error if calibration else None,
        "confusions": [vars(each) for each in analysis.confusions],
        "kinds": [vars(each) for each in analysis.kinds],
        "context": losses,
        "memorisation": copies,
        "notes": analysis.notes,
    }
