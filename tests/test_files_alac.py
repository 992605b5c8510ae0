"""ALAC in Core Audio files: what libsndfile reads exactly is read, all else is refused with one line."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from inrcodec import files
from inrcodec.errors import FormatError, InrcodecError, UnsupportedError
from inrcodec.files.alac import check

Samples = npt.NDArray[Any]
LENGTH_AT = 20  # of the frames of a packet, in the chunk `desc`
TABLE = 24  # bytes of the chunk `pakt` before the sizes


def alac(x: Samples, bits: int) -> bytes:
    """A file as libsndfile writes it."""
    out = io.BytesIO()
    soundfile.write(out, (x.astype(np.int64) << 32 - bits).astype(np.int32), 44100, f"ALAC_{bits}", format="CAF")
    return out.getvalue()


def chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    while at + 12 <= len(data):
        name, size = struct.unpack_from(">4sq", data, at)
        yield name, data[at + 12 : at + 12 + size]
        at += 12 + size


def changed(file: bytes, **new: bytes) -> bytes:
    """The file with the contents of some chunks replaced."""
    bodies = [(name, new.get(name.decode().strip(), body)) for name, body in chunks(file)]
    return file[:8] + b"".join(name + struct.pack(">q", len(body)) + body for name, body in bodies)


def groups(size: int) -> bytes:
    """A size as in the packet table."""
    coded = bytes([size & 127])
    while size := size >> 7:
        coded = bytes([size & 127 | 128]) + coded
    return coded


def uncompressed(x: Samples, bits: int, told: int | None = None, full: bool = False) -> bytes:
    """A file of one packet that holds the samples as they are, as Apple's encoder makes it. told: frames that the packet says it has."""
    frames, channels = x.shape
    head = f"{channels - 1:03b}{0:016b}{int(not full)}{0:02b}1" + ("" if full else f"{frames if told is None else told:032b}")
    text = head + "".join(f"{int(v) & (1 << bits) - 1:0{bits}b}" for v in x.reshape(-1)) + "111"
    packet = int(text + "0" * (-len(text) % 8), 2).to_bytes((len(text) + 7) // 8, "big")
    base = alac(x * 0, bits)
    table = dict(chunks(base))[b"pakt"][:TABLE]
    return changed(base, pakt=table + groups(len(packet)), data=bytes(4) + packet)


def tone(bits: int, channels: int = 2, frames: int = 9000) -> Samples:
    t = np.arange(frames)[:, None] * 0.01 * (1 + np.arange(channels))
    x: Samples = np.round(np.sin(t) * 0.9 * ((1 << bits - 1) - 1)).astype(np.int64)
    return x


def noise(bits: int, channels: int, frames: int) -> Samples:
    x: Samples = np.random.default_rng(bits).integers(-(1 << bits - 1), 1 << bits - 1, (frames, channels))
    return x


def read_as(path: Path, data: bytes, x: Samples, bits: int) -> None:
    path.write_bytes(data)
    found = files.read(path)
    assert found.bit_depth == bits
    np.testing.assert_array_equal(found.samples, x)


def refused(path: Path, data: bytes, match: str | None, kind: type[InrcodecError] = UnsupportedError) -> None:
    path.write_bytes(data)
    with pytest.raises(kind, match=match) as e:
        files.read(path)
    assert "\n" not in str(e.value)


@pytest.mark.parametrize("bits", [16, 20, 24, 32])
@pytest.mark.parametrize("channels", [1, 2])
def test_compressed_packets(tmp_path: Path, bits: int, channels: int) -> None:
    for frames in (4096, 4097 + 500, 9000):
        x = tone(bits, channels, frames)
        read_as(tmp_path / "x.caf", alac(x, bits), x, bits)


@pytest.mark.parametrize(("bits", "channels"), [(16, 1), (16, 2), (20, 1), (24, 1)])
@pytest.mark.parametrize("frames", [1, 50, 4095, 4096])
def test_uncompressed_packets_that_are_read_right(tmp_path: Path, bits: int, channels: int, frames: int) -> None:
    x = noise(bits, channels, frames)
    read_as(tmp_path / "x.caf", uncompressed(x, bits, full=frames == 4096), x, bits)


@pytest.mark.parametrize(("bits", "channels"), [(20, 2), (24, 2), (32, 1), (32, 2)])
def test_uncompressed_packets_that_are_read_wrong(tmp_path: Path, bits: int, channels: int) -> None:
    """libsndfile gives other samples, without a word."""
    x = noise(bits, channels, 50)
    data = uncompressed(x, bits)
    assert (soundfile.read(io.BytesIO(data), dtype="int32", always_2d=True)[0] >> 32 - bits != x).any()
    refused(tmp_path / "x.caf", data, "uncompressed packets")
    mixed = np.concatenate((tone(bits, channels, 2 * 4096), noise(bits, channels, 4096), tone(bits, channels, 100)))
    refused(tmp_path / "x.caf", alac(mixed, bits), "uncompressed packets")


def test_more_channels(tmp_path: Path) -> None:
    for x in (tone(16, 6), noise(16, 3, 5000)):
        read_as(tmp_path / "x.caf", alac(x, 16), x, 16)
    refused(tmp_path / "x.caf", alac(tone(24, 3), 24), "3 channels and 24 bits")


def checked(file: bytes, bits: int, frames: int, **new: bytes) -> None:
    """Without libsndfile, which refuses some of these files and gives zeros for others, by what its memory happened to hold."""
    found = {name.decode(): body for name, body in chunks(file)} | new
    check(found["desc"], found["pakt"], memoryview(found["data"])[4:], bits, frames)


def test_packets_that_libsndfile_takes_for_damaged() -> None:
    x = noise(16, 2, 4096)
    checked(uncompressed(x, 16, full=True), 16, 4096)
    with pytest.raises(UnsupportedError, match="frames that the table tells"):
        checked(uncompressed(x, 16), 16, 4096)  # says that it is not full, but it is
    checked(uncompressed(x[:99], 16), 16, 99)
    with pytest.raises(UnsupportedError, match="frames that the table tells"):
        checked(uncompressed(x[:99], 16, told=98), 16, 99)
    data = alac(tone(16), 16)
    desc = dict(chunks(data))[b"desc"]
    for length in (0, 8192, 2**32 - 1):
        with pytest.raises(UnsupportedError, match=f"packets of {length} frames"):
            checked(data, 16, 9000, desc=desc[:LENGTH_AT] + struct.pack(">I", length) + desc[LENGTH_AT + 4 :])
    with pytest.raises(FormatError, match="no description"):
        checked(data, 16, 9000, desc=desc[:27])


def test_tables_that_do_not_fit(tmp_path: Path) -> None:
    path, data = tmp_path / "x.caf", alac(tone(16), 16)
    table = dict(chunks(data))[b"pakt"]
    sizes = table[TABLE:]
    assert struct.unpack(">qqii", table[:TABLE]) == (3, 9000, 0, 3 * 4096 - 9000)
    refused(path, changed(data, pakt=struct.pack(">qqii", 3, 9000, 7, 3281) + sizes), "after 7 frames")
    for packets, frames in ((4, 9000), (2, 9000), (3, 8999), (-1, 9000), (2**62, 9000), (3, -1)):
        refused(path, changed(data, pakt=struct.pack(">qqii", packets, frames, 0, 0) + sizes), None, InrcodecError)
    for wrong, match in (
        (sizes[:5], "sizes of 2 of 3"),
        (b"\x81" * 7 + b"\1" + sizes, "32 GB"),
        (b"\xff\xff\xff\xff\x7f" + sizes, "past its end"),
    ):
        refused(path, changed(data, pakt=table[:TABLE] + wrong), None, InrcodecError)
        with pytest.raises(FormatError, match=match):
            checked(data, 16, 9000, pakt=table[:TABLE] + wrong)
    first = bytearray(dict(chunks(data))[b"data"])
    first[4] = 0xE0  # the end of a packet, instead of a sound
    refused(path, changed(data, data=bytes(first)), "begin with sound")
    name, body = next((name, body) for name, body in chunks(data) if name == b"pakt")
    refused(path, data + name + struct.pack(">q", len(body)) + body, "twice|cannot read", FormatError)
