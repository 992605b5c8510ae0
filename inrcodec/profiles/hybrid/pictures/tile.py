"""A tile of a picture: each pass of each plane is a job with an arithmetic-coded stream; the tile's bytes are these streams."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ....container import Reader, varint
from ....errors import FormatError
from ....kernels import coder, contextnet, functions, mixer, noting, picture
from ....kernels.lanes import LANES
from ....kernels.picture import (
    EXTRAS,
    FLAT,
    HALVINGS,
    OCTAVES,
    TALLY,
    Geometry,
    Switches,
    Taps,
    code_rows,
    observe,
)
from ....kernels.predictors import WINDOWS, LocalLeastSquares, local_least_squares
from . import pipeline, scan, sources
from .contexts import context_taps
from .pipeline import Job
from .plan import BITS, PLAIN, PictureModel, PicturePlan, Plane
from .scan import Pass
from .transforms import Direct

SHARED_PLACES = 32  # a plane with fewer places takes longer to begin than to code: threads would wait for each other's Python
ROWS_BELOW = 4  # a pass looks at known planes down to this many rows below the current one


@dataclass(frozen=True)
class Start:
    """What the context network of a pass begins with.

    weights: float32 (parameters,), None: the pass has no network; learning: rate of its learning, in units of 2^-14.
    """

    weights: npt.NDArray[np.float32] | None
    learning: int


Starts = Callable[[Pass, int], Start]  # the Start for (a pass, the number of its plane in coded order)


def inputs_of(t: Taps) -> int:
    """How many inputs a context network has for these taps."""
    return len(t.plane) + EXTRAS + 4 * OCTAVES


class PlanePass:
    """One pass over one plane of a tile. Its state, which is large, exists from its first row to its last only.

    Attributes:
        order: the pass.
        plane: number of the plane in coded order.
        rows: how many rows the pass has.
        make: makes the state.
        coder: the stream: to decode, an Input that is set before the first row; else an Output.
        stream: the stream that encoding made.
        tally: (TALLY, 2), see `kernels.picture.State`; filled in after the last row.
        noting: whether decoding is to fill in `costs`.
        costs: (rows, columns) bits of each value; filled in after the last row.
    """

    def __init__(self, order: Pass, plane: int, rows: int, make: Callable[[], picture.PassState]) -> None:
        self.order, self.plane, self.rows, self.make = order, plane, rows, make
        self.state: picture.PassState | None = None
        self.coder: coder.Input | coder.Output = coder.Output()
        self.stream = b""
        self.tally: npt.NDArray[np.float64] = np.zeros((TALLY, 2))
        self.noting = False
        self.costs: npt.NDArray[np.float64] = np.zeros((0, 0))

    def run(self, first: int, last: int, planes: npt.NDArray[np.int32], residuals: npt.NDArray[np.int32]) -> None:
        """Code rows first … last − 1 of the pass, either way. planes, residuals: (planes, height, width) of the tile."""
        if self.state is None:
            self.state = self.make()
            if self.noting:
                read = np.zeros((self.rows, columns_of(self.order, self.state.geometry.width)))
                self.state = self.state._replace(state=self.state.state._replace(read=read))
        g = self.state.geometry
        most = (last - first) * (g.width // g.step + 1) * (2 * g.bits + 4)  # flag, side, distances and halvings of each value
        code_rows(self.coder.coder(most), first, last, planes, residuals, self.state)
        if last == self.rows:
            self.tally = self.state.state.tally
            self.stream = self.coder.finish()
            if isinstance(self.coder, coder.Input) and self.noting:
                self.costs = noting.costs_of(self.state.state.read, self.coder.bits)
            self.state = None


@dataclass
class Spent:
    """A part of a tile's bytes: how many, seconds of decoding, and bits by what they were spent on; see `TileDecoder.stages`."""

    name: str
    bytes: int
    seconds: float
    bits: dict[str, float]


@dataclass(frozen=True)
class Frame:
    """Where a tile lies. size: (height, width); origin: (y, x) of its first place in the picture."""

    size: tuple[int, int]
    origin: tuple[int, int]


# what kernels get where nothing is used: they do not touch it, so all passes share it
IDLE_PREDICTOR = local_least_squares((0, 1), 2, 0, 1, WINDOWS[1])
IDLE_NETWORK = contextnet.contextnet(1, LANES, np.zeros(contextnet.parameters(1, LANES), np.float32))


class Mixing:
    """Makes what the passes of one tile mix with: fresh contexts and mixers, as `mixer.contexts` and `mixer.mixer` make them.

    Of small passes there may be tens of thousands, and a copy of what was made before takes a third of the time. No other tile gets these
    copies, so a fault of the memory does not stay: what verifies a file makes its own.
    """

    def __init__(self) -> None:
        self.contexts: dict[int, mixer.Contexts] = {}
        self.mixers: dict[bytes, mixer.Mixer] = {}

    def fresh(self, contexts: int, lines: int, initial: npt.NDArray[np.float32], maps: int) -> tuple[mixer.Contexts, mixer.Mixer]:
        """Contexts with `lines` lines each, and a mixer with first weights `initial` and `maps` rows of its final maps."""
        if (known := self.contexts.get(contexts)) is None:
            known = self.contexts[contexts] = mixer.contexts(contexts, 1)
        slots = np.zeros((contexts, lines * mixer.NODES), np.uint32)
        copied = known._replace(slots=slots, **{name: getattr(known, name).copy() for name in known._fields if name != "slots"})
        if maps > mixer.LEAST_MAPS:
            return copied, mixer.mixer(initial, maps)
        key = initial.tobytes()
        if (small := self.mixers.get(key)) is None:
            small = self.mixers[key] = mixer.mixer(initial, mixer.LEAST_MAPS)
        return copied, small._replace(**{name: getattr(small, name).copy() for name in small._fields})


def gathers_few(model: PictureModel) -> bool:
    """Whether few values are gathered: nothing but one predictor, with fewer regressors, looks at them."""
    return model.coding == PLAIN and model.least_squares == 1


def _predictors(p: Pass, references: int, columns: int, model: PictureModel, taps: Taps) -> LocalLeastSquares:
    """The least squares predictors of a pass. columns: places of a row."""
    used, count = model.least_squares, len(taps.plane)
    if not used:
        return IDLE_PREDICTOR
    regressors, fewer = scan.predictor_taps(p, references)
    if gathers_few(model):
        regressors = scan.few_taps(p, taps.start.tolist())
    elif used == 1:
        regressors = regressors[:fewer]
    return local_least_squares(regressors, fewer, count, columns, WINDOWS[used])


def table_sizes(p: Pass, plane: Plane, size: tuple[int, int], model: PictureModel) -> tuple[int, int]:
    """(lines of a context's table, rows of a final map) of a pass. size: (height, width) of the tile."""
    places = max(1, p.rows(size[0]) * columns_of(p, size[1]))
    lines = min(1 << model.lines, mixer.power_of_two(2 * places * -(-plane.largest.bit_length() // 4)))
    return lines, mixer.LEAST_MAPS if model.coding != BITS else min(mixer.MAPS, max(mixer.LEAST_MAPS, mixer.power_of_two(2 * places)))


def columns_of(p: Pass, width: int) -> int:
    """Places of a row of a pass, at least 1. width: of the tile."""
    return max(1, -(-(width - p.left) // p.step))


def fresh(p: Pass, number: int, plane: Plane, frame: Frame, model: PictureModel, start: Start, mixing: Mixing) -> picture.PassState:
    """The state of a pass before its first value. number: of the plane in coded order."""
    height, width = frame.size
    references = len(plane.references)
    g = Geometry(number, height, width, p.top, p.left, p.step, plane.largest, plane.largest.bit_length(), *frame.origin)
    taps = scan.taps(p, number, plane.references, frame.size, gathers_few(model))
    used, units = model.least_squares, model.units if start.weights is not None else 0
    switches = Switches(
        used, units, start.learning * contextnet.RATE_UNIT, int(model.coordinates), int(model.coding != BITS), int(model.coding == PLAIN)
    )
    inputs = inputs_of(taps)
    if units and start.weights is not None and len(start.weights) != contextnet.parameters(inputs, units):
        raise FormatError("damaged: a network of its prior has another number of inputs")
    found = context_taps(model.contexts, taps)
    lines, maps = table_sizes(p, plane, frame.size, model)
    slots, mixed = mixing.fresh(len(found), lines, picture.first_weights(len(found), units > 0, used > 0), maps)
    return picture.PassState(
        geometry=g,
        taps=taps,
        switches=switches,
        predictors=_predictors(p, references, columns_of(p, width), model, taps),
        net=contextnet.contextnet(inputs, units, start.weights) if units and start.weights is not None else IDLE_NETWORK,
        contexts=slots,
        mixer=mixed,
        state=picture.fresh_state(len(taps.plane), found, columns_of(p, width), plane.largest, switches),
    )


def _begin(p: Pass, number: int, plane: Plane, frame: Frame, model: PictureModel, starts: Starts, mixing: Mixing) -> picture.PassState:
    """`fresh`, with the Start of the pass."""
    return fresh(p, number, plane, frame, model, starts(p, number), mixing)


def passes_of(plane: Plane, size: tuple[int, ...]) -> tuple[Pass, ...]:
    """The passes of a plane in a tile of this size, (height, width)."""
    return scan.passes(plane.four_passes and min(size) >= scan.LEAST_SIZE) if plane.largest else ()


def rows_of(plan: PicturePlan, size: tuple[int, ...]) -> int:
    """How many rows the jobs of a tile of this size, (height, width), have together."""
    return sum(q.rows(size[0]) for p in plan.planes for q in passes_of(p, size)) + plan.transform.corrected * size[0]


def streams_of(data: bytes, count: int, brief: bool = False) -> list[bytes]:
    """The arithmetic-coded streams in a tile's bytes: one for each pass, then, with a lattice, the corrections. Raises FormatError.

    brief: whether the plan has the brief form; then the length of the last stream is not written.
    """
    r = Reader(data, "a tile")
    sizes = [r.varint(len(data)) for _ in range(count - brief)]
    if brief and count:
        sizes.append(max(0, r.left - sum(sizes)))
    found = [r.take(n) for n in sizes]
    r.end()
    return found


def spent_bits(spent: npt.NDArray[np.float64], coding: int, depth: int) -> dict[str, float]:
    """The bits of a pass by what they were spent on. spent: (TALLY,) by kind; coding: see `PictureModel`; depth: of the plane."""
    if coding == BITS:
        named = {f"bit {depth - 1 - b}": float(spent[b]) for b in range(depth)}
    else:
        named = {"side": float(spent[0]), "distance": float(spent[1:HALVINGS].sum())}
        named |= {f"bit {b}": float(spent[HALVINGS + b]) for b in range(min(depth, FLAT - HALVINGS) - 1, -1, -1)}
    return named | {"flat areas": float(spent[FLAT])}


def sizes_of(plan: PicturePlan, size: tuple[int, ...], data: bytes) -> list[Spent]:
    """The stages of a tile of this size, (height, width), with these bytes, with no seconds and bits. Raises FormatError."""
    names = [f"plane {i} {q.name}" for i, p in enumerate(plan.planes) for q in passes_of(p, size)]
    names += ["corrections"] * plan.transform.corrected
    return [Spent(name, len(stream), 0.0, {}) for name, stream in zip(names, streams_of(data, len(names), plan.brief > 0), strict=True)]


class Tile:
    """Codes one tile, once, in one of both directions.

    planes: (planes, height, width) int32, the coded planes; zeros when decoding, which fills them in. origin: (y, x) of the tile in the
    picture. Raises InrcodecError if the process does not compute with subnormal numbers.
    """

    def __init__(self, plan: PicturePlan, starts: Starts, planes: npt.NDArray[np.int32], origin: tuple[int, int]) -> None:
        functions.check_subnormals()
        self.plan, self.planes = plan, planes
        self.residuals = np.zeros_like(planes)
        self.passes: list[PlanePass] = []
        self.jobs: list[Job] = []
        size = (planes.shape[1], planes.shape[2])
        frame, mixing = Frame(size, origin), Mixing()
        by_plane: list[list[Job]] = []
        for i, p in enumerate(plan.planes):
            jobs: list[Job] = []
            for q in passes_of(p, size):
                make = partial(_begin, q, i, p, frame, plan.model, starts, mixing)
                self.passes.append(PlanePass(q, i, q.rows(size[0]), make))
                jobs.append(self._job(self.passes[-1], jobs[:], [by_plane[r] for r in p.references]))
            by_plane.append(jobs)
            self.jobs += jobs
        self.corrections = plan.transform.corrections(plan.sources, self.planes, by_plane, plan.model.lines)
        if self.corrections is not None:
            self.jobs.append(self.corrections.job)

    def _job(self, p: PlanePass, before: list[Job], references: list[list[Job]]) -> Job:
        top, step = p.order.top, p.order.step
        others = [job for jobs in references for job in jobs] + before

        def needs(last: int) -> list[tuple[Job, int]]:
            until = top + (last - 1) * step + ROWS_BELOW  # the lowest row of the tile that the pass looks at
            return [(job, min(job.rows, pipeline.rows_until(job, until))) for job in others]

        return Job(p.rows, lambda first, last: p.run(first, last, self.planes, self.residuals), needs, top, step)

    def _run(self, threads: int, tick: Callable[[int], None] | None) -> None:
        tiny = self.planes[0].size < SHARED_PLACES
        try:
            pipeline.run(self.jobs, 1 if tiny else threads, tick)
        finally:
            for p in self.passes:
                p.state = None  # after a fault: jobs and passes refer to each other, so the tile's memory would stay a while

    def encode(self, indices: npt.NDArray[Any], threads: int, tick: Callable[[int], None] | None = None) -> bytes:
        """The tile's bytes. indices: (sources, height, width), of the sources; tick: see `pipeline.run`."""
        if self.corrections is not None:
            self.corrections.image = np.ascontiguousarray(np.moveaxis(indices[:3], 0, -1)).astype(np.int32)
        self._run(threads, tick)
        streams = [p.stream for p in self.passes]
        if self.corrections is not None:
            streams.append(self.corrections.coder.finish())
        told = streams[:-1] if self.plan.brief else streams
        return b"".join([varint(len(s)) for s in told] + streams)

    def stages(self, data: bytes) -> Iterator[Spent]:
        """The stages of a tile with these bytes, after `decode`."""
        for i, (job, spent) in enumerate(zip(self.jobs, sizes_of(self.plan, self.planes.shape[1:], data), strict=True)):
            spent.seconds = job.seconds
            if i < len(self.passes):
                p = self.passes[i]
                spent.bits = spent_bits(p.tally[:, 0], self.plan.model.coding, self.plan.planes[p.plane].largest.bit_length())
            yield spent

    def note(self) -> None:
        """Let `decode` note what each value takes, for `costs`."""
        for p in self.passes:
            p.noting = True
        if self.corrections is not None:
            self.corrections.note()

    def costs(self) -> Iterator[npt.NDArray[np.float64]]:
        """The bits of each place, (height, width), in each coded plane, then in the corrections if there are any: after `decode`."""
        of_plane: dict[int, list[PlanePass]] = {}
        for p in self.passes:
            of_plane.setdefault(p.plane, []).append(p)
        for i in range(len(self.plan.planes)):
            found = np.zeros(self.planes.shape[1:])
            for p in of_plane.get(i, []):
                found[p.order.top :: p.order.step, p.order.left :: p.order.step] = p.costs
            yield found
        if self.corrections is not None:
            yield self.corrections.costs()

    def decode(self, data: bytes, threads: int, tick: Callable[[float], None]) -> npt.NDArray[Any]:
        """The values of the sources, (sources, height, width) uint16. tick: see `profiles.base.Tick`. Raises FormatError."""
        streams = streams_of(data, len(self.jobs), self.plan.brief > 0)
        for p, s in zip(self.passes, streams, strict=False):
            p.coder = coder.Input(s)
        if self.corrections is not None:
            self.corrections.coder = coder.Input(streams[-1])
        total = sum(job.rows for job in self.jobs)
        self._run(threads, lambda rows: tick(rows / total))
        if self.corrections is not None:
            self.corrections.coder.finish()
        self.residuals = np.zeros((0, 0, 0), np.int32)  # what follows needs their memory
        plan, image = self.plan, self.corrections.image if self.corrections is not None else None
        restored = plan.transform.restore(self.planes, tuple(p.source for p in plan.planes), plan.sources, image)
        return sources.from_indices(restored, plan.sources)


def features(plan: PicturePlan, planes: npt.NDArray[np.int32], origin: tuple[int, int]) -> dict[tuple[int, str], npt.NDArray[np.float32]]:
    """The inputs of a tile's context networks, by (plane, name of the pass), for fitting: see `kernels.picture.observe`.

    planes: (planes, height, width) int32; origin: (y, x) of the tile in the picture. Each array is (values, inputs + 3) float32.
    """
    model = replace(plan.model, units=LANES, learning=0, contexts="none", lines=1)

    def blank(p: Pass, plane: int) -> Start:
        inputs = inputs_of(scan.taps(p, plane, plan.planes[plane].references))
        return Start(np.zeros(contextnet.parameters(inputs, LANES), np.float32), 0)

    tile = Tile(replace(plan, model=model, transform=Direct()), blank, planes, origin)
    found = {}
    for p in tile.passes:
        state = p.make()
        out = np.zeros((p.rows * -(-planes.shape[2] // p.order.step), inputs_of(state.taps) + 3), np.float32)
        found[p.plane, p.order.name] = out[: observe(tile.planes, tile.residuals, state, out)]
    return found
