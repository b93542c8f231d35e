"""What many tests share: seeded text, small models, the program as a subprocess."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import numpy as np
import pytest

from browser import browser, complaints, new_page, page  # noqa: F401  (fixtures for all)
from nextchar.kernels import COMPILING
from nextchar.model.file import Model
from nextchar.model.initialise import initialise
from nextchar.model.parameters import Architecture
from nextchar.settings.config import NetworkSettings, TextSettings
from nextchar.text.vocabulary import Vocabulary
from prose import PROSE

if TYPE_CHECKING:
    from serving import Server

ROOT = Path(__file__).parent.parent
SHAKESPEARE = ROOT.parent / "shared" / "data" / "tinyshakespeare.txt"

# shared machines stall: a slow example says nothing about the code
hypothesis.settings.register_profile("nextchar", deadline=None, derandomize=True)
hypothesis.settings.load_profile("nextchar")


# under nohup the programs that tests start would ignore it too; a handler is not handed down
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda number, frame: None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What lies in tests/torture is for `make torture`."""
    for item in items:
        if ROOT / "tests" / "torture" in item.path.parents:
            item.add_marker("torture")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def prose(tmp_path: Path) -> Path:
    """A text file of some 5,000 characters."""
    path = tmp_path / "prose.txt"
    path.write_text(PROSE * 30, encoding="utf-8", newline="")
    return path


@pytest.fixture
def shakespeare() -> Path:
    """Tiny Shakespeare, where ../shared has it."""
    if not SHAKESPEARE.exists():
        pytest.skip("needs tinyshakespeare.txt in ../shared/data, which is not in the repository")
    return SHAKESPEARE


@pytest.fixture
def small_model() -> Model:
    """An untrained LSTM over the characters of PROSE."""
    vocabulary = Vocabulary.of_text(PROSE)
    network = NetworkSettings(hidden_size=16, num_layers=1)
    return Model(initialise(Architecture(network, len(vocabulary)), 1), vocabulary, TextSettings())


@pytest.fixture
def nextchar(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The program, run as a user runs it, in an empty folder.

    What it says of compiling is left out of `stderr`: it depends on which tests ran before.
    """

    def run(*args: object, **options: object) -> subprocess.CompletedProcess[str]:
        done: subprocess.CompletedProcess[str] = subprocess.run(
            [sys.executable, "-m", "nextchar", *map(str, args)],
            cwd=tmp_path,
            capture_output=True,
            encoding="utf-8",
            env={**os.environ, "PYTHONUTF8": "1"},
            timeout=240,
            **options,
        )
        done.stderr = done.stderr.replace(f"note: {COMPILING}\n", "")
        return done

    return run


@pytest.fixture
def bytes_model() -> Model:
    """An untrained GRU over bytes."""
    vocabulary = Vocabulary(is_bytes=True)
    network = NetworkSettings(cell="gru", hidden_size=8, num_layers=1)
    text = TextSettings(alphabet="bytes")
    return Model(initialise(Architecture(network, len(vocabulary)), 1), vocabulary, text)


@pytest.fixture(scope="session")
def served_models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two small model files to serve: `prose`, of characters, and `bytes`."""
    from serving import save_models

    return save_models(tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="session")
def server(served_models: dict[str, Path]) -> Iterator[Server]:
    """`nextchar serve` with both of them, for all tests that need no settings of their own."""
    from serving import served_by_process

    with served_by_process(served_models) as server:
        yield server
