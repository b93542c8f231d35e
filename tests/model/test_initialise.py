"""Initial weights: ranges, moments, reproducibility by seed."""

from __future__ import annotations

import numpy as np
import pytest

from nextchar.model.cells import CELLS
from nextchar.model.initialise import initialise
from nextchar.model.parameters import Architecture
from nextchar.settings.groups import INITIALISATIONS, NetworkSettings

H, V = 64, 30


def drawn(initialisation="uniform", seed=1, dtype=np.float64, **settings):
    network = NetworkSettings(hidden_size=H, initialisation=initialisation, **settings)
    return initialise(Architecture(network, V), seed, dtype)


def matrices(parameters):
    return {name: view for name, view in parameters.views.items() if view.ndim == 2}


def gates(parameters, view, name):
    blocks = parameters.architecture.cell.GATES if name.startswith("layer") else 1
    return np.hsplit(view, blocks)


@pytest.mark.parametrize("how", INITIALISATIONS)
@pytest.mark.parametrize("cell", sorted(CELLS))
def test_a_seed_decides_every_bit_and_another_seed_every_matrix(cell, how):
    one, same, other = (drawn(how, seed, cell=cell, embedding_size=8) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.flat, same.flat)
    for name, view in matrices(one).items():
        assert (view != other[name]).all(), name


@pytest.mark.parametrize("how", INITIALISATIONS)
def test_float32_weights_are_the_float64_ones_rounded(how):
    np.testing.assert_array_equal(
        drawn(how, dtype=np.float32).flat, drawn(how).flat.astype(np.float32)
    )


@pytest.mark.parametrize("how", INITIALISATIONS)
@pytest.mark.parametrize("cell", sorted(CELLS))
def test_biases_are_zero_and_the_forget_gates_one(cell, how):
    parameters = drawn(how, cell=cell)
    for name, view in parameters.views.items():
        if view.ndim == 1:
            expected = np.zeros_like(view)
            if cell == "lstm" and name != "b_out":
                expected[H : 2 * H] = 1
            np.testing.assert_array_equal(view, expected)


def test_uniform_fills_the_range_of_one_over_root_h():
    for name, view in matrices(drawn("uniform", embedding_size=16)).items():
        assert np.abs(view).max() <= H**-0.5
        # the largest of n ≥ 480 uniform numbers is within 5 % of the end but for (0.95)^480
        assert np.abs(view).max() > 0.95 * H**-0.5, name
        assert abs(view.mean()) < 0.2 * H**-0.5  # 0.58/sqrt(480) = 0.026: seven of them


@pytest.mark.parametrize("cell", sorted(CELLS))
def test_glorot_bounds_each_gate_by_its_own_width(cell):
    parameters = drawn("glorot", cell=cell)
    for name, view in matrices(parameters).items():
        for block in gates(parameters, view, name):
            bound = (6 / sum(block.shape)) ** 0.5
            assert 0.95 * bound < np.abs(block).max() <= bound, name


@pytest.mark.parametrize("cell", sorted(CELLS))
def test_orthogonal_makes_each_recurrent_gate_orthogonal_and_the_rest_glorot(cell):
    parameters = drawn("orthogonal", cell=cell)
    for name, view in matrices(parameters).items():
        for block in gates(parameters, view, name):
            if name.endswith("W_hh"):
                np.testing.assert_allclose(block.T @ block, np.eye(H), atol=1e-13)  # rounding
            else:
                assert np.abs(block).max() <= (6 / sum(block.shape)) ** 0.5


def test_orthogonal_matrices_are_not_of_one_handedness():
    """Without Mezzadri's signs, QR's own sign rule would show in every diagonal."""
    signs = [np.sign(np.diag(drawn("orthogonal", seed)["layer0.W_hh"])).sum() for seed in range(8)]
    assert np.abs(signs).max() < H / 2  # 64 fair coins: four standard deviations


def test_normal_has_a_standard_deviation_of_a_hundredth():
    for name, view in matrices(drawn("normal")).items():
        # the deviation of n ≥ 1,920 numbers is off by 1/sqrt(2n) = 1.6 %: six of them
        assert view.std() == pytest.approx(0.01, rel=0.1), name
        assert np.abs(view).max() > 0.02


def test_no_two_matrices_are_alike():
    parameters = drawn(num_layers=3)
    assert (parameters["layer1.W_ih"] != parameters["layer1.W_hh"]).all()
    assert (parameters["layer1.W_hh"] != parameters["layer2.W_hh"]).all()


@pytest.mark.parametrize("how", INITIALISATIONS)
def test_a_network_of_one_unit_can_be_drawn(how):
    network = NetworkSettings(hidden_size=1, num_layers=2, initialisation=how)
    assert np.isfinite(initialise(Architecture(network, 1), 1).flat).all()
