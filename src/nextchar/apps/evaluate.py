"""Score of a text under a model: `nextchar eval`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from os import PathLike
from typing import Any, cast

import numpy as np

from nextchar.kernels.threads import usable_cores
from nextchar.model.file import Model
from nextchar.model.scorer import Score
from nextchar.text.cache import spooled
from nextchar.text.cache.disk_codes import CodeFile, DiskCodes, RepairingReader
from nextchar.text.cache.spooled import SpooledCodes
from nextchar.text.sources import find_sources, read_pieces
from nextchar.text.vocabulary import Codes, Unknown


def evaluate_files(
    model: Model,
    inputs: Sequence[str | PathLike[str]],
    *,
    encoding: str | None = None,
    unknown: Unknown = "error",
    lanes: int = 1,
) -> tuple[Score, int]:
    """Score the texts of files, folders, `-` or data sets as one text.

    Returns the score and the number of unknown characters that were skipped.
    encoding: of the files; None means that of the training text.
    """
    settings = model.text if encoding is None else replace(model.text, encoding=encoding)
    sources = find_sources(inputs, settings)
    return evaluate(model, read_pieces(sources, settings), unknown=unknown, lanes=lanes)


def evaluate(
    model: Model, pieces: Iterable[str | bytes], *, unknown: Unknown = "error", lanes: int = 1
) -> tuple[Score, int]:
    """Return the score of a text in pieces, and the number of unknown characters skipped.

    For a model of records the text must contain the boundaries that `text.sources` inserts.
    """
    codes, skipped = collect(model, pieces, unknown=unknown)
    from nextchar.kernels.engine import Engine  # it imports Numba

    parameters = model.parameters
    with Engine(model.architecture, threads=usable_cores(), dtype=parameters.dtype) as engine:
        return engine.score(parameters, codes, lanes=lanes), skipped


def collect(
    model: Model, pieces: Iterable[str | bytes], *, unknown: Unknown = "error"
) -> tuple[Codes, int]:
    """Return the codes (N,) of a text in pieces, and the number of unknown characters skipped.

    The codes are in memory or, where there are many, on disk behind the interface of an array.
    """
    total = first = -1 if model.end_code is not None else 0  # a leading boundary was inserted
    with SpooledCodes(spooled.IN_MEMORY) as spool:
        for piece in pieces:
            spool.append(model.vocabulary.encode(piece, unknown=unknown, offset=total))
            total += len(piece)
        result = spool.finish()
    if isinstance(result, CodeFile):  # the scorer reads it like an array
        result = cast(Codes, DiskCodes.whole(RepairingReader(result)))
    codes = result if len(result) else np.empty(0, model.vocabulary.dtype)
    # every byte is known
    return codes, 0 if model.vocabulary.is_bytes else total - first - len(codes)


def as_json(result: Score, skipped: int = 0) -> dict[str, Any]:
    """Return the figures of a score under the names of `nextchar eval --json`."""
    names = ("characters", "nats_per_char", "bits_per_char", "perplexity", "accuracy")
    figures = {name: getattr(result, name) for name in names}
    return {**figures, "left_out": skipped} if skipped else figures
