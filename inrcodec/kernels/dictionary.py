"""The SINR dictionary: Gaussian atoms from a seed, in exact integers, the same on every machine for ever.

An entry is the number of ones in a 64-bit hash of its index, less 32: binomial(64, 1/2) − 32, which is Gaussian with
mean 0 and standard deviation 4 by the central limit theorem. The hash is the output function of SplitMix64 (Steele, Lea
and Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014), counter-based.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

GOLDEN = 0x9E3779B97F4A7C15
LARGEST = 32
DEVIATION = 4


def hash64(index: npt.NDArray[np.uint64], seed: int) -> npt.NDArray[np.uint64]:
    """SplitMix64's output number index + 1 from the state `seed` (0 … 2^64 − 1)."""
    with np.errstate(over="ignore"):
        z = (index + np.uint64(1)) * np.uint64(GOLDEN) + np.uint64(seed)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def atoms(length: int, columns: npt.NDArray[np.int64], seed: int) -> npt.NDArray[np.int8]:
    """The named columns of the dictionary: shape (len(columns), length). Entry i of column j hashes index j·2^32 + i."""
    index = np.asarray((columns.astype(np.uint64)[:, None] << np.uint64(32)) + np.arange(length, dtype=np.uint64), np.uint64)
    return (np.bitwise_count(hash64(index, seed)).astype(np.int16) - LARGEST).astype(np.int8)
