"""Training step in gradient buckets, from the last layer's backwards.

Where other machines compute the rest of the batch, gradients are summed over machines bucket by
bucket, so that one layer's is sent while the layer below is computed:

    compute    output   layer L-1   layer L-2   …
    send                output      layer L-1   layer L-2   …

Where no other machine does, `step` is faster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from numpy.typing import NDArray

from nextchar.kernels.gemm.packed_weights import PackedWeights
from nextchar.kernels.layout import W_IH, Layout
from nextchar.kernels.training.step import StepInputs, backward_bucket, forward_to_loss
from nextchar.kernels.training.workspace import Workspace

Array = NDArray[Any]

MIN_BUCKET = 1 << 16  # numbers worth a separate message


class GradientAllReduce(Protocol):
    """Sum of gradients over the processes of a batch (see `training.process_group`)."""

    def begin(self, part: Array) -> None:
        """Begin to sum a part of the gradient, in place; it is not touched until `finish`."""
        ...

    def poll(self) -> None:
        """Let sums that were begun progress; called often while others compute."""
        ...

    def finish(self, loss: float, rest: Array) -> float:
        """Return the sum of all losses; sum the rest of the gradient and complete all sums."""
        ...


def bucket_bounds(layout: Layout, matrix_size: int) -> Iterator[tuple[int, int, int]]:
    """Yield buckets in the order of computation: n, and the range of the gradient it completes.

    n is L for the output, then each layer from the last. Small buckets are sent with the next;
    vectors, which follow the matrices in the flat array, are complete after the last bucket.
    """
    # where each bucket's matrices begin: layer 0's with the embedding, at the very beginning
    begins = [0, *layout.layers[1:, W_IH].tolist()]
    begins.append(layout.W_out if layout.W_out >= 0 else matrix_size)  # tied: empty
    end = matrix_size
    for n in range(layout.L, -1, -1):
        first = begins[n]
        if n and end - first < MIN_BUCKET:  # left to the next; after n = 0 there is none
            first = end
        yield n, first, end
        end = first


def step_in_buckets(
    buckets: Iterable[tuple[int, int, int]],
    gradient: Array,
    all_reduce: GradientAllReduce,
    *,
    forward_to_loss: Callable[[], Sequence[float]],
    compute: Callable[[int], object],
    add: Callable[[int, int], object],
) -> float:
    """Return the summed loss of all processes, their summed gradient in `gradient`.

    buckets: from `bucket_bounds`. forward_to_loss: computes the losses of the local lanes.
    compute: computes one bucket of their gradient. add: sums a range of it over threads.
    """
    loss, matrix_size = sum(forward_to_loss()), 0
    for n, first, end in buckets:
        matrix_size = max(matrix_size, end)
        compute(n)
        if first < end:  # sent while the next bucket is computed
            add(first, end)
            all_reduce.begin(gradient[first:end])
    # the vectors: every bucket wrote a part of them
    add(matrix_size, gradient.size)
    return all_reduce.finish(loss, gradient[matrix_size:])


class Buckets(NamedTuple):
    """Buckets of a step over some lanes of a batch, split over threads."""

    layout: Layout
    packed: PackedWeights
    workspaces: Sequence[Workspace]
    rows: Array  # (shards, size), the shards' gradients
    bounds: Sequence[int]  # where each shard's lanes begin
    inputs: StepInputs

    def loss(self, shard: int) -> float:
        """Return the summed loss of a shard; NO_CODE where it has an invalid code."""
        first, end = self.bounds[shard], self.bounds[shard + 1]
        workspace = self.workspaces[shard]
        return float(
            forward_to_loss(self.layout, self.packed, workspace, self.inputs, first, end - first)
        )

    def compute(self, n: int, shard: int) -> None:
        """Compute a shard's part of the gradient: of layer n, or of the output where n is L."""
        first, end = self.bounds[shard], self.bounds[shard + 1]
        backward_bucket(
            self.layout, self.packed, self.workspaces[shard], self.rows[shard], self.inputs, n,
            first, end - first,
        )  # fmt: skip
