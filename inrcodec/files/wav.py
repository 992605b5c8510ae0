"""WAV ↔ Signal, byte for byte.

Read: integer PCM of 1 to 32 bits in 1 to 4 bytes, and IEEE floats of 32 and 64 bits, plain or WAVE_FORMAT_EXTENSIBLE, in
RIFF, RF64 or BW64 files. Every bit of a float comes back, also of NaNs. Integers of fewer bits than their bytes hold are
shifted down if the spare bits are 0. All chunks come back as they were (see `chunked`); the texts of LIST/INFO are tags as
well, and the speaker mask is `channel_mask`.

A data size of 0xFFFFFFFF, of 0x7FFFF000 (SoX) beyond the end of the file, or of 0 in a file whose RIFF size does not
reach past the data header either, is that of a stream whose length was not known: the samples go to the end of the file.

Refused: A-law, ADPCM and other codings, RIFX, data cut short.

Source: Multimedia Programming Interface and Data Specifications 1.0 (RIFF), WAVEFORMATEXTENSIBLE, EBU Tech 3306 (RF64),
ITU-R BS.2088 (BW64).
"""

from __future__ import annotations

import struct
from io import BufferedReader
from pathlib import Path

from ..errors import FormatError, UnsupportedError
from ..limits import Limits
from ..signal import Signal
from . import tags
from .chunked import Dialect, Layout, Spliced, checked_layout, chunk, padding
from .chunked import read as read_chunked
from .chunked import write as write_chunked
from .metadata import Collected, number
from .pcm import Pcm, container
from .registry import FileType

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
FLOATS = (32, 64)  # bits of floats
CODINGS = {0: "unknown", 2: "ADPCM", 6: "A-law", 7: "µ-law", 0x11: "ADPCM", 0x31: "GSM", 0x50: "MPEG", 0x55: "MP3"}
GUID = bytes.fromhex("0000 0000 1000 8000 00aa 0038 9b71")  # of all formats that have a number, after that number
GUID_AMBISONIC = bytes.fromhex("0000 2107 d311 8644 c8c1 ca00 0000")
UNKNOWN, UNKNOWN_SOX = 0xFFFFFFFF, 0x7FFFF000
MAX_MASK = 0xFFFFFFFF
LONG_INFO = 1 << 16  # bytes of tags that are written before the samples; libsndfile does not look for these beyond 100 kB

# of several ids for a name the first is written
INFO = (
    (b"INAM", "TITLE"),
    (b"IART", "ARTIST"),
    (b"IPRD", "ALBUM"),
    (b"ICRD", "DATE"),
    (b"ICMT", "COMMENT"),
    (b"IGNR", "GENRE"),
    (b"ICOP", "COPYRIGHT"),
    (b"ITRK", "TRACKNUMBER"),
    (b"IPRT", "TRACKNUMBER"),
    (b"ISFT", "ENCODER"),
    (b"ITCH", "ENCODED-BY"),
    (b"ISBJ", "DESCRIPTION"),
    (b"IMUS", "COMPOSER"),
    (b"ILNG", "LANGUAGE"),
)


def read(path: Path, file: BufferedReader, limits: Limits) -> Signal:
    """Read a WAV file: (frames, channels), int8, int16, int32, float32 or float64, frames per second.

    Raises:
        UnsupportedError: samples that are neither integer PCM of 1 to 32 bits nor floats of 32 or 64.
        FormatError: not a WAV file, damaged, or truncated.
    """
    return read_chunked(file, DIALECT, limits)


def write(path: Path, signal: Signal) -> None:
    """Write a WAV file: the one it was read from, or RIFF (RF64 above 4 GiB) with the tags that LIST/INFO knows.

    Raises:
        UnsupportedError: not sound, integers of more than 32 bits, or floats of 16.
    """
    write_chunked(path, signal, DIALECT)


def _parse(file: Spliced) -> Layout:
    magic = file[0:4]
    if magic == b"RIFX":
        raise UnsupportedError("big-endian WAV files (RIFX) are not supported")
    if magic not in (b"RIFF", b"RF64", b"BW64") or file[8:12] != b"WAVE":
        raise FormatError("not a WAV file")
    metadata = Collected()
    fmt = b""
    long_size = None
    at = 12
    while at + 8 <= len(file):
        name, size, body = file[at : at + 4], file.number(at + 4, 4), at + 8
        if name == b"data":
            break
        if body + size > len(file):
            raise FormatError(f"truncated, or damaged: chunk {name.decode('latin-1')!r} goes past the end of the file")
        if name == b"fmt " and not fmt:
            fmt = file[body : body + size]
        elif name == b"ds64" and magic != b"RIFF":
            long_size = file.number(body + 8, 8)
        elif name == b"LIST":
            _add_info(metadata, file[body : body + size])
        at = body + size + (size & 1)
    else:
        raise FormatError("truncated, or damaged: there is no sample data")
    if len(fmt) < 16:
        raise FormatError("damaged: the sample data has no format chunk before it")
    available = len(file) - body
    if size == UNKNOWN and long_size is not None:
        size = long_size
    elif size == UNKNOWN or (size == UNKNOWN_SOX and size > available) or (size == 0 and not body < file.number(4, 4) + 8 < UNKNOWN):
        size = available
    if size > available:
        raise FormatError(f"truncated: {available} of {size} bytes of samples are there")
    code, channels, rate, _, block, bits = struct.unpack_from("<HHIIHH", fmt)
    if code == EXTENSIBLE:
        if len(fmt) < 40:
            raise FormatError("damaged: the extensible format chunk is too short")
        valid, mask, code = struct.unpack_from("<HIH", fmt, 18)
        bits = valid or bits
        if fmt[26:40] not in (GUID, GUID_AMBISONIC):
            raise UnsupportedError("an unknown coding of samples; only integer PCM and floats are supported")
        metadata["channel_mask"] = b"%d" % mask
    if code not in (PCM, FLOAT):
        coding = CODINGS.get(code, f"coding {code:#06x}")
        raise UnsupportedError(f"{coding} samples are not supported; only integer PCM and floats are")
    if channels and (block == 0 or block % channels):
        raise FormatError(f"damaged: frames of {block} bytes for {channels} channels")
    _add_later_info(metadata, file, body + size + (size & 1))
    pcm = Pcm(block // max(channels, 1), unsigned=block == channels and code == PCM, floating=code == FLOAT)
    return checked_layout(Layout(body, size // max(block, 1), channels, bits, rate, pcm, metadata))


def _add_later_info(metadata: Collected, file: Spliced, at: int) -> None:
    """Tags after the samples; whatever else is there is only kept."""
    while at + 8 <= len(file):
        size = file.number(at + 4, 4)
        if file[at : at + 4] == b"LIST":
            _add_info(metadata, file[at + 8 : at + 8 + size])
        at += 8 + size + (size & 1)


def _add_info(metadata: Collected, body: bytes) -> None:
    if body[:4] != b"INFO":
        return
    names = dict(INFO)
    at = 4
    while at + 8 <= len(body):
        size = int.from_bytes(body[at + 4 : at + 8], "little")
        text = body[at + 8 : at + 8 + size].partition(b"\0")[0]
        if (name := names.get(body[at : at + 4])) and text:
            metadata.add(f"tag/{name}", tags.utf8(text))
        at += 8 + size + (size & 1)


def _pcm(signal: Signal) -> Pcm:
    return Pcm(container(signal.bit_depth), unsigned=signal.bit_depth <= 8, floating=signal.samples.dtype.kind == "f")


def _mask(signal: Signal) -> int | None:
    return number(signal.metadata.get("channel_mask", b""), MAX_MASK)


def _info(signal: Signal) -> bytes:
    """The LIST chunk of the tags, empty if there are none."""
    texts = b"".join(chunk(name, text + b"\0") for name, text in tags.translated(signal.metadata, INFO))
    return chunk(b"LIST", b"INFO" + texts) if texts else b""


def _tail(signal: Signal) -> bytes:
    """The pad byte, and the tags where they are too long to stand before the samples."""
    info = _info(signal)
    return padding(signal.samples.size * _pcm(signal).size) + (info if len(info) > LONG_INFO else b"")


def _head(signal: Signal, tail_size: int) -> bytes:
    """RIFF, format, tags. The format is extensible only if there is a mask or spare bits: plain PCM has no room for them.

    Of floats, as of all but PCM, the number of frames is told in a chunk "fact" too.
    """
    pcm, mask, depth = _pcm(signal), _mask(signal), signal.bit_depth
    size, code = pcm.size, FLOAT if pcm.floating else PCM
    frames = len(signal.samples)
    channels = signal.samples.size // frames
    rate = signal.sample_rate or 0
    block = channels * size
    plain = mask is None and depth % 8 == 0
    fmt = struct.pack("<HHIIHH", code if plain else EXTENSIBLE, channels, rate, rate * block & 0xFFFFFFFF, block, 8 * size)
    if not plain:
        fmt += struct.pack("<HHIH", 22, depth, mask or 0, code) + GUID
    elif pcm.floating:
        fmt += bytes(2)
    body = chunk(b"fmt ", fmt)
    if pcm.floating:
        body += chunk(b"fact", struct.pack("<I", min(frames, UNKNOWN)))
    info = _info(signal)
    if len(info) <= LONG_INFO:
        body += info
    data_size = frames * block
    file_size = 12 + len(body) + 8 + data_size + tail_size
    if file_size - 8 < UNKNOWN:
        return b"RIFF" + struct.pack("<I", file_size - 8) + b"WAVE" + body + b"data" + struct.pack("<I", data_size)
    ds64 = chunk(b"ds64", struct.pack("<QQQI", file_size - 8 + 36, data_size, frames, 0))
    return b"RF64" + struct.pack("<I", UNKNOWN) + b"WAVE" + ds64 + body + b"data" + struct.pack("<I", UNKNOWN)


DIALECT = Dialect("riff", ".wav", _parse, _head, _tail, _pcm, FLOATS)
TYPES = (
    FileType(
        "WAV",
        "audio",
        (".wav", ".rf64"),
        "integer PCM of 1 to 32 bits, floats of 32 and 64, also RF64 and BW64; comes back byte for byte",
        rb"(?:RIFF|RIFX|RF64|BW64)....WAVE",
        read,
        write,
    ),
)
