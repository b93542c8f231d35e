"""A model that reads and writes character by character, on any number of threads.

The weights are packed once. Where they would not stay in a core's cache they are held as
bfloat16, half the bytes: one lane does little but stream them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from nextchar.kernels.decode import CELLS, Lanes, Network, read, write
from nextchar.kernels.draw import Rules
from nextchar.kernels.isa import padded
from nextchar.kernels.memory import aligned_zeros
from nextchar.kernels.product import tools_for
from nextchar.kernels.weights import PackedWeights
from nextchar.model.parameters import Parameters

Array = NDArray[Any]

IN_CACHE = 1 << 20  # bytes of packed weights that a core's L2 cache is taken to hold
WORK = 1_000_000_000  # multiply-adds that a thread does before Python has the turn: 10 to 30 ms


class Decoder:
    """Lanes that a model reads, or writes, character by character; a context manager.

    bfloat16: how the weights are held; by default where they are larger than `IN_CACHE`, and
    never those of a float64 model. States and sums stay what the parameters are.
    """

    def __init__(
        self, parameters: Parameters, *, threads: int = 1, bfloat16: bool | None = None
    ) -> None:
        self._parameters, self._threads = parameters, threads
        if bfloat16 is None:
            large = parameters.architecture.matrix_size * 4 > IN_CACHE
            bfloat16 = large and parameters.dtype == np.float32
        self.network = network_of(parameters, pairs=bfloat16)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="nextchar")
        self._shards = [self._lanes(1)]
        self._shards[0].logits[:] = self.network.b_out

    @property
    def logits(self) -> Array:
        """What each lane expects next, (B, V); before any character what the biases say."""
        return np.concatenate([shard.logits[:, : self.network.V] for shard in self._shards])

    @property
    def block(self) -> int:
        """How many characters to draw in one call, so that it lasts some milliseconds."""
        lanes = int(max(shard.x.shape[0] for shard in self._shards))
        return max(1, min(512, WORK // (lanes * self._parameters.architecture.matrix_size)))

    def read(self, codes: NDArray[Any]) -> None:
        """Read a text of shape (T,) in every lane."""
        self._require_codes(codes)
        if len(codes):

            def work(shard: int) -> None:
                B = self._shards[shard].x.shape[0]
                same = np.repeat(codes.astype(np.int64)[:, None], B, axis=1)
                read(self.network, self._shards[shard], same)

            self._each(work)

    def split(self, lanes: int) -> None:
        """Make one lane into several, all in its state, cut over the threads."""
        (one,) = self._shards
        bounds = np.linspace(0, lanes, min(self._threads, lanes) + 1).astype(int)
        self._shards = [self._lanes(count) for count in np.diff(bounds).tolist()]
        for shard in self._shards:
            shard.h[:], shard.c[:], shard.logits[:] = one.h, one.c, one.logits

    def write(self, uniforms: Array, rules: Rules) -> NDArray[np.int64]:
        """Draw and read n characters in every lane; codes (n, B) for uniforms (n, B) in [0, 1)."""
        codes = np.empty(uniforms.shape, np.int64)
        counts = [shard.x.shape[0] for shard in self._shards]
        cuts = np.cumsum([0, *counts]).tolist()

        def work(shard: int) -> None:
            lanes = slice(cuts[shard], cuts[shard + 1])
            drawn = np.empty((len(uniforms), counts[shard]), np.int64)
            own = np.ascontiguousarray(uniforms[:, lanes])
            write(self.network, self._shards[shard], rules, own, drawn)
            codes[:, lanes] = drawn

        self._each(work)
        return codes

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._pool.shutdown()

    def _each(self, work: Callable[[int], None]) -> None:
        shards: Sequence[int] = range(len(self._shards))
        list(self._pool.map(work, shards) if len(shards) > 1 else map(work, shards))

    def _lanes(self, B: int) -> Lanes:
        architecture, dtype = self._parameters.architecture, self._parameters.dtype
        s, G = architecture.settings, architecture.cell.GATES
        P, V = padded(s.hidden_size, dtype), architecture.vocabulary_size
        EP, L = padded(s.embedding_size, dtype), s.num_layers
        widest = max(G * P, EP, padded(V, dtype))
        return Lanes(
            h=aligned_zeros((L, 2, B, P), dtype),
            c=aligned_zeros((L, 2, B, P if s.cell == "lstm" else 0), dtype),
            a=aligned_zeros((1, B, G, P), dtype),
            tanh_c=aligned_zeros((1, B, P), dtype),
            u=aligned_zeros((1, B, 3 if s.cell == "gru" else 0, P), dtype),
            x=aligned_zeros((B, EP), dtype),
            logits=aligned_zeros((B, padded(V, dtype)), dtype),
            weights=aligned_zeros(V, dtype),
            heap=aligned_zeros(V, np.int64),
            tools=tools_for(self.network.matrices.dtype, widest),
        )

    def _require_codes(self, codes: NDArray[Any]) -> None:
        """Compiled code looks codes up without a check of its own."""
        V = self.network.V
        if codes.size and not (codes.min() >= 0 and codes.max() < V):
            raise IndexError(f"codes must be in [0, {V}), got {codes.min()}…{codes.max()}")


def network_of(parameters: Parameters, *, pairs: bool) -> Network:
    """The parameters packed for decoding; pairs: as pairs of bfloat16."""
    architecture, dtype = parameters.architecture, parameters.dtype
    s, G = architecture.settings, architecture.cell.GATES
    H, P, V = s.hidden_size, padded(s.hidden_size, dtype), architecture.vocabulary_size
    packed = PackedWeights(architecture, dtype, pairs=pairs, backward=False)
    for task in packed.tasks(parameters):
        task()
    matrices, places, output = _in_a_row(packed)
    biases = aligned_zeros((s.num_layers, G, P), dtype)
    b_hn = aligned_zeros((s.num_layers, P), dtype)
    for n, layer in enumerate(parameters.layers):
        biases[n, :, :H] = layer["b"].reshape(G, H)
        if "b_hn" in layer:
            b_hn[n, :H] = layer["b_hn"]
    table = aligned_zeros((0 if s.embedding_size else V, G, P), dtype)
    if not s.embedding_size:
        table[:, :, :H] = parameters.layers[0]["W_ih"].reshape(V, G, H)
        table += biases[0]
    b_out = aligned_zeros(padded(V, dtype), dtype)
    b_out[:V] = parameters["b_out"]
    return Network(
        cell=CELLS.index(s.cell),
        H=H,
        V=V,
        table=table,
        embedding=parameters.views.get("embedding", np.zeros((V, 0), dtype)),
        matrices=matrices,
        places=places,
        biases=biases,
        b_hn=b_hn,
        b_out=b_out,
        output=output,
        output_rows=packed.output_rows,
    )


def _in_a_row(packed: PackedWeights) -> tuple[Array, NDArray[np.int64], int]:
    """The packed matrices in one array, where those of each layer begin, and the output's."""
    parts: list[Array] = []
    places = np.zeros((len(packed.forward), 2), np.int64)
    size = 0
    for n, layer in enumerate(packed.forward):
        for which, name in enumerate(("W_ih", "W_hh")):
            if name in layer:
                parts.append(layer[name])
                places[n, which], size = size, size + layer[name].size
    whole = aligned_zeros(size + packed.output.size, packed.output.dtype)
    np.concatenate([*parts, packed.output], out=whole)
    return whole, places, size
