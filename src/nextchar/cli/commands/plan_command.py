"""`nextchar plan`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from nextchar.cli.options import setting_options
from nextchar.formatting.quantities import megabytes
from nextchar.settings.config import FIELDS

if TYPE_CHECKING:
    from nextchar.distributed.cost_model import Machine, Row, Workload

_SETTINGS = (
    "cell", "hidden_size", "num_layers", "embedding_size", "tied", "seq_length", "batch_size",
    "compress_gradients", "dtype", "threads",
)  # fmt: skip
_POSITIVE = click.FloatRange(min=0, min_open=True)


@click.command("plan")
@setting_options(FIELDS[name] for name in _SETTINGS)
@click.option(
    "--vocabulary",
    type=click.IntRange(2),
    default=100,
    metavar="N",
    help="Distinct characters of the text.  [default: 100]",
)
@click.option(
    "--nodes",
    type=click.IntRange(1),
    default=1024,
    metavar="N",
    help="Machines, at most.  [default: 1024]",
)
@click.option(
    "--gbits",
    type=_POSITIVE,
    multiple=True,
    metavar="X",
    help="Speed of the network in Gbit/s; may be repeated.  [default: 1, 10, 100]",
)
@click.option(
    "--latency",
    type=_POSITIVE,
    default=30.0,
    metavar="US",
    help="Microseconds of a message; 30 with TCP, 2 with InfiniBand.  [default: 30]",
)
@click.option(
    "--gflops",
    type=_POSITIVE,
    metavar="X",
    help="What a machine computes, in billions of operations a second.  [default: measured here]",
)
@click.option(
    "--overlap",
    type=click.FloatRange(0, 1),
    default=1.0,
    metavar="X",
    help="Share of sending that passes while a machine computes.  [default: 1]",
)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def command(
    vocabulary: int,
    nodes: int,
    gbits: Sequence[float],
    latency: float,
    gflops: float | None,
    overlap: float,
    as_json: bool,
    **given: Any,
) -> None:
    """Forecast how fast training would be on many machines, each one rank of mpiexec.

    By a model of computing and sending; docs/scaling.md has its tables, and measurements.
    """
    from nextchar.distributed.cost_model import (
        Network,
        Workload,
        efficient_lanes,
        stops_paying,
        table,
    )
    from nextchar.model.parameters import Architecture
    from nextchar.settings.config import Settings

    settings = Settings.make("medium", **given)
    training = settings.training
    work = Workload.of(Architecture(settings.network, vocabulary))
    node = _node(gflops, vocabulary, settings)
    how: dict[str, Any] = {
        "seq_length": training.seq_length,
        "bytes_per_number": _bytes(training.compress_gradients, training.dtype),
        "overlap": overlap,
    }
    plans = []
    for speed in gbits or (1.0, 10.0, 100.0):
        wire = Network.of(speed, latency)
        rows = table(work, node, wire, batch_size=training.batch_size, most=nodes, **how)
        ranks = rows[-1].ranks
        lanes = efficient_lanes(work, node, wire, ranks=ranks, **how)
        plans.append((speed, rows, stops_paying(rows), lanes))
    if as_json:
        click.echo(json.dumps(_document(work, plans)))
        return
    click.echo(_heading(work, node, settings))
    for speed, rows, enough, lanes in plans:
        click.echo(_shown(speed, latency, rows, enough, lanes))


def _node(gflops: float | None, vocabulary: int, settings: Any) -> Machine:
    from nextchar.distributed.cost_model import Machine

    if gflops is not None:
        return Machine({8: gflops * 1e9}, 2e-9)  # fewer lanes leave a tile's rows empty
    import numpy as np

    from nextchar.cli.output.compile_notice import announce_compilation_on_stderr
    from nextchar.distributed.calibrate import measure_machine
    from nextchar.kernels.isa import HOST
    from nextchar.kernels.threads import usable_cores
    from nextchar.training.auto.throughput import Precision

    dtype = settings.training.dtype
    pairs = dtype == "bfloat16" or (dtype == "auto" and HOST.has_bfloat16)
    precision = Precision(np.float64 if dtype == "float64" else np.float32, pairs)
    with announce_compilation_on_stderr():
        return measure_machine(vocabulary, settings.training.threads or usable_cores(), precision)


def _bytes(compression: str, dtype: str) -> int:
    return 2 if compression == "bf16" else 8 if dtype == "float64" else 4


def _heading(work: Workload, node: Machine, settings: Any) -> str:
    network, training = settings.network, settings.training
    rate = max(node.rates.values())
    size = _bytes(training.compress_gradients, training.dtype) * work.weights
    return (
        f"{network.cell.upper()} {network.hidden_size}×{network.num_layers}: {work.weights:,} "
        f"weights, {megabytes(size)} of gradients a step; batches of {training.batch_size} × "
        f"{training.seq_length} characters; a machine computes {rate / 1e9:,.0f} GFlop/s"
    )


def _shown(speed: float, latency: float, rows: list[Row], enough: int, lanes: int | None) -> str:
    lines = [
        f"\n{speed:g} Gbit/s, {latency:g} µs",
        "nodes  lanes each   ms a step   of it waiting     characters/s   speed-up  efficiency",
    ]
    lines += [
        f"{row.ranks:5,}  {row.lanes:10.4g}  {row.step.seconds * 1e3:10.4g}  "
        f"{row.step.waiting / row.step.seconds:13.0%}  {row.speed:15,.0f}  "
        f"{row.speedup:8.1f}×  {row.efficiency:9.0%}"
        for row in rows
    ]
    last = rows[-1].ranks
    lines.append(f"more than {enough:,} do not pay" if enough < last else "all of them pay")
    many = f"{lanes:,} lanes each" if lanes else "no batch"
    lines[-1] += f" with this batch; {last:,} are 80% efficient with {many}"
    if lanes:
        lines[-1] += f" (--batch-size {lanes * last})"
    return "\n".join(lines)


def _document(
    work: Workload, plans: list[tuple[float, list[Row], int, int | None]]
) -> dict[str, Any]:
    return {
        "weights": work.weights,
        "networks": [
            {
                "gbits": speed,
                "pays_up_to": enough,
                "efficient_lanes": lanes,
                "rows": [
                    {
                        "nodes": row.ranks,
                        "lanes": row.lanes,
                        "seconds": row.step.seconds,
                        "waiting": row.step.waiting,
                        "bytes_sent": row.step.sent,
                        "chars_per_second": row.speed,
                        "speedup": row.speedup,
                        "efficiency": row.efficiency,
                    }
                    for row in rows
                ],
            }
            for speed, rows, enough, lanes in plans
        ],
    }
