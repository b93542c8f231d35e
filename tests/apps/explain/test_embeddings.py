"""Similarity of characters: the map shows principal components, neighbours are exact."""

from __future__ import annotations

import numpy as np
import pytest

from apps.explain.planted import SAYINGS, untrained
from nextchar.apps.explain.embeddings import compare, symbol_vectors


def test_the_map_is_that_of_the_covariances_eigenvectors(rng: np.random.Generator) -> None:
    rows, codes = rng.normal(size=(20, 6)) * np.array([5, 3, 1, 1, 1, 1]), np.arange(3, 18)
    found = compare(rows, codes)
    centred = rows[codes] - rows[codes].mean(axis=0)
    values, vectors = np.linalg.eigh(centred.T @ centred)
    for axis in (0, 1):
        expected = centred @ vectors[:, -1 - axis]
        sign = np.sign(expected[np.abs(expected).argmax()])
        np.testing.assert_allclose(found.map[:, axis], expected * sign, atol=1e-9)
    np.testing.assert_allclose(found.shares, values[::-1][:2] / values.sum(), rtol=1e-9)


def test_neighbours_are_the_nearest_by_cosine_about_the_mean(rng: np.random.Generator) -> None:
    rows, codes = rng.normal(size=(12, 5)), np.array([7, 1, 11, 4, 0, 9, 3])
    found = compare(rows, codes)
    centred = rows[codes] - rows[codes].mean(axis=0)
    for n, row in enumerate(centred):
        cosines = {
            int(code): float(row @ other / np.linalg.norm(row) / np.linalg.norm(other))
            for code, other in zip(codes, centred, strict=True)
            if code != codes[n]
        }
        expected = sorted(cosines, key=lambda code: -cosines[code])[:5]
        assert found.neighbours[n].tolist() == expected
        np.testing.assert_allclose(found.cosines[n], [cosines[code] for code in expected])


def test_characters_with_the_same_weights_lie_on_each_other() -> None:
    model = untrained(SAYINGS)
    rows = symbol_vectors(model.parameters)
    a, b = model.vocabulary.encode("ab").tolist()
    rows[b] = rows[a]
    found = compare(rows, np.arange(len(rows)))
    np.testing.assert_allclose(found.map[a], found.map[b], atol=1e-12)
    assert found.neighbours[a][0] == b
    assert found.cosines[a][0] == pytest.approx(1)


def test_the_rows_are_the_embedding_where_there_is_one() -> None:
    plain, embedded = untrained(SAYINGS), untrained(SAYINGS, embedding_size=5)
    assert symbol_vectors(plain.parameters) is plain.parameters.layers[0]["W_ih"]
    assert symbol_vectors(embedded.parameters) is embedded.parameters["embedding"]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_characters_have_a_map_too(count: int) -> None:
    found = compare(np.eye(3), np.arange(count))
    assert found.map.shape == (count, 2)
    assert np.isfinite(found.map).all()
    assert found.neighbours.shape == (count, max(count - 1, 0))
