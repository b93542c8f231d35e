"""Cost of training on several ranks of one machine: `python -m benchmarks.ranks`.

Writes JSON to standard output and a table to standard error. On a machine with few cores, ranks
share cores, so the figures show overhead, bytes and overlap of communication with computation, not
speed-up. For each number of ranks, all busy at once:

    off         a step in buckets that sends nothing: computation
    after       all sums start after the whole backward pass
    meanwhile   as in training: each sum starts as soon as its bucket is ready
    bf16        the same, compressed to bfloat16
    all-reduce  of 8 bytes to 16 MB, to which latency and bandwidth are fitted

and the forecast of `nextchar plan` from `off` and the fit. Each figure is the fastest of all steps,
the one that the machine disturbed least.

`--tcp` has MPICH send all messages over TCP through the loopback device instead of shared memory,
so that `tc` can limit the bandwidth (docs/scaling.md). Each figure is then the median step, and
`MB on lo` is the traffic of a median step, counted by the kernel.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from nextchar.distributed.allreduce import MPIAllReduce
from nextchar.distributed.compressed_allreduce import bfloat16_sums
from nextchar.distributed.cost_model import CostModel, Machine, Network, Workload, all_reduce
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
TCP = {"MPIR_CVAR_NOLOCAL": "1", "MPIR_CVAR_CH4_NETMOD": "ofi", "FI_PROVIDER": "tcp"}


class AllReduceAfter(MPIAllReduce):
    """An all-reduce that starts when the whole gradient is ready."""

    def __init__(self, comm: Any) -> None:
        super().__init__(comm)
        self._parts: list[Any] = []

    def begin(self, part: Any) -> None:
        self._parts.append(part)

    def finish(self, loss: float, rest: Any) -> float:
        for part in self._parts:
            super().begin(part)
        self._parts.clear()
        return super().finish(loss, rest)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ranks", type=int, nargs="*", default=[1, 2, 4])
    parser.add_argument("--steps", type=int, default=15)
    parser.add_argument("--tcp", action="store_true", help="no shared memory; medians (MPICH)")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(options.steps, tcp=options.tcp)
        return 0
    results = []
    for size in options.ranks:
        results.append(launch(size, options.steps, tcp=options.tcp))
        print(lines(results[-1]), file=sys.stderr, flush=True)
    print(json.dumps(results, indent=1))
    return 0


def launch(size: int, steps: int, *, tcp: bool) -> dict[str, Any]:
    mpiexec = Path(sys.executable).parent / "mpiexec"
    command = [str(mpiexec), "-n", str(size), sys.executable, "-m", "benchmarks.ranks"]
    command += ["--worker", "--steps", str(steps), *(["--tcp"] if tcp else [])]
    environment = {**os.environ, **(TCP if tcp else {})}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return dict(json.loads(done.stdout))


def worker(steps: int, *, tcp: bool) -> None:
    """Measure on this rank, together with the others; rank 0 prints the result."""
    from mpi4py import MPI

    comm = MPI.COMM_WORLD
    messages = {size: _all_reduce_seconds(comm, size) for size in MESSAGES}
    result: dict[str, Any] = {
        "ranks": comm.size,
        "library": MPI.Get_library_version().split("\n")[0].split(",")[0].strip(" \0"),
        "all_reduce": messages,
        "networks": [_measure(comm, size, layers, steps, tcp=tcp) for size, layers in SIZES],
    }
    if comm.size > 1:
        network = _fitted(messages, comm.size)
        result |= {"latency": network.latency, "bandwidth": network.bandwidth}
        for each in result["networks"]:
            each["model"] = _forecast(each, network, comm.size)
    if comm.rank == 0:
        print(json.dumps(result))


def _all_reduce_seconds(comm: Any, size: int) -> float:
    """Return the seconds of the fastest all-reduce of `size` bytes."""
    from mpi4py import MPI

    numbers, seconds = np.zeros(max(size // 4, 1), np.float32), []
    for _ in range(20):
        wait_for([comm.Ibarrier()])
        began = time.perf_counter()
        wait_for([comm.Iallreduce(MPI.IN_PLACE, numbers)])
        seconds.append(time.perf_counter() - began)
    return float(np.max(comm.allgather(seconds), axis=0).min())


def _measure(comm: Any, hidden_size: int, layers: int, steps: int, *, tcp: bool) -> dict[str, Any]:
    """Return the seconds of a step by each method. Methods take turns, as machines vary."""
    architecture = Architecture(NetworkSettings(hidden_size=hidden_size, num_layers=layers), V)
    disabled, plain = MPIAllReduce(comm), MPIAllReduce(comm)
    methods: dict[str, Any] = {
        **({"at_once": None} if comm.size == 1 else {}),
        "off": disabled,
        "after": AllReduceAfter(comm),
        "meanwhile": plain,
        "bf16": MPIAllReduce(comm, bfloat16_sums(comm)),
    }
    seconds: dict[str, list[float]] = {name: [] for name in methods}
    traffic: dict[str, list[int]] = {name: [] for name in methods}
    with ExitStack() as contexts:
        contexts.enter_context(disabled.disabled())
        steppers = {name: contexts.enter_context(_Stepper(comm, architecture, each))
                    for name, each in methods.items()}  # fmt: skip
        for number in range(steps + 1):
            for name, stepper in steppers.items():
                before = _loopback_bytes()
                seconds[name].append(stepper.step_time(number + 1))
                wait_for([comm.Ibarrier()])
                traffic[name].append(_loopback_bytes() - before)
    result: dict[str, Any] = {"hidden_size": hidden_size, "num_layers": layers}
    typical = np.median if tcp else np.min
    for name, each in seconds.items():  # of the slowest rank; the first step allocates memory
        result[name] = float(typical(np.max(comm.allgather(each[1:]), axis=0)))
    result["bytes"] = plain.bytes_sent / (steps + 1)
    if tcp:
        result["loopback_bytes"] = {k: float(np.median(v[1:])) for k, v in traffic.items()}
    return result


def _loopback_bytes() -> int:
    """Bytes that the loopback device has received; 0 where the system does not count them."""
    try:
        devices = Path("/proc/self/net/dev").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in devices.splitlines() if " lo: " in line), 0)


class _Stepper:
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
        """Return the seconds of a step, which all ranks start together."""
        wait_for([self._comm.Ibarrier()])
        began = time.perf_counter()
        result = self._engine.loss_and_gradient(self._parameters, self._batch, self._state)
        self._engine.update(
            self._parameters,
            self._slots,
            result.gradient,
            learning_rate=0.0,
            step=number,
            settings=self._settings,
        )
        return time.perf_counter() - began


def _fitted(messages: dict[int, float], ranks: int) -> Network:
    """Return the network whose all-reduces are nearest to those measured, in proportion."""
    best = (float("inf"), Network(1e-6, 1e9))
    for latency in np.logspace(-7, -2, 60):
        for bandwidth in np.logspace(6, 11, 60):
            network = Network(float(latency), float(bandwidth))
            error = sum(
                float(np.log(all_reduce(size, ranks, network) / seconds)) ** 2
                for size, seconds in messages.items()
            )
            best = min(best, (error, network), key=lambda each: each[0])
    return best[1]


def _forecast(measured: dict[str, Any], network: Network, ranks: int) -> dict[str, float]:
    """Return the seconds of a step by the cost model, from the step without communication."""
    settings = NetworkSettings(
        hidden_size=measured["hidden_size"], num_layers=measured["num_layers"]
    )
    work, lanes = Workload.of(Architecture(settings, V)), B / ranks
    machine = Machine({max(1, int(lanes)): work.flops * T * lanes / measured["off"]}, 0.0)
    return {
        name: CostModel(work, machine, network, T, overlap=overlap).step_time(ranks, lanes).seconds
        for name, overlap in (("after", 0.0), ("meanwhile", 1.0))
    }


def lines(result: dict[str, Any]) -> str:
    """Return the table of a number of ranks."""
    text = f"\n{result['ranks']} ranks, {result['library']}"
    if "latency" in result:
        text += f": {result['latency'] * 1e6:.0f} µs, {result['bandwidth'] / 1e9:.2g} GB/s"
    for each in result["networks"]:
        times = {k: v for k, v in each.items() if isinstance(v, float) and k != "bytes"}
        text += f"\n  LSTM {each['hidden_size']}×{each['num_layers']}, "
        text += f"{each['bytes'] / 1e6:.1f} MB: "
        text += ", ".join(f"{name} {seconds * 1e3:.1f} ms" for name, seconds in times.items())
        if "model" in each:
            modelled = ", ".join(f"{k} {v * 1e3:.1f} ms" for k, v in each["model"].items())
            text += f"; model: {modelled}"
        if "loopback_bytes" in each:
            traffic = ", ".join(f"{k} {v / 1e6:.1f}" for k, v in each["loopback_bytes"].items())
            text += f"; MB on lo: {traffic}"
    return text


if __name__ == "__main__":
    sys.exit(main())
