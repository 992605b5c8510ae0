"""Names for the arrays that kernels take: element type and number of axes. All are C-contiguous unless it is said otherwise.

Ints1 is a vector of int64, Floats2 a matrix of float64, Singles3 float32 of three axes, and so on.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

Int: TypeAlias = int | np.int64  # a 64-bit integer: which of both it is to Python is all the same to a kernel

Ints1: TypeAlias = np.ndarray[tuple[int], np.dtype[np.int64]]
Ints2: TypeAlias = np.ndarray[tuple[int, int], np.dtype[np.int64]]
Ints3: TypeAlias = np.ndarray[tuple[int, int, int], np.dtype[np.int64]]
Shorts3: TypeAlias = np.ndarray[tuple[int, int, int], np.dtype[np.int16]]
Words1: TypeAlias = np.ndarray[tuple[int], np.dtype[np.int32]]  # 32-bit integers
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
Unsigned3: TypeAlias = np.ndarray[tuple[int, int, int], np.dtype[Any]]  # of any unsigned type: kernels are compiled for each
