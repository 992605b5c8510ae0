"""The context network: features of what was decoded → a mixture of discretized logistics for the next value.

A small multilayer perceptron in strict float32: each sum runs over the inputs in order, with the units as lanes, so it
vectorizes without any freedom in the order. It goes on learning while it codes, on both sides alike: the gradient of
−log P(value) is added up over BATCH values, then Adam (D. P. Kingma and J. Ba, 2015) moves the weights. Mixtures of discretized
logistics: T. Salimans et al., "PixelCNN++", 2017.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from .functions import LN2, exp2, sigmoid

COMPONENTS = 4
OUTPUTS = 16  # COMPONENTS logits, means, log2 scales; the rest are padding
BATCH = 64
UNITS = (0, 16, 32, 64)  # that a file may ask for; 0: no network
RATE_UNIT = 2.0**-14  # of Adam's rate, as files have it
LARGEST_LOG = 12.0
FLOOR = 2.0**-20  # of a probability
F32 = np.float32


class Mixture(NamedTuple):
    """The network's state. A layer's weights are (inputs + 1, units), the last row its biases; `flat` holds the three one after the other.

    All float32 but for `mix` and `clock`, float64. The kernels take these arrays one by one, because taking them out of the tuple for
    every value costs more than the arithmetic.
    """

    flat: Any  # (parameters,)
    gradient: Any
    first: Any  # Adam's first and second moments
    second: Any
    w1: Any
    w2: Any
    w3: Any  # (units + 1, OUTPUTS)
    g1: Any  # the same of the gradient
    g2: Any
    g3: Any
    w2t: Any  # (units, units) and (OUTPUTS, units): weights with the axes exchanged
    w3t: Any
    x: Any  # (inputs + 1,): the features, then 1
    h1: Any  # (units + 1,): activations, then 1
    d1: Any  # (units,): derivatives
    h2: Any
    d2: Any
    out: Any  # (OUTPUTS,)
    dout: Any
    mix: Any  # (3, COMPONENTS): shares, means, inverse scales
    xs: Any  # (inputs + 1, BATCH): features of the values since Adam's last step,
    h1s: Any  # (units + 1, BATCH): activations,
    h2s: Any
    s1: Any  # (BATCH, units): derivatives by the arguments,
    s2: Any
    douts: Any  # (BATCH, OUTPUTS): and by the outputs
    clock: Any  # (3,): values since Adam's last step, and its two running products


def shapes(inputs: int, units: int) -> list[tuple[int, int]]:
    """Shapes of a network's three layers, biases included."""
    return [(inputs + 1, units), (units + 1, units), (units + 1, OUTPUTS)]


def parameters(inputs: int, units: int) -> int:
    """How many numbers a network has."""
    return sum(a * b for a, b in shapes(inputs, units))


def mixture(inputs: int, units: int, weights: Any) -> Mixture:
    """A network that begins with these weights, float32 (parameters,)."""

    def views(flat: Any) -> list[Any]:
        out, start = [], 0
        for rows, columns in shapes(inputs, units):
            out.append(flat[start : start + rows * columns].reshape(rows, columns))
            start += rows * columns
        return out

    flat = np.array(weights, np.float32)
    gradient, first, second = (np.zeros_like(flat) for _ in range(3))
    w = views(flat)
    x, h1, h2 = np.zeros(inputs + 1, np.float32), np.zeros(units + 1, np.float32), np.zeros(units + 1, np.float32)
    x[-1] = h1[-1] = h2[-1] = 1

    def zeros(*shape: int) -> Any:
        return np.zeros(shape, np.float32)

    return Mixture(  # type: ignore[call-arg]
        flat, gradient, first, second, *w, *views(gradient), w[1][:-1].T.copy(), w[2][:-1].T.copy(), x, h1, zeros(units), h2, zeros(units),
        zeros(OUTPUTS), zeros(OUTPUTS), np.zeros((3, COMPONENTS)), zeros(inputs + 1, BATCH), zeros(units + 1, BATCH),
        zeros(units + 1, BATCH), zeros(BATCH, units), zeros(BATCH, units), zeros(BATCH, OUTPUTS), np.array([0.0, 1.0, 1.0]),
    )  # fmt: skip


@njit(cache=True, nogil=True)
def accumulate(x: Any, w: Any, a: Any) -> None:
    """a[j] += x[0]·w[0, j] + x[1]·w[1, j] + …, one after the other; eight at a time, which changes speed, not order."""
    n, units = x.shape[0], a.shape[0]
    whole = n // 8 * 8
    for i in range(0, whole, 8):
        t0, t1, t2, t3, t4, t5, t6, t7 = x[i], x[i + 1], x[i + 2], x[i + 3], x[i + 4], x[i + 5], x[i + 6], x[i + 7]
        r0, r1, r2, r3, r4, r5, r6, r7 = w[i], w[i + 1], w[i + 2], w[i + 3], w[i + 4], w[i + 5], w[i + 6], w[i + 7]
        for j in range(units):
            t = (((a[j] + t0 * r0[j]) + t1 * r1[j]) + t2 * r2[j]) + t3 * r3[j]
            a[j] = (((t + t4 * r4[j]) + t5 * r5[j]) + t6 * r6[j]) + t7 * r7[j]
    for i in range(whole, n):
        t = x[i]
        r = w[i]
        for j in range(units):
            a[j] += t * r[j]


@njit(inline="always", cache=True)
def activate(h: Any, d: Any) -> None:
    """h = x·(1 + x/(1 + |x|))/2 in place, a smooth rectifier without exponentials, and its derivative d."""
    one, half = F32(1), F32(0.5)
    for j in range(d.shape[0]):
        x = h[j]
        r = one / (one + abs(x))
        q = x * r
        h[j] = half * x * (one + q)
        d[j] = half * (one + q + x * r * r)


@njit(inline="always", cache=True)
def forward(x: Any, w1: Any, w2: Any, w3: Any, h1: Any, d1: Any, h2: Any, d2: Any, out: Any, mix: Any, base: Any, unit: Any) -> None:
    """From x to mix; base and unit: where the mixture is centred, and its yardstick, float64."""
    for j in range(d1.shape[0]):
        h1[j] = F32(0)
        h2[j] = F32(0)
    for j in range(OUTPUTS):
        out[j] = F32(0)
    accumulate(x, w1, h1[:-1])
    activate(h1, d1)
    accumulate(h1, w2, h2[:-1])
    activate(h2, d2)
    accumulate(h2, w3, out)
    top = max(max(out[0], out[1]), max(out[2], out[3]))
    total = 0.0
    for k in range(COMPONENTS):
        e = exp2(max(np.float64(out[k]) - np.float64(top), -30.0))
        mix[0, k] = e
        total += e
    for k in range(COMPONENTS):
        mix[0, k] /= total
        mix[1, k] = base + unit * np.float64(out[COMPONENTS + k])
        mix[2, k] = 1.0 / max(unit * exp2(min(max(np.float64(out[2 * COMPONENTS + k]), -LARGEST_LOG), LARGEST_LOG)), 0.03)


@njit(inline="always", cache=True)
def below(mix: Any, edge: Any) -> Any:
    """The mixture's mass below `edge`."""
    total = 0.0
    for k in range(COMPONENTS):
        total += mix[0, k] * sigmoid((edge - mix[1, k]) * mix[2, k])
    return total


@njit(inline="always", cache=True)
def gradient(mix: Any, dout: Any, value: Any, largest: Any, unit: Any) -> None:
    """dout: the derivatives of −ln P(value) by the outputs."""
    total = 0.0
    for k in range(COMPONENTS):
        share, inverse = mix[0, k], mix[2, k]
        high = (value + 0.5 - mix[1, k]) * inverse
        low = (value - 0.5 - mix[1, k]) * inverse
        fh = sigmoid(high) if value < largest else 1.0
        fl = sigmoid(low) if value > 0.0 else 0.0
        dh, dl = fh * (1.0 - fh), fl * (1.0 - fl)
        p = share * (fh - fl)
        total += p
        dout[k] = F32(p)
        dout[COMPONENTS + k] = F32(share * (dh - dl) * inverse * unit)
        dout[2 * COMPONENTS + k] = F32(share * (dh * high - dl * low) * LN2)
    scale = 1.0 / (total + FLOOR)
    for k in range(COMPONENTS):
        dout[k] = F32((mix[0, k] * total - np.float64(dout[k])) * scale * LN2)
        dout[COMPONENTS + k] = F32(min(max(np.float64(dout[COMPONENTS + k]) * scale, -8.0), 8.0))
        dout[2 * COMPONENTS + k] = F32(min(max(np.float64(dout[2 * COMPONENTS + k]) * scale, -8.0), 8.0))


@njit(inline="always", cache=True)
def backward(
    x: Any,
    h1: Any,
    d1: Any,
    h2: Any,
    d2: Any,
    dout: Any,
    w2t: Any,
    w3t: Any,
    xs: Any,
    h1s: Any,
    h2s: Any,
    s1: Any,
    s2: Any,
    douts: Any,
    sample: Any,
) -> None:
    """Note what the gradient of this value is made of, as number `sample` of the batch."""
    for j in range(d1.shape[0]):
        s1[sample, j] = F32(0)
        s2[sample, j] = F32(0)
    accumulate(dout, w3t, s2[sample])
    for j in range(d1.shape[0]):
        s2[sample, j] *= d2[j]
    accumulate(s2[sample], w2t, s1[sample])
    for j in range(d1.shape[0]):
        s1[sample, j] *= d1[j]
    for i in range(x.shape[0]):
        xs[i, sample] = x[i]
    for j in range(h1.shape[0]):
        h1s[j, sample] = h1[j]
        h2s[j, sample] = h2[j]
    for o in range(OUTPUTS):
        douts[sample, o] = dout[o]


@njit(cache=True, nogil=True)
def step(m: Mixture, rate: Any) -> None:
    """The batch's gradient, sample after sample; then Adam with β1 = 0.9, β2 = 0.999."""
    for i in range(m.xs.shape[0]):
        accumulate(m.xs[i], m.s1, m.g1[i])
    for i in range(m.h1s.shape[0]):
        accumulate(m.h1s[i], m.s2, m.g2[i])
        accumulate(m.h2s[i], m.douts, m.g3[i])
    m.clock[1] *= 0.9
    m.clock[2] *= 0.999
    share = F32(1.0 / BATCH)
    size = F32(rate / (1.0 - m.clock[1]))
    inverse = F32(1.0 / (1.0 - m.clock[2]))
    b1, c1, b2, c2, tiny = F32(0.9), F32(0.1), F32(0.999), F32(0.001), F32(1e-5)
    flat, gradient_, first, second = m.flat, m.gradient, m.first, m.second
    for i in range(flat.shape[0]):
        g = gradient_[i] * share
        gradient_[i] = F32(0)
        u = b1 * first[i] + c1 * g
        v = b2 * second[i] + c2 * (g * g)
        first[i] = u
        second[i] = v
        flat[i] -= size * u / (np.sqrt(v * inverse) + tiny)
    units = m.d1.shape[0]
    for i in range(units):
        for j in range(units):
            m.w2t[i, j] = m.w2[j, i]
        for o in range(OUTPUTS):
            m.w3t[o, i] = m.w3[i, o]
