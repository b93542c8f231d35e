"""Records seen in training: exactly those, and only if the text is unchanged."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from nextchar.apps.memorisation.seen_records import records_seen
from nextchar.errors import SettingsError, TextError
from nextchar.model.file import Model, load_model
from nextchar.settings.config import TextSettings
from nextchar.text import sources
from nextchar.text.vocabulary import Vocabulary
from nextchar.training.run import RunRequest, text_from_paths, train

NAMES = ["Anna", "Berta", "Zoë", "Jose\u0301"]
SMALL: dict[str, Any] = {
    "cell": "gru", "hidden_size": 4, "num_layers": 1, "steps": 1, "batch_size": 2, "seq_length": 4,
    "threads": 1, "dtype": "float32",
}  # fmt: skip


def trained(*paths: str, **settings: Any) -> Model:
    return train(
        RunRequest(text_from_paths(paths), preset="medium", given={**SMALL, **settings})
    ).model


@pytest.fixture
def names(tmp_path: Path) -> Path:
    path = tmp_path / "names.txt"
    path.write_text("\r\n".join(NAMES) + "\r\n\r\n", encoding="utf-8", newline="")
    return path


def test_the_records_of_the_training_text_are_seen(names: Path) -> None:
    model = trained(str(names), records="line", normalize="NFC")
    candidates = ["Anna", "Ann", "nna", "Zoë", "Zoe\u0308", "José", "", "Carl", "A" * 99]
    assert records_seen(model, candidates) == {"Anna", "Zoë", "Zoe\u0308", "José"}
    assert records_seen(model, []) == set()


@pytest.mark.parametrize("piece", [1, 3, 7, 1 << 20])
def test_they_are_seen_however_the_text_is_cut(
    names: Path, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = trained(str(names), records="line")
    monkeypatch.setattr(sources, "PIECE", piece)
    assert records_seen(model, [*NAMES, "a\nB", "Bertha"]) == set(NAMES)


def test_records_of_bytes_and_of_files_are_seen(names: Path, tmp_path: Path) -> None:
    model = trained(str(names), records="line", alphabet="bytes")
    assert records_seen(model, ["Zoë", "Zo"]) == {"Zoë"}
    (tmp_path / "poems").mkdir()
    for number in range(3):
        (tmp_path / "poems" / f"{number}").write_text(f"poem {number}\nits end\n")
    model = trained(str(tmp_path / "poems"), records="file", val_fraction=0)
    assert records_seen(model, ["poem 1\nits end", "poem 1"]) == {"poem 1\nits end"}


def test_a_separate_validation_text_changes_nothing(names: Path, tmp_path: Path) -> None:
    (tmp_path / "val").write_text("Bert\nTanna\n")
    made = train(
        RunRequest(
            text_from_paths([str(names)]),
            preset="medium",
            given={**SMALL, "records": "line"},
            validation=text_from_paths([str(tmp_path / "val")]),
            out=tmp_path / "run",
        )
    )
    assert records_seen(made.model, ["Anna", "Bert"]) == {"Anna"}
    assert records_seen(load_model(tmp_path / "run"), ["Anna", "Bert"]) == {"Anna"}


def test_a_text_that_is_gone_or_another_is_refused(names: Path, tmp_path: Path) -> None:
    model = trained(str(names), records="line")
    copy = tmp_path / "copy.txt"
    copy.write_bytes(names.read_bytes())
    names.write_text("Anna\nBerta\n")
    with pytest.raises(TextError, match=r"no longer the text .* --training-text FILE"):
        records_seen(model, ["Anna"])
    names.unlink()
    with pytest.raises(TextError, match=r"no such file .* --training-text FILE"):
        records_seen(model, ["Anna"])
    assert records_seen(model, ["Anna", "Carl"], [str(copy)]) == {"Anna"}
    copy.write_text("Carl")
    assert records_seen(model, ["Anna", "Carl"], [str(copy)]) == {"Carl"}


def test_a_text_that_was_no_file_cannot_be_looked_in(names: Path) -> None:
    model = trained(str(names), records="line")
    for source in ({}, {"inputs": []}, {"inputs": ["-"]}, {"inputs": "x"}, [], None):
        other = Model(model.parameters, model.vocabulary, model.text, {"source": source})
        with pytest.raises(TextError, match=r"does not record where .* --training-text FILE"):
            records_seen(other, ["Anna"])
        assert records_seen(other, ["Anna"], [str(names)]) == {"Anna"}


def test_a_model_of_no_records_is_refused(small_model: Model) -> None:
    with pytest.raises(SettingsError, match=r"not trained on records.*--records"):
        records_seen(small_model, ["a"])


def test_memory_does_not_grow_with_the_text(tmp_path: Path, small_model: Model) -> None:
    path = tmp_path / "large"
    with path.open("w") as file:
        for first in range(0, 2_000_000, 1000):
            file.write("".join(f"{number:09d}\n" for number in range(first, first + 1000)))
        file.write("x" * 20_000_000)  # a long record
    model = Model(
        small_model.parameters, Vocabulary.of_text("\n"), TextSettings(records="line")
    )  # only the text settings matter
    tracemalloc.start()
    seen = records_seen(model, ["000123456", "1000000"], [str(path)])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert seen == {"000123456"}
    # two pieces of 1 MiB as records of 10 characters, 60 bytes each; the text has 40 MB
    assert peak < 20_000_000
