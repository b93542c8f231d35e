"""Kernels as plain Python: the same sources, not compiled, on vectors and tiles of tiny size.

    @kernel, @kernel_by_type   return the function, or choose one by the types of the arguments
    @intrinsic                 replaced by the function of the same name below
    addresses                  must lie in an array that a kernel was called with, so that a
                               mutant's wild address is an AssertionError and not a crash

What Numba makes of the sources is compared with the twins in tests/kernels.
"""

from __future__ import annotations

import ast
import bisect
import ctypes
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numba
import numpy as np
from numba import types
from numpy.typing import NDArray

from conftest import ROOT

Array = NDArray[Any]

FOLDER = ROOT / "src" / "nextchar" / "kernels"
# 4 float64 or 8 float32 a vector, tiles of 2 × 2 vectors; small blocks, so that tiny inputs fill
# several of them
ISA = ("plain", 32, 2, 2, True)
CONSTANTS = {
    "gemm.packing": {"STREAMS": 4},
    "gemm.gemm": {"MC": 4, "KC": 4},
    "training.optimizers": {"BLOCK": 4},
    "decoding.sampling": {"HANDFUL": 2},
}


class Memory:
    """Arrays whose addresses may be used."""

    def __init__(self) -> None:
        self._begins: list[int] = []
        self._owners: dict[int, Array] = {}

    def clear(self) -> None:
        self._begins.clear()
        self._owners.clear()

    def add(self, thing: object) -> None:
        """Register the arrays in a value, at any depth, each as a whole."""
        if isinstance(thing, np.ndarray):
            while isinstance(thing.base, np.ndarray):
                thing = thing.base
            begin = thing.ctypes.data
            if begin not in self._owners:
                bisect.insort(self._begins, begin)
            self._owners[begin] = thing
        elif isinstance(thing, list | tuple):
            for each in thing:
                self.add(each)

    def at(self, address: Any, count: int, dtype: Any) -> Array:
        """View numbers at an address."""
        size, place = count * np.dtype(dtype).itemsize, bisect.bisect(self._begins, address)
        assert place, "address outside of every array"
        begin = self._begins[place - 1]
        assert address + size <= begin + self._owners[begin].nbytes, "address behind an array"
        return np.frombuffer((ctypes.c_char * size).from_address(int(address)), dtype)


MEMORY = Memory()


# intrinsics


def halves_of(pairs: Array) -> tuple[Array, Array]:
    """Return the two float32 of each pair of bfloat16."""
    low, high = pairs << np.uint32(16), pairs & np.uint32(0xFFFF0000)
    return low.view(np.float32), high.view(np.float32)


def rounded(x: Array) -> Array:
    """Round float32 to bfloat16, to nearest, ties to even; return the bits, uint32."""
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    up = (bits >> np.uint32(16)) & np.uint32(1)
    with np.errstate(over="ignore"):
        return (bits + np.uint32(0x7FFF) + up) >> np.uint32(16)


def tile(
    rows: int, vectors: int, number: Any, a: int, a_row: int, a_step: int, b: int, c: int,
    c_row: int, K: int, add: bool,
) -> None:  # fmt: skip
    """C (+)= A · B, as `microkernel.tile` on a CPU that multiplies pairs."""
    assert 1 <= rows <= ISA[2]
    assert 1 <= vectors <= ISA[3]
    size, width = number.itemsize, vectors * ISA[1] // number.itemsize
    pairs = number.dtype == np.uint32
    B = MEMORY.at(b, K * width, number.dtype).reshape(K, width)
    for r in range(rows):
        A = np.array([MEMORY.at(a + (r * a_row + k * a_step) * size, 1, number.dtype)[0]
                      for k in range(K)], number.dtype)  # fmt: skip
        if pairs:
            sums = sum(x @ y for x, y in zip(halves_of(A), halves_of(B), strict=True))
        else:
            sums = A @ B
        into = MEMORY.at(c + r * c_row * size, width, np.float32 if pairs else number.dtype)
        into[:] = into + sums if add else sums


def _store(function: Any) -> Callable[[int, Any], None]:
    bits = inspect.getclosurevars(function).nonlocals["bits"]

    def store(address: int, value: Any) -> None:
        MEMORY.at(address, 1, f"u{bits // 8}")[0] = value

    return store


def _round(source: int, to: int) -> None:
    MEMORY.at(to, 8, np.uint16)[:] = rounded(MEMORY.at(source, 8, np.float32))


def _pair(low: int, high: int, to: int) -> None:
    one, two = (rounded(MEMORY.at(each, 8, np.float32)) for each in (low, high))
    MEMORY.at(to, 8, np.uint32)[:] = one | two << np.uint32(16)


INTRINSICS: dict[str, Callable[..., Any]] = {
    "tile": tile,
    "vector_length_of": lambda array: ISA[1] // array.itemsize,
    "call_macrokernel": lambda address, *args: address(*args),
    "_size_of": lambda number: number.itemsize,
    "_holds_pairs": lambda array: array.dtype == np.uint32,
    "prefetch": lambda address: MEMORY.at(address, 1, np.uint8),
    "_load_bits": lambda address: MEMORY.at(address, 1, np.uint32)[0],
    "_bits_of": lambda x: np.float32(x).view(np.uint32),
    "_float_of_bits": lambda bits: bits.view(np.float32),
    "_round_natively": _round,
    "_pair_natively": _pair,
}


def _intrinsic(function: Any) -> Any:
    return _store(function) if function.__name__ == "store" else INTRINSICS[function.__name__]


# decorators


def _kernel(**_: Any) -> Callable[[Any], Any]:
    return lambda function: function


def _type_of(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return SimpleNamespace(dtype=numba.from_dtype(value.dtype))
    return types.float32 if isinstance(value, np.float32) else types.float64


def _kernel_by_type(choose: Any) -> Any:
    @wraps(choose)
    def call(*args: Any) -> Any:
        return choose(*map(_type_of, args))(*args)

    return call


# modules


class _Imports(ast.NodeTransformer):
    """Replace imports of kernels and of Numba's decorators by plain ones."""

    def visit_ImportFrom(self, node: ast.ImportFrom) -> Any:
        module = node.module or ""
        if not (module.startswith("nextchar.kernels") or module == "numba.extending"):
            return node
        return [
            ast.parse(f"{each.asname or each.name} = _take({module!r}, {each.name!r})").body[0]
            for each in node.names
        ]


def _take(module: str, name: str) -> Any:
    if module == "numba.extending":
        return {"intrinsic": _intrinsic}[name]
    inner = module.removeprefix("nextchar.kernels").removeprefix(".")
    full = f"{inner}.{name}".removeprefix(".")
    if (FOLDER / Path(*full.split("."))).with_suffix(".py").exists():
        return load(full)
    return getattr(load(inner), name)


_JIT = SimpleNamespace(
    kernel=_kernel, kernel_by_type=_kernel_by_type, c_function=lambda function, signature: function
)
MODULES: dict[str, Any] = {"jit": _JIT}


def load(name: str) -> Any:
    """Return a module of kernels as plain Python: `load("gemm.packing")`."""
    if name not in MODULES:
        module: Any = ModuleType(f"plain.{name}")
        MODULES[name] = sys.modules[module.__name__] = module  # dataclasses look there
        vars(module)["_take"] = _take
        execute(module, ast.parse(source_of(name)).body)
        vars(module).update(CONSTANTS.get(name, {}))
        if name == "isa":
            module.HOST = module.ISA(*ISA)
    return MODULES[name]


def source_of(name: str) -> str:
    return (FOLDER / Path(*name.split("."))).with_suffix(".py").read_text(encoding="utf-8")


def execute(module: Any, body: list[ast.stmt]) -> None:
    """Execute statements in a module, with plain imports and decorators."""
    tree = ast.fix_missing_locations(_Imports().visit(ast.Module(body, [])))
    exec(compile(tree, module.__name__, "exec"), vars(module))


def run(name: str, *args: Any) -> Any:
    """Call a plain kernel: `run("gemm.packing.pack", …)`; its arrays may be addressed."""
    module, function = name.rsplit(".", 1)
    MEMORY.add(args)
    with np.errstate(all="ignore"):
        return getattr(load(module), function)(*args)


@contextmanager
def replaced(name: str, function: Any) -> Iterator[None]:
    """Within this context, use another function for a kernel, in every module that has it."""
    module, kernel = name.rsplit(".", 1)
    original = getattr(load(module), kernel)
    holders = [
        (vars(each), key)
        for each in MODULES.values()
        for key, value in vars(each).items()
        if value is original
    ]
    for names, key in holders:
        names[key] = function
    try:
        yield
    finally:
        for names, key in holders:
            names[key] = original
