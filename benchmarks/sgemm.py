"""Highest rate of the machine: float32 products of 2048×2048 matrices, as JSON.

Run in a separate process, since it imports NumPy (and PyTorch if installed).
"""

from __future__ import annotations

import json
import os
import time

import numpy as np
from threadpoolctl import ThreadpoolController, threadpool_info

SIZE, REPEATS = 2048, 8


def gflops(multiply) -> float:
    """Return the best of several repetitions, in GFLOP/s."""
    multiply()
    best = float("inf")
    for _ in range(REPEATS):
        start = time.perf_counter()
        multiply()
        best = min(best, time.perf_counter() - start)
    return 2 * SIZE**3 / best / 1e9


def measure() -> dict[str, object]:
    """Measure NumPy with one thread and with all, PyTorch with all; name the BLAS of NumPy."""
    rng = np.random.default_rng(0)
    a, b = rng.random((2, SIZE, SIZE), np.float32)
    out = np.empty_like(a)
    result: dict[str, object] = {"all": gflops(lambda: np.dot(a, b, out=out))}
    blas = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    keys = ("internal_api", "version", "architecture", "num_threads")
    result["blas"] = [{key: pool.get(key) for key in keys} for pool in blas]
    with ThreadpoolController().limit(limits=1, user_api="blas"):
        result["one"] = gflops(lambda: np.dot(a, b, out=out))
    try:
        import torch
    except ImportError:
        return result
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    torch.set_num_threads(cores or 1)
    x, y, z = torch.from_numpy(a), torch.from_numpy(b), torch.empty(SIZE, SIZE)
    result["torch"] = gflops(lambda: torch.mm(x, y, out=z))
    return result


if __name__ == "__main__":
    print(json.dumps(measure()))
