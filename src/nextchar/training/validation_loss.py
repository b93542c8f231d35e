"""Scoring a text together: each rank some of the lanes that it is cut into."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, cast

from nextchar.model.parameters import Parameters
from nextchar.model.scorer import Score
from nextchar.text.cache.disk_codes import AnyCodes
from nextchar.text.vocabulary import Codes
from nextchar.training.process_group import ProcessGroup

if TYPE_CHECKING:
    from nextchar.kernels.engine import Engine


def score_over_ranks(
    group: ProcessGroup, engine: Engine, parameters: Parameters, codes: AnyCodes
) -> Score | None:
    """The score of a text, the same on all ranks; None where it has nothing to score.

    Raises RunError where the parameters are no longer the same on all.
    """
    group.require_equal(lambda: {"weights": zlib.crc32(parameters.flat.data)})
    if len(codes) < 2:
        return None
    text = cast(Codes, codes)  # read as an array is
    mine = engine.score(parameters, text, share=group.share)
    nats, correct = group.sum_over_ranks(mine.nats, mine.correct)
    return Score(mine.characters, nats, int(correct))
