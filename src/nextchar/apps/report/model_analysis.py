"""Measurements of a run's model on a bounded part of its text, which is read again."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from nextchar.apps.batch_predictor import BatchPredictor
from nextchar.apps.context_loss import ContextLoss
from nextchar.apps.memorisation.copy_search import blocks_of
from nextchar.apps.ngrams import Baselines, baselines, most_characters
from nextchar.apps.predictions import read
from nextchar.apps.report.held_out import (
    Calibration,
    Confusion,
    KindLoss,
    calibration,
    confusions,
    context_loss,
    loss_by_kind,
)
from nextchar.apps.report.loaded_runs import Run
from nextchar.apps.report.temperature_samples import (
    Memorisation,
    TemperatureSample,
    temperature_samples,
)
from nextchar.errors import TextError
from nextchar.model.file import Model
from nextchar.text.corpus import Prepared, prepare
from nextchar.text.reading import read_corpus
from nextchar.text.vocabulary import Codes

MOST = 100_000  # characters of the validation part that are scored


@dataclass(frozen=True)
class AnalysedText:
    """Characters of each part of a run's text, and the size of the vocabulary."""

    training: int
    validation: int
    test: int
    vocabulary: int


@dataclass(frozen=True)
class Analysis:
    """Measurements of a model; missing ones are None or empty, and `notes` gives the reason.

    scored: characters of the validation part that were scored. loss: mean nats on them;
    baselines: mean nats of other models on the same, by name. parameters: their number.
    samples: one at each temperature.
    """

    parameters: int = 0
    text: AnalysedText | None = None
    scored: int = 0
    loss: float | None = None
    accuracy: float | None = None
    baselines: dict[str, float] = field(default_factory=dict)
    calibration: Calibration | None = None
    confusions: list[Confusion] = field(default_factory=list)
    kinds: list[KindLoss] = field(default_factory=list)
    context: ContextLoss | None = None
    samples: list[TemperatureSample] = field(default_factory=list)
    memorisation: Memorisation | None = None
    notes: list[str] = field(default_factory=list)


class Analyser:
    """Analyses runs one after the other; baselines of the same text are computed once.

    note: called with the reason why something cannot be measured.
    """

    def __init__(self, note: Callable[[str], None] = lambda text: None) -> None:
        self._note = note
        self._baselines: dict[tuple[str, int, int], Baselines] = {}

    def analyse(self, run: Run) -> Analysis:
        """Measure the best model of a run."""
        if run.model is None:
            return Analysis(notes=["The run has no model yet."])
        notes: list[str] = []
        prepared = self._prepared(run, run.model, notes)
        training = prepared.train if prepared else None
        held_out = prepared.validation if prepared and len(prepared.validation) > 1 else None
        if prepared and held_out is None:
            notes.append("The run has no validation part; figures on held-out text are omitted.")
        with ThreadPoolExecutor(1) as executor:  # NumPy and the kernels release the GIL
            sampling = executor.submit(temperature_samples, run.model, training, held_out)
            analysis = Analysis(run.model.architecture.size, notes=notes)
            if prepared and held_out is not None:
                analysis = self._with_scores(analysis, run.model, prepared)
            samples, memorisation = sampling.result()
        for each in notes:
            self._note(f"{run.name}: {each}")
        return replace(analysis, samples=samples, memorisation=memorisation)

    def _prepared(self, run: Run, model: Model, notes: list[str]) -> Prepared | None:
        """Read the text of a run again; where that fails, add a note and return None."""
        inputs, names = run.source["inputs"], run.source["validation"]
        omitted = "figures that need it are omitted."
        if not inputs or "-" in inputs:
            notes.append(f"The text was not read from files; {omitted}")
            return None
        try:
            corpus = read_corpus(inputs, run.settings.text)
            validation = read_corpus(names, run.settings.text) if names else None
            prepared = prepare(corpus, run.settings, validation)
        except TextError as error:
            notes.append(f"The text cannot be read again ({error}); {omitted}")
            return None
        if prepared.sha256 != model.training.get("text_sha256"):
            notes.append(f"The text has changed since the run; {omitted}")
            return None
        return prepared

    def _with_scores(self, analysis: Analysis, model: Model, prepared: Prepared) -> Analysis:
        most = min(MOST, most_characters(len(model.vocabulary)))
        codes = prepared.validation[:most]
        counts = self._baselines_of(prepared, codes, len(model.vocabulary))
        with BatchPredictor(model.parameters) as reader:
            predictions = read(reader, codes)
            context = context_loss(reader, model, codes, predictions) if len(codes) > 3 else None
        train, validation, test = map(len, (prepared.train, prepared.validation, prepared.test))
        return replace(
            analysis,
            text=AnalysedText(train, validation, test, len(model.vocabulary)),
            scored=len(predictions.codes),
            loss=predictions.loss,
            accuracy=predictions.accuracy,
            baselines=counts.losses(),
            calibration=calibration(predictions),
            confusions=confusions(model, predictions),
            kinds=loss_by_kind(model, predictions, counts.by_order[max(counts.by_order)]),
            context=context,
        )

    def _baselines_of(self, prepared: Prepared, codes: Codes, V: int) -> Baselines:
        key = prepared.sha256, len(prepared.train), len(codes)
        if key not in self._baselines:
            self._baselines[key] = baselines(codes, blocks_of(prepared.train), V)
        return self._baselines[key]
