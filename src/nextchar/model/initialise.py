"""Initial weights. Biases are zero, those of the LSTM's forget gate one.

uniform      every matrix uniform in ±1/sqrt(H), PyTorch's default for recurrent layers
glorot       uniform in ±sqrt(6 / (inputs + outputs)) for each gate (Glorot & Bengio, 2010)
orthogonal   recurrent matrices orthogonal for each gate (Saxe, McClelland & Ganguli, 2014),
             others as glorot
normal       normal with standard deviation 0.01, a common choice in introductions
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nextchar.model.parameters import Architecture, Array, Parameters


def initialise(architecture: Architecture, seed: int, dtype: Any = np.float32) -> Parameters:
    """Draw parameters from a seed: the same in every precision, up to rounding."""
    rng = np.random.default_rng(seed)
    parameters = Parameters(architecture, dtype=dtype)
    method, hidden = architecture.settings.initialisation, architecture.settings.hidden_size
    for name, view in parameters.views.items():
        if view.ndim != 2:
            continue
        blocks = architecture.cell.GATES if name.startswith("layer") else 1
        shape = (view.shape[0], view.shape[1] // blocks)
        recurrent = name.endswith("W_hh")
        gates = [_draw(method, rng, shape, hidden, recurrent=recurrent) for _ in range(blocks)]
        view[:] = np.hstack(gates)
    for layer in parameters.layers:
        architecture.cell.init(layer)
    return parameters


def _draw(
    method: str, rng: np.random.Generator, shape: tuple[int, int], hidden: int, *, recurrent: bool
) -> Array:
    """Draw the matrix (inputs, outputs) of one gate."""
    match method:
        case "uniform":
            return rng.uniform(-(hidden**-0.5), hidden**-0.5, shape)
        case "normal":
            return 0.01 * rng.standard_normal(shape)
        case "orthogonal" if recurrent:
            q, r = np.linalg.qr(rng.standard_normal(shape))
            return q * np.sign(
                np.diag(r)
            )  # the signs make the distribution uniform (Mezzadri, 2007)
        case _:
            bound = (6 / sum(shape)) ** 0.5
            return rng.uniform(-bound, bound, shape)
