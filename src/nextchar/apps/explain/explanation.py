"""Explanation: a text analysis that renders itself as a page, in a notebook and as JSON.

Its figures come from the base, `TextAnalysis`; its markup comes from `render/`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

from nextchar.apps.explain.explain_settings import ExplainSettings
from nextchar.apps.explain.located_text import read_files, read_string
from nextchar.apps.explain.render.as_json import to_json
from nextchar.apps.explain.render.explain_page import page_of, section_frame, summary_frame
from nextchar.apps.explain.text_analysis import OnProgress, TextAnalysis
from nextchar.files import write_atomically
from nextchar.model.file import Model
from nextchar.text.vocabulary import Unknown


@dataclass(frozen=True)
class PageFragment:
    """Markup that displays itself in a notebook."""

    html: str

    def _repr_html_(self) -> str:
        return self.html


class Explanation(TextAnalysis):
    """A `TextAnalysis` with its rendered forms; displays itself in a notebook."""

    @cached_property
    def html(self) -> str:
        """The page, a single self-contained file."""
        return page_of(self)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the page, atomically. Raises OSError."""
        html = self.html.encode("utf-8", "replace")
        try:
            write_atomically(Path(path), html)
        except OSError as error:  # it names a temporary file
            raise OSError(error.errno, error.strerror, str(path)) from error

    def show(self, part: str) -> PageFragment:
        """Return one part for a notebook: "surprise", "neurons", "memory" or "characters"."""
        return PageFragment(section_frame(self, part))

    def as_json(self) -> dict[str, Any]:
        """Return all figures as numbers, strings, lists and dictionaries."""
        return to_json(self)

    def _repr_html_(self) -> str:
        return summary_frame(self)


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
    """Explain the concatenated texts of files, folders, `-` or data sets."""
    text = read_files(model, inputs, encoding=encoding, unknown=unknown)
    title = Path(text.names[0]).name if len(text.names) == 1 else f"{len(text.names)} files"
    settings = settings or ExplainSettings()
    return Explanation(model, text, settings, name=name, title=title, on_progress=on_progress)


def explain_string(
    model: Model,
    text: str | bytes,
    settings: ExplainSettings | None = None,
    *,
    unknown: Unknown = "error",
) -> Explanation:
    """Explain a string or bytes."""
    located = read_string(model, text, unknown=unknown)
    settings = settings or ExplainSettings()
    return Explanation(model, located, settings, name="the model", title="a text")
