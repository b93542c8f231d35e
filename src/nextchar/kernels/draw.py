"""Drawing one code from a row of logits; its readable twin is generation/sampling.py.

    weights[j] = exp((z[j] - max z) / temperature)
    a heap hands out places from the largest z down, as long as top_k and top_p want more;
    what it did not hand out gets weight 0, so does what min_p and typical_p leave out
    the first code at which the summed weights exceed uniform · (their sum) is the one

A character costs one pass of exponentials and one of additions, and where top_k or top_p is set
as many steps down the heap as there are characters kept. typical_p takes a logarithm for each.
"""

from __future__ import annotations

import math

import numpy as np

from nextchar.kernels.activations import exp
from nextchar.kernels.compiled import kernel


@kernel()
def choose(z, uniform, temperature, top_k, top_p, min_p, typical_p, desk):
    """The code drawn from logits z (V,) by a number in [0, 1); -1 where all are -inf.

    temperature: 0 takes the largest logit. desk: workspace (lanes.py); z itself is kept.
    """
    weights, heap, best = desk.weights, desk.heap, _first_largest(z)
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
    if 0 < top_k < z.size or top_p < 1.0:
        _keep(z, weights, top_k, top_p, heap)
    if min_p > 0.0:
        for j in range(z.size):  # the best one's weight is 1
            if weights[j] < min_p:
                weights[j] = 0
    if typical_p < 1.0:
        _keep_typical(weights, typical_p, heap, desk.keys)
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
def _keep(z, weights, top_k, top_p, heap):
    """Set the weights of what top_k and top_p leave out to zero."""
    V = z.size
    _heapify(z, heap)
    popped, total = 0, 0.0  # what was handed out stands behind the heap, the first one last
    if 0 < top_k < V:
        while popped < V and (popped < top_k or z[heap[0]] == z[heap[V - popped]]):
            popped = _pop(z, heap, popped)
            total += weights[heap[V - popped]]
        allowed = popped
    else:
        for j in range(V):
            total += weights[j]
        allowed = V
    kept, before = 0, 0.0
    while kept < allowed and (kept == 0 or before < top_p * total):
        if kept == popped:
            popped = _pop(z, heap, popped)
        kept += 1
        before += weights[heap[V - kept]]
    for j in range(V - kept):
        weights[heap[j]] = 0


@kernel()
def _keep_typical(weights, typical_p, heap, keys):
    """Set the weights of all but the most typical codes to zero.

    How typical a code is: how near -log of its probability is to the mean of that, the entropy.
    """
    V, total, entropy = weights.size, 0.0, 0.0
    for j in range(V):
        total += weights[j]
    for j in range(V):
        p = weights[j] / total
        keys[j] = -math.log(p) if p > 0 else np.inf
        if p > 0:
            entropy += p * keys[j]
    for j in range(V):
        keys[j] = -abs(keys[j] - entropy)
    _heapify(keys, heap)
    kept, before = 0, 0.0
    while kept < V and (kept == 0 or before < typical_p * total):
        kept = _pop(keys, heap, kept)
        before += weights[heap[V - kept]]
    for j in range(V - kept):
        weights[heap[j]] = 0


@kernel()
def _heapify(z, heap):
    """All codes as a heap, the one with the largest z on top."""
    V = z.size
    for j in range(V):
        heap[j] = j
    for j in range(V // 2 - 1, -1, -1):
        _sink(z, heap, j, V)


@kernel()
def _pop(z, heap, popped):
    """Move the largest of the heap behind it; how many have been moved by now."""
    end = heap.size - popped - 1
    heap[0], heap[end] = heap[end], heap[0]
    _sink(z, heap, 0, end)
    return popped + 1


@kernel()
def _sink(z, heap, place, size):
    """Let the code at a place sink to where it belongs; of equal logits the lower code is first."""
    code = heap[place]
    while 2 * place + 1 < size:
        child = 2 * place + 1
        if child + 1 < size and _is_before(z, heap[child + 1], heap[child]):
            child += 1
        if not _is_before(z, heap[child], code):
            break
        heap[place] = heap[child]
        place = child
    heap[place] = code


@kernel()
def _is_before(z, one, other):
    return z[one] > z[other] or (z[one] == z[other] and one < other)
