"""Gain from each technique of training, one at a time, compared with the same base.

    python -m benchmarks.recipes TEXT [NAME ...]

TEXT is a file, the first 400,000 characters of which are used (tiny Shakespeare in
docs/recipes.md). Each line is the loss on the whole validation part, the last tenth, of the best
model of a run of 12 passes. Seeds differ by about 0.002, and so do techniques of equal value.
Techniques that `nextchar` lacks, since they did not help, are added here from outside.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from nextchar.apps.evaluate import evaluate
from nextchar.kernels.engine import Engine, Gradient, StepResult
from nextchar.model.parameters import Parameters
from nextchar.settings.config import Settings, TrainingSettings
from nextchar.text.batches import Batch, StreamBatches
from nextchar.text.corpus import prepare, text_corpus
from nextchar.training.auto.choose import choose_settings
from nextchar.training.run_context import Hooks
from nextchar.training.session import train_corpus
from nextchar.training.trainer import Trainer

CHARACTERS = 400_000
STEPS = 2110  # 12 passes of 32 lanes of 64 characters
BASE: dict[str, Any] = {
    "cell": "gru", "hidden_size": 192, "num_layers": 2, "batch_size": 32, "seq_length": 64,
    "learning_rate": 0.01, "optimizer": "adam", "dropout": 0.2, "steps": STEPS,
    "lane_starts": "fixed",
}  # fmt: skip

# techniques of nextchar: settings
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "base": {},
    "another seed": {"seed": 2},
    "dropout 0": {"dropout": 0.0},
    "dropout 0.1": {"dropout": 0.1},
    "dropout 0.3": {"dropout": 0.3},
    "lanes begin elsewhere in each pass": {"lane_starts": "random"},
    "adamw, weight decay 0.01": {"optimizer": "adamw", "weight_decay": 0.01},
    "adamw, weight decay 0.1": {"optimizer": "adamw", "weight_decay": 0.1},
    "adamw, weight decay 0.3": {"optimizer": "adamw", "weight_decay": 0.3},
    "lstm": {"cell": "lstm"},
    "lstm, as many operations": {"cell": "lstm", "steps": STEPS * 3 // 4},
    "learning rate 0.005": {"learning_rate": 0.005},
    "learning rate 0.02": {"learning_rate": 0.02},
    "no clipping": {"clip": 0.0},
    "warm-up over a third (one cycle)": {"warmup": STEPS // 3},
    "linear schedule": {"schedule": "linear"},
    "constant schedule": {"schedule": "constant"},
    "16 lanes": {"batch_size": 16, "steps": STEPS * 2},
    "64 lanes": {"batch_size": 64, "steps": STEPS // 2},
    "32 characters": {"seq_length": 32, "steps": STEPS * 2},
    "128 characters": {"seq_length": 128, "steps": STEPS // 2},
    "an embedding of 32": {"embedding_size": 32},
    "lanes never restart": {"restart_every": 0},
}


# techniques that it lacks


class Averaged(Trainer):
    """Scores and keeps an exponential moving average of the weights."""

    decay = 0.998
    average: Any = None

    def _step(self) -> None:
        super()._step()
        if self.average is None:
            self.average = self.parameters.flat.copy()
        decay = min(self.decay, self.progress.step / (self.progress.step + 10))
        self.average += (1 - decay) * (self.parameters.flat - self.average)

    def _evaluate(self) -> None:
        trained = self.parameters.flat.copy()
        self.parameters.flat[:] = self.average
        super()._evaluate()
        self.parameters.flat[:] = trained


class RecurrentlyDropped(Engine):
    """Drops a share of the recurrent weights in each step (Wan et al., 2013)."""

    share = 0.1

    def loss_and_gradient(
        self, parameters: Parameters, batch: Batch, state: Any, *, step: int = 0, **options: Any
    ) -> StepResult:
        """Return the loss and its gradient with respect to the weights before the drop."""
        rng = np.random.default_rng([7, step])
        thinned = Parameters(parameters.architecture, parameters.flat.copy())
        masks = {
            name: (rng.random(view.shape) >= self.share).astype(view.dtype) / (1 - self.share)
            for name, view in thinned.views.items()
            if name.endswith("W_hh")
        }
        for name, mask in masks.items():
            thinned[name][:] *= mask
        result = super().loss_and_gradient(thinned, batch, state, step=step, **options)
        gradient = Parameters(parameters.architecture, result.gradient.flat)
        for name, mask in masks.items():
            gradient[name][:] *= mask
        norm = float(np.linalg.norm(gradient.flat))
        return result._replace(gradient=Gradient(gradient.flat, norm))


class Growing:
    """Batches that grow: a third of the characters each with sizes (lanes, characters)."""

    sizes: tuple[tuple[int, int], ...] = ()

    def __init__(self, codes: Any, settings: TrainingSettings, share: Any = None) -> None:
        total = STEPS * 32 * 64
        self._phases = [StreamBatches(codes, lanes, length) for lanes, length in self.sizes]
        steps = [total // (len(self.sizes) * lanes * length) for lanes, length in self.sizes]
        self._begins = np.cumsum([0, *steps]).tolist()
        self.batch_size, self.seq_length = (max(each) for each in zip(*self.sizes, strict=True))
        self.steps_per_epoch = max(1, self._begins[-1] // 12)

    def at(self, step: int) -> Batch:
        """Return the batch of a step."""
        phase = int(np.searchsorted(self._begins, step, side="right")) - 1
        phase = min(phase, len(self._phases) - 1)
        batch = self._phases[phase].at(step - self._begins[phase])
        return Batch(batch.inputs, batch.targets, batch.fresh or step in self._begins)


class GrowingLanes(Growing):
    """16, 32, then 64 lanes."""

    sizes = ((16, 64), (32, 64), (64, 64))


class GrowingLength(Growing):
    """32, 64, then 128 characters."""

    sizes = ((32, 32), (32, 64), (32, 128))


def _steps(growing: type[Growing]) -> int:
    share = STEPS * 32 * 64 // len(growing.sizes)
    return sum(share // (lanes * length) for lanes, length in growing.sizes)


MAKE_BATCHES = "nextchar.training.rank_batches.make_batches"
PATCHES: Mapping[str, tuple[str, Any, Mapping[str, Any]]] = {
    "average of weights, 0.998": ("nextchar.training.session.Trainer", Averaged, {}),
    "recurrent dropout 0.1": ("nextchar.kernels.engine.Engine", RecurrentlyDropped, {}),
    "16, 32, 64 lanes": (
        MAKE_BATCHES, GrowingLanes, {"steps": _steps(GrowingLanes)},
    ),
    "32, 64, 128 characters": (
        MAKE_BATCHES, GrowingLength, {"steps": _steps(GrowingLength)},
    ),
}  # fmt: skip


def loss_of(text: str, given: Mapping[str, Any]) -> tuple[float, float]:
    """Return nats per character on the validation part, and of training at the end."""
    settings = Settings.make("medium", **{**BASE, **given})
    prepared = prepare(text_corpus(text, settings.text), settings)
    trained = train_corpus(prepared, choose_settings(prepared, settings, None, Hooks()))
    validation = text[len(text) - len(text) // 10 :]
    score = evaluate(trained.model, [validation], unknown="skip")[0]
    return score.nats_per_char, trained.records[-1].train_loss


def main() -> None:
    """Print a row for each technique named, or for all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("text", type=Path, metavar="TEXT", help="a text file")
    parser.add_argument("names", nargs="*", metavar="NAME", help="techniques; all by default")
    options = parser.parse_args()
    text = options.text.read_text(encoding="utf-8")[:CHARACTERS]
    for name in options.names or (*SETTINGS, *PATCHES):
        with ExitStack() as stack:
            given: Mapping[str, Any] = SETTINGS.get(name, {})
            if name in PATCHES:
                target, instead, given = PATCHES[name]
                stack.enter_context(patch(target, instead))
            loss, train_loss = loss_of(text, given)
        print(f"| {name} | {loss:.4f} | {train_loss:.3f} |", flush=True)


if __name__ == "__main__":
    main()
