"""Many requests written together: they enter and leave the batch between characters."""

from __future__ import annotations

from collections.abc import Hashable
from types import TracebackType
from typing import Self

from nextchar.generation.requests import Piece, Request
from nextchar.model.file import Model


class Batch:
    """Requests that a model writes together, a lane for each sample; a context manager.

    A request's text is the same whoever shares the batch. Not safe for threads: one thread calls
    it, though `advance` itself leaves the interpreter to others while it computes.

    lanes: how many samples are written at once; requests beyond them wait in order.
    """

    def __init__(
        self, model: Model, *, lanes: int = 64, threads: int | None = None, dtype: str = "auto"
    ) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def __len__(self) -> int:
        """How many requests are being written or wait."""
        raise NotImplementedError

    @property
    def waiting(self) -> int:
        """How many of them wait for a lane."""
        raise NotImplementedError

    def add(self, key: Hashable, request: Request) -> None:
        """Take a request; key names it in what `advance` gives."""
        raise NotImplementedError

    def cancel(self, key: Hashable) -> None:
        """Forget a request; its lanes are free at once. One that is done is no error."""
        raise NotImplementedError

    def advance(self, most: int = 512) -> list[tuple[Hashable, Piece]]:
        """Write some characters in every lane and give what is sure of them.

        A call lasts some milliseconds to tens of them; most: characters of a lane at the most.
        A request is done when each of its samples has had a piece with a finish_reason.
        """
        raise NotImplementedError
