"""Damage done to the files of a run, and what must come of it: a plain error, or no difference."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from nextchar.errors import InterruptedRun, NextcharError
from nextchar.model.file import BEST, Model, load_model
from nextchar.runs.run_files import CHECKPOINT, CONFIG, METRICS, read_config
from nextchar.settings.config import Settings
from nextchar.text.corpus import text_corpus
from nextchar.text.read_callbacks import ReadCallbacks
from nextchar.training.events import Note
from nextchar.training.run import RunRequest, TextInput, train
from nextchar.training.run_context import Hooks
from nextchar.training.saving.checkpoint import load_checkpoint
from nextchar.training.session import Trained

TEXT = TextInput(
    lambda how, listener: text_corpus("to be or not to be, that is the question\n" * 20, how)
)
GIVEN = {"hidden_size": 5, "num_layers": 1, "batch_size": 4, "steps": 8, "eval_every": 2}
SECTOR = 512


def damaged(data: bytes, seed: int, count: int) -> Iterator[bytes]:
    """`count` damaged versions of a file, the same ones for the same seed."""
    rng = random.Random(seed)
    for _ in range(count):
        yield _damaged(data, rng)


def _damaged(data: bytes, rng: random.Random) -> bytes:
    """One way in which disks, copies and people damage files."""
    at, to = sorted((rng.randrange(len(data) + 1), rng.randrange(len(data) + 1)))
    sector = at // SECTOR * SECTOR
    match rng.randrange(8):
        case 0:  # cut anywhere
            return data[:at]
        case 1:  # cut at a border: of a sector, of a line, of the header
            header = 8 + int.from_bytes(data[:8], "little")
            line = data.rfind(b"\n", 0, to) + 1
            border = rng.choice([sector, line, min(header, len(data)), 8, len(data)])
            return data[: max(border + rng.choice([-1, 0, 1]), 0)]
        case 2:  # a sector that was never written
            return (
                data[:sector] + bytes(len(data[sector : sector + SECTOR])) + data[sector + SECTOR :]
            )
        case 3:  # a stretch lost or doubled
            return data[:at] + data[to:] if rng.random() < 0.5 else data[:to] + data[at:]
        case 4:  # something between
            return data[:at] + rng.randbytes(rng.randrange(1, 9)) + data[at:]
        case 5:  # several bytes, anywhere
            return bytes(b ^ rng.randrange(256) if rng.random() < 0.01 else b for b in data)
        case _:  # one byte, near the beginning in half of the cases: there the numbers have meaning
            place = rng.randrange(min(len(data), 600) if rng.random() < 0.5 else len(data))
            return data[:place] + bytes([data[place] ^ 1 << rng.randrange(8)]) + data[place + 1 :]


@dataclass
class Run:
    """A finished run, and what its files give while they are whole."""

    path: Path
    model: Model
    trained: Trained
    settings: Settings
    files: dict[Path, bytes]

    def restore(self) -> None:
        """Make every file what it was."""
        for path, data in self.files.items():
            if path.read_bytes() != data:
                path.write_bytes(data)


def make_run(path: Path) -> Run:
    """A run of a few steps."""
    train(RunRequest(TEXT, given=GIVEN, out=path))
    trained = train(RunRequest(TEXT, out=path, resume=True))
    files = {each: each.read_bytes() for each in path.iterdir() if each.is_file()}
    return Run(path, load_model(path / BEST), trained, read_config(path)[0], files)


def check(run: Run, name: str, data: bytes) -> bool:
    """Put damaged content in place of a run's file and use it; whether it was refused.

    Whatever is accepted must give what the whole file gives, or say what it lacks.
    """
    (run.path / name).write_bytes(data)
    try:
        _USES[name](run)
    except NextcharError as error:
        message = str(error)
        assert len(message.splitlines()) == 1, message
        assert len(message) < 1000, message
        assert str(run.path) in message or name == CONFIG, message
        return True
    finally:
        run.restore()
    return False


def _use_model(run: Run) -> None:
    model, whole = load_model(run.path / BEST), run.model
    assert model.parameters.flat.tobytes() == whole.parameters.flat.tobytes()
    assert (model.vocabulary, model.text) == (whole.vocabulary, whole.text)
    assert dict(model.training) == dict(whole.training)


def _use_checkpoint(run: Run) -> None:
    from nextchar.text.batches import make_batches
    from nextchar.text.corpus import prepare
    from nextchar.training.auto.choose import resolve_threads
    from nextchar.training.session import initial_checkpoint

    settings = resolve_threads(Settings.make(**GIVEN))
    prepared = prepare(TEXT.read(settings.text, ReadCallbacks()), settings)
    fresh = initial_checkpoint(prepared, make_batches(prepared.train, settings.training), settings)
    load_checkpoint(run.path / CHECKPOINT, fresh)
    assert fresh.parameters.flat.tobytes() == run.trained.model.parameters.flat.tobytes()


def _use_run(run: Run) -> None:
    """Resume the run: it is at its end, so that nothing is trained."""
    notes: list[str] = []

    def on_event(event: object) -> None:
        if isinstance(event, Note) and not event.is_by_the_way:
            notes.append(event.text)

    def said() -> bool:
        return any(METRICS in note or CONFIG in note for note in notes)

    try:
        trained = train(RunRequest(TEXT, out=run.path, resume=True), Hooks(on_event, lambda: True))
    except InterruptedRun:  # it was told to end later, and was stopped
        assert said()
        return
    assert said() or read_config(run.path)[0] == run.settings
    assert said() or trained.records == run.trained.records
    assert trained.records == run.trained.records[: len(trained.records)]
    assert trained.model.parameters.flat.tobytes() == run.model.parameters.flat.tobytes()


_USES: dict[str, Callable[[Run], None]] = {
    BEST: _use_model,
    CHECKPOINT: _use_checkpoint,
    METRICS: _use_run,
    CONFIG: _use_run,
}
FILES = tuple(_USES)


def torture(run: Run, name: str, seed: int, count: int) -> None:
    """Damage a file `count` times; most of it must be refused, or the test tests nothing."""
    whole = (run.path / name).read_bytes()
    different = [data for data in damaged(whole, seed, count) if data != whole]
    refused = sum(check(run, name, data) for data in different)
    if refused <= 0.3 * len(different):
        pytest.fail(f"{name}: {refused} of {len(different)} were refused")
