"""Running things under mpiexec, that of the environment or of the machine."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PROGRAM = HERE / "program.py"
BAD = 700  # where, from its end, a text for the program has a byte that is no text


@functools.cache
def launcher() -> tuple[str, ...] | None:
    """How to start ranks here, but for their number; None where MPI is lacking."""
    found = shutil.which("mpiexec", path=os.pathsep.join([str(Path(sys.executable).parent)]))
    found = found or shutil.which("mpiexec")
    try:
        import mpi4py
    except ImportError:
        return None
    if found is None or mpi4py is None:
        return None
    told = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout
    return (found, "--oversubscribe") if is_openmpi(told) else (found,)


def is_openmpi(version: str) -> bool:
    return "Open MPI" in version or "OpenRTE" in version or "prte" in version.lower()


needs_mpi = pytest.mark.skipif(
    launcher() is None, reason="needs mpi4py and an mpiexec (the extra mpi, and mpich or openmpi)"
)


def environment() -> dict[str, str]:
    """One in which ranks may be more than cores, and root's."""
    return {
        **os.environ,
        "PYTHONUTF8": "1",
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    }


def begin(ranks: int, *command: str, folder: Path | None = None) -> subprocess.Popen[str]:
    """Start Python on so many ranks; they are not waited for."""
    start = launcher()
    assert start
    return subprocess.Popen(
        [*start, "-n", str(ranks), sys.executable, *command],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        env=environment(),
    )


def run(ranks: int, *command: str, folder: Path | None = None) -> tuple[int, str, str]:
    """Run Python on so many ranks: status, standard output, standard error."""
    process = begin(ranks, *command, folder=folder)
    out, err = process.communicate(timeout=240)
    return process.returncode, out, err


# which scenarios of the program share a start of so many ranks
TOGETHER = {
    2: ["variants"],
    3: ["variants", "a_number_is_nan", "one_drifts", "others", "on_disk", "sums"],
    4: ["variants", "encoded"],
}


def scenarios(ranks: int, folder: Path) -> None:
    """Run what shares a start of so many ranks."""
    status, _, said = run(ranks, str(PROGRAM), str(folder), *TOGETHER[ranks])
    assert status == 0, said


def train(ranks: int, *args: str, folder: Path | None = None) -> tuple[int, str, str]:
    """Run `nextchar train` on so many ranks."""
    return run(ranks, "-m", "nextchar", "train", *args, folder=folder)
