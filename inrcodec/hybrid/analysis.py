"""What the encoder chooses: transform, planes, references, scan and model."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..options import Options
from . import lattice, priors, transform
from .plan import LATTICE, MAX_COLOURS, PALETTE, PLANES, Model, Plan, Plane
from .transform import Planes

LARGEST_PALETTE = 256
FLAT_SHARE = 0.4  # of places with flat surroundings, from which a picture counts as drawn rather than photographed
INTERPOLATED = 0.6  # of the gradient that must go when the places between are interpolated


def choose(sources: Planes, bits: int, options: Options) -> tuple[Plan, Planes]:
    """The plan, and the planes it codes, (planes, height, width) uint16."""
    found = palette(sources)
    ramp = found is not None and bool((np.diff(found, axis=0) >= 0).all())  # grey in colour: a photograph may be so
    drawn = (found is not None and not ramp) or flatness(sources) > FLAT_SHARE
    model = model_of(options.effort, drawn)
    if found is not None:
        plan = Plan(PALETTE, len(sources), (Plane(0, len(found) - 1),), model, colours=found)
        return plan, transform.to_planes(sources, plan)
    if len(sources) == 3 and bits <= 8 and not drawn and options.effort > 0:
        lattice_found = lattice.find(np.ascontiguousarray(np.moveaxis(sources, 0, -1)))
        if lattice_found is not None:
            labels = lattice_found[1]
            largest = [int(p.max()) for p in labels]
            planes = []
            for i, p in enumerate(labels):
                references = tuple(j for j in range(i) if largest[j])
                planes.append(Plane(0, largest[i], references[-2:], i > 0 and is_interpolated(p)))
            return Plan(LATTICE, 3, tuple(planes), model, lattice_found[0]), labels.astype(np.uint16)
    plan = Plan(PLANES, len(sources), tuple(order(sources, drawn)), model)
    return plan, transform.to_planes(sources, plan)


def model_of(effort: int, drawn: bool) -> Model:
    """The model for an effort, 1 to 9."""
    if drawn:
        return Model(0, 0, 0, False, "graphics", 16)
    units = 0 if effort < 3 else 32
    return Model(2 if effort > 1 else 1, units, 33, True, "none" if effort < 5 else "photo", 14, priors.current(units) if units else b"")


def palette(sources: Planes) -> npt.NDArray[np.int64] | None:
    """(colours, planes) of a picture with few colours, by brightness; None if they are many."""
    if not 2 <= len(sources) <= 4:
        return None
    sample = np.unique(transform.pack(sources[:, :: max(1, sources.shape[1] // 64)]))
    if len(sample) > LARGEST_PALETTE:
        return None
    keys = np.unique(transform.pack(sources))
    if len(keys) > LARGEST_PALETTE or len(keys) >= sources[0].size:
        return None
    shifts = np.arange(len(sources) - 1, -1, -1, dtype=np.uint64) * np.uint64(16)
    colours = ((keys[:, None] >> shifts) & np.uint64(0xFFFF)).astype(np.int64)
    return colours[np.argsort(colours.sum(1), kind="stable")]


def flatness(sources: Planes) -> float:
    """Share of places whose left, upper and diagonal neighbours are all alike in every plane."""
    if min(sources.shape[1:]) < 3:
        return 0.0
    flat: Any = True
    for p in sources[:4]:
        flat = flat & (p[1:, :-1] == p[:-1, :-1]) & (p[:-1, 1:] == p[:-1, :-1])
    return float(np.mean(flat))


def is_interpolated(plane: npt.NDArray[Any]) -> bool:
    """Whether the places between those of even row and column lie near the mean of their neighbours."""
    if min(plane.shape) < 8:
        return False
    p = plane[: plane.shape[0] // 2 * 2, : plane.shape[1] // 2 * 2].astype(np.int32)
    even, odd = p[::2, ::2], p[::2, 1::2]
    off = np.abs(2 * odd[:, :-1] - even[:, :-1] - even[:, 1:])
    across = np.abs(even[:, 1:] - even[:, :-1])
    return bool((off <= 1).mean() > 0.5 and off.mean() < (1 - INTERPOLATED) * 2 * across.mean() + 0.7)


def order(sources: Planes, drawn: bool) -> list[Plane]:
    """The planes in coded order with their references."""
    count = len(sources)
    first = {2: [1, 0], 3: [1, 0, 2], 4: [3, 1, 0, 2]}.get(count, list(range(count)))
    if count == 4 and not drawn:
        first = [1, 0, 2, 3]
    planes: list[Plane] = []
    for source in first:
        values = sources[source]
        least, most = int(values.min()), int(values.max())
        live = [i for i, p in enumerate(planes) if p.largest]
        references = tuple(live[:-4:-1]) if drawn else tuple(live[-2:])
        table = None
        if most - least > 255 or drawn:
            used = np.flatnonzero(np.bincount(values.ravel(), minlength=most + 1))
            if len(used) * 2 <= most - least + 1 and len(used) > 1:
                table = used.astype(np.int64)
        if table is not None:
            planes.append(Plane(source, len(table) - 1, references, False, 0, table))
        else:
            planes.append(Plane(source, most - least, references, False, least))
    return planes
