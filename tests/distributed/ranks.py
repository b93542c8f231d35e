"""Running programs under mpiexec, that of the environment or of the machine."""

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
    """Return the command that starts ranks, without their number; None if MPI is missing."""
    mpiexec = shutil.which("mpiexec", path=os.pathsep.join([str(Path(sys.executable).parent)]))
    mpiexec = mpiexec or shutil.which("mpiexec")
    try:
        import mpi4py
    except ImportError:
        return None
    if mpiexec is None or mpi4py is None:
        return None
    version = subprocess.run(
        [mpiexec, "--version"], capture_output=True, text=True, check=False
    ).stdout
    return (mpiexec, "--oversubscribe") if is_openmpi(version) else (mpiexec,)


def is_openmpi(version: str) -> bool:
    return "Open MPI" in version or "OpenRTE" in version or "prte" in version.lower()


needs_mpi = pytest.mark.skipif(
    launcher() is None, reason="needs mpi4py and an mpiexec (the extra mpi, and mpich or openmpi)"
)


def environment() -> dict[str, str]:
    """Return an environment that allows more ranks than cores, and root."""
    return {
        **os.environ,
        "PYTHONUTF8": "1",
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    }


def begin(ranks: int, *command: str, folder: Path | None = None) -> subprocess.Popen[str]:
    """Start Python on a number of ranks, without waiting for them."""
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
    """Run Python on a number of ranks; return status, standard output, standard error."""
    process = begin(ranks, *command, folder=folder)
    out, err = process.communicate(timeout=240)
    return process.returncode, out, err


# scenarios of the program that share a start, by number of ranks
TOGETHER = {
    2: ["variants"],
    3: ["variants", "a_number_is_nan", "one_drifts", "others", "on_disk", "sums"],
    4: ["variants", "encoded"],
}


def scenarios(ranks: int, folder: Path) -> None:
    """Run the scenarios that share a start of a number of ranks."""
    status, _, stderr = run(ranks, str(PROGRAM), str(folder), *TOGETHER[ranks])
    assert status == 0, stderr


def train(ranks: int, *args: str, folder: Path | None = None) -> tuple[int, str, str]:
    """Run `nextchar train` on a number of ranks."""
    return run(ranks, "-m", "nextchar", "train", *args, folder=folder)
