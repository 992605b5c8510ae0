"""From a trained float network to the integer network of the file: its layers, the gains of the bit-planes, and what it costs."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch

from ..kernels import coder
from ..kernels.architecture import FEATURE_BITS, LOGIT_BITS, MEAN_BITS, Architecture
from ..kernels.calibration import GAIN_CODES, Calibration, gain
from ..kernels.inr import (
    FRACTION_BITS,
    LARGEST_BIAS,
    LARGEST_CELL,
    LARGEST_MULTIPLIER,
    LARGEST_PRODUCT,
    LARGEST_SHIFT,
    MEAN_LIMIT,
    BoundError,
    Cells,
    Layer,
    Network,
    peak_of,
)
from ..kernels.meancode import FACTOR_BITS, Joint, MeanCoder, join_means, rounded
from ..kernels.tables import TURN_BITS
from ..values import from_gray, join_bits
from ..weights import codings, network
from ..weights.network import CodedNetwork
from .codings import Coding, Grid
from .codings.base import as_integers
from .data import Targets
from .exact import by_parts as exact
from .model import CELL_STEP, CoordinateNetwork
from .objective import ValueHead, psnr

GAIN_PLACES = 1 << 15  # gains are chosen by every n-th place, so that at least this many remain, and less than twice as many
MEASURED_PLACES = 1 << 16  # the cost is measured at no more places than this
MEASURED_BITS = 1 << 18  # and values of one bit, of which few are wrong, at no more than this
GAIN_STEP = 3  # every third gain code is tried: neighbouring codes are 3 to 6 % apart


def scale_of(factor: float, peak: int) -> tuple[int, int]:
    """(multiplier, shift) that come nearest to a factor. peak: the largest magnitude of what is multiplied.

    Raises BoundError if the factor is not finite.
    """
    if not math.isfinite(factor):
        raise BoundError("a layer's scale is not finite")
    shift = LARGEST_SHIFT  # the finest scale that fits; if none does, Network refuses the layer
    while shift and (factor * 2.0**shift >= LARGEST_MULTIPLIER - 1 or peak * round(factor * 2.0**shift) >= LARGEST_PRODUCT):
        shift -= 1
    multiplier = round(factor * 2.0**shift)
    while multiplier and multiplier % 2 == 0 and shift:  # the same factor, in fewer bytes
        multiplier, shift = multiplier // 2, shift - 1
    return multiplier, shift


def _layer(integers: np.ndarray, step: float, bias: np.ndarray, index: int, a: Architecture, omega: float, grain: int = 0) -> Layer:
    """A layer of the integer network. integers: (outputs, inputs), weight = step·integer; bias: (outputs,) float64; index: of the matrix;
    grain: bits that its biases need not have.

    Raises BoundError if a number is not finite or too large.
    """
    sine = a.is_sine(index)
    unit = omega / (2 * math.pi) if sine else omega  # the argument of a sine is counted in turns
    bits = a.argument_bits(index)
    multiplier, shift = scale_of(step * unit * 2.0 ** (bits - a.entry_bits(index)), peak_of(integers, a.largest_input(index)))
    scaled = np.rint(bias * (unit * 2.0**bits))
    if not (np.abs(scaled) < 2.0**62).all():
        raise BoundError("a bias is out of range")
    if sine:
        half = 1 << (TURN_BITS - 1)
        offset = (scaled.astype(np.int64) + half) % (2 * half) - half
    else:
        offset = np.clip(scaled, -LARGEST_BIAS, LARGEST_BIAS).astype(np.int64)
    offset = (offset + (1 << grain >> 1)) >> grain << grain
    return Layer(integers.astype(np.int64), offset, multiplier, shift)


def _grain(a: Architecture, index: int) -> int:
    """Bits that the biases of a matrix need not have: 1/256 of what enters a Gaussian is enough, and in a network of values 1/64 of a value
    and 1/256 of what enters GELU."""
    of_values = a.form == "values"
    if index == len(a.matrices) - 1:
        return max(0, MEAN_BITS - a.bits - 6) if of_values else 0
    return 4 if (of_values and not a.is_sine(index)) or a.activation == "gaussian" else 0


def _cells(model: CoordinateNetwork, coding: Coding) -> list[Cells]:
    """The integer cells of all levels; those of a direct level are 0 until `export.settle` sets them."""
    found = []
    for i, level in enumerate(model.architecture.levels):
        numbers = as_integers(coding.cells(i))
        peak = int(np.abs(numbers).max()) << FRACTION_BITS if numbers.size else 0
        found.append(Cells(numbers, *((0, 0) if level.direct else scale_of(CELL_STEP * 2.0 ** (FEATURE_BITS - FRACTION_BITS), peak))))
    return found


def export(model: CoordinateNetwork, coding: Coding) -> CodedNetwork:
    """The integer network for a float network under a weight coding, with all gains 1.

    Raises:
        BoundError: the weights have grown so large that integer sums would not be exact.
    """
    a, head = model.architecture, model.head
    last = len(a.matrices) - 1
    with torch.no_grad():
        grids: list[Grid] = [coding.grid(i) for i in range(last + 1)]
        cells = _cells(model, coding)
    biases = [b.detach().double().cpu().numpy() for b in model.biases]
    joint, halvings = None, None
    if isinstance(head, ValueHead):  # the outputs of a network of values have units of their own
        units = head.units.double().cpu().numpy()
        each = slice(0, 1) if a.colour else slice(None)
        unit, halvings = units.max(), head.halvings[:, each].flatten().long().cpu().numpy()
        joint = head.joint()
        offsets = np.zeros_like(units)
        offsets[0] = head.offsets.double().cpu().numpy() / head.peak
        grids[last] = replace(grids[last], step=grids[last].step * float(unit))
        biases[last] = biases[last] * units[:, each].ravel() + offsets[:, each].ravel()
    layers = [
        [
            _layer(g.integers[n], g.step, b[n], i, a, model.omegas[i], _grain(a, i))
            for i, (g, b) in enumerate(zip(grids, biases, strict=True))
        ]
        for n in range(a.networks)
    ]
    sparse = [[g.sparse[n] if g.sparse else None for g in grids] for n in range(a.networks)] if codings.named(coding.name).sparse else ()
    gains = np.full(a.planes, 64, np.uint8)
    return CodedNetwork(Network(a, layers, cells, halvings), coding.name, coding.setting, gains, joint, False, sparse)


def choose_gains(logits: np.ndarray, bits: np.ndarray) -> np.ndarray:
    """The gain code of each bit-plane, (bit-planes,) uint8, that makes its bits cheapest.

    logits: (n, bit-planes), × 2^10; bits: (n, bit-planes) of 0 and 1.
    """
    step = max(1, len(logits) // GAIN_PLACES)
    margin = np.where(bits[::step] > 0, -1.0, 1.0).astype(np.float32) * logits[::step].astype(np.float32) / 2**LOGIT_BITS
    best = np.zeros(margin.shape[1], np.uint8)
    least = np.full(margin.shape[1], np.inf)
    for code in range(0, GAIN_CODES, GAIN_STEP):
        cost = np.logaddexp(np.float32(0), np.clip(margin * np.float32(gain(code) / 256), -12, 12)).sum(axis=0)
        better = cost < least * (1 - 1e-6)
        best[better], least[better] = code, cost[better]
    return best


def settle(coded: CodedNetwork, targets: Targets) -> CodedNetwork:
    """The network with its direct level, which has a cell at each place, set to what its means lack: so it gives every value.

    Only values of more than 22 bits can lack more than a cell holds. They are then left to the payload.
    """
    assert coded.joint is not None
    n, a = coded.network, coded.network.architecture
    direct = next(i for i, level in enumerate(a.levels) if level.direct and level.spacing == 0 and not level.table)
    values = targets.values.cpu().numpy()
    means, _ = exact(n, targets.coordinates, targets.device)
    joint = coded.joint._replace(scales=np.zeros_like(coded.joint.scales))  # the sharpest
    numbers = _lacking(means, values, joint, a.bits)
    if np.abs(numbers).max() > LARGEST_CELL or np.abs(means + (numbers << (MEAN_BITS - a.bits))).max() > MEAN_LIMIT:
        joint = joint._replace(factors=np.zeros_like(joint.factors))
        numbers = _lacking(means, values, joint, a.bits).clip(-LARGEST_CELL, LARGEST_CELL)
    cells = [Cells(numbers) if i == direct else level for i, level in enumerate(n.cells)]
    return replace(coded, network=replace(n, cells=cells), joint=joint)


def _lacking(means: np.ndarray, values: np.ndarray, joint: Joint, bits: int) -> np.ndarray:
    """What is to be added to means, in values, so that they round to the values when joined. All are (places, channels) int64."""
    unit = MEAN_BITS - bits
    wanted, numbers, known = values << unit, np.zeros_like(means), np.zeros_like(means)
    for i, channel in enumerate(joint.order):
        mean = means[:, channel].copy()
        for j in range(i):
            mean += (joint.factors[i, j] * known[:, joint.order[j]]) >> FACTOR_BITS
        numbers[:, channel] = -((mean - wanted[:, channel] + (1 << (unit - 1))) >> unit)  # a half rounds up, as in `meancode.rounded`
        known[:, channel] = wanted[:, channel]
    return numbers


@dataclass(frozen=True)
class Measured:
    """An integer network, ready to be written, and what it is worth.

    Attributes:
        coded: the network, with its gains.
        weights_bytes, payload_bytes: bytes of section NETW, and of the tiles.
        wrong: bits of which the network alone says another than the right one.
        psnr: of the values that the network alone gives, in dB.
        iou: of values of one bit, intersection over union of the ones that it gives; else 0.
    """

    coded: CodedNetwork
    weights_bytes: int
    payload_bytes: int
    wrong: int
    psnr: float
    iou: float = 0.0


def finish(coded: CodedNetwork, targets: Targets) -> Measured:
    """Choose the gains, and measure.

    In a signal of more than MEASURED_PLACES places, payload, wrong bits, PSNR and IoU are estimated by every n-th place.
    """
    depth = targets.depth
    n = -(-targets.places // (MEASURED_BITS if depth == 1 else MEASURED_PLACES))
    n += depth == 1 and n % 2 == 0  # the places then lie at all coordinates of an axis, whose size is mostly even
    values = targets.values[::n].cpu().numpy()
    found = exact(coded.network, targets.coordinates[::n], targets.device)
    output = coder.Output()
    if coded.joint is not None:
        means, scales = found
        MeanCoder(coded.joint, depth, targets.sizes if n == 1 else (len(values),)).encode(output, means.copy(), scales, values.copy())
        join_means(means, coded.joint, depth, True)
        alone = rounded(means, depth)
        wrong = int(np.bitwise_count(alone ^ values).sum())
    else:
        bits = targets.bits[::n].reshape(len(values), -1).cpu().numpy()
        coded = replace(coded, gains=choose_gains(found, bits), gray=targets.gray)
        Calibration(coded.gains).encode(output, found, bits)
        wrong = int(((found > 0) != (bits > 0)).sum())
        likeliest = join_bits((found > 0).astype(np.uint8), depth)
        alone = from_gray(likeliest) if targets.gray else likeliest
    square = float(np.square(alone.astype(np.float64) - values).mean())
    payload = n * len(output.finish()) if wrong or n > 1 else 0  # a network that is always right needs none
    ones = int(np.count_nonzero(alone | values)) if depth == 1 else 0
    iou = 1 - wrong / ones if ones else 0.0
    return Measured(coded, len(network.write(coded)), payload, n * wrong, psnr(square, targets.peak), iou)
