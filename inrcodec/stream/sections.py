"""The sections of a `.linr` file on disk, of which tiles are read when they are asked for."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import BinaryIO, overload

from .. import codec, container
from ..codec import BUNDLE, Opened
from ..container import END, FIRST, Reader, Section
from ..errors import FormatError
from ..header import HEAD, INDEX, SEEK, TILE, read_header
from ..limits import Limits

FRAME = 4 + container.MAX_VARINT_BYTES  # bytes that hold the type and the length of a section


class FileParts:
    """A file of which parts are read, from any thread.

    file: its path; or an open file that can seek, which is read from where it stands, and is left open.
    """

    def __init__(self, file: Path | BinaryIO) -> None:
        self._own = isinstance(file, Path)
        self._file: BinaryIO = file.open("rb") if isinstance(file, Path) else file
        self._lock = Lock()
        self._closed = False
        self._first = 0 if self._own else self._file.tell()
        self.size = self._file.seek(0, os.SEEK_END) - self._first

    def close(self) -> None:
        """Close the file. What is read after that raises ValueError."""
        with self._lock:
            self._closed = True
            if self._own:
                self._file.close()

    def read(self, start: int, count: int) -> bytes:
        """`count` bytes from byte `start` on, fewer at the end of the file. Raises OSError."""
        with self._lock:
            if self._closed:
                raise ValueError("I/O operation on closed file")
            if start >= self.size:  # a damaged index can say anything, also what no file can seek to
                return b""
            self._file.seek(self._first + start)
            return self._file.read(count)

    def frame(self, start: int) -> tuple[bytes, int, int]:
        """(type, bytes of the content, bytes with its frame) of the section that begins at byte `start`. Raises FormatError."""
        r = Reader(self.read(start, FRAME), "the file")
        kind, length = container.read_frame(r)
        whole = r.position + length + 4
        if start + whole > self.size:
            raise FormatError("truncated: the file ends too early")
        return kind, length, whole

    def section(self, start: int, size: int) -> Section:
        """The section of so many bytes, with its frame, that begins at byte `start`. Raises FormatError."""
        reader = Reader(self.read(start, size), "the file")
        found = container.read_section(reader)
        reader.end()
        return found


@dataclass(frozen=True)
class Place:
    """Where a section TILE is: its first byte, its bytes with the frame, and those of its content, which `len` gives."""

    start: int
    size: int
    length: int

    def __len__(self) -> int:
        return self.length


class StoredTiles(Sequence[bytes]):
    """The contents of the tiles of a file, in order, each read and checked when it is asked for. Raises FormatError then."""

    def __init__(self, file: FileParts, places: Sequence[Place]) -> None:
        self.file, self.places = file, places

    def __len__(self) -> int:
        return len(self.places)

    @overload
    def __getitem__(self, index: int) -> bytes: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[bytes]: ...

    def __getitem__(self, index: int | slice) -> bytes | Sequence[bytes]:
        if isinstance(index, slice):
            return StoredTiles(self.file, self.places[index])
        place = self.places[index]
        section = self.file.section(place.start, place.size)
        if section.type != TILE or len(section.content) != place.length:
            raise FormatError("damaged: it has no such tile where the tile index says")
        return section.content


def open_parts(file: FileParts, limits: Limits) -> Opened:
    """Parse and check a file but for its tiles, which are read when they are asked for. Raises FormatError; LimitError; OSError."""
    start = file.read(0, FIRST)
    container.check_start(start)
    if container.is_compact(start):
        limits.check_memory(2 * file.size)
        return codec.open_bytes(file.read(0, file.size), limits)
    sections, places = _Outline(file, limits).found()
    return codec.assemble(sections, lambda index: StoredTiles(file, codec.placed(index, places)), limits)


class _Outline:
    """The sections of a file but the tiles, and where the tiles are."""

    def __init__(self, file: FileParts, limits: Limits) -> None:
        self.file, self.limits = file, limits

    def found(self) -> tuple[list[Section], list[Place]]:
        """(the sections, where the tiles are), both in the order of the file. Raises FormatError; LimitError."""
        before, none, first = self._walk(FIRST, stop=TILE)
        if first == self.file.size or (before and before[0].type == BUNDLE):
            return before, none
        behind = self._jump(before, first)
        if behind is None:
            others, places, _ = self._walk(first)
            return [*before, *others], places
        return [*before, *behind[0]], behind[1]

    def _walk(self, start: int, stop: bytes = b"") -> tuple[list[Section], list[Place], int]:
        """(sections, tiles, where it ended) from byte `start` to the end of the file, or to the first section of a type.

        A bundle ends after its first section.
        """
        sections: list[Section] = []
        places: list[Place] = []
        while True:
            kind, length, size = self.file.frame(start)
            if kind == stop:
                return sections, places, start
            if kind == TILE:
                places.append(Place(start, size, length))
            else:
                self.limits.check_memory(2 * size)
                section = self.file.section(start, size)
                if kind == END:
                    if start + size != self.file.size:
                        raise FormatError(f"damaged: the file has {self.file.size - start - size} bytes too many")
                    return sections, places, self.file.size
                sections.append(section)
                if kind == BUNDLE:
                    return sections, places, start + size
            start += size

    def _jump(self, before: Sequence[Section], first: int) -> tuple[list[Section], list[Place]] | None:
        """(the sections behind the tiles, where the tiles are), by the index; None if the file is not as the index makes expect.

        before: the sections before the first tile; first: where that is.
        """
        single = {section.type: section.content for section in before}
        if HEAD not in single:
            return None
        content = single.get(INDEX) or self._pointed_at(single.get(SEEK, b""))
        if content is None:
            return None
        index = codec.read_index(content, read_header(single[HEAD]))
        places: list[Place] = []
        start = first
        for tile in index.order:
            length = index.lengths[tile]
            places.append(Place(start, container.framed(length), length))
            start += places[-1].size
        try:
            sections, others, _ = self._walk(start)
        except FormatError:
            return None
        return None if others else (sections, places)

    def _pointed_at(self, seek: bytes) -> bytes | None:
        """The content of the index that a section `seek` points at; None if there is none."""
        start = int.from_bytes(seek, "little")
        if len(seek) != 8 or start >= self.file.size:
            return None
        try:
            kind, _, size = self.file.frame(start)
            self.limits.check_memory(2 * size)
            return self.file.section(start, size).content if kind == INDEX else None
        except FormatError:
            return None
