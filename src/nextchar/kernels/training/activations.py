"""tanh, sigmoid and exp in arithmetic that compilers turn into vectors, accurate to 4 ulp.

float32 has its own forms, float64 takes the C library's. NaN comes out as NaN, so that training
notices; tanh never leaves [-1, 1] and sigmoid never [0, 1].
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

from nextchar.kernels.jit import kernel

f32 = np.float32

_options: dict[str, Any] = {
    "jit_options": {"error_model": "numpy", "fastmath": {"contract"}},
}


@intrinsic
def _float_of_bits(context, bits):
    def generate(codegen, builder, signature, args):
        return builder.bitcast(args[0], ir.FloatType())

    return types.float32(types.int32), generate


def tanh(x: Any) -> Any:
    """Hyperbolic tangent."""
    raise NotImplementedError


def sigmoid(x: Any) -> Any:
    """1 / (1 + e^-x)."""
    raise NotImplementedError


def exp(x: Any) -> Any:
    """e^x."""
    raise NotImplementedError


@overload(tanh, **_options)
def _tanh(x):
    if x != types.float32:
        return lambda x: math.tanh(x)

    def tanh32(x):
        # near zero Cephes' odd polynomial, elsewhere 1 - 2 / (e^2|x| + 1): a ratio of polynomials,
        # as is common, takes a third less time but is 4.1 ulp off at worst
        s = x * x
        p = f32(-5.70498872745e-3)
        p = p * s + f32(2.06390887954e-2)
        p = p * s + f32(-5.37397155531e-2)
        p = p * s + f32(1.33314422036e-1)
        p = p * s + f32(-3.33332819422e-1)
        near = p * s * x + x
        magnitude = abs(x)
        far = f32(1) - f32(2) / (exp(magnitude + magnitude) + f32(1))
        far = -far if x < f32(0) else far
        return near if magnitude < f32(0.625) else far

    return tanh32


@overload(exp, **_options)
def _exp(x):
    if x != types.float32:
        return lambda x: math.exp(x) if x < 709.0 else np.exp(x)

    def exp32(x):
        # e^x = 2^n e^r, |r| ≤ ln2 / 2, with Cephes' polynomial of degree 5 for e^r
        y = f32(89) if x > f32(89) else x
        y = f32(-104) if y < f32(-104) else y
        n = np.rint(y * f32(1.44269504088896341))
        r = y - n * f32(0.693359375)  # ln 2 in two parts (Cody & Waite)
        r = r - n * f32(-2.12194440e-4)
        p = f32(1.9875691500e-4)
        p = p * r + f32(1.3981999507e-3)
        p = p * r + f32(8.3334519073e-3)
        p = p * r + f32(4.1665795894e-2)
        p = p * r + f32(1.6666665459e-1)
        p = p * r + f32(5.0000001201e-1)
        e = p * (r * r) + r + f32(1)
        n = n if n == n else f32(0)  # the conversion of NaN is not defined; e carries it on
        k = np.int32(n)
        half = k >> np.int32(1)  # 2^n in two factors: results down to denormals are reached
        low = _float_of_bits((half + np.int32(127)) << np.int32(23))
        high = _float_of_bits((k - half + np.int32(127)) << np.int32(23))
        return e * low * high

    return exp32


@overload(sigmoid, **_options)
def _sigmoid(x):
    one = f32(1) if x == types.float32 else 1.0

    def sigmoid_of_either(x):
        e = exp(-abs(x))  # at most 1: nothing overflows, small values keep their digits
        return (one if x >= 0 else e) / (one + e)

    return sigmoid_of_either


@kernel()
def apply_tanh(x, out):
    """Tanh of every number of a flat array."""
    for i in range(x.size):
        out[i] = tanh(x[i])


@kernel()
def apply_sigmoid(x, out):
    """Sigmoid of every number of a flat array."""
    for i in range(x.size):
        out[i] = sigmoid(x[i])


@kernel()
def apply_exp(x, out):
    """Exponential of every number of a flat array."""
    for i in range(x.size):
        out[i] = exp(x[i])
