"""Gradients by central differences, in float64: the reference for every `backward`.

With step s a difference quotient errs by about s²·f''' (truncation) and by 1e-16·f/s (rounding).
For losses near 1 and s = 1e-5 both are near 1e-11. The inputs here make gradients of 1e-2 and
more, so the tolerance of 1e-6 is far above that noise, and far below any missing term.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextchar.model import network
from nextchar.model.cells import Cell
from nextchar.model.loss import log_softmax
from nextchar.model.parameters import Architecture, Parameters
from nextchar.settings.config import NetworkSettings

Array = NDArray[Any]

STEP = 1e-5
TOLERANCE = 1e-6


def differences(loss: Callable[[], float], array: Array) -> Array:
    """Derivative of `loss()` with respect to each entry of an array that it reads."""
    slopes = np.empty_like(array)
    for place in np.ndindex(array.shape):
        kept = array[place]
        array[place] = kept + STEP
        above = loss()
        array[place] = kept - STEP
        below = loss()
        array[place] = kept
        slopes[place] = (above - below) / (2 * STEP)
    return slopes


def assert_same_gradient(name: str, analytic: Array, numeric: Array) -> None:
    """Compare one tensor's gradient with its differences, as a whole and at its worst entry.

    Written so that NaN fails, and so that a gradient that vanishes altogether is no proof.
    """
    assert np.linalg.norm(numeric) > 1e-4, f"{name}: these inputs make no gradient to check"
    error = analytic - numeric
    assert np.linalg.norm(error) <= TOLERANCE * np.linalg.norm(numeric), f"{name}: norm"
    assert np.abs(error).max() <= TOLERANCE * np.abs(numeric).max(), f"{name}: worst entry"


def check_cell(cell: Cell, *, T: int = 4, B: int = 3, H: int = 3, seed: int = 0) -> None:
    """Compare a cell's `backward` with differences, for the weighted sum of all its outputs."""
    rng = np.random.default_rng(seed)
    weights = {n: rng.normal(0, 0.7, shape) for n, shape in cell.shapes(1, H).items()}
    a = rng.normal(size=(T, B, cell.GATES * H))
    state = rng.normal(size=(cell.STATES, B, H))
    dh = rng.normal(size=(T, B, H))

    def loss() -> float:
        h, _, _ = cell.forward(weights, a.copy(), state)
        return float((h * dh).sum())

    _, _, cache = cell.forward(weights, a.copy(), state)
    da, recurrent = cell.backward(weights, dh, cache)
    assert {*recurrent, "W_ih", "b"} == set(weights)  # those two are the network's
    assert_same_gradient("a", da, differences(loss, a))
    for name, gradient in recurrent.items():
        assert_same_gradient(name, gradient, differences(loss, weights[name]))


@dataclass(frozen=True)
class Problem:
    """A random network, batch and initial state."""

    parameters: Parameters
    codes: Array  # (T, B)
    targets: Array  # (T, B)
    state: Array  # (L, STATES, B, H)
    masks: list[Array] | None

    def loss(self) -> float:
        """Mean loss, by the forward pass alone."""
        logits, _, _ = network.forward(self.parameters, self.codes, self.state, self.masks)
        log_p = log_softmax(logits)
        return -float(np.take_along_axis(log_p, self.targets[..., None], axis=-1).mean())

    def loss_and_gradient(self) -> tuple[float, Parameters]:
        """Mean loss and its gradient, by the code that training uses."""
        gradient = Parameters(self.parameters.architecture, dtype=self.parameters.dtype)
        gradient.flat[:] = np.nan  # an entry that is not written fails the check
        total, _ = network.loss_and_gradient(
            self.parameters,
            self.codes,
            self.targets,
            self.state,
            gradient,
            scale=1 / self.codes.size,
            masks=self.masks,
        )
        return total / self.codes.size, gradient

    def as_type(self, dtype: Any) -> Problem:
        """The same problem in another precision."""
        p = self.parameters
        return Problem(
            Parameters(p.architecture, p.flat.astype(dtype)),
            self.codes,
            self.targets,
            self.state.astype(dtype),
            self.masks and [mask.astype(dtype) for mask in self.masks],
        )


def make_problem(
    cell: str,
    *,
    layers: int = 1,
    embedding: int = 0,
    tied: bool = False,
    dropout: bool = False,
    T: int = 4,
    B: int = 3,
    V: int = 5,
    H: int = 3,
    seed: int = 0,
) -> Problem:
    """A random problem; weights of 0.7 keep the gates out of saturation."""
    rng = np.random.default_rng(seed)
    architecture = Architecture(
        NetworkSettings(
            cell=cell,
            hidden_size=H,
            num_layers=layers,
            embedding_size=H if tied else embedding,
            tied=tied,
        ),
        V,
    )
    masks = [2.0 * (rng.random((T, B, H)) < 0.5) for _ in range(layers)] if dropout else None
    return Problem(
        Parameters(architecture, rng.normal(0, 0.7, architecture.size)),
        rng.integers(V, size=(T, B)),
        rng.integers(V, size=(T, B)),
        rng.normal(size=architecture.state_shape(B)),
        masks,
    )


def check_network(problem: Problem) -> None:
    """Compare the gradient of every parameter of a network with its differences."""
    _, gradient = problem.loss_and_gradient()
    for name, values in problem.parameters.views.items():
        assert_same_gradient(name, gradient[name], differences(problem.loss, values))


def variants(**given: Any) -> Iterator[Problem]:
    """One-hot input, an embedding, and a tied one, each with and without dropout."""
    for dropout in (False, True):
        yield make_problem(dropout=dropout, **given)
        yield make_problem(dropout=dropout, embedding=2, **given)
        yield make_problem(dropout=dropout, tied=True, **given)
