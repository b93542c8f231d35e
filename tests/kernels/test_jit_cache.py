"""Compiled kernels on disk: reused, and compiled again whatever happens to their files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nextchar.kernels.jit_cache import SOURCES, SUFFIX

PROGRAM = """
import numpy as np
from nextchar.kernels.training.activations import apply_exp
from nextchar.kernels.jit import announce_compilation
with announce_compilation(lambda: print("compiling", end=" ")):
    x = np.zeros(3, np.float32)
    apply_exp(x, x)
print(x.tolist())
"""


def run(folder: Path) -> str:
    """Return the output of a process that applies exp to zeros, with its kernels in a folder."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "NUMBA_CACHE_DIR": str(folder)},
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def kept(folder: Path) -> list[Path]:
    return sorted(folder.rglob(f"activations.apply_exp*{SUFFIX}"))


def test_a_kernel_is_compiled_once_and_found_by_the_next_process(tmp_path: Path) -> None:
    assert run(tmp_path) == "compiling [1.0, 1.0, 1.0]"
    assert run(tmp_path) == "[1.0, 1.0, 1.0]"
    (file,) = kept(tmp_path)
    assert SOURCES in file.name


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped", "foreign"])
def test_a_damaged_file_is_compiled_again_and_replaced(tmp_path: Path, damage: str) -> None:
    run(tmp_path)
    (file,) = kept(tmp_path)
    whole = file.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    file.write_bytes(
        {"empty": b"", "cut": whole[:-7], "flipped": bytes(flipped), "foreign": b"x" * 99}[damage]
    )
    assert run(tmp_path) == "compiling [1.0, 1.0, 1.0]"
    assert run(tmp_path) == "[1.0, 1.0, 1.0]"


def test_files_of_other_sources_are_removed(tmp_path: Path) -> None:
    run(tmp_path)
    (file,) = kept(tmp_path)
    old = file.with_name(file.name.replace(SOURCES, "0" * len(SOURCES)))
    file.rename(old)
    assert run(tmp_path) == "compiling [1.0, 1.0, 1.0]"
    assert kept(tmp_path) == [file]


def test_a_folder_that_takes_nothing_only_costs_time(tmp_path: Path) -> None:
    run(tmp_path)
    (file,) = kept(tmp_path)
    file.unlink()
    file.mkdir()  # no file can be written where a folder stands
    for _ in range(2):
        assert run(tmp_path) == "compiling [1.0, 1.0, 1.0]"
