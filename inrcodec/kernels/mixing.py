"""Adaptive contexts, gated logistic mixing and adaptive probability maps, in strict arithmetic.

The construction of M. Mahoney's PAQ ("Adaptive weighing of context models for lossless data compression", 2005): every
model gives a probability, they are added in the logistic domain with weights that small contexts select, and the weights follow the coding
error. Contexts are hashed; a slot is looked up a nibble at a time, so that a context costs one cache line per nibble.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

from .functions import LN2, SIGMOID, log2, sigmoid
from .tables import SIGMOID_LIMIT, SIGMOID_STEPS

F32 = np.float32
NODES = 16  # of a nibble's line: the first holds a check, the others the 15 nodes of the tree
LIMIT = 12.0  # of a stretched probability
SETS = 4  # weight sets
SELECTIONS = 1024
FINE = 33  # nodes of an adaptive probability map
STEPS = 4096  # of a slot's probability that are told apart


def _stretches() -> Any:
    """ln(p/(1 − p)) for p = (i + 1/2)/4096, float32."""
    return np.array([LN2 * (log2((i + 0.5) / STEPS) - log2(1.0 - (i + 0.5) / STEPS)) for i in range(STEPS)], np.float32)


STRETCH = _stretches()
SQUASH = SIGMOID.astype(np.float32)
# how fast a slot moves after n bits, and how far its stretch is trusted
SLOT_RATE = np.array([65536 * 2 // (2 * n + 3) for n in range(256)], np.int64)
TRUST = np.array([min(1.0, n / 4) for n in range(256)], np.float32)


def _next() -> Any:
    """(2, 256) int64: the history after a bit. The seen one counts up to 15; of the other, what is above 2 is halved."""
    out = np.zeros((2, 256), np.int64)
    for state in range(256):
        n0, n1 = state >> 4, state & 15
        out[0, state] = min(n0 + 1, 15) << 4 | ((n1 >> 1) + 1 if n1 > 2 else n1)
        out[1, state] = ((n0 >> 1) + 1 if n0 > 2 else n0) << 4 | min(n1 + 1, 15)
    return out


NEXT = _next()
MORE = np.array([n + 1 if n < 127 else n for n in range(256)], np.int64)  # bits seen


class Mixer(NamedTuple):
    """All that the mixing of one pass adapts. The kernels take the arrays one by one: see `mixture.Mixture`."""

    slots: Any  # (contexts, lines·NODES) uint32: probability << 16 | bits seen << 8 | history
    history: Any  # (contexts, 256) float32: the probability that a history of (n0, n1) stands for
    weights: Any  # (SETS, SELECTIONS, inputs) float32
    gates: Any  # (SELECTIONS, SETS) float32: the second layer
    maps: Any  # (2, maps, FINE) float32
    hashes: Any  # (contexts,) int64 of this value
    lines: Any  # (contexts,) int64 of this nibble
    checks: Any  # (contexts,) uint32
    slot: Any  # (contexts,) int64 of this bit
    inputs: Any  # (inputs,) float32
    selected: Any  # (SETS,) int64
    dots: Any  # (SETS,) float32
    squashed: Any  # (SETS,) float32


MAPS = 1 << 14
LEAST_MAPS = 1 << 10


def power_of_two(n: int) -> int:
    """The least that is not below n ≥ 1."""
    return 1 << (n - 1).bit_length()


def mixer(contexts: int, experts: int, lines: int, maps: int = MAPS) -> Mixer:
    """A fresh mixer for so many contexts, of `lines` lines each, and experts' probabilities; lines and maps are powers of two."""
    inputs = -(-(experts + 1 + 2 * contexts) // 8) * 8
    slots = np.zeros((contexts, lines * NODES), np.uint32)
    n0, n1 = np.divmod(np.arange(256), 16)
    history = np.tile(((n1 + 0.5) / (n0 + n1 + 1.0)).astype(np.float32), (contexts, 1))
    weights = np.full((SETS, SELECTIONS, inputs), 0.15 if contexts else 0.3, np.float32)
    if experts:
        weights[:, :, :experts] = 0.6 / experts if contexts else 1.0 / experts
        weights[:, :, 0] = 0.4 if contexts else 0.7
    nodes = (np.arange(FINE) - FINE // 2) * 0.75
    entries = np.tile(np.array([sigmoid(float(x)) for x in nodes]).astype(np.float32), (2, maps, 1))
    return Mixer(
        slots,
        history,
        weights,
        np.full((SELECTIONS, SETS), 1.0 / SETS, np.float32),
        entries,
        np.zeros(contexts, np.int64),
        np.zeros(contexts, np.int64),
        np.zeros(contexts, np.uint32),
        np.zeros(contexts, np.int64),
        np.zeros(inputs, np.float32),
        np.zeros(SETS, np.int64),
        np.zeros(SETS, np.float32),
        np.zeros(SETS, np.float32),
    )


@njit(inline="always", cache=True)
def mix_hash(a: Any, b: Any) -> Any:
    """A 64-bit hash of a hash and a number, in wrapping arithmetic."""
    x = (np.int64(a) * np.int64(0x1E3779B97F4A7C15) + np.int64(b) + np.int64(0x7F4A7C15)) * np.int64(0x56E8FEB86659FD93)
    return x ^ ((x >> 32) & 0xFFFFFFFF)


@njit(inline="always", cache=True)
def odds(ones: Any, zeros: Any) -> Any:
    """The stretched probability ln(ones/zeros) of two float64 masses, within ±LIMIT."""
    return min(max(LN2 * log2(ones / zeros), -LIMIT), LIMIT)


@njit(inline="always", cache=True)
def squash(d: Any) -> Any:
    """1/(1 + e^−d) of a float32 within ±15: the nearest table entry below."""
    return SQUASH[np.int64((d + F32(SIGMOID_LIMIT)) * F32(SIGMOID_STEPS) + F32(0.5))]


@intrinsic
def prefetch(context: Any, array: Any, index: Any) -> Any:
    """Ask for the cache line of a contiguous array's element, counted flat: no effect but on speed."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = make_array(signature.args[0])(context, builder, arguments[0]).data  # type: ignore[no-untyped-call]
        pointer = builder.bitcast(builder.gep(data, [arguments[1]]), ir.IntType(8).as_pointer())
        kind = ir.FunctionType(ir.VoidType(), [pointer.type, ir.IntType(32), ir.IntType(32), ir.IntType(32)])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")  # type: ignore[no-untyped-call]
        builder.call(function, [pointer, ir.Constant(ir.IntType(32), 1), ir.Constant(ir.IntType(32), 3), ir.Constant(ir.IntType(32), 1)])
        return context.get_dummy_value()

    return types.void(array, types.int64), generate


@njit(inline="always", cache=True)
def find_lines(slots: Any, hashes: Any, lines: Any, checks: Any, nibble: Any) -> None:
    """Point every context at its line for a nibble, `nibble` being what identifies it within the value; a line of another is cleared."""
    mask = np.int64(slots.shape[1] // NODES - 1)
    for c in range(hashes.shape[0]):
        h = mix_hash(hashes[c], nibble)
        lines[c] = ((h >> 20) & mask) * NODES
        checks[c] = np.uint32(h & 0xFFFF) | np.uint32(1 << 16)
        prefetch(slots, c * slots.shape[1] + lines[c])  # type: ignore[call-arg]
    for c in range(hashes.shape[0]):
        line, check = lines[c], checks[c]
        if slots[c, line] != check:
            slots[c, line] = check
            for k in range(1, NODES):
                slots[c, line + k] = np.uint32(32768 << 16)


@njit(inline="always", cache=True)
def gather(slots: Any, history: Any, hashes: Any, lines: Any, slot: Any, inputs: Any, experts: Any, node: Any) -> Any:
    """The contexts' inputs at node 1 … 15 of the nibble's tree. Returns how many contexts have seen it 3 times."""
    confident = 0
    for c in range(hashes.shape[0]):
        at = lines[c] + node
        slot[c] = at
        packed = np.int64(slots[c, at])
        n = (packed >> 8) & 255
        i = experts + 1 + 2 * c
        if n == 0:
            inputs[i] = F32(0)
            inputs[i + 1] = F32(0)
        else:
            inputs[i] = STRETCH[packed >> 20] * TRUST[n]
            inputs[i + 1] = STRETCH[np.int64(history[c, packed & 255] * F32(4095))]
            if n > 2:
                confident += 1
    return confident


@njit(inline="always", cache=True)
def mix(x: Any, weights: Any, gates: Any, selected: Any, dots: Any, squashed: Any) -> Any:
    """The mixed probability's stretch, float32, with the weight sets `selected`."""
    total = F32(0)
    for s in range(SETS):
        row = selected[s]
        lanes0 = lanes1 = lanes2 = lanes3 = lanes4 = lanes5 = lanes6 = lanes7 = F32(0)
        for i in range(0, x.shape[0], 8):
            lanes0 += weights[s, row, i] * x[i]
            lanes1 += weights[s, row, i + 1] * x[i + 1]
            lanes2 += weights[s, row, i + 2] * x[i + 2]
            lanes3 += weights[s, row, i + 3] * x[i + 3]
            lanes4 += weights[s, row, i + 4] * x[i + 4]
            lanes5 += weights[s, row, i + 5] * x[i + 5]
            lanes6 += weights[s, row, i + 6] * x[i + 6]
            lanes7 += weights[s, row, i + 7] * x[i + 7]
        d = ((lanes0 + lanes4) + (lanes1 + lanes5)) + ((lanes2 + lanes6) + (lanes3 + lanes7))
        d = min(max(d, F32(-LIMIT)), F32(LIMIT))
        dots[s] = d
        squashed[s] = squash(d)
        total += gates[selected[0], s] * d
    return min(max(total, F32(-LIMIT)), F32(LIMIT))


@njit(inline="always", cache=True)
def refine(maps: Any, total: Any, first: Any, second: Any) -> Any:
    """The final probability, float32: the mixed one and two adaptive maps of it, at rows `first` and `second`."""
    t = (total + F32(LIMIT)) * F32(4.0 / 3.0)
    i: Any = min(np.int64(t), FINE - 2)
    share = t - F32(i)
    one = F32(1)
    a = maps[0, first, i] * (one - share) + maps[0, first, i + 1] * share
    b = maps[1, second, i] * (one - share) + maps[1, second, i + 1] * share
    return F32(0.5) * squash(total) + F32(0.25) * (a + b)


@njit(inline="always", cache=True)
def adjust(x: Any, weights: Any, gates: Any, selected: Any, dots: Any, squashed: Any, bit: Any, total: Any, rate: Any) -> None:
    """Learn a bit: the mixing's weights and gates."""
    y = F32(bit)
    e = (y - squash(total)) * F32(0.002)
    for s in range(SETS):
        gates[selected[0], s] += e * dots[s]
        row = selected[s]
        f = (y - squashed[s]) * rate
        for i in range(0, x.shape[0], 8):
            weights[s, row, i] += f * x[i]
            weights[s, row, i + 1] += f * x[i + 1]
            weights[s, row, i + 2] += f * x[i + 2]
            weights[s, row, i + 3] += f * x[i + 3]
            weights[s, row, i + 4] += f * x[i + 4]
            weights[s, row, i + 5] += f * x[i + 5]
            weights[s, row, i + 6] += f * x[i + 6]
            weights[s, row, i + 7] += f * x[i + 7]


@njit(inline="always", cache=True)
def calibrate(maps: Any, bit: Any, total: Any, first: Any, second: Any) -> None:
    """Learn a bit: the adaptive maps."""
    y = F32(bit)
    t = (total + F32(LIMIT)) * F32(4.0 / 3.0)
    node: Any = min(np.int64(t), FINE - 2)
    near = node + 1 if t - F32(node) > F32(0.5) else node
    maps[0, first, near] += (y - maps[0, first, near]) * F32(0.02)
    maps[1, second, near] += (y - maps[1, second, near]) * F32(0.02)


@njit(inline="always", cache=True)
def remember(slots: Any, history: Any, slot: Any, bit: Any) -> None:
    """Learn a bit: the contexts' slots and their histories' meaning."""
    y = F32(bit)
    for c in range(slot.shape[0]):
        packed = np.int64(slots[c, slot[c]])
        p, n, state = packed >> 16, (packed >> 8) & 255, packed & 255
        history[c, state] += (y - history[c, state]) * F32(0.01)
        if bit:
            p += ((65535 - p) * SLOT_RATE[n]) >> 16
        else:
            p -= (p * SLOT_RATE[n]) >> 16
        slots[c, slot[c]] = np.uint32(p << 16 | MORE[n] << 8 | NEXT[bit, state])
