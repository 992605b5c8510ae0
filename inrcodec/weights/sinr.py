"""SINR: weight vectors as sparse sums of atoms of a dictionary that both sides make from a seed.

After Jayasundara et al., "SINR: Sparsity Driven Compressed Implicit Neural Representations" (CVPR 2025): a weight vector
of length k is A·x, with A a Gaussian dictionary and x sparse: s non-zeros, 2s < k. The positions and 16-bit values of the non-zeros
are written, compressed by Brotli.

A layer with at least SMALL inputs is cut into its rows. A layer with fewer inputs is flattened, and cut into as few vectors as have at
most LONGEST elements, so that the dictionary stays small.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..compression import compress, decompress
from ..container import Reader, varint
from ..errors import FormatError
from ..kernels.dictionary import atoms

SMALL = 50  # a layer with fewer inputs is flattened
LONGEST = 2500  # elements of a vector of a flattened layer, at most
OVERCOMPLETE = 2  # atoms of the dictionary per element of a vector
LARGEST_VALUE = 32767
BLOCK = 1 << 20  # numbers of the dictionary, or of the codes, that are expanded at a time


@dataclass(frozen=True)
class Sparse:
    """A weight matrix as sparse codes.

    Attributes:
        shape: of the matrix, (outputs, inputs).
        positions: (vectors, s) atom numbers, increasing along each row, of a signed type.
        values: (vectors, s) weights of these atoms, −32768 … 32767, of a signed type.
    """

    shape: tuple[int, int]
    positions: npt.NDArray[Any]
    values: npt.NDArray[Any]

    @property
    def nonzeros(self) -> int:
        """s: non-zeros of each vector."""
        return int(self.positions.shape[1])


def vector_shape(shape: tuple[int, int]) -> tuple[int, int]:
    """(vectors, length): how many vectors a matrix of shape (outputs, inputs) is cut into, and their length."""
    outputs, inputs = shape
    if inputs >= SMALL:
        return outputs, inputs
    size = outputs * inputs
    vectors = -(-size // LONGEST)
    return vectors, -(-size // vectors)


def dictionary_size(length: int) -> int:
    """How many atoms the dictionary for vectors of this length has."""
    return OVERCOMPLETE * length


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
    size = dictionary_size(length)
    step = min(size, max(1, BLOCK // max(vectors, length)))
    for start in range(0, size, step):
        rows, columns = np.nonzero((sparse.positions >= start) & (sparse.positions < start + step))
        found = sparse.positions[rows, columns] - start
        used = np.zeros(step, np.bool_)
        used[found] = True
        codes = np.zeros((vectors, int(used.sum())))
        codes[rows, (np.cumsum(used) - 1)[found]] = sparse.values[rows, columns]
        dictionary = atoms(length, np.flatnonzero(used) + start, seed)
        out += codes @ dictionary.astype(np.float64)  # exact in any order: |sum| ≤ 2^15 · 2^5 · s
    return from_vectors(out.astype(np.int64), sparse.shape)


def write(layers: list[Sparse]) -> bytes:
    """The bytes of all sparse layers: s of each layer as a varint, then one Brotli string.

    The string holds the gaps between positions and the values of all layers, 16 bits each: first the low bytes of all gaps, then their
    high bytes, then the low and the high bytes of all values.
    """
    head = b"".join(varint(layer.nonzeros) for layer in layers)
    gaps = [np.diff(layer.positions, axis=1, prepend=-1).ravel() - 1 for layer in layers]
    values = [layer.values.ravel() for layer in layers]
    planes = []
    for numbers in (np.concatenate(gaps), np.concatenate(values)):
        little = numbers.astype("<i2").view(np.uint8)
        planes += [little[0::2].tobytes(), little[1::2].tobytes()]
    return head + compress(b"".join(planes))


def read(r: Reader, shapes: list[tuple[int, int]]) -> list[Sparse]:
    """The inverse of `write`, for layers of these shapes. Reads all that is left in `r`. Raises FormatError."""
    return decode(read_counts(r, shapes), r.rest(), shapes)


def read_counts(r: Reader, shapes: list[tuple[int, int]]) -> list[int]:
    """The first part of `read`: s of each layer. Raises FormatError."""
    return [r.varint(vector_shape(shape)[1]) for shape in shapes]


def nonzeros_of(counts: list[int], shapes: list[tuple[int, int]]) -> int:
    """How many non-zeros layers of these shapes have in all. counts: s of each."""
    return sum(vector_shape(shape)[0] * count for shape, count in zip(shapes, counts, strict=True))


def decode(counts: list[int], data: bytes, shapes: list[tuple[int, int]]) -> list[Sparse]:
    """The second part of `read`. counts: s of each layer; data: the Brotli string. Raises FormatError."""
    total = nonzeros_of(counts, shapes)
    plain = np.frombuffer(decompress(data, 4 * total, "the sparse weights"), np.uint8).reshape(4, total)
    layers, start = [], 0
    for shape, count in zip(shapes, counts, strict=True):
        vectors, length = vector_shape(shape)
        stop = start + vectors * count
        numbers = np.ascontiguousarray(plain[:, start:stop].reshape(2, 2, -1).swapaxes(1, 2)).view("<u2").reshape(2, vectors, count)
        positions = np.cumsum(numbers[0], axis=1, dtype=np.int32) + np.arange(count, dtype=np.int32)  # below 2^13 · 2^16
        if count and int(positions.max()) >= dictionary_size(length):
            raise FormatError("damaged: a sparse weight names an atom that the dictionary lacks")
        layers.append(Sparse(shape, positions, numbers[1].astype(np.uint16).view(np.int16)))
        start = stop
    return layers
