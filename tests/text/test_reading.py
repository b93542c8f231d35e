"""A large text is the same corpus from memory, from its first encoding and from the cache."""

from __future__ import annotations

import gzip
import io
import os
import random
import signal
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nextchar.errors import TextError
from nextchar.settings.config import Settings, TextSettings
from nextchar.text import sources
from nextchar.text.batches import make_batches
from nextchar.text.cache import block_reader, entry_format, spooled
from nextchar.text.cache.disk_codes import DiskCodes
from nextchar.text.corpus import Corpus, prepare
from nextchar.text.read_callbacks import ReadCallbacks
from nextchar.text.reading import read_corpus

plain = TextSettings()
TEXT = "".join(random.Random(1).choices("abcdefgh éü\n", k=3000)) + "中Ж" + "abc" * 300 + "zzЖ中?"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache folder; every text counts as large."""
    monkeypatch.setenv("NEXTCHAR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(spooled, "IN_MEMORY", 1000)
    monkeypatch.setattr(entry_format, "BLOCK", 64)
    monkeypatch.setattr(block_reader, "BLOCK", 64)
    monkeypatch.setattr(entry_format, "SPAN", 500)
    return tmp_path / "cache" / "texts"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "text").write_text(TEXT, encoding="utf-8", newline="")
    return tmp_path / "text"


def in_memory(path: Path, settings: TextSettings = plain) -> Corpus:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spooled, "IN_MEMORY", 1 << 20)
        corpus = read_corpus([path], settings)
    assert isinstance(corpus.codes, np.ndarray)
    return corpus


def assert_same(one: Corpus, other: Corpus, **given: Any) -> None:
    """Compare everything that a trainer sees."""
    assert one.sha256 == other.sha256
    settings = Settings.make(**given)
    a, b = prepare(one, settings), prepare(other, settings)
    assert (a.vocabulary, a.left_out, a.sha256) == (b.vocabulary, b.left_out, b.sha256)
    assert (a.train.dtype, len(a.train)) == (b.train.dtype, len(b.train))
    assert (a.validation.dtype, len(a.validation)) == (b.validation.dtype, len(b.validation))
    assert np.array_equal(a.validation[:], b.validation[:])
    assert np.array_equal(a.validation[:50], b.validation[:50])
    here, there = (make_batches(each.train, settings.training) for each in (a, b))
    assert here.steps_per_epoch == there.steps_per_epoch
    for step in range(here.steps_per_epoch + 2):
        x, y = here.at(step), there.at(step)
        assert np.array_equal(x.inputs, y.inputs)
        assert np.array_equal(x.targets, y.targets)
        assert (x.fresh, x.inputs.dtype) == (y.fresh, y.inputs.dtype)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"batching": "windows", "stride": 5},
        {"min_count": 3},
        {"val_fraction": 0.0},
        {"val_fraction": 0.5, "batch_size": 7},
        {"alphabet": "bytes"},
        {"normalize": "NFD"},
    ],
    ids=str,
)
def test_training_sees_the_same_from_disk(given: dict[str, Any], folder: Path, path: Path) -> None:
    given = {"batch_size": 5, "seq_length": 11, **given}
    settings = Settings.make(**given).text
    first, second = read_corpus([path], settings), read_corpus([path], settings)
    assert isinstance(first.codes, DiskCodes)
    assert len(list(folder.iterdir())) == 1
    for corpus in first, second:
        assert_same(in_memory(path, settings), corpus, **given)


def test_a_validation_text_may_be_on_disk_too(folder: Path, path: Path, tmp_path: Path) -> None:
    (tmp_path / "other").write_text(TEXT[::-1] + "unseen!!", encoding="utf-8")
    settings = Settings.make()
    made = prepare(read_corpus([path], plain), settings, read_corpus([tmp_path / "other"], plain))
    same = prepare(in_memory(path), settings, in_memory(tmp_path / "other"))
    assert np.array_equal(made.validation[:], same.validation[:])
    assert (made.left_out, made.sha256) == (same.left_out, same.sha256)


def test_the_second_start_reads_nothing(folder: Path, path: Path) -> None:
    read_corpus([path], plain)
    reports: list[int] = []
    read_corpus([path], plain, ReadCallbacks(encoding=lambda done, total: reports.append(done)))
    assert reports == []


def test_progress_is_reported_to_the_end(folder: Path, path: Path) -> None:
    reports: list[tuple[int, int | None]] = []
    read_corpus(
        [path], plain, ReadCallbacks(encoding=lambda done, total: reports.append((done, total)))
    )
    size = path.stat().st_size
    assert reports[-1] == (size, size)


def test_a_small_text_touches_no_disk(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "small").write_text("abc" * 100)
    assert isinstance(read_corpus([tmp_path / "small"], plain).codes, np.ndarray)
    assert not folder.exists()


def test_a_changed_file_is_encoded_anew(folder: Path, path: Path) -> None:
    before = read_corpus([path], plain)
    path.write_text(TEXT.replace("abc", "cba"), encoding="utf-8", newline="")
    after = read_corpus([path], plain)
    assert after.sha256 != before.sha256
    assert_same(in_memory(path), after)
    assert len(list(folder.iterdir())) == 1  # the entry of the old state was removed


def test_a_file_that_changes_while_it_is_read_is_not_kept(folder: Path, path: Path) -> None:
    def change(done: int, total: int | None) -> None:
        os.utime(path, (1, 1))

    assert isinstance(read_corpus([path], plain, ReadCallbacks(encoding=change)).codes, DiskCodes)
    assert list(folder.iterdir()) == []


def test_a_compressed_text_is_cached_too(folder: Path, path: Path, tmp_path: Path) -> None:
    (tmp_path / "text.gz").write_bytes(gzip.compress(path.read_bytes()))
    reports: list[int | None] = []
    corpus = read_corpus(
        [tmp_path / "text.gz"],
        plain,
        ReadCallbacks(encoding=lambda done, total: reports.append(total)),
    )
    assert_same(in_memory(path), corpus)
    assert set(reports) == {None}  # its size is not that of the text
    assert len(list(folder.iterdir())) == 1


def test_standard_input_goes_to_disk_once_it_is_large_and_leaves_nothing(
    folder: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(buffer=io.BytesIO(path.read_bytes())))
    corpus = read_corpus(["-"], plain)
    assert isinstance(corpus.codes, DiskCodes)
    assert_same(in_memory(path), corpus)
    assert list(folder.iterdir()) == []


def test_many_small_files_are_one_large_one(folder: Path, tmp_path: Path, path: Path) -> None:
    parts = tmp_path / "parts"
    parts.mkdir()
    for number in random.Random(4).sample(range(2000), 2000):
        (parts / f"{number:04d}").write_text(f"{number:04d} é\n", encoding="utf-8", newline="")
    corpus = read_corpus([parts], plain)
    text = "".join(f"{number:04d} é\n" for number in range(2000))
    path.write_text(text, encoding="utf-8", newline="")
    assert_same(in_memory(path), corpus)
    assert_same(in_memory(path), read_corpus([parts], plain))
    assert len(list(folder.iterdir())) == 1


def test_a_file_that_cannot_be_decoded_leaves_nothing(
    folder: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "PIECE", 500)
    path.write_bytes(TEXT.encode() + b"\xff")
    with pytest.raises(TextError, match="not utf-8"):
        read_corpus([path], plain)
    assert list(folder.iterdir()) == []


# damage


@pytest.fixture
def entry(folder: Path, path: Path) -> Path:
    read_corpus([path], plain)
    (only,) = folder.iterdir()
    return only


def notes_of(path: Path, memory: Corpus) -> list[str]:
    """The notes while the text is read and every batch is built; the batches must be right."""
    notes: list[str] = []
    assert_same(memory, read_corpus([path], plain, ReadCallbacks(notes.append)), val_fraction=0.3)
    return notes


@pytest.mark.parametrize("count", [60, pytest.param(3000, marks=pytest.mark.torture)])
def test_whatever_byte_flips_the_codes_are_the_same(count: int, entry: Path, path: Path) -> None:
    data, chance, memory = entry.read_bytes(), random.Random(count), in_memory(path)
    reports = 0
    for place in chance.choices(range(len(data)), k=count):
        changed = bytearray(data)
        changed[place] ^= 1 << chance.randrange(8)
        entry.write_bytes(bytes(changed))
        notes = notes_of(path, memory)
        reports += len(notes)
        assert all("is damaged" in note and "again" in note for note in notes)
        assert entry.read_bytes() == data  # whole again
    assert reports == count


def test_wherever_the_entry_is_cut_off_it_is_made_anew(entry: Path, path: Path) -> None:
    data, chance, memory = entry.read_bytes(), random.Random(3), in_memory(path)
    for length in [0, 1, len(data) - 1, *chance.sample(range(len(data)), 10)]:
        entry.write_bytes(data[:length])
        assert len(notes_of(path, memory)) == 1
        assert entry.read_bytes() == data


def test_damage_in_a_text_that_changed_since_is_an_error(entry: Path, path: Path) -> None:
    corpus = read_corpus([path], plain)
    entry.write_bytes(bytes(100) + entry.read_bytes()[100:])
    path.write_text("other " * 500)
    with pytest.raises(TextError, match="is damaged, and the text itself has changed"):
        corpus.codes[:200]


# other processes

LARGE = 20_000_000  # bytes: above the real limit
STALL = """
import sys, time
from nextchar.settings.config import TextSettings
from nextchar.text.reading import read_corpus
from nextchar.text.read_callbacks import ReadCallbacks
def stall(done, total):
    if done > total // 2:
        print("half", flush=True)
        time.sleep(100)
read_corpus([sys.argv[1]], TextSettings(), ReadCallbacks(encoding=stall))
"""
ENCODE = """
import sys
from nextchar.settings.config import TextSettings
from nextchar.text.reading import read_corpus
print("ready", flush=True)
sys.stdin.readline()
corpus = read_corpus([sys.argv[1]], TextSettings())
print(corpus.sha256, len(corpus.codes), corpus.codes[19_000_000:19_000_010].tolist(), flush=True)
"""
FULL = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, 3_000_000))
from nextchar.cli.main import run
sys.exit(run(["train", sys.argv[1], "--steps", "1", "--out", "run"]))
"""


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NEXTCHAR_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "large.txt"
    path.write_bytes((TEXT.encode() * (LARGE // len(TEXT) + 1))[: LARGE - 1] + b"\n")
    return path


def process(code: str, path: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, str(path)],
        cwd=path.parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


def test_an_encoding_that_was_killed_starts_again_and_is_cleaned_up(
    large: Path, tmp_path: Path
) -> None:
    victim = process(STALL, large)
    assert victim.stdout is not None
    assert victim.stdout.readline() == "half\n"
    victim.kill()
    victim.communicate()
    (left,) = (tmp_path / "cache" / "texts").iterdir()
    assert left.name.endswith(".tmp")
    corpus = read_corpus([large], plain)
    assert [each.suffix for each in (tmp_path / "cache" / "texts").iterdir()] == [".codes"]
    text = large.read_text(encoding="utf-8")
    assert len(corpus.codes) == len(text)
    assert "".join(map(chr, corpus.points[corpus.codes[-5000:]])) == text[-5000:]


def test_two_processes_encode_the_same_text_at_once(large: Path, tmp_path: Path) -> None:
    both = [process(ENCODE, large) for _ in range(2)]
    for each in both:
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n"
    for each in both:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()
    said = [each.communicate() for each in both]
    assert [each.returncode for each in both] == [0, 0], said
    assert said[0][0] == said[1][0]
    assert [each.suffix for each in (tmp_path / "cache" / "texts").iterdir()] == [".codes"]
    again = process(ENCODE, large)
    assert again.communicate("go\n")[0] == "ready\n" + said[0][0]


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="no limit on the size of files here")
def test_a_full_disk_is_one_line_and_leaves_nothing(large: Path, tmp_path: Path) -> None:
    done = process(FULL, large)
    _, said = done.communicate()
    assert done.returncode == 1
    where = tmp_path / "cache" / "texts"
    assert said == (
        f"nextchar: {where}: the encoded text cannot be written there (File too large); free some "
        "space, or name another folder in the environment variable NEXTCHAR_CACHE\n"
    )
    assert list(where.iterdir()) == []
    assert not (tmp_path / "run").exists()
