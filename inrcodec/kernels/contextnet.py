"""The context network: numbers computed from decoded values → a mixture of discretized logistics for the next value.

It is a perceptron of three layers in strict float32. Each sum runs over the inputs in order, and the units of a layer are the lanes of
vector instructions, so it is fast although the order of operations is fixed. Encoder and decoder both go on training it while they code:
the gradient of −ln P(value) is added up over BATCH values, then Adam (D. P. Kingma and J. Ba, 2015) moves the weights. Mixtures of
discretized logistics: T. Salimans et al., "PixelCNN++", 2017. SPEC.md, "The context network", defines it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .arrays import Floats1, Floats2, Int, Singles1, Singles2
from .compiling import part, shared, stage
from .functions import LN2, exp2, sigmoid

COMPONENTS = 4  # logistics of a mixture
OUTPUTS = 16  # COMPONENTS each of log2 shares, means and log2 scales; the rest are padding
BATCH = 64  # values between two steps of Adam
UNITS = (0, 16, 32, 64)  # units of a hidden layer that a file may ask for; 0: no network
RATE_UNIT = 2.0**-14  # of `learning` in files
LARGEST_LOG = 12.0  # limit of a log2 scale, which is relative to the unit
LEAST_SCALE = 0.03  # of a logistic
FLOOR = 2.0**-20  # added to a probability
F32 = np.float32


class ContextNet(NamedTuple):
    """A context network: weights, the state of Adam, and scratch.

    The weights of a layer are (inputs + 1, outputs), the biases in the last row. `flat` holds the three layers one after the other.
    """

    flat: Singles1  # (parameters,) weights
    sums: Singles1  # (parameters,) gradient, added up over a batch
    first: Singles1  # (parameters,) Adam's first moments
    second: Singles1  # (parameters,) Adam's second moments
    w1: Singles2  # (inputs + 1, units), a view of `flat`
    w2: Singles2  # (units + 1, units), a view of `flat`
    w3: Singles2  # (units + 1, OUTPUTS), a view of `flat`
    g1: Singles2  # (inputs + 1, units), a view of `sums`
    g2: Singles2  # (units + 1, units), a view of `sums`
    g3: Singles2  # (units + 1, OUTPUTS), a view of `sums`
    w2t: Singles2  # (units, units) w2 transposed, without biases
    w3t: Singles2  # (OUTPUTS, units) w3 transposed, without biases
    x: Singles1  # (inputs + 1,) the inputs, then 1
    h1: Singles1  # (units + 1,) outputs of the first hidden layer, then 1
    d1: Singles1  # (units,) their derivatives by the arguments
    h2: Singles1  # (units + 1,) outputs of the second hidden layer, then 1
    d2: Singles1  # (units,) their derivatives by the arguments
    out: Singles1  # (OUTPUTS,) outputs
    dout: Singles1  # (OUTPUTS,) derivatives of −ln P(value) by the outputs
    logistics: Floats2  # (3, COMPONENTS) shares, means and inverse scales of the mixture
    xs: Singles2  # (inputs + 1, BATCH) x of the values since Adam's last step
    h1s: Singles2  # (units + 1, BATCH) h1 of these values
    h2s: Singles2  # (units + 1, BATCH) h2 of these values
    s1: Singles2  # (BATCH, units) derivatives of −ln P(value) by the arguments of the first hidden layer
    s2: Singles2  # (BATCH, units) by the arguments of the second hidden layer
    douts: Singles2  # (BATCH, OUTPUTS) by the outputs
    clock: Floats1  # (3,) values since Adam's last step, and the products of β1 and of β2 over all steps


def shapes(inputs: int, units: int) -> list[tuple[int, int]]:
    """(inputs + 1, outputs) of each of a network's three layers; the last row of a layer is its biases."""
    return [(inputs + 1, units), (units + 1, units), (units + 1, OUTPUTS)]


def parameters(inputs: int, units: int) -> int:
    """How many weights a network has, biases included."""
    return sum(a * b for a, b in shapes(inputs, units))


def contextnet(inputs: int, units: int, weights: npt.ArrayLike) -> ContextNet:
    """A network with these weights, (parameters,) float32. inputs: of the network; units: of each hidden layer."""

    def views(flat: Any) -> list[Any]:
        out, start = [], 0
        for rows, columns in shapes(inputs, units):
            out.append(flat[start : start + rows * columns].reshape(rows, columns))
            start += rows * columns
        return out

    def zeros(*shape: int) -> Any:
        return np.zeros(shape, np.float32)

    flat = np.array(weights, np.float32)
    sums = np.zeros_like(flat)
    (w1, w2, w3), (g1, g2, g3) = views(flat), views(sums)
    x, h1, h2 = zeros(inputs + 1), zeros(units + 1), zeros(units + 1)
    x[-1] = h1[-1] = h2[-1] = 1
    return ContextNet(
        flat=flat,
        sums=sums,
        first=np.zeros_like(flat),
        second=np.zeros_like(flat),
        w1=w1,
        w2=w2,
        w3=w3,
        g1=g1,
        g2=g2,
        g3=g3,
        w2t=w2[:-1].T.copy(),
        w3t=w3[:-1].T.copy(),
        x=x,
        h1=h1,
        d1=zeros(units),
        h2=h2,
        d2=zeros(units),
        out=zeros(OUTPUTS),
        dout=zeros(OUTPUTS),
        logistics=np.zeros((3, COMPONENTS)),
        xs=zeros(inputs + 1, BATCH),
        h1s=zeros(units + 1, BATCH),
        h2s=zeros(units + 1, BATCH),
        s1=zeros(BATCH, units),
        s2=zeros(BATCH, units),
        douts=zeros(BATCH, OUTPUTS),
        clock=np.array([0.0, 1.0, 1.0]),
    )


@part
def add_products(x: Singles1, w: Singles2, a: Singles1) -> None:
    """a[j] += x[0]·w[0, j] + x[1]·w[1, j] + …, one after the other. x: (n,), w: (n, m), a: (m,).

    The loop takes eight rows of w at a time, which is faster, and does not change the order.
    """
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


@shared
def activate(h: Singles1, d: Singles1) -> None:
    """The activation f(x) = x·(1 + x/(1 + |x|))/2 in place, for the first units of h, (units + 1,); d, (units,): its derivatives.

    f is a smooth rectifier without exponentials.
    """
    one, half = F32(1), F32(0.5)
    for j in range(d.shape[0]):
        x = h[j]
        r = one / (one + abs(x))
        q = x * r
        h[j] = half * x * (one + q)
        d[j] = half * (one + q + x * r * r)


@stage
def forward(net: ContextNet, base: float, unit: float) -> None:
    """Compute the mixture `net.logistics` from the inputs `net.x`. Its means are relative to `base`, and means and scales count `unit`."""
    for j in range(net.d1.shape[0]):
        net.h1[j] = F32(0)
        net.h2[j] = F32(0)
    for j in range(OUTPUTS):
        net.out[j] = F32(0)
    add_products(net.x, net.w1, net.h1[:-1])
    activate(net.h1, net.d1)
    add_products(net.h1, net.w2, net.h2[:-1])
    activate(net.h2, net.d2)
    add_products(net.h2, net.w3, net.out)
    out, logistics = net.out, net.logistics
    top = max(max(out[0], out[1]), max(out[2], out[3]))
    total = 0.0
    for k in range(COMPONENTS):
        e = exp2(max(np.float64(out[k]) - np.float64(top), -30.0))
        logistics[0, k] = e
        total += e
    for k in range(COMPONENTS):
        logistics[0, k] /= total
        logistics[1, k] = base + unit * np.float64(out[COMPONENTS + k])
        scale = unit * exp2(min(max(np.float64(out[2 * COMPONENTS + k]), -LARGEST_LOG), LARGEST_LOG))
        logistics[2, k] = 1.0 / max(scale, LEAST_SCALE)


@shared
def below(logistics: Floats2, edge: float) -> float:
    """The mass of a mixture, (3, COMPONENTS), below `edge`."""
    total = 0.0
    for k in range(COMPONENTS):
        total += logistics[0, k] * sigmoid((edge - logistics[1, k]) * logistics[2, k])
    return total


@stage
def differentiate(logistics: Floats2, dout: Singles1, value: float, largest: float, unit: float) -> None:
    """Fill in dout, (OUTPUTS,): the derivatives of −ln P(value) by the outputs. value: 0 … largest; logistics, unit: see `forward`."""
    total = 0.0
    for k in range(COMPONENTS):
        share, inverse = logistics[0, k], logistics[2, k]
        high = (value + 0.5 - logistics[1, k]) * inverse
        low = (value - 0.5 - logistics[1, k]) * inverse
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
        dout[k] = F32((logistics[0, k] * total - np.float64(dout[k])) * scale * LN2)
        dout[COMPONENTS + k] = F32(min(max(np.float64(dout[COMPONENTS + k]) * scale, -8.0), 8.0))
        dout[2 * COMPONENTS + k] = F32(min(max(np.float64(dout[2 * COMPONENTS + k]) * scale, -8.0), 8.0))


@stage
def backward(net: ContextNet, sample: Int) -> None:
    """Back-propagate `dout`, and keep what the gradient of this value is made of as number `sample` of the batch."""
    s1, s2 = net.s1[sample], net.s2[sample]
    for j in range(net.d1.shape[0]):
        s1[j] = F32(0)
        s2[j] = F32(0)
    add_products(net.dout, net.w3t, s2)
    for j in range(net.d1.shape[0]):
        s2[j] *= net.d2[j]
    add_products(s2, net.w2t, s1)
    for j in range(net.d1.shape[0]):
        s1[j] *= net.d1[j]
    for i in range(net.x.shape[0]):
        net.xs[i, sample] = net.x[i]
    for j in range(net.h1.shape[0]):
        net.h1s[j, sample] = net.h1[j]
        net.h2s[j, sample] = net.h2[j]
    for o in range(OUTPUTS):
        net.douts[sample, o] = net.dout[o]


@part
def adam(net: ContextNet, rate: float) -> None:
    """Add up the gradient of a batch, value after value, and move the weights by Adam with β1 = 0.9, β2 = 0.999."""
    for i in range(net.xs.shape[0]):
        add_products(net.xs[i], net.s1, net.g1[i])
    for i in range(net.h1s.shape[0]):
        add_products(net.h1s[i], net.s2, net.g2[i])
        add_products(net.h2s[i], net.douts, net.g3[i])
    net.clock[1] *= 0.9
    net.clock[2] *= 0.999
    share = F32(1.0 / BATCH)
    size = F32(rate / (1.0 - net.clock[1]))
    inverse = F32(1.0 / (1.0 - net.clock[2]))
    b1, c1, b2, c2, tiny = F32(0.9), F32(0.1), F32(0.999), F32(0.001), F32(1e-5)
    flat, sums, first, second = net.flat, net.sums, net.first, net.second
    for i in range(flat.shape[0]):
        g = sums[i] * share
        sums[i] = F32(0)
        u = b1 * first[i] + c1 * g
        v = b2 * second[i] + c2 * (g * g)
        first[i] = u
        second[i] = v
        flat[i] -= size * u / (np.sqrt(v * inverse) + tiny)
    units = net.d1.shape[0]
    for i in range(units):
        for j in range(units):
            net.w2t[i, j] = net.w2[j, i]
        for o in range(OUTPUTS):
            net.w3t[o, i] = net.w3[i, o]


@stage
def learn(net: ContextNet, value: float, largest: float, unit: float, rate: float) -> None:
    """Learn a value, 0 … largest: add its gradient to the batch, and move the weights when the batch is full.

    unit: see `forward`; rate: Adam's learning rate.
    """
    differentiate(net.logistics, net.dout, value, largest, unit)
    sample = int(net.clock[0])
    backward(net, sample)
    net.clock[0] += 1.0
    if sample + 1 == BATCH:
        net.clock[0] = 0.0
        adam(net, rate)
