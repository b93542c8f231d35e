"""`nextchar plan`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from nextchar.cli.options import option, options_of, setting_options, split_params
from nextchar.formatting.quantities import megabytes
from nextchar.settings.config import FIELDS, Settings

if TYPE_CHECKING:
    from nextchar.distributed.cost_model import ForecastRow, Machine, Workload

_SETTINGS = (
    "cell", "hidden_size", "num_layers", "embedding_size", "tied", "seq_length", "batch_size",
    "compress_gradients", "dtype", "threads",
)  # fmt: skip
_POSITIVE = click.FloatRange(min=0, min_open=True)


@dataclass(frozen=True, kw_only=True)
class PlanOptions:
    """Options of `nextchar plan` that are not settings of training."""

    vocabulary: int = option(
        "Distinct characters of the text.  [default: 100]", default=100, type=click.IntRange(2)
    )
    nodes: int = option(
        "Largest number of machines.  [default: 1024]", default=1024, type=click.IntRange(1)
    )
    gbits: tuple[float, ...] = option(
        "Bandwidth of the network in Gbit/s; repeatable.  [default: 1, 10, 100]",
        type=_POSITIVE,
        metavar="X",
    )
    latency: float = option(
        "Latency of a message in microseconds; 30 with TCP, 2 with InfiniBand.  [default: 30]",
        default=30.0,
        type=_POSITIVE,
        metavar="US",
    )
    gflops: float | None = option(
        "Speed of a machine in billions of operations per second.  [default: measured here]",
        type=_POSITIVE,
    )
    overlap: float = option(
        "Fraction of communication that overlaps with computation.  [default: 1]",
        default=1.0,
        type=click.FloatRange(0, 1),
    )
    as_json: bool = option("Print the forecast as JSON.", "--json")


class _Plan(NamedTuple):
    """The forecast for one network.

    bandwidth: in Gbit/s. pays_up_to: the most machines that are worth their cost.
    efficient_lanes: lanes that each machine needs for an efficiency of 80 %, if any are enough.
    """

    bandwidth: float
    rows: list[ForecastRow]
    pays_up_to: int
    efficient_lanes: int | None


@click.command("plan")
@setting_options(FIELDS[name] for name in _SETTINGS)
@options_of(PlanOptions)
def command(**params: Any) -> None:
    """Forecast the speed of training on many machines, each one rank of mpiexec.

    The forecast comes from a cost model of computation and communication; docs/scaling.md compares
    it with measurements.
    """
    from nextchar.distributed.cost_model import Workload
    from nextchar.model.parameters import Architecture

    options, given = split_params(PlanOptions, params)
    settings = Settings.make("medium", **given)
    work = Workload.of(Architecture(settings.network, options.vocabulary))
    machine = _machine(options, settings)
    plans = _plans(options, settings, work, machine)
    if options.as_json:
        networks = [_document(plan) for plan in plans]
        click.echo(json.dumps({"weights": work.weights, "networks": networks}))
        return
    click.echo(_heading(work, machine, settings))
    for plan in plans:
        click.echo(_table(plan, options.latency))


def _plans(
    options: PlanOptions, settings: Settings, work: Workload, machine: Machine
) -> list[_Plan]:
    from nextchar.distributed.cost_model import CostModel, Network, pays_up_to

    training, plans = settings.training, []
    for bandwidth in options.gbits or (1.0, 10.0, 100.0):
        network, size = Network.of(bandwidth, options.latency), _bytes(settings)
        model = CostModel(work, machine, network, training.seq_length, size, options.overlap)
        rows = model.forecast(training.batch_size, options.nodes)
        lanes = model.efficient_lanes(rows[-1].ranks)
        plans.append(_Plan(bandwidth, rows, pays_up_to(rows), lanes))
    return plans


def _machine(options: PlanOptions, settings: Settings) -> Machine:
    from nextchar.distributed.cost_model import Machine

    if options.gflops is not None:
        return Machine({8: options.gflops * 1e9}, 2e-9)  # fewer lanes leave rows of a tile empty
    from nextchar.cli.output.compile_notice import announce_compilation_on_stderr
    from nextchar.distributed.calibrate import measure_machine
    from nextchar.kernels.threads import usable_cores
    from nextchar.training.auto.choose import precision_of

    threads = settings.training.threads or usable_cores()
    with announce_compilation_on_stderr():
        return measure_machine(options.vocabulary, threads, precision_of(settings))


def _bytes(settings: Settings) -> int:
    """Bytes that are sent for each number of the gradient."""
    training = settings.training
    return 2 if training.compress_gradients == "bf16" else 8 if training.dtype == "float64" else 4


def _heading(work: Workload, machine: Machine, settings: Settings) -> str:
    network, training = settings.network, settings.training
    rate = max(machine.rates.values())
    size = _bytes(settings) * work.weights
    return (
        f"{network.cell.upper()} {network.hidden_size}×{network.num_layers}: {work.weights:,} "
        f"weights, {megabytes(size)} of gradients a step; batches of {training.batch_size} × "
        f"{training.seq_length} characters; a machine computes {rate / 1e9:,.0f} GFlop/s"
    )


def _table(plan: _Plan, latency: float) -> str:
    lines = [
        f"\n{plan.bandwidth:g} Gbit/s, {latency:g} µs",
        "nodes  lanes each   ms a step   of it waiting     characters/s   speed-up  efficiency",
    ]
    lines += [
        f"{row.ranks:5,}  {row.lanes:10.4g}  {row.step.seconds * 1e3:10.4g}  "
        f"{row.step.waiting / row.step.seconds:13.0%}  {row.speed:15,.0f}  "
        f"{row.speedup:8.1f}×  {row.efficiency:9.0%}"
        for row in plan.rows
    ]
    last, useful, lanes = plan.rows[-1].ranks, plan.pays_up_to, plan.efficient_lanes
    lines.append(f"more than {useful:,} do not pay" if useful < last else "all of them pay")
    needed = f"{lanes:,} lanes each" if lanes else "no batch"
    lines[-1] += f" with this batch; {last:,} are 80% efficient with {needed}"
    if lanes:
        lines[-1] += f" (--batch-size {lanes * last})"
    return "\n".join(lines)


def _document(plan: _Plan) -> dict[str, Any]:
    return {
        "gbits": plan.bandwidth,
        "pays_up_to": plan.pays_up_to,
        "efficient_lanes": plan.efficient_lanes,
        "rows": [
            {
                "nodes": row.ranks, "lanes": row.lanes,
                "seconds": row.step.seconds, "waiting": row.step.waiting,
                "bytes_sent": row.step.sent, "chars_per_second": row.speed,
                "speedup": row.speedup, "efficiency": row.efficiency,
            }
            for row in plan.rows
        ],
    }  # fmt: skip
