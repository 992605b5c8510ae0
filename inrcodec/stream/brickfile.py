"""Bricks → a `.linr` file, in any order: each is coded by a thread, checked, and written as it comes.

The sections HEAD, meta, that of the profile and `seek` come first, then the tiles as they are coded, then the tile index. When all is
there, the digest and what was not known are put into HEAD and `seek`, and the file gets its name.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from .. import codec, container, floats, profiles, storage, values
from ..container import END, FIRST, MAGIC, VERSION, Section
from ..errors import FormatError, InrcodecError, naming
from ..header import (
    HEAD,
    INDEX,
    META,
    PADDED,
    SEEK,
    TILE,
    Header,
    digest_of_tiles,
    peak_of,
    tile_digest,
    write_header,
    write_metadata,
)
from ..layout import Layout
from ..options import Options
from ..progress import Ticker
from ..signal import Signal

Samples = npt.NDArray[Any]


class BrickFile:
    """A file that bricks are written to. `discard` must be called last.

    Attributes:
        profile: that codes them.
        waiting: bytes of samples in bricks that wait for being coded, or are being coded.
        most: the most that `waiting` was.
    """

    def __init__(self, path: Path, header: Header, tile: tuple[int, ...], metadata: Mapping[str, bytes], options: Options) -> None:
        """Begin a file. options: profile, effort, threads, verify, progress and stop matter.

        header: without profile and digest; if the first size is 0, it is not known. tile: sizes of a brick along the coordinate axes.

        Raises: UnsupportedError: the profile cannot code such bricks; ValueError: there is no such profile; InrcodecError: see
        `storage.Replacement`.
        """
        channels = header.shape[-1] if header.channel_axis else 1
        silence = -header.value_map.offset
        peak = peak_of(header.kind, header.bit_depth, header.value_map, header.float_map)
        ordered = profiles.Ordered(floats.format_name(header.part_type), header.value_map.offset) if header.float_map is not None else None
        stream = profiles.Stream(tile, channels, header.value_map.bits, header.kind, silence, header.sample_rate, peak, ordered)
        self.profile, self._coder = profiles.tile_coder(stream, options)
        self.path, self.options = path, options
        self._header = replace(header, profile=self.profile.number)
        self._padded = PADDED if header.shape[0] == 0 else 0
        section = self._coder.section
        self._decoder = self.profile.open(section.content if section else None, Layout(tile, channels, tile), header.value_map.bits)
        self._channels, self._metadata = channels, metadata
        self._pending: deque[tuple[int, Future[tuple[bytes, bytes]], int]] = deque()  # number, tile and digest, bytes of samples
        self._written: dict[int, tuple[int, bytes]] = {}  # of each tile in the file, in its order: bytes and digest
        self._ticker = Ticker(options, "coding")
        self.waiting = self.most = 0
        self._begin()

    def _begin(self) -> None:
        """Make the temporary file with what stands before the tiles."""
        self._replacement = storage.Replacement(self.path, force=True)
        self._pool = ThreadPoolExecutor(self.options.workers)
        try:
            self._file: BinaryIO = self._replacement.temporary.open("r+b")
        except OSError as fault:
            self._replacement.discard()
            raise InrcodecError(f"{self.path}: cannot be written: {storage.reason(fault)}") from fault
        try:
            with self._writing():
                sections = [Section(HEAD, write_header(self._header, self._padded))]
                sections += [Section(META, write_metadata(self._metadata))] if self._metadata else []
                sections += [self._coder.section] if self._coder.section else []
                self._file.write(MAGIC + bytes([VERSION]))
                for section in sections:
                    self._write(section)
                self._seek_at = self._file.tell()
                self._write(Section(SEEK, bytes(8)))
        except BaseException:
            self.discard()
            raise

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """An OSError raised inside becomes an InrcodecError."""
        try:
            yield
        except OSError as fault:
            raise InrcodecError(f"{self.path}: cannot be written: {storage.reason(fault)}") from fault

    def _write(self, section: Section) -> None:
        """Write a section where the file is. Raises OSError."""
        for piece in container.pieces(section):
            self._file.write(piece)

    def expect(self, bricks: int) -> None:
        """Set how many bricks there are in all, for reports of progress."""
        self._ticker.expect(bricks)

    def submit(self, number: int, samples: Samples) -> None:
        """Let a brick be coded as soon as a thread is free. It is copied. Raises what coding a brick before it has raised.

        Bricks are written in the order in which they come, so that the file does not depend on threads.
        """
        while self._pending and (self._pending[0][1].done() or len(self._pending) > self.options.workers):
            self._pop()
        brick = np.array(samples, order="C", copy=True)
        self._pending.append((number, self._pool.submit(self._code, brick), brick.nbytes))
        self.waiting += brick.nbytes
        self.most = max(self.most, self.waiting)

    def _pop(self) -> None:
        """Wait for the oldest brick, and write it. Raises what coding it has raised; InrcodecError."""
        number, future, size = self._pending.popleft()
        self.waiting -= size
        data, digest = future.result()
        with self._writing():
            self._write(Section(TILE, data))
        self._written[number] = len(data), digest

    def _code(self, samples: Samples) -> tuple[bytes, bytes]:
        """(the bytes of a brick, which were checked, its digest). Raises InrcodecError; Stopped."""
        h = self._header
        with naming(self.path):
            Signal(samples, h.kind, h.bit_depth, h.sample_rate)  # that it fits the depth
        integers = floats.to_integers(samples, h.float_map) if h.float_map else samples
        sizes = samples.shape[: samples.ndim - h.channel_axis]
        found = values.values_by(integers, h.value_map).reshape(*sizes, self._channels)
        data = self._coder.encode(found)
        if self.options.verify:
            self._verify(found, data)
        digest = tile_digest(samples)
        self._ticker(1)
        return data, digest

    def _verify(self, found: values.Values, data: bytes) -> None:
        """Raise InrcodecError if a tile does not decode to its values."""
        try:
            same = np.array_equal(self._decoder.decode_tile(tuple(slice(0, n) for n in found.shape[:-1]), data), found)
        except FormatError as fault:
            raise InrcodecError(f"{self.path}: verification failed: a brick does not decode ({fault}); please report this") from fault
        if not same:
            raise InrcodecError(f"{self.path}: verification failed: a brick does not decode to the original; please report this")

    def finish(self, shape: tuple[int, ...], layout: Layout) -> None:
        """Write what stands behind the tiles, and what was not known before them; give the file its name. All bricks must be submitted.

        Raises InrcodecError; Stopped.
        """
        while self._pending:
            self._pop()
        if self.options.verify:
            with naming(self.path):
                codec.prove(self._decoder)
        h = replace(self._header, shape=shape)
        h = replace(h, digest=digest_of_tiles(h, layout.tile, (self._written[i][1] for i in range(layout.tiles))))
        order = list(self._written)
        in_order = all(a < b for a, b in itertools.pairwise(order))
        index = codec.write_index(layout, (self._written[i][0] for i in range(layout.tiles)), [] if in_order else order)
        with self._writing():
            at = self._file.tell()
            self._write(Section(INDEX, index))
            self._write(Section(END, b""))
            self._file.seek(FIRST)
            self._write(Section(HEAD, write_header(h, self._padded)))
            self._file.seek(self._seek_at)
            self._write(Section(SEEK, at.to_bytes(8, "little")))
            self._file.close()
            self._replacement.commit()

    def discard(self) -> None:
        """Remove what is there of the file, if it has not got its name."""
        self._ticker.cancel()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._file.close()
        self._replacement.discard()
        self._pending.clear()
