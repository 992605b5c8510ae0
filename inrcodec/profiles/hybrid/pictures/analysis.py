"""What the encoder chooses for a picture: transform, tables, order and references of the planes, passes, and model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ....options import LIMITS, Options
from ....values import bits_saved_by_gaps
from ..priors import shipped
from . import lattice, sources
from .plan import AROUND, BITS, PLAIN, PictureModel, PicturePlan, Plane, usual_planes
from .sources import Planes, Source, table_size
from .transforms import Direct, Palette

LARGEST_PALETTE = 256
LEAST_TABLE = 4  # bytes: no table of a source is smaller, so its size need not be found if it saves less
SMALL = 1 << 16  # values; of a picture with at most this many, several choices are tried
TINY = 1 << 12  # pixels; of a picture with at most this many, all are tried,
TINY_EFFORT = 4  # from this effort on
FLAT_SHARE = 0.4  # a picture with a larger share of flat places counts as drawn, not photographed
# from effort 4 on, a photograph in which a larger share of pixels is like the left neighbour is coded as drawings are: parts of it are
# drawn, or clipped
REPEATED_SHARE = 0.3
LARGEST_EFFORT = int(LIMITS["effort"][1])
INTERPOLATED = 0.6  # see `is_interpolated`


@dataclass(frozen=True)
class Choice:
    """A plan and what it codes.

    Attributes:
        planes: (planes, height, width) uint16, the coded planes.
        indices: (sources, height, width) uint16, the indices of the sources.
    """

    plan: PicturePlan
    planes: Planes
    indices: Planes
    drawn: bool


def choices(planes: Planes, bits: int, options: Options) -> Iterator[Choice]:
    """The choices to try, the likeliest first; of a picture that is not small, only that one.

    planes: (sources, height, width) values, below 2^bits.
    """
    found = palette(planes)
    brief = bits if options.compact and planes.size <= SMALL else 0
    ramp = found is not None and bool((np.diff(found, axis=0) >= 0).all())  # all channels rise together, as in a grey photograph
    coloured = found is not None and not ramp
    drawn = coloured or flatness(planes) > FLAT_SHARE
    yield choose(planes, found, drawn, coloured, options, brief)
    if planes.size > SMALL:
        return
    if found is not None:
        yield choose(planes, None, drawn, False, options, brief)
    yield choose(planes, None, not drawn, False, options, brief)
    if options.effort > 3:
        yield choose(planes, None, False, False, replace(options, effort=3), brief)
    if options.effort >= TINY_EFFORT and planes[0].size <= TINY:
        yield from combinations(planes, found, options, brief)


def combinations(planes: Planes, found: npt.NDArray[np.int64] | None, options: Options, brief: int) -> Iterator[Choice]:
    """All models with all orders of planes, and with the palette: which is smallest cannot be told of a picture of so few pixels.

    Arguments: as of `choose`.
    """
    best = model_of(LARGEST_EFFORT, True, False)  # of networks, that with most units: so few pixels take no time
    plain = replace(model_of(TINY_EFFORT, False, False), units=best.units, prior=best.prior)
    models = [best, plain, model_of(LARGEST_EFFORT, True, True)]
    for colours, drawn in ((None, False), (None, True), *([] if found is None else [(found, True)])):
        choice = choose(planes, colours, drawn, colours is not None, options, brief)
        for model in models:
            yield replace(choice, plan=replace(choice.plan, model=model))


def choose(planes: Planes, found: npt.NDArray[np.int64] | None, drawn: bool, coloured: bool, options: Options, brief: int = 0) -> Choice:
    """The choice with transform palette if a palette is given, else lattice if one is found, else direct.

    planes: (sources, height, width) values; found: a palette (colours, sources) or None; drawn, coloured: see `model_of`;
    brief: bits of the values if the plan may have the brief form, else 0.
    """
    model = model_of(options.effort, drawn, coloured)
    known = tuple(source_of(p, drawn) for p in planes)
    if brief:
        known = tuple(whole(source, brief, found is not None) for source in known)
    indices = sources.to_indices(planes, known)
    if found is not None:
        colours = sources.to_indices(found.T[:, None].astype(planes.dtype), known)[:, 0].T.astype(np.int64)
        palette = Palette(colours)
        return Choice(
            PicturePlan(palette, known, (Plane(0, len(found) - 1),), model, brief=brief), palette.numbers(indices), indices, drawn
        )
    if 3 <= len(known) <= 4 and max(s.largest for s in known[:3]) <= 255 and not drawn:
        at = lattice.find(indices[:3], options.workers)
        if at is not None:
            coded = np.concatenate([at[1], indices[3:]]) if len(indices) > 3 else at[1]
            return Choice(PicturePlan(at[0], known, tuple(labelled(coded)), model), coded, indices, drawn)
    if not drawn and not coloured and options.effort >= 4 and repetition(planes) > REPEATED_SHARE:
        model = model_of(options.effort, True, False)
    ordered = usual_planes(known, drawn)
    return Choice(PicturePlan(Direct(), known, tuple(ordered), model, brief=brief), indices[[p.source for p in ordered]], indices, drawn)


def whole(source: Source, bits: int, always: bool) -> Source:
    """A source with the full range of values of `bits` bits, if indices have at most 2 bits more then, or always.

    The brief form tells a full range for nothing, and values that never occur cost next to nothing.
    """
    full = Source((1 << bits) - 1)
    return full if always or (not source.has_table and source.largest.bit_length() >= bits - 2 and source.largest) else source


def labelled(coded: Planes) -> list[Plane]:
    """The coded planes of a lattice with their references. coded: (planes, height, width), three planes of labels and perhaps alpha."""
    largest = [int(p.max()) for p in coded]
    planes = []
    for i, p in enumerate(coded):
        live = [j for j in range(i) if largest[j]]
        references = live[-2:] if i < 3 else live[:1]
        planes.append(Plane(i, largest[i], tuple(references), 0 < i < 3 and is_interpolated(p)))
    return planes


def source_of(plane: npt.NDArray[Any], drawn: bool) -> Source:
    """How the values of a plane become indices: by an offset, or by a table of the values that occur.

    A table is taken if at most half of the values between the least and the largest occur, if it saves more bits than it costs
    (`bits_saved_by_gaps`), and if the plane has more than 8 bits, is drawn, or has at most 16 different values. plane: (height, width).
    """
    least, most = int(plane.min()), int(plane.max())
    counts = np.bincount(plane.ravel(), minlength=most + 1)
    used = np.flatnonzero(counts)
    plain = Source(most - least, least)
    if not 1 < len(used) <= (most - least + 1) // 2 or not (most > 255 or drawn or len(used) <= 16):
        return plain
    saved, table = bits_saved_by_gaps(used - least, counts[used]), Source(len(used) - 1, 0, used.astype(np.int64))
    return table if saved > 8 * LEAST_TABLE and saved > 8 * table_size(table) else plain


# for efforts 1 to 5
LEAST_SQUARES = (1, 4, 4, 4, 4)
UNITS = (0, 0, 0, 48, 64)
CONTEXTS = ("none", "none", "photo", "photo", "graphics")
LEARNING = 20  # rate of the context network's learning, in units of 2^-14
DRAWN_LINES = 16  # log2 of the lines of each context's table, for drawn pictures


def model_of(effort: int, drawn: bool, coloured: bool) -> PictureModel:
    """The model for an effort, 1 to 5.

    drawn: whether the picture has flat areas, lines and text; coloured: whether the plane holds numbers of colours, of which sums and
    means, and so predictors, make no sense.
    """
    e = effort - 1
    if coloured or (drawn and effort <= 2):
        return PictureModel(contexts="few" if effort <= 2 else "graphics", lines=DRAWN_LINES)
    units = UNITS[e]
    contexts = "graphics" if drawn else CONTEXTS[e]
    return PictureModel(
        coding=PLAIN if effort <= 2 else BITS if contexts == "graphics" else AROUND,
        least_squares=LEAST_SQUARES[e],
        units=units,
        learning=LEARNING if units else 0,
        coordinates=units > 0,
        contexts=contexts,
        lines=DRAWN_LINES if contexts == "graphics" else 14,
        prior=shipped.current(units) if units else b"",
    )


def tile_places(drawn: bool) -> int:
    """The most places of a tile. It is more for drawn pictures: their flat areas are fast to code, and contexts need time to learn."""
    return 1 << 22 if drawn else 1 << 20


def palette(planes: Planes) -> npt.NDArray[np.int64] | None:
    """The colours of a picture of 2 to 4 planes, (colours, planes) int64, by the sum of their values; None if there are too many.

    planes: (planes, height, width).
    """
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
    """Share of places whose left, upper and upper left neighbours are alike, in each of the first four planes, (planes, height, width)."""
    if min(planes.shape[1:]) < 3:
        return 0.0
    flat: Any = True
    for p in planes[:4]:
        flat = flat & (p[1:, :-1] == p[:-1, :-1]) & (p[:-1, 1:] == p[:-1, :-1])
    return float(np.mean(flat))


def repetition(planes: Planes) -> float:
    """Share of pixels that are like their left neighbour in each of the first four planes, (planes, height, width)."""
    same: Any = True
    for p in planes[:4]:
        same = same & (p[:, 1:] == p[:, :-1])
    return float(np.mean(same)) if planes.shape[2] > 1 else 0.0


def is_interpolated(plane: npt.NDArray[Any]) -> bool:
    """Whether a plane, (height, width), looks interpolated from half its resolution, so that it should be coded in four passes.

    In even rows, each value of an odd column is compared with the mean of its left and right neighbours. Most must deviate by at most
    1/2, and the mean deviation must be below 0.35 plus (1 − INTERPOLATED) times the mean difference of the two neighbours.
    """
    if min(plane.shape) < 8:
        return False
    p = plane[: plane.shape[0] // 2 * 2, : plane.shape[1] // 2 * 2].astype(np.int32)
    even, odd = p[::2, ::2], p[::2, 1::2]
    off = np.abs(2 * odd[:, :-1] - even[:, :-1] - even[:, 1:])
    across = np.abs(even[:, 1:] - even[:, :-1])
    return bool((off <= 1).mean() > 0.5 and off.mean() < (1 - INTERPOLATED) * 2 * across.mean() + 0.7)
