"""Drawing one code from a row of logits; the readable twin is generation/sampling.py.

    weights[j] = exp((z[j] - max z) / temperature)
    top_k, top_p, min_p and typical_p set the weights of the codes that they drop to 0
    the first code at which the summed weights exceed uniform · (their sum) is drawn

Nothing is sorted. A rule that keeps the first codes in some order needs only the cut: the value
above which the weights sum to a goal. It is found by bisection, a few vectorised sums over the
row; a handful of candidates around it is then sorted:

    value      low            high           largest
    ───────────┼──────────────┼──────────────┤
      dropped  │  candidates  │  kept
               sum ≥ goal     sum < goal            sums of weights above a value

A character costs one pass of exponentials and one of additions, and some ten passes per rule.
"""

from __future__ import annotations

import math

import numpy as np

from nextchar.kernels.jit import kernel
from nextchar.kernels.training.activations import exp

HANDFUL = 12  # candidates that are quickly sorted
DOUBLINGS = 60  # at most, of a width; or halvings


@kernel()
def sample(z, uniform, temperature, top_k, top_p, min_p, typical_p, scratch):
    """Return the code drawn from logits z (V,) by a number in [0, 1); -1 where all are -inf.

    temperature: 0 takes the largest logit. scratch: `lanes.SamplerScratch`. z is not changed.
    """
    # the largest logit has weight 1, whatever the temperature
    weights, best = scratch.weights, _argmax(z)
    if z[best] == -np.inf:
        return -1
    if temperature == 0.0:
        return best
    kind = weights.dtype.type
    largest = np.float64(z[best])
    for j in range(z.size):  # in float64: no temperature is too small for it
        weights[j] = kind((np.float64(z[j]) - largest) / temperature)
    for j in range(z.size):  # a loop of its own type becomes vectors
        weights[j] = exp(weights[j])
    # each rule sees the weights that the one before it left
    if 0 < top_k < z.size:
        keep_top_k(z, best, weights, top_k, scratch)
    if top_p < 1.0:
        _keep_first(z, largest, weights, top_p * _total(weights), scratch)
    if min_p > 0.0:
        keep_min_p(weights, min_p)
    if typical_p < 1.0:
        keep_typical_p(z, best, weights, temperature, typical_p, scratch)
    return _draw(weights, uniform, best)


@kernel()
def _argmax(z):
    """Return the first code with the largest logit."""
    best = 0
    for j in range(1, z.size):
        if z[j] > z[best]:
            best = j
    return best


@kernel()
def _draw(weights, uniform, best):
    """Return the first code at which the summed weights exceed uniform · (their sum)."""
    total = 0.0
    for j in range(weights.size):
        total += weights[j]
    target, cumulative = uniform * total, 0.0
    for j in range(weights.size):
        cumulative += weights[j]
        if cumulative > target:
            return j
    for j in range(weights.size - 1, -1, -1):  # rounding left nothing above the target
        if weights[j] > 0:
            return j
    return best  # a weight is NaN


@kernel()
def keep_top_k(z, best, weights, k, scratch):
    """Set weights to zero, but for the k largest and those that equal the last of them."""
    # the cut among the k-th largest: each code that is still in counts 1, the goal is k
    counts = scratch.counts
    for j in range(z.size):
        counts[j] = 1 if weights[j] > 0 else 0
    low, high = _bracket(z, counts, np.float64(k), np.float64(z[best]))
    count = _sorted_between(z, counts, low, high, scratch.candidates)
    place = k - _sum_above(z, counts, high)[0]  # of the cut, among the candidates
    # the k-th largest itself; equal ones are kept with it
    cut = z[scratch.candidates[min(max(int(place), 1), count) - 1]]
    for j in range(z.size):
        if z[j] < cut:
            weights[j] = 0


@kernel()
def keep_min_p(weights, p):
    """Set weights below p to zero: the largest is 1."""
    for j in range(weights.size):
        if weights[j] < p:
            weights[j] = 0


@kernel()
def _keep_first(order, largest, weights, goal, scratch):
    """Keep the fewest codes of largest `order` whose weights sum to a goal, at least one.

    Of equal ones the lower code is first. The weights of the others are set to zero.
    """
    # all above `high` are kept: their weights sum to less than the goal
    low, high = _bracket(order, weights, goal, largest)
    count = _sorted_between(order, weights, low, high, scratch.candidates)
    before = _sum_above(order, weights, high)[0]
    # candidates are kept until the goal is reached; those below all of them are dropped
    kept = 0
    while kept < count and (before < goal or (kept == 0 and before == 0.0)):
        before += weights[scratch.candidates[kept]]
        kept += 1
    for j in range(order.size):
        if order[j] < low:
            weights[j] = 0
    for n in range(kept, count):
        weights[scratch.candidates[n]] = 0


@kernel()
def keep_typical_p(z, best, weights, temperature, typical_p, scratch):
    """Set weights to zero, but for the most typical codes.

    A code is the more typical, the nearer its surprisal, -log p, is to the mean surprisal, the
    entropy.
    """
    keys, total = scratch.keys, _total(weights)
    entropy, log_total = 0.0, math.log(total)
    # surprisal of each code, and its mean
    for j in range(z.size):
        keys[j] = log_total - (np.float64(z[j]) - np.float64(z[best])) / temperature
        if weights[j] > 0:
            entropy += weights[j] / total * keys[j]
    # sort keys: negated distances to the entropy, so that the most typical is the largest
    nearest = -np.inf
    for j in range(z.size):
        keys[j] = -abs(keys[j] - entropy) if weights[j] > 0 else -np.inf
        nearest = max(nearest, keys[j])
    _keep_first(keys, nearest, weights, typical_p * total, scratch)


@kernel()
def _bracket(order, weights, goal, largest):
    """Return two values between which the cut lies, with few codes between them.

    The weights above the higher one sum to less than the goal, those above the lower one to all of
    it; where rounding keeps the goal out of reach, the lower one is below everything.
    """
    # step down from the largest value, each step twice as wide, until the goal is reached
    low, high, width = largest, largest, 1.0
    between, above = float(order.size), 0.0  # codes between the values, codes above `high`
    for _ in range(DOUBLINGS):
        low, width = largest - width, 2 * width
        total, count = _sum_above(order, weights, low)
        if total >= goal:
            between = count - above
            break
        high, above = low, count
    # halve the interval until a handful of codes is left in it, or it cannot be halved
    for _ in range(DOUBLINGS):
        middle = low + (high - low) / 2
        if between <= HANDFUL or not low < middle < high:
            break
        total, count = _sum_above(order, weights, middle)
        if total < goal:
            high, above, between = middle, count, between - (count - above)
        else:
            low, between = middle, count - above
    return low, high


@kernel()
def _sorted_between(order, weights, low, high, candidates):
    """Write codes with values from low to high to candidates, largest first; return how many."""
    count = 0
    for j in range(order.size):
        if low <= order[j] <= high and weights[j] > 0:
            n = count  # insertion sort: equal ones stay in their order
            while n > 0 and order[candidates[n - 1]] < order[j]:
                candidates[n] = candidates[n - 1]
                n -= 1
            candidates[n] = j
            count += 1
    return count


@kernel(reassociate=True)
def _sum_above(order, weights, value):
    """Return the sum of the weights of codes above a value, and the number of those codes."""
    total, count = 0.0, 0.0  # of one type, so that both are summed in vectors
    for j in range(order.size):
        is_above = order[j] > value
        total += weights[j] if is_above else 0.0
        count += 1.0 if is_above else 0.0
    return total, count


@kernel(reassociate=True)
def _total(weights):
    """Return the sum of the weights."""
    total = 0.0
    for j in range(weights.size):
        total += weights[j]
    return total
