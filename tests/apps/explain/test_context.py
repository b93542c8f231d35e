"""Context dependence, compared with loops that read the modified text one character at a time."""

from __future__ import annotations

import math

import numpy as np
import pytest

from apps.explain import planted
from nextchar.apps import context_loss
from nextchar.apps.batch_predictor import BatchPredictor
from nextchar.apps.explain import context
from nextchar.apps.explain.context import (
    divergence,
    draw_others,
    frequencies_of,
    influence,
    influence_at,
    most_context_dependent_position,
    sampled_context_loss,
)
from nextchar.formatting.units import to_bits
from nextchar.model.file import Model
from nextchar.model.loss import log_softmax
from nextchar.model.network import forward

TEXT = planted.SAYINGS * 3


@pytest.fixture(scope="module", params=["rnn", "lstm", "gru"])
def model(request: pytest.FixtureRequest) -> Model:
    return planted.untrained(TEXT, request.param)


def expected_after(model: Model, codes: list[int]) -> np.ndarray:
    """Probabilities of the next character after codes read one at a time from the zero state."""
    state = model.parameters.zero_state(1)
    for code in codes:
        logits, state, _ = forward(model.parameters, np.array([[code]]), state)
    return np.exp(log_softmax(logits[0, 0]))


def kl(p: np.ndarray, q: np.ndarray) -> float:
    return float(sum(a * math.log2(a / b) for a, b in zip(p, q, strict=True)))


def test_influence_is_what_reading_every_changed_text_gives(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context, "PLACES", 3)
    monkeypatch.setattr(context, "DRAWS", 2)
    monkeypatch.setattr(context_loss, "CONVERGED", 0)
    monkeypatch.setattr(context, "DISTANCES", (1, 2, 7))
    codes = model.vocabulary.encode(TEXT)
    frequencies = frequencies_of(codes, len(model.vocabulary))
    with BatchPredictor(model.parameters) as reader:
        found = influence(reader, codes, frequencies, seed=5)
    places = np.linspace(8, len(codes) - 1, 3).astype(int)
    assert (found.distances.tolist(), found.places) == ([1, 2, 7], 3)
    rng = np.random.default_rng(5)
    for n, d in enumerate((1, 2, 7)):
        others = draw_others(rng, frequencies, codes[places - d], 2)
        replaced, deleted = [], []
        for lane, place in enumerate(places):
            # characters before the warm-up are not read
            read = codes[max(0, place - 8 - 512) : place].tolist()
            p = expected_after(model, read)
            at = len(read) - d
            for other in others[:, lane].tolist():
                changed = [*read[:at], other, *read[at + 1 :]]
                replaced.append(kl(p, expected_after(model, changed)))
            deleted.append(kl(p, expected_after(model, read[:at] + read[at + 1 :])))
        assert found.replaced[n] == pytest.approx(np.mean(replaced), rel=1e-7)
        assert found.deleted[n] == pytest.approx(np.mean(deleted), rel=1e-7)


def test_one_place_is_looked_at_with_all_other_characters(model: Model) -> None:
    codes = model.vocabulary.encode(TEXT)
    frequencies = frequencies_of(codes, len(model.vocabulary))
    with BatchPredictor(model.parameters) as reader:
        found = influence_at(reader, codes, 9, frequencies)
    read = codes[:9].tolist()
    p = expected_after(model, read)
    np.testing.assert_allclose(found.expected, p, rtol=1e-9)
    assert found.influence.shape == (9,)
    for at in (0, 4, 8):
        weights = frequencies.copy()
        weights[read[at]] = 0
        weights /= weights.sum()
        expected = sum(
            weights[other] * kl(p, expected_after(model, [*read[:at], other, *read[at + 1 :]]))
            for other in np.flatnonzero(weights).tolist()
        )
        assert found.influence[at] == pytest.approx(expected, rel=1e-7)


def test_loss_by_context_is_the_loss_after_so_many_characters(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context, "TARGETS", 4)
    monkeypatch.setattr(context_loss, "CONVERGED", 0)
    codes = model.vocabulary.encode(TEXT)
    with BatchPredictor(model.parameters) as reader:
        found = sampled_context_loss(reader, codes)
    targets = np.linspace(512, len(codes) - 1, 4).astype(int)
    assert found.lengths == context_loss.LENGTHS[1:]
    assert found.positions == 4
    for length, bits in [
        *zip(found.lengths[::3], to_bits(found.loss).tolist()[::3], strict=True),
        (512, to_bits(found.full_loss)),
    ]:
        naive = [
            -math.log2(expected_after(model, codes[t - length : t].tolist())[codes[t]])
            for t in targets
        ]
        # a network with large weights amplifies rounding differences of the engine
        assert bits == pytest.approx(np.mean(naive), rel=1e-4)


def test_the_search_stops_at_distances_without_influence(monkeypatch: pytest.MonkeyPatch) -> None:
    model = planted.untrained(TEXT)
    for name, value in model.parameters.views.items():
        if name.endswith("W_hh"):
            value[:] = 0
        if name.endswith(".b"):
            value[8:16] = -40  # the forget gate is closed: only the last character matters
    codes = model.vocabulary.encode(TEXT)
    with BatchPredictor(model.parameters) as reader:
        far = influence(reader, codes, frequencies_of(codes, len(model.vocabulary)))
        curve = sampled_context_loss(reader, codes)
    assert far.distances.tolist() == [1, 2, 3]
    assert far.replaced[0] > 0.01
    np.testing.assert_allclose(far.replaced[1:], 0, atol=1e-12)
    assert curve.lengths == (1, 2)
    np.testing.assert_allclose(curve.loss, curve.full_loss, rtol=1e-9)


def test_the_most_context_dependent_position_depends_on_an_early_quote() -> None:
    rng = np.random.default_rng(1)
    text = planted.quoted_text(rng, 3000)
    model = planted.quote_model(text, 4)
    layer, opened = model.parameters.layers[0], model.vocabulary.encode("”")[0]
    model.parameters["W_out"][:] = 0  # only the quote unit affects the output
    model.parameters["W_out"][4, opened] = 5
    layer["W_hh"][:] = np.diag([20.0 if unit == 4 else 0.0 for unit in range(12)])
    codes = model.vocabulary.encode(text)
    with BatchPredictor(model.parameters) as reader:
        place = most_context_dependent_position(reader, codes)
    near = text[place - 10 : place]
    assert "“" not in near
    assert "”" not in near
    assert text[:place].count("“") > text[:place].count("”")  # a quote is open from further back


def test_divergence_is_kullback_and_leiblers_in_bits(rng: np.random.Generator) -> None:
    p, q = rng.dirichlet(np.ones(6), 4), rng.dirichlet(np.ones(6), 4)
    expected = [kl(a, b) for a, b in zip(p, q, strict=True)]
    np.testing.assert_allclose(divergence(np.log(p), np.log(q)), expected, rtol=1e-12)
    np.testing.assert_allclose(divergence(np.log(p), np.log(p)), 0, atol=1e-15)


def test_replacements_are_drawn_as_often_as_they_occur_and_never_the_same(
    rng: np.random.Generator,
) -> None:
    frequencies = np.array([0.5, 0.2, 0.2, 0.1, 0.0])
    drawn = draw_others(rng, frequencies, np.array([0, 3]), 4000)
    assert drawn.shape == (4000, 2)
    shares = np.bincount(drawn[:, 0], minlength=5) / 4000
    # four standard errors of a share of 0.4 among 4,000 draws
    np.testing.assert_allclose(shares, [0, 0.4, 0.4, 0.2, 0], atol=0.031)
    assert not (drawn[:, 1] == 3).any()
    assert draw_others(rng, np.array([1.0, 0, 0]), np.array([0]), 50).min() > 0


@pytest.mark.parametrize("length", [2, 3, 40])
def test_short_texts_have_a_memory_too(length: int) -> None:
    model = planted.untrained(TEXT)
    codes = model.vocabulary.encode(TEXT)[:length]
    frequencies = frequencies_of(codes, len(model.vocabulary))
    with BatchPredictor(model.parameters) as reader:
        found = influence(reader, codes, frequencies)
        curve = sampled_context_loss(reader, codes)
        place = most_context_dependent_position(reader, codes)
        seen = influence_at(reader, codes, place, frequencies)
    assert len(found.distances) == len(found.replaced) == len(found.deleted)
    assert (found.distances < max(length - 1, 1)).all()
    assert len(curve.lengths) >= 1
    assert 1 <= place < length
    assert len(seen.influence) == min(place, context.NEAR)


def test_with_very_many_characters_some_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "EVERY", 5)
    model = planted.untrained(TEXT)
    codes = model.vocabulary.encode(TEXT)
    frequencies = frequencies_of(codes, len(model.vocabulary))
    with BatchPredictor(model.parameters) as reader:
        one, other = (influence_at(reader, codes, 12, frequencies, seed=seed) for seed in (1, 2))
    assert (one.influence >= -1e-12).all()
    assert not np.allclose(one.influence, other.influence)
