"""`@kernel`: compiled by Numba, without the interpreter's lock, kept on disk.

Numba's own cache looks at a function's file alone, so a change in what it calls would go
unnoticed; ours is keyed by the sources of all kernels. Where no folder can be written to, kernels
are compiled anew in every process.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from numba import njit
from numba.core import event
from numba.core.caching import FunctionCache


def _digest_of_sources() -> str:
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


_SOURCES = _digest_of_sources()


class _Cache(FunctionCache):
    def _index_key(self, sig: Any, codegen: Any) -> Any:
        return (*super()._index_key(sig, codegen), _SOURCES)  # type: ignore[no-untyped-call]


def kernel(*, sums_in_any_order: bool = False) -> Callable[[Any], Any]:
    """Decorate a function that is compiled when it is first called.

    Multiply and add may fuse; NaN and infinities stay what they are.
    sums_in_any_order: lets a sum be taken in vectors.
    """
    freedom = {"contract", "reassoc"} if sums_in_any_order else {"contract"}

    def decorate(function: Any) -> Any:
        dispatcher: Any = njit(nogil=True, error_model="numpy", fastmath=freedom)(function)
        with suppress(RuntimeError):  # no folder for a cache
            dispatcher._cache = _Cache(function)  # type: ignore[no-untyped-call]
        return dispatcher

    return decorate


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
def telling_of_compilation(tell: Callable[[], None]) -> Iterator[None]:
    """Within this context, call `tell` once when something has to be compiled."""
    with event.install_listener("numba:compile", _Listener(tell)):
        yield
