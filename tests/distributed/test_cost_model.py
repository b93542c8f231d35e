"""The cost model of a step on many machines, and `nextchar plan`."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from nextchar.cli.main import run
from nextchar.distributed import calibrate
from nextchar.distributed.calibrate import measure_machine
from nextchar.distributed.cost_model import (
    CostModel,
    Machine,
    Network,
    Workload,
    all_reduce,
    doubling,
    halving,
    pays_up_to,
    ring,
)
from nextchar.model.parameters import Architecture
from nextchar.settings.config import NetworkSettings
from nextchar.training.auto import throughput
from nextchar.training.auto.throughput import Precision, flops_per_character

NODE = Machine({1: 1e9, 8: 8e9, 32: 16e9}, 2e-9)
FAST, SLOW = Network.of(100, 2), Network.of(1, 30)


def work(**settings: object) -> Workload:
    network = NetworkSettings(**{"hidden_size": 512, "num_layers": 3, **settings})  # type: ignore[arg-type]
    return Workload.of(Architecture(network, 100))


@pytest.mark.parametrize(
    "settings",
    [{}, {"embedding_size": 24}, {"embedding_size": 512, "tied": True}, {"cell": "rnn"}],
)
def test_pieces_hold_every_weight_and_operation_once(settings: dict[str, object]) -> None:
    network = NetworkSettings(**{"hidden_size": 512, "num_layers": 3, **settings})  # type: ignore[arg-type]
    architecture = Architecture(network, 100)
    counted = Workload.of(architecture)
    assert counted.weights == architecture.size
    assert counted.flops == flops_per_character(architecture)


def test_small_pieces_travel_together() -> None:
    assert len(work(hidden_size=16).buckets) == 1
    assert len(work().buckets) == 3  # the output's goes with the last layer's


@pytest.mark.parametrize("way", [ring, doubling, halving, all_reduce])
def test_who_is_alone_sends_nothing(way: object) -> None:
    assert way(1e9, 1, SLOW) == 0  # type: ignore[operator]


def test_known_answers() -> None:
    wire = Network(1e-3, 1e6)
    assert ring(1e6, 4, wire) == pytest.approx(6e-3 + 1.5)
    assert doubling(1e6, 4, wire) == pytest.approx(2 * (1e-3 + 1))
    assert halving(1e6, 4, wire) == pytest.approx(4e-3 + 1.5)
    assert doubling(1e6, 5, wire) == pytest.approx(3 * (1e-3 + 1))
    assert Network.of(8, 1e6) == Network(1, 1e9)


def test_rates_are_those_measured_and_lie_on_lines_between() -> None:
    assert NODE.rate(8) == 8e9
    assert NODE.rate(20) == 12e9
    assert NODE.rate(100) == 16e9
    assert NODE.rate(0.5) == 0.5e9


def model(network: Network, **details: Any) -> CostModel:
    return CostModel(work(), NODE, network, 64, **details)


def test_a_step_alone_waits_for_nobody_and_one_of_many_for_what_is_not_hidden() -> None:
    alone = model(SLOW).step_time(1, 32)
    assert (alone.waiting, alone.sent) == (0, 0)
    hidden = model(SLOW).step_time(4, 32)
    shown = model(SLOW, overlap=0.0).step_time(4, 32)
    assert alone.computing == hidden.computing == shown.computing
    whole = sum(all_reduce(bucket.numbers * 4, 4, SLOW) for bucket in work().buckets)
    rest = all_reduce(8 * (work().vectors + 3), 4, SLOW)
    assert shown.waiting == pytest.approx(whole + rest)
    last = all_reduce(work().buckets[-1].numbers * 4, 4, SLOW)  # nothing is left to hide it behind
    assert last + rest <= hidden.waiting < shown.waiting


def test_half_the_bytes_are_half_the_bytes() -> None:
    plain, compressed = (
        model(SLOW, bytes_per_number=size).step_time(ranks=8, lanes=8) for size in (4, 2)
    )
    assert compressed.sent == plain.sent / 2
    assert compressed.seconds < plain.seconds


def test_a_table_goes_on_while_each_has_a_lane_and_says_where_it_stops_paying() -> None:
    rows = model(FAST).forecast(batch_size=64, max_ranks=1024)
    assert [row.ranks for row in rows] == [1, 2, 4, 8, 16, 32, 64]
    assert rows[0].speedup == rows[0].efficiency == 1
    # below 8 lanes this node is slower in proportion: more nodes than 8 bring nothing
    assert pays_up_to(rows) == 8
    assert pays_up_to(rows[:2]) == 2


def test_enough_lanes_make_any_number_of_nodes_efficient() -> None:
    few = model(FAST).efficient_lanes(2)
    many = model(Network.of(0.1, 30)).efficient_lanes(1024)
    assert few is not None
    assert many is not None
    assert few < many
    # weights that take longer than all lanes
    slow_weights = CostModel(work(), Machine({1: 1e18}, 1.0), FAST, 64)
    assert slow_weights.efficient_lanes(2) is None


def test_a_machine_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (calibrate, throughput):  # a smaller network
        monkeypatch.setattr(module, "PROBE", NetworkSettings(cell="gru", hidden_size=32))
    node = measure_machine(30, 1, Precision("float32", bfloat16=False), lanes=(1, 4))
    assert sorted(node.rates) == [1, 4]
    assert all(math.isfinite(rate) and rate > 0 for rate in (*node.rates.values(), node.per_weight))
    assert node.rates[4] >= node.rates[1]


def test_plan_prints_tables(capsys: pytest.CaptureFixture[str]) -> None:
    args = ["plan", "--gflops", "150", "--hidden-size", "512", "--gbits", "10", "--nodes", "8"]
    assert run([*args, "--compress-gradients", "bf16"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("LSTM 512×2: 3,405,924 weights, 6.8 MB of gradients a step")
    assert "\n10 Gbit/s, 30 µs\n" in out
    assert "    8  " in out
    assert "80% efficient with" in out
    assert run([*args, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    (network,) = document["networks"]
    assert [row["nodes"] for row in network["rows"]] == [1, 2, 4, 8]
    assert network["rows"][3]["speedup"] > 1


def test_plan_says_where_no_batch_is_large_enough(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", "--gflops", "1e12", "--nodes", "2", "--dtype", "float64"]) == 0
    assert "with no batch" in capsys.readouterr().out
