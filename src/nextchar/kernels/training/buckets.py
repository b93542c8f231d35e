"""A training step in pieces, from the last layer's gradient backwards.

Where other machines compute the rest of the batch, their gradients are added piece by piece, so
that a layer's travels while the one below is computed. Where no other does, `step` is quicker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from numpy.typing import NDArray

from nextchar.kernels.gemm.packed_weights import PackedWeights
from nextchar.kernels.layout import W_IH, Layout
from nextchar.kernels.training.step import backward_bucket, forward_to_loss
from nextchar.kernels.training.workspace import Workspace
from nextchar.text.batches import Batch

Array = NDArray[Any]

LEAST_PIECE = 1 << 16  # numbers worth a message of their own


class GradientAllReduce(Protocol):
    """Sums gradients over all who compute a part of the batch; see `training.process_group`."""

    def begin(self, part: Array) -> None:
        """Begin to sum a part of the gradient, in place; it is not touched until `finish`."""
        ...

    def poll(self) -> None:
        """Let what was begun go on; called often while others compute."""
        ...

    def finish(self, loss: float, rest: Array) -> float:
        """The sum of all losses. Sums the rest of the gradient too, and ends what was begun."""
        ...


def bucket_bounds(shape: Layout, matrix_size: int) -> Iterator[tuple[int, int, int]]:
    """What is computed one after the other, and the part of the flat gradient that it completes.

    L for the output, then each layer from the last. What is small goes with the next; vectors,
    which stand behind the matrices, are complete after the last piece.
    """
    begins = [0, *shape.layers[1:, W_IH].tolist()]
    begins.append(shape.W_out if shape.W_out >= 0 else matrix_size)
    end = matrix_size
    for n in range(shape.L, -1, -1):
        first = begins[n]
        if n and end - first < LEAST_PIECE:
            first = end
        yield n, first, end
        end = first


def step_in_buckets(
    pieces: Iterable[tuple[int, int, int]],
    gradient: Array,
    exchange: GradientAllReduce,
    *,
    forward_to_loss: Callable[[], Sequence[float]],
    compute: Callable[[int], object],
    add: Callable[[int, int], object],
) -> float:
    """The loss of all, summed, and the gradient of all in `gradient`.

    pieces: from `bucket_bounds`. forward_to_loss: computes the losses of the local lanes.
    compute: computes one piece of their gradient. add: sums a part of it over threads.
    """
    loss, matrix_size = sum(forward_to_loss()), 0
    for n, first, end in pieces:
        matrix_size = max(matrix_size, end)
        compute(n)
        if first < end:
            add(first, end)
            exchange.begin(gradient[first:end])
    add(matrix_size, gradient.size)
    return exchange.finish(loss, gradient[matrix_size:])


class StepInputs(NamedTuple):
    """What a step is computed from; new_state is written.

    codes, targets: (T, B) int64. state, new_state: (L, STATES, B, H).
    flat: the parameters. scale: of the gradient. dropped: which units are left out.
    """

    flat: Array
    codes: Array
    targets: Array
    state: Array
    new_state: Array
    scale: float
    dropped: Any


class Buckets(NamedTuple):
    """The pieces of a step over some lanes of a batch, cut over threads.

    rows: (shards, size), where their gradients go. bounds: where each shard's lanes begin.
    """

    shape: Layout
    packed: PackedWeights
    rooms: Sequence[Workspace]
    rows: Array
    bounds: Sequence[int]
    task: StepInputs
    batch: Batch

    def losses(self, shard: int) -> float:
        """The summed loss of a shard; NO_CODE where it has a code that is none."""
        first, end = self.bounds[shard], self.bounds[shard + 1]
        task, batch = self.task, self.batch
        return float(
            forward_to_loss(
                self.shape, task.flat, self.packed, self.rooms[shard], task.codes, task.targets,
                task.state, task.new_state, first, end - first, task.scale, task.dropped,
                batch.first + first, batch.lanes,
            )
        )  # fmt: skip

    def compute(self, n: int, shard: int) -> None:
        """A shard's part of the gradient: of layer n, or of the output where n is L."""
        first, end = self.bounds[shard], self.bounds[shard + 1]
        backward_bucket(
            self.shape, self.packed, self.rooms[shard], self.rows[shard], n,
            len(self.task.codes), end - first, self.task.dropped,
            self.batch.first + first, self.batch.lanes,
        )  # fmt: skip
