"""Signals in three dimensions for the studies: signed distances and occupancy of a made shape, and of a closed mesh."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt

from ..common import Samples

Floats = npt.NDArray[np.float64]
MARGIN = 0.08  # left free around a mesh, as a share of its longest side
OFFSETS = (1.2345e-7, 2.3456e-7)  # added to places, so that no ray meets an edge of a mesh


def centres(side: int) -> Floats:
    """The middles of `side` voxels along an axis of −1 … 1, (side,)."""
    return (2 * np.arange(side) + 1) / side - 1


def made(side: int) -> Floats:
    """Signed distances to the union of a sphere and a box, (side, side, side), negative inside, in an axis of −1 … 1."""
    z, y, x = np.meshgrid(*[centres(side)] * 3, indexing="ij")
    sphere = np.sqrt((x + 0.25) ** 2 + (y + 0.2) ** 2 + (z + 0.1) ** 2) - 0.5
    away = np.stack([np.abs(x - 0.3) - 0.45, np.abs(y - 0.25) - 0.3, np.abs(z - 0.15) - 0.55])
    box = np.sqrt((np.maximum(away, 0) ** 2).sum(0)) + np.minimum(away.max(0), 0)
    return np.asarray(np.minimum(sphere, box), np.float64)


def quantized(distances: Floats, bits: int) -> Samples:
    """Distances as uint16 below 2^bits; the largest magnitude becomes 0 or 2^bits − 1."""
    scaled = distances / np.abs(distances).max()
    return np.asarray(np.rint((scaled + 1) / 2 * (2**bits - 1)), np.uint16)


def mesh(path: Path) -> tuple[Floats, npt.NDArray[np.int64]]:
    """(vertices (n, 3), triangles (m, 3)) of a Wavefront OBJ file of triangles."""
    vertices, triangles = [], []
    for line in path.read_text().splitlines():
        parts = line.split()
        if parts[:1] == ["v"]:
            vertices.append([float(p) for p in parts[1:4]])
        elif parts[:1] == ["f"]:
            triangles.append([int(p.split("/")[0]) - 1 for p in parts[1:4]])
    return np.array(vertices), np.array(triangles, np.int64)


def voxels(vertices: Floats, triangles: npt.NDArray[np.int64], side: int) -> npt.NDArray[np.bool_]:
    """Which middles of voxels lie inside a closed mesh, (side, side, side) bool, by x, y, z.

    A middle is inside if a ray from it along z meets the mesh an odd number of times.
    """
    low, high = vertices.min(0), vertices.max(0)
    scale = 2 * (1 - MARGIN) / (high - low).max()
    corners = ((vertices - (low + high) / 2) * scale)[triangles]  # (m, 3 corners, 3 axes)
    places = centres(side)
    inside = np.zeros((side, side, side), np.bool_)
    for j, y in enumerate(places + OFFSETS[1]):
        near = corners[(corners[:, :, 1].min(1) < y) & (corners[:, :, 1].max(1) > y)]
        for i, x in enumerate(places + OFFSETS[0]):
            inside[i, j] = _below(near[(near[:, :, 0].min(1) < x) & (near[:, :, 0].max(1) > x)], x, y, places)
    return inside


def _below(corners: Floats, x: float, y: float, places: Floats) -> npt.NDArray[np.bool_]:
    """Whether an odd number of triangles lie below each place of the line along z through x, y. corners: (m, 3, 3)."""
    a, b, c = (corners[:, i] for i in range(3))

    def side_of(p: Floats, q: Floats) -> Floats:
        return np.asarray((q[:, 0] - p[:, 0]) * (y - p[:, 1]) - (q[:, 1] - p[:, 1]) * (x - p[:, 0]))

    shares = np.stack([side_of(b, c), side_of(c, a), side_of(a, b)])
    met = (shares > 0).all(0) | (shares < 0).all(0)
    heights = (shares * corners[:, :, 2].T)[:, met].sum(0) / shares[:, met].sum(0)
    counted: Any = np.searchsorted(np.sort(heights), places)
    return np.asarray(counted % 2 == 1)


def distances_of(inside: npt.NDArray[np.bool_]) -> Floats:
    """Signed distances of voxels to the nearest one of the other kind, negative inside, in voxels."""
    return np.asarray(distance_transform_edt(~inside) - distance_transform_edt(inside), np.float64)
