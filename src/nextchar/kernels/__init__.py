"""The engine: gradients and predictions on all cores, in code compiled for this CPU.

    isa.py          which instruction set, and the tile sizes that suit it
    tile.py         the micro-kernel: one tile of a product in vector registers
    product.py      packing, and products of any size by tiles
    activations.py  tanh, sigmoid, exp
    rnn, lstm, gru  the loops over time, forward and backward
    rows.py         look-up by code, sums, softmax with cross-entropy
    weights.py      the packed weights of a network
    worker.py       a whole training step over some lanes
    engine.py       a batch cut over worker threads
    draw.py         drawing a code from a row of logits
    decode.py       reading and writing character by character
    decoder.py      lanes that do so, cut over worker threads
    compiled.py     how kernels are compiled and kept; threads.py: how many threads there are;
                    memory.py: arrays that begin at a cache line

Nothing outside knows how it works; `model/` says the same in readable NumPy, and tests hold one
against the other. Import the modules by name: the engine brings Numba along, threads.py does not.
"""

COMPILING = (
    "compiling the engine for this CPU: a quarter of a minute, once for each kind of cell; it is "
    "kept on disk for the next time"
)
