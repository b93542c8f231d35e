"""A large text, encoded by all ranks at once, a part each.

Those who see the first rank's cache folder make its entry together; where a machine has a cache of
its own, so do the ranks of that machine. Afterwards the entry is there, or nothing is: then one
rank reads the text as a single process does, and meets, and tells, what was in the way.
"""

from __future__ import annotations

from contextlib import ExitStack, suppress
from typing import Any

from nextchar.distributed.wait import wait_for
from nextchar.errors import InterruptedRun, TextError
from nextchar.text.cache.entries import NewFile, texts_folder
from nextchar.text.cache.parallel import (
    Encoded,
    EncodingAbortedError,
    EncodingPlan,
    MergedFile,
    PartFile,
    SplittableText,
)


def encode_together(world: Any, node: Any, text: SplittableText) -> None:
    """Make the entry of a text that is large and can be cut, in each cache that lacks it.

    world, node: communicators of all ranks, and of those of this machine. All call this.
    Raises InterruptedRun, on all, where any was asked to stop meanwhile.
    """
    if not _of_first(world, world.rank == 0 and _is_large(text)):
        return
    group = _group(world, node)
    stopped = _encoded(group, text) if group is not None and group.size > 1 else None
    for each in _of_all(world, stopped):
        if each is not None:
            raise each
    if group is not None:
        group.Free()


def _is_large(text: SplittableText) -> bool:
    try:
        return bool(text.files())
    except Exception:  # who reads it will meet it, too
        return False


def _group(world: Any, node: Any) -> Any:
    """A communicator of those who encode together; None where there is no cache."""
    marker = None
    if world.rank == 0:
        with suppress(TextError):
            marker = NewFile(is_kept=True)
    name = _of_first(world, marker.path.name if marker and not marker.reason else None)
    sees_it = name is not None and _sees(name)
    wait_for([world.Ibarrier()])  # all have looked
    if marker:
        marker.discard()
    if name is None:
        return None
    machine = node.bcast(world.rank)
    return type(world)(world.Split(0 if sees_it else 1 + machine, world.rank))


def _sees(name: str) -> bool:
    with suppress(OSError):
        return (texts_folder() / name).exists()
    return False


def _encoded(group: Any, text: SplittableText) -> InterruptedRun | None:
    """Make the entry of a group's cache, where it lacks it; the error of one that was stopped."""
    with ExitStack() as files:
        whole = None
        if group.rank == 0:
            with suppress(Exception):
                whole = text.begun(group.size)
            if whole:
                files.enter_context(whole)
        plan: EncodingPlan | None = _of_first(group, whole and whole.plan)
        if plan is None:
            return None
        told = _of_all(group, _part(whole, plan, group.rank, text, files))
        failed = [each for each in told if isinstance(each, Exception)]
        if whole and not failed:
            try:
                whole.merge(told[1:])
            except Exception as error:
                failed.append(error)
        wait_for([group.Ibarrier()])  # the others' files are not needed any more
        return next((each for each in failed if isinstance(each, InterruptedRun)), None)


def _part(
    whole: MergedFile | None, plan: EncodingPlan, rank: int, text: SplittableText, files: ExitStack
) -> Encoded | Exception | None:
    """Encode a rank's part: what the leader needs to know of it, or why it cannot be had."""
    try:
        if whole:
            whole.encode()
            return None
        return files.enter_context(PartFile()).encode(plan, rank, text.listener)
    except Exception as error:
        plan.give_up()
        return error if isinstance(error, InterruptedRun) else EncodingAbortedError()


def _of_first(comm: Any, value: Any) -> Any:
    """The first rank's value."""
    wait_for([comm.Ibarrier()])
    return comm.bcast(value)


def _of_all(comm: Any, value: Any) -> list[Any]:
    """The values of all ranks, in their order."""
    wait_for([comm.Ibarrier()])
    return list(comm.allgather(value))
