"""Reading a `.linr` file by index: only its header and its tile index are read at first, then the bricks that an index meets."""

from __future__ import annotations

import math
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from .. import codec, parallel
from ..codec import Taken
from ..errors import FormatError, LossyError, UnsupportedError, naming
from ..header import TILE, digest_of_tiles, tile_digest
from ..layout import box_shape
from ..options import Options
from ..progress import Ticker
from ..signal import Kind, Signal
from .indexing import Along, bricks_of, parse, told
from .sections import FileParts, StoredTiles, open_parts

CACHE = 1 << 26  # bytes of bricks that are kept, if nothing else is said
SLAB = 1 << 28  # bytes of a layer of bricks, at most, that iteration decodes at once

Samples = npt.NDArray[Any]


class StreamReader:
    """A `.linr` file of a signal, read by index as an array: `f[10:20, :, 5]`. Any thread may read from it.

    Attributes:
        path: of the file; of an open file, what it calls itself.
        shape, dtype, ndim, size, nbytes: of the samples, as of an array.
        chunks: sizes of a brick along each axis. Channels are never cut.
        kind, bit_depth, sample_rate, metadata, bfloat16: see `Signal`.
        profile: the name of the profile that coded it.
        cache_bytes: bytes of decoded bricks that are kept, the last ones used.
        decoded: how many bricks were decoded up to now.
    """

    def __init__(self, file: Path | BinaryIO, options: Options, cache_bytes: int = CACHE) -> None:
        """Open a file: a path, or an open file, see `FileParts`. options: threads and limits matter.

        Raises:
            FormatError: it is damaged, or no file of a signal; LossyError: it holds no samples; LimitError: for its metadata; OSError.
            ValueError: cache_bytes is below 0.
        """
        if cache_bytes < 0:
            raise ValueError(f"cache_bytes is {cache_bytes!r}; it can be 0 or more")
        path = file if isinstance(file, Path) else Path(str(getattr(file, "name", f"<{type(file).__name__}>")))
        self.path, self.options, self.cache_bytes = path, options, cache_bytes
        self._file = FileParts(file)
        try:
            with naming(path):
                self._opened = open_parts(self._file, options.limits)
                if self._opened.header.lossy:
                    raise LossyError
        except BaseException:
            self._file.close()
            raise
        h, layout = self._opened.header, self._opened.layout
        self.shape, self.dtype = h.shape, h.dtype
        self.chunks: tuple[int, ...] = (*layout.tile, *h.shape[len(layout.tile) :])
        self.kind: Kind = h.kind
        self.bit_depth, self.sample_rate, self.bfloat16 = h.bit_depth, h.sample_rate, h.bfloat16
        self.metadata: Mapping[str, bytes] = self._opened.metadata
        self.profile = self._opened.profile.name
        self.decoded = 0
        self._cache: OrderedDict[int, Samples] = OrderedDict()
        self._lock = Lock()

    @property
    def ndim(self) -> int:
        """How many axes there are."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """How many samples there are."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of all samples in memory."""
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {str(self.path)!r}: {self.kind} {self.shape}, {self.dtype}, chunks {self.chunks}>"

    def __enter__(self) -> StreamReader:
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. Reading from it then raises ValueError."""
        self._file.close()
        with self._lock:
            self._cache.clear()

    def __getitem__(self, key: Any) -> Any:
        """The samples at an index of integers, slices and an ellipsis, as NumPy has it: an array of its own, or a scalar.

        Only the bricks that hold them are decoded. Their checksums are checked; the digest, which is of all samples, is not.

        Raises:
            IndexError: see `indexing.parse`.
            FormatError: a brick is damaged; it names the file and the brick.
            LimitError: options.limits do not allow it.
        """
        along = parse(key, self.shape)
        shape = [a.count for a in along]
        with naming(self.path):  # before anything of that size is allocated
            self.options.limits.check_shape(shape)
            self.options.limits.check_memory(math.prod(shape) * self.dtype.itemsize)
        out = np.empty(shape, self.dtype)
        if out.size:
            wanted = list(bricks_of(along, self.chunks))
            with naming(self.path):
                self._check_memory(out.nbytes, map(self._number, wanted), max(1, self.options.workers // len(wanted)))
            forwards = out[tuple(slice(None, None, -1 if a.backwards else None) for a in along)]
            self._fill(forwards, along, wanted)
        found = out.reshape([a.count for a in along if a.kept])
        return found if Ellipsis in (key if isinstance(key, tuple) else (key,)) else found[()]  # with one, NumPy gives no scalars

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Samples:
        if copy is False:
            raise ValueError("the samples are decoded, so they are always a copy")
        found = self.read()
        return found if dtype is None else found.astype(dtype, copy=False)

    def __iter__(self) -> Iterator[Any]:
        """The samples at each place along the first axis: f[0], f[1], … A layer of bricks is decoded at once, if it is not too large."""
        rows = self.chunks[0] if self.nbytes // self.shape[0] * self.chunks[0] <= SLAB else 1
        for start in range(0, self.shape[0], rows):
            yield from self[start : start + rows]

    def read(self) -> Samples:
        """All samples, compared with the digest. Raises FormatError; LimitError."""
        with naming(self.path):
            try:
                found = self._opened.samples(self.options)
                return self._checked(found)
            except MemoryError as fault:
                raise FormatError(f"not enough memory for its {self.size} samples") from fault

    def check(self) -> None:
        """Read all bricks as they are stored, and compare their checksums. None is decoded. Raises FormatError; OSError."""
        with naming(self.path):
            for _ in self._opened.tiles:
                pass

    @property
    def by_bricks(self) -> bool:
        """Whether the file was written brick by brick: then its digest is one of the bricks' digests."""
        return self._opened.header.by_tiles

    def info(self) -> dict[str, Any]:
        """What `inrcodec.info` says of a file that was written brick by brick; no tile is read.

        Raises UnsupportedError: it was not.
        """
        if not self.by_bricks:
            raise UnsupportedError("it was not written brick by brick; inrcodec.info takes its bytes")
        by_type: Counter[bytes] = Counter()
        for section in self._opened.sections:
            by_type[section.type] += section.size
        tiles = self._opened.tiles
        by_type[TILE] = sum(place.size for place in tiles.places) if isinstance(tiles, StoredTiles) else 0
        return codec.describe(self._opened, by_type, self._file.size, False, self.options)

    def verify(self, options: Options | None = None, take: Taken | None = None) -> None:
        """Decode all samples and compare them with the digest. If that is one of bricks, only some of them are in memory at a time.

        options: threads, limits, progress and stop matter; None: those that the file was opened with. take: called with where each brick is
        and with its samples, (*sizes[, channels]), from several threads.
        Raises FormatError; LimitError; Stopped.
        """
        opened, options = self._opened, options or self.options
        if not self.by_bricks:
            whole = self.read()
            if take is not None:
                take(opened.whole(), whole)
            return
        ticker = Ticker(options, "decoding")
        ticker.expect(opened.layout.tiles)

        def of_brick(number: int) -> bytes:
            samples = self._decoded(number, 1)
            if take is not None:
                take(opened.layout.box(number), samples)
            ticker(1)
            return tile_digest(samples)

        with naming(self.path):
            options.limits.check_shape(self.shape)
            self._check_memory(0, range(opened.layout.tiles), 1)
        digests = parallel.run(of_brick, range(opened.layout.tiles), options.workers, ticker.cancel)
        if digest_of_tiles(opened.header, opened.layout.tile, digests)[: len(opened.header.digest)] != opened.header.digest:
            raise FormatError(f"{self.path}: damaged: the decoded samples do not match their digest")

    # --- bricks ---------------------------------------------------------------------------------------------------

    def _number(self, place: Sequence[int]) -> int:
        """The number of a brick. place: its number along each axis, that of channels included."""
        layout = self._opened.layout
        return layout.number(place[: len(layout.axes)])

    def _fill(self, out: Samples, along: Sequence[Along], wanted: Sequence[tuple[int, ...]]) -> None:
        """Put what bricks hold of an index into an array of its shape, with rising places on all axes."""
        threads = max(1, self.options.workers // len(wanted))

        def put(place: tuple[int, ...]) -> None:
            brick = self._brick(self._number(place), threads)
            both = [a.within(i, size) for a, i, size in zip(along, place, self.chunks, strict=True)]
            out[tuple(there for there, _ in both)] = brick[tuple(here for _, here in both)]

        if len(wanted) == 1:
            put(wanted[0])
        else:
            parallel.run(put, wanted, min(self.options.workers, len(wanted)))

    def _brick(self, number: int, threads: int) -> Samples:
        """The samples of a brick, from the cache if they are there. Raises FormatError."""
        with self._lock:
            if number in self._cache:
                self._cache.move_to_end(number)
                return self._cache[number]
        found = self._decoded(number, threads)
        found.flags.writeable = False
        with self._lock:
            self._cache[number] = found
            held = sum(brick.nbytes for brick in self._cache.values())
            while held > self.cache_bytes:
                held -= self._cache.popitem(last=False)[1].nbytes
        return found

    def _decoded(self, number: int, threads: int) -> Samples:
        """The samples of a brick, (*its sizes[, channels]). Raises FormatError, which names the file and the brick."""
        opened = self._opened
        box = opened.layout.box(number)
        try:
            with opened.blaming():
                found = opened.whole_tile(number, threads)
            found = self._checked(opened.header.shaped(found.reshape(*box_shape(box), -1)))
        except FormatError as fault:
            raise FormatError(f"{self.path}: brick {number} {told(box)}: {fault}") from fault
        with self._lock:
            self.decoded += 1
        return found

    def _checked(self, samples: Samples) -> Samples:
        """Samples, if they are what the header says. Raises FormatError."""
        try:
            return Signal(samples, self.kind, self.bit_depth, self.sample_rate).samples
        except UnsupportedError as fault:
            raise FormatError(f"damaged: {fault}") from fault

    def _check_memory(self, kept: int, numbers: Iterable[int], threads: int) -> None:
        """Raise LimitError if the options' limits do not allow what it takes to decode some bricks, with so many threads for each.

        kept: bytes of what was asked for.
        """
        wanted, opened = list(numbers), self._opened
        at_once = opened.most_of_one(wanted, threads) * min(self.options.workers, len(wanted))
        self.options.limits.check_memory(opened.held + opened.decoder.shared + min(self.cache_bytes, self.nbytes) + at_once + kept)
