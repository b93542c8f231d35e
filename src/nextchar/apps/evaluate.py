"""`nextchar eval`: how well a model predicts a text."""

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
    """Score the texts of files, folders, `-` or data sets, one after the other.

    Returns the score and how many characters were left out as unknown.
    encoding: of the files; that of the training text where it is None.
    """
    settings = model.text if encoding is None else replace(model.text, encoding=encoding)
    sources = find_sources(inputs, settings)
    return evaluate(model, read_pieces(sources, settings), unknown=unknown, lanes=lanes)


def evaluate(
    model: Model,
    pieces: Iterable[str | bytes],
    *,
    unknown: Unknown = "error",
    lanes: int = 1,
) -> tuple[Score, int]:
    """Score a text that comes in pieces; also how many characters were left out as unknown.

    That of a model of records is to have its boundaries, as `text.sources` puts them there.
    """
    codes, left_out = collect(model, pieces, unknown=unknown)
    from nextchar.kernels.engine import Engine  # it brings Numba along

    parameters = model.parameters
    with Engine(model.architecture, threads=usable_cores(), dtype=parameters.dtype) as engine:
        return engine.score(parameters, codes, lanes=lanes), left_out


def collect(
    model: Model, pieces: Iterable[str | bytes], *, unknown: Unknown = "error"
) -> tuple[Codes, int]:
    """The codes (N,) of a text that comes in pieces, and how many characters were left out.

    They are in memory or, where there are many, on disk, and answer as an array does.
    """
    total = first = -1 if model.end_code is not None else 0  # the boundary it begins with is ours
    with SpooledCodes(spooled.IN_MEMORY) as collected:
        for piece in pieces:
            collected.append(model.vocabulary.encode(piece, unknown=unknown, offset=total))
            total += len(piece)
        made = collected.finish()
    if isinstance(made, CodeFile):  # which the scorer reads as it would an array
        made = cast(Codes, DiskCodes.whole(RepairingReader(made)))
    codes = made if len(made) else np.empty(0, model.vocabulary.dtype)
    # with bytes every one is known
    return codes, 0 if model.vocabulary.is_bytes else total - first - len(codes)


def as_json(result: Score, left_out: int = 0) -> dict[str, Any]:
    """The figures of a score under the names of `nextchar eval --json`."""
    figures: dict[str, Any] = {
        "characters": result.characters,
        "nats_per_char": result.nats_per_char,
        "bits_per_char": result.bits_per_char,
        "perplexity": result.perplexity,
        "accuracy": result.accuracy,
    }
    return {**figures, "left_out": left_out} if left_out else figures
