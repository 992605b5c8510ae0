"""Sound, and arrays of one axis: as a WAV file that browsers play, as a waveform, and as bits over time."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from ..codec import Opened
from ..errors import InrcodecError, UnsupportedError
from .held import Held
from .samples import Parts, Piece, Samples, strips

RATES = (3000, 768_000)  # frames per second that browsers play
CHANNELS = 2  # that every browser plays as they are
HEAD = 44  # bytes of a WAV file before its samples
INTEGERS, FLOATS = 1, 3  # WAV's numbers of sample formats
MOST_COLUMNS = 1 << 13
WORKED = 40  # bytes that a sample takes while it is measured, at most
COLUMN = 200  # and a column, which becomes a text
LARGEST = 0xFFFFFFFF  # that a size in a WAV file can be

Columns = list[list[float | None]]  # of each channel, of each column; None: unknown


@dataclass(frozen=True)
class Wave:
    """The WAV file that a browser gets of a sound.

    dtype: "<i2" or "<f4"; channels: 1 or 2; rate: frames per second; frames: how many.
    """

    dtype: np.dtype[Any]
    channels: int
    rate: int
    frames: int

    @classmethod
    def of(cls, opened: Opened) -> Wave:
        """That of a sound. Raises UnsupportedError: it is none, or no browser plays its rate."""
        header = opened.header
        if header.kind != "audio" or header.sample_rate is None:
            raise UnsupportedError("it is no sound")
        if not RATES[0] <= header.sample_rate <= RATES[1]:
            raise UnsupportedError(f"browsers do not play {header.sample_rate} frames per second")
        plain = header.float_map is None and header.dtype.kind == "i" and header.bit_depth <= 16
        dtype = np.dtype("<i2" if plain else "<f4")
        return cls(dtype, min(opened.layout.channels, CHANNELS), header.sample_rate, header.shape[0])

    @property
    def frame(self) -> int:
        """Bytes of a frame."""
        return self.dtype.itemsize * self.channels

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return HEAD + self.frame * self.frames

    def head(self) -> bytes:
        """The first HEAD bytes of the file. Sizes that a WAV file cannot say are the largest that it can."""
        form = INTEGERS if self.dtype.kind == "i" else FLOATS
        data, bits = min(self.frame * self.frames, LARGEST), 8 * self.dtype.itemsize
        riff = struct.pack("<4sI4s", b"RIFF", min(self.size - 8, LARGEST), b"WAVE")
        fmt = struct.pack("<4sIHHIIHH", b"fmt ", 16, form, self.channels, self.rate, self.rate * self.frame, self.frame, bits)
        return riff + fmt + struct.pack("<4sI", b"data", data)

    def packed(self, opened: Opened, parts: Parts) -> bytes:
        """Frames as the file has them. parts: (frames, channels) of the sound."""
        header = opened.header
        if parts.shape[1] > CHANNELS:
            x = np.nan_to_num(_scaled(opened, parts), nan=0.0, posinf=1.0, neginf=-1.0)
            scaled = np.stack([x[:, 0::2].mean(axis=1), x[:, 1::2].mean(axis=1)], axis=1)
            return (np.rint(scaled * 0x7FFF) if self.dtype.kind == "i" else scaled).astype(self.dtype).tobytes()
        if self.dtype.kind == "i":
            return (parts.astype(np.int32) << (16 - header.bit_depth)).astype(self.dtype).tobytes()
        return np.nan_to_num(_scaled(opened, parts), nan=0.0, posinf=1.0, neginf=-1.0).astype(self.dtype).tobytes()


def changes(opened: Opened) -> str:
    """What of a sound is changed so that a browser plays it, in a sentence; "" if nothing is. Raises UnsupportedError: see `Wave.of`."""
    wave, header, told = Wave.of(opened), opened.header, []
    if wave.dtype.kind == "f" and header.float_map is None:
        told.append(f"samples of {header.bit_depth} bits as floats of 32 bits")
    elif wave.dtype.kind == "f" and header.bit_depth != 32:
        told.append(f"floats of {header.bit_depth} bits as floats of 32 bits")
    elif wave.dtype.kind == "i" and header.bit_depth != 16:
        told.append(f"samples of {header.bit_depth} bits as samples of 16 bits")
    if (channels := opened.layout.channels) > CHANNELS:
        told.append(f"the {channels} channels mixed to two")
    return f"The browser gets {' and '.join(told)}." if told else ""


def _scaled(opened: Opened, parts: Parts) -> npt.NDArray[np.float64]:
    """Samples as floats: integers from −1 to 1, floats as they are."""
    native = parts.astype(parts.dtype.newbyteorder("="), copy=False)
    if opened.header.bfloat16:
        native = (native.astype(np.uint32) << 16).view(np.float32)
    whole = opened.header.kind == "audio" and native.dtype.kind != "f"
    found: npt.NDArray[np.float64] = native.astype(np.float64) / (2.0 ** (opened.header.bit_depth - 1) if whole else 1.0)
    return found


async def wav(samples: Samples, held: Held, first: int, last: int) -> AsyncIterator[bytes]:
    """The bytes from `first` to `last` of the WAV file of a sound, both included. What cannot be decoded is silence.

    Raises InrcodecError: it is no sound that browsers play.
    """
    wave = Wave.of(held.tiled)
    if first < HEAD:
        yield wave.head()[first : last + 1]
        first = HEAD
    tile = held.tiled.layout.tile[0]
    while first <= last:
        frame, skip = divmod(first - HEAD, wave.frame)
        stop = min(wave.frames, (frame // tile + 1) * tile, (last - HEAD) // wave.frame + 1)
        try:
            (piece,) = await samples.pieces(held, (slice(frame, stop),), WORKED * (stop - frame) * held.tiled.layout.channels)
        except InrcodecError as fault:  # the headers are sent already; the page is told by its next question
            piece = Piece((slice(frame, stop),), None, str(fault))
        packed = bytes(wave.frame * (stop - frame)) if piece.parts is None else wave.packed(held.tiled, piece.parts)
        part = packed[skip : skip + last + 1 - first]
        yield part
        first += len(part)


async def waveform(samples: Samples, held: Held, start: int, stop: int, columns: int) -> dict[str, Any]:
    """The least and the largest sample of each column of frames start to stop − 1, for each channel; integers of sound from −1 to 1.

    Raises InrcodecError.
    """
    _check(held, start, stop, columns)
    edges, box = _edges(start, stop, columns), (slice(start, stop),)
    channels = held.tiled.layout.channels
    low = np.full((len(edges) - 1, channels), np.inf)
    high, lock = -low, Lock()

    def take(piece: Piece) -> None:
        for (frames,), parts in strips(piece):
            at, which = _starts(edges, frames.start + start, frames.stop + start)
            x = _scaled(held.tiled, parts)
            known = np.isfinite(x)
            least = np.minimum.reduceat(np.where(known, x, np.inf), at, axis=0)
            largest = np.maximum.reduceat(np.where(known, x, -np.inf), at, axis=0)
            with lock:  # two strips can share a column
                low[which] = np.minimum(low[which], least)
                high[which] = np.maximum(high[which], largest)

    async with samples.room(held, box, COLUMN * channels * len(edges) + WORKED * samples.at_once(held, box)):
        faults = await samples.each(held, box, take)
        return {"edges": edges.tolist(), "low": _known(low), "high": _known(high), "faults": faults}


async def costs(samples: Samples, held: Held, start: int, stop: int, columns: int, plane: int) -> dict[str, Any]:
    """The mean bits of a frame in each column of frames start to stop − 1. plane: −1: of all coded planes. Raises InrcodecError."""
    _check(held, start, stop, columns)
    edges, box = _edges(start, stop, columns), (slice(start, stop),)
    if not -1 <= plane < len(held.tiled.planes):
        raise UnsupportedError(f"there is no coded plane {plane}")
    sums, lock = np.zeros((len(edges) - 1, 1)), Lock()

    def take(piece: Piece) -> None:
        for (frames,), parts in strips(piece):
            bits = parts.sum(axis=1) if plane < 0 else parts[:, plane]
            at, which = _starts(edges, frames.start + start, frames.stop + start)
            found = np.add.reduceat(bits.astype(np.float64), at)
            with lock:
                sums[which, 0] += found

    async with samples.room(held, box, COLUMN * len(edges) + WORKED * samples.at_once(held, box, "costs"), "costs"):
        faults = await samples.each(held, box, take, "costs")
        means = sums / np.diff(edges)[:, None]
        return {"edges": edges.tolist(), "bits": _known(means)[0], "faults": faults}


async def told(samples: Samples, held: Held, frame: int) -> list[str]:
    """The exact samples of a frame, as texts. Raises InrcodecError."""
    _check(held, frame, frame + 1, 1)
    (piece,) = await samples.pieces(held, (slice(frame, frame + 1),))
    if piece.parts is None:
        return ["lost"]
    parts = piece.parts
    if held.tiled.header.bfloat16:
        parts = (parts.astype(np.uint32) << 16).view(np.float32)
    return [str(value) for value in parts[0].astype(parts.dtype.newbyteorder("="))]


def _check(held: Held, start: int, stop: int, columns: int) -> None:
    """Raise UnsupportedError if it has no such frames."""
    axes = held.tiled.layout.axes
    if len(axes) != 1 or not 0 <= start < stop <= axes[0] or not 1 <= columns <= MOST_COLUMNS:
        raise UnsupportedError("the part does not lie inside the sound")


def _edges(start: int, stop: int, columns: int) -> npt.NDArray[np.int64]:
    """The first frame of each column, and the one after the last; no column is empty."""
    count = min(columns, stop - start)
    return start + np.arange(count + 1, dtype=np.int64) * (stop - start) // count


def _starts(edges: npt.NDArray[np.int64], first: int, last: int) -> tuple[npt.NDArray[np.int64], slice]:
    """Where the columns begin in the frames first to last − 1, counted from `first`, and which columns these are."""
    begin, end = int(np.searchsorted(edges, first, "right")) - 1, int(np.searchsorted(edges, last, "left"))
    return np.maximum(edges[begin:end] - first, 0), slice(begin, end)


def _known(columns: npt.NDArray[np.float64]) -> Columns:
    """(columns, channels) as lists for each channel, None for what is not finite, which JSON lacks."""
    return [[value if np.isfinite(value) else None for value in channel] for channel in columns.T.tolist()]
