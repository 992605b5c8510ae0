"""The context network: features of what was decoded → a mixture of discretized logistics for the next value.

A small multilayer perceptron in strict float32: each sum runs over the inputs in order, with the units as lanes, so it
vectorizes without any freedom in the order. It goes on learning while it codes, on both sides alike: the gradient of
−log P(value) is added up over BATCH values, then Adam (D. P. Kingma and J. Ba, 2015) moves the weights. Mixtures of discretized
logistics: T. Salimans et al., "PixelCNN++", 2017.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from .functions import LN2, exp2, sigmoid

COMPONENTS = 4
OUTPUTS = 16  # COMPONENTS logits, means, log2 scales; the rest are padding
BATCH = 64
LARGEST_LOG = 12.0
FLOOR = 2.0**-20  # of a probability
F32 = np.float32


class Mixture(NamedTuple):
    """The network's state. Weights are (inputs, units); `flat` holds w1, b1, w2, b2, w3, b3 one after the other."""

    flat: Any  # (parameters,) float32
    gradient: Any
    first: Any  # Adam's first and second moments
    second: Any
    w1: Any
    b1: Any
    w2: Any
    b2: Any
    w3: Any  # (OUTPUTS, units)
    b3: Any
    g1: Any
    gb1: Any
    g2: Any
    gb2: Any
    g3: Any
    gb3: Any
    w2t: Any  # copies of w2 and w3 with the axes exchanged
    w3t: Any
    x: Any  # (inputs,) the features
    a1: Any  # (units,) arguments, activations, derivatives
    h1: Any
    d1: Any
    a2: Any
    h2: Any
    d2: Any
    out: Any  # (OUTPUTS,)
    dout: Any
    share: Any  # (COMPONENTS,) float64: the mixture
    mean: Any
    scale: Any
    clock: Any  # (3,) float64: values since Adam's last step, and its two running products


def parameters(inputs: int, units: int) -> int:
    """How many numbers a network has."""
    return inputs * units + units + units * units + units + OUTPUTS * units + OUTPUTS


def mixture(inputs: int, units: int, weights: Any) -> Mixture:
    """A network that begins with these weights, float32 (parameters,)."""
    shapes = [(inputs, units), (units,), (units, units), (units,), (OUTPUTS, units), (OUTPUTS,)]

    def views(flat: Any) -> list[Any]:
        out, start = [], 0
        for shape in shapes:
            size = int(np.prod(shape))
            out.append(flat[start : start + size].reshape(shape))
            start += size
        return out

    flat = np.array(weights, np.float32)
    gradient, first, second = (np.zeros_like(flat) for _ in range(3))
    vectors = [np.zeros(units, np.float32) for _ in range(6)]
    w, g = views(flat), views(gradient)
    return Mixture(
        flat, gradient, first, second, *w, *g, w[2].T.copy(), w[4].T.copy(), np.zeros(inputs, np.float32), *vectors,
        np.zeros(OUTPUTS, np.float32), np.zeros(OUTPUTS, np.float32), *(np.zeros(COMPONENTS) for _ in range(3)), np.array([0.0, 1.0, 1.0]),
    )  # fmt: skip


@njit(cache=True, nogil=True)
def _activate(a: Any, h: Any, d: Any) -> None:
    """h = x·(1 + x/(1 + |x|))/2, a smooth rectifier without exponentials, and its derivative d."""
    one, half = F32(1), F32(0.5)
    for j in range(a.shape[0]):
        x = a[j]
        r = one / (one + abs(x))
        q = x * r
        h[j] = half * x * (one + q)
        d[j] = half * (one + q + x * r * r)


@njit(cache=True, nogil=True)
def forward(m: Mixture, base: Any, unit: Any) -> None:
    """From m.x to m.share, m.mean, m.scale; base and unit: where the mixture is centred, and its yardstick, float64."""
    x, a1, a2, out = m.x, m.a1, m.a2, m.out
    units = a1.shape[0]
    for j in range(units):
        a1[j] = m.b1[j]
    for i in range(x.shape[0]):
        t = x[i]
        for j in range(units):
            a1[j] += t * m.w1[i, j]
    _activate(a1, m.h1, m.d1)
    for j in range(units):
        a2[j] = m.b2[j]
    for i in range(units):
        t = m.h1[i]
        for j in range(units):
            a2[j] += t * m.w2[i, j]
    _activate(a2, m.h2, m.d2)
    for j in range(OUTPUTS):
        out[j] = m.b3[j]
    for i in range(units):
        t = m.h2[i]
        for j in range(OUTPUTS):
            out[j] += t * m.w3t[i, j]
    top = max(max(out[0], out[1]), max(out[2], out[3]))
    total = 0.0
    for k in range(COMPONENTS):
        e = exp2(max(np.float64(out[k]) - np.float64(top), -30.0))
        m.share[k] = e
        total += e
    for k in range(COMPONENTS):
        m.share[k] /= total
        m.mean[k] = base + unit * np.float64(out[COMPONENTS + k])
        m.scale[k] = max(unit * exp2(min(max(np.float64(out[2 * COMPONENTS + k]), -LARGEST_LOG), LARGEST_LOG)), 0.03)


@njit(cache=True, nogil=True)
def below(m: Mixture, edge: Any) -> Any:
    """The mixture's mass below `edge`."""
    total = 0.0
    for k in range(COMPONENTS):
        total += m.share[k] * sigmoid((edge - m.mean[k]) / m.scale[k])
    return total


@njit(cache=True, nogil=True)
def learn(m: Mixture, value: Any, largest: Any, unit: Any, rate: Any) -> None:
    """Add the gradient of −ln P(value) at the last `forward`; every BATCH values, a step of Adam."""
    total = 0.0
    dout = m.dout
    for k in range(COMPONENTS):
        inverse = 1.0 / m.scale[k]
        high = (value + 0.5 - m.mean[k]) * inverse
        low = (value - 0.5 - m.mean[k]) * inverse
        fh = sigmoid(high) if value < largest else 1.0
        fl = sigmoid(low) if value > 0 else 0.0
        dh, dl = fh * (1.0 - fh), fl * (1.0 - fl)
        p = fh - fl
        total += m.share[k] * p
        # for now the three derivatives of P itself, but for the factor 1/P and, in the first, what the normalization adds
        dout[k] = F32(m.share[k] * p)
        dout[COMPONENTS + k] = F32(m.share[k] * (dh - dl) * inverse * unit)
        dout[2 * COMPONENTS + k] = F32(m.share[k] * (dh * high - dl * low) * LN2)
    inverse_p = 1.0 / (total + FLOOR)
    for k in range(COMPONENTS):
        dout[k] = F32((np.float64(m.share[k]) * total - np.float64(dout[k])) * inverse_p * LN2)
        dout[COMPONENTS + k] = F32(min(max(np.float64(dout[COMPONENTS + k]) * inverse_p, -8.0), 8.0))
        dout[2 * COMPONENTS + k] = F32(min(max(np.float64(dout[2 * COMPONENTS + k]) * inverse_p, -8.0), 8.0))
    units = m.a1.shape[0]
    da1, da2 = m.a1, m.a2  # the arguments are no longer needed
    for j in range(units):
        da2[j] = F32(0)
    for o in range(3 * COMPONENTS):
        t = dout[o]
        m.gb3[o] += t
        for j in range(units):
            da2[j] += t * m.w3[o, j]
        for j in range(units):
            m.g3[o, j] += t * m.h2[j]
    for j in range(units):
        da2[j] *= m.d2[j]
        m.gb2[j] += da2[j]
    for j in range(units):
        da1[j] = F32(0)
    for i in range(units):
        t = da2[i]
        for j in range(units):
            da1[j] += t * m.w2t[i, j]
    for i in range(units):
        t = m.h1[i]
        for j in range(units):
            m.g2[i, j] += t * da2[j]
    for j in range(units):
        da1[j] *= m.d1[j]
        m.gb1[j] += da1[j]
    for i in range(m.x.shape[0]):
        t = m.x[i]
        for j in range(units):
            m.g1[i, j] += t * da1[j]
    m.clock[0] += 1.0
    if m.clock[0] == BATCH:
        m.clock[0] = 0.0
        _step(m, rate)


@njit(cache=True, nogil=True)
def _step(m: Mixture, rate: Any) -> None:
    """Adam with β1 = 0.9, β2 = 0.999."""
    m.clock[1] *= 0.9
    m.clock[2] *= 0.999
    share = F32(1.0 / BATCH)
    step = F32(rate / (1.0 - m.clock[1]))
    inverse = F32(1.0 / (1.0 - m.clock[2]))
    b1, c1, b2, c2, tiny = F32(0.9), F32(0.1), F32(0.999), F32(0.001), F32(1e-5)
    for i in range(m.flat.shape[0]):
        g = m.gradient[i] * share
        m.gradient[i] = F32(0)
        u = b1 * m.first[i] + c1 * g
        v = b2 * m.second[i] + c2 * (g * g)
        m.first[i] = u
        m.second[i] = v
        m.flat[i] -= step * u / (np.sqrt(v * inverse) + tiny)
    units = m.a1.shape[0]
    for i in range(units):
        for j in range(units):
            m.w2t[i, j] = m.w2[j, i]
        for o in range(OUTPUTS):
            m.w3t[i, o] = m.w3[o, i]
