"""A whole run, from settings and a text to a model, for `CharRNN.fit` and `nextchar train`."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

from nextchar.errors import InterruptedRun, RunError, SettingsError
from nextchar.model.file import START, Model, load_model
from nextchar.runs.machine import describe
from nextchar.settings.config import Settings, TextSettings, laid_over
from nextchar.settings.presets import AUTO
from nextchar.text.cache.parallel import SplittableText
from nextchar.text.corpus import Corpus
from nextchar.text.read_callbacks import ReadCallbacks
from nextchar.text.reading import read_corpus
from nextchar.training.events import Encoding, Note
from nextchar.training.fine_tuning import settings_from
from nextchar.training.process_group import SINGLE_PROCESS, ProcessGroup
from nextchar.training.saving.resume import resumed_settings
from nextchar.training.saving.run_directory import RunDirectory
from nextchar.training.session import Hooks, Trained, train


@dataclass(frozen=True)
class TextInput:
    """A text to train on: how it is read, and its names where it can be found again.

    paths: of what is read, as they were given, where several may read a part each.
    """

    read: Callable[[TextSettings, ReadCallbacks], Corpus]
    names: tuple[str, ...] = ()
    paths: Sequence[str | PathLike[str]] = ()


@dataclass(frozen=True)
class BaseModel:
    """A trained model that a run starts from, and what the run is to call it."""

    model: Model
    name: str = "a model in memory"


def load_base_model(path: str | PathLike[str]) -> BaseModel:
    """The model of a file or a run directory. Raises ModelFileError."""
    return BaseModel(load_model(path), _found_again(str(path)))


def text_from_paths(paths: Sequence[str | PathLike[str]]) -> TextInput:
    """The material of files, folders, `-` and data sets, found again from any working folder."""
    names = tuple(_found_again(str(path)) for path in paths)
    return TextInput(
        lambda settings, listener: read_corpus(paths, settings, listener), names, paths
    )


def _found_again(name: str) -> str:
    """A file's absolute path; what is none (`-`, a data set) as it is."""
    try:
        return str(Path(name).resolve()) if name != "-" and Path(name).exists() else name
    except (OSError, ValueError, RuntimeError):  # no name a file can have, or links in a circle
        return name


def start(
    text: TextInput | None,
    *,
    preset: str | None = None,
    given: Mapping[str, Any] | None = None,
    validation: TextInput | None = None,
    base: BaseModel | None = None,
    out: Path | None = None,
    resume: bool = False,
    hooks: Hooks | None = None,
    group: ProcessGroup = SINGLE_PROCESS,
) -> Trained:
    """Run a training from what the user gave to the trained model.

    text: None takes that of the run that is resumed; so does validation.
    given: settings laid over the preset's.
    base: the model to start from; a run that is resumed has it.
    out: the run directory; None keeps the run in memory.
    group: who trains along, each with the same arguments.
    """
    chooses = not resume and preset in {None, AUTO}
    names = {"text": text and text.names, "validation": validation and validation.names}
    told = {"preset": preset, "resume": resume, **names, **(given or {})}
    group.require_equal(lambda: told)
    ranks = group.share.size
    asked = group.on_rank_zero(lambda: _asked(text, preset, given or {}, base, out, resume, ranks))
    settings, source, base = asked.settings, asked.source, asked.base
    text = text or text_from_paths(source["inputs"])
    if validation is None and source.get("validation"):
        validation = text_from_paths(source["validation"])
    source = {
        **describe(),
        **({"began": source["began"]} if "began" in source else {}),
        "inputs": list(text.names),
        "validation": list(validation.names if validation else ()),
        **({"from": base.name} if base else {}),
    }
    listener = _listener(hooks or Hooks())
    with _opened(out, resume, group) as directory:
        return train(
            _corpus(text, settings, listener, group),
            settings,
            given=asked.given if chooses else None,
            validation=_corpus(validation, settings, listener, group) if validation else None,
            directory=directory,
            source=source,
            base=base.model if base else None,
            resume=resume,
            hooks=hooks,
            group=group,
        )


class _RunRequest(NamedTuple):
    """What was asked for.

    source, base: where the text of a run that goes on came from, and the model it started from.
    """

    settings: Settings
    given: Mapping[str, Any]
    source: dict[str, Any]
    base: BaseModel | None


def _asked(
    text: TextInput | None,
    preset: str | None,
    given: Mapping[str, Any],
    base: BaseModel | None,
    out: Path | None,
    resume: bool,
    ranks: int,
) -> _RunRequest:
    if resume and base:
        raise SettingsError("from: a run that is resumed has started already; leave it out")
    if base:
        given = settings_from(base.model, given)
    if not resume:
        settings, source = Settings.make(preset, **given), dict[str, Any]()
    elif out is None:
        raise SettingsError("resume: wants out, the directory of the run to go on with")
    else:
        changed = laid_over(preset, given) if preset or given else {}
        settings, source = resumed_settings(out, changed, ranks)
    if text is None and "-" in source.get("inputs", ()):
        raise RunError(
            f"{out}: was trained from standard input; give the same text again: "
            f"nextchar train - --out {shlex.quote(str(out))} --resume"
        )
    if text is None and not source.get("inputs"):
        raise SettingsError("a text to train on is needed: give a path, or text=")
    if out is not None and "from" in source:
        base = BaseModel(load_model(out / START), source["from"])
    return _RunRequest(settings, given, source, base)


@contextmanager
def _opened(out: Path | None, resume: bool, group: ProcessGroup) -> Iterator[RunDirectory | None]:
    """The run directory, for the first rank."""
    directory: RunDirectory | None = None

    def open_it() -> None:
        nonlocal directory
        if out is not None:
            directory = (RunDirectory.open if resume else RunDirectory.create)(out)

    group.on_rank_zero(open_it)
    with directory or nullcontext():
        yield directory


def _corpus(
    text: TextInput, settings: Settings, listener: ReadCallbacks, group: ProcessGroup
) -> Corpus:
    together = SplittableText(text.paths, settings.text, listener)
    return group.read_corpus(lambda: text.read(settings.text, listener), together)


def _listener(hooks: Hooks) -> ReadCallbacks:
    """Who is told while a text is read: as a run's own events are, and the run may be stopped."""

    def encoding(done: int, total: int | None) -> None:
        hooks.on_event(Encoding(done, total))
        if hooks.should_stop():
            raise InterruptedRun("interrupted while the text was encoded; nothing was trained yet")

    return ReadCallbacks(lambda text: hooks.on_event(Note(text)), encoding)
