"""Our sampling rules against the logits processors of Hugging Face's transformers: `make oracle`.

Random logits have no ties, in which the two may differ: of two as typical we keep the lower code
only. transformers drops with -inf too, so that what is kept is compared along with the numbers.
"""

from __future__ import annotations

import numpy as np
import pytest

from nextchar.generation.generation_settings import GenerationSettings
from nextchar.generation.penalties import with_repetition_penalty, without_repeated_ngrams
from nextchar.generation.sampling import (
    keep_min_p,
    keep_top_k,
    keep_top_p,
    keep_typical_p,
    probabilities,
    with_temperature,
)

torch = pytest.importorskip("torch", reason="PyTorch is not installed; run `make oracle`")
processors = pytest.importorskip(
    "transformers.generation.logits_process",
    reason="transformers is not installed; run `make oracle`",
)

pytestmark = pytest.mark.live

SEEDS = range(20)
SIZES = [(1, 1), (3, 7), (4, 65), (2, 5000)]
every_row = pytest.mark.parametrize(("N", "V"), SIZES)
every_seed = pytest.mark.parametrize("seed", SEEDS)


def drawn(seed, N, V):
    """Logits, and a history for each row; all histories have one length, as transformers needs."""
    rng = np.random.default_rng([seed, V])
    logits = rng.normal(scale=rng.choice([0.1, 1, 3, 10]), size=(N, V))
    if V > 1:
        logits[:, rng.integers(V)] = -np.inf
    return logits, rng.integers(min(V, 5), size=(N, rng.integers(0, 40)))


def theirs(processor, logits, histories):
    codes = torch.tensor(histories, dtype=torch.int64)
    return processor(codes, torch.tensor(logits)).numpy()


def assert_same(ours, expected):
    """Both are the same operations in float64."""
    np.testing.assert_allclose(ours, expected, rtol=1e-12, atol=1e-12)


@every_seed
@every_row
@pytest.mark.parametrize("penalty", [0.5, 1.1, 2.0])
def test_the_repetition_penalty_is_transformers(seed, N, V, penalty):
    logits, histories = drawn(seed, N, V)
    processor = processors.RepetitionPenaltyLogitsProcessor(penalty)
    assert_same(
        with_repetition_penalty(logits, list(histories), penalty),
        theirs(processor, logits, histories),
    )


@every_seed
@every_row
@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_the_banned_ngrams_are_transformers(seed, N, V, n):
    logits, histories = drawn(seed, N, V)
    processor = processors.NoRepeatNGramLogitsProcessor(n)
    assert_same(
        without_repeated_ngrams(logits, list(histories), n), theirs(processor, logits, histories)
    )


@every_seed
@every_row
@pytest.mark.parametrize("p", [0.01, 0.3, 0.5, 0.9, 0.99])
def test_what_top_p_min_p_and_typical_p_keep_is_transformers(seed, N, V, p):
    logits, histories = drawn(seed, N, V)
    for ours, processor in [
        (keep_top_p, processors.TopPLogitsWarper(p)),
        (keep_min_p, processors.MinPLogitsWarper(p)),
        (keep_typical_p, processors.TypicalLogitsWarper(p)),
    ]:
        assert_same(ours(logits, p), theirs(processor, logits, histories))


@every_seed
@every_row
@pytest.mark.parametrize("k", [1, 3, 40])
def test_what_top_k_keeps_is_transformers(seed, N, V, k):
    logits, histories = drawn(seed, N, V)
    ours = keep_top_k(logits, min(k, V))
    assert_same(ours, theirs(processors.TopKLogitsWarper(k), logits, histories))


@every_seed
@every_row
def test_temperature_is_transformers(seed, N, V):
    logits, histories = drawn(seed, N, V)
    expected = theirs(processors.TemperatureLogitsWarper(0.7), logits, histories)
    assert_same(
        with_temperature(logits, 0.7), expected - expected.max(axis=1, keepdims=True)
    )  # ours moves the largest to 0


@every_seed
@every_row
def test_all_rules_in_a_row_are_transformers(seed, N, V):
    logits, histories = drawn(seed, N, V)
    bias = {0: -1.5, min(2, V - 1): 2.0}
    allowed = np.random.default_rng(seed).random((N, V)) < 0.8
    allowed[:, 0] = True
    settings = GenerationSettings(
        repetition_penalty=1.3, repeat_last_n=-1, no_repeat_ngram_size=4, temperature=0.8,
        top_k=30, top_p=0.95, min_p=0.02, typical_p=0.9,
    )  # fmt: skip
    expected = logits
    for step in [
        processors.SequenceBiasLogitsProcessor({(code,): value for code, value in bias.items()}),
        processors.RepetitionPenaltyLogitsProcessor(1.3),
        processors.NoRepeatNGramLogitsProcessor(4),
        lambda _, scores: scores.masked_fill(~torch.tensor(allowed), -torch.inf),
        processors.TemperatureLogitsWarper(0.8),
        processors.TopKLogitsWarper(30),
        processors.TopPLogitsWarper(0.95),
        processors.MinPLogitsWarper(0.02),
        processors.TypicalLogitsWarper(0.9),
    ]:
        expected = theirs(step, expected, histories)
    row = np.zeros(V)
    row[list(bias)] = list(bias.values())
    ours = probabilities(logits, settings, list(histories), row, allowed)
    drawable = ~np.isneginf(expected).all(axis=1)  # softmax of nothing is NaN there, zeros here
    assert_same(ours[drawable], torch.softmax(torch.tensor(expected[drawable]), dim=-1).numpy())
    assert (ours[~drawable] == 0).all()
