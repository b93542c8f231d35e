"""What a fresh pair of eyes stumbled over, each one a test."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from nextchar import CharRNN, SettingsError
from nextchar.settings.config import TextSettings
from nextchar.text.sources import find_sources

Program = Callable[..., "subprocess.CompletedProcess[str]"]
TINY = ("--hidden-size", 8, "--num-layers", 1, "--steps", 3, "--threads", 1, "--quiet")


def test_a_folder_of_sources_with_binaries_among_them_just_works(
    nextchar: Program, tmp_path: Path
) -> None:
    folder = tmp_path / "package"
    (folder / "__pycache__").mkdir(parents=True)
    (folder / "a.py").write_text("print('hello')\n" * 50)
    (folder / "logo.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    (folder / "__pycache__" / "a.pyc").write_bytes(b"\xcb\r\r\n\0\0\0\0\xff\xfe")
    assert [Path(source.name).name for source in find_sources([folder], TextSettings())] == ["a.py"]
    for out in ("a", "b"):  # the second time the first run's models lie there too
        done = nextchar("train", folder, "--out", folder / out, *TINY)
        assert done.returncode == 0, done.stderr


def test_a_pattern_that_was_given_means_what_it_says(tmp_path: Path) -> None:
    (tmp_path / "x.bin").write_bytes(b"\0\1")
    names = [s.name for s in find_sources([tmp_path], TextSettings(pattern="*.bin"))]
    assert [Path(name).name for name in names] == ["x.bin"]


def test_a_run_from_standard_input_says_how_to_resume_it(nextchar: Program) -> None:
    text = "to be or not to be\n" * 40
    assert nextchar("train", "-", "--out", "run", *TINY, input=text).returncode == 0
    refused = nextchar("train", "--out", "run", "--resume", "--steps", 5)
    assert refused.returncode == 1
    assert "give the same text again: nextchar train - --out run --resume" in refused.stderr
    args = ("train", "-", "--out", "run", "--resume", "--steps", 5, "--quiet")
    assert nextchar(*args, input=text).returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("command", ["generate", "info"])
def test_a_full_disk_under_standard_output_is_told_in_a_line(
    command: str, nextchar: Program, prose: Path, tmp_path: Path
) -> None:
    assert nextchar("train", prose, "--out", "run", *TINY).returncode == 0
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "nextchar", command, "run"],
            cwd=tmp_path,
            stdout=full,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "No space left on device" in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="Windows has no head")
def test_the_seed_of_a_text_that_was_cut_off_is_told(
    nextchar: Program, prose: Path, tmp_path: Path
) -> None:
    assert nextchar("train", prose, "--out", "run", *TINY).returncode == 0
    command = f"{sys.executable} -m nextchar generate run --length 5000 --seed 7 | head -c 9"
    done = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, capture_output=True, encoding="utf-8"
    )
    assert "seed 7" in done.stderr


def test_a_name_too_long_for_a_file_is_told_in_a_line(nextchar: Program) -> None:
    done = nextchar("train", "a" * 300)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_the_reference_without_a_file_says_how_it_is_called() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "nextchar.reference"], capture_output=True, encoding="utf-8"
    )
    assert done.returncode == 1
    assert done.stderr == "usage: python -m nextchar.reference FILE [rnn|lstm]\n"


@pytest.mark.parametrize("options", [{"seed": -1}, {"seed": "a"}, {"unknown": "skp"}])
def test_options_of_generate_are_validated_in_python_too(options: dict[str, object]) -> None:
    model = CharRNN(hidden_size=8, num_layers=1, steps=2).fit(text="ab" * 50, verbose=False)
    with pytest.raises(SettingsError, match=next(iter(options))):
        model.generate("a", length=3, **options)


def test_minus_one_switches_top_k_off_as_elsewhere() -> None:
    model = CharRNN(hidden_size=8, num_layers=1, steps=2).fit(text="ab" * 50, verbose=False)
    off, minus = (model.generate("a", length=30, seed=1, top_k=k) for k in (0, -1))
    assert off == minus
