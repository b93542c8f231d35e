"""The engine: gradients of a batch, and scores of a text, on all cores.

Nothing outside knows how it works. So far each worker runs `model.network` in NumPy over its
shard of lanes; the compiled engine will take its place behind the same class.
"""

from nextchar.kernels.engine import Engine
from nextchar.kernels.threads import one_blas_thread, usable_cores

__all__ = ["Engine", "one_blas_thread", "usable_cores"]
