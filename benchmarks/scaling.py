"""Tables and drawing of docs/scaling.md from the cost model: `python -m benchmarks.scaling`.

Prints the tables; `--draw FILE` writes the drawing as SVG.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from nextchar.distributed.cost_model import (
    CostModel,
    ForecastRow,
    Machine,
    Network,
    Workload,
    pays_up_to,
)
from nextchar.model.parameters import Architecture
from nextchar.settings.config import NetworkSettings

SIZES = [(128, 1), (256, 2), (512, 2), (1024, 3), (2048, 4)]
GBITS = {1: 30.0, 10: 30.0, 100: 2.0}  # microseconds of a message: TCP, TCP, InfiniBand
V, T, B = 100, 64, 1024
# FLOP/s of a core by lanes: measured, and scaled to the rate of the machine of docs/performance.md
# without other load
CORE = {1: 18e9, 2: 31e9, 4: 48e9, 8: 62e9, 16: 70e9, 32: 90e9}
PER_WEIGHT = 2e-9  # seconds, of one core


def node_of(cores: int) -> Machine:
    """Return a machine with a number of these cores, which share its lanes equally."""
    rates = {lanes * cores: rate * cores for lanes, rate in CORE.items()}
    return Machine(rates, PER_WEIGHT / min(cores, 8))  # memory does not grow with cores


NODES = {
    "2 cores, 180 GFlop/s": node_of(2),
    "32 cores, 2.9 TFlop/s": node_of(32),
}
COLOURS = ("#999999", "#56b4e9", "#009e73", "#e69f00", "#d55e00")
WIDTH, HEIGHT, MARGIN = 300, 260, 46


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draw", type=Path, metavar="FILE", help="file of the drawing")
    options = parser.parse_args()
    print("\n".join(lines()))
    if options.draw:
        options.draw.write_text(drawing(), encoding="utf-8")
    return 0


def model_of(size: tuple[int, int], node: Machine, gbits: int) -> CostModel:
    settings = NetworkSettings(hidden_size=size[0], num_layers=size[1])
    network = Network.of(gbits, GBITS[gbits])
    return CostModel(Workload.of(Architecture(settings, V)), node, network, T)


def rows_of(model: CostModel) -> list[ForecastRow]:
    return model.forecast(B, max_ranks=1024)


def lines() -> Iterator[str]:
    """Yield the lines of the tables, in Markdown."""
    for name, node in NODES.items():
        yield f"**Nodes of {name}, batches of {B:,} × {T} characters**\n"
        yield (
            "| LSTM | MB a step | Gbit/s | speed-up on 2 | 8 | 32 | 128 | 1,024 nodes | pays up to "
            "| lanes a node for 80 % on 8 | 128 | 1,024 nodes |"
        )
        yield "|---|" + "---:|" * 11
        for size in SIZES:
            for gbits in GBITS:
                yield _line(size, node, gbits)
        yield ""


def _line(size: tuple[int, int], node: Machine, gbits: int) -> str:
    model = model_of(size, node, gbits)
    rows = rows_of(model)
    speedups = {row.ranks: row.speedup for row in rows}
    lanes = [model.efficient_lanes(n) for n in (8, 128, 1024)]
    cells = [
        f"{size[0]}×{size[1]}",
        f"{model.workload.weights * 4 / 1e6:,.1f}",
        f"{gbits}",
        *(f"{speedups[n]:,.1f}" for n in (2, 8, 32, 128, 1024)),
        f"{pays_up_to(rows):,}",
        *(f"{each:,}" if each else "–" for each in lanes),
    ]
    return f"| {' | '.join(cells)} |"


def drawing() -> str:
    """Return a drawing of speed-up by nodes, log scales; a panel for each network and node."""
    panels = [
        _panel(column * (WIDTH + 10), line * (HEIGHT + 10), name, node, gbits)
        for line, (name, node) in enumerate(NODES.items())
        for column, gbits in enumerate(GBITS)
    ]
    width, height = 3 * (WIDTH + 10), 2 * (HEIGHT + 10) + 30
    legend = "".join(
        f'<text x="{MARGIN + 110 * n}" y="{height - 10}" fill="{colour}">LSTM {h}×{layers}</text>'
        for n, ((h, layers), colour) in enumerate(zip(SIZES, COLOURS, strict=True))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="12">\n'
        f'<rect width="{width}" height="{height}" fill="white"/>\n'
        + "\n".join(panels)
        + f"\n{legend}\n</svg>\n"
    )


def _panel(x: int, y: int, name: str, node: Machine, gbits: int) -> str:
    inner, tall = WIDTH - MARGIN - 8, HEIGHT - 2 * MARGIN + 20

    def place(ranks: float, speedup: float) -> str:
        across = MARGIN + inner * math.log2(ranks) / 10
        up = MARGIN - 16 + tall * (1 - max(math.log2(max(speedup, 0.5)), 0) / 10)
        return f"{across:.1f},{up:.1f}"

    def curve(points: Sequence[tuple[float, float]], style: str) -> str:
        path = " ".join(place(*point) for point in points)
        return f'<polyline points="{path}" fill="none" {style}/>'

    drawn = [curve([(1, 1), (1024, 1024)], 'stroke="#bbbbbb" stroke-dasharray="4 3"')]
    for size, colour in zip(SIZES, COLOURS, strict=True):
        points = [(row.ranks, row.speedup) for row in rows_of(model_of(size, node, gbits))]
        drawn.append(curve(points, f'stroke="{colour}" stroke-width="2"'))
    for power in (0, 2, 4, 6, 8, 10):
        across, up = place(2**power, 1).split(",")[0], place(1, 2**power).split(",")[1]
        low = place(1, 1).split(",")[1]
        drawn.append(
            f'<text x="{across}" y="{float(low) + 16}" text-anchor="middle">{2**power:,}</text>'
            f'<text x="{MARGIN - 6}" y="{float(up) + 4}" text-anchor="end">{2**power:,}</text>'
        )
    title = f"{gbits} Gbit/s, {name.split(',')[0]} a node"
    drawn.append(f'<text x="{MARGIN}" y="16" font-weight="bold">{title}</text>')
    return f'<g transform="translate({x},{y})">{"".join(drawn)}</g>'


if __name__ == "__main__":
    sys.exit(main())
