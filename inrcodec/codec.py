"""Signal ↔ `.linr` bytes. A profile codes the values; this module adds header, metadata, tile index and digest, and checks them."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, cached_property
from importlib import resources
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from . import averages, compact, container, finebits, floats, known, parallel, preview, profiles, subjects, values
from .container import Reader, Section, varint
from .errors import FormatError, InrcodecError, LossyError, UnsupportedError, notice
from .files import paging, registry
from .header import HEAD, INDEX, META, TILE, Header, digest, matches, peak_of, read_header, read_metadata, write_header, write_metadata
from .layout import Box, Layout, box_shape
from .limits import NO_LIMITS, UNLIMITED, Limits
from .options import Options
from .progress import Ticker
from .signal import Signal, named

MAPPED = 160  # bytes that a sample takes while it becomes a float
BROTLI = 1 << 25  # bytes that a Brotli decoder takes, its window included
NOTED = 16  # bytes that it takes to note what a value took, at most
NOTED_BLOCK = 1 << 20  # and that the edges of a tile take besides
BUNDLE = b"BNDL"  # the manifest of a bundle, see `bundle`


def write_index(layout: Layout, lengths: Iterable[int], order: Sequence[int] = ()) -> bytes:
    """The content of section TIDX.

    lengths: of the tiles, in order; order: which tile each section TILE holds, in the order of the sections; empty: they are in order.
    """
    return b"".join(map(varint, itertools.chain(layout.tile, lengths, order)))


def read_layout(r: Reader, header: Header) -> Layout:
    """The layout, from the beginning of section TIDX; the lengths of the tiles follow it. Raises FormatError."""
    axes, channels = header.places
    tile = tuple(r.varint(n) for n in axes)
    if 0 in tile:
        raise FormatError("damaged: a tile is empty")
    return Layout(axes, channels, tile)


class Index(NamedTuple):
    """What section TIDX says.

    Attributes:
        layout: of the signal.
        lengths: bytes of the tiles, in order; empty if the file has none.
        order: which tile each section TILE holds, in the order of the sections.
    """

    layout: Layout
    lengths: Sequence[int]
    order: Sequence[int]


def read_index(content: bytes, header: Header) -> Index:
    """Parse and check section TIDX. Raises FormatError."""
    r = Reader(content, "the tile index")
    layout = read_layout(r, header)
    if header.lossy:
        r.end()
        return Index(layout, [], [])
    count = layout.tiles
    if count > r.left:  # a length takes a byte at least
        raise FormatError("damaged: the tile index is too short for its tiles")
    lengths = [r.varint() for _ in range(count)]
    if not r.left:
        return Index(layout, lengths, range(count))
    order = np.array([r.varint(count - 1) for _ in range(count)], np.int64)
    r.end()
    if (np.bincount(order, minlength=count) != 1).any():
        raise FormatError("damaged: the tile index gives two places to a tile")
    return Index(layout, lengths, order.tolist())


Tile = TypeVar("Tile", bound=Sized)


def placed(index: Index, tiles: Sequence[Tile]) -> list[Tile]:
    """The tiles in their own order, from that of the sections. Raises FormatError if they do not fit the index."""
    if len(index.order) != len(tiles):
        raise FormatError(f"damaged: it has {len(tiles)} tiles and should have {len(index.order)}")
    of_number = dict(zip(index.order, tiles, strict=True))
    found = [of_number[i] for i in range(len(tiles))]
    if any(n != len(tile) for n, tile in zip(index.lengths, found, strict=True)):
        raise FormatError("damaged: a tile's size is not the one in the index")
    return found


Failed = Callable[[int, FormatError], None]  # called with the number of a tile that cannot be decoded, and why
Taken = Callable[[Box, npt.NDArray[Any]], None]  # called with where samples are, and with them


class Costed(NamedTuple):
    """The samples of a box, in the header's shape and dtype, and what they took.

    Attributes:
        samples: see `Opened.decode`.
        bits: (planes, *sizes of the box) float32, bits of each place in each of `Opened.planes`.
        rest: bits of the tiles that lie in the box that belong to no place.
    """

    samples: npt.NDArray[Any]
    bits: npt.NDArray[np.float32]
    rest: float


@dataclass(frozen=True)
class Opened:
    """A parsed file. Its samples are decoded by `samples` and `part`, which need Options for threads, limits, progress and stop.

    tiles: their bytes, in order; None: the file lacks the tile, or it was not read. Only `damage` and `chunks` open such files.
    `stream` reads them on demand.
    held: bytes of memory that the file and its sections take.
    """

    header: Header
    profile: profiles.Profile
    layout: Layout
    metadata: dict[str, bytes]
    sections: Sequence[Section]
    tiles: Sequence[bytes | None]
    decoder: profiles.TileDecoder
    held: int = 0

    def samples(self, options: Options) -> npt.NDArray[Any]:
        """All samples, in the header's shape and dtype.

        Raises FormatError if they do not match the digest; InrcodecError if that is not the file's fault, see `prove`; LimitError; Stopped.
        """
        self.check_lossless()
        with self.blaming():
            samples = self.decode(self.whole(), options)
            if not matches(self.header, samples, self.layout):
                raise FormatError("damaged: the decoded samples do not match their digest")
        return samples

    def part(self, start: int, stop: int, options: Options) -> npt.NDArray[Any]:
        """The samples start … stop − 1 along the first axis. Only the tiles that hold them are decoded. The digest is not checked.

        Raises:
            FormatError: a tile is damaged.
            LimitError: options.limits do not allow it.
            Stopped: options.stop says so.
            ValueError: start … stop − 1 is empty or not inside the axis.
        """
        self.check_lossless()
        if not 0 <= start < stop <= self.layout.axes[0]:
            raise ValueError(f"{start} to {stop} is not a part of {self.layout.axes[0]}")
        with self.blaming():
            return self.decode((slice(start, stop), *self.whole()[1:]), options)

    def region(self, box: Box, options: Options) -> npt.NDArray[Any]:
        """A part of a picture, or of each picture of a stack. Only the tiles that hold it are decoded. The digest is not checked.

        box: slices of rows and columns; or of pages, rows and columns.

        Raises:
            FormatError: a tile is damaged.
            LimitError: options.limits do not allow it.
            Stopped: options.stop says so.
            UnsupportedError: it holds no pictures, or the part is empty or does not lie inside them.
        """
        box = self.check_region(box)
        with self.blaming():
            return self.decode(box, options)

    def check_region(self, box: Box) -> Box:
        """The box, of all pages if it names none. Raises LossyError if the samples are not in the file.

        Raises UnsupportedError if it holds no pictures or the box does not lie inside them.
        """
        self.check_lossless()
        if self.header.kind not in ("image", "stack"):
            raise UnsupportedError(f"a region can be decoded only of a picture, and this is {named(self.header.kind)}")
        axes = self.layout.axes
        whole = (*self.whole()[: len(axes) - len(box)], *box)
        if len(whole) != len(axes):
            raise UnsupportedError(f"pages can be decoded only of a stack, and this is {named(self.header.kind)}")
        if any(not 0 <= s.start < s.stop <= n for s, n in zip(whole[:-2], axes[:-2], strict=True)):
            raise UnsupportedError(f"the stack has {axes[0]} pages")
        if any(not 0 <= s.start < s.stop <= n for s, n in zip(whole[-2:], axes[-2:], strict=True)):
            height, width = axes[-2:]
            raise UnsupportedError(f"the region does not lie inside the picture, which is {width} pixels wide and {height} high")
        return whole

    def check_lossless(self) -> None:
        """Raise LossyError if the samples are not in the file."""
        if self.header.lossy:
            raise LossyError

    @contextmanager
    def blaming(self) -> Iterator[None]:
        """Ask, before a FormatError goes on, whether the file is at fault or this machine: see `prove`."""
        try:
            yield
        except FormatError:
            prove(self.decoder)
            raise

    def tile(self, index: int) -> bytes:
        """The bytes of a tile. Raises FormatError if the file lacks it."""
        data = self.tiles[index]
        if data is None:
            raise FormatError("damaged: a tile is missing")
        return data

    def whole(self) -> Box:
        """The box of all samples."""
        return tuple(slice(0, n) for n in self.layout.axes)

    def decode(self, spans: Box, options: Options, failed: Failed | None = None, more: int = 0) -> npt.NDArray[Any]:
        """The samples in a box, without a check of the digest. Shape: that of the header, with the sizes of the box; its type.

        failed: called for tiles that cannot be decoded, whose samples are then 0, or the sample nearest to 0; None: FormatError is raised.
        more: bytes that the caller needs besides. Raises LimitError; Stopped.
        """
        h, sizes = self.header, box_shape(spans)
        self.check_limits(spans, self.meeting(spans), options, more)
        found = np.empty((*sizes, self.layout.channels), h.part_type)

        def put(box: Box, samples: npt.NDArray[Any]) -> None:
            found[box] = samples

        self.each(spans, options, put, failed)
        return h.shaped(found)

    def each(self, spans: Box, options: Options, take: Taken, failed: Failed | None = None) -> None:
        """Decode the tiles that lie in a box, from several threads, without a check of the limits.

        take: called with what each tile has of the box, (*sizes, channels), and where in the box that is; failed: see `decode`.
        Raises FormatError; Stopped.
        """
        wanted = self.meeting(spans)
        inner = self._threads(wanted, options)
        ticker = Ticker(options, "decoding")
        ticker.expect(len(wanted))

        def decode_tile(index: int) -> None:
            here, there = self._meeting(index, spans)
            try:
                samples = self.cut(index, self.tile(index), inner, ticker, here)
            except FormatError as fault:
                if failed is None:
                    raise
                samples = np.zeros((*box_shape(here), self.layout.channels), self.header.part_type)
                failed(index, fault)
            take(there, samples)

        elsewhere = parallel.sent()
        if elsewhere is None or failed is not None or len(wanted) < 2:
            parallel.run(decode_tile, wanted, options.workers, ticker.cancel)
            return
        cut = ((index, self.tile(index), self._meeting(index, spans)[0]) for index in wanted)
        for index, samples in zip(wanted, elsewhere(self._away(), cut, len(wanted), ticker), strict=True):
            take(self._meeting(index, spans)[1], samples)

    def _meeting(self, index: int, spans: Box) -> tuple[Box, Box]:
        """What a tile has of a box: where that is in the tile, and where in the box."""
        box = self.layout.box(index)
        both = [(max(b.start, s.start), min(b.stop, s.stop)) for b, s in zip(box, spans, strict=True)]
        here = tuple(slice(start - b.start, stop - b.start) for (start, stop), b in zip(both, box, strict=True))
        return here, tuple(slice(start - s.start, stop - s.start) for (start, stop), s in zip(both, spans, strict=True))

    def _away(self) -> TileDecoding:
        """What decodes the tiles in another process."""
        own = next((section.content for section in self.sections if section.type == self.profile.section), None)
        return TileDecoding(self.header, own, self.layout)

    def meeting(self, spans: Box) -> list[int]:
        """The numbers of the tiles that lie in a box."""
        return self.layout.meeting(spans)

    def whole_tile(self, index: int, threads: int = 1) -> npt.NDArray[Any]:
        """The samples of a tile, (*its sizes, channels). Raises FormatError."""
        box = self.layout.box(index)
        here = tuple(slice(0, n) for n in box_shape(box))
        return self.cut(index, self.tile(index), threads, Ticker(Options(threads=1), "decoding"), here)

    def cut(self, index: int, data: bytes, threads: int, tick: parallel.Tick, here: Box) -> npt.NDArray[Any]:
        """The samples of a part of a tile, (*sizes of the part, channels). data: the bytes of the tile. Raises FormatError."""
        coded, fine = self.divided(data)
        return self._mapped(self._tile(index, coded, threads, tick), fine, here)

    def _mapped(self, found: values.Values, fine: bytes, here: Box) -> npt.NDArray[Any]:
        """The samples of a part of a tile, from its values and its fine bits. Raises FormatError."""
        h = self.header
        if h.float_map is None:
            return values.from_values(found[here], h.value_map, h.dtype)
        if not h.split:
            return floats.from_integers(values.from_values(found[here], h.value_map, h.integer_type), h.float_map, h.part_type)
        integers = values.from_values(found, h.value_map, h.integer_type)
        return finebits.decode(integers, h.float_map, h.part_type, fine)[here]

    def divided(self, tile: bytes) -> tuple[bytes, bytes]:
        """(what the profile coded, the fine bits) of a tile. Raises FormatError."""
        if not self.header.split:
            return tile, b""
        r = Reader(tile, "a tile")
        return r.take(r.varint()), r.rest()

    def _tile(self, index: int, data: bytes, threads: int, tick: parallel.Tick) -> values.Values:
        """The values of a tile, with reports of 1 in all. data: what the profile coded. Raises FormatError."""
        with _whole(tick) as count:
            return self.decoder.decode_tile(self.layout.box(index), data, threads, count)

    @property
    def planes(self) -> list[str]:
        """Names of what is coded at each place, for `decode_costs`."""
        return [*self.decoder.planes, *["fine bits"] * self.header.split]

    def noted(self, sizes: tuple[int, ...], tiles: int) -> int:
        """The most bytes that `decode_costs` of a box of these sizes takes besides samples; tiles: how many are decoded at once."""
        count = len(self.planes)
        tile = NOTED * (count + 4 * self.layout.channels) * math.prod(self.layout.tile) + NOTED_BLOCK
        return 4 * (2 * count + 1) * math.prod(sizes) + tile * tiles

    def decode_costs(self, spans: Box, options: Options) -> Costed:
        """The samples in a box, and the bits that each place took. Raises FormatError; LimitError; Stopped. The digest is not checked.

        Fine bits of floats, which are compressed as a whole, are an equal share for each place of a tile.
        """
        h, sizes, wanted, count = self.header, box_shape(spans), self.meeting(spans), len(self.planes)
        self.check_limits(spans, wanted, options, self.noted(sizes, min(options.workers, len(wanted))))
        samples, bits = np.empty((*sizes, self.layout.channels), h.part_type), np.zeros((count, *sizes), np.float32)
        inner, every = self._threads(wanted, options), (slice(None),)
        ticker = Ticker(options, "decoding")
        ticker.expect(len(wanted))

        def decode_tile(index: int) -> float:
            here, there = self._meeting(index, spans)
            box, data = self.layout.box(index), self.tile(index)
            coded, fine = self.divided(data)
            with _whole(ticker) as tick:
                found, costs = self.decoder.decode_costs(box, coded, inner, tick)
            if h.split:
                costs = np.concatenate([costs, profiles.evenly(8 * len(fine), (1, *box_shape(box)))])
            samples[there] = self._mapped(found, fine, here)
            bits[every + there] = costs[every + here]
            return 8 * len(data) - float(costs.sum(dtype=np.float64))

        rest = parallel.run(decode_tile, wanted, options.workers, ticker.cancel)
        return Costed(h.shaped(samples), bits, sum(rest))

    @staticmethod
    def _threads(wanted: Sequence[int], options: Options) -> int:
        """Threads for each of these tiles."""
        return max(1, options.workers // len(wanted))

    def check_limits(self, spans: Box, wanted: Sequence[int], options: Options, more: int = 0, kept: int | None = None) -> None:
        """Raise LimitError if options.limits do not allow what decoding a box takes. Nothing of that size is allocated.

        wanted: the numbers of the tiles that lie in the box; more: bytes that the caller needs besides; kept: what is kept of the samples,
        None: all.
        """
        sizes = box_shape(spans)
        channels, width, inner = self.layout.channels, self.header.part_type.itemsize, self._threads(wanted, options)
        options.limits.check_shape((*sizes, channels))
        at_once = self.most_of_one(wanted, inner)
        samples = math.prod(sizes) * channels * width if kept is None else kept
        options.limits.check_memory(self.held + more + samples + self.decoder.shared + at_once * min(options.workers, len(wanted)))

    def most_of_one(self, wanted: Iterable[int], threads: int) -> int:
        """The most bytes that it takes to decode one of these tiles, with so many threads, its samples included."""
        channels, width = self.layout.channels, self.header.dtype.itemsize
        found: list[int] = []
        for box in {box_shape(self.layout.box(i)): self.layout.box(i) for i in wanted}.values():
            count = math.prod(box_shape(box)) * channels
            found.append(self.decoder.memory(box, threads) + self._mapping_memory(count) + count * width)
        return max(found)

    def _mapping_memory(self, count: int) -> int:
        """The most bytes that it takes to make floats of so many integers, besides the samples."""
        if self.header.float_map is None:
            return 0
        fine = 3 * finebits.size_limit(count, self.header.part_type) + BROTLI if self.header.split else 0
        return 3 * count * self.header.part_type.itemsize + MAPPED * min(count, floats.BLOCK) + fine


@contextmanager
def _whole(tick: parallel.Tick) -> Iterator[parallel.Tick]:
    """A tick for the work of the `with` block, of which the reports add up to 1: some profiles report no progress within a tile."""
    done = 0.0

    def count(share: float) -> None:
        nonlocal done
        done += share
        tick(share)

    yield count
    tick(1.0 - done)


@dataclass(frozen=True)
class TileDecoding:
    """Decodes tiles of a file, in any process. section: the content of the profile's section."""

    header: Header
    section: bytes | None
    layout: Layout

    @cached_property
    def opened(self) -> Opened:
        """The file without its tiles."""
        profile = profiles.numbered(self.header.profile)
        decoder = profile.open(self.section, self.layout, self.header.value_map.bits)
        return Opened(self.header, profile, self.layout, {}, [], [], decoder)

    def __reduce__(self) -> tuple[type[TileDecoding], tuple[Header, bytes | None, Layout]]:
        return TileDecoding, (self.header, self.section, self.layout)

    def __call__(self, cut: tuple[int, bytes, Box], tick: parallel.Tick) -> npt.NDArray[Any]:
        """The samples of a part of a tile. cut: the number of the tile, its bytes, and which part. Raises FormatError."""
        index, data, here = cut
        return self.opened.cut(index, data, 1, tick, here)


def open_bytes(data: bytes, limits: Limits = NO_LIMITS) -> Opened:
    """Parse and validate a .linr file without decoding its samples. Raises FormatError; LimitError for its metadata."""
    sections = compact.sections_of(data)
    tiles = [section.content for section in sections if section.type == TILE]
    held = 2 * sum(map(len, tiles))  # the file, and its sections
    return assemble(sections, lambda index: placed(index, tiles), limits, held)


def open_cut(data: bytes, limits: Limits = NO_LIMITS) -> Opened:
    """As `open_bytes`; but of a file that was cut, what is left of its model may serve: then it is opened as one without samples.

    Raises FormatError; LimitError for its metadata.
    """
    try:
        return open_bytes(data, limits)
    except FormatError as fault:
        sections, begun = container.read_cut(data)
        sections += [begun] if begun else []
        single = {section.type: section.content for section in sections}
        if HEAD not in single:
            raise
        header = replace(read_header(single[HEAD]), lossy=True)
        profile = profiles.numbered(header.profile)
        if profile.section not in single or header.value_map.bits == 0:
            raise
        axes, channels = header.places
        cut = begun is not None and begun.type == profile.section
        try:
            decoder = profile.open(single[profile.section], Layout(axes, channels, axes), header.value_map.bits, cut=cut)
        except FormatError:
            raise fault from None
        if not decoder.configurations:
            raise
        metadata = read_metadata(single[META], limits) if META in single else {}
        return Opened(header, profile, Layout(axes, channels, axes), metadata, sections, [], decoder)


Finder = Callable[[Index], Sequence[bytes | None]]  # the tiles of a file in order, by what its index says; raises FormatError


def assemble(sections: Sequence[Section], tiles: Finder, limits: Limits, held: int = 0) -> Opened:
    """A file from its sections but the tiles, which are found apart. held: see `Opened`.

    Raises FormatError; LimitError for its metadata.
    """
    owners = {profile.section: profile for profile in profiles.registered() if profile.section is not None}
    single: dict[bytes, bytes] = {}
    for section in sections:
        if section.type == BUNDLE:
            raise FormatError("it holds tensors or several arrays, not a signal: decode_tensors or decode_arrays give them")
        if section.type in {HEAD, META, INDEX, *owners}:
            if section.type in single:
                raise FormatError(f"damaged: section {section.type.decode()} is there twice")
            single[section.type] = section.content
        elif section.required and section.type != TILE:
            raise FormatError(f"it needs section {section.type.decode()}, which this version does not know; a newer inrcodec may read it")
    if HEAD not in single or INDEX not in single:
        raise FormatError("damaged: it lacks its header or tile index")
    header = read_header(single[HEAD])
    profile = profiles.numbered(header.profile)
    if header.lossy and not profile.renders:
        raise FormatError("damaged: it has no samples, and its profile says nothing of them")
    for type_, owner in owners.items():
        if type_ in single and owner is not profile:
            raise FormatError(f"damaged: it has a section {type_.decode()} that its profile does not use")
    index = read_index(single[INDEX], header)
    found = tiles(index)
    metadata = read_metadata(single[META], limits) if META in single else {}
    if profile.models and header.value_map.bits == 0:
        raise FormatError("damaged: a constant signal has a model")
    own = single.get(profile.section) if profile.section is not None else None
    decoder = profile.open(own, index.layout, header.value_map.bits)
    return Opened(header, profile, index.layout, metadata, sections, found, decoder, held)


def encode(signal: Signal, options: Options) -> bytes:
    """The .linr file of a signal.

    Raises:
        InrcodecError: verification failed (options.verify), the fit diverged, or options.device is not there.
        MissingError: a network is to be fitted, and torch is not installed.
        Stopped: options.stop says so, and there is no file that could be finished.
        UnsupportedError: the profile cannot code the signal.
        ValueError: there is no such profile.
    """
    if not options.payload and (options.profile == "auto" or not profiles.named(options.profile).renders):
        able = ", ".join(profile.name for profile in profiles.registered() if profile.renders)
        raise UnsupportedError(f"profile {options.profile} always writes the samples; a file without them takes profile {able}")
    samples = signal.samples
    subject, value_map, float_map = subjects.mapped(signal, options)
    coded = profiles.encode(subject, options)
    parts = coded.parts
    if float_map and float_map.form == "split":
        tiles = zip(parts.layout.boxes(), parts.tiles, strict=True)
        shaped = signal.parts
        parts = parts._replace(tiles=[varint(len(tile)) + tile + finebits.encode(shaped[box], float_map) for box, tile in tiles])
    header = Header(
        coded.profile.number,
        signal.kind,
        samples.dtype,
        signal.bit_depth,
        samples.shape,
        signal.sample_rate,
        value_map,
        b"",
        lossy=not options.payload and coded.profile.renders,
        float_map=float_map,
        bfloat16=signal.bfloat16,
    )
    if not options.payload and not header.lossy:
        raise UnsupportedError(f"profile {coded.profile.name} has no network that gives the samples, so there is nothing but the payload")
    header = replace(header, digest=digest(header, samples))
    first = [Section(HEAD, write_header(header)), *([Section(META, write_metadata(signal.metadata))] if signal.metadata else [])]
    last = [
        *([parts.section] if parts.section else []),
        Section(INDEX, write_index(parts.layout, [] if header.lossy else map(len, parts.tiles))),
        *(Section(TILE, t) for t in parts.tiles if not header.lossy),
    ]
    shown = _preview(signal, [*first, *last]) if options.preview else []
    sections = [*first, *shown, *last]
    data = (compact.write(sections) if options.compact else None) or container.write(sections)
    if options.verify and header.lossy:
        _verify_lossy(data)
    elif options.verify:
        _verify(data, signal, options)
    return data


def _preview(signal: Signal, others: Sequence[Section]) -> list[Section]:
    """The section prev of a picture, beside all other sections; empty if there can be none, of which a Notice tells."""
    dtype = None if signal.floating else signal.samples.dtype
    found: bytes | str | None = preview.refusal(signal.kind, dtype, signal.samples.shape, signal.bit_depth)
    if found is None:
        means = averages.of_samples(signal.samples, preview.SIDE, signal.bit_depth)
        whole = container.FIRST + container.END_SIZE + sum(section.size for section in others)
        found = preview.encode(means, max(signal.bit_depth, averages.LEAST_DEPTH), whole)
    if isinstance(found, bytes):
        return [Section(preview.TYPE, found)]
    notice(f"without effect: preview ({found})", 4)
    return []


def _verify(data: bytes, signal: Signal, options: Options) -> None:
    """Raise InrcodecError if the bytes do not decode to the signal, or if this machine cannot be trusted: see `prove`."""
    check_same(lambda: decode(data, _to_verify(options)).equals(signal))
    prove(open_bytes(data).decoder)


def check_same(decodes: Callable[[], bool]) -> None:
    """Raise InrcodecError if what was encoded does not decode, or not to the original. decodes: decodes it, and says whether it is that."""
    try:
        same = decodes()
    except FormatError as fault:
        raise InrcodecError(f"verification failed: the encoded file does not decode ({fault}); please report this") from fault
    if not same:
        raise InrcodecError("verification failed: the encoded file does not decode to the original; please report this")


def _verify_lossy(data: bytes) -> None:
    """Raise InrcodecError if a lossy file cannot be read again, or if this machine cannot be trusted. Its samples cannot be compared."""
    try:
        opened = open_bytes(data)
        decoder = opened.decoder
        decoder.alone(opened.layout.axes, tuple(slice(0, 1) for _ in opened.layout.axes))
    except FormatError as fault:
        raise InrcodecError(f"verification failed: the encoded file does not decode ({fault}); please report this") from fault
    prove(decoder)


def prove(decoder: profiles.TileDecoder) -> None:
    """Show that this machine computes as the format demands, since a file that only this machine can decode is worth nothing.

    Tables in memory are compared with their hashes. Once in a process, small known files are decoded: that finds a compiler, a mode of the
    processor, or a compiled kernel on disk that gives other bits.

    Raises InrcodecError: it does not.
    """
    try:
        decoder.check()
        for name in decoder.known:
            _decode_known(name)
    except (RuntimeError, FormatError) as fault:
        raise InrcodecError(
            f"this machine does not compute as the format demands: {fault}; remove Numba's cache (NUMBA_CACHE_DIR or __pycache__), "
            "start again, and report this if it stays"
        ) from fault


@cache
def _decode_known(name: str) -> None:
    """Decode a file of inrcodec/known. Raises FormatError if its samples are not right."""
    opened = open_bytes((resources.files(known) / f"{name}.linr").read_bytes())
    if not matches(opened.header, opened.decode(opened.whole(), Options(threads=1)), opened.layout):
        raise FormatError(f"the known file {name} decodes to other samples")


def _to_verify(options: Options) -> Options:
    """The options for verification: without limits, and without a stop that has already ended a fit early."""
    stop = None if options.stop and options.stop() else options.stop
    return replace(options, stop=stop, max_samples=UNLIMITED, max_memory=UNLIMITED)


def decode(
    data: bytes,
    options: Options | None = None,
    span: tuple[float, float | None] | None = None,
    region: Box | None = None,
    pages: slice | int | None = None,
) -> Signal:
    """The signal in a .linr file.

    options: only threads, limits, progress and stop matter here.
    span: the part of a sound to decode, (start, duration) in seconds; duration None: to the end. Only the tiles that hold this part are
    decoded, and the digest is not checked.
    region: the part of the picture to decode, or of each picture of a stack, likewise: slices of rows and columns.
    pages: which pictures of a stack to decode, likewise; of one, its number from 0, the signal is an image.

    Raises:
        FormatError: the bytes are not a .linr file, or are damaged, or the samples do not fit into memory.
        LossyError: the samples are not in the file.
        LimitError: the file asks for more than options.limits allow.
        Stopped: options.stop says so.
        UnsupportedError: a span is given and the file holds no sound, or the span begins past its end; a region or pages are given and the
            file holds no picture or stack, or they do not lie inside it.
    """
    options = options or Options()
    opened = open_bytes(data, options.limits)
    h = opened.header
    try:
        if pages is not None:
            return _of_pages(opened, pages, region, options)
        if region is not None:
            samples = opened.region(region, options)
        else:
            samples = opened.samples(options) if span is None else opened.part(*_frames(h, *span), options)
        return h.signal(samples, opened.metadata)
    except MemoryError as fault:
        raise FormatError(f"not enough memory for its {math.prod(h.shape)} samples") from fault
    except UnsupportedError as fault:
        if span is not None or region is not None or pages is not None:
            raise
        raise FormatError(f"damaged: {fault}") from fault


def _of_pages(opened: Opened, pages: slice | int, region: Box | None, options: Options) -> Signal:
    """Some pages of a stack, or a region of each; of one page, an image with its metadata. Raises as `Opened.region`."""
    h = opened.header
    if h.kind != "stack":
        raise UnsupportedError(f"pages can be decoded only of a stack, and this is {named(h.kind)}")
    span = pages if isinstance(pages, slice) else slice(pages, pages + 1)
    samples = opened.region((span, *(region or opened.whole()[1:])), options)
    if isinstance(pages, slice):
        return h.signal(samples, paging.of_pages(opened.metadata, span.start, span.stop))
    alone = paging.of_pages(opened.metadata, pages, pages + 1)
    return replace(h, kind="image").signal(samples[0], alone)


def _frames(header: Header, start: float, duration: float | None) -> tuple[int, int]:
    """(first frame, frame after the last) of a span of seconds, rounded to the nearest frame and cut at the end of the sound."""
    if header.sample_rate is None:
        raise UnsupportedError(f"a part can be decoded only of a sound, and this is {named(header.kind)}; decode the whole file")
    rate, frames = header.sample_rate, header.shape[0]
    first = round(start * rate)
    if first >= frames:
        raise UnsupportedError(f"the sound ends after {frames / rate:.3f} s, so no part of it begins at {start:g} s")
    last = frames if duration is None else min(frames, first + max(1, round(duration * rate)))
    return first, last


def _stages(opened: Opened, decode: bool, options: Options) -> list[dict[str, Any]]:
    tiles, h = [tile for tile in opened.tiles if tile is not None], opened.header
    start = time.perf_counter()
    try:
        if decode:
            opened.check_limits(opened.whole(), range(opened.layout.tiles), options)
        coded = [opened.divided(tile)[0] for tile in tiles]
        found = opened.decoder.stages(coded, decode)
        if decode and not found:
            opened.samples(options)
            found = [{"name": "all", "bytes": sum(map(len, coded)), "seconds": time.perf_counter() - start, "bits": {}}]
        if found and h.split:
            found = [*found, {"name": "fine bits", "bytes": sum(map(len, tiles)) - sum(map(len, coded))}]
    except MemoryError as fault:
        raise FormatError(f"not enough memory for its {math.prod(h.shape)} samples") from fault
    return found


def _with_psnr(model: Any, header: Header) -> Any:
    """A description of a model with "psnr", in dB, beside each "mse", a mean squared error of values; None if there is no error."""
    if isinstance(model, dict):
        found = {key: _with_psnr(part, header) for key, part in model.items()}
        if "mse" in found:
            peak = peak_of(header.kind, header.bit_depth, header.value_map, header.float_map)
            found["psnr"] = 10 * math.log10(peak * peak / found["mse"]) if found["mse"] else None
        return found
    return [_with_psnr(part, header) for part in model] if isinstance(model, list) else model


def activation_of(data: bytes) -> str:
    """The activation of the network of profile `inr` that a file holds; "" if there is none. Raises FormatError."""
    return str(open_bytes(data).decoder.describe().get("activation", ""))


def info(data: bytes, stages: bool = False, options: Options | None = None) -> dict[str, Any]:
    """What a .linr file holds and where its bytes go: see `inrcodec.info`. Raises FormatError; LimitError.

    stages: whether to decode the samples too, to measure where time and bits go; options: limits, progress and stop matter.
    """
    options = replace(options or Options(), threads=1)
    opened = open_bytes(data, options.limits)
    found = describe(opened, compact.sizes(data, opened.sections), len(data), stages, options)
    if parts := found.get("network", {}).get("configurations"):  # their bytes are those of the section; what is wanted is where to cut
        start = data.index(next(section.content for section in opened.sections if section.type == opened.profile.section))
        for part in parts:
            part["bytes"] += start
    return found


def describe(opened: Opened, by_type: Mapping[bytes, int], size: int, stages: bool, options: Options) -> dict[str, Any]:
    """What `info` says of an opened file. by_type: bytes of the sections of each type; size: bytes of the file. Raises as `info`."""
    found_stages = _stages(opened, stages, options)
    h = opened.header
    own = by_type.get(opened.profile.section, 0) if opened.profile.section is not None else 0
    weights = opened.decoder.weights_bytes(own)
    sizes = {"metadata": by_type.get(META, 0), "plan": own - weights, "weights": weights, "payload": by_type.get(TILE, 0)}
    if preview.TYPE in by_type:
        sizes["preview"] = by_type[preview.TYPE]
    per, count = ("bits_per_pixel", opened.layout.places) if h.kind in ("image", "stack") else ("bits_per_sample", math.prod(h.shape))
    model = _with_psnr(dict(opened.decoder.describe()), h)
    return {
        "profile": opened.profile.name,
        "lossless": not h.lossy,
        "kind": h.kind,
        **({"format": name} if (name := registry.origin(opened.metadata)) else {}),
        "shape": list(h.shape),
        "dtype": h.type_name,
        "bit_depth": h.bit_depth,
        "sample_rate": h.sample_rate,
        "raw_bytes": h.raw_bytes,
        "file_bytes": size,
        per: 8 * size / count,
        "bytes": {"header": size - sum(sizes.values()), **sizes},
        "value_map": {"offset": h.value_map.offset, "step": h.value_map.step, "bits": h.value_map.bits},
        **({"float_map": floats.described(h.float_map)} if h.float_map else {}),
        "tiles": {"shape": list(opened.layout.tile), "count": opened.layout.tiles},
        "weights": model.pop("weights", None),
        **({"network": model} if model else {}),
        **({"stages": found_stages} if found_stages else {}),
        "metadata": {k: len(v) for k, v in opened.metadata.items()},
        **({"digest_of": "tiles"} if h.by_tiles else {}),
        "digest": h.digest.hex(),
    }
