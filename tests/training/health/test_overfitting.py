"""The warning at the end of runs that overfitted, and none for others."""

from __future__ import annotations

import pytest

from nextchar.training.events import Evaluated
from nextchar.training.health.overfitting import overfitting_warning
from nextchar.training.saving.checkpoint import Progress


def warning(
    val_loss: float | None = 2.5,
    *,
    train_loss: float = 1.0,
    best_loss: float = 2.0,
    best_step: int = 50,
    epoch: float = 5.0,
) -> str | None:
    """Warning for a run of 100 steps, by its last and its best evaluation."""
    last = Evaluated(
        step=100, epoch=epoch, characters=1, seconds=1.0, train_loss=train_loss,
        val_loss=val_loss, learning_rate=0.1, chars_per_second=1.0, is_best=False,
    )  # fmt: skip
    return overfitting_warning([last], Progress(step=100, best_loss=best_loss, best_step=best_step))


def test_a_loss_that_rose_again_is_reported_with_the_step_of_the_best_model() -> None:
    text = warning()
    assert text is not None
    assert text.startswith("overfitting: ")
    assert "lowest at step 50 and has risen" in text
    assert "the best model is saved" in text
    assert "Try --dropout, --patience or fewer steps" in text
    assert "\n" not in text


def test_a_long_end_that_gave_nothing_is_reported_though_the_loss_rose_by_little() -> None:
    assert warning(2.001, best_step=60)
    assert not warning(2.001, best_step=90)
    assert warning(2.1, best_step=90)


@pytest.mark.parametrize("val_loss", [2.0, None])
def test_a_run_that_ends_at_its_best_or_without_validation_is_good(val_loss: float | None) -> None:
    assert warning(val_loss, best_step=100) is None


def test_a_run_that_learns_badly_everywhere_does_not_overfit() -> None:
    assert warning(train_loss=3.0) is None


def test_a_text_that_was_read_once_is_not_memorised() -> None:
    assert warning(epoch=0.9) is None


def test_without_an_evaluation_nothing_is_reported() -> None:
    assert overfitting_warning([], Progress(best_loss=2.0)) is None
