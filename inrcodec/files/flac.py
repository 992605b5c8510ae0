"""FLAC ↔ Signal: the samples are read by `flacframes` and written through libsndfile, the metadata blocks are done here.

Read: 4 to 32 bits, checked against the frame count and the MD5 sum in the file's header, if they are there: a stream that was written
to a pipe has neither. Written: 8, 16 and 24 bits. Vorbis comments are tags, the
speaker mask among them `channel_mask`, the vendor string `flac/vendor`. A comment block that cannot be made again from
these is also kept whole as `flac/comments`; it is written back while the tags are what it says. Pictures, cue sheets,
application and unknown blocks are kept whole (a byte of type, then the body) as `flac/block`, an ID3v2 tag before the file
as `flac/id3`. The audio frames themselves are compressed anew, so seek table and padding, which belong to them, are dropped.

Refused: rates that libsndfile cannot write (above 65535 Hz only multiples of 10 up to 655350), Ogg FLAC.

Source: RFC 9639; ID3v2.4 for tags before the stream.
"""

from __future__ import annotations

import hashlib
import io
import re
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import FormatError, UnsupportedError
from ..limits import Limits
from ..signal import Signal
from . import flacframes, tags
from .bounds import check_ratio, check_size, contents
from .metadata import Collected, number, under
from .pcm import Pcm, container, frames_of, pack
from .registry import FileType

STREAMINFO, PADDING, SEEKTABLE, COMMENTS, INVALID = 0, 1, 3, 4, 127
OWN = (STREAMINFO, PADDING, SEEKTABLE)  # types of blocks that belong to the audio frames
SUBTYPES = {8: "PCM_S8", 16: "PCM_16", 24: "PCM_24"}
NAME = re.compile(rb"[ -<>-}]{1,100}")  # of a tag
MASK_TAG = b"WAVEFORMATEXTENSIBLE_CHANNEL_MASK"
MAX_BLOCK, MAX_MASK = 2**24 - 1, 2**32 - 1
MAX_RATE = 655350
BLOCK, FRAME_BYTES = 65535, 8  # the most frames of an audio frame, which takes more bytes than that even if all samples are equal
MIN_BITS = 4


def read(path: Path, file: BufferedReader, limits: Limits) -> Signal:
    """Read a FLAC file: (frames, channels), int8, int16 or int32, frames per second.

    Raises:
        UnsupportedError: a rate that cannot be written again.
        FormatError: not a FLAC file, damaged, or truncated.
    """
    data = contents(file, limits)
    id3, blocks, frames_at = metadata_blocks(data)
    info = StreamInfo.parse(blocks[0][1])
    metadata = Collected({"flac/id3": id3} if id3 else {})
    for kind, body in blocks[1:]:
        if kind == COMMENTS and "flac/vendor" not in metadata:
            _add_comments(metadata, body)
        elif kind not in OWN:
            metadata.add("flac/block", bytes([kind]) + body)
    samples = _decode(info, memoryview(data)[frames_at:], limits)
    return Signal(samples, "audio", info.bits, info.rate, metadata)


def write(path: Path, signal: Signal) -> None:
    """Write a FLAC file with all tags and the blocks that came from a FLAC file.

    Raises:
        UnsupportedError: not sound, another depth than 8, 16 or 24 bits, a rate that FLAC lacks, or tags of over 16 MiB.
    """
    data = _encode(signal)
    _, (info, *_), frames_at = metadata_blocks(data)
    blocks = [info]
    if (comments := _comments(signal)) is not None:
        blocks.append((COMMENTS, comments))
    kept = [(value[0], value[1:]) for _, value in under(signal.metadata, "flac/block") if value]
    blocks += [(kind, body) for kind, body in kept if kind < INVALID and kind not in OWN and (kind != COMMENTS or comments is not None)]
    if any(len(body) > MAX_BLOCK for _, body in blocks):
        raise UnsupportedError("the tags take more than the 16 MiB of a FLAC metadata block")
    with path.open("wb") as f:
        f.write(id3 if _id3_end(id3 := signal.metadata.get("flac/id3", b"")) == len(id3) else b"")
        f.write(b"fLaC")
        for i, (kind, body) in enumerate(blocks):
            f.write(_block(kind, body, last=i == len(blocks) - 1))
        f.write(memoryview(data)[frames_at:])


@dataclass(frozen=True)
class StreamInfo:
    """What STREAMINFO says of the samples."""

    rate: int
    channels: int
    bits: int
    frames: int
    md5: bytes

    @classmethod
    def parse(cls, body: bytes) -> StreamInfo:
        """The fields of a STREAMINFO block of 34 bytes."""
        packed = int.from_bytes(body[10:18], "big")  # 20 bits of rate, 3 of channels − 1, 5 of bits − 1, 36 of frames
        return cls(packed >> 44, (packed >> 41 & 7) + 1, (packed >> 36 & 31) + 1, packed & (1 << 36) - 1, body[18:34])


def metadata_blocks(data: bytes) -> tuple[bytes, list[tuple[int, bytes]], int]:
    """ID3v2 tags before the stream, (type, body) of each metadata block, position of the first audio frame."""
    at = _id3_end(data)
    id3 = data[:at]
    if data[at : at + 4] != b"fLaC":
        raise FormatError("not a FLAC file")
    at += 4
    blocks: list[tuple[int, bytes]] = []
    last = False
    while not last:
        body = at + 4
        end = body + int.from_bytes(data[at + 1 : body], "big")
        if len(data) < body or len(data) < end:
            raise FormatError("truncated: the metadata goes past the end of the file")
        last, kind = data[at] >= 128, data[at] & 127
        if kind == INVALID or (kind == STREAMINFO) != (not blocks) or (kind == STREAMINFO and end - body != 34):
            raise FormatError("damaged: the metadata blocks are not in order")
        blocks.append((kind, data[body:end]))
        at = end
    return id3, blocks, at


def _id3_end(data: bytes) -> int:
    """Where the ID3v2 tags end that data begins with, 0 if it begins with none."""
    at = 0
    while size := tags.id3_size(data, at):
        at += size
    return at


def _block(kind: int, body: bytes, last: bool) -> bytes:
    return bytes([kind | (128 if last else 0)]) + len(body).to_bytes(3, "big") + body


def _decode(info: StreamInfo, frames: memoryview, limits: Limits) -> npt.NDArray[Any]:
    """The samples, (frames, channels), of a stream whose header says what `info` does."""
    if info.bits < MIN_BITS:
        raise FormatError(f"damaged: {info.bits} bits per sample")
    if info.rate == 0:
        raise UnsupportedError("the sound has no usable sample rate")
    if not _writable(info.rate):
        raise UnsupportedError(f"FLAC of {info.rate} Hz is not supported, as it cannot be written again; convert it to .wav")
    smallest = FRAME_BYTES + info.channels * (8 + info.bits) // 8  # of an audio frame
    check_ratio(len(frames), info.frames, BLOCK // smallest + 1, f"{info.frames} frames")
    # 32-bit samples, the narrower ones, and the bytes of the MD5 sum; the file is there twice
    check_size(limits, (info.frames, info.channels), 4, 3, 2 * len(frames))
    x = flacframes.decode(frames, info.channels, info.bits, info.frames, limits)
    size = container(info.bits)
    if any(info.md5) and hashlib.md5(pack(x, 8 * size, Pcm(size)), usedforsecurity=False).digest() != info.md5:
        raise FormatError("damaged: the samples do not have the MD5 sum in the header")
    return x


def _writable(rate: int) -> bool:
    """Whether libsndfile can write it: it keeps to FLAC's streamable subset."""
    return rate < 1 << 16 or (rate <= MAX_RATE and rate % 10 == 0)


def _encode(signal: Signal) -> bytes:
    import soundfile

    x = frames_of(signal, ".flac")
    if signal.bit_depth not in SUBTYPES:
        raise UnsupportedError(f"a .flac file of {signal.bit_depth} bits cannot be written, only of 8, 16 and 24; .wav can")
    rate = signal.sample_rate or 0
    if not _writable(rate):
        raise UnsupportedError(f"a .flac file of {rate} Hz cannot be written; .wav can have that rate")
    wide = x.astype(np.int16) if signal.bit_depth <= 16 else x.astype(np.int32)
    if signal.bit_depth != 16:
        wide = wide << 8
    out = io.BytesIO()
    try:
        soundfile.write(out, wide, rate, format="FLAC", subtype=SUBTYPES[signal.bit_depth])
    except RuntimeError as e:
        raise UnsupportedError("libsndfile cannot write this sound as FLAC; .wav can hold it") from e
    return out.getvalue()


def _add_comments(metadata: dict[str, bytes], body: bytes) -> None:
    """Vendor, tags and mask of a comment block; the block itself if they are not the whole of it."""
    found = _parse_comments(body)
    if _build_comments(found) != body:
        found["flac/comments"] = body
    metadata.update(found)


def _parse_comments(body: bytes) -> Collected:
    """What can be understood of a comment block; broken or nameless entries are passed over."""
    texts: list[bytes] = []
    at = 0

    def number() -> int:
        nonlocal at
        at += 4
        return int.from_bytes(body[at - 4 : at], "little")

    def text() -> bytes:
        nonlocal at
        size = number()
        at += size
        return body[at - size : at]

    found = Collected({"flac/vendor": tags.utf8(text())})
    count = number()
    while len(texts) < count and at < len(body):
        texts.append(text())
    for entry in texts:
        name, equals, value = entry.partition(b"=")
        if name.upper() == MASK_TAG and re.fullmatch(rb"0[xX][0-9a-fA-F]{1,8}", value) and "channel_mask" not in found:
            found["channel_mask"] = b"%d" % int(value, 16)
        elif equals and NAME.fullmatch(name):
            found.add(f"tag/{name.decode()}", tags.utf8(value))
    return found


def _build_comments(metadata: dict[str, bytes]) -> bytes:
    texts = [(name.encode(), tags.utf8(value)) for name, value in under(metadata, "tag/")]
    entries = [name + b"=" + text for name, text in texts if NAME.fullmatch(name)]
    mask = number(metadata.get("channel_mask", b""), MAX_MASK)
    if mask is not None:
        entries.append(b"%s=0x%04X" % (MASK_TAG, mask))
    vendor, *coded = [len(text).to_bytes(4, "little") + text for text in (tags.utf8(metadata.get("flac/vendor", b"")), *entries)]
    return vendor + len(entries).to_bytes(4, "little") + b"".join(coded)


def _comments(signal: Signal) -> bytes | None:
    """The comment block to write, None if there is nothing for it to say."""
    wanted = tags.of(signal.metadata)
    if "flac/vendor" in signal.metadata:
        wanted["flac/vendor"] = signal.metadata["flac/vendor"]
    if not wanted:
        return None
    kept = signal.metadata.get("flac/comments")
    return kept if kept is not None and len(kept) <= MAX_BLOCK and _parse_comments(kept) == wanted else _build_comments(wanted)


DESCRIPTION = "4 to 32 bits, with tags and pictures; written with 8, 16 and 24 bits"
TYPES = (FileType("FLAC", "audio", (".flac",), DESCRIPTION, rb"fLaC", read, write),)
