"""SINR: weight vectors as sparse combinations of dictionary atoms that are never transmitted.

After Jayasundara et al., "SINR: Sparsity Driven Compressed Implicit Neural Representations" (CVPR 2025): a weight vector
of length k is A·x with A a Gaussian dictionary and x sparse, s non-zeros, 2s < k. What is written is the positions and
16-bit values of the non-zeros, through Brotli.

A layer of at least 50 inputs is coded row by row. A smaller one is coded flat, as one vector, or as several of at most
2,500 where that would ask for a very large dictionary.
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

SMALL = 50  # inputs of a layer below which it is coded flat
LONGEST = 2500  # of a flat vector
OVERCOMPLETE = 2  # atoms of the dictionary per element of a vector
LARGEST_VALUE = 32767


@dataclass(frozen=True)
class Sparse:
    """A weight matrix as sparse codes.

    Attributes:
        shape: of the matrix, (outputs, inputs).
        positions: (vectors, s) atom numbers, increasing along each row.
        values: (vectors, s) of −32767 … 32767.
    """

    shape: tuple[int, int]
    positions: npt.NDArray[np.int64]
    values: npt.NDArray[np.int64]

    @property
    def nonzeros(self) -> int:
        return int(self.positions.shape[1])


def vector_shape(shape: tuple[int, int]) -> tuple[int, int]:
    """(vectors, length) into which a matrix of this shape is cut; the last vector is padded with zeros."""
    outputs, inputs = shape
    if inputs >= SMALL:
        return outputs, inputs
    size = outputs * inputs
    vectors = -(-size // LONGEST)
    return vectors, -(-size // vectors)


def dictionary_size(length: int) -> int:
    """Atoms for vectors of this length."""
    return OVERCOMPLETE * length


def to_vectors(matrix: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The vectors of a matrix, (vectors, length)."""
    outputs, inputs = matrix.shape
    vectors, length = vector_shape((outputs, inputs))
    flat = np.zeros(vectors * length, matrix.dtype)
    flat[: matrix.size] = matrix.ravel()
    return flat.reshape(vectors, length)


def from_vectors(vectors: npt.NDArray[Any], shape: tuple[int, int]) -> npt.NDArray[Any]:
    """The matrix of these vectors."""
    return vectors.ravel()[: shape[0] * shape[1]].reshape(shape)


def expand(sparse: Sparse, seed: int) -> npt.NDArray[np.int64]:
    """The integer weight matrix A·x, from the dictionary with this seed."""
    vectors, length = vector_shape(sparse.shape)
    used, place = np.unique(sparse.positions, return_inverse=True)
    dictionary = atoms(length, used, seed).astype(np.float64)
    out = np.zeros((vectors, length), np.int64)
    for i, (columns, values) in enumerate(zip(place.reshape(sparse.positions.shape), sparse.values, strict=True)):
        out[i] = values.astype(np.float64) @ dictionary[columns]  # exact: |sum| < 2^15 · 2^5 · s
    return from_vectors(out, sparse.shape)


def write(layers: list[Sparse]) -> bytes:
    """All sparse layers of a network: the non-zeros of each, then gaps and values in byte planes through Brotli."""
    head = b"".join(varint(layer.nonzeros) for layer in layers)
    gaps = [np.diff(layer.positions, axis=1, prepend=-1).ravel() - 1 for layer in layers]
    values = [layer.values.ravel() for layer in layers]
    planes = []
    for numbers in (np.concatenate(gaps), np.concatenate(values)):
        little = numbers.astype("<i2").view(np.uint8)
        planes += [little[0::2].tobytes(), little[1::2].tobytes()]
    return head + compress(b"".join(planes))


def read(r: Reader, shapes: list[tuple[int, int]]) -> list[Sparse]:
    """The layers that `write` was given; takes all that is left in `r`."""
    counts, sizes = [], []
    for shape in shapes:
        vectors, length = vector_shape(shape)
        counts.append(r.varint(length))
        sizes.append(vectors * counts[-1])
    total = sum(sizes)
    plain = np.frombuffer(decompress(r.rest(), 4 * total, "the sparse weights"), np.uint8).reshape(4, total)
    gaps = (plain[0].astype(np.int64) | plain[1].astype(np.int64) << 8).astype(np.int64)
    values = (plain[2].astype(np.int64) | plain[3].astype(np.int64) << 8).astype(np.uint16).view(np.int16).astype(np.int64)
    layers, start = [], 0
    for shape, count, size in zip(shapes, counts, sizes, strict=True):
        vectors, length = vector_shape(shape)
        positions = np.cumsum(gaps[start : start + size].reshape(vectors, count) + 1, axis=1) - 1
        if count and int(positions.max()) >= dictionary_size(length):
            raise FormatError("damaged: a sparse weight names an atom that the dictionary lacks")
        layers.append(Sparse(shape, positions, values[start : start + size].reshape(vectors, count)))
        start += size
    return layers
