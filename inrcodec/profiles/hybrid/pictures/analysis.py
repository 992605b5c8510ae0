"""What the encoder chooses: transform, planes, references, scan and model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ....options import Options
from ....values import bits_saved_by_gaps
from ..priors import shipped
from . import lattice, sources
from .plan import PictureModel, PicturePlan, Plane
from .sources import Planes, Source, table_size
from .transforms import Direct, Palette

LARGEST_PALETTE = 256
SMALL = 1 << 16  # samples: below, several choices are tried
FLAT_SHARE = 0.4  # of places with flat surroundings, from which a picture counts as drawn rather than photographed
INTERPOLATED = 0.6  # of the gradient that must go when the places between are interpolated


@dataclass(frozen=True)
class Choice:
    """A plan, the planes it codes, uint16, and the indices of the signal's planes: all (planes, height, width)."""

    plan: PicturePlan
    planes: Planes
    indices: Planes


def choices(planes: Planes, bits: int, options: Options) -> Iterator[Choice]:
    """What is worth trying: the likeliest first, and no more than that of a picture that is not small."""
    found = palette(planes)
    ramp = found is not None and bool((np.diff(found, axis=0) >= 0).all())  # grey in colour: a photograph may be so
    coloured = found is not None and not ramp
    drawn = coloured or flatness(planes) > FLAT_SHARE
    yield choose(planes, found, drawn, coloured, options)
    if planes.size > SMALL:
        return
    if found is not None:
        yield choose(planes, None, drawn, False, options)
    yield choose(planes, None, not drawn, False, options)
    if options.effort > 3:
        yield choose(planes, None, False, False, replace(options, effort=3))


def choose(planes: Planes, found: npt.NDArray[np.int64] | None, drawn: bool, coloured: bool, options: Options) -> Choice:
    """Palette if one is given, else lattice if there is one, else the planes in order.

    drawn, coloured: see `model_of`.
    """
    model = model_of(options.effort, drawn, coloured)
    known = tuple(source_of(p, drawn) for p in planes)
    indices = sources.to_indices(planes, known)
    if found is not None:
        colours = sources.to_indices(found.T[:, None].astype(planes.dtype), known)[:, 0].T.astype(np.int64)
        palette = Palette(colours)
        return Choice(PicturePlan(palette, known, (Plane(0, len(found) - 1),), model), palette.numbers(indices), indices)
    if 3 <= len(known) <= 4 and max(s.largest for s in known[:3]) <= 255 and not drawn:
        at = lattice.find(indices[:3], options.workers)
        if at is not None:
            coded = np.concatenate([at[1], indices[3:]]) if len(indices) > 3 else at[1]
            return Choice(PicturePlan(at[0], known, tuple(labelled(coded)), model), coded, indices)
    ordered = order(known, drawn)
    return Choice(PicturePlan(Direct(), known, tuple(ordered), model), indices[[p.source for p in ordered]], indices)


def labelled(coded: Planes) -> list[Plane]:
    """The planes of a lattice, (planes, height, width): three of labels, perhaps alpha."""
    largest = [int(p.max()) for p in coded]
    planes = []
    for i, p in enumerate(coded):
        live = [j for j in range(i) if largest[j]]
        references = live[-2:] if i < 3 else live[:1]
        planes.append(Plane(i, largest[i], tuple(references), 0 < i < 3 and is_interpolated(p)))
    return planes


def source_of(plane: npt.NDArray[Any], drawn: bool) -> Source:
    """Offset; or a table where at most half of the values in its range occur, and too many places share them for that to be chance."""
    least, most = int(plane.min()), int(plane.max())
    counts = np.bincount(plane.ravel(), minlength=most + 1)
    used = np.flatnonzero(counts)
    plain = Source(most - least, least)
    if not 1 < len(used) <= (most - least + 1) // 2 or not (most > 255 or drawn or len(used) <= 16):
        return plain
    table = Source(len(used) - 1, 0, used.astype(np.int64))
    return table if bits_saved_by_gaps(used - least, counts[used]) > 8 * table_size(table) else plain


# by effort, 1 to 9
LEAST_SQUARES = (1, 2, 2, 2, 2, 2, 2, 2, 2)
UNITS = (0, 0, 16, 16, 32, 32, 64, 64, 64)
CONTEXTS = ("none", "none", "none", "photo", "photo", "graphics", "graphics", "graphics", "graphics")
LEARNING = 20
DRAWN_LINES = 16  # log2 of the lines of each context, in drawings


def model_of(effort: int, drawn: bool, coloured: bool) -> PictureModel:
    """The model for an effort.

    drawn: flat areas, lines and text; coloured: the plane holds colours' numbers, which no predictor can add.
    """
    e = effort - 1
    if coloured or (drawn and effort <= 2):
        return PictureModel(0, 0, 0, False, "few" if effort <= 2 else "graphics", DRAWN_LINES)
    contexts = ("few" if effort <= 2 else "graphics") if drawn else CONTEXTS[e]
    units = UNITS[e]
    return PictureModel(
        LEAST_SQUARES[e],
        units,
        LEARNING if units else 0,
        units > 0,
        contexts,
        DRAWN_LINES if drawn else 14,
        shipped.current(units) if units else b"",
    )


def tile_places(plan: PicturePlan) -> int:
    """Places of a tile: more in drawings, where flat areas are fast and what was learnt is worth keeping."""
    return 1 << 22 if plan.model.lines == DRAWN_LINES else 1 << 20


def palette(planes: Planes) -> npt.NDArray[np.int64] | None:
    """(colours, planes) of a picture with few colours, by brightness; None if they are many."""
    if not 2 <= len(planes) <= 4:
        return None
    sample = np.unique(sources.pack(planes[:, :: max(1, planes.shape[1] // 64)]))
    if len(sample) > LARGEST_PALETTE:
        return None
    keys = np.unique(sources.pack(planes))
    if len(keys) > LARGEST_PALETTE or len(keys) >= planes[0].size:
        return None
    shifts = np.arange(len(planes) - 1, -1, -1, dtype=np.uint64) * np.uint64(16)
    colours: npt.NDArray[np.int64] = ((keys[:, None] >> shifts) & np.uint64(0xFFFF)).astype(np.int64)
    ordered: npt.NDArray[np.int64] = colours[np.argsort(colours.sum(1), kind="stable")]
    return ordered


def flatness(planes: Planes) -> float:
    """Share of places whose left, upper and diagonal neighbours are all alike in every plane."""
    if min(planes.shape[1:]) < 3:
        return 0.0
    flat: Any = True
    for p in planes[:4]:
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


def order(sources: tuple[Source, ...], drawn: bool) -> list[Plane]:
    """The planes in coded order with their references: green first, alpha first where flat areas hang on it."""
    count = len(sources)
    first = {2: [1, 0] if drawn else [0, 1], 3: [1, 0, 2], 4: [3, 1, 0, 2] if drawn else [1, 0, 2, 3]}.get(count, list(range(count)))
    planes: list[Plane] = []
    for source in first:
        live = [i for i, p in enumerate(planes) if p.largest]
        references = tuple(live[:-4:-1]) if drawn else tuple(live[-2:])
        planes.append(Plane(source, sources[source].largest, references))
    return planes
