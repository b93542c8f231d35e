"""Fine-tuning: a model keeps its knowledge and has room for new characters."""

from __future__ import annotations

import math
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conftest import PROSE
from nextchar import CharRNN
from nextchar.apps.evaluate import evaluate
from nextchar.errors import InterruptedRun, ModelFileError, SettingsError
from nextchar.model.file import LAST, START, Model, load_model, save_model
from nextchar.model.initialise import initialise
from nextchar.model.loss import log_softmax
from nextchar.model.network import forward
from nextchar.model.parameters import Architecture
from nextchar.model.scorer import score
from nextchar.runs.run_files import CONFIG, read_config
from nextchar.settings.config import NetworkSettings, TextSettings
from nextchar.text.corpus import text_corpus
from nextchar.text.vocabulary import Vocabulary
from nextchar.training.events import Event, Note
from nextchar.training.fine_tuning import (
    UNSEEN,
    describe_new_characters,
    extended,
    new_codes,
    set_biases_of_new_characters,
    settings_from,
)
from nextchar.training.run import BaseModel, RunRequest, TextInput, load_base_model, train
from nextchar.training.run_context import Hooks
from nextchar.training.session import Trained

NETWORK: dict[str, Any] = {"hidden_size": 8, "num_layers": 1}
SMALL: dict[str, Any] = {
    "seq_length": 8, "batch_size": 4, "steps": 30, "warmup": 5, "threads": 1, "eval_every": 10,
    "dtype": "float32",
}  # fmt: skip
OTHER = "Ça été écrit ¿où? — 春眠不覺曉\n" * 12
OLD = Vocabulary.of_text(PROSE)


def untrained(vocabulary: Vocabulary = OLD, dtype: Any = np.float32, **network: Any) -> Model:
    """A model with large weights, whose output depends on its input."""
    settings = NetworkSettings(**{**NETWORK, **network})
    parameters = initialise(Architecture(settings, len(vocabulary)), 1, dtype)
    parameters.flat *= 4
    return Model(parameters, vocabulary)


def go(
    text: str, given: dict[str, Any] | None, *, stop: int | None = None, **options: Any
) -> tuple[Trained, list[Event]]:
    """Run a training; return the tuned and the events. given: None resumes a run."""
    events: list[Event] = []
    asked = iter(range(1, 10**6))
    hooks = Hooks(events.append, lambda: next(asked) == stop)
    material = TextInput(lambda how, listener: text_corpus(text, how))
    how: dict[str, Any] = {"resume": True} if given is None else {"preset": "medium"}
    return train(RunRequest(material, given=given or {}, **how, **options), hooks), events


@pytest.fixture(scope="module")
def trained() -> Model:
    return go(PROSE * 8, {**SMALL, **NETWORK})[0].model


# the model with a larger vocabulary


@pytest.mark.parametrize(
    ("cell", "layers", "embedding", "dtype"),
    list(product(["rnn", "lstm", "gru"], [1, 2], ["none", "own", "tied"], ["f4", "f8"])),
)
def test_the_loss_on_the_old_text_stays_where_it_was(
    cell: str, layers: int, embedding: str, dtype: str
) -> None:
    size = {"none": 0, "own": 5, "tied": 8}[embedding]
    model = untrained(
        dtype=dtype, cell=cell, num_layers=layers, embedding_size=size, tied=embedding == "tied"
    )
    vocabulary = OLD.extended(np.array([*range(0x4E00, 0x4E00 + 900), ord("!")]))
    larger = extended(model, vocabulary, dtype)
    before, after = (
        score(parameters, words.encode(PROSE)).nats_per_char
        for parameters, words in [(model.parameters, OLD), (larger, vocabulary)]
    )
    # probability of the new symbols at most, and error of the sum over twenty times as many logits:
    # a few roundings of a loss of about five
    assert after <= before + math.exp(UNSEEN) + 20 * float(np.finfo(dtype).eps)
    assert after != pytest.approx(before, rel=1e-15) or dtype == "f4"  # they exist all the same


def test_what_was_there_stays_to_the_bit() -> None:
    for network in ({}, {"embedding_size": 5}, {"embedding_size": 8, "tied": True}):
        model = untrained(Vocabulary.of_text("bdfh" * 3 + "z", min_count=2), **network)
        vocabulary = model.vocabulary.extended(np.array([ord("a"), ord("e"), ord("z")]))
        larger = extended(model, vocabulary, np.float32)
        kept = [*vocabulary.codes_of_points(model.vocabulary.points), vocabulary.unknown_code]
        old = model.parameters
        for name in old.views:
            whole, part = larger[name], old[name]
            if name in ("embedding", "b_out") or (name == "layer0.W_ih" and not network):
                assert whole[kept].tobytes() == part.tobytes()
            elif name == "W_out":
                assert whole[:, kept].tobytes() == part.tobytes()
            else:
                assert whole.tobytes() == part.tobytes()


def test_a_vocabulary_that_has_it_all_changes_nothing() -> None:
    for model in (untrained(), untrained(Vocabulary(is_bytes=True))):
        same = extended(model, model.vocabulary, np.float32)
        assert same.flat.tobytes() == model.parameters.flat.tobytes()


def test_an_unknown_symbol_may_be_new() -> None:
    vocabulary = OLD.extended(np.array([], np.uint32), has_unknown=True)
    assert vocabulary.unknown_code == len(OLD)
    larger = extended(untrained(), vocabulary, np.float32)
    assert larger["b_out"][-1] < larger["b_out"][:-1].min()


def test_new_symbols_become_as_probable_as_they_are_frequent() -> None:
    text = PROSE[:300].replace("w", "ß") + "ø" * 15
    model, vocabulary = untrained(), OLD.extended(np.array([ord("ß"), ord("ø"), ord("ł")]))
    larger, codes = extended(model, vocabulary, np.float64), vocabulary.encode(text)
    before, new = larger["b_out"].copy(), new_codes(model, vocabulary)
    set_biases_of_new_characters(larger, new, codes)
    assert np.flatnonzero(larger["b_out"] != before).tolist() == new.tolist()
    logits = forward(larger, codes[:, None], larger.zero_state(1))[0]
    mean = np.exp(log_softmax(logits))[:, 0, new].mean(axis=0)
    share = [text.count(chr(point)) / len(text) for point in vocabulary.points[new]]
    # the others lose probability too, and only a part of the text is measured
    assert mean[:2] == pytest.approx(share[:2], rel=0.5)
    assert 0 < mean[2] < 1 / len(text)  # symbols that the text lacks


def test_a_text_shorter_than_what_is_measured_will_do() -> None:
    model, vocabulary = untrained(), OLD.extended(np.array([ord("!")]))
    larger = extended(model, vocabulary, np.float32)
    set_biases_of_new_characters(larger, new_codes(model, vocabulary), vocabulary.encode("a!"))
    assert np.isfinite(larger.flat).all()


def test_what_is_new_is_reported() -> None:
    assert describe_new_characters(OLD, OLD) is None
    assert describe_new_characters(Vocabulary.of_text("a"), Vocabulary.of_text("ab")) == (
        "1 character is new to the model: b; its vocabulary has 2 symbols now"
    )
    many = Vocabulary.of_text("".join(map(chr, range(9, 60))))
    message = describe_new_characters(Vocabulary.of_text("\t"), many)
    assert message
    assert message.startswith(r"50 characters are new to the model: \n \x0b")
    assert "…" in message


# settings


def test_network_and_text_settings_are_the_models() -> None:
    text = TextSettings(normalize="NFC", records="line", min_count=2, encoding="latin-1")
    model = Model(untrained(cell="gru").parameters, OLD, text)
    tuned = settings_from(model, {"learning_rate": 0.1, "cell": None, "hidden_size": 8})
    assert tuned["cell"] == "gru"
    assert (tuned["normalize"], tuned["records"], tuned["min_count"]) == ("NFC", "line", 2)
    assert tuned["learning_rate"] == 0.1
    assert "encoding" not in tuned  # other files may have another one
    assert "dtype" not in tuned
    assert settings_from(model, {"min_count": 1})["min_count"] == 1
    assert settings_from(untrained(dtype=np.float64), {})["dtype"] == "float64"
    assert settings_from(untrained(dtype=np.float64), {"dtype": "float32"})["dtype"] == "float32"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"hidden_size": 9},
            "hidden_size must be 8 as in the model to start from, got 9; leave it out",
        ),
        ({"cell": "gru"}, "cell must be 'lstm' as in the model to start from, got 'gru'"),
        (
            {"alphabet": "bytes"},
            "alphabet must be 'characters' as in the model to start from, got 'bytes'",
        ),
        ({"records": "line"}, "records must be '%%' as in the model to start from, got 'line'"),
    ],
)
def test_what_a_trained_model_cannot_change_is_refused(given: dict[str, Any], message: str) -> None:
    model = Model(untrained().parameters, OLD, TextSettings(records="%%"))
    with pytest.raises(SettingsError, match=message):
        settings_from(model, given)
    assert settings_from(model, {"records": "file"})["records"] == "file"  # ends by the same symbol


# runs


def test_a_run_goes_on_from_a_model_and_learns_what_is_new(trained: Model) -> None:
    tuned, events = go(OTHER, {**SMALL, "steps": 60}, base=BaseModel(trained))
    model = tuned.model
    assert set(OLD.points) < set(model.vocabulary.points)
    assert "春" in model.vocabulary
    assert model.architecture.settings == trained.architecture.settings
    notes = [event.text for event in events if isinstance(event, Note)]
    assert any("characters are new to the model" in note for note in notes)
    (before,) = [note for note in notes if note.startswith("before training: validation")]
    assert tuned.best_loss < float(before.split()[3]) - 1
    assert model.training["source"]["from"] == "a model in memory"


def test_the_first_loss_is_that_of_the_model(trained: Model) -> None:
    _, events = go(PROSE * 8, {**SMALL, "steps": 1}, base=BaseModel(trained))
    (message,) = [e.text for e in events if isinstance(e, Note) and e.text.startswith("before")]
    kept = (PROSE * 8)[-int(len(PROSE * 8) * 0.1) :]
    # printed to the fourth digit
    assert float(message.split()[3]) == pytest.approx(
        evaluate(trained, [kept])[0].nats_per_char, abs=2e-4
    )


@pytest.mark.parametrize("stops", [[1], [3, 12]])
def test_resume_of_such_a_run_gives_the_same_bits_without_the_model(
    trained: Model, tmp_path: Path, stops: list[int]
) -> None:
    save_model(tmp_path / "base.safetensors", trained)
    base = load_base_model(tmp_path / "base.safetensors")
    go(OTHER, SMALL, base=base, out=tmp_path / "whole")
    with pytest.raises(InterruptedRun):
        go(OTHER, SMALL, stop=stops[0], base=base, out=tmp_path / "parts")
    (tmp_path / "base.safetensors").unlink()
    for stop in stops[1:]:
        with pytest.raises(InterruptedRun):
            go(OTHER, None, stop=stop, out=tmp_path / "parts")
    go(OTHER, None, out=tmp_path / "parts")
    whole, parts = (load_model(tmp_path / name / LAST) for name in ("whole", "parts"))
    assert whole.parameters.flat.tobytes() == parts.parameters.flat.tobytes()
    assert whole.vocabulary == parts.vocabulary
    assert read_config(tmp_path / "parts")[1]["from"] == str(tmp_path / "base.safetensors")


def test_a_run_directory_whose_first_model_is_gone_says_so(trained: Model, tmp_path: Path) -> None:
    with pytest.raises(InterruptedRun):
        go(OTHER, SMALL, stop=2, base=BaseModel(trained), out=tmp_path / "run")
    (tmp_path / "run" / START).unlink()
    with pytest.raises(ModelFileError, match=r"start\.safetensors: no such file"):
        go(OTHER, None, out=tmp_path / "run")


def test_what_says_where_a_run_started_is_checked(trained: Model, tmp_path: Path) -> None:
    go(OTHER, {**SMALL, "steps": 1}, base=BaseModel(trained), out=tmp_path / "run")
    config = tmp_path / "run" / CONFIG
    config.write_text(config.read_text().replace('from = "a model in memory"', "from = 3"))
    with pytest.raises(Exception, match=r"source\.from is not a name"):
        read_config(tmp_path / "run")


def test_a_text_that_cannot_be_trained_on_leaves_no_directory(
    trained: Model, tmp_path: Path
) -> None:
    with pytest.raises(Exception, match="at least 2 are needed"):
        go("", SMALL, base=BaseModel(trained), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_records_of_a_delimiter_are_gone_on_from() -> None:
    first = go("one%%two%%three%%" * 20, {**SMALL, **NETWORK, "records": "%%"})[0].model
    tuned = go("four%%five%%six%%" * 20, SMALL, base=BaseModel(first))[0].model
    assert tuned.text.records == "%%"
    assert tuned.end_code == len(tuned.vocabulary) - 1
    plain = go("one two" * 40, {**SMALL, **NETWORK})[0].model
    tuned = go("four%%five%%six%%" * 20, {**SMALL, "records": "%%"}, base=BaseModel(plain))[0].model
    assert tuned.vocabulary.points[tuned.end_code or 0] == 0xFDD0


def test_float64_stays_float64() -> None:
    first = go(PROSE * 8, {**SMALL, **NETWORK, "dtype": "float64"})[0].model
    given = {name: value for name, value in SMALL.items() if name != "dtype"}
    tuned = go(OTHER, {**given, "steps": 1, "learning_rate": 1e-12}, base=BaseModel(first))[0].model
    assert tuned.parameters.dtype == np.float64
    kept = tuned.vocabulary.codes_of_points(OLD.points)
    assert tuned.parameters["W_out"][:, kept] == pytest.approx(first.parameters["W_out"], abs=1e-11)


# CharRNN


def test_fit_starts_from_an_estimator_or_a_file(tmp_path: Path) -> None:
    settings = {**SMALL, **NETWORK, "steps": 5}
    first = CharRNN("medium", **settings).fit(text=PROSE * 8, verbose=False)
    first.save(tmp_path / "first.safetensors")
    tuned = [
        CharRNN("medium", **{**SMALL, "steps": 5}).fit(text=OTHER, start_from=base, verbose=False)
        for base in (first, tmp_path / "first.safetensors", str(tmp_path / "first.safetensors"))
    ]
    flats = {each.model_.parameters.flat.tobytes() for each in tuned}
    assert len(flats) == 1
    assert tuned[0].settings_.network == first.settings_.network
    with pytest.raises(SettingsError, match=r"hidden_size must be 8 .*, got 9"):
        CharRNN(hidden_size=9).fit(text=OTHER, start_from=first, verbose=False)
