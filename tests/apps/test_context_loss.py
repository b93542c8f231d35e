"""Loss by length of context: lengths, means and the end of the curve."""

from __future__ import annotations

import numpy as np
import pytest

from conftest import PROSE
from nextchar.apps.batch_predictor import BatchPredictor
from nextchar.apps.context_loss import loss_by_context, nats_at
from nextchar.model.file import Model

POSITIONS = np.array([40, 77, 101])


def test_lengths_stop_at_the_beginning_of_the_text(small_model: Model) -> None:
    codes = small_model.vocabulary.encode(PROSE)
    with BatchPredictor(small_model.parameters) as reader:
        curve = loss_by_context(reader, codes, POSITIONS, full_loss=-1.0)
        nats = nats_at(reader, codes, POSITIONS, 16)
    assert (curve.lengths, curve.positions) == ((0, 1, 2, 4, 8, 16, 32), 3)
    assert curve.loss[5] == pytest.approx(nats.mean())
    assert curve.error[5] == pytest.approx(nats.std() / np.sqrt(3))


def test_the_curve_ends_after_two_losses_close_to_the_full_one(
    small_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = small_model.vocabulary.encode(PROSE)
    with BatchPredictor(small_model.parameters) as reader:
        whole = loss_by_context(reader, codes, POSITIONS, full_loss=-1.0)
        monkeypatch.setattr("nextchar.apps.context_loss.CONVERGED", 1e9)
        short = loss_by_context(reader, codes, POSITIONS, whole.loss[-1])
    assert short.lengths == (0, 1)
