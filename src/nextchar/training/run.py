"""A whole run, from settings and a text to a model, for `CharRNN.fit` and `nextchar train`."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from nextchar.config import BUDGETS, Settings, TextSettings, laid_over, option_of
from nextchar.errors import RunError, SettingsError
from nextchar.kernels import COMPILING
from nextchar.kernels.threads import usable_cores
from nextchar.model.file import BEST, Model, load_model
from nextchar.model.initialise import initialise
from nextchar.model.parameters import Architecture
from nextchar.text.batches import Batches, make_batches
from nextchar.text.corpus import Corpus, Prepared, prepare, read_corpus
from nextchar.text.plausible import doubt
from nextchar.training.checkpoint import (
    Checkpoint,
    Progress,
    load_checkpoint,
    save_checkpoint,
)
from nextchar.training.directory import CONFIG, METRICS, RunDirectory, read_config
from nextchar.training.events import Evaluated, Note, OnEvent
from nextchar.training.metrics import evaluations
from nextchar.training.optimizers import make_slots
from nextchar.training.trainer import MakeSample, Trainer

# what may differ when a run is resumed: where it ends, and what it tells on the way
_ENDS = {*BUDGETS, "patience"}
_MAY_CHANGE = {*_ENDS, "eval_every", "sample_every"}
BFLOAT16 = "products in bfloat16, which this CPU multiplies faster; --dtype float32 for more digits"
_DTYPES = {  # of parameters and sums
    "auto": np.float32,
    "float32": np.float32,
    "bfloat16": np.float32,
    "float64": np.float64,
}


@dataclass(frozen=True)
class Hooks:
    """What others do for a run: listen, stop it, write samples."""

    on_event: OnEvent = lambda event: None
    should_stop: Callable[[], bool] = lambda: False
    make_sample: MakeSample | None = None


@dataclass(frozen=True)
class Trained:
    """What a run ends with: its best model and the records of all its evaluations."""

    model: Model
    records: list[Evaluated]
    steps: int
    best_loss: float


@dataclass(frozen=True)
class Material:
    """A text to train on: how it is read, and its names where it can be found again."""

    read: Callable[[TextSettings], Corpus]
    names: tuple[str, ...] = ()


def from_paths(paths: Sequence[str | PathLike[str]]) -> Material:
    """The material of files, folders, `-` and data sets, found again from any working folder."""
    names = tuple(_found_again(str(path)) for path in paths)
    return Material(lambda settings: read_corpus(paths, settings), names)


def _found_again(name: str) -> str:
    """A file's absolute path; what is none (`-`, a data set) as it is."""
    try:
        return str(Path(name).resolve()) if name != "-" and Path(name).exists() else name
    except (OSError, ValueError, RuntimeError):  # no name a file can have, or links in a circle
        return name


def start(
    text: Material | None,
    *,
    preset: str | None = None,
    given: Mapping[str, Any] | None = None,
    validation: Material | None = None,
    out: Path | None = None,
    resume: bool = False,
    hooks: Hooks | None = None,
) -> Trained:
    """Run a training from what the user gave to the trained model.

    text: None takes that of the run that is resumed; so does validation.
    given: settings laid over the preset's.
    out: the run directory; None keeps the run in memory.
    """
    given = given or {}
    if not resume:
        settings, source = Settings.make(preset, **given), dict[str, Any]()
    elif out is None:
        raise SettingsError("resume: wants out, the directory of the run to go on with")
    else:
        changed = laid_over(preset, given) if preset or given else {}
        settings, source = _resumed_settings(out, changed)
    if text is None and "-" in source.get("inputs", ()):
        raise RunError(
            f"{out}: was trained from standard input; give the same text again: "
            f"nextchar train - --out {shlex.quote(str(out))} --resume"
        )
    text = text or (from_paths(source["inputs"]) if source.get("inputs") else None)
    if validation is None and source.get("validation"):
        validation = from_paths(source["validation"])
    if text is None:
        raise SettingsError("a text to train on is needed: give a path, or text=")
    source = {
        "inputs": list(text.names),
        "validation": list(validation.names if validation else ()),
    }
    opened = RunDirectory.open if resume else RunDirectory.create
    with nullcontext() if out is None else opened(out) as directory:
        return train(
            text.read(settings.text),
            settings,
            validation=validation.read(settings.text) if validation else None,
            directory=directory,
            source=source,
            resume=resume,
            hooks=hooks,
        )


def train(
    corpus: Corpus,
    settings: Settings,
    *,
    validation: Corpus | None = None,
    directory: RunDirectory | None = None,
    source: Mapping[str, Any] | None = None,
    resume: bool = False,
    hooks: Hooks | None = None,
) -> Trained:
    """Train a model on a corpus.

    validation: a text of its own to validate on, in place of a part of the corpus.
    directory: where the run is kept; None keeps it in memory.
    source: where the text came from, noted in `config.toml`.
    resume: go on from the directory's checkpoint; raises RunError where text or settings differ.
    """
    # they bring Numba along, half a second that who only predicts need not wait
    from nextchar.kernels.compiled import telling_of_compilation
    from nextchar.kernels.engine import Engine
    from nextchar.kernels.isa import HOST

    hooks = hooks or Hooks()
    settings = _in_force(settings)
    prepared = prepare(corpus, settings, validation)
    batches = make_batches(prepared.train, settings.training)
    _tell_limits(prepared, batches, settings, hooks.on_event)
    start, before = _fresh(prepared, batches, settings), list[Evaluated]()
    if directory and resume:
        start = _resumed(directory, settings, start, hooks.on_event)
        before = _evaluated_before(directory, start.progress, hooks.on_event)
    if directory:
        directory.write_config(settings, source or {})
    architecture = start.parameters.architecture
    assert settings.training.threads is not None
    threads = min(settings.training.threads, batches.batch_size)
    bfloat16 = settings.training.dtype == "bfloat16"
    if settings.training.dtype == "auto" and HOST.has_bfloat16:
        bfloat16 = True
        hooks.on_event(Note(BFLOAT16, is_by_the_way=True))
    with Engine(
        architecture,
        threads=threads,
        dtype=start.parameters.dtype,
        bfloat16=bfloat16,
    ) as engine:
        trainer = Trainer(
            prepared,
            batches,
            settings,
            engine,
            start,
            directory=directory,
            on_event=hooks.on_event,
            should_stop=hooks.should_stop,
            make_sample=hooks.make_sample,
        )
        trainer.records = before
        with telling_of_compilation(lambda: hooks.on_event(Note(COMPILING, True))):
            model = trainer.run()
    if directory and (directory.path / BEST).exists():  # it may be from before a resume
        model = load_model(directory.path / BEST)
    best = trainer.progress.best_loss
    assert best is not None
    return Trained(model, trainer.records, trainer.progress.step, best)


def _resumed_settings(path: Path, given: Mapping[str, Any]) -> tuple[Settings, dict[str, Any]]:
    """The settings of a run that is to go on, with the given ones laid over where they may change.

    Also where its text came from. Raises RunError that lists what may not change and differs.
    """
    settings, source = read_config(path)
    old = settings.flat()
    _require_same(path, old, given)
    if given.keys() & set(BUDGETS):
        old = {name: value for name, value in old.items() if name not in BUDGETS}
    return Settings.make(**{**old, **given}), source


def _in_force(settings: Settings) -> Settings:
    """The settings with what depends on the machine filled in, as `config.toml` notes them."""
    threads = settings.training.threads or usable_cores()
    return replace(settings, training=replace(settings.training, threads=threads))


def _fresh(prepared: Prepared, batches: Batches, settings: Settings) -> Checkpoint:
    architecture = Architecture(settings.network, len(prepared.vocabulary))
    dtype = _DTYPES[settings.training.dtype]
    parameters = initialise(architecture, settings.training.seed, dtype)
    return Checkpoint(
        parameters,
        make_slots(settings.training.optimizer, parameters.flat),
        parameters.zero_state(batches.batch_size),
        Progress(),
        prepared.sha256,
        settings.flat(),
    )


def _require_same(path: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise RunError that lists what differs of the settings that a resumed run must keep."""
    kept = {name: value for name, value in now.items() if name not in _MAY_CHANGE}
    if wrong := _differing(before, kept):
        raise RunError(f"{path}: cannot resume with other settings: {wrong}")


def _differing(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What differs of two sets of settings, of those that both have; an empty text for nothing."""
    return "; ".join(
        f"{option_of(name)} was {' '.join(str(before[name]).split()):.60}, now {now[name]}"
        for name in sorted(now)
        if name in before and before[name] != now[name]
    )


def _resumed(
    directory: RunDirectory, settings: Settings, fresh: Checkpoint, on_event: OnEvent
) -> Checkpoint:
    """The directory's checkpoint, or the fresh start where it was stopped before its first one."""
    if not directory.checkpoint.exists():
        return fresh
    now, noted = settings.flat(), read_config(directory.path)[0].flat()
    checkpoint = load_checkpoint(
        directory.checkpoint, fresh, lambda before: _require_same(directory.path, before, now)
    )
    before = checkpoint.settings or noted
    if changed := _differing(before, {name: noted[name] for name in _MAY_CHANGE}):
        on_event(Note(f"{CONFIG} was changed since the checkpoint: {changed}"))
    if any(before.get(name) != now[name] for name in _MAY_CHANGE):
        checkpoint.progress.done &= all(before.get(name) == now[name] for name in _ENDS)
        checkpoint = replace(checkpoint, settings=now)
        save_checkpoint(directory.checkpoint, checkpoint)  # before config.toml says the new end
    return checkpoint


def _evaluated_before(
    directory: RunDirectory, progress: Progress, on_event: OnEvent
) -> list[Evaluated]:
    """The evaluations up to the checkpoint, from the metrics; says where the last are lost."""
    try:
        before = evaluations(directory.rewind_metrics(progress.step))
    except ValueError as error:
        raise RunError(
            f"{directory.path / METRICS}: cannot be read ({error}); mend it, or move it away to go "
            "on without its records"
        ) from error
    evaluated = progress.characters - progress.loss_characters  # so many at the last one
    if evaluated and not (before and before[-1].characters == evaluated):
        on_event(Note(f"{METRICS} lacks evaluations that the checkpoint knows of"))
    return before


def _tell_limits(
    prepared: Prepared, batches: Batches, settings: Settings, on_event: OnEvent
) -> None:
    """Say where the text did not allow what was asked, or is none."""
    asked = settings.training
    if told := doubt(prepared.vocabulary, prepared.train, settings.text):
        on_event(Note(told))
    if prepared.left_out:
        on_event(
            Note(
                f"{prepared.left_out} characters of the validation part never occur in the "
                "training part; they are left out of the validation loss"
            )
        )
    if batches.batch_size < asked.batch_size or batches.seq_length < asked.seq_length:
        on_event(
            Note(
                f"the text is short: trained in {batches.batch_size} lane"
                f"{'' if batches.batch_size == 1 else 's'} of sequences of {batches.seq_length} "
                f"(asked for {asked.batch_size} and {asked.seq_length})"
            )
        )
    if len(prepared.validation) < 2:
        on_event(Note("no validation part: the training loss decides which model is best"))
