"""What the encoder chooses for an array: bricks, order of the axes, references, contexts; and each brick's plan (encoder only)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ....kernels.volume import FAR
from ....layout import tile_of
from ....values import Values
from ...base import Ordered, Subject
from . import brick, mirror
from . import plan as plans
from .plan import BrickModel, BrickPlan

LARGEST_BRICK = 3 << 19  # values
LARGEST_SET = 3 << 20  # values of a brick of a set of small pictures
LARGEST_ROW = 1 << 18  # places of a brick of one axis
LARGEST_SLICE = 1 << 17  # places
DIVIDED = 1 << 18  # values; an array with more is cut into two bricks at least, so that two processors have work
SHORT = 48  # places of an axis of slices that is not cut while another one can be
TRIED = 1 << 15  # values of the part that is coded in several ways
SAMPLED = 1 << 16  # integers that grain and specials are found from, about
TINY_SLICE = 1 << 5  # places of a slice that is too small to predict much from
SET_SLICE = 1 << 12  # places of a slice; smaller ones may be pictures of a set
LEAST_SHARE = 0.05  # of a value that is coded apart
HUGE = 2.0**20  # times the median: a float beyond is taken for a mark
NOISE = 0.998  # share of its size that a part of noise has when it is coded, at least
SAVED = 0.7  # share of the bits that a table seems to save which it does save

# by effort, 1 to 5: regressors, units of the network, references
SIZES = (0, 1, 1, 2, 3)
SIZES_OF_FLOATS = (0, 1, 2, 3, 3)  # floats have more bytes that time can be spent on
UNITS = (0, 0, 32, 32, 48)
UNITS_OF_SETS = (0, 0, 32, 48, 48)
LAGS = (1, 2, 2, 2, 3)  # if they are 1, 2, 3 …
CHEAP: dict[str, Any] = {"size": 1, "units": 0}  # the model that orders and references are tried with
LEARNING, LEARNING_OF_SETS = 40, 80  # rate of the network's learning, in units of 2^-14


@dataclass(frozen=True)
class Recipe:
    """What all bricks of an array have in common.

    Attributes:
        model: see `BrickModel`.
        special: whether a frequent value may be coded apart; marks of floats are in any case.
        noise: whether a part of the array did not get smaller, so that no model is tried.
    """

    model: BrickModel
    special: bool
    noise: bool = False


def tile_for(values: Values, twin: tuple[int, int] | None) -> tuple[int, ...]:
    """Sizes of a brick along the axes. values: (axes…, channels); twin: a mirror, whose axis is cut last."""
    axes, channels = values.shape[:-1], values.shape[-1]
    if len(axes) == 1:
        return tile_of(axes, max(1, LARGEST_ROW // channels))
    largest = LARGEST_SET if is_set(axes) else LARGEST_BRICK
    places = max(1, min(largest, max(DIVIDED, values.size * 9 // 16)) // channels)
    tile = list(axes)
    fixed = twin[0] if twin is not None else -1
    slow = range(len(tile) - 2)

    def cost(axis: int) -> float:
        """How readily an axis is cut: a cut through slices loses less than one between them, and short axes are not cut."""
        return 0.0 if axis == fixed else tile[axis] / 2 if axis in slow else tile[axis] if tile[axis] > SHORT else tile[axis] / 1024

    while math.prod(tile) > places or math.prod(tile[-2:]) > LARGEST_SLICE:
        several = range(len(tile)) if math.prod(tile) > places else range(len(tile) - 2, len(tile))
        longest = max((axis for axis in several if tile[axis] > 1), key=cost)
        tile[longest] = -(-tile[longest] // 2)
    return tuple(tile)


def is_set(shape: tuple[int, ...]) -> bool:
    """Whether an array may be a set of small pictures. shape: of its coordinate axes."""
    return len(shape) > 2 and math.prod(shape[-2:]) <= SET_SLICE


def part_of(values: Values, count: int = TRIED) -> Values:
    """A part from the middle of an array, of about `count` values. values: (axes…, channels)."""
    axes, channels = values.shape[:-1], values.shape[-1]
    sizes = list(axes)
    target = max(1, count // channels)
    least = 24 if len(axes) > 2 else 1
    while math.prod(sizes) > target:
        longest = max(range(len(sizes)), key=lambda axis: sizes[axis] / (4 if axis < len(sizes) - 2 and sizes[axis] <= least else 1))
        sizes[longest] = -(-sizes[longest] // 2)
    return values[tuple(slice((n - size) // 2, (n - size) // 2 + size) for n, size in zip(axes, sizes, strict=True))]


def fitting(shape: tuple[int, ...], channels: int) -> Iterator[BrickModel]:
    """`models`, without those that take too much memory."""
    for model in models(shape):
        lags = tuple(lag for lag in model.lags if lag < brick.slices_of(shape, model).steps)
        found = replace(model, lags=lags)
        least = replace(found, size=0, lines=1)  # a plan has no more lines than fit
        if brick.fits(BrickPlan(least, None, 0, 1), shape, channels):
            yield found


def models(shape: tuple[int, ...]) -> Iterator[BrickModel]:
    """Orders of the axes and references to try, the likeliest first. shape: of the coordinate axes."""
    n = len(shape)
    order = tuple(range(n))
    if n == 1:
        yield BrickModel(order, rows=True, decay=2)
    elif n == 2:
        yield BrickModel(order)
        yield BrickModel((1, 0))
        if min(shape) <= 64:
            slow = 0 if shape[0] < shape[1] else 1
            yield BrickModel((slow, 1 - slow), rows=True, lags=(1, 2), decay=2)
            yield BrickModel((slow, 1 - slow), rows=True, decay=2)
            yield BrickModel((1 - slow, slow), rows=True, lags=(1, 2), decay=2)
    else:
        steps = math.prod(shape[:-2])
        if n == 3:
            yield BrickModel(order, lags=(1, 2)[: steps - 1])
            yield BrickModel((1, 0, 2), lags=(1, 2)[: shape[1] - 1])
            yield BrickModel((2, 0, 1), lags=(1, 2)[: shape[2] - 1])
        else:
            fast = shape[1]
            both = tuple(sorted({1, 2, fast} if shape[0] > 1 and fast > 1 else {1, 2}, key=lambda lag: (lag == 2, lag)))
            yield BrickModel(order, lags=tuple(lag for lag in both if lag < steps))
            yield BrickModel((1, 0, 2, 3), lags=tuple(lag for lag in dict.fromkeys((1, shape[0], 2)) if lag < steps))
            yield BrickModel((3, 0, 1, 2), lags=(1, 2))
        yield BrickModel(order)
        if math.prod(shape[-2:]) <= TINY_SLICE or min(shape[-2:]) == 1:  # the longest axis as rows, the others as slices
            longest = max(order, key=lambda axis: shape[axis])
            across = (*(axis for axis in order if axis != longest), longest)
            yield BrickModel(across, rows=True, lags=(1, 2), decay=2)
            yield BrickModel(across, rows=True, decay=2)


def recipe_of(subject: Subject, effort: int, tile: tuple[int, ...]) -> Recipe:
    """The recipe for an array: what makes a part of it smallest. tile: sizes of a brick."""
    values, e = subject.values, effort - 1
    shape = values.shape[:-1]
    part = part_of(values)
    if int(part.min()) == int(part.max()):  # a part without anything says nothing of the others
        part = part_of(values, values.size)

    def size(model: BrickModel, special: bool = True) -> int:
        recipe = Recipe(model, special)
        shifted = plan_for(part, recipe, subject.floats)
        return len(brick.encode(part, shifted, subject.floats, lambda share: None))

    tried = {model: size(replace(model, **CHEAP)) for model in dict.fromkeys(fitting(tile, values.shape[-1]))}
    if not tried:
        return Recipe(BrickModel(tuple(range(len(shape)))), True, noise=True)
    best = min(tried, key=lambda model: tried[model])
    if tried[best] > NOISE * part.size * subject.bits / 8 and values.size > part.size:
        return Recipe(best, True, noise=True)
    if best.lags in ((1,), (1, 2)):
        best = replace(best, lags=tuple(range(1, 1 + LAGS[e])))
    small = is_set(shape)
    sizes_of = SIZES if subject.floats is None else SIZES_OF_FLOATS
    best = replace(best, size=sizes_of[e], units=UNITS[e], learning=LEARNING if UNITS[e] else 0)
    recipes = [Recipe(best, True), Recipe(best, False)]
    if small and effort > 1:
        of_set = replace(best, decay=1, units=UNITS_OF_SETS[e], contexts="values", learning=LEARNING_OF_SETS if UNITS[e] else 0)
        recipes += [Recipe(of_set, True), Recipe(of_set, False)]
    if subject.floats is not None and not small:
        return recipes[0]
    sizes = [size(r.model, r.special) for r in recipes]
    return recipes[sizes.index(min(sizes))]


def plan_for(values: Values, recipe: Recipe, floats: Ordered | None, twin: tuple[int, int] | None = None) -> BrickPlan:
    """The plan of a brick. values: (axes…, channels); twin: a mirror, None: there is none."""
    folded = mirror.fold(values, twin)
    least, most = int(folded.min()), int(folded.max())
    plan = BrickPlan(recipe.model, twin, least, most - least)
    if not plan.largest:
        return plan
    flat = folded.reshape(-1) - folded.dtype.type(least)
    table = table_of(flat)
    if table is not None:
        plan = replace(plan, table=table, largest=len(table) - 1)
        flat = np.searchsorted(table, flat).astype(np.uint64)
    slices = brick.slices_of(folded.shape[:-1], recipe.model)
    places = slices.height * slices.width * slices.steps
    lines = min(recipe.model.lines, max(6, (4 * places).bit_length()))
    lags = tuple(lag for lag in recipe.model.lags if lag < slices.steps)
    plan = replace(plan, model=replace(recipe.model, lines=lines, lags=lags))
    while plan.model.size and not brick.fits(plan, folded.shape[:-1], folded.shape[-1]):
        plan = replace(plan, model=replace(plan.model, size=plan.model.size - 1))
    sample = (flat[:: max(1, len(flat) // SAMPLED)] >> flat.dtype.type(plan.low)).astype(np.int64)
    if floats is not None:
        plan = replace(plan, grain=grain_of(sample, plan, floats))
    return replace(plan, specials=specials_of(sample, plan, floats, recipe.special))


def table_of(flat: npt.NDArray[Any]) -> npt.NDArray[np.uint64] | None:
    """The values that occur, if it pays to number them. flat: unsigned."""
    step = max(1, len(flat) // 4096)
    sample = flat[::step]
    if len(np.unique(sample)) > len(sample) // 2:
        return None
    found, counts = np.unique(flat, return_counts=True)
    table = found.astype(np.uint64)
    span = int(table[-1]) + 1
    if len(table) > 1 << 16 or len(table) * 2 > span:
        return None
    saved = SAVED * (len(flat) - int(counts.max())) * math.log2(span / len(table)) if span.bit_length() > 8 or len(table) <= 16 else 0
    return table if saved > 8 * plans.table_bytes(table) + 64 else None


def grain_of(sample: npt.NDArray[np.int64], plan: BrickPlan, floats: Ordered) -> int:
    """The exponent of the unit of the floats of median size. sample: some of the integers; plan: with grain 0."""
    reals = np.abs(brick.reals_of(sample, brick.scale_of(plan, floats)))
    finite = reals[(reals > 0) & (reals < FAR)]
    middle = float(np.median(finite)) if len(finite) else 1.0
    return int(math.frexp(middle)[1]) - 1 - floats.format[0]


def specials_of(sample: npt.NDArray[np.int64], plan: BrickPlan, floats: Ordered | None, frequent: bool) -> tuple[int, ...]:
    """The integers to be coded apart: floats that are no numbers or far beyond all others, and, if wanted, the most frequent value.

    sample: some of the integers, spread over all.
    """
    found, counts = np.unique(sample, return_counts=True)
    special: list[int] = []
    if floats is not None:
        scale = brick.scale_of(plan, floats)
        reals, usual = np.abs(brick.reals_of(found, scale)), np.median(np.abs(brick.reals_of(sample, scale)))
        marks = (reals > HUGE * max(float(usual), 1.0)) & (counts >= 4)
        order = np.argsort(-counts[marks], kind="stable")
        special = found[marks][order][: plans.MAX_SPECIALS - 1].tolist()
    top = int(np.argmax(counts))
    if frequent and counts[top] > LEAST_SHARE * len(sample) and int(found[top]) not in special:
        special.append(int(found[top]))
    return tuple(special)
