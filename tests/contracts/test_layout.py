"""The layout: sizes of files, functions and packages, maps of packages, names, paths in prose."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import ROOT

SOURCE = ROOT / "src" / "nextchar"
FILES = sorted(SOURCE.rglob("*.py"))
PACKAGES = sorted(path.parent for path in SOURCE.rglob("__init__.py"))

MOST_LINES = 300
MOST_MODULES = 15
MOST_FUNCTION_LINES = 40
MOST_ARGUMENTS = 8
MOST_KERNEL_ARGUMENTS = 12

# functions that must be longer than 40 lines, each with its reason
LONG_FUNCTIONS: dict[str, str] = {}
# functions that must take more arguments, each with its reason
MANY_ARGUMENTS = {
    "tuning/tune.py:tune": "the public function behind `nextchar tune`: a keyword an option",
}


def name_of(path: Path) -> str:
    return str(path.relative_to(SOURCE))


def functions(path: Path) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """`Class.method` or `function`, and its node, wherever it is defined in a file."""

    def visit(node: ast.AST, prefix: str) -> Iterator[tuple[str, ast.FunctionDef]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{prefix}{child.name}", child  # type: ignore[misc]
                yield from visit(child, f"{prefix}{child.name}.")
            elif isinstance(child, ast.ClassDef):
                yield from visit(child, f"{prefix}{child.name}.")
            else:
                yield from visit(child, prefix)

    yield from visit(ast.parse(path.read_text(encoding="utf-8")), "")


def code_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its docstring."""
    first = node.body[0]
    has_docstring = ast.get_docstring(node, clean=False) is not None
    docstring = (first.end_lineno or 0) - first.lineno + 1 if has_docstring else 0
    return (node.end_lineno or 0) - node.lineno + 1 - docstring


def is_kernel(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(
        word in ast.unparse(each)
        for each in node.decorator_list
        for word in ("kernel", "intrinsic")
    )


def arguments(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    names = [each.arg for each in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
    return len([name for name in names if name not in {"self", "cls"}])


ALL = [(f"{name_of(path)}:{name}", node) for path in FILES for name, node in functions(path)]


def test_a_file_has_at_most_300_lines() -> None:
    counts = {name_of(path): len(path.read_text("utf-8").splitlines()) for path in FILES}
    assert {name: count for name, count in counts.items() if count > MOST_LINES} == {}


def test_a_function_has_at_most_40_lines_or_a_reason() -> None:
    long = {name: code_lines(node) for name, node in ALL if code_lines(node) > MOST_FUNCTION_LINES}
    assert {name: lines for name, lines in long.items() if name not in LONG_FUNCTIONS} == {}
    assert set(LONG_FUNCTIONS) <= set(long), "shorter now: take it out of the list"


def test_a_function_takes_at_most_8_arguments_a_kernel_12() -> None:
    many = {
        name: arguments(node)
        for name, node in ALL
        if arguments(node) > (MOST_KERNEL_ARGUMENTS if is_kernel(node) else MOST_ARGUMENTS)
    }
    assert {name: count for name, count in many.items() if name not in MANY_ARGUMENTS} == {}
    assert set(MANY_ARGUMENTS) <= set(many), "fewer now: take it out of the list"


def test_a_package_has_at_most_15_modules() -> None:
    counts = {name_of(package): len(list(package.glob("*.py"))) - 1 for package in PACKAGES}
    assert {name: count for name, count in counts.items() if count > MOST_MODULES} == {}


@pytest.mark.parametrize("package", PACKAGES[1:], ids=[name_of(each) for each in PACKAGES[1:]])
def test_the_docstring_of_a_package_lists_exactly_what_is_in_it(package: Path) -> None:
    docstring = ast.get_docstring(ast.parse((package / "__init__.py").read_text("utf-8"))) or ""
    listed = re.findall(r"^ {4}(\w+(?:\.py|/)) {2,}\S", docstring, re.MULTILINE)
    modules = [path.name for path in package.glob("*.py") if path.name != "__init__.py"]
    packages = [f"{path.parent.name}/" for path in package.glob("*/__init__.py")]
    assert sorted(listed) == sorted(modules + packages)


def test_no_file_name_stands_for_two_things() -> None:
    """A kernel may have the name of its readable twin: they are one thing, said twice."""
    homes = defaultdict(list)
    for path in FILES:
        if path.name not in {"__init__.py", "__main__.py"} and "kernels" not in path.parts:
            homes[path.stem].append(name_of(path))
    assert {stem: paths for stem, paths in homes.items() if len(paths) > 1} == {}


def test_no_class_name_stands_for_two_things() -> None:
    homes = defaultdict(list)
    for path in FILES:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                homes[node.name].append(name_of(path))
    assert {name: paths for name, paths in homes.items() if len(paths) > 1} == {}


# paths in prose

PROSE = [
    *FILES,
    *(path for path in (ROOT / "tests").rglob("*.py") if path != Path(__file__)),
    *(ROOT / "docs").glob("*.md"),
    *ROOT.glob("*.md"),
]
ROOTS = [ROOT, SOURCE, ROOT / "src", ROOT / "tests", ROOT / "docs"]


def prose_of(path: Path) -> str:
    """Docstrings and comments of a Python file, all of another one."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        return text
    nodes = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = [
        ast.get_docstring(node) or ""
        for node in ast.walk(ast.parse(text))
        if isinstance(node, nodes)
    ]
    comments = re.findall(r"(?:^|\s)# (.*)$", text, re.MULTILINE)
    return "\n".join([*docstrings, *comments])


def exists(name: str, beside: Path) -> bool:
    return any((root / name).exists() for root in (*beside.parents, *ROOTS))


MODULE_NAMES = {
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
    for path in FILES
}
# `model` and `settings` are also the names of objects, whose attributes are not modules
TOP = {name.split(".")[0] for name in MODULE_NAMES} - {"model", "settings"}


def is_name_of_ours(dotted: str) -> bool:
    """`model.scorer`, `kernels.engine.Engine`: a module, or something that its file defines."""
    parts = dotted.split(".")
    for cut in range(len(parts), 0, -1):
        module = ".".join(parts[:cut])
        if module in MODULE_NAMES:
            rest = parts[cut:]
            path = SOURCE.joinpath(*module.split("."))
            file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
            return not rest or re.search(rf"\b{rest[0]}\b", file.read_text("utf-8")) is not None
    return False


@pytest.mark.parametrize("path", PROSE, ids=[str(each.relative_to(ROOT)) for each in PROSE])
def test_paths_and_modules_named_in_prose_exist(path: Path) -> None:
    prose = prose_of(path)
    files = re.findall(r"(?<![\w/.*{<-])((?:[a-z_]+/)+[a-z_]\w*\.(?:py|js|css|md))\b", prose)
    missing = [name for name in files if not exists(name, path)]
    dotted = re.findall(r"`((?:nextchar\.)?[a-z_]+(?:\.\w+)+)(?:\(|`)", prose)
    ours = [each.removeprefix("nextchar.") for each in dotted]
    missing += [
        name
        for name, full in zip(ours, dotted, strict=True)
        if (full.startswith("nextchar.") or name.split(".")[0] in TOP)
        and not is_name_of_ours(name)
        and not re.search(r"\.(py|toml|jsonl|safetensors|json|sh|css|js|md|txt|html)$", name)
    ]
    assert missing == []
