"""The map of docs/design.md, held against what the source files import."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import ROOT

SOURCE = ROOT / "src" / "nextchar"

# a room imports only from rooms before it
LINE = [
    "errors",
    "settings",
    "files",
    "text",
    "formatting",
    "model",
    "kernels",
    "runs",
    "training",
    "distributed",
    "generation",
    "apps",
    "server",
    "callbacks",
    "tuning",
    "api",
    "cli",
]
NEVER = [  # though it stands before them
    ("apps", "training"),
    ("generation", "training"),
    ("server", "training"),
    ("apps", "distributed"),
    ("generation", "distributed"),
    ("server", "distributed"),
]
# which rooms may import what an extra brings
EXTRAS = {
    "apps": ("plot",),
    "cli": ("interactive",),
    "distributed": ("mpi",),
    "callbacks": ("live", "tensorboard"),
    "server": ("serve",),
    "tuning": ("tune",),
}


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        yield ".".join(part for part in parts if part != "__init__"), path


def imported(path: Path) -> Iterator[str]:
    """Absolute names of the modules that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room(module: str) -> str:
    return module.removeprefix("nextchar.").split(".")[0]


INNER = [(name, path) for name, path in modules() if name not in {"", "__main__"}]


def test_every_module_belongs_to_a_room_of_the_map() -> None:
    assert {room(name) for name, _ in INNER} == {*LINE, "reference"}


@pytest.mark.parametrize(("name", "path"), INNER, ids=[name for name, _ in INNER])
def test_a_room_imports_only_from_rooms_before_it(name: str, path: Path) -> None:
    ours = [each for each in imported(path) if each.startswith("nextchar.")]
    if room(name) == "reference":
        assert not ours
        return
    for other in {room(each) for each in ours} & set(LINE):
        assert LINE.index(other) <= LINE.index(room(name)), f"{name} imports {other}"
        assert (room(name), other) not in NEVER, f"{name} imports {other}"


# what others may import of the kernels; all else may change without them
DOOR = {
    "",  # COMPILING
    "engine",
    "decoding.decoder",
    "threads",
    "isa",  # HOST: name and bfloat16
    "jit",  # announce_compilation
    "jit_cache",  # SOURCES: ranks must run the same kernels
    "precision",
}


@pytest.mark.parametrize(
    ("name", "path"),
    [each for each in INNER if room(each[0]) != "kernels"],
    ids=[name for name, _ in INNER if room(name) != "kernels"],
)
def test_nothing_outside_knows_how_the_kernels_work(name: str, path: Path) -> None:
    prefix = "nextchar.kernels"
    modules = {f"nextchar.{each}" for each, _ in INNER}
    inner = {each for each in imported(path) if each.startswith(prefix)} & modules
    assert {each.removeprefix(prefix).removeprefix(".") for each in inner} <= DOOR


def test_no_modules_import_each_other_in_a_circle() -> None:
    names = {f"nextchar.{name}" for name, _ in INNER}
    graph = {
        f"nextchar.{name}": {each for each in imported(path) if each in names}
        - {f"nextchar.{name}"}
        for name, path in INNER
    }
    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, " → ".join([*trail, module])
        if module not in done:
            for each in graph[module]:
                visit(each, (*trail, module))
            done.add(module)

    for module in graph:
        visit(module, ())


def test_only_declared_dependencies_are_imported() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    always = modules_of(project["dependencies"]) | {"nextchar"}
    always |= {"compression"}  # the standard library's, from Python 3.14 on
    for name, path in modules():
        extras = (project["optional-dependencies"][extra] for extra in EXTRAS.get(room(name), ()))
        allowed = always | modules_of([each for extra in extras for each in extra])
        for each in imported(path):
            top = each.split(".")[0]
            assert top in allowed or top in sys.stdlib_module_names, f"{name} imports {top}"


def modules_of(requirements: list[str]) -> set[str]:
    """`["backports.zstd>=1.0"]` → `{"backports"}`: what they are imported as."""
    names = (re.split(r"[^\w.-]", each)[0] for each in requirements)
    return {name.replace("-", "_").split(".")[0] for name in names}


def test_files_are_small_rooms() -> None:
    for name, path in modules():
        lines = len(path.read_text(encoding="utf-8").splitlines())
        assert lines <= 330, f"{name} has {lines} lines; one above 300 is asking to be two"


def test_every_file_opens_with_what_it_is_for() -> None:
    for name, path in modules():
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), name
