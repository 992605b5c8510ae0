"""Fits the context networks to one picture: gathers their inputs, fits the differences from the prior, and codes them as deltas."""

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

CROP = 512  # height and width of a crop
CROPS = 4  # of a picture with more places than this many crops have, only the crops are fitted to
STEPS = 600  # of the fit
# The fit measures bits with networks that do not learn while coding. Networks that do learn would find part of the gain by themselves:
# this share of the measured gain remains.
LEFT = 0.4
LEARNING = 8  # rate of a fitted network's learning, in units of 2^-14; smaller than that of a network with the prior's weights


def samples_of(plan: PicturePlan, planes: Planes) -> dict[tuple[int, str], npt.NDArray[np.float32]]:
    """The samples to fit each network to, by (plane, name of the pass): (values, inputs + 3) float32, see `fit.context.value_bits`.

    planes: (planes, height, width), of the whole picture.
    """
    height, width = planes.shape[1:]
    whole = height * width <= CROPS * CROP * CROP
    # the coordinates in a crop would not be those in a tile
    plan = replace(plan, model=replace(plan.model, coordinates=plan.model.coordinates and whole))
    parts: dict[tuple[int, str], list[npt.NDArray[np.float32]]] = {}
    for y, x in [(0, 0)] if whole else corners(height, width):
        crop = planes if whole else planes[:, y : y + CROP, x : x + CROP]
        for key, found in tile.features(plan, np.ascontiguousarray(crop).astype(np.int32), (y, x)).items():
            parts.setdefault(key, []).append(found)
    return {key: np.concatenate(found) for key, found in parts.items()}


def corners(height: int, width: int) -> Iterator[tuple[int, int]]:
    """(y, x) of CROPS crops spread over the picture, in multiples of 8: the network also sees the coordinates modulo 8."""
    for i in range(CROPS):
        y = max(0, height - CROP) * (2 * i + 1) // (2 * CROPS)
        x = max(0, width - CROP) * (2 * (3 * i % CROPS) + 1) // (2 * CROPS)
        yield y // 8 * 8, x // 8 * 8


def deltas_of(plan: PicturePlan, planes: Planes, starts: Starts, options: Options, least: int) -> list[Delta]:
    """The deltas that seem to save more bits than they cost, each in its best weight coding, in the order of section HYBR.

    planes: (planes, height, width), the coded planes; least: how many samples a pass must have to be fitted. Passes are fitted in
    parallel, each on one thread of torch, so the result does not depend on the number of threads.

    Raises Stopped if options.stop says so.
    """
    tick = Ticker(options, "fitting")
    wanted, steps = options.weights or "auto", STEPS

    def fit(item: tuple[tuple[int, str], npt.NDArray[np.float32]]) -> Delta | None:
        (plane, name), samples = item
        prior = starts(scan.PASSES[name], plane).weights
        if prior is None:
            return None
        largest = plan.planes[plane].largest
        values = planes[0].size / (4 if plan.planes[plane].four_passes else 1) * LEFT
        tuner = Tuner(samples, prior, plan.model.units, largest, values, options.seed, device_of(options))
        best, best_bits, before = None, 0.0, tuner.bits(tuner.difference)
        for candidate in tuner.candidates(steps, wanted, tick):
            delta = coded(candidate, plane, scan.NAMES.index(name), plan, prior)
            if delta is None:
                continue
            total = 8 * len(write_delta(delta)) + (candidate.bits - before) * values
            if total < best_bits:
                best, best_bits = delta, total
        return best

    with limited_threads(1):
        gathered = {key: samples for key, samples in samples_of(plan, planes).items() if len(samples) >= least}
        tick.expect(len(gathered) * steps_of(steps, wanted))
        found = [d for d in parallel.run(fit, gathered.items(), options.workers, tick.cancel) if d is not None]
    return sorted(found, key=lambda d: (d.plane, d.pass_))


def coded(candidate: Candidate, plane: int, pass_: int, plan: PicturePlan, prior: npt.NDArray[np.float32]) -> Delta | None:
    """A fitted difference as a delta; None if its weights are out of range. plane, pass_: numbers, see `Delta`; prior: (parameters,)."""
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
