"""tanh, sigmoid and exp in arithmetic that compilers turn into vectors, accurate to 4 ulp.

float32 has forms of polynomials, float64 uses the C library. NaN comes out as NaN, so that training
notices it; tanh never leaves [-1, 1] and sigmoid never [0, 1].
"""

from __future__ import annotations

import math

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from nextchar.kernels.jit import kernel, kernel_by_type

f32 = np.float32


@intrinsic
def _float_of_bits(context, bits):
    """The float32 with the bits of an int32."""

    def generate(codegen, builder, signature, args):
        return builder.bitcast(args[0], ir.FloatType())

    return types.float32(types.int32), generate


@kernel_by_type
def tanh(x):
    """Hyperbolic tangent."""
    return tanh32 if x == types.float32 else tanh64


@kernel()
def tanh32(x):
    """Hyperbolic tangent of a float32.

    Near zero Cephes' odd polynomial, elsewhere 1 - 2 / (e^2|x| + 1): a ratio of polynomials, as is
    common, takes a third less time but is up to 4.1 ulp off.
    """
    # near zero: x + x³ p(x²), by Horner's rule
    s = x * x
    p = f32(-5.70498872745e-3)
    p = p * s + f32(2.06390887954e-2)
    p = p * s + f32(-5.37397155531e-2)
    p = p * s + f32(1.33314422036e-1)
    p = p * s + f32(-3.33332819422e-1)
    near = p * s * x + x
    # elsewhere: tanh |x|, with the sign of x
    magnitude = abs(x)
    far = f32(1) - f32(2) / (exp(magnitude + magnitude) + f32(1))
    far = -far if x < f32(0) else far
    # both are computed and one is chosen: a branch would keep the loop from vectors
    return near if magnitude < f32(0.625) else far


@kernel()
def tanh64(x):
    """Hyperbolic tangent of a float64."""
    return math.tanh(x)


@kernel_by_type
def exp(x):
    """e^x."""
    return exp32 if x == types.float32 else exp64


@kernel()
def exp32(x):
    """e^x of a float32: 2^n e^r with |r| ≤ ln2 / 2, and Cephes' polynomial of degree 5 for e^r."""
    # beyond these bounds the result is infinity or zero
    y = f32(89) if x > f32(89) else x
    y = f32(-104) if y < f32(-104) else y
    n = np.rint(y * f32(1.44269504088896341))
    r = y - n * f32(0.693359375)  # ln 2 in two parts (Cody & Waite)
    r = r - n * f32(-2.12194440e-4)
    # e^r = 1 + r + r² p(r), by Horner's rule
    p = f32(1.9875691500e-4)
    p = p * r + f32(1.3981999507e-3)
    p = p * r + f32(8.3334519073e-3)
    p = p * r + f32(4.1665795894e-2)
    p = p * r + f32(1.6666665459e-1)
    p = p * r + f32(5.0000001201e-1)
    e = p * (r * r) + r + f32(1)
    n = n if n == n else f32(0)  # the conversion of NaN is undefined; e keeps the NaN
    k = np.int32(n)
    half = k >> np.int32(1)  # 2^n in two factors, by their exponents: denormals are reached too
    low = _float_of_bits((half + np.int32(127)) << np.int32(23))
    high = _float_of_bits((k - half + np.int32(127)) << np.int32(23))
    return e * low * high


@kernel()
def exp64(x):
    """e^x of a float64; `math.exp` would raise where the result overflows."""
    return math.exp(x) if x < 709.0 else np.exp(x)


@kernel()
def sigmoid(x):
    """1 / (1 + e^-x)."""
    one = type(x)(1)
    e = exp(-abs(x))  # at most 1: nothing overflows, small values keep their digits
    return (one if x >= 0 else e) / (one + e)


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
