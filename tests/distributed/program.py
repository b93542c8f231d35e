"""Program of tests on several ranks: `mpiexec -n N python program.py FOLDER SCENARIO...`.

Each scenario writes its result to a folder of its name in FOLDER. Those that train do so as
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

from nextchar.api.estimator import write_sample
from nextchar.cli.output.error_output import message_of, print_error, report_rank_error, status_of
from nextchar.distributed import consistency
from nextchar.distributed.join import join_process_group
from nextchar.distributed.mpi_group import MPIProcessGroup
from nextchar.errors import InterruptedRun, NextcharError
from nextchar.kernels.engine import Engine
from nextchar.kernels.training.buckets import Buckets
from nextchar.settings.config import TextSettings
from nextchar.text import sources
from nextchar.text.cache import spooled
from nextchar.text.cache.disk_codes import DiskCodes
from nextchar.text.corpus import text_corpus
from nextchar.text.encoder import Encoder
from nextchar.text.read_callbacks import ReadCallbacks
from nextchar.text.reading import read_corpus
from nextchar.training.events import Note
from nextchar.training.process_group import ProcessGroup
from nextchar.training.run import RunRequest, TextInput, text_from_paths, train
from nextchar.training.run_context import Hooks
from nextchar.training.session import Trained
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


def trained(
    group: ProcessGroup, out: Path | None = None, **given: Any
) -> tuple[Trained, list[str]]:
    """A run and the notes of it."""
    settings = {**SMALL, **given}
    notes: list[str] = []

    def note(event: object) -> None:
        if isinstance(event, Note):
            notes.append(event.text)

    material = TextInput(lambda text_settings, _: text_corpus(PROSE * 12, text_settings))
    hooks = Hooks(note, make_sample=write_sample)
    preset = {"preset": "medium", "given": settings}
    return train(RunRequest(material, out=out, **preset), hooks, group=group), notes


def figures(done: Trained) -> dict[str, Any]:
    """Figures by which two runs are compared."""
    return {
        "parameters": done.model.parameters.flat,
        "losses": np.array([[r.train_loss, r.val_loss] for r in done.records]),
        "characters": np.array([r.characters for r in done.records]),
        "test": np.array([done.test_loss]),
    }


def variants(group: ProcessGroup, folder: Path) -> None:
    """All kinds of training, each twice."""
    for name, given in VARIANTS.items():
        for turn in (1, 2):
            result = figures(trained(group, **given)[0])
            np.savez(folder / f"{name}-{turn}-{group.share.rank}.npz", **result)


def a_number_is_nan(group: ProcessGroup, folder: Path) -> None:
    """One rank's gradient, once, in the seventh step of the run."""
    compute, calls = Buckets.compute, 0

    def spoilt(pieces: Buckets, n: int, shard: int) -> None:
        nonlocal calls
        compute(pieces, n, shard)
        calls += 1
        if group.share.rank == 1 and calls == 25:  # three pieces a step, the first thrown away
            pieces.rows[shard][:] = np.nan

    with patch.object(Buckets, "compute", spoilt):
        done, notes = trained(group, folder / "run" if group.share.rank == 0 else None)
    message_of = {"notes": notes, "finite": bool(np.isfinite(done.model.parameters.flat).all())}
    _leave(group, folder, message_of)


def one_fails(group: ProcessGroup, folder: Path) -> None:
    """An error on one rank ends the job."""
    compute, calls = Engine.loss_and_gradient, 0

    def failing(*args: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if group.share.rank == 1 and calls == 4:
            raise ValueError("the disk of this machine fell off")
        return compute(*args, **options)

    with patch.object(Engine, "loss_and_gradient", failing):
        trained(group)


def one_drifts(group: ProcessGroup, folder: Path) -> None:
    """One rank's parameters become others, as broken memory would have it."""
    update, calls = Engine.update, 0

    def drifting(engine: Any, parameters: Any, *args: Any, **options: Any) -> None:
        nonlocal calls
        update(engine, parameters, *args, **options)
        calls += 1
        if group.share.rank == 1 and calls == 4:
            parameters.flat[3] += 1e-9

    with patch.object(Engine, "update", drifting):
        _leave(group, folder, _error_of(lambda: trained(group)))


def others(group: ProcessGroup, folder: Path) -> None:
    """One rank was started with other settings, the last one's machine has other instructions."""
    facts, is_last = consistency.host_facts(), group.share.rank == group.share.size - 1
    facts |= {"instruction set": "sse2"} if is_last else {}
    with patch.object(consistency, "host_facts", lambda: facts):
        error = _error_of(lambda: trained(group, hidden_size=13 if group.share.rank == 1 else 12))
    _leave(group, folder, error)


def _error_of(work: Callable[[], object]) -> str:
    try:
        work()
    except NextcharError as error:
        return f"{type(error).__name__}: {error}"
    return ""


def _leave(group: ProcessGroup, folder: Path, result: Any) -> None:
    (folder / f"{group.share.rank}.json").write_text(json.dumps(result))


def on_disk(group: ProcessGroup, folder: Path) -> None:
    """A text that is too large for memory, which here is small: each rank reads its lanes."""
    group.on_rank_zero(lambda: (folder / "prose.txt").write_text(PROSE * 12, encoding="utf-8"))
    material = text_from_paths([folder / "prose.txt"])
    read: list[int] = []
    take = DiskCodes.__getitem__

    def counted(codes: DiskCodes, places: Any) -> Any:
        if not isinstance(places, slice):
            read.append(places.shape[1])
        return take(codes, places)

    with (
        patch.object(spooled, "IN_MEMORY", 1000),
        patch.object(DiskCodes, "__getitem__", counted),
        patch.dict(os.environ, NEXTCHAR_CACHE=str(folder / "cache")),
    ):
        done = train(RunRequest(material, preset="medium", given=SMALL), group=group)
    assert max(read) <= 4  # of seven lanes
    np.savez(folder / f"{group.share.rank}.npz", **figures(done))


def encoded(group: MPIProcessGroup, folder: Path) -> None:
    """Large texts on two machines, each with its own cache: a good text, the same text again, one
    that has a bad byte, and one while rank 0 is asked to stop.
    """
    rank, counts, progress = group.share.rank, [0], list[tuple[int, int | None]]()
    encode, machine = Encoder.encode, "one" if rank < 2 else "other"

    def counted(encoder: Encoder, piece: str | bytes) -> Any:
        counts[-1] += len(piece)
        return encode(encoder, piece)

    def stop(done: int, total: int | None) -> None:
        if rank == 0:
            raise InterruptedRun("stopped")

    def read(text: str, encoding: Callable[[int, int | None], None]) -> str:
        paths, callbacks = [folder.parent / f"{text}.txt"], ReadCallbacks(encoding=encoding)
        sha256 = []

        def corpus() -> None:
            reading = partial(read_corpus, paths, TextSettings(), callbacks)
            sha256.append(group.read_corpus(reading).sha256)

        return _error_of(corpus) or sha256[0]

    node = type(group._comm)(group._comm.Split(rank // 2, rank))
    with (
        patch.object(group, "_node", node),
        patch.object(spooled, "IN_MEMORY", 1000),
        patch.object(sources, "PIECE", 500),
        patch.object(Encoder, "encode", counted),
        patch.dict(os.environ, NEXTCHAR_CACHE=str(folder / machine)),
    ):
        results = {"good": read("good", lambda *each: progress.append(each))}
        counts.append(0)
        results["again"] = read("good", stop)
        counts.append(0)
        results |= {"bad": read("bad", ReadCallbacks().encoding), "stopped": read("third", stop)}
    _leave(group, folder, {"said": results, "counts": counts[:2], "progress": progress})


def sums(group: ProcessGroup, folder: Path) -> None:
    """Gradients in many parts, large and tiny ones, polled at a different pace on each rank."""
    group.set_compression("bf16")
    exchange, size = group.all_reduce, group.share.size
    assert exchange
    pauses = random.Random(group.share.rank)
    for step in range(40):
        consistency = np.random.default_rng(step)
        sizes = [int(each) for each in consistency.choice([1, 70, 3000, 60_000], 24)]
        numbers = [
            consistency.integers(-20, 20, each) for each in sizes
        ]  # whose sums bfloat16 holds
        parts = [(each + group.share.rank).astype(np.float32) for each in numbers]
        for part in parts:
            exchange.begin(part)
            for _ in range(pauses.choice([0, 0, 1, 8])):
                exchange.poll()
                time.sleep(pauses.choice([0, 0, 0, 1e-3]))
        rest = np.array([1.0 + group.share.rank])
        assert exchange.finish(0.5, rest) == 0.5 * size
        assert rest == [size * (size + 1) / 2]
        for part, each in zip(parts, numbers, strict=True):
            np.testing.assert_array_equal(part, each * size + size * (size - 1) / 2)
    _leave(group, folder, "exact")


SCENARIOS = [
    variants, a_number_is_nan, one_fails, one_drifts, others, on_disk, encoded, sums,
]  # fmt: skip


def main(folder: str, *names: str) -> int:
    scenarios = {each.__name__: each for each in SCENARIOS}
    try:
        with join_process_group(report_rank_error) as group:
            for name in names:
                (Path(folder) / name).mkdir(exist_ok=True)
                scenarios[name](group, Path(folder) / name)
    except Exception as error:
        if not getattr(error, "is_reported_elsewhere", False):
            print_error(message_of(error))
        return status_of(error)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
