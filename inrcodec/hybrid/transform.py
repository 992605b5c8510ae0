"""Samples' values ↔ the planes that are coded."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import FormatError
from .plan import Plan, Source

Planes = npt.NDArray[Any]  # (planes, height, width)
Choice = tuple[Plan, Planes, Planes]  # a plan, the planes it codes, uint16, and the indices of the signal's planes


def split(values: npt.NDArray[Any]) -> Planes:
    """Values (axes…, channels), two axes or more → (planes, height, width): channels slowest, then the leading axes."""
    moved = np.moveaxis(values, -1, 0)
    return moved.reshape(-1, *values.shape[-3:-1])


def join(planes: Planes, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """The inverse, for values of this shape."""
    return np.moveaxis(planes.reshape(shape[-1], *shape[:-1]), 0, -1)


def to_indices(planes: Planes, sources: tuple[Source, ...]) -> Planes:
    """What the transform sees of the signal's planes: uint16."""
    out = np.empty(planes.shape, np.uint16)
    for source, values, target in zip(sources, planes, out, strict=True):
        if source.table is not None:
            place = np.zeros(int(source.table[-1]) + 1, np.uint16)
            place[source.table] = np.arange(len(source.table))
            target[:] = place[values]
        else:
            target[:] = values - values.dtype.type(source.least)
    return out


def from_indices(planes: Planes, sources: tuple[Source, ...]) -> Planes:
    """The inverse. Raises FormatError if an index is out of range."""
    out = np.empty(planes.shape, np.uint16)
    for source, values, target in zip(sources, planes, out, strict=True):
        if int(values.max()) > source.largest:
            raise FormatError("damaged: a value of a tile is out of range")
        target[:] = source.table[values] if source.table is not None else values + source.least
    return out


def pack(planes: Planes) -> npt.NDArray[Any]:
    """One key per place of at most four planes of 16 bits: (planes, height, width) → (height, width) uint64."""
    key = np.zeros(planes.shape[1:], np.uint64)
    for plane in planes:
        key = key << np.uint64(16) | plane.astype(np.uint64)
    return key


def to_palette(indices: Planes, colours: npt.NDArray[np.int64]) -> Planes:
    """The plane of the colours' numbers, (1, height, width) uint16."""
    keys, known = pack(indices), pack(colours.T[:, :, None])[:, 0]
    order = np.argsort(known, kind="stable")
    return order[np.searchsorted(known[order], keys)].astype(np.uint16)[None]


def from_planes(planes: Planes, image: Planes | None, plan: Plan) -> Planes:
    """The signal's planes, (sources, height, width) uint16.

    planes: as coded; image: (3, height, width), what a lattice's labels stand for.
    """
    if plan.colours is not None:
        return from_indices(np.moveaxis(plan.colours[planes[0]], -1, 0), plan.sources)
    indices = np.empty((len(plan.sources), *planes.shape[1:]), np.int32)
    for i, plane in enumerate(plan.planes):
        indices[plane.source] = planes[i] if image is None or i >= 3 else image[i]
    return from_indices(indices, plan.sources)
