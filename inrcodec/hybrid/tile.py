"""A tile: its planes' passes as jobs, and the bytes they make."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ..container import Reader, varint
from ..errors import FormatError, InrcodecError
from ..kernels import coder, colours, functions, leastsquares, mixing, mixture
from ..kernels.image import (
    ACTIVITIES,
    DERIVED,
    EXTRAS,
    FLAGS,
    FLAT,
    OCTAVES,
    SURE,
    TALLY,
    Geometry,
    State,
    Switches,
    Taps,
    code_rows,
)
from ..kernels.leastsquares import LeastSquares
from ..kernels.mixing import Mixer
from ..kernels.mixture import Mixture
from ..kernels.tables import SINE_BITS, sine
from . import pipeline, scan, transform
from .contexts import context_taps
from .pipeline import Job
from .plan import Model, Plan
from .scan import Pass

BELOW = 4  # rows below its own that a pass may look at in planes that are known
NO_DUMP = np.zeros((0, 1), np.float32)
COSINES = (sine().astype(np.float64) / 2.0**SINE_BITS).astype(np.float32)
SPREAD = np.ldexp(np.tile([1.0, 1.4142135623730951], ACTIVITIES // 2), np.arange(ACTIVITIES) // 2 - 2)  # 2^(level/2 − 2), without libm


@dataclass(frozen=True)
class Start:
    """What a pass's network begins with: float32 weights, None for no network, and Adam's rate in units of 2^-14."""

    weights: npt.NDArray[np.float32] | None
    learning: int


Starts = Callable[[Pass, int], Start]  # of a pass of a plane


def inputs_of(t: Taps) -> int:
    """Features of the network for these taps."""
    return len(t.plane) + EXTRAS + 4 * OCTAVES


@dataclass
class Worker:
    """What one pass over one plane adapts, and its stream."""

    geometry: Geometry
    taps: Taps
    switches: Switches
    one: LeastSquares
    two: LeastSquares
    net: Mixture
    mixer: Mixer
    state: State
    output: coder.Output = field(default_factory=coder.Output)
    input: Any = None
    dump: npt.NDArray[np.float32] = field(default_factory=lambda: NO_DUMP)
    dumped: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, np.int64))

    def run(self, first: int, last: int, planes: npt.NDArray[np.int32], residuals: npt.NDArray[np.int32]) -> None:
        """Code rows first … last − 1 of the pass."""
        g = self.geometry
        if self.input is None:
            state, stream = self.output.state, self.output.reserve((last - first) * (g.width // g.step + 1) * (g.bits + 1))
        else:
            state, stream = self.input
        code_rows(
            self.input is None,
            first,
            last,
            planes,
            residuals,
            g,
            self.taps,
            self.switches,
            self.one,
            self.two,
            self.net,
            self.mixer,
            self.state,
            state,
            stream,
            self.dump,
            self.dumped,
        )


class PlanePass:
    """One pass over one plane. Its worker is made when its first rows are due and gone after its last: it is much larger than the rows.

    Attributes:
        data: to decode from; None: encode.
        stream: what encoding made.
        tally: see `kernels.image.State`.
        keep: features of so many values are kept in `dump`, (values, inputs + 3) float32: inputs, prediction, unit, value.
    """

    def __init__(self, name: Pass, plane: int, rows: int, make: Callable[[], Worker]) -> None:
        self.name, self.plane, self.rows, self.make = name, plane, rows, make
        self.worker: Worker | None = None
        self.data: bytes | None = None
        self.stream = b""
        self.keep = 0
        self.dump = NO_DUMP
        self.tally: npt.NDArray[np.float64] = np.zeros((TALLY, 2))

    def run(self, first: int, last: int, planes: npt.NDArray[np.int32], residuals: npt.NDArray[np.int32]) -> None:
        """Code rows first … last − 1 of the pass."""
        if self.worker is None:
            self.worker = self.make()
            if self.data is not None:
                self.worker.input = coder.open_stream(self.data)
            self.worker.dump = np.zeros((self.keep, len(self.worker.net.x) + 2), np.float32)
        self.worker.run(first, last, planes, residuals)
        if last == self.rows:
            w, self.worker = self.worker, None
            self.tally, self.dump = w.state.tally, w.dump[: w.dumped[0]]
            if self.data is None:
                self.stream = w.output.finish()


@dataclass
class Stage:
    """A part of the payload: bytes, seconds of decoding, and bits by what they were spent on."""

    name: str
    bytes: int
    seconds: float
    bits: dict[str, float]


@cache
def _sure() -> npt.NDArray[np.float32]:
    classes = (np.arange(SURE) // 2 + 0.5) / 2 * np.where(np.arange(SURE) % 2, 1.0, -1.0)
    return np.array([functions.sigmoid(float(x)) for x in classes], np.float32)


def worker(
    p: Pass,
    plane: int,
    references: tuple[int, ...],
    largest: int,
    size: tuple[int, int],
    origin: tuple[int, int],
    model: Model,
    start: Start,
) -> Worker:
    """A fresh worker. size, origin: of the tile, (height, width) and (y, x)."""
    g = Geometry(plane, *size, p.top, p.left, p.step, largest, largest.bit_length(), *origin)
    taps = scan.taps(p, plane, references)
    columns = max(1, -(-(size[1] - p.left) // p.step))
    least = model.least_squares
    wide = leastsquares.least_squares(scan.predictor_taps(p, len(references), True), columns if least > 1 else 1, 16, 16 // p.step, 0.9)
    narrow = leastsquares.least_squares(
        scan.predictor_taps(p, len(references), False), columns if least > 0 else 1, 8, 8 if least > 1 else 16, 0.8
    )
    one, two = (wide, narrow) if least > 1 else (narrow, wide)
    units = model.units if start.weights is not None else 0
    inputs = inputs_of(taps)
    blank = np.zeros(mixture.parameters(inputs, 8), np.float32)
    net = mixture.mixture(inputs, max(units, 8), start.weights if units else blank)
    found = context_taps(model.contexts, taps)
    places = max(1, p.rows(size[0]) * columns)
    lines = min(1 << model.lines, mixing.power_of_two(2 * places * -(-g.bits // 4)))
    maps = min(mixing.MAPS, max(mixing.LEAST_MAPS, mixing.power_of_two(2 * places)))
    m = mixing.mixer(len(found), least + (units > 0), lines, maps)
    state = State(
        np.zeros(len(taps.plane) + DERIVED, np.int64),
        np.zeros(len(taps.plane)),
        np.tile(SPREAD, (2, 1)),
        np.full(FLAGS, 0.9, np.float32),
        _sure().copy(),
        np.zeros(4, np.int64),
        np.zeros(16),
        np.zeros((TALLY, 2)),
        found,
        COSINES,
    )
    return Worker(
        g, taps, Switches(least, units, start.learning * mixture.RATE_UNIT, int(model.coordinates), 0.002), one, two, net, m, state
    )


class Tile:
    """The coding of one tile: planes (planes, height, width) int32, empty when decoding."""

    def __init__(self, plan: Plan, starts: Starts, planes: npt.NDArray[np.int32], origin: tuple[int, int]) -> None:
        if not functions.keeps_subnormals():  # libraries built with -ffast-math, and torch.set_flush_denormal, switch them off
            raise InrcodecError(
                "this process takes subnormal numbers for zero (a library switched them off), so that files would not be exact"
            )
        self.plan, self.planes = plan, planes
        self.residuals = np.zeros_like(planes)
        self.passes: list[PlanePass] = []
        self.jobs: list[Job] = []
        size = (planes.shape[1], planes.shape[2])
        by_plane: list[list[Job]] = []
        for i, p in enumerate(plan.planes):
            passes = scan.passes(p.two_pass and min(size) >= scan.LEAST_SIZE) if p.largest else ()
            jobs: list[Job] = []
            for q in passes:
                make = partial(worker, q, i, p.references, p.largest, size, origin, plan.model, starts(q, i))
                self.passes.append(PlanePass(q, i, q.rows(size[0]), make))
                jobs.append(self._job(self.passes[-1], jobs[:], [by_plane[r] for r in p.references]))
            by_plane.append(jobs)
            self.jobs += jobs
        self.corrections = Corrections(plan, self.planes, by_plane) if plan.lattice is not None else None
        if self.corrections is not None:
            self.jobs.append(self.corrections.job)

    def _job(self, p: PlanePass, before: list[Job], references: list[list[Job]]) -> Job:
        top, step = p.name.top, p.name.step
        others = [job for jobs in references for job in jobs] + before

        def needs(last: int) -> list[tuple[Job, int]]:
            until = top + (last - 1) * step + BELOW  # the last row of the tile that is looked at
            return [(job, min(job.rows, rows_until(job, until))) for job in others]

        return Job(p.rows, lambda first, last: p.run(first, last, self.planes, self.residuals), needs, top, step)

    def encode(self, threads: int, image: npt.NDArray[np.int32] | None = None, tick: Callable[[int], None] | None = None) -> bytes:
        """The tile's bytes. image: (height, width, 3) of the first three sources' indices, with a lattice; tick: see `pipeline.run`."""
        if self.corrections is not None:
            self.corrections.image = image
        pipeline.run(self.jobs, threads, tick)
        streams = [p.stream for p in self.passes]
        if self.corrections is not None:
            streams.append(self.corrections.output.finish())
        return b"".join([varint(len(s)) for s in streams] + streams)

    def streams(self, data: bytes) -> list[bytes]:
        """The arithmetic-coded strings of a tile: of its passes, then, with a lattice, of the corrections. Raises FormatError."""
        r = Reader(data, "a tile")
        sizes = [r.varint(len(data)) for _ in self.jobs]
        found = [r.take(n) for n in sizes]
        r.end()
        return found

    def stages(self, data: bytes) -> Iterator[Stage]:
        """Where this tile's bytes go, and, after it was decoded, the time and the bits."""
        for i, (job, stream) in enumerate(zip(self.jobs, self.streams(data), strict=True)):
            if i == len(self.passes):
                yield Stage("corrections", len(stream), job.seconds, {})
                continue
            p = self.passes[i]
            depth = self.plan.planes[p.plane].largest.bit_length()
            bits = {f"bit {depth - 1 - b}": float(p.tally[b, 0]) for b in range(depth)}
            yield Stage(f"plane {p.plane} {p.name.name}", len(stream), job.seconds, {**bits, "flat areas": float(p.tally[FLAT, 0])})

    def decode(self, data: bytes, threads: int, tick: Callable[[float], None]) -> npt.NDArray[Any]:
        """The signal's planes, (sources, height, width) uint16. tick: told the share that was done since."""
        streams = self.streams(data)
        if not all(map(coder.is_valid, streams)):
            raise FormatError("damaged: a tile is not an arithmetic code")
        for p, s in zip(self.passes, streams, strict=False):
            p.data = s
        if self.corrections is not None:
            self.corrections.input = coder.open_stream(streams[-1])
        total = sum(job.rows for job in self.jobs)
        pipeline.run(self.jobs, threads, lambda rows: tick(rows / total))
        image = np.moveaxis(self.corrections.image, -1, 0) if self.corrections is not None else None
        return transform.from_planes(self.planes, image, self.plan)


def features(plan: Plan, planes: npt.NDArray[np.int32], origin: tuple[int, int]) -> dict[tuple[int, str], npt.NDArray[np.float32]]:
    """What the networks of a tile see, by plane and pass: (values, inputs + 3) float32, see `PlanePass.dump`."""
    model = replace(plan.model, units=8, learning=0, contexts="none", lines=1)

    def blank(p: Pass, plane: int) -> Start:
        inputs = inputs_of(scan.taps(p, plane, plan.planes[plane].references))
        return Start(np.zeros(mixture.parameters(inputs, 8), np.float32), 0)

    tile = Tile(replace(plan, model=model, lattice=None), blank, planes, origin)
    for p in tile.passes:
        p.keep = p.rows * -(-planes.shape[2] // p.name.step)
    tile.encode(1)
    return {(p.plane, p.name.name): p.dump for p in tile.passes}


def rows_until(job: Job, row: int) -> int:
    """How many rows of a job it takes to have every row of the tile up to `row` that it codes."""
    return max(0, (row - job.top) // job.step + 1)


class Corrections:
    """What the colours differ by from their labels'."""

    def __init__(self, plan: Plan, planes: npt.NDArray[np.int32], by_plane: list[list[Job]]) -> None:
        assert plan.lattice is not None
        self.lattice, self.planes, self.limit = plan.lattice, planes, plan.limit
        _, height, width = planes.shape
        self.image: Any = np.zeros((height, width, 3), np.int32)
        lines = min(1 << plan.model.lines, mixing.power_of_two(6 * height * width))
        self.mixer = mixing.mixer(colours.CONTEXTS, 0, lines)
        self.wrong = np.zeros((3, width + 2), np.uint8)
        self.sure = np.full(colours.SMALL, colours.START, np.float32)
        self.counters = np.zeros(4, np.int64)
        self.output = coder.Output()
        self.input: Any = None
        every = [job for jobs in by_plane[:3] for job in jobs]
        self.job = Job(height, self.run, lambda last: [(job, min(job.rows, rows_until(job, last - 1))) for job in every])

    def run(self, first: int, last: int) -> None:
        """Rows first … last − 1."""
        if self.input is None:
            state, stream = self.output.state, self.output.reserve((last - first) * self.planes.shape[2] * 3 * colours.MOST_BITS)
        else:
            state, stream = self.input
        labels = self.planes[:3, first:last].astype(np.int64) + self.lattice.least[:, None, None]
        colours.correct_rows(
            self.input is None,
            0,
            last - first,
            labels,
            self.image[first:last],
            self.lattice.matrix,
            self.lattice.offset,
            self.limit,
            self.wrong,
            self.sure,
            self.mixer,
            self.counters,
            state,
            stream,
        )
