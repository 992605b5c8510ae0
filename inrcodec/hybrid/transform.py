"""Samples' values ↔ the planes that are coded."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import FormatError
from .plan import PALETTE, Plan

Planes = npt.NDArray[Any]  # (planes, height, width)


def split(values: npt.NDArray[Any]) -> Planes:
    """Values (axes…, channels), two axes or more → (planes, height, width): channels slowest, then the leading axes."""
    moved = np.moveaxis(values, -1, 0)
    return moved.reshape(-1, *values.shape[-3:-1])


def join(planes: Planes, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """The inverse, for values of this shape."""
    return np.moveaxis(planes.reshape(shape[-1], *shape[:-1]), 0, -1)


def to_planes(sources: Planes, plan: Plan) -> Planes:
    """The coded planes of the signal's planes, for any transform but a lattice: uint16."""
    if plan.kind == PALETTE and plan.colours is not None:
        keys, colours = pack(sources), pack(plan.colours.T[:, :, None])[:, 0]
        order = np.argsort(colours, kind="stable")
        return order[np.searchsorted(colours[order], keys)].astype(np.uint16)[None]
    out = np.zeros((len(plan.planes), *sources.shape[1:]), np.uint16)
    for plane, target in zip(plan.planes, out, strict=True):
        if plane.table is not None:
            place = np.zeros(int(plane.table[-1]) + 1, np.uint16)
            place[plane.table] = np.arange(len(plane.table))
            target[:] = place[sources[plane.source]]
        elif plane.largest:
            target[:] = sources[plane.source] - sources.dtype.type(plane.least)
    return out


def pack(sources: Planes) -> npt.NDArray[Any]:
    """One key per place, as far as four planes of 16 bits go: (planes, height, width) → (height, width) uint64."""
    key = np.zeros(sources.shape[1:], np.uint64)
    for plane in sources:
        key = key << np.uint64(16) | plane.astype(np.uint64)
    return key


def from_planes(planes: Planes, plan: Plan) -> Planes:
    """The signal's planes (sources, height, width), uint16, of coded ones, for any transform but a lattice."""
    if plan.colours is not None:
        if int(planes.max()) >= len(plan.colours):
            raise FormatError("damaged: a colour is not in the palette")
        return np.moveaxis(plan.colours.astype(np.uint16)[planes[0]], -1, 0)
    out = np.empty((plan.sources, *planes.shape[1:]), np.uint16)
    for plane, values in zip(plan.planes, planes, strict=True):
        if plane.table is not None:
            out[plane.source] = plane.table[values]
        else:
            out[plane.source] = values + plane.least
    return out
