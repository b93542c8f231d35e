"""Checkpoints: everything that a resumed run needs to give the same bits as an uninterrupted one.

Parameters, optimizer arrays, the carried state and the progress. Batches, dropout and samples
depend on the seed and the step alone, so the step is both the position in the data and the state
of every random generator.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from nextchar.errors import ModelFileError, RunError, in_one_line
from nextchar.model import container
from nextchar.model.parameters import Array, Parameters
from nextchar.training.optim.optimizers import Slots

SMOOTHING = 0.99  # share of the old value in the smoothed loss


@dataclass
class Progress:
    """Progress of the training loop. Losses are in nats per character.

    loss_sum, loss_characters: since the last evaluation; since_seconds: time of that evaluation.
    done: the run has reached its end.
    eval_characters: number that evaluations score if a short time allows fewer than the setting.
    retries: number of rollbacks, each of which halves the learning rate.
    norm_steps, norm_sum, norm_max: of the gradient's norm since the last evaluation, before
    clipping; norm_clipped: steps in which it was clipped, norm_cut: sum of the norm removed.
    """

    step: int = 0
    seconds: float = 0.0
    characters: int = 0
    smoothed_loss: float | None = None
    loss_sum: float = 0.0
    loss_characters: int = 0
    since_seconds: float = 0.0
    best_loss: float | None = None
    best_step: int = 0
    evaluations_since_best: int = 0
    done: bool = False
    eval_characters: int | None = None
    retries: int = 0
    norm_steps: int = 0
    norm_sum: float = 0.0
    norm_max: float = 0.0
    norm_clipped: int = 0
    norm_cut: float = 0.0

    def add_loss(self, loss: float, characters: int) -> float:
        """Add the loss of a step to the sums; return the smoothed loss."""
        self.characters += characters
        self.loss_sum += loss * characters
        self.loss_characters += characters
        old = loss if self.smoothed_loss is None else self.smoothed_loss
        self.smoothed_loss = SMOOTHING * old + (1 - SMOOTHING) * loss
        return self.smoothed_loss


@dataclass(frozen=True)
class Checkpoint:
    """State of a run that is saved and restored.

    text_sha256: of the text that the run is trained on.
    settings: every setting by name, as of the time of saving; empty in files of versions that did
    not save them.
    last_good: the point to roll back to if the run diverges; None if it is this point.
    """

    parameters: Parameters
    slots: Slots
    state: Array
    progress: Progress
    text_sha256: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    last_good: Checkpoint | None = None


def with_states(change: Callable[[Array], Array], checkpoint: Checkpoint) -> Checkpoint:
    """Return a checkpoint with changed states: cut to a rank's lanes, or gathered from all."""
    last_good = checkpoint.last_good and with_states(change, checkpoint.last_good)
    return replace(checkpoint, state=change(checkpoint.state), last_good=last_good)


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Replace a checkpoint atomically."""
    tensors, good = _tensors(checkpoint), checkpoint.last_good
    document: dict[str, Any] = {
        "progress": _to_document(checkpoint.progress),
        "text_sha256": checkpoint.text_sha256,
        "settings": dict(checkpoint.settings),
    }
    if good:
        tensors |= {f"good.{name}": tensor for name, tensor in _tensors(good).items()}
        document["good"] = _to_document(good.progress)
    container.write(path, "checkpoint", tensors, document)


def _tensors(checkpoint: Checkpoint) -> dict[str, Array]:
    return {
        "parameters": checkpoint.parameters.flat,
        "state": checkpoint.state,
        **{f"slots.{name}": slot for name, slot in checkpoint.slots.items()},
    }


def load_checkpoint(
    path: Path,
    fresh: Checkpoint,
    require_settings: Callable[[Mapping[str, Any]], None] = lambda settings: None,
) -> Checkpoint:
    """Read a checkpoint into the arrays of a fresh one of the same run.

    require_settings: raises if the run cannot continue from the checkpoint's settings; its message
    says more than one about shapes.
    Raises RunError if the text is another one, which may have other shapes too, and ModelFileError
    if the file is damaged or of other settings.
    """
    tensors, document = container.read(path, "checkpoint")
    parameters, slots = fresh.parameters, fresh.slots
    arrays = _tensors(fresh)
    del arrays["state"]  # the checkpoint decides the number of lanes
    try:
        _require_same_text(path, str(document["text_sha256"]), fresh.text_sha256)
        settings = dict(document.get("settings", {}))
        require_settings(settings)
        for name, array in arrays.items():
            if tensors[name].shape != array.shape or tensors[name].dtype != array.dtype:
                raise ValueError(f"{name} has another shape or type")
            np.copyto(array, tensors[name])
        progress = _progress(document["progress"])
        state, good = tensors["state"], None
        _require_state(state, parameters)
        if "good" in document:
            good = _good(tensors, document["good"], fresh)
    except (KeyError, TypeError, ValueError) as error:
        problem = f"does not belong to this run's settings ({in_one_line(error)})"
        raise ModelFileError(problem, path=path) from error
    return Checkpoint(parameters, slots, state, progress, fresh.text_sha256, settings, good)


def _good(
    tensors: Mapping[str, Array], progress: Mapping[str, Any], fresh: Checkpoint
) -> Checkpoint:
    """Return the last good point in a checkpoint. Raises errors that `load_checkpoint` handles."""
    flat, state = tensors["good.parameters"], tensors["good.state"]
    good = Parameters(fresh.parameters.architecture, flat)
    _require_state(state, good)
    slots = {name: tensors[f"good.slots.{name}"] for name in fresh.slots}
    if any(each.shape != flat.shape or each.dtype != flat.dtype for each in slots.values()):
        raise ValueError("good.slots have another shape or type")
    return Checkpoint(good, slots, state, _progress(progress), fresh.text_sha256)


# the name in the file of a field that is called otherwise here
_NAMES_IN_FILE = {"evaluations_since_best": "stale"}


def _to_document(progress: Progress) -> dict[str, Any]:
    return {_NAMES_IN_FILE.get(name, name): value for name, value in vars(progress).items()}


def _progress(document: Mapping[str, Any]) -> Progress:
    """Restore the progress. Raises TypeError or ValueError if a field is not as it was written."""
    names = {in_file: name for name, in_file in _NAMES_IN_FILE.items()}
    progress = Progress(**{names.get(name, name): value for name, value in dict(document).items()})
    for each in dataclasses.fields(Progress):
        value = getattr(progress, each.name)
        kinds = set(str(each.type).split(" | "))
        kinds |= {"int"} if "float" in kinds else set()
        if type(value).__name__.removesuffix("Type") not in kinds:
            raise ValueError(f"{each.name} is {value!r:.20}")
    if min(progress.step, progress.characters, progress.evaluations_since_best) < 0:
        raise ValueError("a count is negative")
    return progress


def _require_state(state: Array, parameters: Parameters) -> None:
    lanes = state.shape[2] if state.ndim == 4 else 0
    if state.shape != parameters.architecture.state_shape(lanes) or state.dtype != parameters.dtype:
        raise ValueError("state has another shape or type")


def _require_same_text(path: Path, before: str, now: str) -> None:
    if before == now:
        return
    if not re.fullmatch(r"[0-9a-f+]+", before):
        raise ValueError("text_sha256 is not a digest")
    old, new = ("+".join(f"{part[:8]}…" for part in sha.split("+")) for sha in (before, now))
    problem = f"the checkpoint was made for another text (sha256 {old}, now {new})"
    remedy = "resume with the original one, or start again with another --out"
    raise RunError(problem, path=path.parent, remedy=remedy)
