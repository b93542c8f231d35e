"""Scoring a text together: each rank some of the lanes that it is cut into."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, cast

from nextchar.model.parameters import Parameters
from nextchar.model.scorer import Score
from nextchar.text.stored import AnyCodes
from nextchar.text.vocabulary import Codes
from nextchar.training.cohort import Cohort

if TYPE_CHECKING:
    from nextchar.kernels.engine import Engine


def score_together(
    cohort: Cohort, engine: Engine, parameters: Parameters, codes: AnyCodes
) -> Score | None:
    """The score of a text, the same on all ranks; None where it has nothing to score.

    Raises RunError where the parameters are no longer the same on all.
    """
    cohort.require_alike(lambda: {"weights": zlib.crc32(parameters.flat.data)})
    if len(codes) < 2:
        return None
    text = cast(Codes, codes)  # read as an array is
    mine = engine.score(parameters, text, share=cohort.share)
    nats, correct = cohort.total(mine.nats, mine.correct)
    return Score(mine.characters, nats, int(correct))
