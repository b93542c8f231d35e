"""One flat array, named views: names, shapes, order and counts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextchar.model.parameters import Architecture, Parameters
from nextchar.settings.config import NetworkSettings

architectures = st.builds(
    lambda cell, H, L, E, tied, V: Architecture(
        NetworkSettings(
            cell=cell, hidden_size=H, num_layers=L, embedding_size=H if tied else E, tied=tied
        ),
        V,
    ),
    st.sampled_from(["rnn", "lstm", "gru"]),
    st.integers(1, 6),
    st.integers(1, 3),
    st.integers(0, 4),
    st.booleans(),
    st.integers(1, 9),
)


def of(V=7, **settings):
    return Architecture(NetworkSettings(**settings), V)


def test_an_lstm_of_two_layers_has_these_parameters():
    assert dict(of(cell="lstm", hidden_size=3, num_layers=2).shapes) == {
        "layer0.W_ih": (7, 12),
        "layer0.W_hh": (3, 12),
        "layer1.W_ih": (3, 12),
        "layer1.W_hh": (3, 12),
        "W_out": (3, 7),
        "layer0.b": (12,),
        "layer1.b": (12,),
        "b_out": (7,),
    }


def test_a_tied_gru_has_an_embedding_and_no_output_weights():
    tied = of(cell="gru", hidden_size=3, num_layers=1, embedding_size=3, tied=True)
    assert dict(tied.shapes) == {
        "embedding": (7, 3),
        "layer0.W_ih": (3, 9),
        "layer0.W_hh": (3, 9),
        "layer0.b": (9,),
        "layer0.b_hn": (3,),
        "b_out": (7,),
    }


@given(architecture=architectures)
def test_matrices_come_first_so_that_weight_decay_is_a_slice(architecture):
    parameters = Parameters(architecture)
    parameters.flat[: architecture.matrix_size] = 1
    for view in parameters.views.values():
        assert (view == (view.ndim == 2)).all()


@given(architecture=architectures)
def test_the_views_cover_the_flat_array_each_entry_once(architecture):
    parameters = Parameters(architecture, np.arange(architecture.size, dtype=np.float64))
    entries = np.concatenate([view.ravel() for view in parameters.views.values()])
    np.testing.assert_array_equal(entries, parameters.flat)
    assert {n: view.shape for n, view in parameters.views.items()} == dict(architecture.shapes)
    assert all(np.shares_memory(view, parameters.flat) for view in parameters.views.values())
    assert all(view.flags.c_contiguous for view in parameters.views.values())


@given(architecture=architectures)
def test_a_layers_views_are_those_of_its_names(architecture):
    parameters = Parameters(architecture)
    assert len(parameters.layers) == architecture.settings.num_layers
    for number, layer in enumerate(parameters.layers):
        for name, view in layer.items():
            assert view is parameters[f"layer{number}.{name}"]


def test_eleven_layers_are_distinguished():
    parameters = Parameters(of(cell="rnn", hidden_size=1, num_layers=11))
    assert all(set(layer) == {"W_ih", "W_hh", "b"} for layer in parameters.layers)
    assert parameters.layers[1]["b"] is parameters["layer1.b"]


def test_the_flat_array_is_kept_not_copied():
    architecture = of(hidden_size=2, num_layers=1)
    flat = np.zeros(architecture.size)
    assert Parameters(architecture, flat).flat is flat


def test_a_flat_array_of_another_size_is_refused():
    architecture = of(hidden_size=2, num_layers=1)
    with pytest.raises(ValueError, match=rf"flat must have shape \({architecture.size},\)"):
        Parameters(architecture, np.zeros(architecture.size + 1))


@pytest.mark.parametrize(("cell", "states"), [("rnn", 1), ("gru", 1), ("lstm", 2)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_fresh_state_is_zero_and_of_the_parameters_type(cell, states, dtype):
    parameters = Parameters(of(cell=cell, hidden_size=3, num_layers=2), dtype=dtype)
    state = parameters.zero_state(5)
    assert state.shape == (2, states, 5, 3)
    assert state.dtype == parameters.dtype == np.dtype(dtype)
    assert not state.any()
