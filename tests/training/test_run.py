"""Runs that are interrupted and resumed: the same bits, and no mixing of two runs."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given as given_by
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from conftest import PROSE
from nextchar.apps.evaluate import evaluate
from nextchar.errors import InterruptedRun, RunError, SettingsError, TextError
from nextchar.model import container
from nextchar.model.file import BEST, LAST, load_model
from nextchar.model.loss import log_softmax
from nextchar.model.network import forward
from nextchar.runs.run_files import CHECKPOINT, CONFIG, METRICS, read_config, read_metrics
from nextchar.settings.presets import PRESETS
from nextchar.text.cache import spooled
from nextchar.text.corpus import text_corpus
from nextchar.text.datasets import load
from nextchar.training.events import Event, Finished, Note, Scored, Started, Stepped
from nextchar.training.run import RunRequest, TextInput, text_from_paths, train
from nextchar.training.run_context import Hooks
from nextchar.training.session import Trained

TEXT = PROSE * 8
NOISE = "".join(random.Random(7).choices("abcde", k=300))  # can only be memorised
SMALL: dict[str, Any] = {
    "hidden_size": 8, "num_layers": 1, "seq_length": 8, "batch_size": 4, "steps": 45, "warmup": 5,
    "threads": 1, "eval_every": 7, "dtype": "float32",
}  # fmt: skip
BY_HEART: dict[str, Any] = {
    **SMALL, "hidden_size": 16, "steps": 200, "learning_rate": 0.03, "schedule": "constant",
}  # fmt: skip
CASES: dict[str, dict[str, Any]] = {
    "stream": {},
    "lanes that begin at the same places": {"lane_starts": "fixed", "dropout": 0.1},
    "windows that overlap": {"batching": "windows", "stride": 3},
    "dropout": {"dropout": 0.3, "num_layers": 2},
    "dropout in windows": {"dropout": 0.3, "batching": "windows"},
    "gru with momentum": {"cell": "gru", "optimizer": "momentum", "learning_rate": 0.1},
    "rnn with adagrad": {"cell": "rnn", "optimizer": "adagrad", "clip_by": "value"},
    "rmsprop, falling in steps": {"optimizer": "rmsprop", "schedule": "step"},
    "adamw with weight decay": {"optimizer": "adamw", "weight_decay": 0.1, "schedule": "linear"},
    "sgd by epochs": {"optimizer": "sgd", "epochs": 1.5, "steps": None, "eval_every": None},
    "tied embedding": {"embedding_size": 8, "tied": True},
    "two threads": {"threads": 2, "dropout": 0.1},
    "float64": {"dtype": "float64"},
    "bytes": {"alphabet": "bytes"},
    "no validation": {"val_fraction": 0.0},
    "patience": {"patience": 2, "learning_rate": 3.0, "schedule": "constant", "eval_every": 2},
    "one lane": {"batch_size": 1, "seq_length": 16},
    "samples": {"sample_every": 10},
    "records": {"records": "line"},
    "records in windows": {"records": "it was", "batching": "windows"},
}


def material(text: str = TEXT) -> TextInput:
    return TextInput(lambda how, listener: text_corpus(text, how))


def stop_after(steps: int | None) -> Callable[[], bool]:
    """Return a function that is called after each step and returns True at this one."""
    asked = 0

    def should_stop() -> bool:
        nonlocal asked
        asked += 1
        return asked == steps

    return should_stop


def go(
    out: Path | None,
    given: dict[str, Any],
    *,
    text: TextInput | None = None,
    stop: int | None = None,
    events: list[Event] | None = None,
    **options: Any,
) -> Trained:
    """Start or resume a run. stop: the number of steps after which it is interrupted."""
    received = [] if events is None else events
    hooks = Hooks(received.append, stop_after(stop))
    return train(RunRequest(text or material(), given=given, out=out, **options), hooks)


def with_interruptions(
    out: Path, given: dict[str, Any], stops: list[int], text: TextInput | None = None
) -> Trained:
    """Run a training that is interrupted several times. stops: steps between interruptions."""
    resume = False
    for stop in stops:
        try:
            return go(out, given, text=text, stop=stop, resume=resume)
        except InterruptedRun:
            resume = True
    return go(out, given, text=text, resume=resume)


def same_tensors(one: Path, other: Path, kind: str = "model") -> bool:
    a, b = (container.read(path, kind)[0] for path in (one, other))
    return a.keys() == b.keys() and all(a[name].tobytes() == b[name].tobytes() for name in a)


def without_clock(record: dict[str, Any]) -> dict[str, Any]:
    clock = {"seconds", "since_seconds", "chars_per_second"}
    return {name: value for name, value in record.items() if name not in clock}


def assert_same_run(one: Path, other: Path) -> None:
    """All files of two runs have the same bits, except for times."""
    assert same_tensors(one / LAST, other / LAST)
    assert same_tensors(one / BEST, other / BEST)
    assert same_tensors(one / CHECKPOINT, other / CHECKPOINT, "checkpoint")
    a, b = (container.read(path / CHECKPOINT, "checkpoint")[1] for path in (one, other))
    assert without_clock(a["progress"]) == without_clock(b["progress"])
    a, b = ([*map(without_clock, read_metrics(path))] for path in (one, other))
    assert a == b


# resume gives the same bits


@pytest.mark.parametrize("case", CASES)
def test_resume_gives_the_same_bits(tmp_path: Path, case: str) -> None:
    given = {**SMALL, **CASES[case]}
    whole = go(tmp_path / "whole", given)
    parts = with_interruptions(tmp_path / "parts", given, [1, 13, 2, 9])
    assert_same_run(tmp_path / "whole", tmp_path / "parts")
    assert parts.model.parameters.flat.tobytes() == whole.model.parameters.flat.tobytes()
    assert (parts.steps, parts.best_loss) == (whole.steps, whole.best_loss)
    assert [r.train_loss for r in parts.records] == [r.train_loss for r in whole.records]


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole") / "run"
    go(out, {**SMALL, "dropout": 0.2})
    return out


@hypothesis_settings(max_examples=12)
@given_by(stops=st.lists(st.integers(1, 44), min_size=1, max_size=5))
def test_resume_gives_the_same_bits_wherever_it_was_stopped(
    whole_run: Path, tmp_path_factory: pytest.TempPathFactory, stops: list[int]
) -> None:
    out = tmp_path_factory.mktemp("parts") / "run"
    with_interruptions(out, {**SMALL, "dropout": 0.2}, stops)
    assert_same_run(whole_run, out)


def test_a_run_killed_before_its_first_checkpoint_starts_over(
    tmp_path: Path, whole_run: Path
) -> None:
    class Killed(BaseException):
        pass

    def kill(event: Event) -> None:
        if isinstance(event, Stepped):
            raise Killed

    given = {**SMALL, "dropout": 0.2}
    out = tmp_path / "run"
    with pytest.raises(Killed):
        train(RunRequest(material(), given=given, out=out), Hooks(kill))
    assert not (out / CHECKPOINT).exists()
    go(out, given, resume=True)
    assert_same_run(whole_run, out)


def test_a_run_killed_between_its_metrics_and_its_checkpoint_repeats_the_evaluation(
    tmp_path: Path, whole_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object) -> None:
        raise KeyboardInterrupt

    given = {**SMALL, "dropout": 0.2}
    out = tmp_path / "run"
    with pytest.raises(InterruptedRun):
        go(out, given, stop=10)
    with monkeypatch.context() as patched:
        patched.setattr("nextchar.training.trainer.save_checkpoint", fail)
        with pytest.raises(KeyboardInterrupt):
            go(out, given, resume=True)
    assert [record["step"] for record in read_metrics(out)] == [7, 14]
    go(out, given, resume=True)
    assert_same_run(whole_run, out)


# interruption


def test_an_interruption_says_how_to_continue(tmp_path: Path) -> None:
    out = tmp_path / "run"
    with pytest.raises(InterruptedRun) as caught:
        go(out, SMALL, stop=5)
    assert f"at step 5, nothing is lost; continue with: nextchar train --out {out} --resume" in str(
        caught.value
    )


def test_a_run_in_memory_is_interrupted_too() -> None:
    with pytest.raises(InterruptedRun, match=r"^interrupted at step 5$"):
        go(None, SMALL, stop=5)


def test_to_stop_after_the_last_step_is_no_interruption(tmp_path: Path) -> None:
    assert go(tmp_path / "run", SMALL, stop=45).steps == 45


# resume


def test_resume_needs_nothing_but_the_directory(
    tmp_path: Path, prose: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given = {**SMALL, "val_fraction": 0.2}
    train(RunRequest(text_from_paths([prose.name]), given=given, out=tmp_path / "whole"))
    with pytest.raises(InterruptedRun):
        go(tmp_path / "parts", given, text=text_from_paths([prose.name]), stop=20)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    train(RunRequest(None, out=tmp_path / "parts", resume=True))
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


def test_resume_finds_the_validation_text_again(tmp_path: Path, prose: Path) -> None:
    other = tmp_path / "validation.txt"
    other.write_text(PROSE[::-1])
    texts: dict[str, Any] = {
        "text": text_from_paths([prose]),
        "validation": text_from_paths([other]),
    }
    go(tmp_path / "whole", SMALL, **texts)
    with pytest.raises(InterruptedRun):
        go(tmp_path / "parts", SMALL, stop=20, **texts)
    train(RunRequest(None, out=tmp_path / "parts", resume=True))
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


def test_a_finished_run_trains_no_further(tmp_path: Path) -> None:
    out = tmp_path / "run"
    first = go(out, SMALL)
    before = {path.name: path.read_bytes() for path in out.glob("[!.]*")}
    events: list[Event] = []
    again = go(out, SMALL, resume=True, events=events)
    assert [type(each) for each in events if not isinstance(each, Note)] == [Started, Finished]
    assert {path.name: path.read_bytes() for path in out.glob("[!.]*")} == before
    assert (again.steps, again.best_loss) == (first.steps, first.best_loss)
    assert again.model.parameters.flat.tobytes() == first.model.parameters.flat.tobytes()


def test_a_run_that_patience_stopped_stays_finished(tmp_path: Path) -> None:
    given = {**BY_HEART, "patience": 2}
    stopped = go(tmp_path / "run", given, text=material(NOISE))
    assert stopped.steps < 200
    for same in (given, {}):
        resumed = go(tmp_path / "run", same, text=material(NOISE), resume=True)
        assert resumed.steps == stopped.steps


@pytest.mark.parametrize("first", [{"steps": 20}, {"epochs": 0.5, "steps": None}])
def test_a_finished_run_can_be_made_longer(tmp_path: Path, first: dict[str, Any]) -> None:
    given = {**SMALL, "schedule": "constant", "warmup": 0, "eval_every": 5}
    whole = go(tmp_path / "whole", given)
    go(tmp_path / "parts", {**given, **first})
    longer = go(tmp_path / "parts", {"steps": 45}, resume=True)
    assert longer.steps == whole.steps == 45
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


def test_a_run_killed_just_after_it_was_made_longer_still_gets_there(tmp_path: Path) -> None:
    def kill(event: Event) -> None:
        if isinstance(event, Started):
            raise KeyboardInterrupt

    out = tmp_path / "run"
    go(out, {**SMALL, "steps": 10})
    with pytest.raises(KeyboardInterrupt):
        train(RunRequest(material(), given={"steps": 20}, out=out, resume=True), Hooks(kill))
    assert go(out, {}, resume=True).steps == 20


def test_a_run_that_patience_stopped_continues_with_more_patience(tmp_path: Path) -> None:
    text = material(NOISE)
    stopped = go(tmp_path / "run", {**BY_HEART, "patience": 2}, text=text)
    resumed = go(tmp_path / "run", {"patience": 100}, text=text, resume=True)
    assert resumed.steps == 200 > stopped.steps


def test_what_a_run_tells_on_the_way_may_change(tmp_path: Path) -> None:
    with pytest.raises(InterruptedRun):
        go(tmp_path / "run", SMALL, stop=8)
    trained = go(tmp_path / "run", {"eval_every": 20, "sample_every": 30}, resume=True)
    assert [record.step for record in trained.records] == [7, 20, 40, 45]
    assert read_config(tmp_path / "run")[0].training.eval_every == 20


def test_the_best_model_of_before_a_resume_is_given_back(tmp_path: Path) -> None:
    out = tmp_path / "run"
    go(out, BY_HEART, text=material(NOISE))
    best = load_model(out / BEST)
    assert best.training["step"] < 200
    trained = go(out, {"steps": 210}, text=material(NOISE), resume=True)
    assert trained.steps == 210
    assert trained.model.parameters.flat.tobytes() == best.parameters.flat.tobytes()


# no mixing of two runs


def test_a_run_is_never_overwritten(tmp_path: Path) -> None:
    go(tmp_path / "run", SMALL)
    before = (tmp_path / "run" / LAST).read_bytes()
    with pytest.raises(RunError, match=r"holds a run already; continue it \(--resume\)") as caught:
        go(tmp_path / "run", {**SMALL, "steps": 2})
    assert str(tmp_path / "run") in str(caught.value)
    assert (tmp_path / "run" / LAST).read_bytes() == before


def test_where_there_is_no_run_none_is_resumed_and_nothing_made(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no run") as caught:
        go(tmp_path / "run", SMALL, resume=True)
    assert str(tmp_path / "run") in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_resume_lists_every_setting_that_differs(tmp_path: Path) -> None:
    go(tmp_path / "run", {**SMALL, "cell": "lstm", "steps": 2})
    other = {**SMALL, "hidden_size": 16, "cell": "gru", "stride": 4, "seq_length": 8.0}
    with pytest.raises(RunError) as caught:
        go(tmp_path / "run", other, resume=True)
    message = str(caught.value)
    assert "--hidden-size was 8, now 16" in message
    assert "--cell was lstm, now gru" in message
    assert "--stride was None, now 4" in message
    assert "--seq-length" not in message
    assert "\n" not in message


CHANGED = [
    ("hidden_size = 8", "hidden_size = 9", "--hidden-size was 8, now 9"),
    ("learning_rate = 0.01", "learning_rate = 0.03", "--learning-rate was 0.01, now 0.03"),
    ('optimizer = "adam"', 'optimizer = "adamw"', "--optimizer was adam, now adamw"),
]


def edit(path: Path, old: str, new: str) -> None:
    """Edit a file by hand."""
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.parametrize(("old", "new", "words"), CHANGED)
def test_settings_changed_in_config_toml_are_distinguished_from_those_of_the_checkpoint(
    tmp_path: Path, old: str, new: str, words: str
) -> None:
    go(tmp_path / "run", {**SMALL, "optimizer": "adam", "steps": 2})
    edit(tmp_path / "run" / CONFIG, old, new)
    with pytest.raises(RunError, match=f"cannot resume with other settings: {words}$"):
        go(tmp_path / "run", {}, resume=True)
    edit(tmp_path / "run" / CONFIG, new, old)
    go(tmp_path / "run", {}, resume=True)


def test_an_end_changed_in_config_toml_holds_and_is_reported(tmp_path: Path) -> None:
    go(tmp_path / "run", {**SMALL, "steps": 4})
    edit(tmp_path / "run" / CONFIG, "steps = 4", "steps = 9")
    events: list[Event] = []
    assert go(tmp_path / "run", {}, resume=True, events=events).steps == 9
    assert Note(f"{CONFIG} was changed since the checkpoint: --steps was 4, now 9") in events
    events.clear()
    go(tmp_path / "run", {"eval_every": 3}, resume=True, events=events)
    go(tmp_path / "run", {"steps": 10}, resume=True, events=events)
    go(tmp_path / "run", {}, resume=True, events=events)
    assert not [each for each in events if isinstance(each, Note) and CONFIG in each.text]


def test_a_checkpoint_of_before_settings_were_kept_in_it_is_gone_on_with(tmp_path: Path) -> None:
    go(tmp_path / "whole", SMALL)
    with pytest.raises(InterruptedRun):
        go(tmp_path / "parts", SMALL, stop=20)
    path = tmp_path / "parts" / CHECKPOINT
    tensors, document = container.read(path, "checkpoint")
    for name in ("format", "kind", "settings"):
        del document[name]
    container.write(path, "checkpoint", tensors, document)
    edit(tmp_path / "parts" / CONFIG, "format = 1\n", "")
    metrics = tmp_path / "parts" / METRICS
    metrics.write_text(re.sub(r', "crc32": "\w+"', "", metrics.read_text()))
    go(tmp_path / "parts", {}, resume=True)
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


def test_metrics_that_lack_evaluations_are_reported(tmp_path: Path) -> None:
    with pytest.raises(InterruptedRun):
        go(tmp_path / "run", SMALL, stop=20)
    (tmp_path / "run" / METRICS).unlink()
    events: list[Event] = []
    trained = go(tmp_path / "run", {}, resume=True, events=events)
    assert Note(f"{METRICS} lacks evaluations that the checkpoint includes") in events
    assert trained.steps == SMALL["steps"]


def test_a_record_of_other_fields_is_reported(tmp_path: Path) -> None:
    go(tmp_path / "run", {**SMALL, "steps": 2})
    (tmp_path / "run" / METRICS).write_text('{"step": 1}\n')
    with pytest.raises(RunError, match=r"metrics.jsonl: cannot be read \(step 1: epoch is None\)"):
        go(tmp_path / "run", {}, resume=True)


def test_what_is_no_text_is_reported_before_training_starts(tmp_path: Path) -> None:
    events: list[Event] = []
    noise = "".join(map(chr, np.random.default_rng(0).integers(0, 256, 3000).tolist()))
    go(None, {**SMALL, "steps": 2}, text=material(noise), events=events)
    received = [each for each in events if not (isinstance(each, Note) and each.is_by_the_way)]
    assert "looks binary or wrongly decoded" in str(received[0])


def test_a_preset_counts_as_the_settings_that_it_gives(tmp_path: Path) -> None:
    go(tmp_path / "run", {**SMALL, "steps": 2})
    hidden_size = PRESETS["small"]["hidden_size"]
    with pytest.raises(RunError, match=f"--hidden-size was 8, now {hidden_size}"):
        train(RunRequest(material(), preset="small", out=tmp_path / "run", resume=True))


@pytest.mark.parametrize("other", [TEXT.replace("worst", "first"), TEXT + "\N{SNOWMAN}" * 200])
def test_resume_on_another_text_says_so(tmp_path: Path, other: str) -> None:
    go(tmp_path / "run", {**SMALL, "steps": 2})
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").glob("[!.]*")}
    how = read_config(tmp_path / "run")[0].text
    with pytest.raises(RunError) as caught:
        go(tmp_path / "run", {}, text=material(other), resume=True)
    was, now = (text_corpus(text, how).sha256[:8] for text in (TEXT, other))
    assert f"was made for another text (sha256 {was}…, now {now}…)" in str(caught.value)
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").glob("[!.]*")} == before


def test_resume_on_another_validation_text_says_so(tmp_path: Path) -> None:
    go(tmp_path / "run", {**SMALL, "steps": 2}, validation=material(PROSE))
    how = read_config(tmp_path / "run")[0].text
    with pytest.raises(RunError, match="another text") as caught:
        go(tmp_path / "run", {}, validation=material(PROSE[::-1]), resume=True)
    for text in (PROSE, PROSE[::-1]):
        assert text_corpus(text, how).sha256[:8] in str(caught.value)


def test_resume_needs_a_directory() -> None:
    with pytest.raises(SettingsError, match="resume needs out"):
        train(RunRequest(material(), resume=True))


def test_a_text_is_needed(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="a text to train on is needed"):
        train(RunRequest(None, out=tmp_path / "run"))


def test_a_run_on_a_text_in_memory_needs_it_again(tmp_path: Path) -> None:
    go(tmp_path / "run", {**SMALL, "steps": 2})
    with pytest.raises(SettingsError, match="text="):
        train(RunRequest(None, out=tmp_path / "run", resume=True))


@pytest.mark.parametrize("name", ["no such file", "x" * 1000, "a\0b"])
def test_a_text_that_is_not_there_is_reported(tmp_path: Path, name: str) -> None:
    with pytest.raises(TextError):
        train(RunRequest(text_from_paths([name]), out=tmp_path / "run"))
    assert not (tmp_path / "run").exists()


# config.toml and notes


def test_the_settings_in_force_are_noted_with_the_threads(tmp_path: Path, prose: Path) -> None:
    given = {name: value for name, value in SMALL.items() if name != "threads"}
    go(tmp_path / "run", {**given, "steps": 2}, text=text_from_paths([prose]))
    settings, source = read_config(tmp_path / "run")
    assert settings.training.threads is not None
    assert settings.network.hidden_size == 8
    assert list(source)[-2:] == ["inputs", "validation"]  # a file without its end lacks them
    assert (source["inputs"], source["validation"]) == ([str(prose.resolve())], [])
    assert source["cores"] >= 1
    assert {path.name for path in (tmp_path / "run").glob("[!.]*")} == {
        CONFIG, METRICS, CHECKPOINT, BEST, LAST,
    }  # fmt: skip


def test_validation_characters_that_training_never_saw_are_counted() -> None:
    events: list[Event] = []
    go(None, {**SMALL, "steps": 2}, validation=material("to be ZZ or not"), events=events)
    (note,) = (each for each in events if isinstance(each, Note) and not each.is_by_the_way)
    assert note.text.startswith("2 characters of the validation part never occur")


def test_the_test_part_is_scored_once_by_the_model_that_is_kept(tmp_path: Path) -> None:
    events: list[Event] = []
    given = {**SMALL, "test_fraction": 0.1}
    request = RunRequest(material(), given=given, out=tmp_path / "run")
    run = train(request, Hooks(events.append))
    (tested,) = (event for event in events if isinstance(event, Scored))
    end = len(TEXT) - int(0.1 * len(TEXT))
    part = TEXT[end - int(0.1 * len(TEXT)) : end]
    score = evaluate(load_model(tmp_path / "run" / BEST), [part])[0]
    assert run.test_loss == tested.loss == pytest.approx(score.nats_per_char, rel=1e-5)
    assert tested.characters == len(part)
    assert isinstance(events[-1], Scored)


def test_without_a_test_part_nothing_is_said_of_it() -> None:
    events: list[Event] = []
    assert train(RunRequest(material(), given=SMALL), Hooks(events.append)).test_loss is None
    assert not [event for event in events if isinstance(event, Scored)]


def test_a_run_ends_with_finite_numbers_of_the_asked_type() -> None:
    for dtype, wanted in (("auto", np.float32), ("float32", np.float32), ("float64", np.float64)):
        flat = go(None, {**SMALL, "steps": 2, "dtype": dtype}).model.parameters.flat
        assert flat.dtype == wanted
        assert np.isfinite(flat).all()


# records


def test_records_on_disk_are_trained_on_and_reported_as_split_by_position(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEXTCHAR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(spooled, "IN_MEMORY", 1000)
    (tmp_path / "list").write_text(TEXT, encoding="utf-8")
    (tmp_path / "val").write_text(PROSE, encoding="utf-8")
    text, val = (text_from_paths([tmp_path / name]) for name in ("list", "val"))
    for batching in ("stream", "windows"):
        given, events = {**SMALL, "records": "line", "batching": batching, "steps": 9}, []
        whole = go(tmp_path / batching, given, text=text, events=events)
        assert [e for e in events if isinstance(e, Note) and "too large for its records" in e.text]
        parts = with_interruptions(tmp_path / f"{batching}-parts", {**given}, [3], text)
        assert parts.model.parameters.flat.tobytes() == whole.model.parameters.flat.tobytes()
        events = []
        go(None, given, text=text, validation=val, events=events)
        assert not [e for e in events if isinstance(e, Note) and "too large" in e.text]


def test_words_of_the_documentation_are_learnt_as_records() -> None:
    words = sorted({word for word in load("pydoc").decode().split() if word.isalpha()})
    text = "\n".join(words)
    given = {
        **SMALL, "cell": "gru", "hidden_size": 32, "steps": 300, "seq_length": 32, "batch_size": 16,
        "records": "line", "eval_every": 100,
    }  # fmt: skip
    model = go(None, given, text=material(text)).model
    assert model.end_code == 0

    def loss(word: str) -> float:
        return evaluate(model, [f"\n{word}\n"])[0].nats_per_char

    sample = words[:: len(words) // 60]
    lists = [[loss(word) for word in texts] for texts in (sample, [w[::-1] for w in sample])]
    assert np.mean(lists[0]) < np.mean(lists[1]) - 0.3  # reversed words are not words
    logits = forward(model.parameters, np.zeros((1, 1), int), model.parameters.zero_state(1))[0]
    assert np.exp(log_softmax(logits))[0, 0, 0] < 0.01  # no record is empty
