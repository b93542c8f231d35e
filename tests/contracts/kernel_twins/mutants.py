"""Discovery of kernels, and mutants: copies with one sign, term, index or comparison changed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from contracts.kernel_twins.plain import FOLDER, execute, load, source_of

OPPOSITE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.Gt: ast.LtE, ast.LtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
}  # fmt: skip


def kernels() -> Iterator[tuple[str, ast.FunctionDef]]:
    """Yield every function decorated as a kernel, private ones too, and its definition."""
    for path in sorted(FOLDER.rglob("*.py")):
        module = ".".join(path.relative_to(FOLDER).with_suffix("").parts)
        tree = ast.parse(source_of(module)) if path.name != "__init__.py" else ast.Module([], [])
        functions = {each.name: each for each in tree.body if isinstance(each, ast.FunctionDef)}
        for function in functions.values():
            if any("kernel" in ast.unparse(each) for each in function.decorator_list):
                yield f"{module}.{function.name}", function
        for node in tree.body:  # name = kernel(…)(function)
            if isinstance(node, ast.Assign) and ast.unparse(node.value).startswith("kernel("):
                assert isinstance(node.value, ast.Call)
                yield (
                    f"{module}.{ast.unparse(node.targets[0])}",
                    deepcopy(functions[ast.unparse(node.value.args[0])]),
                )


class Mutation(ast.NodeTransformer):
    """Change the place number `wanted` of a function; `places` describes all of them."""

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted
        self.places: list[str] = []

    def _is_it(self, kind: str, node: ast.AST) -> bool:
        self.places.append(f"{kind}: {ast.unparse(node)}")
        return len(self.places) - 1 == self.wanted

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.op, ast.Add | ast.Sub):
            if self._is_it("sign", node):
                node.op = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
        elif self._is_it("term", node):
            return node.left
        return node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        self.generic_visit(node)
        is_sign = isinstance(node.op, ast.USub | ast.Not)
        return node.operand if is_sign and self._is_it("sign", node) else node

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        self.generic_visit(node)
        if self._is_it("sign", node):
            node.op = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        if type(node.ops[0]) in OPPOSITE and self._is_it("comparison", node):
            node.ops[0] = OPPOSITE[type(node.ops[0])]()
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        self.generic_visit(node)
        if not isinstance(node.slice, ast.Slice | ast.Tuple) and self._is_it("index", node):
            node.slice = ast.BinOp(node.slice, ast.Sub(), ast.Constant(1))
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        self.generic_visit(node)
        is_call = isinstance(node.value, ast.Call)
        return ast.Pass() if is_call and self._is_it("call", node) else node

    def visit_Return(self, node: ast.Return) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.value, ast.Call) and node.value.args and self._is_it("term", node):
            node.value = node.value.args[0]
        elif isinstance(node.value, ast.Name) and self._is_it("sign", node):
            node.value = ast.UnaryOp(ast.USub(), node.value)
        return node


def mutant(name: str, function: ast.FunctionDef, wanted: int) -> Any:
    """Return a kernel with one place changed, as plain Python."""
    changed = deepcopy(function)
    Mutation(wanted).visit(changed)
    module, kernel = name.rsplit(".", 1)
    original = vars(load(module)).copy()
    changed.name = kernel
    try:
        execute(load(module), [changed])
        return vars(load(module))[kernel]
    finally:
        vars(load(module))[kernel] = original[kernel]


def places(function: ast.FunctionDef) -> list[str]:
    """Return what can be changed in a function, as `kind: source`."""
    mutation = Mutation(-1)
    mutation.visit(deepcopy(function))
    return mutation.places
