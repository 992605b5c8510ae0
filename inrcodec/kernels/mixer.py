"""Hashed contexts, the mixer (gated logistic mixing), and final maps (adaptive probability maps), in strict arithmetic.

After M. Mahoney's PAQ ("Adaptive weighing of context models for lossless data compression", 2005). Each expert and context gives a
stretched probability of the next bit. The mixer makes SETS weighted sums of them, each with a set of weights that the place selects, and
weighs these sums to one by gates. Final maps refine the result. All weights learn from each bit.

A context is a hash. It selects a line of a table for each nibble (four bits) of a value. The line has a slot for each of the 15 nodes of
the nibble's binary tree, so a context reads one cache line per nibble. SPEC.md, "Contexts" and "The mixer", defines them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

from .adaptive import RATE
from .arrays import Cells1, Cells2, Int, Ints1, Singles1, Singles2, Singles3
from .compiling import shared
from .functions import LN2, SIGMOID, log2, sigmoid
from .lanes import LIMIT, add_scaled, dot16, padded
from .tables import SIGMOID_LIMIT, SIGMOID_STEPS

F32 = np.float32
NODES = 16  # cells of a line: a check of the hash, then a slot for each of the 15 nodes
SETS = 4  # weighted sums
SELECTIONS = 1024  # sets of weights for each sum
FINE = 33  # points of a row of a final map
STEPS = 4096  # entries of STRETCH


def _stretches() -> Any:
    """(STEPS,) float32: ln(p/(1 − p)) for p = (i + 1/2)/4096."""
    return np.array([LN2 * (log2((i + 0.5) / STEPS) - log2(1.0 - (i + 0.5) / STEPS)) for i in range(STEPS)], np.float32)


STRETCH = _stretches()
SQUASH = SIGMOID.astype(np.float32)
# by the number of bits n that a slot has learnt: its rate, times 2^16, and the factor of its stretched probability
TRUST = np.array([min(1.0, n / 4) for n in range(256)], np.float32)


def _next() -> Any:
    """(2, 256) int64: [bit, history] → the next history, where a history is count of zeros << 4 | count of ones.

    The count of the bit grows up to 15. The count n of the other bit becomes n // 2 + 1 if it is above 2.
    """
    out = np.zeros((2, 256), np.int64)
    for state in range(256):
        n0, n1 = state >> 4, state & 15
        out[0, state] = min(n0 + 1, 15) << 4 | ((n1 >> 1) + 1 if n1 > 2 else n1)
        out[1, state] = ((n0 >> 1) + 1 if n0 > 2 else n0) << 4 | min(n1 + 1, 15)
    return out


NEXT = _next()
MORE = np.array([n + 1 if n < 127 else n for n in range(256)], np.int64)  # number of bits learnt, after one more


class Contexts(NamedTuple):
    """Hashed contexts of one pass, and the slots of the current bit."""

    slots: Cells2  # (contexts, lines·NODES) a check, or probability << 16 | number of bits learnt << 8 | history
    history: Singles2  # (contexts, 256) the probability of a 1 after each history
    hashes: Ints1  # (contexts,) of the current value
    lines: Ints1  # (contexts,) index into `slots` of the line of the current nibble
    checks: Cells1  # (contexts,) the check that this line must have
    slot: Ints1  # (contexts,) index into `slots` of the slot of the current bit


class Mixer(NamedTuple):
    """The mixer, the final maps, and their state for the current bit."""

    weights: Singles3  # (SETS, SELECTIONS, inputs)
    gates: Singles2  # (SELECTIONS, SETS)
    maps: Singles3  # (2, rows, FINE) the final maps: probabilities
    inputs: Singles1  # (inputs,) stretched probabilities, padded with zeros to whole vectors
    selected: Ints1  # (SETS,) which set of weights each sum uses; the first also selects the gates
    dots: Singles1  # (SETS,) the sums
    squashed: Singles1  # (SETS,) their probabilities


MAPS = 1 << 14  # the most rows of a final map
LEAST_MAPS = 1 << 10  # the fewest


def power_of_two(n: int) -> int:
    """The least power of two that is not below n, n at least 1."""
    return 1 << (n - 1).bit_length()


def contexts(count: int, lines: int) -> Contexts:
    """Fresh contexts. count: how many; lines: of each context's table, a power of two."""
    n0, n1 = np.divmod(np.arange(256), 16)
    return Contexts(
        slots=np.zeros((count, lines * NODES), np.uint32),
        history=np.tile(((n1 + 0.5) / (n0 + n1 + 1.0)).astype(np.float32), (count, 1)),
        hashes=np.zeros(count, np.int64),
        lines=np.zeros(count, np.int64),
        checks=np.zeros(count, np.uint32),
        slot=np.zeros(count, np.int64),
    )


def mixer(initial: npt.ArrayLike, maps: int = MAPS) -> Mixer:
    """A fresh mixer. initial: (inputs,) first weights of all sums; maps: rows of each final map, a power of two."""
    given = np.asarray(initial, np.float32)
    inputs = padded(len(given))
    weights = np.zeros((SETS, SELECTIONS, inputs), np.float32)
    weights[:, :, : len(given)] = given
    nodes = (np.arange(FINE) - FINE // 2) * 0.75
    return Mixer(
        weights=weights,
        gates=np.full((SELECTIONS, SETS), 1.0 / SETS, np.float32),
        maps=np.tile(np.array([sigmoid(float(x)) for x in nodes]).astype(np.float32), (2, maps, 1)),
        inputs=np.zeros(inputs, np.float32),
        selected=np.zeros(SETS, np.int64),
        dots=np.zeros(SETS, np.float32),
        squashed=np.zeros(SETS, np.float32),
    )


@shared
def mix_hash(a: Int, b: Int) -> Int:
    """A 64-bit hash of a hash a and a number b; the arithmetic wraps."""
    x = (np.int64(a) * np.int64(0x1E3779B97F4A7C15) + np.int64(b) + np.int64(0x7F4A7C15)) * np.int64(0x56E8FEB86659FD93)
    return x ^ ((x >> 32) & 0xFFFFFFFF)


@shared
def squash(d: np.float32) -> np.float32:
    """1/(1 + e^−d) for a float32 within ±15, from the nearest entry of the table."""
    return SQUASH[np.int64((d + F32(SIGMOID_LIMIT)) * F32(SIGMOID_STEPS) + F32(0.5))]


@intrinsic
def prefetch(context: Any, array: Any, index: Any) -> Any:
    """Prefetch the cache line of element `index`, in flat order, of a contiguous array. This only affects speed."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = make_array(signature.args[0])(context, builder, arguments[0]).data  # type: ignore[no-untyped-call]
        pointer = builder.bitcast(builder.gep(data, [arguments[1]]), ir.IntType(8).as_pointer())
        kind = ir.FunctionType(ir.VoidType(), [pointer.type, ir.IntType(32), ir.IntType(32), ir.IntType(32)])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")  # type: ignore[no-untyped-call]
        builder.call(function, [pointer, ir.Constant(ir.IntType(32), 1), ir.Constant(ir.IntType(32), 3), ir.Constant(ir.IntType(32), 1)])
        return context.get_dummy_value()

    return types.void(array, types.int64), generate


@shared
def find_lines(c: Contexts, nibble: Int) -> None:
    """Find the line of every context for a nibble. A line that belongs to another hash is cleared.

    nibble: a number that identifies the nibble and the bits of the value before it.
    """
    mask = c.slots.shape[1] // NODES - 1
    for i in range(c.hashes.shape[0]):
        h = mix_hash(c.hashes[i], nibble)
        c.lines[i] = ((h >> 20) & mask) * NODES
        c.checks[i] = np.uint32(h & 0xFFFF) | np.uint32(1 << 16)
        prefetch(c.slots, i * c.slots.shape[1] + c.lines[i])  # type: ignore[call-arg]
    for i in range(c.hashes.shape[0]):
        line, check = c.lines[i], c.checks[i]
        if c.slots[i, line] != check:
            c.slots[i, line] = check
            for k in range(1, NODES):
                c.slots[i, line + k] = np.uint32(32768 << 16)


@shared
def look_up(c: Contexts, inputs: Singles1, first: Int, apart: Int, node: Int) -> Int:
    """Fill in inputs of the mixer for each context, from inputs[first] on. node: of the nibble's tree, 1 … 15.

    The inputs are the stretched probabilities of the slot and of its history; both are 0 if the slot has learnt no bit. There are two
    for each context if `apart` is 1; if it is 0, there is one, their sum. Returns how many contexts have learnt at least 3 bits here.
    """
    confident = 0
    for k in range(c.hashes.shape[0]):
        at = c.lines[k] + node
        c.slot[k] = at
        packed = np.int64(c.slots[k, at])
        n = (packed >> 8) & 255
        slot, history = F32(0), F32(0)
        if n > 0:
            slot = STRETCH[packed >> 20] * TRUST[n]
            history = STRETCH[np.int64(c.history[k, packed & 255] * F32(4095))]
            if n > 2:
                confident += 1
        if apart:
            inputs[first + 2 * k] = slot
            inputs[first + 2 * k + 1] = history
        else:
            inputs[first + k] = slot + history
    return confident


@shared
def moved(p: Int, seen: Int, bit: Int) -> Int:
    """The 16-bit probability p after learning `bit`. seen: the number of bits that p has learnt before."""
    if bit:
        q = p + (((65535 - p) * RATE[seen]) >> 16)
    else:
        q = p - ((p * RATE[seen]) >> 16)
    return q


@shared
def remember(c: Contexts, bit: Int) -> None:
    """Learn a bit in every context: its slot, and the probability of the slot's history."""
    y = F32(bit)
    for k in range(c.slot.shape[0]):
        packed = np.int64(c.slots[k, c.slot[k]])
        p, n, state = packed >> 16, (packed >> 8) & 255, packed & 255
        c.history[k, state] += (y - c.history[k, state]) * F32(0.01)
        c.slots[k, c.slot[k]] = np.uint32(moved(p, n, bit) << 16 | MORE[n] << 8 | NEXT[bit, state])


@shared
def mix(m: Mixer) -> np.float32:
    """The mixed stretched probability, within ±LIMIT, from `m.inputs`, with the sets of weights and the gates that `m.selected` names."""
    total = F32(0)
    for s in range(SETS):
        n = m.inputs.shape[0]
        d = dot16(m.weights, (s * SELECTIONS + m.selected[s]) * n, m.inputs, n)
        d = min(max(d, F32(-LIMIT)), F32(LIMIT))
        m.dots[s] = d
        m.squashed[s] = squash(d)
        total += m.gates[m.selected[0], s] * d
    return min(max(total, F32(-LIMIT)), F32(LIMIT))


@shared
def refine(maps: Singles3, total: np.float32, first: Int, second: Int) -> np.float32:
    """The final probability: half the mixed one, and a quarter of what each of the two final maps makes of it.

    maps: (2, rows, FINE); total: the mixed stretched probability; first, second: the row of each map.
    """
    t = (total + F32(LIMIT)) * F32(4.0 / 3.0)
    i = min(int(t), FINE - 2)
    share = t - F32(i)
    one = F32(1)
    a = maps[0, first, i] * (one - share) + maps[0, first, i + 1] * share
    b = maps[1, second, i] * (one - share) + maps[1, second, i + 1] * share
    return F32(0.5) * squash(total) + F32(0.25) * (a + b)


@shared
def adjust(m: Mixer, bit: Int, total: np.float32, rate: np.float32) -> None:
    """Learn a bit: move the weights and gates that were used. total: the mixed stretched probability; rate: of the weights."""
    y = F32(bit)
    e = (y - squash(total)) * F32(0.002)
    for s in range(SETS):
        m.gates[m.selected[0], s] += e * m.dots[s]
        n = m.inputs.shape[0]
        add_scaled(m.weights, (s * SELECTIONS + m.selected[s]) * n, m.inputs, n, (y - m.squashed[s]) * rate)


@shared
def calibrate(maps: Singles3, bit: Int, total: np.float32, first: Int, second: Int) -> None:
    """Learn a bit: move the nearest point of the row that was used of each final map. Arguments as in `refine`."""
    y = F32(bit)
    t = (total + F32(LIMIT)) * F32(4.0 / 3.0)
    node = min(int(t), FINE - 2)
    near = node + 1 if t - F32(node) > F32(0.5) else node
    maps[0, first, near] += (y - maps[0, first, near]) * F32(0.02)
    maps[1, second, near] += (y - maps[1, second, near]) * F32(0.02)


@shared
def rate_of(least: float, mixed: Int) -> np.float32:
    """The rate for `adjust` after the mixer has coded `mixed` bits: it falls from least + 0.02 to `least`."""
    return F32(least + 0.02 / (1.0 + mixed * 0.0005))
