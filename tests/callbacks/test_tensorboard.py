"""Event files, read back with TensorBoard's own reader."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import pytest

from nextchar.callbacks.tensorboard import TensorBoardWriter
from nextchar.cli.main import run
from nextchar.errors import MissingExtraError
from nextchar.runs.run_files import read_metrics
from nextchar.training.events import Evaluated, Finished, Note, Sampled, Started, Stepped

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of TensorBoard's own


def read(folder: Path) -> Any:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    accumulator = EventAccumulator(str(folder), {"scalars": 0, "tensors": 0})
    accumulator.Reload()
    return accumulator


def scalars(accumulator: Any, name: str) -> list[tuple[int, float]]:
    return [(event.step, event.value) for event in accumulator.Scalars(name)]


def evaluated(step: int, loss: float | None = 2.0) -> Evaluated:
    return Evaluated(step, 0.1, 100 * step, 1.0, 2.5, loss, 0.01, 1e4, is_best=True)


def test_a_trained_run_is_read_back_as_recorded(tmp_path: Path, prose: Path) -> None:
    out = tmp_path / "run"
    command = [
        "train", str(prose), "--out", str(out), "--preset", "small", "--hidden-size", "8",
        "--steps", "40", "--threads", "1", "--tensorboard", "--quiet", "--sample-every", "40",
    ]  # fmt: skip
    assert run(command) == 0
    records, made = read_metrics(out), read(out)
    names = {
        "loss/training": "train_loss",
        "loss/validation": "val_loss",
        "learning_rate": "learning_rate",
        "characters_per_second": "chars_per_second",
        "gradient_norm/before_clipping": "gradient_norm",
        "gradient_norm/after_clipping": "gradient_norm_clipped",
        "gradient_norm/largest": "gradient_norm_max",
    }
    for name, field in names.items():
        assert scalars(made, name) == [
            (record["step"], pytest.approx(record[field], rel=1e-6)) for record in records
        ]
    bits = [value * math.log(2) for _, value in scalars(made, "bits/validation")]
    assert bits == pytest.approx([record["val_loss"] for record in records], rel=1e-6)
    assert [step for step, _ in scalars(made, "loss/batch")] == [10, 20, 30, 40]
    (sample,) = made.Tensors("sample/text_summary")
    assert sample.step == 40


def test_unknown_values_are_not_written(tmp_path: Path) -> None:
    callback = TensorBoardWriter(tmp_path)
    callback(Note("nothing for a chart"))
    callback(Started(0, 10, None))
    callback(Stepped(7, 0.7, 2.0, 2.0, 700, 1.0))
    callback(evaluated(7, None))
    callback(Sampled(7, "a\nb"))
    callback(Finished(7, 1.0, 700, 2.0, 7, None))
    callback.close()
    assert read(tmp_path).Tags()["scalars"] == [
        "loss/training", "learning_rate", "characters_per_second",
    ]  # fmt: skip


def test_a_resumed_run_replaces_later_records(tmp_path: Path) -> None:
    for start, steps in ((0, (5, 10, 15)), (10, (15, 20))):
        callback = TensorBoardWriter(tmp_path)
        callback(Started(start, 20, None))
        for step in steps:
            callback(evaluated(step, 1.0 + start))
        callback.close()
        (made,) = set(tmp_path.iterdir()) - {tmp_path / "events.out.tfevents.0"}
        made.rename(tmp_path / f"events.out.tfevents.{start}")  # both would have one name otherwise
    assert scalars(read(tmp_path), "loss/validation") == [(5, 1), (10, 1), (15, 11), (20, 11)]


def test_without_tensorboardx_the_error_names_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(MissingExtraError, match=r'--tensorboard needs .*pip install "tensorboardx'):
        TensorBoardWriter(tmp_path)
    assert json.dumps([*map(str, tmp_path.iterdir())]) == "[]"
