"""What a notebook shows of a `CharRNN`: itself, its training, and what it makes of a text."""

from __future__ import annotations

import math
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nextchar.errors import NextcharError, NotFittedError

if TYPE_CHECKING:
    from nextchar.apps.explain.explanation import Explanation
    from nextchar.apps.html.charts import Figure
    from nextchar.model.file import Model
    from nextchar.text.vocabulary import Unknown
    from nextchar.training.events import Evaluated


class Shown:
    """The part of `CharRNN` that notebooks lean on.

    records_: what was measured at each evaluation of the run, where it is known.
    """

    records_: list[Evaluated]

    if TYPE_CHECKING:

        def _fitted(self) -> Model: ...

    def explain(
        self, text: str | bytes, *, unknown: Unknown = "error", **options: Any
    ) -> Explanation:
        """Where a text surprises the model; what its units track; how far back it remembers.

        The result shows itself in a notebook: each character shaded by its bits. `.surprise` has
        them as an array, `.neurons`, `.memory` and `.symbols` are computed when they are asked for,
        `.html` is the page that `nextchar explain` writes, and `.save(path)` writes it.
        options: characters (4000, how many are shown), worst (20 places that are listed), at
        ("LINE:COLUMN", whose memory is shown), lanes, seed; as `nextchar explain --help` has them.
        """
        from nextchar.apps.explain.explain_settings import ExplainSettings
        from nextchar.apps.explain.explanation import explain_string
        from nextchar.settings.fields import require_known

        known = ExplainSettings.__dataclass_fields__
        for name in options:
            require_known(name, known, "option of explain")
        return explain_string(self._fitted(), text, ExplainSettings(**options), unknown=unknown)

    def plot_loss(self) -> Any:
        """The loss in training and in validation by steps, as a matplotlib figure.

        Raises MissingExtraError where matplotlib is not installed, and NotFittedError where nothing
        is known of the training.
        """
        from nextchar.apps.report.images import picture_of, require_matplotlib

        require_matplotlib("plot_loss")
        self._fitted()
        if not getattr(self, "records_", []):
            raise NotFittedError(
                "plot_loss: a model file says nothing of its training; load the run directory"
            )
        picture = picture_of(loss_curves(self.records_))
        picture._repr_png_ = lambda: _png(picture)  # a notebook asks for it
        return picture

    def _repr_html_(self) -> str:
        if not hasattr(self, "model_"):
            return f"<code>{escape(repr(self))}</code><p>not fitted yet</p>"
        return card_of(self, self._fitted(), getattr(self, "records_", []))


def records_at(path: Path) -> list[Evaluated]:
    """What a run directory says of its training; nothing where it is a model file, or damaged."""
    from nextchar.runs.run_files import read_metrics
    from nextchar.training.events import Evaluated

    if not path.is_dir():
        return []
    try:
        # a run that went back has records of that, too
        records = (each for each in read_metrics(path) if "train_loss" in each)
        return [Evaluated.from_record(each) for each in records]
    except (NextcharError, ValueError):  # the model is whole all the same
        return []


def _png(picture: Any) -> bytes:
    from io import BytesIO

    stream = BytesIO()
    picture.savefig(stream, format="png", dpi=100)
    return stream.getvalue()


def loss_curves(records: list[Evaluated]) -> Figure:
    """Training and validation loss of a run by steps, nats and bits per character."""
    import numpy as np

    from nextchar.apps.html.charts import BITS, Axis, Figure, Line

    validated = [record for record in records if record.val_loss is not None]
    lines = [
        Line(name, np.array([float(record.step) for record in each]), np.array(values), series)
        for series, name, each, values in (
            (0, "training", records, [record.train_loss for record in records]),
            (1, "validation", validated, [record.val_loss for record in validated]),
        )
        if each
    ]
    axis = Axis("loss, nats per character", other=("bits", BITS))
    return Figure("loss", "Loss", Axis("steps"), axis, tuple(lines))


def card_of(estimator: Shown, model: Model, records: list[Evaluated]) -> str:
    """The model in a few lines, and its training curve; styled for light and dark notebooks."""
    from nextchar.apps.html.frame import framed
    from nextchar.apps.html.svg import NARROW, svg

    network, vocabulary = model.architecture.settings, model.vocabulary
    told = {
        "network": f"{network.cell.upper()}, {network.num_layers} × {network.hidden_size} units"
        + (f", embedding {network.embedding_size}" if network.embedding_size else ""),
        "parameters": f"{model.architecture.size:,}",
        "vocabulary": f"{len(vocabulary)} {'bytes' if vocabulary.is_bytes else 'characters'}",
    }
    if records:
        last = records[-1]
        best = min(r.val_loss if r.val_loss is not None else r.train_loss for r in records)
        told["trained"] = f"{last.step:,} steps, {last.characters:,} characters"
        told["best loss"] = f"{best:.4f} nats ({best / math.log(2):.3f} bits) per character"
    rows = "".join(f"<tr><th>{escape(a)}</th><td>{escape(b)}</td></tr>" for a, b in told.items())
    curve = ""
    if len(records) > 1:
        drawn = loss_curves(records)
        curve = f'<div style="max-width:{NARROW}px">{svg(drawn, NARROW)}</div>'
    body = f"<code>{escape(repr(estimator))}</code><table>{rows}</table>{curve}"
    return framed(body, title="CharRNN", height=140 + 30 * len(told) + (280 if curve else 0))
