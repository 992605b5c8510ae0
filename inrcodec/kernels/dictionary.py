"""The dictionary of the weight coding SINR: nearly Gaussian atoms, or atoms of ±1, from a seed, in exact integers.

A Gaussian entry is the number of ones in a 64-bit hash of its index, minus 32. It has a binomial distribution with mean 0 and standard
deviation 4, which is nearly Gaussian. An entry of ±1 is made of the lowest bit of the same hash. The hash is SplitMix64 (Steele, Lea and
Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014), used as a counter-based generator.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

GOLDEN = 0x9E3779B97F4A7C15
LARGEST = 32
DEVIATION = 4  # standard deviation of a Gaussian entry


def hash64(index: npt.NDArray[np.uint64], seed: int) -> npt.NDArray[np.uint64]:
    """Output number index + 1 of SplitMix64 that starts at state `seed`, 0 … 2^64 − 1; element by element, uint64."""
    with np.errstate(over="ignore"):
        z = (index + np.uint64(1)) * np.uint64(GOLDEN) + np.uint64(seed)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def deviation(signs: bool) -> int:
    """The standard deviation of an entry: of ±1, or nearly Gaussian."""
    return 1 if signs else DEVIATION


def atoms(length: int, columns: npt.NDArray[np.int64], seed: int, signs: bool = False) -> npt.NDArray[np.int8]:
    """The atoms with numbers `columns`: (len(columns), length) int8. Entry i of atom j is made of the hash of index j·2^32 + i.

    signs: whether entries are ±1: 1 where the hash is odd, −1 where it is even; else they are nearly Gaussian, −32 … 32.
    """
    index = np.asarray((columns.astype(np.uint64)[:, None] << np.uint64(32)) + np.arange(length, dtype=np.uint64), np.uint64)
    found = hash64(index, seed)
    if signs:
        return 2 * (found & np.uint64(1)).astype(np.int8) - 1
    return (np.bitwise_count(found).astype(np.int16) - LARGEST).astype(np.int8)
