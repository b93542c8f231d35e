"""Notebook views of a `CharRNN`: its card, its loss curves, explanations of texts."""

from __future__ import annotations

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


class NotebookMixin:
    """Notebook methods of `CharRNN`.

    records_: measurements of each evaluation of the run, where they are known.
    """

    records_: list[Evaluated]

    if TYPE_CHECKING:

        def _fitted(self) -> Model: ...

    def explain(
        self, text: str | bytes, *, unknown: Unknown = "error", **options: Any
    ) -> Explanation:
        """Analyse how the model reads a text: surprise, features of its units, memory.

        A notebook displays the result as the text, with each character shaded by its bits.
        `.surprise` is an array of them; `.neurons`, `.memory` and `.symbols` are computed on first
        use; `.html` is the page of `nextchar explain`, and `.save(path)` writes it.
        options: those of `nextchar explain --help`: characters (4000 to show), worst (20 to list),
        at ("LINE:COLUMN", the position whose context is analysed), lanes, seed.
        """
        from nextchar.apps.explain.explain_settings import ExplainSettings
        from nextchar.apps.explain.explanation import explain_string
        from nextchar.settings.fields import require_known

        for name in options:
            require_known(name, ExplainSettings.__dataclass_fields__, "option of explain")
        return explain_string(self._fitted(), text, ExplainSettings(**options), unknown=unknown)

    def plot_loss(self) -> Any:
        """Plot the training and the validation loss by steps, as a matplotlib figure.

        Raises MissingExtraError without matplotlib, and NotFittedError for a model without records
        of its training.
        """
        from nextchar.apps.report.images import picture_of, require_matplotlib

        require_matplotlib("plot_loss")
        self._fitted()
        if not getattr(self, "records_", []):
            raise NotFittedError(
                "plot_loss needs the records of a training, which a model file lacks",
                remedy="load the run directory",
            )
        picture = picture_of(loss_curves(self.records_))
        picture._repr_png_ = lambda: _png(picture)  # called by notebooks
        return picture

    def _repr_html_(self) -> str:
        if not hasattr(self, "model_"):
            return f"<code>{escape(repr(self))}</code><p>not fitted yet</p>"
        return card_of(self, self._fitted(), getattr(self, "records_", []))


def records_at(path: Path) -> list[Evaluated]:
    """Records of the training in a run directory; none for a model file or a damaged run."""
    from nextchar.runs.run_files import read_metrics
    from nextchar.training.events import Evaluated

    if not path.is_dir():
        return []
    try:
        # a run that rolled back has records of that, too
        records = (each for each in read_metrics(path) if "train_loss" in each)
        return [Evaluated.from_record(each) for each in records]
    except (NextcharError, ValueError):  # the model can be used without them
        return []


def _png(picture: Any) -> bytes:
    from io import BytesIO

    stream = BytesIO()
    picture.savefig(stream, format="png", dpi=100)
    return stream.getvalue()


def loss_curves(records: list[Evaluated]) -> Figure:
    """Training and validation loss of a run by steps, nats and bits per character."""
    import numpy as np

    from nextchar.apps.html.charts import Axis, Figure, Line
    from nextchar.formatting.units import NATS_TO_BITS

    validated = [record for record in records if record.val_loss is not None]
    lines = [
        Line(name, np.array([float(record.step) for record in each]), np.array(values), series)
        for series, name, each, values in (
            (0, "training", records, [record.train_loss for record in records]),
            (1, "validation", validated, [record.val_loss for record in validated]),
        )
        if each
    ]
    axis = Axis("loss, nats per character", other=("bits", NATS_TO_BITS))
    return Figure("loss", "Loss", Axis("steps"), axis, tuple(lines))


def card_of(estimator: NotebookMixin, model: Model, records: list[Evaluated]) -> str:
    """A card of the model and its loss curves, styled for light and dark notebooks."""
    from nextchar.apps.html.svg import NARROW, svg
    from nextchar.apps.html.template import framed
    from nextchar.formatting.units import to_bits

    network, vocabulary = model.architecture.settings, model.vocabulary
    rows = {
        "network": f"{network.cell.upper()}, {network.num_layers} × {network.hidden_size} units"
        + (f", embedding {network.embedding_size}" if network.embedding_size else ""),
        "parameters": f"{model.architecture.size:,}",
        "vocabulary": f"{len(vocabulary)} {'bytes' if vocabulary.is_bytes else 'characters'}",
    }
    if records:
        last = records[-1]
        best = min(r.val_loss if r.val_loss is not None else r.train_loss for r in records)
        rows["trained"] = f"{last.step:,} steps, {last.characters:,} characters"
        rows["best loss"] = f"{best:.4f} nats ({to_bits(best):.3f} bits) per character"
    cells = "".join(f"<tr><th>{escape(a)}</th><td>{escape(b)}</td></tr>" for a, b in rows.items())
    curve = ""
    if len(records) > 1:
        curve = f'<div style="max-width:{NARROW}px">{svg(loss_curves(records), NARROW)}</div>'
    body = f"<code>{escape(repr(estimator))}</code><table>{cells}</table>{curve}"
    return framed(body, title="CharRNN", height=140 + 30 * len(rows) + (280 if curve else 0))
