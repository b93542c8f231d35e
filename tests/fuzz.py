"""What must hold for any input whatever: properties and what they are tried on.

tests/end_to_end/test_fuzz.py tries each on some dozens of inputs, tests/torture on many thousands.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w
from hypothesis import strategies as st

from damage import GIVEN
from mistakes import make_folder
from nextchar.cli.main import run
from nextchar.errors import ModelFileError, NextcharError, RunError, SettingsError, TextError
from nextchar.generation.generate import generate
from nextchar.generation.generation_settings import GenerationSettings
from nextchar.model import container
from nextchar.model.file import Model, load_model, save_model
from nextchar.runs.run_files import CONFIG, read_config
from nextchar.settings.config import FIELDS, Settings, TextSettings, option_of
from nextchar.settings.fields import seconds_of
from nextchar.text.batches import make_batches
from nextchar.text.corpus import prepare, text_corpus
from nextchar.text.sources import find_sources, read_text
from nextchar.text.vocabulary import Vocabulary
from nextchar.training.saving.checkpoint import load_checkpoint, save_checkpoint
from nextchar.training.saving.resume import _require_same
from nextchar.training.session import initial_checkpoint

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=60)  # lone surrogates too
ODD = st.sampled_from(
    [
        *(None, True, False, 0, -1, 1, 3, 2**31, 2**63, 10**30, 0.0, -0.0, 1.5, 1e308, 5e-324),
        *("", "x", "1", "nan", "9" * 30, "lstm", "utf-8", "characters", "bytes"),
        *([], {}, [1], {"a": 1}),
    ]
)
JUNK = st.recursive(
    ODD | ANY_TEXT | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=5,
)
NUMBERS = st.sampled_from([float("nan"), float("inf"), -float("inf"), 1 + 2j, np.float32(2), b"1"])


def one_line(error: NextcharError) -> None:
    """A message is a line, and not an endless one."""
    message = str(error)
    assert len(message.splitlines()) == 1, message
    assert len(message) < 2000


# settings


NAMES = st.sampled_from([*FIELDS, "preset", "self", "cls", "x", "hidden-size"])
SETTINGS = st.dictionaries(NAMES | ANY_TEXT, JUNK | NUMBERS, max_size=4)
SOURCES = st.fixed_dictionaries(
    {"inputs": st.lists(ANY_TEXT) | JUNK, "validation": JUNK | st.just([])}
)
TABLES = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(["text", "network", "training"], SETTINGS | JUNK),
        "source": SOURCES | JUNK,
        "format": st.just(1) | JUNK,
        "x": JUNK,
    },
)


def any_settings(given: dict[str, Any]) -> None:
    """Settings are refused by name, or come back from their tables as they were."""
    try:
        preset = given.pop("preset", None)
        settings = Settings.make(preset if isinstance(preset, str) else None, **_but_cls(given))
    except SettingsError as error:
        one_line(error)
        return
    assert Settings.from_tables(settings.tables()) == settings


def _but_cls(given: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if name not in {"self", "cls"}}


def any_generation_settings(given: dict[str, Any]) -> None:
    try:
        GenerationSettings(**_but_cls(given))
    except SettingsError as error:
        one_line(error)
    except TypeError as error:  # a name that Python itself refuses
        assert re.search("unexpected keyword|must be strings", str(error))  # noqa: PT017


def any_config(tables: Any) -> None:
    """A config.toml of any content is refused in a line, or gives settings."""
    with contextlib.suppress(TypeError, ValueError, AttributeError):  # TOML has no None, say
        text = tables if isinstance(tables, str) else tomli_w.dumps(tables)
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / CONFIG).write_bytes(text.encode("utf-8", "surrogatepass"))
            _read_config(Path(folder))


def _read_config(folder: Path) -> None:
    try:
        settings, _ = read_config(folder)
    except RunError as error:
        one_line(error)
    except Exception as error:
        raise AssertionError from error  # not one that the caller lets pass
    else:
        assert Settings.from_tables(settings.tables()) == settings


def any_duration(text: str) -> None:
    try:
        assert 0 < seconds_of(text) < float("inf")
    except SettingsError as error:
        one_line(error)


# text


ENCODINGS = st.sampled_from(
    ["utf-8", "utf-16", "gb18030", "cp932", "latin-1", "utf-7", "idna", "x"]
)
FORMS = st.sampled_from([None, "NFC", "NFD", "NFKC", "NFKD"])
BYTES = st.binary(max_size=200) | ANY_TEXT.map(lambda text: text.encode("utf-8", "surrogatepass"))


def any_bytes(data: bytes, encoding: str, form: str | None, min_count: int) -> None:
    """Any file becomes codes of which the text comes back, or is refused in a line."""
    settings = Settings.make(
        encoding=encoding, normalize=form, min_count=min_count, hidden_size=2, val_fraction=0.0
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.txt"
        path.write_bytes(data)
        try:
            text = "".join(read_text(find_sources([path], settings.text), settings.text))
            prepared = prepare(text_corpus(text, TextSettings()), settings)
        except TextError as error:
            one_line(error)
            return
    decoded = prepared.vocabulary.decode(prepared.train)
    if min_count == 1:
        assert decoded == text
    else:
        assert len(decoded) == len(text)


# vocabulary


def any_vocabulary(json: Any) -> None:
    """What is no vocabulary is refused; what is one encodes what it decodes."""
    try:
        vocabulary = Vocabulary.from_json(json)
    except ModelFileError as error:
        one_line(error)
        return
    assert Vocabulary.from_json(vocabulary.to_json()) == vocabulary
    codes = np.arange(len(vocabulary.points))
    assert vocabulary.encode(vocabulary.decode_bytes(codes) if vocabulary.is_bytes else
                             vocabulary.decode(codes)).tolist() == codes.tolist()  # fmt: skip


POINTS = st.lists(st.integers(-1, 0x110000), max_size=5) | JUNK
VOCABULARIES = JUNK | st.fixed_dictionaries(
    {},
    optional={
        "alphabet": st.sampled_from(["characters", "bytes"]) | JUNK,
        "points": POINTS,
        "unknown": st.booleans() | JUNK,
    },
)


# model files and checkpoints of which the checksum is right: made to do harm, not damaged


@st.composite
def changed(draw: st.DrawFn, whole: Any) -> Any:
    """A document with some of its values replaced, lost or added."""
    if isinstance(whole, dict) and draw(st.integers(0, 3)):
        result = dict(whole)
        for name in draw(st.lists(st.sampled_from([*whole, "x"]), min_size=1, max_size=2)):
            match draw(st.integers(0, 3)):
                case 0:
                    result.pop(name, None)
                case 1:
                    result[name] = draw(JUNK)
                case _:
                    result[name] = draw(changed(whole.get(name)))
        return result
    return draw(JUNK)


@st.composite
def changed_tensors(draw: st.DrawFn, whole: dict[str, Any]) -> dict[str, Any]:
    """Tensors with one lost, added, of another shape or type, or of other numbers."""
    result = {name: np.array(tensor) for name, tensor in whole.items()}
    name = draw(st.sampled_from(sorted(whole)))
    match draw(st.integers(0, 6)):
        case 0:
            del result[name]
        case 1:
            result["x"] = np.zeros(2, np.float32)
        case 2:
            result[name] = result[name].astype(draw(st.sampled_from(["f8", "i4", "u1", "f2"])))
        case 3:
            result[name] = np.zeros((*result[name].shape, 2), np.float32)
        case 4:
            result[name] = result[name].reshape(-1)[:1]
        case 5:
            result[name][...] = draw(st.sampled_from([np.nan, np.inf, -np.inf, 3e38, 1e-45, 0]))
    return result


HUGE = 1e30  # a product of two such weights overflows in float32
Parts = tuple[dict[str, Any], dict[str, Any]]


def parts_of(kind: str) -> Parts:
    """The tensors and the document of a whole file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x"
        fresh = _checkpoint()
        if kind == "model":
            save_model(path, Model(fresh.parameters, Vocabulary.of_text("to be or not")))
        else:
            save_checkpoint(path, fresh)
        tensors, document = container.read(path, kind)
    return tensors, {n: v for n, v in document.items() if n not in {"format", "kind"}}


def _checkpoint() -> Any:
    settings = Settings.make(**GIVEN)
    prepared = prepare(text_corpus("to be or not " * 30, settings.text), settings)
    return initial_checkpoint(prepared, make_batches(prepared.train, settings.training), settings)


def files_of(parts: Parts) -> st.SearchStrategy[Parts]:
    """Files like a whole one."""
    tensors, document = parts
    return st.tuples(st.just(tensors) | changed_tensors(tensors), changed(document))


@contextlib.contextmanager
def _written(kind: str, parts: Parts) -> Iterator[Path]:
    tensors, document = parts
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x"
        container.write(path, kind, tensors, document if isinstance(document, dict) else {})
        yield path


def any_model(parts: Parts) -> None:
    """A model file of any content is refused in a line, or writes and can be saved again."""
    with _written("model", parts) as path:
        try:
            model = load_model(path)
            with np.errstate(all="ignore"):  # its logits may be infinite
                (made,) = generate(model, "", GenerationSettings(length=3), seed=1)
            save_model(path, model)
        except NextcharError as error:
            one_line(error)
            return
    is_whole = len(made.codes) == 3
    assert made.finish_reason == ("length" if is_whole else "stop")
    assert is_whole or may_end_early(model)


def may_end_early(model: Model) -> bool:
    """Whether a record may end, or weights are so large that every logit may become -inf."""
    return model.end_code is not None or bool(np.abs(model.parameters.flat).max() > HUGE)


def any_checkpoint(parts: Parts) -> None:
    """A checkpoint of any content is refused in a line, or is one."""
    fresh = _checkpoint()
    with _written("checkpoint", parts) as path:
        try:
            loaded = load_checkpoint(
                path, fresh, lambda before: _require_same(path, before, fresh.settings)
            )
            save_checkpoint(path, loaded)
        except (ModelFileError, RunError) as error:
            one_line(error)


# the command line


_NUMBERS = ["0", "1", "2", "3", "-1", "-0", "1.5", "nan", "inf", "1e400", "1e-320", "9" * 30]
_WORDS = "lstm adam cosine windows bytes characters value float64 bfloat16 small NFC utf-16 cp1252"
_ODD_WORDS = ["", " ", "x", "٣", "²", "0x10", "1_0", "\udcff", "--", "-", "true"]
VALUES = st.sampled_from([*_NUMBERS, *_WORDS.split(), *_ODD_WORDS])
_TEXTS = (
    "prose.txt other.txt empty.txt one.txt gb18030.txt program.bin bom.txt broken.txt.gz folder"
)
_MODELS = ["model", "half", "flipped", "huge"]
_RUNS = ["runs/prose", "runs/prose/checkpoint.safetensors", "runs/prose/config.toml", "new", "mine"]
_NOWHERE = ["empty-folder", "nowhere", "", "-", "a\0b", "\udcff", "~", "*"]
PLACES = st.sampled_from(
    [*_TEXTS.split(), *(f"{name}.safetensors" for name in _MODELS), *_RUNS, *_NOWHERE]
)
# a run takes a step or two, whatever else is asked for
BUDGETS = st.sampled_from(
    [
        "--steps 1",
        "--steps 2",
        "--epochs 0.0001",
        "--time 0.01s",
        "--steps 1 --epochs 1",
        "--steps x",
        "--time soon",
        "--epochs nan",
    ]
).map(str.split)
_BOUNDED = {"steps", "epochs", "time", "pattern"}  # `..` in a pattern leads out of the folder
TRAINING = [option_of(name) for name in FIELDS if name not in _BOUNDED]
WRITING = ["--length", "--samples", "--temperature", "--top-k", "--top-p", "--seed", "--dtype"]


def _options(names: list[str], flags: list[str]) -> st.SearchStrategy[list[str]]:
    pair = st.tuples(st.sampled_from(names), VALUES | PLACES | ANY_TEXT).map(list)
    flag = st.sampled_from([*flags, "--json", "--debug", "--bogus"]).map(lambda name: [name])
    odd = (VALUES | PLACES).map(lambda value: [value])
    return st.lists(pair | pair | flag | odd, max_size=5).map(
        lambda parts: [*itertools.chain(*parts)]
    )


def _first(usual: str) -> st.SearchStrategy[list[str]]:
    """What a command is about: mostly something that will do."""
    return st.just([usual]) | st.just([usual]) | st.lists(PLACES, max_size=2)


ARGUMENTS = (
    st.tuples(
        st.just(["train"]),
        _first("prose.txt"),
        st.just(["--hidden-size", "8", "--num-layers", "1"]),
        _options([*TRAINING, "--out", "--val", "--preset"], ["--resume", "--quiet", "--tied"]),
        st.just(["--out", "new"]) | st.just([]),
        BUDGETS,
    )
    | st.tuples(
        st.just(["generate"]),
        _first("model.safetensors"),
        st.just(["--length", "5"]),
        _options([*WRITING[1:], "--prompt", "--stop", "--unknown"], ["--echo"]),
    )
    | st.tuples(
        st.just(["eval"]),
        _first("model.safetensors"),
        _first("prose.txt"),
        _options(["--encoding", "--unknown", "--lanes"], []),
    )
    | st.tuples(st.just(["info"]), _first("model.safetensors"), _options(["--x"], []))
    | st.tuples(st.lists(VALUES | PLACES | ANY_TEXT, max_size=3))
).map(lambda parts: [word for part in parts for word in part])


class Folder:
    """A folder that commands are run in, and that is as it was after each."""

    def __init__(self, path: Path) -> None:
        self.path = path / "folder"
        self.path.mkdir()
        make_folder(self.path)
        self.files = {each: each.read_bytes() for each in self.path.rglob("*") if each.is_file()}

    def restore(self) -> None:
        for each in sorted(self.path.rglob("*"), reverse=True):
            if each.is_dir() and not any(each.iterdir()):
                each.rmdir()
            elif each.is_file() and each not in self.files:
                each.unlink()
        for each, data in self.files.items():
            each.parent.mkdir(parents=True, exist_ok=True)
            if not each.is_file() or each.read_bytes() != data:
                each.write_bytes(data)


def _stream(errors: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors=errors)


def any_arguments(folder: Folder, arguments: list[str]) -> int:
    """Any words after `nextchar`: done, or refused in a line, and nothing written elsewhere."""
    out, err, before, stdin = _stream("strict"), _stream("backslashreplace"), Path.cwd(), sys.stdin
    beside = sorted(folder.path.parent.iterdir())
    os.chdir(folder.path)
    sys.stdin = io.TextIOWrapper(io.BytesIO(b"to be or not to be"))
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = run(arguments)
    finally:
        sys.stdin = stdin
        os.chdir(before)
        folder.restore()
    assert sorted(folder.path.parent.iterdir()) == beside
    told = _text(err)
    complaints = [line for line in told.splitlines() if line.startswith("nextchar: ")]
    assert status in {0, 1, 2}, told
    assert "a fault of nextchar" not in told, told
    assert "--debug" in arguments or "Traceback" not in told, told
    if arguments and "Usage:" not in told:
        assert len(complaints) == (status != 0), told
    return status


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue().decode("utf-8")


Property = Callable[..., None]
PROPERTIES: dict[str, tuple[Property, tuple[st.SearchStrategy[Any], ...]]] = {
    "settings": (any_settings, (SETTINGS,)),
    "generation settings": (any_generation_settings, (SETTINGS,)),
    "configs": (any_config, (TABLES | ANY_TEXT | st.just("a=" + "[" * 9999),)),
    "durations": (any_duration, (ANY_TEXT | VALUES | st.from_regex(r"\d+(\.\d+)?[smh]?"),)),
    "bytes": (any_bytes, (BYTES, ENCODINGS, FORMS, st.integers(1, 3))),
    "vocabularies": (any_vocabulary, (VOCABULARIES,)),
    "models": (any_model, (st.deferred(lambda: files_of(parts_of("model"))),)),
    "checkpoints": (any_checkpoint, (st.deferred(lambda: files_of(parts_of("checkpoint"))),)),
}
