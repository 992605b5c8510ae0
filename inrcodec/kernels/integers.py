"""Entropy coding of signed integers, for weights and lags.

A value is coded as the bit length of its magnitude in unary, its sign, and the bits of its magnitude below the leading one (Elias gamma
code). The unary bits and the MODELLED highest of the others have adaptive probabilities; the sign and the rest have probability 1/2.
In an array whose elements have neighbours, such as the cells of a grid, the unary bits also depend on the magnitudes of two of them.
SPEC.md, "Coded bits and integers", defines it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from . import adaptive
from .adaptive import probability, update
from .arrays import Int, Ints1
from .coder import BitCoder, Input, Output, code_bit
from .compiling import kernel, stage

MAGNITUDE_BITS = 32  # of the largest magnitude
HALF = 32768  # probability of a bit that is not modelled
MODELLED = 2  # bits below the leading one that have adaptive probabilities
# contexts: first the unary bits of the bit length, 0 … 32, then the modelled bits, by bit length and the bits above them
MANTISSA = MAGNITUDE_BITS + 1
CONTEXTS = MANTISSA + ((MAGNITUDE_BITS + 1) << MODELLED)
SETS = 8  # of these contexts, by the bit length of the sum of two neighbours' magnitudes
BITS_PER_VALUE = 2 * MAGNITUDE_BITS + 2  # at most
STEP = 1 << 16  # values at a time: bounds the encoder's buffer, and what a decoder does past the end of a string


State = tuple[Ints1, Ints1]  # estimates and ages of the adaptive probabilities, (SETS·CONTEXTS,) each


def fresh() -> State:
    """The state at the beginning of an array."""
    return np.full(SETS * CONTEXTS, adaptive.ONE // 2, np.int64), np.zeros(SETS * CONTEXTS, np.int64)


@stage
def _code_adaptive(coder: BitCoder, estimate: Ints1, age: Ints1, context: Int, bit: Int) -> Int:
    """Code a bit with the probability of a context, and learn it."""
    found = code_bit(coder, probability(estimate, context), bit)
    update(estimate, age, context, found, adaptive.AGE_LIMIT)
    return found


@stage
def _set(values: Ints1, j: Int, column: Int, width: Int) -> Int:
    """The set of contexts of element j: by its neighbours to the left and above in rows of `width` elements; 0 without rows."""
    near = np.int64(0)
    if width > 0:
        if column > 0:
            near += abs(values[j - 1])
        if j >= width:
            near += abs(values[j - width])
    found = 0
    while near > 0 and found < SETS - 1:
        near >>= 1
        found += 1
    return found


@kernel
def _code(coder: BitCoder, values: Ints1, known: int, start: int, width: int, estimate: Ints1, age: Ints1) -> None:
    """Code values[known:], below 2^MAGNITUDE_BITS in magnitude; decoding fills them in.

    values: (known + n,), of which the first were coded before; start: the index in the array of the first that is coded; width: of a row,
    0: none; estimate, age: (SETS·CONTEXTS,).
    """
    for j in range(known, values.shape[0]):
        value = values[j] if coder.encoding else np.int64(0)
        magnitude = abs(value)
        column = (start + j - known) % width if width else 0
        base = _set(values, j, column, width) * CONTEXTS
        length = 0
        while length < MAGNITUDE_BITS and _code_adaptive(coder, estimate, age, base + length, int(magnitude >> length != 0)):
            length += 1
        found = np.int64(0)
        if length:
            negative = code_bit(coder, HALF, int(value < 0))
            found = np.int64(1)
            for i in range(length - 1):
                bit = (magnitude >> (length - 2 - i)) & 1
                if i < MODELLED:
                    bit = _code_adaptive(coder, estimate, age, base + MANTISSA + (length << MODELLED) + found, bit)
                else:
                    bit = code_bit(coder, HALF, bit)
                found = 2 * found + bit
            if negative:
                found = -found
        values[j] = found


def encode(parts: Sequence[npt.NDArray[Any]], widths: Sequence[int] = (), states: Sequence[State] = ()) -> bytes:
    """The bytes of arrays of integers of any shape, below 2^32 in magnitude.

    widths: of the rows of each array, 0 for one whose elements have no neighbours; empty: no array has rows. states: the state of each
    array, which goes on from where it is; empty: each array begins afresh. Raises ValueError if a number is too large.
    """
    output = Output()
    for part, width, state in _arrays(parts, widths, states):
        values = np.array(part, np.int64).ravel()
        if len(values) and not -(1 << MAGNITUDE_BITS) < int(values.min()) <= int(values.max()) < 1 << MAGNITUDE_BITS:
            raise ValueError(f"a number has more than {MAGNITUDE_BITS} bits")
        for i in range(0, len(values), STEP):
            known = min(i, max(width, 1))
            piece = values[i - known : i + STEP]
            _code(output.coder(BITS_PER_VALUE * len(piece)), piece, known, i, width, *state)
    return output.finish()


def decode(data: bytes, sizes: Sequence[int], widths: Sequence[int] = (), states: Sequence[State] = ()) -> list[Ints1]:
    """The inverse of `encode`: arrays of these sizes, flat, int64. Raises FormatError.

    Memory is taken for what has been decoded, not for what the sizes claim.
    """
    stream = Input(data)
    found: list[Ints1] = []
    for size, width, state in _arrays(sizes, widths, states):
        pieces = [np.zeros(0, np.int64)]
        last = pieces[0]  # the elements that may be neighbours of those to come
        for start in range(0, size, STEP):
            piece = np.concatenate([last, np.zeros(min(STEP, size - start), np.int64)])
            _code(stream.coder(0), piece, len(last), start, width, *state)
            pieces.append(piece[len(last) :])
            last = piece[-max(width, 1) :]
        found.append(np.concatenate(pieces))
    stream.finish()
    return found


T = TypeVar("T")


def _arrays(parts: Sequence[T], widths: Sequence[int], states: Sequence[State]) -> Iterator[tuple[T, int, State]]:
    """Each array with the width of its rows and its state."""
    for i, part in enumerate(parts):
        yield part, widths[i] if widths else 0, states[i] if states else fresh()
