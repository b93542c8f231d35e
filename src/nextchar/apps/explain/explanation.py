"""An explanation as it is handed to people: a page, a piece of a notebook, JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

from nextchar.apps.explain.explain_settings import ExplainSettings
from nextchar.apps.explain.located_text import read_files, read_string
from nextchar.apps.explain.render.as_json import figures_of
from nextchar.apps.explain.render.explain_page import fragment_of, page_of, piece_of
from nextchar.apps.explain.text_analysis import OnProgress, TextAnalysis
from nextchar.files import write_atomically
from nextchar.model.file import Model
from nextchar.text.vocabulary import Unknown


@dataclass(frozen=True)
class PageFragment:
    """Markup that a notebook shows."""

    html: str

    def _repr_html_(self) -> str:
        return self.html


class Explanation(TextAnalysis):
    """What a model knows and where a text surprises it. In a notebook it shows itself."""

    @cached_property
    def html(self) -> str:
        """The whole page, one file without anything beside it."""
        return page_of(self)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the page, atomically. Raises OSError."""
        html = self.html.encode("utf-8", "replace")
        try:
            write_atomically(Path(path), html)
        except OSError as error:  # which names a temporary file
            raise OSError(error.errno, error.strerror, str(path)) from error

    def show(self, part: str) -> PageFragment:
        """A part of the page, for a notebook: "surprise", "neurons", "memory" or "characters"."""
        return PageFragment(piece_of(self, part))

    def as_json(self) -> dict[str, Any]:
        """All figures, of plain numbers, texts, lists and dictionaries."""
        return figures_of(self)

    def _repr_html_(self) -> str:
        return fragment_of(self)


def explain_files(
    model: Model,
    inputs: Sequence[str | PathLike[str]],
    settings: ExplainSettings | None = None,
    *,
    name: str = "the model",
    encoding: str | None = None,
    unknown: Unknown = "error",
    on_progress: OnProgress = lambda done, total: None,
) -> Explanation:
    """Explain the texts of files, folders, `-` or data sets, one after the other."""
    text = read_files(model, inputs, encoding=encoding, unknown=unknown)
    title = Path(text.names[0]).name if len(text.names) == 1 else f"{len(text.names)} files"
    return Explanation(
        model,
        text,
        settings or ExplainSettings(),
        name=name,
        title=title,
        on_progress=on_progress,
    )


def explain_string(
    model: Model,
    text: str | bytes,
    settings: ExplainSettings | None = None,
    *,
    unknown: Unknown = "error",
) -> Explanation:
    """Explain a text."""
    read = read_string(model, text, unknown=unknown)
    settings = settings or ExplainSettings()
    return Explanation(model, read, settings, name="the model", title="a text")
