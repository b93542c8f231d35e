"""The built wheel, installed into an empty environment outside the checkout, works."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from conftest import PROSE, ROOT
from nextchar.kernels.jit_cache import SUFFIX


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source distribution, and the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_the_wheel_trains_and_generates_in_an_empty_environment(
    built: Path, tmp_path: Path
) -> None:
    venv.create(tmp_path / "env", with_pip=True)
    programs = tmp_path / "env" / ("Scripts" if sys.platform == "win32" else "bin")
    (tmp_path / "prose.txt").write_text(PROSE * 10, encoding="utf-8")

    def run(program: str, *args: object) -> str:
        done = subprocess.run(
            [str(programs / program), *map(str, args)],
            cwd=tmp_path,
            env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            capture_output=True,
            encoding="utf-8",
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    (wheel,) = built.glob("*.whl")
    run("python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel)
    found = run("python", "-c", "import nextchar; print(nextchar.__file__)").strip()
    package = Path(found).parent
    assert package.is_relative_to((tmp_path / "env").resolve())
    take_over_kernels(package)
    run("nextchar", "train", "prose.txt", "--hidden-size", 8, "--num-layers", 1, "--steps", 5)
    assert len(run("nextchar", "generate", "runs/prose", "--length", 50, "--seed", 1)) == 51


def take_over_kernels(package: Path) -> None:
    """Give an installed package what was compiled of the same sources here: it saves a minute."""
    own = ROOT / "src" / "nextchar" / "kernels" / "__pycache__"
    folder = package / "kernels" / "__pycache__"
    folder.mkdir(exist_ok=True)
    for kernel in own.glob(f"*{SUFFIX}"):
        shutil.copy(kernel, folder)


@pytest.mark.slow
def test_the_wheel_is_typed_and_holds_the_package_alone(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert "nextchar/py.typed" in names
    assert {name.split("/")[0].split("-")[0] for name in names} == {"nextchar"}


@pytest.mark.slow
def test_the_source_distribution_holds_tests_and_documentation(built: Path) -> None:
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        names = {name.split("/", 1)[1] for name in tar.getnames() if "/" in name}
    assert {"README.md", "README.zh-CN.md", "LICENSE", "Makefile", "tests/conftest.py"} <= names
