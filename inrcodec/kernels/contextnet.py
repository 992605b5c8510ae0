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

from . import lanes
from .arrays import Floats1, Int, Singles1, Singles2
from .compiling import part, shared, stage
from .dictionary import atoms
from .functions import LN2
from .lanes import activations, add_outer, exp2s, move_weights, sigmoids, weigh_rows

COMPONENTS = 4  # logistics of a mixture
OUTPUTS = 16  # COMPONENTS each of log2 shares, means and log2 scales; the rest are padding
BATCH = 64  # values between two steps of Adam
UNITS = (0, 16, 32, 48, 64)  # units of a hidden layer that a file may ask for; 0: no network
RATE_UNIT = 2.0**-14  # of `learning` in files
LARGEST_LOG = 12.0  # limit of a log2 scale, which is relative to the unit
LEAST_SCALE = 0.03  # of a logistic
SEEDED_SCALES = (2.0**-5, 2.0**-5, 2.0**-8)  # of the three layers of a network from a seed
FLOOR = 2.0**-20  # added to a probability
F32 = np.float32


class ContextNet(NamedTuple):
    """A context network: weights, the state of Adam, and scratch.

    The weights of a layer are (rows, outputs): inputs, then the biases, then zeros up to a multiple of 4 rows. `flat` holds the three
    layers one after the other.
    """

    flat: Singles1  # (parameters with padding,) weights
    sums: Singles1  # (parameters with padding,) gradient of a batch
    first: Singles1  # (parameters with padding,) Adam's first moments
    second: Singles1  # (parameters with padding,) Adam's second moments
    w1: Singles2  # (rows, units), a view of `flat`
    w2: Singles2  # (rows, units), a view of `flat`
    w3: Singles2  # (rows, OUTPUTS), a view of `flat`
    g1: Singles2  # (rows, units), a view of `sums`
    g2: Singles2  # (rows, units), a view of `sums`
    g3: Singles2  # (rows, OUTPUTS), a view of `sums`
    w2t: Singles2  # (units, units) w2 transposed, without biases
    w3t: Singles2  # (OUTPUTS, units) w3 transposed, without biases
    xs: Singles2  # (BATCH, rows) the inputs, then 1, then padding, of the values since Adam's last step
    h1s: Singles2  # (BATCH, rows) outputs of the first hidden layer, then 1, then padding
    h2s: Singles2  # (BATCH, rows) outputs of the second hidden layer, then 1, then padding
    x: Singles1  # (rows and a vector more,) the inputs of the current value, then 1, then padding
    h1: Singles1  # (rows,) outputs of the first hidden layer, then 1, then padding
    d1: Singles1  # (units,) their derivatives by the arguments
    h2: Singles1  # (rows,) outputs of the second hidden layer, then 1, then padding
    d2: Singles1  # (units,) their derivatives by the arguments
    out: Singles1  # (OUTPUTS,) outputs
    dout: Singles1  # (OUTPUTS,) derivatives of −ln P(value) by the outputs
    edges: Singles1  # (LANES,) scratch
    powers: Singles1  # (LANES,) scratch
    mixture: Singles2  # (3, LANES) means, inverse scales and shares of the mixture in the first COMPONENTS lanes
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
    """A network with these weights, (parameters,) float32. inputs: of the network; units: of each hidden layer, a multiple of 16."""
    given = np.asarray(weights, np.float32)
    padded = [(lanes.padded(rows, 4), columns) for rows, columns in shapes(inputs, units)]

    def views(flat: Any) -> list[Any]:
        out, start = [], 0
        for rows, columns in padded:
            out.append(flat[start : start + rows * columns].reshape(rows, columns))
            start += rows * columns
        return out

    def zeros(*shape: int) -> Any:
        return np.zeros(shape, np.float32)

    def padding(rows: int, ones: int, more: int = 0) -> Any:
        found = zeros(rows + more)
        found[ones] = 1
        return found

    flat = zeros(sum(rows * columns for rows, columns in padded))
    sums = np.zeros_like(flat)
    (w1, w2, w3), (g1, g2, g3) = views(flat), views(sums)
    start = 0
    for w, (rows, columns) in zip((w1, w2, w3), shapes(inputs, units), strict=True):
        w[:rows] = given[start : start + rows * columns].reshape(rows, columns)
        start += rows * columns
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
        w2t=w2[:units].T.copy(),
        w3t=w3[:units].T.copy(),
        xs=zeros(BATCH, len(w1)),
        h1s=zeros(BATCH, len(w2)),
        h2s=zeros(BATCH, len(w3)),
        x=padding(len(w1), inputs, 4 * lanes.LANES),
        h1=padding(len(w2), units),
        d1=zeros(units),
        h2=padding(len(w3), units),
        d2=zeros(units),
        out=zeros(OUTPUTS),
        dout=zeros(OUTPUTS),
        edges=zeros(lanes.LANES),
        powers=zeros(lanes.LANES),
        mixture=zeros(3, lanes.LANES),
        s1=zeros(BATCH, units),
        s2=zeros(BATCH, units),
        douts=zeros(BATCH, OUTPUTS),
        clock=np.array([0.0, 1.0, 1.0]),
    )


def seeded(inputs: int, units: int, seed: int) -> ContextNet:
    """A fresh network. units: of each hidden layer; 0: a small network that is never used.

    Its weights are entries of the SINR dictionary times powers of two: nearly Gaussian, seeded and exact. Most biases are 0.
    """
    if units == 0:
        return contextnet(inputs, lanes.LANES, np.zeros(parameters(inputs, lanes.LANES), np.float32))
    drawn = atoms(parameters(inputs, units), np.zeros(1, np.int64), seed)[0].astype(np.float32)
    parts: list[npt.NDArray[np.float32]] = []
    start = 0
    for (rows, columns), scale in zip(shapes(inputs, units), SEEDED_SCALES, strict=True):
        part = drawn[start : start + rows * columns] * np.float32(scale)
        part[-columns:] = 0
        parts.append(part)
        start += rows * columns
    biases = parts[-1][-OUTPUTS:]
    biases[COMPONENTS : 2 * COMPONENTS] = (-0.5, 0, 0, 0.5)
    biases[2 * COMPONENTS : 3 * COMPONENTS] = (-2, -1, 0, 1)
    return contextnet(inputs, units, np.concatenate(parts))


@shared
def forward(net: ContextNet, base: np.float32, unit: np.float32) -> None:
    """Compute the mixture `net.mixture` from the inputs `net.x`. Its means are relative to `base`, and means and scales count `unit`."""
    units = net.d1.shape[0]
    weigh_rows(net.x, net.w1, net.h1, net.w1.shape[0], units)
    activations(net.h1, net.d1, units)
    weigh_rows(net.h1, net.w2, net.h2, net.w2.shape[0], units)
    activations(net.h2, net.d2, units)
    weigh_rows(net.h2, net.w3, net.out, net.w3.shape[0], OUTPUTS)
    out, powers, mixture = net.out, net.powers, net.mixture
    top = max(max(out[0], out[1]), max(out[2], out[3]))
    for k in range(COMPONENTS):
        net.edges[k] = max(out[k] - top, F32(-30))
        net.edges[COMPONENTS + k] = min(max(-out[2 * COMPONENTS + k], F32(-LARGEST_LOG)), F32(LARGEST_LOG))
    exp2s(net.edges, powers)
    total = (powers[0] + powers[1]) + (powers[2] + powers[3])
    share, inverse = F32(1) / total, F32(1) / unit
    for k in range(COMPONENTS):
        mixture[0, k] = base + unit * out[COMPONENTS + k]
        mixture[1, k] = min(powers[COMPONENTS + k] * inverse, F32(1.0 / LEAST_SCALE))
        mixture[2, k] = powers[k] * share


@shared
def mixture_mean(net: ContextNet) -> np.float32:
    """The mean of the mixture, relative to what its means are relative to."""
    mean, mixture = F32(0), net.mixture
    for k in range(COMPONENTS):
        mean += mixture[2, k] * mixture[0, k]
    return mean


@shared
def tell_shifted(net: ContextNet, shift: np.float32, logistics: Singles2) -> None:
    """Add `shift` to the means of the mixture, and fill in its components as `lanes.ask_all` takes them. logistics: (4, LANES)."""
    for k in range(COMPONENTS):
        net.mixture[0, k] += shift
        for i in range(3):
            logistics[i, k] = net.mixture[i, k]


@stage
def differentiate(net: ContextNet, value: np.float32, half: np.float32, first: bool, last: bool, unit: np.float32) -> None:
    """Fill in `dout`: the derivatives of −ln P(value) by the outputs.

    value: relative to what the means are relative to; half: half the distance between neighbouring values; first, last: whether it is the
    least, or the largest, of the plane; unit: see `forward`.
    """
    mixture, dout, edges = net.mixture, net.dout, net.edges
    one = F32(1)
    for k in range(COMPONENTS):
        edges[k] = (value + half - mixture[0, k]) * mixture[1, k]
        edges[COMPONENTS + k] = (value - half - mixture[0, k]) * mixture[1, k]
    sigmoids(edges, net.powers)
    total = F32(0)
    for k in range(COMPONENTS):
        share, inverse = mixture[2, k], mixture[1, k]
        fh = one if last else net.powers[k]
        fl = F32(0) if first else net.powers[COMPONENTS + k]
        dh, dl = fh * (one - fh), fl * (one - fl)
        p = share * (fh - fl)
        total += p
        dout[k] = p
        dout[COMPONENTS + k] = share * (dh - dl) * inverse * unit
        dout[2 * COMPONENTS + k] = share * (dh * edges[k] - dl * edges[COMPONENTS + k]) * F32(LN2)
    scale = one / (total + F32(FLOOR))
    for k in range(COMPONENTS):
        dout[k] = (mixture[2, k] * total - dout[k]) * scale * F32(LN2)
        dout[COMPONENTS + k] = min(max(dout[COMPONENTS + k] * scale, F32(-8)), F32(8))
        dout[2 * COMPONENTS + k] = min(max(dout[2 * COMPONENTS + k] * scale, F32(-8)), F32(8))


@stage
def backward(net: ContextNet, sample: Int) -> None:
    """Back-propagate `dout`, and keep what the gradient of this value is made of as number `sample` of the batch."""
    s1, s2, units = net.s1[sample], net.s2[sample], net.d1.shape[0]
    weigh_rows(net.dout, net.w3t, s2, OUTPUTS, units)
    for j in range(units):
        s2[j] *= net.d2[j]
    weigh_rows(s2, net.w2t, s1, units, units)
    for j in range(units):
        s1[j] *= net.d1[j]
    xs, h1s, h2s = net.xs[sample], net.h1s[sample], net.h2s[sample]
    for i in range(xs.shape[0]):
        xs[i] = net.x[i]
    for j in range(h1s.shape[0]):
        h1s[j] = net.h1[j]
    for j in range(h2s.shape[0]):
        h2s[j] = net.h2[j]
    for o in range(OUTPUTS):
        net.douts[sample, o] = net.dout[o]


@part
def adam(net: ContextNet, rate: float) -> None:
    """Add up the gradient of a batch, value after value, and move the weights by Adam with β1 = 0.9, β2 = 0.999."""
    units = net.d1.shape[0]
    add_outer(net.xs, net.s1, net.g1, BATCH, net.g1.shape[0], units)
    add_outer(net.h1s, net.s2, net.g2, BATCH, net.g2.shape[0], units)
    add_outer(net.h2s, net.douts, net.g3, BATCH, net.g3.shape[0], OUTPUTS)
    net.clock[1] *= 0.9
    net.clock[2] *= 0.999
    size, inverse = F32(rate / (1.0 - net.clock[1])), F32(1.0 / (1.0 - net.clock[2]))
    move_weights(net.flat, net.sums, net.first, net.second, net.flat.shape[0], F32(1.0 / BATCH), size, inverse)
    for i in range(units):
        for j in range(units):
            net.w2t[i, j] = net.w2[j, i]
        for o in range(OUTPUTS):
            net.w3t[o, i] = net.w3[i, o]


@shared
def learn(net: ContextNet, value: np.float32, half: np.float32, first: bool, last: bool, unit: np.float32, rate: float) -> None:
    """Learn a value: add its gradient to the batch, and move the weights when the batch is full.

    value, half, first, last, unit: see `differentiate`; rate: Adam's learning rate.
    """
    differentiate(net, value, half, first, last, unit)
    sample = int(net.clock[0])
    backward(net, sample)
    net.clock[0] += 1.0
    if sample + 1 == BATCH:
        net.clock[0] = 0.0
        adam(net, rate)
