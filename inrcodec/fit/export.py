"""From a trained float network to the integer network of the file: its layers, the gains of the bit-planes, and what it costs."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch

from ..kernels import coder
from ..kernels.calibration import GAIN_CODES, Calibration, gain
from ..kernels.inr import (
    LARGEST_BIAS,
    LARGEST_MULTIPLIER,
    LARGEST_PRODUCT,
    LARGEST_SHIFT,
    OUTPUT_BITS,
    Architecture,
    BoundError,
    Layer,
    Network,
    peak_of,
)
from ..kernels.tables import TURN_BITS
from ..weights import codings, network
from ..weights.network import CodedNetwork
from .codings import Coding, Grid
from .data import Targets
from .exact import logits as exact_logits
from .model import BitPlaneNetwork

GAIN_PLACES = 1 << 15  # gains are chosen by every n-th place, so that at least this many remain, and less than twice as many
MEASURED_PLACES = 1 << 16  # the cost is measured at no more places than this
GAIN_STEP = 3  # every third gain code is tried: neighbouring codes are 3 to 6 % apart


def _layer(integers: np.ndarray, step: float, bias: np.ndarray, index: int, a: Architecture, omega: float) -> Layer:
    """A layer of the integer network. integers: (outputs, inputs), weight = step·integer; bias: (outputs,) float64; index: of the layer.

    Raises BoundError if a number is not finite or too large.
    """
    hidden = index < a.layers
    sine = hidden and a.activation == "sine"
    unit = omega / (2 * math.pi) if sine else 1.0  # the argument of a sine is counted in turns
    bits = a.argument_bits if hidden else OUTPUT_BITS
    input_bits = a.input_bits if index == 0 else a.activation_bits
    factor = step * unit * 2.0 ** (bits - input_bits)
    if not math.isfinite(factor):
        raise BoundError("a layer's scale is not finite")
    peak = peak_of(integers, a.largest_input(index))
    shift = LARGEST_SHIFT  # the finest scale that fits; if none does, Network refuses the layer
    while shift and (factor * 2.0**shift >= LARGEST_MULTIPLIER - 1 or peak * round(factor * 2.0**shift) >= LARGEST_PRODUCT):
        shift -= 1
    multiplier = round(factor * 2.0**shift)
    scaled = np.rint(bias * (unit * 2.0**bits))
    if not (np.abs(scaled) < 2.0**62).all():
        raise BoundError("a bias is out of range")
    if sine:
        half = 1 << (TURN_BITS - 1)
        offset = (scaled.astype(np.int64) + half) % (2 * half) - half
    else:
        offset = np.clip(scaled, -LARGEST_BIAS, LARGEST_BIAS).astype(np.int64)
    return Layer(integers.astype(np.int64), offset, multiplier, shift)


def export(model: BitPlaneNetwork, coding: Coding) -> CodedNetwork:
    """The integer network for a float network under a weight coding, with all gains 1.

    Raises:
        BoundError: the weights have grown so large that integer sums would not be exact.
    """
    a = model.architecture
    with torch.no_grad():
        grids: list[Grid] = [coding.grid(i) for i in range(a.layers + 1)]
    biases = [b.detach().double().cpu().numpy() for b in model.biases]
    layers = [
        [_layer(g.integers[n], g.step, b[n], i, a, model.omegas[i]) for i, (g, b) in enumerate(zip(grids, biases, strict=True))]
        for n in range(a.networks)
    ]
    sparse = [[g.sparse[n] if g.sparse else None for g in grids] for n in range(a.networks)] if codings.named(coding.name).sparse else ()
    return CodedNetwork(Network(a, layers), coding.name, coding.setting, np.full(a.planes, 64, np.uint8), sparse=sparse)


def choose_gains(logits: np.ndarray, bits: np.ndarray) -> np.ndarray:
    """The gain code of each bit-plane, (bit-planes,) uint8, that makes its bits cheapest.

    logits: (n, bit-planes), × 2^10; bits: (n, bit-planes) of 0 and 1.
    """
    step = max(1, len(logits) // GAIN_PLACES)
    margin = np.where(bits[::step] > 0, -1.0, 1.0).astype(np.float32) * logits[::step].astype(np.float32) / 2**OUTPUT_BITS
    best = np.zeros(margin.shape[1], np.uint8)
    least = np.full(margin.shape[1], np.inf)
    for code in range(0, GAIN_CODES, GAIN_STEP):
        cost = np.logaddexp(np.float32(0), np.clip(margin * np.float32(gain(code) / 256), -12, 12)).sum(axis=0)
        better = cost < least * (1 - 1e-6)
        best[better], least[better] = code, cost[better]
    return best


def finish(coded: CodedNetwork, targets: Targets) -> tuple[CodedNetwork, int, int, int]:
    """Choose the gains, and measure: (network, bytes of weights, bytes of payload, number of wrong bits).

    A bit is wrong if the integer network gives it a probability below 1/2. In a signal of more than MEASURED_PLACES places, payload and
    wrong bits are estimated: those of every n-th place, times n.
    """
    n = -(-targets.places // MEASURED_PLACES)
    logits = exact_logits(coded.network, targets.coordinates[::n], targets.bits.device)
    bits = targets.bits[::n].reshape(len(logits), -1).cpu().numpy()
    tuned = replace(coded, gains=choose_gains(logits, bits), gray=targets.gray)
    output = coder.Output()
    Calibration(tuned.gains).encode(output, logits, bits)
    wrong = int(((logits > 0) != (bits > 0)).sum())
    return tuned, len(network.write(tuned)), n * len(output.finish()), n * wrong
