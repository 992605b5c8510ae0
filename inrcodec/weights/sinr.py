"""SINR: weight vectors as sparse sums of atoms of a dictionary that both sides make from a seed.

After Jayasundara et al., "SINR: Sparsity Driven Compressed Implicit Neural Representations" (CVPR 2025): a weight vector
of length k is A·x, with A a random dictionary and x sparse: s non-zeros, 2s < k. The positions and the quantized values of the non-zeros
are written, compressed by Brotli or by the coder of `kernels.integers`, whichever is shorter.

A layer with at least SMALL inputs is cut into its rows. A layer with fewer inputs is flattened, and cut into as few vectors as have at
most LONGEST elements, so that the dictionary stays small.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..compression import compress, decompress
from ..container import Reader, varint
from ..errors import FormatError
from ..kernels import integers
from ..kernels.dictionary import atoms

SMALL = 50  # a layer with fewer inputs is flattened
LONGEST = 2500  # elements of a vector of a flattened layer, at most
OVERCOMPLETE = (2, 4, 8)  # atoms of the dictionary per element of a vector
VALUE_BITS = (8, 16)  # bits of a value: the fewest and the most
LARGEST_GAP = 65535
BLOCK = 1 << 20  # numbers of the dictionary, or of the codes, that are expanded at a time

_SIZE, _SIGNS, _CODED = 3, 4, 8  # bits of a section's first byte


@dataclass(frozen=True)
class Form:
    """The dictionary of sparse codes, but for its seed, and how finely their values are quantized.

    Attributes:
        overcomplete: atoms per element of a vector, one of OVERCOMPLETE.
        signs: whether the entries of atoms are ±1; else they are nearly Gaussian.
        bits: of a value, 8 … 16: it is within ±(2^(bits−1) − 1).
    """

    overcomplete: int = 2
    signs: bool = False
    bits: int = 16

    def __post_init__(self) -> None:
        """Raises ValueError if a field is out of range."""
        if self.overcomplete not in OVERCOMPLETE or not VALUE_BITS[0] <= self.bits <= VALUE_BITS[1]:
            raise ValueError(f"a dictionary of {self.overcomplete} atoms per element, or values of {self.bits} bits, cannot be written")

    @property
    def largest(self) -> int:
        """The largest magnitude of a value."""
        return (1 << (self.bits - 1)) - 1


USUAL = Form()


@dataclass(frozen=True)
class Sparse:
    """A weight matrix as sparse codes.

    Attributes:
        shape: of the matrix, (outputs, inputs).
        positions: (vectors, s) atom numbers, increasing along each row, of a signed type.
        values: (vectors, s) weights of these atoms, at most `form.largest` in magnitude, of a signed type.
        form: of the dictionary and of the values.
    """

    shape: tuple[int, int]
    positions: npt.NDArray[Any]
    values: npt.NDArray[Any]
    form: Form = USUAL

    @property
    def nonzeros(self) -> int:
        """s: non-zeros of each vector."""
        return int(self.positions.shape[1])


@dataclass(frozen=True)
class Counts:
    """The beginning of a sparse section.

    Attributes:
        form: of all its layers.
        coded: whether the codes are coded integers (`kernels.integers`); else they are a Brotli stream.
        nonzeros: s of each layer.
    """

    form: Form = USUAL
    coded: bool = False
    nonzeros: Sequence[int] = ()


def vector_shape(shape: tuple[int, int]) -> tuple[int, int]:
    """(vectors, length): how many vectors a matrix of shape (outputs, inputs) is cut into, and their length."""
    outputs, inputs = shape
    if inputs >= SMALL:
        return outputs, inputs
    size = outputs * inputs
    vectors = -(-size // LONGEST)
    return vectors, -(-size // vectors)


def dictionary_size(length: int, form: Form = USUAL) -> int:
    """How many atoms the dictionary for vectors of this length has."""
    return form.overcomplete * length


def to_vectors(matrix: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A matrix (outputs, inputs) → its vectors (vectors, length); the last vector is padded with zeros."""
    outputs, inputs = matrix.shape
    vectors, length = vector_shape((outputs, inputs))
    flat = np.zeros(vectors * length, matrix.dtype)
    flat[: matrix.size] = matrix.ravel()
    return flat.reshape(vectors, length)


def from_vectors(vectors: npt.NDArray[Any], shape: tuple[int, int]) -> npt.NDArray[Any]:
    """The inverse of `to_vectors`; shape: of the matrix."""
    return vectors.ravel()[: shape[0] * shape[1]].reshape(shape)


def expand(sparse: Sparse, seed: int) -> npt.NDArray[np.int64]:
    """The integer weight matrix A·x, (outputs, inputs) int64, with the dictionary of this seed.

    It takes vectors × atoms that are used × length multiplications, as a product of matrices: at most what the layer takes for
    `dictionary_size(length)` places.
    """
    vectors, length = vector_shape(sparse.shape)
    out = np.zeros((vectors, length))
    size = dictionary_size(length, sparse.form)
    step = min(size, max(1, BLOCK // max(vectors, length)))
    for start in range(0, size, step):
        rows, columns = np.nonzero((sparse.positions >= start) & (sparse.positions < start + step))
        found = sparse.positions[rows, columns] - start
        used = np.zeros(step, np.bool_)
        used[found] = True
        codes = np.zeros((vectors, int(used.sum())))
        codes[rows, (np.cumsum(used) - 1)[found]] = sparse.values[rows, columns]
        dictionary = atoms(length, np.flatnonzero(used) + start, seed, sparse.form.signs)
        out += codes @ dictionary.astype(np.float64)  # exact in any order: |sum| ≤ 2^15 · 2^5 · s
    return from_vectors(out.astype(np.int64), sparse.shape)


def write(layers: list[Sparse]) -> bytes:
    """The bytes of all sparse layers: their form, s of each layer as a varint, then the gaps between positions and the values.

    SPEC.md, section 7, defines them. No layers take no bytes. Raises ValueError if the layers differ in form, or if a value is too large.
    """
    if not layers:
        return b""
    form = layers[0].form
    if any(layer.form != form for layer in layers):
        raise ValueError("sparse layers of one network have one form")
    gaps, values = gaps_and_values(layers)
    if len(values) and int(np.abs(values).max()) > form.largest:
        raise ValueError(f"a sparse value has more than {form.bits} bits")
    short = brotli_codes(gaps, values, form)
    coded = integer_codes(gaps, values)
    flags = OVERCOMPLETE.index(form.overcomplete) | (_SIGNS if form.signs else 0) | (_CODED if len(coded) < len(short) else 0)
    counts = b"".join(varint(layer.nonzeros) for layer in layers)
    return bytes([flags, form.bits]) + counts + min(short, coded, key=len)


def gaps_and_values(layers: Sequence[Sparse]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """What is written of all layers: gaps between positions, and values, (non-zeros,) each."""
    gaps = [np.diff(layer.positions, axis=1, prepend=-1).ravel() - 1 for layer in layers]
    return np.concatenate(gaps).astype(np.int64), np.concatenate([layer.values.ravel() for layer in layers]).astype(np.int64)


def brotli_codes(gaps: npt.NDArray[np.int64], values: npt.NDArray[np.int64], form: Form) -> bytes:
    """Gaps and values, (n,) each, as a Brotli stream of 4 bytes per non-zero.

    First the low bytes of all gaps, then their high bytes, then the low and the high bytes of all values, which are counted from
    −2^(bits−1), so that few high bytes occur.
    """
    planes = []
    for numbers in (gaps, values + form.largest + 1):
        little = numbers.astype("<u2").view(np.uint8)
        planes += [little[0::2].tobytes(), little[1::2].tobytes()]
    return compress(b"".join(planes))


def integer_codes(gaps: npt.NDArray[np.int64], values: npt.NDArray[np.int64]) -> bytes:
    """Gaps and values, (n,) each, as coded integers. The signs, which gaps do not need, stand for their lowest bits."""
    return integers.encode([np.where(gaps % 2 == 0, gaps // 2, -(gaps + 1) // 2), values])


def read(r: Reader, shapes: list[tuple[int, int]]) -> list[Sparse]:
    """The inverse of `write`, for layers of these shapes. Reads all that is left in `r`. Raises FormatError."""
    counts = read_counts(r, shapes)
    return decode(counts, r.rest(), shapes)


def read_counts(r: Reader, shapes: list[tuple[int, int]]) -> Counts:
    """The first part of `read`: all but the codes. Reads nothing if there are no shapes. Raises FormatError."""
    if not shapes:
        return Counts()
    flags, bits = r.byte(), r.byte()
    size = flags & _SIZE
    if flags > _SIZE | _SIGNS | _CODED or size >= len(OVERCOMPLETE) or not VALUE_BITS[0] <= bits <= VALUE_BITS[1]:
        raise FormatError("damaged: the form of the sparse weights is out of range")
    form = Form(OVERCOMPLETE[size], bool(flags & _SIGNS), bits)
    return Counts(form, bool(flags & _CODED), [r.varint(vector_shape(shape)[1]) for shape in shapes])


def nonzeros_of(counts: Counts, shapes: list[tuple[int, int]]) -> int:
    """How many non-zeros layers of these shapes have in all."""
    return sum(vector_shape(shape)[0] * count for shape, count in zip(shapes, counts.nonzeros, strict=True))


def memory(counts: Counts, shapes: list[tuple[int, int]]) -> int:
    """The most bytes that `decode` takes at once for layers of these shapes, its result included, or `expand` beside that result."""
    # per non-zero: coded integers are three arrays of 8 bytes at once, the stream is twice there
    return (28 if counts.coded else 12) * nonzeros_of(counts, shapes) + (48 * BLOCK if shapes else 0)


def decode(counts: Counts, data: bytes, shapes: list[tuple[int, int]]) -> list[Sparse]:
    """The second part of `read`. counts: what its first part gave; data: the codes. Raises FormatError."""
    total, form = nonzeros_of(counts, shapes), counts.form
    all_gaps, all_values = _coded_numbers(data, total, form) if counts.coded else _brotli_numbers(data, total, form)
    layers, start = [], 0
    for shape, count in zip(shapes, counts.nonzeros, strict=True):
        vectors, length = vector_shape(shape)
        stop = start + vectors * count
        positions = np.cumsum(all_gaps[start:stop].reshape(vectors, count), axis=1, dtype=np.int32)  # below 2^13 · 2^16
        positions += np.arange(count, dtype=np.int32)
        if count and int(positions.max()) >= dictionary_size(length, form):
            raise FormatError("damaged: a sparse weight names an atom that the dictionary lacks")
        layers.append(Sparse(shape, positions, all_values[start:stop].reshape(vectors, count).astype(np.int16), form))
        start = stop
    return layers


def _brotli_numbers(data: bytes, total: int, form: Form) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Gaps and values, (total,) each, from a Brotli stream. Raises FormatError."""
    plain = np.frombuffer(decompress(data, 4 * total, "the stream of sparse weights"), np.uint8).reshape(2, 2, total)
    gaps, values = (np.ascontiguousarray(planes.T).view("<u2")[:, 0] for planes in plain)
    if total and not 1 <= int(values.min()) <= int(values.max()) <= 2 * form.largest + 1:
        raise FormatError("damaged: a sparse weight is out of range")
    return gaps, (values - np.uint16(form.largest + 1)).view(np.int16)


def _coded_numbers(data: bytes, total: int, form: Form) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Gaps and values, (total,) each, from coded integers. Raises FormatError."""
    gaps, values = integers.decode(data, [total, total])
    half = LARGEST_GAP // 2
    if total and not -half - 1 <= int(gaps.min()) <= int(gaps.max()) <= half:
        raise FormatError("damaged: a sparse weight names an atom that the dictionary lacks")
    if total and not -form.largest <= int(values.min()) <= int(values.max()) <= form.largest:
        raise FormatError("damaged: a sparse weight is out of range")
    signs = gaps >> 63
    gaps <<= 1
    gaps ^= signs
    return gaps, values
