"""Further sound files, through libsndfile: Sun/NeXT (.au, .snd), Core Audio (.caf, also ALAC), Sony Wave64 (.w64) ↔ Signal.

Samples, rate and the tags that libsndfile knows are kept; the bytes around them are written anew, and ALAC comes back as PCM.
libsndfile says nothing of samples that are missing at the end of a file, so the headers are looked at here.

Refused: floats, µ-law and other codings that lose something.

Source of the headers that are looked at here: au(5) of SunOS, Apple Core Audio Format 1.0, Sony Wave64.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from io import BufferedReader
from pathlib import Path

import numpy as np

from ..errors import FormatError, UnsupportedError
from ..limits import Limits
from ..signal import Signal
from . import alac, tags
from .bounds import check_ratio, check_size, contents
from .metadata import Collected
from .pcm import frames_of, signed_type
from .registry import FileType

FORMATS = {".au": "AU", ".snd": "AU", ".caf": "CAF", ".w64": "W64"}  # libsndfile's names
MAGIC = {"AU": b".snd", "CAF": b"caff", "W64": b"riff\x2e\x91\xcf\x11"}
DEPTHS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32, "ALAC_16": 16, "ALAC_20": 20, "ALAC_24": 24, "ALAC_32": 32}
EDITS = 4  # bytes before the samples of a Core Audio file: how often it was edited
ALAC_FRAMES = 8192  # the most frames of a packet that libsndfile reads; a packet takes a byte at least
TAGS = {
    "title": "TITLE",
    "artist": "ARTIST",
    "album": "ALBUM",
    "date": "DATE",
    "comment": "COMMENT",
    "genre": "GENRE",
    "copyright": "COPYRIGHT",
}


def _read(path: Path, file: BufferedReader, limits: Limits, kind: str) -> Signal:
    """Read a file of libsndfile's format `kind`: (frames, channels), int8, int16 or int32, frames per second.

    Raises:
        UnsupportedError: samples that are neither integer PCM nor ALAC, or none.
        FormatError: not a file of that format, damaged, or truncated.
    """
    import soundfile

    data = contents(file, limits)
    if not data.startswith(MAGIC[kind]):  # else libsndfile guesses, and may take it for MPEG
        raise FormatError(f"not a file of type {kind}")
    _check_ends(data)
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as f:
            if f.format != kind:
                raise FormatError(f"not a file of type {kind} but {f.format}")
            if f.subtype not in DEPTHS:
                raise UnsupportedError(f"{f.subtype_info} samples are not supported; only integer PCM and ALAC are")
            depth, rate, frames, found = DEPTHS[f.subtype], f.samplerate, f.frames, f.copy_metadata()
            if frames > 0:
                check_size(limits, (frames, f.channels), 4, 3, len(data))
                if f.subtype.startswith("ALAC"):
                    check_ratio(len(data), frames, ALAC_FRAMES, f"{frames} frames")
                    _check_alac(data, depth, frames)
                else:
                    check_ratio(len(data), frames * f.channels * depth // 8, 1, f"{frames} frames")
            wide = f.read(dtype="int32", always_2d=True)
    except (RuntimeError, MemoryError) as e:
        raise FormatError("truncated, or damaged: libsndfile cannot read it") from e
    if frames == 0:
        raise UnsupportedError("the sound has no samples")
    if len(wide) != frames:
        raise FormatError(f"truncated: {len(wide)} of {frames} frames are there")
    if depth < 32 and np.any(wide & ((1 << 32 - depth) - 1)):
        raise FormatError(f"damaged: samples of more than {depth} bits")
    metadata = Collected()
    for name, text in found.items():
        if name in TAGS:
            metadata.add(f"tag/{TAGS[name]}", text.encode())
    return Signal((wide >> (32 - depth)).astype(signed_type(depth)), "audio", depth, rate, metadata)


def write(path: Path, signal: Signal) -> None:
    """Write PCM of 8, 16, 24 or 32 bits, in the format that the extension names.

    Raises:
        UnsupportedError: not sound, another depth, or a rate or channels that libsndfile cannot write.
    """
    import soundfile

    x = frames_of(signal, path.suffix)
    size, kind = signal.bit_depth, FORMATS[path.suffix.lower()]
    if size % 8:
        raise UnsupportedError(f"a {path.suffix} file of {size} bits cannot be written, only of 8, 16, 24 and 32; .wav can")
    subtype = next(s for s in (f"PCM_{size}", f"PCM_S{size}", f"PCM_U{size}") if soundfile.check_format(kind, s))
    known = tags.of(signal.metadata)
    try:
        with soundfile.SoundFile(path, "w", signal.sample_rate or 0, x.shape[1], subtype, format=kind) as f:
            for name, tag in TAGS.items():
                if f"tag/{tag}" in known:
                    with suppress(RuntimeError):  # a format without such texts
                        setattr(f, name, tags.utf8(known[f"tag/{tag}"]).decode().partition("\0")[0])
            f.write(x.astype(np.int32) << (32 - size))
    except (RuntimeError, MemoryError) as e:
        raise UnsupportedError(f"libsndfile cannot write this sound as {path.suffix}; .wav can hold it") from e


def _check_alac(data: bytes, depth: int, frames: int) -> None:
    """Refuse ALAC that libsndfile does not read exactly."""
    found: dict[bytes, memoryview] = {}
    for name, start, end in _chunks(data):
        if name in found and name in (b"desc", b"pakt", b"data"):
            raise FormatError(f"damaged: chunk {name.decode()!r} is there twice")
        found[name] = memoryview(data)[start : end or len(data)]
    description, table, sound = (found.get(name, memoryview(b"")) for name in (b"desc", b"pakt", b"data"))
    alac.check(bytes(description), bytes(table), sound[EDITS:], depth, frames)


def _check_ends(data: bytes) -> None:
    """Refuse a file that ends before its samples or chunks do. libsndfile reads what is there without a word."""
    if data[:4] == b".snd":
        start, size = (int.from_bytes(data[i : i + 4], "big") for i in (4, 8))
        ends = [(b"data", 0 if size == 0xFFFFFFFF else start + size)]
    else:
        ends = [(name, end) for name, _, end in _chunks(data)]
    for name, end in ends:
        if end > len(data):
            what = "samples end" if name == b"data" else f"chunk {name.decode('latin-1')!r} ends"
            raise FormatError(f"truncated: its {what} at byte {end}, and it has {len(data)}")


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(name, start, end) of the content of each chunk of a Core Audio or W64 file; end is 0 where it is the end of the file."""
    at, big, head, align = (8, "big", 4, 1) if data[:4] == b"caff" else (40, "little", 16, 8)
    own = head + 8 if big == "little" else 0  # what a chunk's size counts of its own header
    while at + head + 8 <= len(data):
        size = int.from_bytes(data[at + head : at + head + 8], big, signed=True)  # type: ignore[arg-type]
        start = at + head + 8
        end = start + size - own
        if size < own:
            yield data[at : at + 4], start, 0
            return
        yield data[at : at + 4], start, end
        at = -(-end // align) * align


PCM = "integer PCM of 8, 16, 24 and 32 bits"
ALAC = f"{PCM}; ALAC is read too, and comes back as PCM"
TYPES = (
    FileType("AU", "audio", (".au", ".snd"), PCM, re.escape(MAGIC["AU"]), partial(_read, kind="AU"), write),
    FileType(
        "CAF",
        "audio",
        (".caf",),
        ALAC,
        re.escape(MAGIC["CAF"]),
        partial(_read, kind="CAF"),
        write,
    ),
    FileType("W64", "audio", (".w64",), PCM, re.escape(MAGIC["W64"]), partial(_read, kind="W64"), write),
)
