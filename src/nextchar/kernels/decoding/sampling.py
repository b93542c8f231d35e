"""Drawing one code from a row of logits; its readable twin is generation/sampling.py.

    weights[j] = exp((z[j] - max z) / temperature)
    top_k, top_p, min_p and typical_p set the weights of what they leave out to 0
    the first code at which the summed weights exceed uniform · (their sum) is the one

Nothing is sorted. The rules that keep the first ones in some order find where to cut by bisection:
a few passes of additions, in vectors, narrow the cut down to a handful of codes, which are then
put in order. A character costs one pass of exponentials and one of additions, and some ten passes
for each such rule.
"""

from __future__ import annotations

import math

import numpy as np

from nextchar.kernels.jit import kernel
from nextchar.kernels.training.activations import exp

HANDFUL = 12  # codes that are quickly put in order
DOUBLINGS = 60  # of a width, or halvings, at the most


@kernel()
def sample(z, uniform, temperature, top_k, top_p, min_p, typical_p, desk):
    """The code drawn from logits z (V,) by a number in [0, 1); -1 where all are -inf.

    temperature: 0 takes the largest logit. desk: workspace (lanes.py); z itself is kept.
    """
    weights, best = desk.weights, _first_largest(z)
    if z[best] == -np.inf:
        return -1
    if temperature == 0.0:
        return best
    kind = weights.dtype.type
    largest = np.float64(z[best])
    for j in range(z.size):  # in float64: no temperature is too small for it
        weights[j] = kind((np.float64(z[j]) - largest) / temperature)
    for j in range(z.size):
        weights[j] = exp(weights[j])
    if 0 < top_k < z.size:
        _keep_top_k(z, best, weights, top_k, desk)
    if top_p < 1.0:
        _keep_first(z, largest, weights, top_p * _total(weights), desk)
    if min_p > 0.0:
        _keep_min_p(weights, min_p)
    if typical_p < 1.0:
        _keep_typical(z, best, weights, temperature, typical_p, desk)
    return _draw(weights, uniform, best)


@kernel()
def _first_largest(z):
    best = 0
    for j in range(1, z.size):
        if z[j] > z[best]:
            best = j
    return best


@kernel()
def _draw(weights, uniform, best):
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
def _keep_top_k(z, best, weights, k, desk):
    """Set the weights of all but the k largest, and what equals the last of them, to zero."""
    counts = desk.counts
    for j in range(z.size):  # what has no weight is out in any case
        counts[j] = 1 if weights[j] > 0 else 0
    low, high = _bracket(z, counts, np.float64(k), np.float64(z[best]))
    count = _find(z, counts, low, high, desk.found)
    place = k - _above(z, counts, high)[0]  # of the cut among those found
    cut = z[desk.found[min(max(int(place), 1), count) - 1]]
    for j in range(z.size):
        if z[j] < cut:
            weights[j] = 0


@kernel()
def _keep_min_p(weights, p):
    """Set weights below p to zero: the best one's is 1."""
    for j in range(weights.size):
        if weights[j] < p:
            weights[j] = 0


@kernel()
def _keep_first(order, largest, weights, goal, desk):
    """Keep the fewest of the largest in an order whose weights sum to a goal; at least one.

    Of equal ones the lower code is first. The weights of the others are set to zero.
    """
    low, high = _bracket(order, weights, goal, largest)
    count = _find(order, weights, low, high, desk.found)
    before = _above(order, weights, high)[0]
    kept = 0
    while kept < count and (before < goal or (kept == 0 and before == 0.0)):
        before += weights[desk.found[kept]]
        kept += 1
    for j in range(order.size):
        if order[j] < low:
            weights[j] = 0
    for n in range(kept, count):
        weights[desk.found[n]] = 0


@kernel()
def _keep_typical(z, best, weights, temperature, typical_p, desk):
    """Set the weights of all but the most typical codes to zero.

    How typical a code is: how near -log of its probability is to the mean of that, the entropy.
    """
    keys, total = desk.keys, _total(weights)
    entropy, log_total = 0.0, math.log(total)
    for j in range(z.size):
        keys[j] = log_total - (np.float64(z[j]) - np.float64(z[best])) / temperature
        if weights[j] > 0:
            entropy += weights[j] / total * keys[j]
    nearest = -np.inf
    for j in range(z.size):
        keys[j] = -abs(keys[j] - entropy) if weights[j] > 0 else -np.inf
        nearest = max(nearest, keys[j])
    _keep_first(keys, nearest, weights, typical_p * total, desk)


@kernel()
def _bracket(order, weights, goal, largest):
    """Two values between which the cut lies, few codes between them.

    Those above the higher one have less than the goal together, those above or at the lower one
    all of it; where rounding keeps the goal out of reach the lower one is below everything.
    """
    low, high, width = largest, largest, 1.0
    between, above = float(order.size), 0.0
    for _ in range(DOUBLINGS):
        low, width = largest - width, 2 * width
        total, count = _above(order, weights, low)
        if total >= goal:
            between = count - above
            break
        high, above = low, count
    for _ in range(DOUBLINGS):
        middle = low + (high - low) / 2
        if between <= HANDFUL or not low < middle < high:
            break
        total, count = _above(order, weights, middle)
        if total < goal:
            high, above, between = middle, count, between - (count - above)
        else:
            low, between = middle, count - above
    return low, high


@kernel()
def _find(order, weights, low, high, found):
    """Write the codes whose values lie from low to high to found, largest first; how many."""
    count = 0
    for j in range(order.size):
        if low <= order[j] <= high and weights[j] > 0:
            n = count
            while n > 0 and order[found[n - 1]] < order[j]:  # equal ones stay in their order
                found[n] = found[n - 1]
                n -= 1
            found[n] = j
            count += 1
    return count


@kernel(sums_in_any_order=True)
def _above(order, weights, value):
    """The summed weights of what is larger than a value, and how many that are."""
    total, count = 0.0, 0.0  # of one type, so that both are taken in vectors
    for j in range(order.size):
        is_above = order[j] > value
        total += weights[j] if is_above else 0.0
        count += 1.0 if is_above else 0.0
    return total, count


@kernel(sums_in_any_order=True)
def _total(weights):
    total = 0.0
    for j in range(weights.size):
        total += weights[j]
    return total
