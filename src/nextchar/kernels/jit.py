"""`@kernel`: compiled by Numba, without the interpreter's lock, kept on disk.

Where no folder can be written to, kernels are compiled anew in every process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from numba import njit
from numba.core import event
from numba.core.ccallback import CFunc
from numba.core.sigutils import normalize_signature

from nextchar.kernels.jit_cache import KernelCache


def kernel(*, sums_in_any_order: bool = False, inlined: bool = False) -> Callable[[Any], Any]:
    """Decorate a function that is compiled when it is first called.

    Multiply and add may fuse; NaN and infinities stay what they are.
    sums_in_any_order: lets a sum be taken in vectors.
    inlined: for what only arranges the calls of others: it becomes part of its caller, where to
    compile it by itself would compile all that it calls once more.
    """
    freedom = {"contract", "reassoc"} if sums_in_any_order else {"contract"}

    def decorate(function: Any) -> Any:
        how = {"inline": "always"} if inlined else {}
        options: Any = {"nogil": True, "error_model": "numpy", "fastmath": freedom, **how}
        options["_nrt"] = False  # kernels own no memory: views need not be counted
        dispatcher: Any = njit(**options)(function)
        with suppress(RuntimeError):  # no folder for a cache
            dispatcher._cache = KernelCache(function)
        return dispatcher

    return decorate


def c_function(function: Any, signature: Any) -> int:
    """The address of a function compiled for callers in C, valid as long as the process."""
    types = normalize_signature(signature)  # type: ignore[no-untyped-call]
    compiled: Any = CFunc(function, types, locals={}, options={"error_model": "numpy"})
    with suppress(RuntimeError):
        compiled._cache = KernelCache(function)
    compiled.compile()
    _KEPT.append(compiled)
    return int(compiled.address)


_KEPT: list[Any] = []  # what their addresses were given away for


class _Listener(event.Listener):
    def __init__(self, tell: Callable[[], None]) -> None:
        self._tell: Callable[[], None] | None = tell

    def on_start(self, event: Any) -> None:
        if self._tell is not None:
            tell, self._tell = self._tell, None
            tell()

    def on_end(self, event: Any) -> None:
        pass


@contextmanager
def announce_compilation(tell: Callable[[], None]) -> Iterator[None]:
    """Within this context, call `tell` once when something has to be compiled."""
    with event.install_listener("numba:compile", _Listener(tell)):
        yield
