"""What WAV and AIFF share: sample data inside a chain of chunks, given back byte for byte.

Everything before the samples is the head, everything after them (the pad byte included) the tail. They are kept as
`NAME/head` and `NAME/tail` where they are not what the writer would make from the rest of the signal; the tail never
without its head, so that the two cannot end up around other samples. They are written back only if a reader would find
this very signal's frames, channels, rate, depth and tags in them; else the writer makes its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from io import BufferedReader
from pathlib import Path

from ..errors import InrcodecError, UnsupportedError
from ..limits import Limits
from ..signal import Signal
from . import tags
from .bounds import check_size, contents
from .pcm import MAX_BYTES, Pcm, container, frames_of, pack, unpack


class Spliced:
    """A file as head + hole + tail, sliced like bytes, where nobody looks into the hole: it is not stored."""

    def __init__(self, head: bytes, hole: int = 0, tail: bytes = b"") -> None:
        self.head, self.hole, self.tail = head, hole, tail

    def __len__(self) -> int:
        return len(self.head) + self.hole + len(self.tail)

    def __getitem__(self, span: slice) -> bytes:
        start, stop, _ = span.indices(len(self))
        after = len(self.head) + self.hole
        return self.head[start:stop] + self.tail[max(start - after, 0) : max(stop - after, 0)]

    def number(self, at: int, size: int, big_endian: bool = False) -> int:
        """An unsigned number of `size` bytes."""
        return int.from_bytes(self[at : at + size], "big" if big_endian else "little")


@dataclass(frozen=True)
class Layout:
    """What the chunks of a file say: where the samples begin and what they are.

    Attributes:
        start: where the samples begin, in bytes from the beginning of the file.
        frames: their number; a frame has one sample of every channel.
        channels: samples of a frame.
        bits: bits per sample that the file claims.
        rate: frames per second.
        pcm: how a sample is stored.
        metadata: tags and channel mask.
    """

    start: int
    frames: int
    channels: int
    bits: int
    rate: int
    pcm: Pcm
    metadata: dict[str, bytes]

    @property
    def end(self) -> int:
        """Where the samples end, in bytes from the beginning of the file."""
        return self.start + self.frames * self.channels * self.pcm.size


@dataclass(frozen=True)
class Dialect:
    """One chunk format.

    Attributes:
        name: prefix of the metadata keys.
        extension: for messages.
        parse: finds the layout; raises InrcodecError.
        head: what the writer puts before the samples of a signal if so many bytes follow them.
        tail: what it puts after them.
        pcm: how the writer stores the samples of a signal.
        floating: the bits of floats that it can write.
    """

    name: str
    extension: str
    parse: Callable[[Spliced], Layout]
    head: Callable[[Signal, int], bytes]
    tail: Callable[[Signal], bytes]
    pcm: Callable[[Signal], Pcm]
    floating: tuple[int, ...] = ()


def chunk(name: bytes, body: bytes, big_endian: bool = False) -> bytes:
    """The bytes of a chunk: its name of 4 bytes, its size, its body, padded to an even length."""
    return name + len(body).to_bytes(4, "big" if big_endian else "little") + body + bytes(len(body) & 1)


def padding(size: int) -> bytes:
    """What follows a chunk of so many bytes, so that the next one begins at an even place."""
    return bytes(size & 1)


def read(file: BufferedReader, dialect: Dialect, limits: Limits) -> Signal:
    """Read a file of that dialect: (frames, channels), signed or floats.

    Raises:
        UnsupportedError: the samples are neither integer PCM of 1 to 32 bits nor floats of 32 or 64, or there are none.
        FormatError: not a file of that dialect, damaged, or truncated.
    """
    data = contents(file, limits)
    layout = dialect.parse(Spliced(data))
    # unpacked to 32 bits, then narrowed; whether the file holds them is checked by `parse`
    check_size(limits, (layout.frames, layout.channels), max(4, layout.pcm.size), 2, 2 * len(data))
    x, depth = unpack(memoryview(data)[layout.start : layout.end], layout.bits, layout.pcm)
    signal = Signal(x.reshape(layout.frames, layout.channels), "audio", depth, layout.rate, layout.metadata)
    head, tail = data[: layout.start], data[layout.end :]
    kept = {}
    usual_tail = tail == dialect.tail(signal)
    if not usual_tail or head != dialect.head(signal, len(tail)):
        kept[f"{dialect.name}/head"] = head
    if not usual_tail:
        kept[f"{dialect.name}/tail"] = tail
    return replace(signal, metadata={**layout.metadata, **kept}) if kept else signal


def write(path: Path, signal: Signal, dialect: Dialect) -> None:
    """Write a file of that dialect, the one it was read from if that is known.

    Raises:
        UnsupportedError: not sound, floats that the dialect does not have, or more than 32 bits, 8 channels or the bytes that it can count.
    """
    x = frames_of(signal, dialect.extension, dialect.floating)
    parts = _kept(signal, dialect)
    if parts is None:
        pcm = dialect.pcm(signal)
        tail = dialect.tail(signal)
        parts = dialect.head(signal, len(tail)), tail, pcm
    head, tail, pcm = parts
    with path.open("wb") as f:
        f.write(head)
        f.write(pack(x, signal.bit_depth, pcm))
        f.write(tail)


def _kept(signal: Signal, dialect: Dialect) -> tuple[bytes, bytes, Pcm] | None:
    """The head and the tail that came with the signal, unless they say something else than the signal does."""
    head = signal.metadata.get(f"{dialect.name}/head")
    if head is None:
        return None
    channels = 1 if signal.samples.ndim == 1 else signal.samples.shape[1]
    wanted = (len(signal.samples), channels, signal.sample_rate, tags.of(signal.metadata))
    # only the head knows how many bytes it gives each sample, and where to look for that depends on them
    floating = signal.samples.dtype.kind == "f"
    least = container(signal.bit_depth)
    for size in range(least, least + 1 if floating else MAX_BYTES + 1):
        hole = signal.samples.size * size
        tail = signal.metadata.get(f"{dialect.name}/tail", padding(hole))
        try:
            found = dialect.parse(Spliced(head, hole, tail))
        except InrcodecError:
            continue
        if (
            (found.start, found.end, found.pcm.size, found.pcm.floating) == (len(head), len(head) + hole, size, floating)
            and (found.frames, found.channels, found.rate, found.metadata) == wanted
            and signal.bit_depth in (found.bits, 8 * size)
        ):
            return head, tail, found.pcm
    return None


def checked_layout(layout: Layout) -> Layout:
    """The layout itself, if sound can be read with it.

    Raises:
        UnsupportedError: no channels, frames or rate, a sample of more than 32 bits, or floats of other than 32 or 64.
    """
    if layout.channels == 0:
        raise UnsupportedError("the sound has no channels")
    if layout.rate == 0:
        raise UnsupportedError("the sound has no usable sample rate")
    if layout.frames == 0:
        raise UnsupportedError("the sound has no samples")
    if layout.pcm.floating and not (layout.pcm.size in (4, 8) and layout.bits == 8 * layout.pcm.size):
        raise UnsupportedError(f"floats of {layout.bits} bits in {layout.pcm.size} bytes are not supported; those of 32 and 64 bits are")
    if not layout.pcm.floating and not (1 <= layout.pcm.size <= MAX_BYTES and 1 <= layout.bits <= 8 * layout.pcm.size):
        raise UnsupportedError(f"{layout.bits} bits per sample in {layout.pcm.size} bytes are not supported")
    return layout
