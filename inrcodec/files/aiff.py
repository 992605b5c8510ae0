"""AIFF and AIFF-C ↔ Signal, byte for byte.

Read: integer PCM of 1 to 32 bits, big-endian (`NONE`, `twos`) or little-endian (`sowt`). Samples of fewer bits than their
bytes hold are shifted down if the spare bits are 0. All chunks come back as they were (see `chunked`); the texts NAME,
AUTH, (c) and ANNO are tags as well. A rate that is not whole is rounded in the signal and comes back exactly in the file.

Refused: floats and compressed samples, data cut short, more than 4 GiB.

Source: Audio Interchange File Format AIFF-C, draft of 1991 (Apple).
"""

from __future__ import annotations

import struct
from functools import partial
from io import BufferedReader
from pathlib import Path

from ..errors import FormatError, UnsupportedError
from ..limits import Limits
from ..signal import MAX_RATE, Signal
from . import tags
from .chunked import Dialect, Layout, Spliced, checked_layout, chunk, padding
from .chunked import read as read_chunked
from .chunked import write as write_chunked
from .metadata import Collected
from .pcm import Pcm, container
from .registry import FileType

BIG, LITTLE = (b"NONE", b"twos"), b"sowt"
TEXTS = ((b"NAME", "TITLE"), (b"AUTH", "ARTIST"), (b"(c) ", "COPYRIGHT"), (b"ANNO", "COMMENT"))
AIFC_VERSION = 0xA2805140
MAX_SIZE = 2**32 - 1
BIAS = 16383 + 63  # of the exponent of an extended float, if its mantissa is taken for a whole number


def read(path: Path, file: BufferedReader, limits: Limits) -> Signal:
    """Read an AIFF or AIFF-C file: (frames, channels), int8, int16 or int32, frames per second.

    Raises:
        UnsupportedError: samples that are not integer PCM of 1 to 32 bits.
        FormatError: not an AIFF file, damaged, or truncated.
    """
    return read_chunked(file, _dialect(path), limits)


def write(path: Path, signal: Signal) -> None:
    """Write the file it was read from, or one with the tags that AIFF knows: AIFF-C if so named, else AIFF.

    Raises:
        UnsupportedError: not sound, more than 32 bits per sample, or more than 4 GiB.
    """
    write_chunked(path, signal, _dialect(path))


def _dialect(path: Path) -> Dialect:
    extension = path.suffix.lower()
    return Dialect("aiff", extension, _parse, partial(_head, aifc=extension == ".aifc"), _tail, _pcm)


def _parse(file: Spliced) -> Layout:
    form = file[8:12]
    if file[0:4] != b"FORM" or form not in (b"AIFF", b"AIFC"):
        raise FormatError("not an AIFF file")
    metadata = Collected()
    names = dict(TEXTS)
    common = b""
    sound: tuple[int, int] | None = None
    at = 12
    while at + 8 <= len(file):
        name, size, body = file[at : at + 4], file.number(at + 4, 4, big_endian=True), at + 8
        if name == b"SSND" and sound is None:
            start = body + 8 + file.number(body, 4, big_endian=True)
            sound = start, body + size - start
            if body + size > len(file):
                raise FormatError(f"truncated: {len(file) - body} of {size} bytes of sound data are there")
        elif name == b"COMM" and not common:
            common = file[body : body + size]
        elif name in names and size:
            metadata.add(f"tag/{names[name]}", tags.utf8(file[body : body + size]))
        at = body + size + (size & 1)
    if len(common) < (18 if form == b"AIFF" else 22):
        raise FormatError("truncated, or damaged: the common chunk is missing or too short")
    channels, frames, bits = struct.unpack_from(">HIH", common)
    coding = common[18:22] if form == b"AIFC" else BIG[0]
    if coding not in (*BIG, LITTLE):
        raise UnsupportedError(f"samples coded as {coding.decode('latin-1')!r} are not supported; only integer PCM is")
    pcm = Pcm(container(bits), big_endian=coding != LITTLE)
    start, available = sound or (0, 0)
    layout = checked_layout(Layout(start, frames, channels, bits, _rate(common[8:18]), pcm, metadata))
    if sound is None:
        raise FormatError("truncated, or damaged: there is no sample data")
    if layout.end - start > available:
        raise FormatError(f"truncated: {max(available, 0)} of {layout.end - start} bytes of samples are there")
    return layout


def _rate(extended: bytes) -> int:
    """The whole number nearest to an 80-bit float; 0 for what cannot be a rate."""
    exponent, mantissa = struct.unpack(">HQ", extended)
    shift = BIAS - exponent
    if not 0 <= shift <= 64:  # negative, or out of range anyway
        return 0
    rate = (2 * mantissa >> shift) + 1 >> 1
    return rate if rate <= MAX_RATE else 0


def _pcm(signal: Signal) -> Pcm:
    return Pcm(container(signal.bit_depth), big_endian=True)


def _tail(signal: Signal) -> bytes:
    return padding(signal.samples.size * container(signal.bit_depth))


def _head(signal: Signal, tail_size: int, aifc: bool) -> bytes:
    """Common chunk, tags, header of the samples."""
    frames = len(signal.samples)
    channels = signal.samples.size // frames
    rate = signal.sample_rate or 0
    exponent = BIAS - 64 + rate.bit_length()
    data_size = signal.samples.size * container(signal.bit_depth)
    if data_size > MAX_SIZE:
        raise UnsupportedError("an AIFF file cannot hold more than 4 GiB; .wav can")
    common = struct.pack(">HIHHQ", channels, frames, signal.bit_depth, exponent, rate << (64 - rate.bit_length()))
    body = b""
    if aifc:
        common += b"NONE\x0enot compressed\0"
        body = chunk(b"FVER", struct.pack(">I", AIFC_VERSION), big_endian=True)
    body += chunk(b"COMM", common, big_endian=True)
    for name, text in tags.translated(signal.metadata, TEXTS):
        body += chunk(name, text, big_endian=True)
    size = 4 + len(body) + 16 + data_size + tail_size
    if size > MAX_SIZE:
        raise UnsupportedError("an AIFF file cannot hold more than 4 GiB; .wav can")
    form = b"AIFC" if aifc else b"AIFF"
    return b"FORM" + struct.pack(">I", size) + form + body + b"SSND" + struct.pack(">III", data_size + 8, 0, 0)


TYPES = (
    FileType(
        "AIFF",
        "audio",
        (".aiff", ".aif", ".aifc"),
        "integer PCM of 1 to 32 bits, also AIFF-C; comes back byte for byte",
        rb"FORM....AIF[FC]",
        read,
        write,
    ),
)
