"""The checkpoint: all that resume needs to go on as if nothing had happened.

Parameters, optimizer arrays, the carried state, and where the loop stood. Batches, dropout and
samples depend on the seed and the step alone, so the step is both the position in the data and
the state of every random generator.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextchar.errors import ModelFileError, RunError, in_one_line
from nextchar.model import container
from nextchar.model.parameters import Parameters
from nextchar.training.optim.optimizers import Slots

Array = NDArray[Any]


@dataclass
class Progress:
    """Where the loop stands. Losses are in nats per character.

    loss_sum, loss_characters, since_seconds: of the training since the last evaluation.
    stale: evaluations since the best one. done: whether the run came to its end.
    eval_characters: how many evaluations score where a short time allows for fewer than asked.
    retries: how often the run went back, each time to go on with half the learning rate.
    norm_steps, norm_sum, norm_max: of the gradient's norm since the last evaluation, before
    clipping; norm_clipped: steps in which it was clipped, norm_cut: what that took off in all.
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
    stale: int = 0
    done: bool = False
    eval_characters: int | None = None
    retries: int = 0
    norm_steps: int = 0
    norm_sum: float = 0.0
    norm_max: float = 0.0
    norm_clipped: int = 0
    norm_cut: float = 0.0


@dataclass(frozen=True)
class Checkpoint:
    """What is saved and restored.

    text_sha256: of the text the run is trained on.
    settings: every setting by name, those of the run when it was saved; empty in files that were
    written before settings were kept.
    good: where to go back to, should the numbers run away; None where that is this point itself.
    """

    parameters: Parameters
    slots: Slots
    state: Array
    progress: Progress
    text_sha256: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    good: Checkpoint | None = None


def with_states(change: Callable[[Array], Array], checkpoint: Checkpoint) -> Checkpoint:
    """A checkpoint whose states are changed: cut to a rank's lanes, or whole again."""
    good = checkpoint.good and with_states(change, checkpoint.good)
    return replace(checkpoint, state=change(checkpoint.state), good=good)


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Replace a checkpoint atomically."""
    tensors, good = _tensors(checkpoint), checkpoint.good
    document: dict[str, Any] = {
        "progress": dataclasses.asdict(checkpoint.progress),
        "text_sha256": checkpoint.text_sha256,
        "settings": dict(checkpoint.settings),
    }
    if good:
        tensors |= {f"good.{name}": tensor for name, tensor in _tensors(good).items()}
        document["good"] = dataclasses.asdict(good.progress)
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
    """Read a checkpoint into the arrays of a fresh start of the same run.

    require_settings: raises where the run cannot go on from these; they say more than a shape.
    Raises RunError where it was made for another text, which may give other shapes too, and
    ModelFileError where it is damaged or of other settings.
    """
    tensors, document = container.read(path, "checkpoint")
    parameters, slots = fresh.parameters, fresh.slots
    wanted = _tensors(fresh)
    del wanted["state"]  # its lanes are the checkpoint's
    try:
        _require_same_text(path, str(document["text_sha256"]), fresh.text_sha256)
        settings = dict(document.get("settings", {}))
        require_settings(settings)
        for name, array in wanted.items():
            if tensors[name].shape != array.shape or tensors[name].dtype != array.dtype:
                raise ValueError(f"{name} has another shape or type")
            np.copyto(array, tensors[name])
        progress = _progress(document["progress"])
        state, good = tensors["state"], None
        _require_state(state, parameters)
        if "good" in document:
            good = _good(tensors, document["good"], fresh)
    except (KeyError, TypeError, ValueError) as error:
        reason = in_one_line(error)
        raise ModelFileError(
            f"{path}: does not belong to this run's settings ({reason})"
        ) from error
    return Checkpoint(parameters, slots, state, progress, fresh.text_sha256, settings, good)


def _good(
    tensors: Mapping[str, Array], progress: Mapping[str, Any], fresh: Checkpoint
) -> Checkpoint:
    """The point to go back to that a checkpoint carries. Raises as `load_checkpoint` expects."""
    flat, state = tensors["good.parameters"], tensors["good.state"]
    good = Parameters(fresh.parameters.architecture, flat)
    _require_state(state, good)
    slots = {name: tensors[f"good.slots.{name}"] for name in fresh.slots}
    if any(each.shape != flat.shape or each.dtype != flat.dtype for each in slots.values()):
        raise ValueError("good.slots have another shape or type")
    return Checkpoint(good, slots, state, _progress(progress), fresh.text_sha256)


def _progress(found: Mapping[str, Any]) -> Progress:
    """Raises TypeError or ValueError where a field is lacking, unknown or of another type."""
    progress = Progress(**found)
    for each in dataclasses.fields(Progress):
        value = getattr(progress, each.name)
        kinds = str(each.type).split(" | ")
        if type(value).__name__ not in {*kinds, *(["int"] if "float" in kinds else [])} | (
            {"NoneType"} if "None" in kinds else set()
        ):
            raise ValueError(f"{each.name} is {value!r:.20}")
    if min(progress.step, progress.characters, progress.stale) < 0:
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
        raise ValueError("text_sha256 is no digest")
    was, wanted = ("+".join(f"{part[:8]}…" for part in sha.split("+")) for sha in (before, now))
    raise RunError(
        f"{path.parent}: the checkpoint was made for another text (sha256 {was}, now {wanted}); "
        "resume with the original one, or start anew with another --out"
    )
