"""Fitting the context networks to one file: gathers what they see, tunes the differences from the prior, codes them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from .... import parallel
from ....errors import FormatError
from ....fit.context import Candidate, Tuner, steps_of
from ....fit.search import device_of, limited_threads
from ....kernels import integers
from ....options import Options
from ....progress import Ticker
from ....weights import sinr
from . import deltas, scan, tile
from .plan import Delta, PicturePlan, write_delta
from .sources import Planes
from .tile import Starts

CROP = 512  # a larger picture is fitted to some crops of this size
CROPS = 4
STEPS = {8: 300, 9: 1000}
# The network goes on learning while it codes, and would find much of what the fit finds: of the bits that the fit saves in a network
# that does not learn, this share is left.
LEFT = 0.4
LEARNING = 8  # of a fitted network, in units of 2^-14: less than of one that has its prior only


def samples_of(plan: PicturePlan, planes: Planes) -> dict[tuple[int, str], npt.NDArray[np.float32]]:
    """What the networks of each pass see: (values, inputs + 3), as `fit.context.value_bits` takes it."""
    height, width = planes.shape[1:]
    whole = height * width <= CROPS * CROP * CROP
    # in a crop the coordinates would not be those of the tiles
    plan = replace(plan, model=replace(plan.model, coordinates=plan.model.coordinates and whole))
    parts: dict[tuple[int, str], list[npt.NDArray[np.float32]]] = {}
    for y, x in [(0, 0)] if whole else corners(height, width):
        crop = planes if whole else planes[:, y : y + CROP, x : x + CROP]
        for key, found in tile.features(plan, np.ascontiguousarray(crop).astype(np.int32), (y, x)).items():
            parts.setdefault(key, []).append(found)
    return {key: np.concatenate(found) for key, found in parts.items()}


def corners(height: int, width: int) -> Iterator[tuple[int, int]]:
    """Of CROPS crops, spread over the picture; multiples of 8, as the period that the features tell of."""
    for i in range(CROPS):
        y = max(0, height - CROP) * (2 * i + 1) // (2 * CROPS)
        x = max(0, width - CROP) * (2 * (3 * i % CROPS) + 1) // (2 * CROPS)
        yield y // 8 * 8, x // 8 * 8


def deltas_of(plan: PicturePlan, planes: Planes, starts: Starts, options: Options, least: int) -> list[Delta]:
    """For each pass whose network a fit would make so much better that it seems to pay, the delta in its smallest coding.

    least: values that a pass must have. The passes are shared out over threads, and torch has one thread for each, so that the fit is the
    same for any number of threads.

    Raises Stopped where options.stop says so.
    """
    tick = Ticker(options, "fitting")
    wanted, steps = options.weights or "auto", STEPS[options.effort]

    def fit(item: tuple[tuple[int, str], npt.NDArray[np.float32]]) -> Delta | None:
        (plane, name), samples = item
        prior = starts(scan.Pass(name, 0, 0, 1), plane).weights
        if prior is None:
            return None
        largest = plan.planes[plane].largest
        values = planes[0].size / (4 if plan.planes[plane].two_pass else 1) * LEFT
        tuner = Tuner(samples, prior, plan.model.units, largest, values, options.seed, device_of(options))
        best, least, before = None, 0.0, tuner.bits(tuner.difference)
        for candidate in tuner.candidates(steps, wanted, tick):
            delta = coded(candidate, plane, scan.NAMES.index(name), plan, prior)
            if delta is None:
                continue
            total = 8 * len(write_delta(delta)) + (candidate.bits - before) * values
            if total < least:
                best, least = delta, total
        return best

    with limited_threads(1):
        gathered = {key: samples for key, samples in samples_of(plan, planes).items() if len(samples) >= least}
        tick.expect(len(gathered) * steps_of(steps, wanted))
        found = [d for d in parallel.run(fit, gathered.items(), options.workers, tick.cancel) if d is not None]
    return sorted(found, key=lambda d: (d.plane, d.pass_))


def coded(candidate: Candidate, plane: int, pass_: int, plan: PicturePlan, prior: npt.NDArray[np.float32]) -> Delta | None:
    """The delta of a candidate; None if its weights are out of range."""
    grids = candidate.grids
    if grids[0].sparse is not None:
        data = sinr.write([code for grid in grids for code in grid.sparse or ()])
    else:
        data = integers.encode([grid.integers[0].T for grid in grids])
    scales = tuple(deltas.scale_of(grid.step) for grid in grids)
    coding = candidate.coding
    delta = Delta(plane, pass_, LEARNING, coding.name, coding.setting, scales, data)
    try:
        deltas.apply(delta, prior, plan.model.units)
    except FormatError:
        return None
    return delta
