"""Engine: gradients and predictions on all cores, in code compiled for this CPU.

    engine.py      a batch split over worker threads; the bytes that this takes
    results.py     gradient, result of a step, bytes of an engine
    predictor.py   logits on worker threads, for scoring
    workers.py     the worker threads
    precision.py   float type and bfloat16
    threads.py     number of usable cores; BLAS on one thread
    isa.py         instruction set, and tile sizes that suit it
    layout.py      sizes of a network, and offsets of its parameters
    aligned.py     arrays that begin at a cache line
    jit.py         compilation of kernels
    jit_cache.py   compiled kernels on disk
    gemm/          matrix products: micro-kernel, tiling, packing, bfloat16
    training/      training step: forward, backward, loss, dropout, optimizers
    decoding/      generation: reading and drawing characters in lanes

Outside, only this package, `engine`, `decoding.decoder`, `threads`, `isa`, `jit`, `jit_cache` and
`precision` are imported. `model/`, `training/optim` and `generation/` have the same in readable
NumPy, in files of the same names, and tests compare one with the other. Import the modules by
name: the engine imports Numba, threads.py and precision.py do not.
"""

COMPILING = (
    "compiling the engine for this CPU: about 15 seconds, once for each kind of cell; the result "
    "is kept on disk"
)
