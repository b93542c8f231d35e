"""What training on several ranks costs here: `python -m benchmarks.ranks` writes JSON and a table.

On a machine with few cores ranks take cores from each other, so that no speed-up is to be seen;
what is seen is overhead, bytes, and how much of the sending passes while a rank computes. For each
number of ranks, all at work at once:

    off         a step in pieces that sends nothing: computing
    after       every sum begins when the gradient is complete
    meanwhile   as trained: each sum begins when its part is complete
    halves      the same in bfloat16
    all-reduce  of 8 bytes to 16 MB, to which latency and bandwidth are fitted

and what the model of `nextchar plan` makes of `off` and the fit. Of each, the step that the machine
disturbed least.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from nextchar.distributed.allreduce import MPIAllReduce
from nextchar.distributed.bf16_allreduce import bf16_sums
from nextchar.distributed.cost_model import Machine, Network, Workload, all_reduce, step_time
from nextchar.distributed.wait import wait_for
from nextchar.kernels.engine import Engine
from nextchar.model.initialise import initialise
from nextchar.model.parameters import Architecture
from nextchar.settings.config import NetworkSettings, TrainingSettings
from nextchar.text.batches import Batch, Share
from nextchar.training.optim.optimizers import make_slots

SIZES = [(128, 1), (256, 2)]
V, T, B = 100, 64, 32
MESSAGES = [8 * 4**n for n in range(11)]


class Later(MPIAllReduce):
    """Sums nothing before the whole gradient is there."""

    def begin(self, part: Any) -> None:
        self.parts = [*getattr(self, "parts", []), part]

    def finish(self, loss: float, rest: Any) -> float:
        for part in self.__dict__.pop("parts", []):
            super().begin(part)
        return super().finish(loss, rest)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ranks", type=int, nargs="*", default=[1, 2, 4])
    parser.add_argument("--steps", type=int, default=15)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(options.steps)
        return 0
    found = []
    for size in options.ranks:
        found.append(launch(size, options.steps))
        print(lines(found[-1]), file=sys.stderr, flush=True)
    print(json.dumps(found, indent=1))
    return 0


def launch(size: int, steps: int) -> dict[str, Any]:
    mpiexec = Path(sys.executable).parent / "mpiexec"
    command = [str(mpiexec), "-n", str(size), sys.executable, "-m", "benchmarks.ranks"]
    command += ["--worker", "--steps", str(steps)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return dict(json.loads(said))


def worker(steps: int) -> None:
    """Measure on this rank, with the others; the first one tells."""
    from mpi4py import MPI

    comm = MPI.COMM_WORLD
    messages = {size: _reduction(comm, size) for size in MESSAGES}
    found: dict[str, Any] = {
        "ranks": comm.size,
        "library": MPI.Get_library_version().split("\n")[0].split(",")[0].strip(" \0"),
        "all_reduce": messages,
        "networks": [_network(comm, size, layers, steps) for size, layers in SIZES],
    }
    if comm.size > 1:
        wire = _fitted(messages, comm.size)
        found |= {"latency": wire.latency, "bandwidth": wire.bandwidth}
        for each in found["networks"]:
            each["model"] = _modelled(each, wire, comm.size)
    if comm.rank == 0:
        print(json.dumps(found))


def _reduction(comm: Any, size: int) -> float:
    """Seconds of the all-reduce that was disturbed least."""
    from mpi4py import MPI

    numbers, seconds = np.zeros(max(size // 4, 1), np.float32), []
    for _ in range(20):
        wait_for([comm.Ibarrier()])
        began = time.perf_counter()
        wait_for([comm.Iallreduce(MPI.IN_PLACE, numbers)])
        seconds.append(time.perf_counter() - began)
    return float(np.max(comm.allgather(seconds), axis=0).min())


def _network(comm: Any, hidden_size: int, layers: int, steps: int) -> dict[str, Any]:
    """Seconds of a step in each way, in turn, as a machine is not always equally fast."""
    architecture = Architecture(NetworkSettings(hidden_size=hidden_size, num_layers=layers), V)
    plain, halves = MPIAllReduce(comm), MPIAllReduce(comm)
    halves.begin_sum = bf16_sums(comm)
    exchanges = {"off": MPIAllReduce(comm), "after": Later(comm), "meanwhile": plain}
    ways: dict[str, Any] = {**exchanges, "halves": halves}
    if comm.size == 1:
        ways = {"at_once": None, **ways}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    with ExitStack() as engines:
        engines.enter_context(exchanges["off"].off())
        trainers = {name: engines.enter_context(_Trainer(comm, architecture, each))
                    for name, each in ways.items()}  # fmt: skip
        for number in range(steps + 1):
            for name, trainer in trainers.items():
                seconds[name].append(trainer.step(number + 1))
    told: dict[str, Any] = {"hidden_size": hidden_size, "num_layers": layers}
    for name, each in seconds.items():  # of the slowest rank; the first step lays out memory
        told[name] = float(np.max(comm.allgather(each[1:]), axis=0).min())
    told["bytes"] = plain.bytes_sent / (steps + 1)
    return told


class _Trainer:
    """Takes steps on this rank's share of a batch, with one thread; a context manager."""

    def __init__(self, comm: Any, architecture: Architecture, exchange: Any) -> None:
        rng = np.random.default_rng(comm.rank)
        first, end = Share(comm.rank, comm.size).of(B)
        x, y = rng.integers(V, size=(2, T, end - first))
        self._comm, self._batch = comm, Batch(x, y, False, first, B)
        self._parameters = initialise(architecture, 0, np.float32)
        self._settings = TrainingSettings()
        self._slots = make_slots(self._settings.optimizer, self._parameters.flat)
        self._state = self._parameters.zero_state(end - first)
        self._engine = Engine(architecture, threads=1, dtype=np.float32, all_reduce=exchange)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *error: object) -> None:
        self._engine.close()

    def step_time(self, number: int) -> float:
        """Its seconds, from when all ranks begin it."""
        wait_for([self._comm.Ibarrier()])
        began = time.perf_counter()
        result = self._engine.loss_and_gradient(self._parameters, self._batch, self._state)
        how: Any = {"learning_rate": 0.0, "step": number, "settings": self._settings}
        self._engine.update(self._parameters, self._slots, result.gradient, **how)
        return time.perf_counter() - began


def _fitted(messages: dict[int, float], ranks: int) -> Network:
    """The wire whose all-reduces are nearest to those measured, in proportion."""
    best = (float("inf"), Network(1e-6, 1e9))
    for latency in np.logspace(-7, -2, 60):
        for bandwidth in np.logspace(6, 11, 60):
            wire = Network(float(latency), float(bandwidth))
            error = sum(
                float(np.log(all_reduce(size, ranks, wire) / seconds)) ** 2
                for size, seconds in messages.items()
            )
            best = min(best, (error, wire), key=lambda each: each[0])
    return best[1]


def _modelled(measured: dict[str, Any], wire: Network, ranks: int) -> dict[str, float]:
    """Seconds of a step by the model, from what computing alone takes."""
    settings = NetworkSettings(
        hidden_size=measured["hidden_size"], num_layers=measured["num_layers"]
    )
    work = Workload.of(Architecture(settings, V))
    lanes = B / ranks
    node = Machine({1: work.operations * T * lanes / measured["off"]}, 0.0)
    node = Machine({max(1, int(lanes)): node.rates[1]}, 0.0)
    how: dict[str, Any] = {"ranks": ranks, "lanes": lanes, "seq_length": T}
    return {
        "after": step_time(work, node, wire, overlap=0.0, **how).seconds,
        "meanwhile": step_time(work, node, wire, overlap=1.0, **how).seconds,
    }


def lines(found: dict[str, Any]) -> str:
    """A table of one number of ranks."""
    text = f"\n{found['ranks']} ranks, {found['library']}"
    if "latency" in found:
        text += f": {found['latency'] * 1e6:.0f} µs, {found['bandwidth'] / 1e9:.2f} GB/s"
    for each in found["networks"]:
        times = {k: v for k, v in each.items() if isinstance(v, float) and k != "bytes"}
        text += f"\n  LSTM {each['hidden_size']}×{each['num_layers']}, "
        text += f"{each['bytes'] / 1e6:.1f} MB: "
        text += ", ".join(f"{name} {seconds * 1e3:.1f} ms" for name, seconds in times.items())
        if "model" in each:
            modelled = ", ".join(f"{k} {v * 1e3:.1f} ms" for k, v in each["model"].items())
            text += f"; model: {modelled}"
    return text


if __name__ == "__main__":
    sys.exit(main())
