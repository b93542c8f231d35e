"""Packing: copies of matrices in the order in which the micro-kernel reads them.

    B (K × N), for any number of products     packed B: panels of NR_VECTORS vectors of columns
    ┌──────────┬──────────┬─────┐             panel 0, row 0   panel 0, row 1   …  row K-1
    │ panel 0  │ panel 1  │  2  │     →       panel 1, row 0   panel 1, row 1   …
    │          │          │     │             panel 2, narrower: what is left of the columns
    └──────────┴──────────┴─────┘
    A (rows × M), for gemm_tn                 micro-panels of MR columns: MR numbers of row 0,
                                              MR numbers of row 1, …; then the next MR columns

A panel stays in the L1 cache while the rows of A pass by.

Columns of gates are padded to whole vectors gate by gate: with H = 100 and vectors of 16, gate g
begins at column 112 g. The padding is zero in B and therefore in C.
"""

from __future__ import annotations

from nextchar.kernels.gemm.microkernel import MR, NR_VECTORS, vector_length_of
from nextchar.kernels.jit import kernel

STREAMS = 8  # rows read side by side: more of them, far apart, evict each other from the L1 cache


@kernel(inlined=True)
def panel_position(v, vectors, K, length):
    """Return where vector v of a packed matrix of K rows begins, and the distance of its rows."""
    panel = v // NR_VECTORS * NR_VECTORS  # first vector of the panel
    # the panels before it have K rows of `panel` vectors; the last panel may be narrower
    row = min(NR_VECTORS, vectors - panel) * length
    return panel * length * K + (v - panel) * length, row


@kernel()
def pack(out, source, gates, width, padded):
    """Pack a matrix (K × gates·width) as B, each gate padded to `padded` columns."""
    K = source.shape[0]
    length = vector_length_of(out)
    vectors_per_gate = padded // length
    vectors = gates * vectors_per_gate
    # rows outside: a row of the source is read once from left to right, through all panels
    for k in range(K):
        for v in range(vectors):
            start, row = panel_position(v, vectors, K, length)
            at = start + k * row
            # source column of the first number of the vector; gates have no padding there
            gate, first = v // vectors_per_gate, v % vectors_per_gate * length
            column = gate * width + first
            if first + length <= width:
                for j in range(length):  # a loop of known length is one vector
                    out[at + j] = source[k, column + j]
            else:  # the last vector of a gate, with its padding
                for j in range(length):
                    out[at + j] = source[k, column + j] if first + j < width else 0


@kernel()
def pack_transposed(out, source, gates, width, padded, columns):
    """Pack the transpose of a matrix (rows × gates·width) as B, (gates·padded × columns).

    columns: rows of the source, rounded up to whole vectors.
    """
    rows, K = source.shape[0], gates * padded
    length = vector_length_of(out)
    part = min(STREAMS, length)  # divides the length: a block never leaves its vector
    vectors = columns // length
    # blocks of `part` source rows: each is read from left to right and becomes `part` columns
    for i in range(0, columns, part):
        v, inside = i // length, i % length
        start, row = panel_position(v, vectors, K, length)
        for gate in range(gates):
            for k in range(padded):
                at, column = start + inside + (gate * padded + k) * row, gate * width + k
                if k < width and i + part <= rows:
                    for j in range(part):
                        out[at + j] = source[i + j, column]
                else:  # padding of the gate, or rows that the source lacks
                    for j in range(part):
                        out[at + j] = source[i + j, column] if k < width and i + j < rows else 0


@kernel()
def pack_micropanels(out, a, M, first, depth):
    """Pack `depth` rows of A, from `first` on, in micro-panels of MR of the first M columns."""
    for m in range(0, M, MR):
        count = min(MR, M - m)  # columns of the last micro-panel
        for k in range(depth):
            # the last micro-panel keeps the distance MR between rows; the gap is never read
            into, row = out[m * depth + k * MR :], a[first + k, m:]
            if count == MR:  # a loop of known length is one vector
                for r in range(MR):
                    into[r] = row[r]
            else:
                for r in range(count):
                    into[r] = row[r]


@kernel()
def pack_panel(out, b, column, width, first, depth):
    """Pack `depth` rows of B, from `first` on, as one panel of `width` columns."""
    for k in range(depth):
        row, source = out[k * width : (k + 1) * width], b[first + k, column : column + width]
        for j in range(width):
            row[j] = source[j]
