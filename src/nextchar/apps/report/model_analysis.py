"""All that is measured of a run's model, on a bounded part of its text, which is found again."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from nextchar.apps.batch_predictor import BatchPredictor
from nextchar.apps.context_loss import ContextLoss
from nextchar.apps.memorisation.copy_search import blocks_of
from nextchar.apps.ngrams import Baselines, baselines, most_characters
from nextchar.apps.predictions import Predictions, read
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

MOST = 100_000  # characters of the validation part that are looked at


@dataclass(frozen=True)
class AnalysedText:
    """What is known of a run's text: characters of each part, and of which the model knows."""

    training: int
    validation: int
    test: int
    vocabulary: int


@dataclass(frozen=True)
class Analysis:
    """What a model knows; what could not be measured is None or empty, and `notes` says why.

    scored: characters of the validation part that were looked at. loss: mean nats on them;
    baselines: nats of others on the same, by name. parameters: numbers that were learnt.
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
    ladder: list[TemperatureSample] = field(default_factory=list)
    memorisation: Memorisation | None = None
    notes: list[str] = field(default_factory=list)


class Analyser:
    """Analyses runs one after the other; what runs on the same text share is done once.

    note: told what cannot be measured.
    """

    def __init__(self, note: Callable[[str], None] = lambda text: None) -> None:
        self._note = note
        self._baselines: dict[tuple[str, int, int], Baselines] = {}

    def analyse(self, run: Run) -> Analysis:
        """All that can be measured of a run's best model."""
        if run.model is None:
            return Analysis(notes=["There is no model yet, so nothing is said of what it knows."])
        notes: list[str] = []
        prepared = self._prepared(run, run.model, notes)
        size = run.model.architecture.size
        training = prepared.train if prepared else None
        held_out = prepared.validation if prepared and len(prepared.validation) > 1 else None
        if prepared and held_out is None:
            notes.append("The run has no validation part, so nothing is said of held-out text.")
        with ThreadPoolExecutor(1) as beside:  # NumPy and the kernels let both go on at once
            writing = beside.submit(temperature_samples, run.model, training, held_out)
            made = Analysis(size, notes=notes)
            if prepared and held_out is not None:
                made = self._with_scores(made, run.model, prepared)
            ladder, memory = writing.result()
        for each in notes:
            self._note(f"{run.name}: {each}")
        return replace(made, ladder=ladder, memorisation=memory)

    def _prepared(self, run: Run, model: Model, notes: list[str]) -> Prepared | None:
        """The run's text, found again where it was; a note says why not."""
        inputs = run.source["inputs"]
        gone = "so the figures that need it are left out."
        if not inputs or "-" in inputs:
            notes.append(f"The text was not read from files, {gone}")
            return None
        try:
            corpus = read_corpus(inputs, run.settings.text)
            own = run.source["validation"]
            validation = read_corpus(own, run.settings.text) if own else None
            prepared = prepare(corpus, run.settings, validation)
        except TextError as error:
            notes.append(f"The text cannot be read again ({error}), {gone}")
            return None
        if prepared.sha256 != model.training.get("text_sha256"):
            notes.append(f"The text has changed since the run, {gone}")
            return None
        return prepared

    def _with_scores(self, analysis: Analysis, model: Model, prepared: Prepared) -> Analysis:
        most = min(MOST, most_characters(len(model.vocabulary)))
        codes = prepared.validation[:most]
        counted = self._counted(prepared, codes, len(model.vocabulary))
        with BatchPredictor(model.parameters) as reader:
            made = read(reader, codes)
            context = context_loss(reader, model, codes, made) if len(codes) > 3 else None
        parts = (prepared.train, prepared.validation, prepared.test)
        train, validation, test = map(len, parts)
        return replace(
            analysis,
            text=AnalysedText(train, validation, test, len(model.vocabulary)),
            scored=len(made.codes),
            loss=made.loss,
            accuracy=_accuracy(made),
            baselines=counted.losses(),
            calibration=calibration(made),
            confusions=confusions(model, made),
            kinds=loss_by_kind(model, made, counted.by_order[max(counted.by_order)]),
            context=context,
        )

    def _counted(self, prepared: Prepared, codes: Codes, V: int) -> Baselines:
        key = prepared.sha256, len(prepared.train), len(codes)
        if key not in self._baselines:
            self._baselines[key] = baselines(codes, blocks_of(prepared.train), V)
        return self._baselines[key]


def _accuracy(made: Predictions) -> float:
    return float((made.guess == made.codes).mean())
