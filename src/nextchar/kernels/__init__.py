"""The engine: gradients and predictions on all cores, in code compiled for this CPU.

    isa.py          which instruction set, and the tile sizes that suit it
    tile.py         the micro-kernel: one tile of a product in vector registers
    by_tiles.py     products of any size by tiles
    product.py      packing, products for kernels to call; bfloat16.py: the same in pairs
    activations.py  tanh, sigmoid, exp
    rnn, lstm, gru  the loops over time, forward and backward
    rows.py         look-up by code, sums, softmax with cross-entropy
    dropping.py     dropout
    shape.py        a network's sizes and where its parameters stand
    weights.py      its weights, packed
    room.py         the memory that one thread works in
    forward.py      the network forward; backward.py: and backward
    step.py         a whole training step over some lanes, and in pieces
    pieces.py       one whose gradients are summed over machines, piece by piece
    updates.py      sums of gradients, clipping, the optimizers; rules.py: their numbers
    engine.py       a batch cut over worker threads
    lanes.py        what lanes of text are written by: rules, history, what comes of it
    bans.py         what changes a row of logits; draw.py: drawing a code from it
    decode.py       reading and writing character by character
    automata.py     the patterns of the lanes at work
    shard.py        the lanes of one thread; decoder.py: all of them
    compiled.py     how kernels are compiled; cache.py: where they are kept
    threads.py      how many threads there are
    memory.py       arrays that begin at a cache line

Nothing outside knows how it works; `model/` says the same in readable NumPy, and tests hold one
against the other. Import the modules by name: the engine brings Numba along, threads.py does not.
"""

COMPILING = (
    "compiling the engine for this CPU: a quarter of a minute, once for each kind of cell; it is "
    "kept on disk for the next time"
)
