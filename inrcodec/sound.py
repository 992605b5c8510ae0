"""Sound in `.linr` files in soundfile's manner: read, write, info, blocks and SoundFile, with its arguments, types and scales.

>>> import io, numpy as np, inrcodec.sound
>>> file = io.BytesIO()
>>> inrcodec.sound.write(file, np.array([0, 16384, -32768], np.int16), 8000)
>>> inrcodec.sound.read(io.BytesIO(file.getvalue()), frames=2, start=1)
(array([ 0.5, -1. ]), 8000)
"""

from __future__ import annotations

import errno
import io
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from os import SEEK_CUR, SEEK_END, SEEK_SET
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, TypedDict, Unpack, cast

import numpy as np
import numpy.typing as npt

from . import encode
from .errors import UnsupportedError, naming
from .files import registry
from .files.libsndfile import TAGS
from .files.pcm import Pcm, unpack
from .options import Options, check_names
from .signal import Signal, named
from .storage import replace_bytes
from .stream import StreamReader
from .stream.reader import CACHE

__all__ = ["SEEK_CUR", "SEEK_END", "SEEK_SET", "SoundFile", "SoundInfo", "blocks", "info", "read", "write"]

Samples = npt.NDArray[Any]
File = str | os.PathLike[str] | BinaryIO

LOSSY = (".mp3", ".ogg", ".oga", ".opus", ".m4a", ".aac", ".wma")  # extensions of sound that `inrcodec.files` does not know
FORMAT, FORMAT_INFO = "LINR", "inrcodec"
OTHERS = "inrcodec.files.write and soundfile.write make other files"
DTYPES = ("float64", "float32", "int32", "int16")  # that samples are converted to
WRITTEN = ("int8", "int16", "int32", "float16", "float32", "float64")  # that are stored as they are
SUBTYPES = {
    "PCM_S8": Pcm(1),
    "PCM_U8": Pcm(1, unsigned=True),
    "PCM_16": Pcm(2),
    "PCM_24": Pcm(3),
    "PCM_32": Pcm(4),
    "FLOAT": Pcm(4, floating=True),
    "DOUBLE": Pcm(8, floating=True),
}
FLOATS = {16: "FLOAT_16", 32: "FLOAT", 64: "DOUBLE"}  # subtypes by bits


class Bounds(TypedDict, total=False):
    """What a file may ask for, and how it is decoded: see `SoundFile`."""

    threads: int
    max_samples: int
    max_memory: int


class Reading(Bounds, total=False):
    """Further arguments of `read`."""

    fill_value: float | None
    out: Samples | None


class Blocks(Reading, total=False):
    """Further arguments of `blocks`."""

    always_2d: bool


def read(
    file: File,
    frames: int = -1,
    start: int = 0,
    stop: int | None = None,
    dtype: npt.DTypeLike | None = "float64",
    always_2d: bool = False,
    **more: Unpack[Reading],
) -> tuple[Samples, int]:
    """The samples of a sound, or of a part of it, and its frames per second: what soundfile.read gives of the same sound.

    Only the tiles that hold the part are decoded. If all of the sound is asked for, it is compared with the digest.

    Args:
        file: the name of a .linr file, or an open file, which is read from where it stands.
        frames: how many; below 0: all up to stop. Not both frames and stop.
        start, stop: first frame, and the one after the last; below 0: counted from the end.
        dtype: "float64" or "float32": integers become −1.0 … 1.0, divided by 2^(bits − 1). "int32" or "int16": integers are shifted so that
            their highest bit is that of the type; floats are rounded and clipped, not scaled, and NaN is 0. None: the samples as they are
            stored.
        always_2d: whether one channel too gives (frames, 1).
        more: fill_value: for frames past the end; None: there are as many as the sound has. out: an array for the samples, of one of
            these types (dtype and always_2d are then not looked at), or, with dtype None, of the stored type. threads, max_samples,
            max_memory: see `SoundFile`.

    Returns:
        (frames,) of one channel, else (frames, channels): a new array, or out, or what was filled of it; and the rate.

    Raises:
        OSError, FormatError, LimitError, LossyError, UnsupportedError: see `SoundFile`.
        ValueError: dtype or the shape of out is wrong. TypeError: both frames and stop are given.
    """
    fill_value, out = more.pop("fill_value", None), more.pop("out", None)
    with SoundFile(file, **_bounds(more)) as sound:
        count = sound.place(start, stop, frames)
        return sound.read(count, dtype, always_2d, fill_value, out), sound.samplerate


def blocks(
    file: File,
    blocksize: int | None = None,
    overlap: int = 0,
    frames: int = -1,
    start: int = 0,
    stop: int | None = None,
    dtype: npt.DTypeLike | None = "float64",
    **more: Unpack[Blocks],
) -> Iterator[Samples]:
    """The samples of a sound, block by block, as soundfile.blocks gives them. Each tile that is needed is decoded once.

    Args:
        file, frames, start, stop, dtype: see `read`.
        blocksize: frames of a block. Either this or out must be given.
        overlap: frames that a block has of the end of the one before.
        more: always_2d, fill_value, out, threads, max_samples, max_memory: see `read`.

    Raises:
        OSError, FormatError, LimitError, LossyError, UnsupportedError: see `SoundFile`; when the block is asked for.
        ValueError: blocksize or overlap cannot be; or see `read`. TypeError: both or none of two arguments are given.
    """
    always_2d, fill_value, out = more.pop("always_2d", False), more.pop("fill_value", None), more.pop("out", None)
    with SoundFile(file, **_bounds(more)) as sound:
        count = sound.place(start, stop, frames)
        yield from sound.blocks(blocksize, overlap, count, dtype, always_2d, fill_value, out)


def write(file: File, data: npt.ArrayLike, samplerate: int, subtype: str | None = None, **options: Any) -> None:
    """Write a sound to a .linr file. A file of that name is replaced when the new one is whole.

    Args:
        file: its name, of which the extension is .linr or none of another type of file; or an open file.
        data: (frames,) or (frames, channels), at most 8 channels; int8, int16, int32, float16, float32 or float64.
        samplerate: frames per second.
        subtype: what the samples become, as soundfile.write would make them: PCM_S8, PCM_U8, PCM_16, PCM_24, PCM_32, FLOAT or DOUBLE.
            Unlike in soundfile, by default nothing is converted: every bit comes back.
        options: of `inrcodec.encode`: effort, threads, metadata, …; and format: "LINR" or None.

    Raises:
        UnsupportedError: samples of another type or shape, none at all, a rate that is no whole number above 0, or the extension of another
            type of file.
        ValueError: there is no such subtype, or an option has a value that it cannot have. TypeError: there is no such option.
        InrcodecError: the file cannot be written, or verification failed. A fault of an open file is what its `write` raises.
    """
    path = None if _is_open(file) else Path(file)  # type: ignore[arg-type]
    _check_options(path, options)
    with naming(path or _label(file)):
        signal = _signal(np.asarray(data), samplerate, subtype, options.pop("metadata", None) or {})
        coded = encode(signal, **options)
    if path is None:
        file.write(coded)  # type: ignore[union-attr]
        return
    replace_bytes(path, coded, force=True)


@dataclass(frozen=True)
class SoundInfo:
    """What a file says of its sound, by soundfile's names; print shows it.

    Attributes:
        name: of the file. samplerate: frames per second. frames: how many. duration: in seconds.
        format: always "LINR". subtype: PCM_16, PCM_24, …; PCM_S8 also for what was PCM_U8; FLOAT, DOUBLE, FLOAT_16.
        tags: texts by the names of Vorbis comments: TITLE, ARTIST, …; of several under a name, the others are NAME#2, NAME#3, …
        profile: that coded it.
    """

    name: str
    samplerate: int
    channels: int
    frames: int
    duration: float
    format: str
    subtype: str
    format_info: str
    subtype_info: str
    profile: str
    tags: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        lines = (
            self.name,
            f"samplerate: {self.samplerate} Hz",
            f"channels: {self.channels}",
            f"duration: {_told(self.duration)}",
            f"format: {self.format_info} [{self.format}]",
            f"subtype: {self.subtype_info} [{self.subtype}]",
            *(f"{name}: {text}" for name, text in self.tags.items()),
        )
        return "\n".join(lines)


def info(file: File, **bounds: Unpack[Bounds]) -> SoundInfo:
    """What a file says of its sound; no samples are decoded. Arguments and errors: see `SoundFile`."""
    with SoundFile(file, **bounds) as sound:
        return SoundInfo(
            sound.name,
            sound.samplerate,
            sound.channels,
            sound.frames,
            sound.frames / sound.samplerate,
            sound.format,
            sound.subtype,
            sound.format_info,
            sound.subtype_info,
            sound.profile,
            sound.tags,
        )


class SoundFile:
    """A .linr file of a sound that is read from a position on, as soundfile.SoundFile in mode "r". A context manager.

    Decoded tiles are kept, 64 MiB of them or the last one, so reading on decodes each tile once.

    Attributes:
        name, samplerate, channels, frames, format, format_info, subtype, subtype_info, tags, profile: see `SoundInfo`.
        title, artist, album, date, comment, genre, copyright: texts among the tags; "" if there is none.
        mode, sections, endian: always "r", 1 and "FILE".
        decoded: how many tiles were decoded up to now, but for those of a sound that was read as a whole.
        closed: whether it is closed.
    """

    format, format_info = FORMAT, FORMAT_INFO
    mode, sections, endian = "r", 1, "FILE"

    def __init__(self, file: File, mode: str = "r", *others: object, **bounds: Unpack[Bounds]) -> None:
        """Open a file. Nothing is decoded yet.

        Args:
            file: its name, or an open file, which is read from where it stands, and left open. One that cannot seek is taken into memory.
            mode: "r"; `inrcodec.open` writes a sound piece by piece.
            others: none; soundfile has here what tells how to write.
            bounds: threads: at most this many; 0: as many as there are cores. max_samples, max_memory: what the file may ask for; see
                `inrcodec.decode`.

        Raises:
            OSError: the file is not there, or cannot be read.
            FormatError: it is damaged, or no .linr file of a signal.
            UnsupportedError: it holds no sound.
            LossyError: it holds no samples. LimitError: its metadata take too much memory.
            ValueError: another mode, or an option has a value that it cannot have. TypeError: file is none, or there is no such argument.
        """
        if mode != "r":
            raise ValueError(
                f"mode is {mode!r}; it can be 'r': inrcodec.sound.SoundFile reads only; inrcodec.sound.write writes a sound, "
                "and inrcodec.open writes one piece by piece"
            )
        if others:
            raise TypeError(f"{len(others)} more arguments than file and mode: samplerate, channels and so on are for writing")
        options = Options(**_bounds(bounds))
        self._reader = StreamReader(_source(file), options)
        r = self._reader
        if r.kind != "audio" or r.sample_rate is None:
            r.close()
            raise UnsupportedError(f"{r.path}: holds {named(r.kind)}, not sound")
        r.cache_bytes = max(CACHE, math.prod(r.chunks) * r.dtype.itemsize)  # else a tile would be decoded anew for each block
        self.name, self.profile = str(r.path), r.profile
        self.samplerate, self.frames = r.sample_rate, r.shape[0]
        self.channels = math.prod(r.shape[1:])
        self.subtype = FLOATS[r.bit_depth] if r.dtype.kind == "f" else f"PCM_{'S' * (r.bit_depth == 8)}{r.bit_depth}"
        self.tags = {key[4:]: text.decode("utf-8", "replace") for key, text in r.metadata.items() if key.startswith("tag/")}
        self.closed = False
        self._at = 0

    @property
    def subtype_info(self) -> str:
        """The subtype in words."""
        return _subtype_info(self.subtype)

    @property
    def decoded(self) -> int:
        """How many tiles were decoded up to now."""
        return self._reader.decoded

    def __repr__(self) -> str:
        told = f"samplerate={self.samplerate}, channels={self.channels}, format={self.format!r}, subtype={self.subtype!r}"
        return f"SoundFile({self.name!r}, mode='r', {told})"

    def __getattr__(self, name: str) -> str:
        if name not in TAGS:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return self.tags.get(TAGS[name], "")

    def __len__(self) -> int:
        return self.frames

    def __bool__(self) -> bool:
        return True  # of no frames, too

    def __enter__(self) -> SoundFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. It may be called again."""
        self.closed = True
        self._reader.close()

    def seekable(self) -> bool:
        """True."""
        return True

    def tell(self) -> int:
        """The frame that is read next."""
        self._check_open()
        return self._at

    def seek(self, frames: int, whence: int = SEEK_SET) -> int:
        """Go to a frame, counted from the beginning, from here (SEEK_CUR) or from the end (SEEK_END). Returns it.

        Raises ValueError: the sound has no such place, or whence is none of these.
        """
        self._check_open()
        if whence not in (SEEK_SET, SEEK_CUR, SEEK_END):
            raise ValueError(f"whence is {whence!r}; it can be SEEK_SET, SEEK_CUR or SEEK_END")
        place = frames + {SEEK_SET: 0, SEEK_CUR: self._at, SEEK_END: self.frames}[whence]
        if not 0 <= place <= self.frames:
            raise ValueError(f"{self.name}: there is no frame {place}; it has {self.frames}")
        self._at = place
        return place

    def place(self, start: int, stop: int | None, frames: int) -> int:
        """Go to frame start. Returns how many frames there are to read: `frames`, or, if that is below 0, those up to stop.

        start, stop: below 0: counted from the end. Raises TypeError if both frames and stop are given.
        """
        if frames >= 0 and stop is not None:
            raise TypeError("only one of frames and stop may be given")
        first, end, _ = slice(start, stop).indices(self.frames)
        self.seek(first)
        return frames if frames >= 0 else max(0, end - first)

    def read(
        self,
        frames: int = -1,
        dtype: npt.DTypeLike | None = "float64",
        always_2d: bool = False,
        fill_value: float | None = None,
        out: Samples | None = None,
    ) -> Samples:
        """The next frames, below 0: all that are left. See the function `read` for the other arguments and the result.

        Raises:
            FormatError: a tile is damaged, or all samples are read and do not match the digest. LimitError: see `max_memory`.
            ValueError: dtype or the shape of out is wrong, or the file is closed.
        """
        self._check_open()
        kind = self._type(dtype, out)
        left = self.frames - self._at
        if out is not None:
            self._check_shape(out)
            frames = len(out) if frames < 0 else min(frames, len(out))
        elif frames < 0 or (frames > left and fill_value is None):
            frames = left
        count = min(frames, left)
        found = self._samples(count, kind)
        if out is None:
            found = found if always_2d or self.channels > 1 else found[:, 0]
            if count == frames:
                return found
            out = np.empty((frames, *found.shape[1:]), found.dtype)
        out[:count] = found.reshape(count, *out.shape[1:])
        if fill_value is None:
            return out[:count]
        out[count:] = fill_value
        return out

    def blocks(
        self,
        blocksize: int | None = None,
        overlap: int = 0,
        frames: int = -1,
        dtype: npt.DTypeLike | None = "float64",
        always_2d: bool = False,
        fill_value: float | None = None,
        out: Samples | None = None,
    ) -> Iterator[Samples]:
        """The next frames, block by block: see the function `blocks`."""
        if (blocksize is None) == (out is None):
            raise TypeError("one of blocksize and out must be given, and only one")
        size = len(out) if out is not None else blocksize or 0
        if size < 1 or not 0 <= overlap < size:
            raise ValueError(f"blocks of {size} frames that overlap by {overlap}: they must have 1 frame or more, and overlap by fewer")
        left = self.frames - self._at
        if frames < 0 or (frames > left and fill_value is None):
            frames = left
        block = out
        if block is None:
            shape = (size if fill_value is not None else min(size, frames), *([self.channels] if always_2d or self.channels > 1 else []))
            block = np.empty(shape, self._type(dtype, None) or self._reader.dtype)
        kept = 0  # frames at the beginning of the block that the one before had too
        while frames > 0:
            count = min(size - kept, frames)
            self.read(count, dtype, always_2d, fill_value, block[kept:])
            whole = block if fill_value is not None else block[: kept + count]
            yield whole if out is not None else whole.copy()
            frames -= count
            kept = overlap
            if overlap and frames > 0:
                block[:overlap] = block[size - overlap :].copy()

    def copy_metadata(self) -> dict[str, str]:
        """The texts by soundfile's names: "title", "artist", …"""
        return {name: self.tags[tag] for name, tag in TAGS.items() if tag in self.tags}

    def _check_open(self) -> None:
        """Raise ValueError if the file is closed."""
        if self.closed:
            raise ValueError(f"{self.name}: the file is closed")

    def _check_shape(self, out: Samples) -> None:
        """Raise ValueError if frames of this sound do not fit into an array."""
        if out.ndim not in (1, 2) or (1 if out.ndim == 1 else out.shape[1]) != self.channels:
            raise ValueError(f"out has shape {out.shape}, and the sound has {self.channels} channels")

    def _type(self, dtype: npt.DTypeLike | None, out: Samples | None) -> np.dtype[Any] | None:
        """What samples are to be converted to; None: they are to be as they are stored. Raises ValueError if they cannot be so."""
        if dtype is None and (out is None or out.dtype == self._reader.dtype):
            return None
        wanted = np.dtype(dtype) if out is None else out.dtype
        if wanted.name not in DTYPES:
            raise ValueError(f"dtype is {wanted.name}; it can be {', '.join(DTYPES)}, or None for samples as they are stored")
        return wanted

    def _samples(self, count: int, kind: np.dtype[Any] | None) -> Samples:
        """The next samples, (count, channels), in one of DTYPES; None: as they are stored."""
        r = self._reader
        found = r.read() if count == self.frames else r[self._at : self._at + count]
        self._at += count
        shaped = found.reshape(count, self.channels)
        return shaped if kind is None else _converted(shaped, r.bit_depth, kind)


def _converted(samples: Samples, bit_depth: int, kind: np.dtype[Any]) -> Samples:
    """Stored samples in one of DTYPES, scaled as libsndfile does."""
    found: Samples
    if samples.dtype.kind == "f" and kind.kind == "f":
        with np.errstate(over="ignore"):
            found = samples.astype(kind, copy=False)
    elif samples.dtype.kind == "f":
        bounds = np.iinfo(kind)
        rounded = np.clip(np.rint(samples.astype(np.float64)), bounds.min, bounds.max)
        found = np.nan_to_num(rounded).astype(kind)  # of NaN, libsndfile's result depends on the processor
    elif kind.kind == "f":
        found = samples.astype(kind) * kind.type(2.0 ** (1 - bit_depth))
    else:
        shift = 8 * kind.itemsize - bit_depth
        found = samples.astype(kind) << shift if shift >= 0 else (samples >> -shift).astype(kind)
    return found


def _signal(data: Samples, samplerate: int, subtype: str | None, metadata: dict[str, bytes]) -> Signal:
    """What is written of samples. Raises UnsupportedError; ValueError if there is no such subtype."""
    if data.dtype.name not in WRITTEN:
        raise UnsupportedError(f"samples of type {data.dtype} cannot be written as sound; {', '.join(WRITTEN)} can")
    if subtype is None:
        return Signal(data, "audio", 0, samplerate, metadata)
    if (pcm := SUBTYPES.get(subtype.upper())) is None:
        raise ValueError(f"subtype is {subtype!r}; it can be {', '.join(SUBTYPES)}")
    Signal(data, "audio", 0, samplerate)  # tells what is wrong in plain words
    import soundfile

    if data.dtype.name == "int8":
        data = data.astype(np.int16) << 8
    kind = np.dtype(np.float32) if data.dtype.name == "float16" else data.dtype.newbyteorder("=")
    raw = io.BytesIO()
    soundfile.write(raw, data.astype(kind, copy=False), 48000, subtype.upper(), "LITTLE", "RAW")  # the rate is not stored
    samples, depth = unpack(raw.getbuffer(), 8 * pcm.size, pcm)
    return Signal(samples.reshape(data.shape), "audio", depth, samplerate, metadata)


def _check_options(path: Path | None, options: dict[str, Any]) -> None:
    """Check what `write` is given, and take "format" out of it. Raises TypeError, ValueError, UnsupportedError."""
    check_names(options, ("subtype", "format", "metadata"))
    given = options.pop("format", None)
    if given is not None and str(given).upper() != FORMAT:
        raise ValueError(f"format is {given!r}; it can be {FORMAT!r}; {OTHERS}")
    extension = path.suffix.lower() if path else ""
    if path and extension not in ("", ".linr") and (extension in LOSSY or registry.is_named(path)):
        raise UnsupportedError(f"{path}: inrcodec.sound.write makes .linr files, and {extension} names another type; {OTHERS}")


def _is_open(file: object) -> bool:
    """Whether this is an open file rather than a name. Raises TypeError if it is neither."""
    if isinstance(file, str | os.PathLike):
        return False
    if not (hasattr(file, "read") or hasattr(file, "write")):
        hint = "; bytes are read by io.BytesIO(…)" if isinstance(file, bytes | bytearray | memoryview) else ""
        raise TypeError(f"file is of type {type(file).__name__}, neither a name nor an open file{hint}")
    return True


def _source(file: File) -> Path | BinaryIO:
    """The path of a file, or an open one that can seek. Raises TypeError."""
    if isinstance(file, str | os.PathLike):
        if not os.fspath(file):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), file)  # pathlib takes "" for the folder
        return Path(file)
    _is_open(file)
    return file if file.seekable() else io.BytesIO(file.read())


def _label(file: object) -> Path:
    """What an open file is called in messages."""
    return Path(str(getattr(file, "name", f"<{type(file).__name__}>")))


def _bounds(more: Mapping[str, Any]) -> Bounds:
    """What is left for `SoundFile`. Raises TypeError: there is no such argument."""
    if unknown := sorted(more.keys() - Bounds.__annotations__):
        raise TypeError(f"{', '.join(unknown)}: there is no such argument for .linr files; there are {', '.join(Bounds.__annotations__)}")
    return cast(Bounds, more)


def _subtype_info(subtype: str) -> str:
    """A subtype in words."""
    name, _, bits = subtype.rpartition("_")
    if name == "PCM":
        return f"Signed {bits.removeprefix('S')} bit PCM"
    return {"FLOAT_16": "16 bit float", "FLOAT": "32 bit float", "DOUBLE": "64 bit float"}[subtype]


def _told(seconds: float) -> str:
    """A time as soundfile tells it."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    if hours:
        return f"{hours}:{minutes:02d}:{rest:06.3f} h"
    return f"{minutes}:{rest:06.3f} min" if minutes else f"{rest:.3f} s"
