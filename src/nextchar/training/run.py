"""A whole run, from settings and a text to a model, for `CharRNN.fit` and `nextchar train`."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from nextchar.config import Settings, TextSettings, laid_over
from nextchar.errors import InterruptedRun, RunError, SettingsError
from nextchar.presets import AUTO
from nextchar.text.corpus import Corpus
from nextchar.text.reading import read_corpus
from nextchar.text.watching import Listener
from nextchar.training.cohort import SINGLE, Cohort
from nextchar.training.directory import RunDirectory
from nextchar.training.events import Encoding, Note
from nextchar.training.resuming import resumed_settings
from nextchar.training.train import Hooks, Trained, train


@dataclass(frozen=True)
class Material:
    """A text to train on: how it is read, and its names where it can be found again."""

    read: Callable[[TextSettings, Listener], Corpus]
    names: tuple[str, ...] = ()


def from_paths(paths: Sequence[str | PathLike[str]]) -> Material:
    """The material of files, folders, `-` and data sets, found again from any working folder."""
    names = tuple(_found_again(str(path)) for path in paths)
    return Material(lambda settings, listener: read_corpus(paths, settings, listener), names)


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
    cohort: Cohort = SINGLE,
) -> Trained:
    """Run a training from what the user gave to the trained model.

    text: None takes that of the run that is resumed; so does validation.
    given: settings laid over the preset's.
    out: the run directory; None keeps the run in memory.
    cohort: who trains along, each with the same arguments.
    """
    given = given or {}
    chooses = not resume and preset in {None, AUTO}
    cohort.require_alike(
        lambda: {
            "preset": preset, "resume": resume, "text": text and text.names, **given,
            "validation": validation and validation.names,
        }
    )  # fmt: skip
    ranks = cohort.share.size
    settings, source = cohort.first(lambda: _asked(text, preset, given, out, resume, ranks))
    text = text or from_paths(source["inputs"])
    if validation is None and source.get("validation"):
        validation = from_paths(source["validation"])
    source = {
        "inputs": list(text.names),
        "validation": list(validation.names if validation else ()),
    }
    listener = _listener(hooks or Hooks())
    with _opened(out, resume, cohort) as directory:
        return train(
            _corpus(text, settings, listener, cohort),
            settings,
            given=given if chooses else None,
            validation=_corpus(validation, settings, listener, cohort) if validation else None,
            directory=directory,
            source=source,
            resume=resume,
            hooks=hooks,
            cohort=cohort,
        )


def _asked(
    text: Material | None,
    preset: str | None,
    given: Mapping[str, Any],
    out: Path | None,
    resume: bool,
    ranks: int,
) -> tuple[Settings, dict[str, Any]]:
    """The settings that were asked for, and where the text of a run that goes on came from."""
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
    return settings, source


@contextmanager
def _opened(out: Path | None, resume: bool, cohort: Cohort) -> Iterator[RunDirectory | None]:
    """The run directory, for the first rank."""
    directory: RunDirectory | None = None

    def open_it() -> None:
        nonlocal directory
        if out is not None:
            directory = (RunDirectory.open if resume else RunDirectory.create)(out)

    cohort.first(open_it)
    with directory or nullcontext():
        yield directory


def _corpus(text: Material, settings: Settings, listener: Listener, cohort: Cohort) -> Corpus:
    return cohort.corpus(lambda: text.read(settings.text, listener))


def _listener(hooks: Hooks) -> Listener:
    """Who is told while a text is read: as a run's own events are, and the run may be stopped."""

    def encoding(done: int, total: int | None) -> None:
        hooks.on_event(Encoding(done, total))
        if hooks.should_stop():
            raise InterruptedRun("interrupted while the text was encoded; nothing was trained yet")

    return Listener(lambda text: hooks.on_event(Note(text)), encoding)
