"""A whole run, from a user's request to a trained model, for `CharRNN.fit` and `nextchar train`.

resolve_request   preset, options and a resumed run's `config.toml` → settings and texts
read_text         files → codes, split into training, validation and test part
choose_settings   (auto/choose.py) what `auto` and the machine decide → finished settings
train_corpus     (session.py) batches, engine and trainer → a model
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

from nextchar.errors import InterruptedRun, RunError, SettingsError
from nextchar.kernels import COMPILING
from nextchar.model.file import START, Model, load_model
from nextchar.runs.machine import describe
from nextchar.settings.config import Settings, TextSettings, laid_over
from nextchar.settings.presets import AUTO
from nextchar.text.corpus import Corpus, Prepared, prepare
from nextchar.text.read_callbacks import ReadCallbacks
from nextchar.text.reading import read_corpus
from nextchar.training.auto.choose import choose_settings
from nextchar.training.events import Encoding
from nextchar.training.fine_tuning import describe_new_characters, settings_from
from nextchar.training.process_group import SINGLE_PROCESS, ProcessGroup
from nextchar.training.run_context import Hooks, RunContext
from nextchar.training.saving.resume import resumed_settings
from nextchar.training.saving.run_directory import RunDirectory
from nextchar.training.session import Trained, train_corpus


@dataclass(frozen=True)
class TextInput:
    """A text to train on.

    read: reads and encodes it. names: inputs from which a later process can read it again.
    """

    read: Callable[[TextSettings, ReadCallbacks], Corpus]
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class BaseModel:
    """A trained model that a run starts from, and its name in `config.toml`."""

    model: Model
    name: str = "a model in memory"


@dataclass(frozen=True)
class RunRequest:
    """A user's request for a run.

    text: None takes that of the run that is resumed; the same holds for validation.
    given: settings laid over the preset's.
    base: the model to start from; a resumed run has its own.
    out: the run directory; None keeps the run in memory.
    """

    text: TextInput | None
    preset: str | None = None
    given: Mapping[str, Any] = field(default_factory=dict)
    validation: TextInput | None = None
    base: BaseModel | None = None
    out: Path | None = None
    resume: bool = False

    def facts(self) -> dict[str, Any]:
        """Everything in which the requests of all ranks must be equal."""
        names = {"text": self.text and self.text.names}
        names["validation"] = self.validation and self.validation.names
        return {"preset": self.preset, "resume": self.resume, **names, **self.given}


@dataclass(frozen=True)
class ResolvedRequest:
    """A request after presets, files and the run that is resumed were consulted.

    settings: complete, except for the choices of `auto`.
    given: settings that `auto` must keep; None where it chooses nothing.
    source: origin of the text, for `config.toml`.
    """

    settings: Settings
    given: Mapping[str, Any] | None
    text: TextInput
    validation: TextInput | None
    base: Model | None
    source: Mapping[str, Any]


def load_base_model(path: str | PathLike[str]) -> BaseModel:
    """Load the model of a file or a run directory. Raises ModelFileError."""
    return BaseModel(load_model(path), _absolute(str(path)))


def text_from_paths(paths: Sequence[str | PathLike[str]]) -> TextInput:
    """Return the text of files, folders, `-` and data sets."""
    names = tuple(_absolute(str(path)) for path in paths)
    return TextInput(lambda settings, callbacks: read_corpus(paths, settings, callbacks), names)


def _absolute(name: str) -> str:
    """Return a file's absolute path; other names (`-`, a data set) unchanged."""
    try:
        return str(Path(name).resolve()) if name != "-" and Path(name).exists() else name
    except (OSError, ValueError, RuntimeError):  # not a valid file name, or a symlink loop
        return name


def train(
    request: RunRequest, hooks: Hooks | None = None, group: ProcessGroup = SINGLE_PROCESS
) -> Trained:
    """Train a model. Every rank of the group makes the same request."""
    hooks = hooks or Hooks()
    resolved = resolve_request(request, group)
    with _opened(request, group) as directory:
        prepared = read_text(resolved, hooks, group)
        base, is_trained = resolved.base, resolved.base is not None
        with compilation_reported(hooks):
            settings = choose_settings(
                prepared, resolved.settings, resolved.given, hooks, group, is_trained=is_trained
            )
            context = RunContext(hooks, directory, group)
            return train_corpus(prepared, settings, context, base=base, resume=request.resume)


def resolve_request(request: RunRequest, group: ProcessGroup = SINGLE_PROCESS) -> ResolvedRequest:
    """Return settings, texts and base model of a request, all that is known without the text."""
    group.require_equal(request.facts)
    ranks = group.share.size
    settings, given, source, base = group.on_rank_zero(lambda: _settings_of(request, ranks))
    text = request.text or text_from_paths(source["inputs"])
    validation = request.validation
    if validation is None and source.get("validation"):
        validation = text_from_paths(source["validation"])
    source = {
        **describe(),
        **({"began": source["began"]} if "began" in source else {}),
        "inputs": list(text.names),
        "validation": list(validation.names if validation else ()),
        **({"from": base.name} if base else {}),
    }
    kept = given if not request.resume and request.preset in {None, AUTO} else None
    model = base.model if base else None
    return ResolvedRequest(settings, kept, text, validation, model, source)


class _Resolved(NamedTuple):
    """Everything that rank 0 resolves. source: that of the resumed run, empty for a new one."""

    settings: Settings
    given: Mapping[str, Any]
    source: Mapping[str, Any]
    base: BaseModel | None


def _settings_of(request: RunRequest, ranks: int) -> _Resolved:
    out, base, given = request.out, request.base, request.given
    if request.resume and base:
        problem = "cannot be combined with resume: the run has started already"
        raise SettingsError(problem, setting="from", remedy="leave it out")
    if base:
        given = settings_from(base.model, given)
    if not request.resume:
        settings, source = Settings.make(request.preset, **given), dict[str, Any]()
    elif out is None:
        raise SettingsError("needs out, the directory of the run to resume", setting="resume")
    else:
        changed = laid_over(request.preset, given) if request.preset or given else {}
        settings, source = resumed_settings(out, changed, ranks)
    if request.text is None and "-" in source.get("inputs", ()):
        resume = f"nextchar train - --out {shlex.quote(str(out))} --resume"
        remedy = f"give the same text again: {resume}"
        raise RunError("was trained from standard input", path=out, remedy=remedy)
    if request.text is None and not source.get("inputs"):
        raise SettingsError("a text to train on is needed", remedy="give a path, or text=")
    if out is not None and "from" in source:
        base = BaseModel(load_model(out / START), source["from"])
    return _Resolved(settings, given, source, base)


@contextmanager
def _opened(request: RunRequest, group: ProcessGroup) -> Iterator[RunDirectory | None]:
    """Context with the run directory, open on rank 0."""
    directory: RunDirectory | None = None

    def open_or_create() -> None:
        nonlocal directory
        if request.out is not None:
            opener = RunDirectory.open if request.resume else RunDirectory.create
            directory = opener(request.out)

    group.on_rank_zero(open_or_create)
    with directory or nullcontext():
        yield directory


def read_text(
    resolved: ResolvedRequest, hooks: Hooks, group: ProcessGroup = SINGLE_PROCESS
) -> Prepared:
    """Read the texts of a run and split them. Raises TextError, or InterruptedRun on request."""
    settings, base, text = resolved.settings, resolved.base, resolved.validation
    known = base.vocabulary if base else None
    corpus = _corpus(resolved.text, settings, hooks, group)
    validation = _corpus(text, settings, hooks, group) if text else None
    prepared = group.on_all_ranks(lambda: prepare(corpus, settings, validation, known))
    if known and (line := describe_new_characters(known, prepared.vocabulary)):
        hooks.note(line, is_by_the_way=True)
    return replace(prepared, source=resolved.source)


def _corpus(text: TextInput, settings: Settings, hooks: Hooks, group: ProcessGroup) -> Corpus:
    def encoding(done: int, total: int | None) -> None:
        hooks.on_event(Encoding(done, total))
        if hooks.should_stop():
            raise InterruptedRun("interrupted while the text was encoded; nothing was trained yet")

    callbacks = ReadCallbacks(hooks.note, encoding)
    return group.read_corpus(lambda: text.read(settings.text, callbacks))


def compilation_reported(hooks: Hooks) -> AbstractContextManager[None]:
    """Context in which compiling the engine is reported, once."""
    from nextchar.kernels.jit import announce_compilation  # brings Numba along: half a second

    return announce_compilation(lambda: hooks.note(COMPILING, is_by_the_way=True))
