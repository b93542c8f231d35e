"""The model file: a loaded model behaves as the saved one, bit for bit."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from nextchar.errors import ModelFileError
from nextchar.model import container
from nextchar.model.file import BEST, LAST, Model, load_model, save_model
from nextchar.model.initialise import initialise
from nextchar.model.network import forward
from nextchar.model.parameters import Architecture
from nextchar.model.scorer import score
from nextchar.settings.config import NetworkSettings, TextSettings
from nextchar.text.vocabulary import Vocabulary

TEXT = "a naïve\ncafé 𝄞 \x00\ufeff"
VOCABULARIES = {
    "characters": Vocabulary.of_text(TEXT),
    "unknown": Vocabulary.of_text(TEXT + "aa", min_count=2),
    "bytes": Vocabulary(is_bytes=True),
}


def make_model(vocabulary=VOCABULARIES["characters"], dtype=np.float32, **network):
    settings = NetworkSettings(**{"hidden_size": 5, "num_layers": 2, **network})
    parameters = initialise(Architecture(settings, len(vocabulary)), 1, dtype)
    text = TextSettings(encoding="latin-1", normalize="NFC")
    return Model(parameters, vocabulary, text, {"loss": 0.1 + 0.2, "step": 7, "when": None})


def loaded(model, tmp_path):
    save_model(tmp_path / "model.safetensors", model)
    return load_model(tmp_path / "model.safetensors")


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("inputs", [{}, {"embedding_size": 3}, {"embedding_size": 5, "tied": True}])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", VOCABULARIES)
def test_what_is_loaded_is_what_was_saved(cell, inputs, dtype, kind, tmp_path):
    model = make_model(VOCABULARIES[kind], dtype, cell=cell, **inputs)
    again = loaded(model, tmp_path)
    assert again.architecture == model.architecture
    assert again.parameters.dtype == model.parameters.dtype
    assert again.parameters.flat.tobytes() == model.parameters.flat.tobytes()
    assert (again.vocabulary, again.text) == (model.vocabulary, model.text)
    assert again.training == model.training


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("kind", VOCABULARIES)
def test_what_is_loaded_behaves_as_what_was_saved(cell, kind, tmp_path):
    model = make_model(VOCABULARIES[kind], cell=cell)
    again = loaded(model, tmp_path)
    text = TEXT.replace("é", "e") * 5
    codes = model.vocabulary.encode(text, unknown="skip")
    np.testing.assert_array_equal(codes, again.vocabulary.encode(text, unknown="skip"))
    assert model.vocabulary.decode(codes) == again.vocabulary.decode(codes)
    state = model.parameters.zero_state(1)
    for one, two in zip(
        forward(model.parameters, codes[:, None], state)[:2],
        forward(again.parameters, codes[:, None], state)[:2],
        strict=True,
    ):
        assert one.tobytes() == two.tobytes()
    assert score(model.parameters, codes) == score(again.parameters, codes)


def test_saving_what_was_loaded_gives_the_same_file(tmp_path):
    again = loaded(make_model(), tmp_path)
    save_model(tmp_path / "again", again)
    assert (tmp_path / "again").read_bytes() == (tmp_path / "model.safetensors").read_bytes()


def test_what_was_loaded_can_be_trained_on(tmp_path):
    again = loaded(make_model(), tmp_path)
    again.parameters.flat += 1
    assert (again.parameters["b_out"] == 1).all()


def test_a_run_directory_means_its_best_model_and_else_its_last(tmp_path):
    best, last = make_model(), dataclasses.replace(make_model(), training={"which": "last"})
    with pytest.raises(ModelFileError, match="is a folder without a model"):
        load_model(tmp_path)
    save_model(tmp_path / LAST, last)
    assert load_model(tmp_path).training == last.training
    save_model(tmp_path / BEST, best)
    assert load_model(tmp_path).training == best.training


def test_a_path_may_be_a_str(tmp_path):
    save_model(str(tmp_path / "x"), make_model())
    assert load_model(str(tmp_path / "x")).architecture == make_model().architecture


def test_a_missing_model_is_one_line(tmp_path):
    with pytest.raises(ModelFileError, match=r"no such file$"):
        load_model(tmp_path / "nothing.safetensors")


def test_a_checkpoint_is_no_model(tmp_path):
    container.write(tmp_path / "x", "checkpoint", {"state": np.zeros(1)}, {})
    with pytest.raises(ModelFileError, match=r"is a checkpoint, not a model$"):
        load_model(tmp_path / "x")


def description(model):
    return {
        "network": dataclasses.asdict(model.architecture.settings),
        "vocabulary": model.vocabulary.to_json(),
        "text": dataclasses.asdict(model.text),
        "training": {},
    }


def refusal(tmp_path, tensors, document):
    path = tmp_path / "x"
    container.write(path, "model", tensors, document)
    with pytest.raises(ModelFileError) as caught:
        load_model(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: is damaged: ")
    assert len(message.splitlines()) == 1
    return message


@pytest.mark.parametrize(
    ("part", "broken"),
    [
        (part, broken)
        for part in ("network", "vocabulary", "text", "training")
        for broken in ("missing", None, 3, "text", [1], {"no such name": 1})
        if not (part == "training" and isinstance(broken, dict))  # a summary may say anything
    ],
)
def test_a_damaged_description_is_one_line_that_names_the_file(part, broken, tmp_path):
    model = make_model()
    document = description(model)
    if broken == "missing":
        del document[part]
    else:
        document[part] = broken
    refusal(tmp_path, model.parameters.views, document)


@pytest.mark.parametrize(
    "change",
    [
        {"cell": "transformer"},
        {"hidden_size": 0},
        {"hidden_size": "5"},
        {"tied": True},
        {"num_layers": 3},
        {"num_layers": 1000},
        {"num_layers": 10**12},
        {"a\r\nb": 1},
        {"hidden_size": 6},
        {"cell": "gru"},
        {"embedding_size": 3},
    ],
)
def test_a_network_that_is_not_that_of_the_tensors_is_damage(change, tmp_path):
    model = make_model()
    document = description(model)
    document["network"] |= change
    refusal(tmp_path, model.parameters.views, document)


@pytest.mark.parametrize("points", [[98, 97], [97, 97], [-1, 97], [97, 0x110000], ["a"], [97]])
def test_a_vocabulary_that_cannot_be_is_damage(points, tmp_path):
    model = make_model()
    document = description(model)
    document["vocabulary"]["points"] = points
    refusal(tmp_path, model.parameters.views, document)


def test_tensors_must_be_all_there_and_no_more(tmp_path):
    model = make_model()
    views = model.parameters.views
    fewer = {name: view for name, view in views.items() if name != "b_out"}
    assert "its tensors" in refusal(tmp_path, fewer, description(model))
    more = {**views, "extra": np.zeros(1, np.float32)}
    assert "its tensors" in refusal(tmp_path, more, description(model))


@pytest.mark.parametrize("dtype", [np.float16, np.int32])
def test_tensors_of_another_type_are_refused(dtype, tmp_path):
    model = make_model()
    tensors = {name: view.astype(dtype) for name, view in model.parameters.views.items()}
    assert "neither float32 nor float64" in refusal(tmp_path, tensors, description(model))


def test_tensors_of_mixed_types_are_refused(tmp_path):
    model = make_model()
    mixed = {**model.parameters.views, "b_out": model.parameters["b_out"].astype(np.float64)}
    assert "neither float32 nor float64" in refusal(tmp_path, mixed, description(model))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_refused(value, tmp_path):
    model = make_model()
    model.parameters["b_out"][-1] = value
    assert "its weights are not finite" in refusal(
        tmp_path, model.parameters.views, description(model)
    )


@pytest.mark.parametrize(
    ("records", "vocabulary", "end"),
    [
        (None, Vocabulary.of_text("a\n\ufdd0"), None),
        ("line", Vocabulary.of_text("\ta\n"), 1),
        ("file", Vocabulary.of_text("a\n\ufdd0"), 2),
        ("%%", Vocabulary.of_text("a\ufdd0\U00010000" * 2, min_count=2), 1),
        ("line", Vocabulary(is_bytes=True), 10),
        (r"\xff", Vocabulary(is_bytes=True), 255),
    ],
)
def test_a_model_of_records_knows_their_boundary(records, vocabulary, end, tmp_path):
    text = TextSettings(records=records, alphabet="bytes" if vocabulary.is_bytes else "characters")
    model = dataclasses.replace(make_model(vocabulary), text=text)
    assert model.end_code == loaded(model, tmp_path).end_code == end


def test_a_model_of_records_without_their_boundary_is_damaged(tmp_path):
    model = dataclasses.replace(make_model(), text=TextSettings(records="file"))
    with pytest.raises(ModelFileError, match="its vocabulary lacks the boundary of its records"):
        loaded(model, tmp_path)
