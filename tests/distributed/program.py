"""What tests run on several ranks: `mpiexec -n N python program.py FOLDER SCENARIO...`.

Each scenario leaves what it came to in a folder of its name in FOLDER. Those that train do so as
`nextchar train` does, on PROSE. Many share one start of MPI, which takes longer than they do.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from nextchar.api import write_sample
from nextchar.cli.telling import complain, status_of, tell_of_one, told
from nextchar.config import TextSettings
from nextchar.distributed import alike
from nextchar.distributed.joining import joined
from nextchar.errors import InterruptedRun, NextcharError
from nextchar.kernels.engine import Engine
from nextchar.kernels.pieces import Pieces
from nextchar.text import collector, sources
from nextchar.text.corpus import text_corpus
from nextchar.text.encoder import Encoder
from nextchar.text.merging import Cuttable
from nextchar.text.reading import read_corpus
from nextchar.text.stored import StoredCodes
from nextchar.text.watching import Listener
from nextchar.training.cohort import Cohort
from nextchar.training.events import Note
from nextchar.training.run import Material, from_paths, start
from nextchar.training.train import Hooks, Trained
from prose import PROSE

SMALL: dict[str, Any] = {
    "hidden_size": 12, "num_layers": 2, "seq_length": 8, "batch_size": 7, "steps": 12, "warmup": 2,
    "threads": 1, "dtype": "float64", "cell": "gru", "dropout": 0.2, "eval_every": 5,
    "test_fraction": 0.1,
}  # fmt: skip
VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "float32": {"dtype": "float32"},
    # an epoch's last batch has fewer lanes than there are ranks
    "windows": {"batching": "windows", "stride": 61, "batch_size": 9, "epochs": 2, "steps": None},
    "embedded": {"embedding_size": 12, "tied": True, "cell": "lstm", "restart_every": 3},
    "threads": {"threads": 2, "dtype": "float32"},
    "halves": {"dtype": "float32", "compress_gradients": "bf16"},
}


def trained(cohort: Cohort, out: Path | None = None, **given: Any) -> tuple[Trained, list[str]]:
    """A run and the notes of it."""
    settings = {**SMALL, **given}
    notes: list[str] = []

    def note(event: object) -> None:
        if isinstance(event, Note):
            notes.append(event.text)

    material = Material(lambda text_settings, _: text_corpus(PROSE * 12, text_settings))
    hooks = Hooks(note, make_sample=write_sample)
    preset = {"preset": "medium", "given": settings}
    return start(material, out=out, hooks=hooks, cohort=cohort, **preset), notes


def figures(done: Trained) -> dict[str, Any]:
    """What two runs are compared by."""
    return {
        "parameters": done.model.parameters.flat,
        "losses": np.array([[r.train_loss, r.val_loss] for r in done.records]),
        "characters": np.array([r.characters for r in done.records]),
        "test": np.array([done.test_loss]),
    }


def variants(cohort: Cohort, folder: Path) -> None:
    """All kinds of training, each twice."""
    for name, given in VARIANTS.items():
        for turn in (1, 2):
            found = figures(trained(cohort, **given)[0])
            np.savez(folder / f"{name}-{turn}-{cohort.share.rank}.npz", **found)


def a_number_is_nan(cohort: Cohort, folder: Path) -> None:
    """One rank's gradient, once, in the seventh step of the run."""
    compute, calls = Pieces.compute, 0

    def spoilt(pieces: Pieces, n: int, shard: int) -> None:
        nonlocal calls
        compute(pieces, n, shard)
        calls += 1
        if cohort.share.rank == 1 and calls == 25:  # three pieces a step, the first thrown away
            pieces.rows[shard][:] = np.nan

    with patch.object(Pieces, "compute", spoilt):
        done, notes = trained(cohort, folder / "run" if cohort.share.rank == 0 else None)
    told = {"notes": notes, "finite": bool(np.isfinite(done.model.parameters.flat).all())}
    _leave(cohort, folder, told)


def one_fails(cohort: Cohort, folder: Path) -> None:
    """One rank meets an error of its own, which ends the job."""
    compute, calls = Engine.loss_and_gradient, 0

    def failing(*args: Any, **how: Any) -> Any:
        nonlocal calls
        calls += 1
        if cohort.share.rank == 1 and calls == 4:
            raise ValueError("the disk of this machine fell off")
        return compute(*args, **how)

    with patch.object(Engine, "loss_and_gradient", failing):
        trained(cohort)


def one_drifts(cohort: Cohort, folder: Path) -> None:
    """One rank's parameters become others, as broken memory would have it."""
    update, calls = Engine.update, 0

    def drifting(engine: Any, parameters: Any, *args: Any, **how: Any) -> None:
        nonlocal calls
        update(engine, parameters, *args, **how)
        calls += 1
        if cohort.share.rank == 1 and calls == 4:
            parameters.flat[3] += 1e-9

    with patch.object(Engine, "update", drifting):
        _leave(cohort, folder, _error_of(lambda: trained(cohort)))


def others(cohort: Cohort, folder: Path) -> None:
    """One rank was started with other settings, the last one's machine has other instructions."""
    facts, is_last = alike.host_facts(), cohort.share.rank == cohort.share.size - 1
    facts |= {"instruction set": "sse2"} if is_last else {}
    with patch.object(alike, "host_facts", lambda: facts):
        error = _error_of(lambda: trained(cohort, hidden_size=13 if cohort.share.rank == 1 else 12))
    _leave(cohort, folder, error)


def _error_of(work: Callable[[], object]) -> str:
    try:
        work()
    except NextcharError as error:
        return f"{type(error).__name__}: {error}"
    return ""


def _leave(cohort: Cohort, folder: Path, found: Any) -> None:
    (folder / f"{cohort.share.rank}.json").write_text(json.dumps(found))


def on_disk(cohort: Cohort, folder: Path) -> None:
    """A text that is too large for memory, which here is small: each rank reads its lanes."""
    cohort.first(lambda: (folder / "prose.txt").write_text(PROSE * 12, encoding="utf-8"))
    material = from_paths([folder / "prose.txt"])
    read: list[int] = []
    take = StoredCodes.__getitem__

    def counted(codes: StoredCodes, places: Any) -> Any:
        if not isinstance(places, slice):
            read.append(places.shape[1])
        return take(codes, places)

    with (
        patch.object(collector, "IN_MEMORY", 1000),
        patch.object(StoredCodes, "__getitem__", counted),
        patch.dict(os.environ, NEXTCHAR_CACHE=str(folder / "cache")),
    ):
        done = start(material, preset="medium", given=SMALL, cohort=cohort)
    assert max(read) <= 4  # of seven lanes
    np.savez(folder / f"{cohort.share.rank}.npz", **figures(done))


def encoded(cohort: Cohort, folder: Path) -> None:
    """Large texts, the last two ranks with a cache of their own: one that is as it should be, the
    same again, one that is no text in its second half, and one while some are asked to stop.
    """
    rank, counts, told = cohort.share.rank, [0], list[tuple[int, int | None]]()
    encode = Encoder.encode

    def counted(encoder: Encoder, piece: str | bytes) -> Any:
        counts[-1] += len(piece)
        return encode(encoder, piece)

    def stop(done: int, total: int | None) -> None:
        if rank % 2:
            raise InterruptedRun("stopped")

    def read(text: str, encoding: Callable[[int, int | None], None]) -> str:
        paths, settings = [folder.parent / f"{text}.txt"], TextSettings()
        listener, sha256 = Listener(encoding=encoding), []
        together = Cuttable(paths, settings, listener)

        def corpus() -> None:
            alone = partial(read_corpus, paths, settings, listener)
            sha256.append(cohort.corpus(alone, together).sha256)

        return _error_of(corpus) or sha256[0]

    with (
        patch.object(collector, "IN_MEMORY", 1000),
        patch.object(sources, "PIECE", 500),
        patch.object(Encoder, "encode", counted),
        patch.dict(os.environ, NEXTCHAR_CACHE=str(folder / ("one" if rank < 2 else "other"))),
    ):
        said = {"good": read("good", lambda *each: told.append(each))}
        counts.append(0)
        said["again"] = read("good", stop)
        counts.append(0)
        said |= {"bad": read("bad", Listener().encoding), "stopped": read("third", stop)}
    _leave(cohort, folder, {"said": said, "counts": counts[:2], "told": told})


def sums(cohort: Cohort, folder: Path) -> None:
    """Gradients in many parts, large and tiny ones, looked after at another pace on each rank."""
    cohort.compress("bf16")
    exchange, size = cohort.exchange, cohort.share.size
    assert exchange
    pace = random.Random(cohort.share.rank)
    for step in range(40):
        alike = np.random.default_rng(step)
        sizes = [int(each) for each in alike.choice([1, 70, 3000, 60_000], 24)]
        numbers = [alike.integers(-20, 20, each) for each in sizes]  # whose sums bfloat16 holds
        parts = [(each + cohort.share.rank).astype(np.float32) for each in numbers]
        for part in parts:
            exchange.begin(part)
            for _ in range(pace.choice([0, 0, 1, 8])):
                exchange.poll()
                time.sleep(pace.choice([0, 0, 0, 1e-3]))
        rest = np.array([1.0 + cohort.share.rank])
        assert exchange.finish(0.5, rest) == 0.5 * size
        assert rest == [size * (size + 1) / 2]
        for part, each in zip(parts, numbers, strict=True):
            np.testing.assert_array_equal(part, each * size + size * (size - 1) / 2)
    _leave(cohort, folder, "exact")


SCENARIOS = [
    variants, a_number_is_nan, one_fails, one_drifts, others, on_disk, encoded, sums,
]  # fmt: skip


def main(folder: str, *names: str) -> int:
    scenarios = {each.__name__: each for each in SCENARIOS}
    try:
        with joined(tell_of_one) as cohort:
            for name in names:
                (Path(folder) / name).mkdir(exist_ok=True)
                scenarios[name](cohort, Path(folder) / name)
    except Exception as error:
        if not getattr(error, "is_told_elsewhere", False):
            complain(told(error))
        return status_of(error)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
