"""No gradient on trust: every `backward` has a check, and the check notices what is missing.

A new `backward` anywhere under nextchar.model fails here until it is entered in CHECKS. The
mutants then show that each check has teeth: with one term of a gradient zeroed it must fail.
"""

from __future__ import annotations

import ast
import functools
import importlib
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import nextchar.model
from model.gradient_check import check_cell, check_network, make_problem, variants
from nextchar.model import network
from nextchar.model.cells import CELLS


def check_networks() -> None:
    for cell in CELLS:
        for problem in variants(cell=cell, layers=2, T=3, B=2, V=3, H=2):
            check_network(problem)


CHECKS: dict[str, Callable[[], None]] = {
    "nextchar.model.network.backward": check_networks,
    **{
        f"nextchar.model.cells.{name}.backward": functools.partial(check_cell, cell)
        for name, cell in CELLS.items()
    },
}


def backwards(package: str, folder: Path) -> Iterator[str]:
    """The full name of every function or method `backward` or `…_backward` of a package.

    A body that is only a docstring and `...` is a protocol's and computes nothing.
    """
    for path in sorted(folder.rglob("*.py")):
        module = ".".join((package, *path.relative_to(folder).with_suffix("").parts))
        for name, body in functions(ast.parse(path.read_text(encoding="utf-8"))):
            last = body[-1]
            is_protocol = isinstance(last, ast.Expr) and isinstance(last.value, ast.Constant)
            if name.split(".")[-1].endswith("backward") and not is_protocol:
                yield f"{module}.{name}"


def functions(node: ast.AST, prefix: str = "") -> Iterator[tuple[str, list[ast.stmt]]]:
    """Name and body of every function, at any depth."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef):
            yield prefix + child.name, child.body
        named = isinstance(child, ast.FunctionDef | ast.ClassDef)
        yield from functions(child, f"{prefix}{child.name}." if named else prefix)


FOLDER = Path(nextchar.model.__path__[0])


def test_every_backward_has_its_gradient_check():
    found = set(backwards("nextchar.model", FOLDER))
    assert found - CHECKS.keys() == set(), "these lack a gradient check: enter one in CHECKS"
    assert CHECKS.keys() - found == set(), "these are no more: take them out of CHECKS"


@pytest.mark.parametrize("name", CHECKS)
def test_every_gradient_check_passes(name):
    CHECKS[name]()


def test_a_new_backward_is_found_wherever_it_hides(tmp_path):
    (tmp_path / "cells").mkdir()
    (tmp_path / "cells" / "new.py").write_text(
        "def backward(x):\n    return x\n"
        "class A:\n    def backward(self):\n        return 1\n"
        "def make():\n    def fast_backward():\n        return 2\n"
        "class P:\n    def backward(self):\n        '''Doc.'''\n        ...\n"
        "def forward():\n    return 3\n"
    )
    assert list(backwards("p", tmp_path)) == [
        "p.cells.new.backward",
        "p.cells.new.A.backward",
        "p.cells.new.make.fast_backward",
    ]


# Mutants of whole tensors: the network's gradient of one parameter is zero.

TENSORS = [
    pytest.param(cell, options, tensor, id=f"{cell}-{'-'.join(options) or 'onehot'}-{tensor}")
    for cell in CELLS
    for options in ({}, {"embedding": 2}, {"tied": True})
    for tensor in make_problem(cell, layers=2, **options).parameters.views
]


@pytest.mark.parametrize(("cell", "options", "tensor"), TENSORS)
def test_a_tensor_without_gradient_fails_the_check(cell, options, tensor, monkeypatch):
    backward = network.backward

    def mutant(parameters, dlogits, cache, gradient):
        backward(parameters, dlogits, cache, gradient)
        gradient[tensor][:] = 0

    monkeypatch.setattr(network, "backward", mutant)
    problem = make_problem(cell, layers=2, T=3, B=2, V=3, H=2 + ("tied" in options), **options)
    with pytest.raises(AssertionError, match=f"^{tensor}: "):
        check_network(problem)


# Mutants of single terms: one product, sum or assignment in a backward's source is zeroed.


class Zero(ast.NodeTransformer):
    """Zero the term number `wanted` of a function; `count` is how many it has.

    A term is either side of a sum or difference, what a NumPy call writes to `out=`, and what is
    added, multiplied or assigned to an array or worked out by an assignment.
    """

    def __init__(self, wanted: int) -> None:
        self.wanted, self.count = wanted, 0

    def _is_it(self) -> bool:
        self.count += 1
        return self.count - 1 == self.wanted

    def _zeroed(self, value: ast.expr) -> ast.expr:
        if self._is_it():
            return ast.BinOp(value, ast.Mult(), ast.Constant(0))
        return value

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.op, ast.Add | ast.Sub):
            node.left, node.right = self._zeroed(node.left), self._zeroed(node.right)
        return node

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        self.generic_visit(node)
        node.value = self._zeroed(node.value)
        return node

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.targets[0], ast.Subscript) or isinstance(node.value, ast.BinOp):
            node.value = self._zeroed(node.value)
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST | list[ast.AST]:
        self.generic_visit(node)
        outs = [k.value for k in getattr(node.value, "keywords", ()) if k.arg == "out"]
        if outs and self._is_it():
            return [node, *ast.parse(f"{ast.unparse(outs[0])}[...] = 0").body]
        return node

    def visit_Tuple(self, node: ast.Tuple) -> ast.AST:
        return node

    visit_Slice = visit_Tuple  # noqa: N815


def mutated(module: str, wanted: int) -> tuple[str, Callable[..., object] | None]:
    """The `backward` of a module without its term number `wanted`; None where it has fewer."""
    original = importlib.import_module(module)
    tree = ast.parse(Path(original.__file__).read_text(encoding="utf-8"))
    (function,) = (n for n in tree.body if getattr(n, "name", "") == "backward")
    before = ast.unparse(function).splitlines()
    zero = Zero(wanted)
    zero.visit(function)
    if zero.count <= wanted:
        return "", None
    after = ast.unparse(ast.fix_missing_locations(function)).splitlines()
    what = " ".join(line.strip() for line in after if line not in before)
    names = dict(vars(original))
    exec(compile(ast.Module([function], []), f"mutant of {module}", "exec"), names)
    return what, names["backward"]


def mutants() -> Iterator[tuple[str, int]]:
    for full_name in CHECKS:
        module = full_name.removesuffix(".backward")
        terms = itertools.takewhile(lambda n: mutated(module, n)[1], itertools.count())  # noqa: B023
        yield from ((module, n) for n in terms)


@pytest.mark.parametrize(("module", "wanted"), list(mutants()))
def test_no_term_of_a_backward_can_be_left_out(module, wanted, monkeypatch):
    what, mutant = mutated(module, wanted)
    monkeypatch.setattr(importlib.import_module(module), "backward", mutant)
    try:
        with np.errstate(all="ignore"):
            CHECKS[f"{module}.backward"]()
    except AssertionError:
        return
    pytest.fail(f"the check does not notice this: {what}")
