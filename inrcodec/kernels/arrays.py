"""Names for the types of arrays that kernels take: the dtype, and the number of axes. All arrays are C-contiguous unless said otherwise.

    Ints     int64       Singles  float32      Cells     uint32
    Words    int32       Floats   float64      Bytes     uint8
    Shorts   int16                             Unsigned  any unsigned type

For example, Floats2 is a float64 matrix.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

Int: TypeAlias = int | np.int64  # to a kernel both are 64-bit integers

Ints1: TypeAlias = np.ndarray[tuple[int], np.dtype[np.int64]]
Ints2: TypeAlias = np.ndarray[tuple[int, int], np.dtype[np.int64]]
Ints3: TypeAlias = np.ndarray[tuple[int, int, int], np.dtype[np.int64]]
Shorts1: TypeAlias = np.ndarray[tuple[int], np.dtype[np.int16]]
Shorts3: TypeAlias = np.ndarray[tuple[int, int, int], np.dtype[np.int16]]
Words1: TypeAlias = np.ndarray[tuple[int], np.dtype[np.int32]]
Words2: TypeAlias = np.ndarray[tuple[int, int], np.dtype[np.int32]]
Words3: TypeAlias = np.ndarray[tuple[int, int, int], np.dtype[np.int32]]
Cells1: TypeAlias = np.ndarray[tuple[int], np.dtype[np.uint32]]
Cells2: TypeAlias = np.ndarray[tuple[int, int], np.dtype[np.uint32]]
Bytes1: TypeAlias = np.ndarray[tuple[int], np.dtype[np.uint8]]
Bytes2: TypeAlias = np.ndarray[tuple[int, int], np.dtype[np.uint8]]
Singles1: TypeAlias = np.ndarray[tuple[int], np.dtype[np.float32]]
Singles2: TypeAlias = np.ndarray[tuple[int, int], np.dtype[np.float32]]
Singles3: TypeAlias = np.ndarray[tuple[int, int, int], np.dtype[np.float32]]
Singles4: TypeAlias = np.ndarray[tuple[int, int, int, int], np.dtype[np.float32]]
Floats1: TypeAlias = np.ndarray[tuple[int], np.dtype[np.float64]]
Floats2: TypeAlias = np.ndarray[tuple[int, int], np.dtype[np.float64]]
Floats3: TypeAlias = np.ndarray[tuple[int, int, int], np.dtype[np.float64]]
Floats4: TypeAlias = np.ndarray[tuple[int, int, int, int], np.dtype[np.float64]]
Unsigned3: TypeAlias = np.ndarray[tuple[int, int, int], np.dtype[Any]]  # a kernel is compiled for each type that occurs
