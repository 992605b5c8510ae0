"""A closed mesh → voxels: which centres of a cube's voxels lie inside.

A ray along z goes through each column of voxels; what lies behind an odd number of triangles is inside. Where a ray meets the triangles'
shadows in the xy plane is found in integers: vertices are rounded to even multiples of a small unit, rays are at odd ones. So no ray
meets a vertex, neighbouring triangles agree on the edge between them, and a ray through a closed mesh meets an even number of triangles,
always. Where along the ray it meets them is computed in float64.

Source: scan conversion and the parity rule, as in Nooruddin and Turk, "Simplification and Repair of Polygonal Models Using Volumetric
Techniques" (IEEE TVCG 2003).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

LARGEST = 1 << 30  # coordinate in units: products of two differences, and their difference, then fit into 64 bits
MOST_UNITS = 1 << 20  # of a voxel
CROSSINGS = 1 << 20  # pairs of a triangle and a ray that are looked at together
FACE_BYTES = 400  # that a triangle takes at most while it is converted
PAIR_BYTES = 200  # that such a pair takes


@dataclass(frozen=True)
class Grid:
    """A cube of voxels. size: along each axis; first: the centre of the first voxel, (x, y, z); pitch: from centre to centre."""

    size: int
    first: tuple[float, float, float]
    pitch: float


def grid_around(vertices: Floats, size: int) -> Grid:
    """The cube of size³ voxels around vertices, (n, 3) finite, whose longest side it spans; the middle of both is the same.

    Raises ValueError if they all lie in one place, or so far apart that no float64 holds it.
    """
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    with np.errstate(over="ignore"):
        longest = float((high - low).max())
    if not (longest > 0 and np.isfinite(longest)):
        raise ValueError("it has no extent" if longest == 0 else "it is too large")
    pitch = longest / size
    x, y, z = (low / 2 + high / 2 - pitch * (size - 1) / 2).tolist()
    return Grid(size, (x, y, z), pitch)


def units_of(size: int) -> int:
    """Units of a voxel: a power of 2, at least 2."""
    return min(MOST_UNITS, LARGEST // (1 << (size + 1).bit_length()))


def rounded(vertices: Floats, grid: Grid) -> Integers:
    """Vertices in units, even; the centre of voxel i is at i·units_of(size) + 1: (n, 3) int64."""
    units = units_of(grid.size)
    places = (vertices - np.array(grid.first)) / grid.pitch
    halves: Integers = np.rint(places * (units // 2)).astype(np.int64)
    return 2 * halves


def merged(corners: Integers, faces: Integers) -> tuple[Integers, Integers]:
    """Vertices at the same place made one, and the triangles that are left: (vertices, 3) and (faces, 3), both int64."""
    kept, index = np.unique(corners, axis=0, return_inverse=True)
    joined = index.reshape(-1)[faces]
    a, b, c = joined.T
    return kept, joined[(a != b) & (b != c) & (a != c)]


def open_edges(faces: Integers) -> int:
    """How many edges belong to an odd number of triangles: none, if the mesh is closed."""
    edges = np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    _, counts = np.unique(edges, axis=0, return_counts=True)
    return int((counts % 2).sum())


def memory(size: int, faces: int) -> int:
    """The most bytes that `voxels` takes."""
    return 2 * size**2 * (size + 1) + FACE_BYTES * faces + PAIR_BYTES * (CROSSINGS + size**2)


def voxels(corners: Integers, faces: Integers, size: int) -> npt.NDArray[np.bool_]:
    """Whether the centre of each voxel is inside: (x, y, z) bool, of this size along each axis.

    corners: (vertices, 3) int64, in units, see `rounded`; faces: (n, 3) int64. The mesh must be closed; where parts of it overlap an even
    number of times, there is a hole.
    """
    units = units_of(size)
    found = np.zeros((size, size, size + 1), np.uint8)
    first, last = _columns(corners, faces, units, size)
    counts = np.prod(np.maximum(last - first, 0), axis=1)
    faces, first, last, counts = (part[counts > 0] for part in (faces, first, last, counts))
    ends = np.cumsum(counts)
    start = 0
    while start < len(faces):
        before = int(ends[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + CROSSINGS, side="right")))
        part = slice(start, stop)
        _cross(found, corners[faces[part]], first[part], last[part], units)
        start = stop
    np.bitwise_xor.accumulate(found, axis=2, out=found)
    return found[:, :, :size].astype(np.bool_)


def _columns(corners: Integers, faces: Integers, units: int, size: int) -> tuple[Integers, Integers]:
    """The rays that lie in the bounding box of each triangle's shadow: from (inclusive) and to (exclusive), (faces, 2) each."""
    shadows = corners[faces][:, :, :2]
    first = -((1 - shadows.min(axis=1)) // units)  # the least i with i·units + 1 not below the box
    last = (shadows.max(axis=1) - 1) // units + 1
    return np.clip(first, 0, size), np.clip(last, 0, size)


def _cross(found: npt.NDArray[np.uint8], triangles: Integers, first: Integers, last: Integers, units: int) -> None:
    """Toggle, for each ray through these triangles, the first voxel that lies behind one. triangles: (n, 3 corners, 3)."""
    sizes = last - first
    counts = np.prod(sizes, axis=1)
    which = np.repeat(np.arange(len(triangles)), counts)
    within = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
    i = first[which, 0] + within // sizes[which, 1]
    j = first[which, 1] + within % sizes[which, 1]
    x, y = i * units + 1, j * units + 1
    inside = np.zeros(len(which), np.bool_)
    weights: list[Any] = []
    for a, b in ((0, 1), (1, 2), (2, 0)):
        (x0, y0), (x1, y1) = triangles[which, a, :2].T, triangles[which, b, :2].T
        area = (x1 - x0) * (y - y0) - (y1 - y0) * (x - x0)  # twice that of the edge and the ray, with its sign
        inside ^= ((y0 < y) != (y1 < y)) & ((area > 0) == (y1 > y0)) & (area != 0)
        weights.append(area)
    which, i, j, x, y = (part[inside] for part in (which, i, j, x, y))
    opposite = [w[inside].astype(np.float64) for w in (weights[1], weights[2], weights[0])]  # of corners 0, 1, 2
    z0, z1, z2 = triangles[which, :, 2].T
    whole = opposite[0] + opposite[1] + opposite[2]
    z = z0 + (opposite[1] * (z1 - z0) + opposite[2] * (z2 - z0)) / whole
    behind = np.ceil((z - 1) / units).astype(np.int64)
    np.bitwise_xor.at(found, (i, j, np.clip(behind, 0, found.shape[2] - 1)), np.uint8(1))
