"""`@kernel`: compilation by Numba, without the interpreter lock, cached on disk.

Where no folder is writable, each process compiles the kernels again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from typing import Any

from numba import njit
from numba.core import event
from numba.core.ccallback import CFunc
from numba.core.sigutils import normalize_signature
from numba.extending import overload

from nextchar.kernels.jit_cache import KernelCache

# nogil: threads run side by side. error_model: division by zero gives infinity, no exception.
# _nrt: kernels own no memory, so views need no reference counts.
OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "_nrt": False}


def kernel(*, reassociate: bool = False, inlined: bool = False) -> Callable[[Any], Any]:
    """Decorate a function that is compiled when it is first called.

    Multiply and add may fuse; NaN and infinities keep their meaning.
    reassociate: allow sums in any order, as vectors need.
    inlined: make the function part of its callers. For functions that only arrange calls:
    compiled separately, everything that they call would be compiled once more.
    """
    fastmath = {"contract", "reassoc"} if reassociate else {"contract"}

    def decorate(function: Any) -> Any:
        options: Any = {**OPTIONS, "fastmath": fastmath}
        if inlined:
            options["inline"] = "always"
        dispatcher: Any = njit(**options)(function)
        with suppress(RuntimeError):  # no folder for a cache
            dispatcher._cache = KernelCache(function)
        return dispatcher

    return decorate


def kernel_by_type(choose: Any) -> Any:
    """Decorate a function that returns the kernel for the Numba types of its arguments.

    Kernels call it by its name with values; the chosen kernel is compiled as part of its caller.
    """

    @wraps(choose)  # Numba compares the parameters' names with those of the kernel
    def template(*types: Any) -> Any:
        return choose(*types).py_func

    options: Any = {**OPTIONS, "fastmath": {"contract"}}
    overload(choose, jit_options=options)(template)
    return choose


def c_function(function: Any, signature: Any) -> int:
    """Return the address of a function compiled for C callers, valid as long as the process."""
    types = normalize_signature(signature)  # type: ignore[no-untyped-call]
    compiled: Any = CFunc(function, types, locals={}, options={"error_model": "numpy"})
    with suppress(RuntimeError):
        compiled._cache = KernelCache(function)
    compiled.compile()
    _KEPT.append(compiled)
    return int(compiled.address)


_KEPT: list[Any] = []  # owners of the code at the addresses that were returned


class _Listener(event.Listener):
    def __init__(self, notify: Callable[[], None]) -> None:
        self._notify: Callable[[], None] | None = notify

    def on_start(self, event: Any) -> None:
        if self._notify is not None:
            notify, self._notify = self._notify, None
            notify()

    def on_end(self, event: Any) -> None:
        pass


@contextmanager
def announce_compilation(notify: Callable[[], None]) -> Iterator[None]:
    """Within this context, call `notify` once when something has to be compiled."""
    with event.install_listener("numba:compile", _Listener(notify)):
        yield
