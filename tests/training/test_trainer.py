"""The training loop: its end, events and files, and data that it never looks at."""

from __future__ import annotations

import contextlib
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from conftest import PROSE
from nextchar.api.estimator import write_sample
from nextchar.errors import DivergedError, NextcharError
from nextchar.kernels import COMPILING
from nextchar.kernels.engine import Engine
from nextchar.kernels.isa import HOST
from nextchar.model.file import BEST, LAST, load_model
from nextchar.runs.run_files import CHECKPOINT, read_metrics
from nextchar.settings.config import Settings
from nextchar.text.corpus import prepare, text_corpus
from nextchar.training.auto.choose import choose_settings
from nextchar.training.events import Evaluated, Event, Finished, Note, Sampled, Started, Stepped
from nextchar.training.run_context import Hooks, RunContext
from nextchar.training.saving.run_directory import RunDirectory
from nextchar.training.session import Trained, train_corpus

TEXT = PROSE * 8
EPOCH = 39  # steps that SMALL takes for the training part of TEXT
NOISE = "".join(random.Random(7).choices("abcde", k=300))  # can only be memorised
BY_HEART: dict[str, Any] = {
    "hidden_size": 16, "steps": 200, "learning_rate": 0.03, "schedule": "constant",
    "eval_every": 10,
}  # fmt: skip
SMALL: dict[str, Any] = {
    "hidden_size": 8, "num_layers": 1, "seq_length": 8, "batch_size": 4, "steps": 10, "warmup": 2,
    "threads": 1, "dtype": "float32",
}  # fmt: skip


def run(
    text: str = TEXT, *, out: Path | None = None, validation: str | None = None, **given: Any
) -> tuple[Trained, list[Event]]:
    """Run a small training; return the result and the events."""
    if {"epochs", "time"} & given.keys():
        given["steps"] = None
    settings = Settings.make(**{**SMALL, **given})
    events: list[Event] = []
    other = text_corpus(validation, settings.text) if validation else None
    prepared = prepare(text_corpus(text, settings.text), settings, other)
    hooks = Hooks(events.append, make_sample=write_sample)
    with RunDirectory.create(out) if out else contextlib.nullcontext() as directory:
        finished = choose_settings(prepared, settings, None, hooks)
        trained = train_corpus(prepared, finished, RunContext(hooks, directory))
    # whether something is compiled depends on which tests ran before
    return trained, [event for event in events if COMPILING not in str(event)]


def of(kind: type[Any], events: list[Event]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def notes(events: list[Event]) -> str:
    return "\n".join(note.text for note in of(Note, events))


def bits(path: Path) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in safetensors.numpy.load_file(path).items()}


def all_finite(path: Path) -> bool:
    return all(np.isfinite(array).all() for array in safetensors.numpy.load_file(path).values())


@pytest.mark.parametrize("every", [0, 1, 3])
def test_lanes_start_from_the_zero_state_again_in_turn(
    every: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a short run's model has seen that state once, and fails at the start of a text."""
    zero: list[list[bool]] = []
    compute = Engine.loss_and_gradient

    def look(engine: Any, parameters: Any, batch: Any, state: Any, **how: Any) -> Any:
        zero.append([not state[:, :, lane].any() for lane in range(4)])
        return compute(engine, parameters, batch, state, **how)

    monkeypatch.setattr(Engine, "loss_and_gradient", look)
    run(steps=9, restart_every=every)
    warm_up, *steps = zero
    assert all(warm_up)
    for step, lanes in enumerate(steps):
        expected = [step == 0 or (every > 0 and (step + lane) % every == 0) for lane in range(4)]
        assert lanes == expected


# when it ends


def test_a_run_of_steps_takes_as_many() -> None:
    trained, events = run(steps=7)
    assert trained.steps == len(of(Stepped, events)) == 7
    assert of(Started, events) == [Started(0, 7, None)]


@pytest.mark.parametrize(("epochs", "steps"), [(2, 2 * EPOCH), (0.5, 20), (1e-9, 1)])
def test_a_run_of_epochs_takes_the_steps_that_they_need(epochs: float, steps: int) -> None:
    trained, events = run(epochs=epochs)
    assert trained.steps == steps
    assert of(Evaluated, events)[-1].epoch == pytest.approx(steps / EPOCH)


def test_a_run_of_a_time_says_which_and_evaluates_its_last_step() -> None:
    """tests/training/budget/test_budget.py shows, on a simulated clock, that it ends on time."""
    trained, events = run(time="1s")
    assert of(Started, events) == [Started(0, None, 1.0)]
    stepped = of(Stepped, events)
    assert trained.steps == len(stepped) == trained.records[-1].step
    fractions = [event.fraction for event in stepped]
    assert 0 < fractions[0] <= fractions[-1] <= 1


def test_patience_stops_early_and_says_so() -> None:
    trained, events = run(NOISE, patience=3, **BY_HEART)
    assert trained.steps < BY_HEART["steps"]
    assert [record.is_best for record in of(Evaluated, events)][-4:] == [True, False, False, False]
    assert "stopped early: 3 evaluations without a better one" in notes(events)


def test_without_patience_the_run_goes_to_its_end() -> None:
    trained, events = run(NOISE, **BY_HEART)
    assert trained.steps == BY_HEART["steps"]
    assert "stopped early" not in notes(events)


# evaluations


def test_eval_every_sets_the_evaluations_and_the_end_has_one() -> None:
    trained, _ = run(steps=10, eval_every=4)
    assert [record.step for record in trained.records] == [4, 8, 10]


def test_by_default_a_run_has_twenty_evaluations_and_those_at_the_ends_of_epochs() -> None:
    trained, _ = run(steps=100)
    assert [record.step for record in trained.records] == sorted(
        {*range(5, 101, 5), EPOCH, 2 * EPOCH}
    )


def test_where_epochs_are_many_a_run_has_twenty_evaluations_only() -> None:
    trained, _ = run(TEXT[:200], steps=400)
    assert [record.step for record in trained.records] == [*range(20, 401, 20)]


def test_a_run_shorter_than_twenty_steps_evaluates_after_each() -> None:
    trained, _ = run(steps=3)
    assert [record.step for record in trained.records] == [1, 2, 3]


def test_metrics_have_exactly_the_promised_fields(tmp_path: Path) -> None:
    _, events = run(out=tmp_path / "run", eval_every=3)
    records = [
        json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    ]
    for record, event in zip(records, of(Evaluated, events), strict=True):
        assert list(record) == [
            "step", "epoch", "characters", "seconds", "train_loss", "val_loss", "learning_rate",
            "chars_per_second", "gradient_norm", "gradient_norm_max", "gradient_norm_clipped",
            "clipped_share", "crc32",
        ]  # fmt: skip
        del record["crc32"]
        assert record == {name: getattr(event, name) for name in record}


def test_the_training_loss_is_the_mean_since_the_last_evaluation() -> None:
    trained, events = run(steps=10, eval_every=4)
    losses = [event.loss for event in of(Stepped, events)]
    means = [np.mean(losses[0:4]), np.mean(losses[4:8]), np.mean(losses[8:10])]
    # equal batches; only the order of summation differs
    assert [record.train_loss for record in trained.records] == pytest.approx(means, rel=1e-12)


def test_a_record_says_how_much_was_trained_and_at_what_rate() -> None:
    trained, events = run(steps=10, eval_every=5, schedule="constant", learning_rate=0.25)
    first, last = trained.records
    assert (first.characters, last.characters) == (5 * 8 * 4, 10 * 8 * 4)
    assert last.learning_rate == 0.25
    assert 0 < first.seconds < last.seconds
    assert min(first.chars_per_second, last.chars_per_second) > 0
    assert last.characters == of(Stepped, events)[-1].characters


def test_an_epoch_trains_on_each_character_once() -> None:
    trained, _ = run(epochs=1)
    pairs = int(len(TEXT) * 0.9) + 1 - 1
    assert trained.records[-1].characters == pairs - pairs % SMALL["batch_size"]


def test_the_smoothed_loss_follows_the_loss_slowly() -> None:
    _, events = run()
    first, second, *_ = of(Stepped, events)
    assert first.smoothed_loss == first.loss
    assert second.smoothed_loss == pytest.approx(0.99 * first.loss + 0.01 * second.loss)


# events


@pytest.mark.skipif(not HOST.has_bfloat16, reason="this CPU does not multiply bfloat16")
def test_bfloat16_is_chosen_and_reported_where_the_cpu_has_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chosen: list[bool] = []
    make = Engine.__init__

    def look(self: Any, *args: Any, bfloat16: bool = False, **how: Any) -> None:
        chosen.append(bfloat16)
        make(self, *args, bfloat16=bfloat16, **how)

    monkeypatch.setattr(Engine, "__init__", look)
    reported = [notes(run(dtype=dtype)[1]) for dtype in ("auto", "bfloat16", "float32", "float64")]
    assert chosen == [True, True, False, False]
    assert ["products in bfloat16" in each for each in reported] == [True, False, False, False]


def test_events_come_in_order() -> None:
    _, events = run(steps=4, eval_every=2, sample_every=2, val_fraction=0)
    assert [type(event) for event in events] == [
        Note, Started,
        Stepped, Stepped, Evaluated, Sampled,
        Stepped, Stepped, Evaluated, Sampled,
        Finished,
    ]  # fmt: skip


def test_the_finish_tells_what_the_records_hold(tmp_path: Path) -> None:
    trained, events = run(out=tmp_path / "run")
    (finished,) = of(Finished, events)
    best = min(trained.records, key=lambda record: record.val_loss or 0)
    last = trained.records[-1]
    assert (finished.best_loss, finished.best_step) == (best.val_loss, best.step)
    assert (finished.step, finished.characters) == (last.step, last.characters)
    assert finished.directory == tmp_path / "run"
    assert trained.best_loss == best.val_loss


def test_samples_are_reported_when_due_and_are_the_same_when_repeated() -> None:
    first, second = (of(Sampled, run(steps=12, sample_every=5)[1]) for _ in range(2))
    assert [sample.step for sample in first] == [5, 10, 12]
    assert all(len(sample.text) == 200 for sample in first)
    assert first == second


def test_overfitting_is_reported() -> None:
    _, events = run(NOISE, **BY_HEART)
    assert "overfitting: " in notes(events)
    assert f"lowest at step {of(Finished, events)[0].best_step}" in notes(events)


def test_good_learning_is_not_called_overfitting() -> None:
    assert notes(run(steps=60)[1]) == ""


# files


def test_the_best_and_the_last_model_are_kept_apart(tmp_path: Path) -> None:
    trained, events = run(NOISE, out=tmp_path / "run", **BY_HEART)
    best, last = load_model(tmp_path / "run" / BEST), load_model(tmp_path / "run" / LAST)
    assert best.training["step"] == of(Finished, events)[0].best_step < 200
    assert best.training["val_loss"] == trained.best_loss
    assert last.training["step"] == 200
    assert trained.model.parameters.flat.tobytes() == best.parameters.flat.tobytes()


def test_a_run_in_memory_ends_with_the_same_best_model() -> None:
    trained, events = run(NOISE, **BY_HEART)
    assert trained.model.training["step"] == of(Finished, events)[0].best_step < 200


def test_a_model_says_how_it_was_made(tmp_path: Path) -> None:
    run(out=tmp_path / "run")
    summary = load_model(tmp_path / "run" / LAST).training
    record = read_metrics(tmp_path / "run")[-1]
    for name in ("step", "characters", "train_loss", "val_loss"):
        assert summary[name] == record[name]
    assert summary["settings"]["steps"] == 10
    assert summary["text_sha256"] == text_corpus(TEXT, Settings.make().text).sha256


# texts at the edge


def test_without_a_validation_part_the_training_loss_decides(tmp_path: Path) -> None:
    trained, events = run(
        out=tmp_path / "run", val_fraction=0, steps=30, eval_every=1, learning_rate=0.3
    )
    assert all(record.val_loss is None for record in trained.records)
    assert "the training loss decides which model is best" in notes(events)
    best = min(trained.records, key=lambda record: record.train_loss)
    assert best.step < 30
    (finished,) = of(Finished, events)
    assert (finished.best_step, finished.best_loss) == (best.step, best.train_loss)
    assert trained.model.training["step"] == best.step
    assert load_model(tmp_path / "run" / BEST).training["step"] == best.step


def test_a_text_of_two_hundred_characters_trains_in_fewer_lanes_and_says_so() -> None:
    trained, events = run(TEXT[:200], batch_size=32, seq_length=64, steps=30)
    assert "training uses 2 lanes and sequences of 64 characters, not 32 and 64" in notes(events)
    assert trained.records[-1].train_loss < trained.records[0].train_loss


@pytest.mark.parametrize("text", ["ab", "abc", "ab" * 6])
@pytest.mark.parametrize("batching", ["stream", "windows"])
def test_the_shortest_texts_train(text: str, batching: str) -> None:
    trained, _ = run(text, batching=batching)
    assert np.isfinite(trained.best_loss)


def test_a_text_of_one_distinct_character_is_learnt_at_once() -> None:
    trained, _ = run("a" * 300)
    assert trained.best_loss == 0
    assert np.isfinite(trained.model.parameters.flat).all()


@pytest.mark.parametrize("batching", ["stream", "windows"])
def test_one_lane_trains(batching: str) -> None:
    trained, _ = run(batch_size=1, batching=batching, steps=40)
    assert trained.records[-1].train_loss < trained.records[0].train_loss


# repeatability


def test_the_same_run_gives_the_same_bits(tmp_path: Path) -> None:
    for threads in (1, 2):
        for name in ("a", "b"):
            run(out=tmp_path / f"{name}{threads}", dropout=0.2, threads=threads)
        for file in (LAST, BEST):
            assert bits(tmp_path / f"a{threads}" / file) == bits(tmp_path / f"b{threads}" / file)


@pytest.mark.parametrize("settings", [{}, {"batching": "windows"}, {"dropout": 0.2}])
def test_another_seed_gives_other_bits(tmp_path: Path, settings: dict[str, Any]) -> None:
    run(out=tmp_path / "a", seed=1, **settings)
    run(out=tmp_path / "b", seed=2, **settings)
    assert bits(tmp_path / "a" / LAST) != bits(tmp_path / "b" / LAST)


def test_other_units_are_left_out_at_every_step() -> None:
    # one batch again and again, and weights that stay as they are: only dropout makes a difference
    still: dict[str, Any] = {"optimizer": "sgd", "learning_rate": 1e-30, "val_fraction": 0}
    still["lane_starts"] = "fixed"
    for dropout, losses in ((0.0, 1), (0.5, 10)):
        _, events = run(TEXT[:9], batch_size=1, dropout=dropout, **still)
        assert len({event.loss for event in of(Stepped, events)}) == losses


def test_looking_at_a_run_does_not_change_it(tmp_path: Path) -> None:
    run(out=tmp_path / "a")
    run(out=tmp_path / "b", eval_every=1, sample_every=1, patience=10)
    assert bits(tmp_path / "a" / LAST) == bits(tmp_path / "b" / LAST)


@pytest.mark.parametrize("batching", ["stream", "windows"])
def test_nothing_of_the_validation_part_is_trained_on(tmp_path: Path, batching: str) -> None:
    kept = len(TEXT) - int(len(TEXT) * 0.1)
    reversed_end = TEXT[:kept] + TEXT[kept:][::-1]
    settings: dict[str, Any] = {"batching": batching, "epochs": 2.0, "stride": 3}
    one, _ = run(TEXT, out=tmp_path / "a", **settings)
    other, _ = run(reversed_end, out=tmp_path / "b", **settings)
    assert bits(tmp_path / "a" / LAST) == bits(tmp_path / "b" / LAST)
    assert [r.train_loss for r in one.records] == [r.train_loss for r in other.records]
    assert [r.val_loss for r in one.records] != [r.val_loss for r in other.records]


def test_nothing_of_a_validation_text_is_trained_on(tmp_path: Path) -> None:
    run(out=tmp_path / "a", validation=PROSE)
    run(out=tmp_path / "b", validation=PROSE[::-1] + "\N{SNOWMAN}")
    assert bits(tmp_path / "a" / LAST) == bits(tmp_path / "b" / LAST)


def test_a_validation_text_leaves_the_whole_text_to_train_on() -> None:
    trained, _ = run(validation=PROSE, epochs=1)
    pairs = len(TEXT) - 1
    assert trained.records[-1].characters == pairs - pairs % SMALL["batch_size"]


# divergence; rollback is in health/test_rollback.py

HUGE: dict[str, Any] = {
    "optimizer": "sgd", "learning_rate": 1e45, "clip": 0.0, "eval_every": 100,
    "on_divergence": "stop",
}  # fmt: skip
# each step multiplies the weights by -9: finite at first, and checkpoints are written meanwhile
GROWING: dict[str, Any] = {
    "optimizer": "sgd", "learning_rate": 0.025, "weight_decay": 100.0, "clip": 0.0, "warmup": 0,
    "schedule": "constant", "steps": 100, "eval_every": 5, "on_divergence": "stop",
}  # fmt: skip


def test_a_loss_that_is_no_number_stops_with_the_setting_to_change() -> None:
    with pytest.raises(DivergedError) as caught:
        run(**HUGE)
    assert isinstance(caught.value, NextcharError | ArithmeticError)
    assert 1 <= caught.value.step <= 10
    message = str(caught.value)
    assert "\n" not in message
    assert f"at step {caught.value.step}" in message
    assert "lower --learning-rate (now 1e+45) or clip gradients (--clip 1)" in message


def test_a_run_that_clips_is_not_advised_to_clip() -> None:
    with pytest.raises(DivergedError, match=r"lower --learning-rate \(now 1e\+45\)$"):
        run(optimizer="sgd", learning_rate=1e45, clip=1.0)


def test_nothing_is_said_to_be_kept_where_no_checkpoint_was_written(tmp_path: Path) -> None:
    with pytest.raises(DivergedError) as caught:
        run(out=tmp_path / "run", **HUGE)
    assert "kept" not in str(caught.value)
    assert not (tmp_path / "run" / CHECKPOINT).exists()


@pytest.mark.parametrize("val_fraction", [0.1, 0.0])
def test_the_last_good_checkpoint_is_kept(tmp_path: Path, val_fraction: float) -> None:
    with pytest.raises(DivergedError, match="the last good checkpoint is kept") as caught:
        run(out=tmp_path / "run", val_fraction=val_fraction, **GROWING)
    records = read_metrics(tmp_path / "run")
    assert 5 <= records[-1]["step"] <= caught.value.step
    for name in (CHECKPOINT, BEST, LAST):
        assert all_finite(tmp_path / "run" / name)
    assert load_model(tmp_path / "run" / LAST).training["step"] == records[-1]["step"]


def test_weights_that_are_no_numbers_are_never_written(tmp_path: Path) -> None:
    # the loss of the only step is from before its update: it does not depend on the new weights
    with pytest.raises(DivergedError, match="weight"):
        run(out=tmp_path / "run", val_fraction=0, **{**HUGE, "steps": 1})
    assert sorted(path.name for path in (tmp_path / "run").glob("[!.]*")) == [
        "config.toml", "samples.jsonl",  # noise, from before the first step
    ]  # fmt: skip
