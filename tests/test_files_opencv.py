"""JPEG 2000: the samples of files by four writers, what OpenCV would alter or cannot read, and damage."""

from __future__ import annotations

import io
import itertools
import struct
import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
import imagecodecs
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from inrcodec import files
from inrcodec.errors import InrcodecError, LimitError, Notice, UnsupportedError
from inrcodec.files import opencv
from inrcodec.files.codestream import SIGNATURE
from inrcodec.limits import Limits
from inrcodec.signal import Signal

Samples = npt.NDArray[Any]
RNG = np.random.default_rng(7)
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
many = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(autouse=True)
def silent(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """OpenCV may not write to the terminal, and its log level stays as it was."""
    logging: Any = cv2 if hasattr(cv2, "getLogLevel") else cv2.utils.logging
    level = logging.getLogLevel()
    yield
    assert capfd.readouterr() == ("", "")
    assert logging.getLogLevel() == level


def pixels(channels: int = 3, depth: int = 8, height: int = 45, width: int = 70) -> Samples:
    shape = (height, width) if channels == 1 else (height, width, channels)
    x: Samples = RNG.integers(0, 1 << depth, shape).astype(np.uint8 if depth <= 8 else np.uint16)
    return x


def coded(x: Samples, depth: int = 8, form: str = "j2k", **options: Any) -> bytes:
    return bytes(imagecodecs.jpeg2k_encode(x, level=0, codecformat=form, reversible=True, bitspersample=depth, **options))


def by_pillow(x: Samples, **options: Any) -> bytes:
    out = io.BytesIO()
    Image.fromarray(x).save(out, "JPEG2000", **options)
    return out.getvalue()


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def boxed(stream: bytes, *inner: bytes, after: bytes = b"") -> bytes:
    """A .jp2 file with these boxes in its header."""
    header = box(b"jp2h", box(b"ihdr", struct.pack(">IIHBBBB", 45, 70, 3, 7, 7, 0, 0)) + b"".join(inner))
    return SIGNATURE + box(b"ftyp", b"jp2 \0\0\0\0jp2 ") + header + box(b"jp2c", stream) + after


def colour(space: int) -> bytes:
    return box(b"colr", struct.pack(">BBBI", 1, 0, 0, space))


def channels(*entries: tuple[int, int, int]) -> bytes:
    return box(b"cdef", struct.pack(">H", len(entries)) + b"".join(struct.pack(">HHH", *entry) for entry in entries))


def read(path: Path, data: bytes) -> Signal:
    path.write_bytes(data)
    return files.read(path)


def refused(path: Path, data: bytes, match: str, kind: type[InrcodecError] = InrcodecError) -> None:
    path.write_bytes(data)
    with pytest.raises(kind, match=match) as info:
        files.read(path)
    assert str(info.value).startswith(f"{path}: ")
    assert "\n" not in str(info.value)
    assert "OpenCV(" not in str(info.value)


@pytest.mark.parametrize("form", ["jp2", "j2k"])
@pytest.mark.parametrize(("count", "depth"), list(itertools.product((1, 3, 4), range(8, 17))))
def test_samples_and_depth(tmp_path: Path, count: int, depth: int, form: str) -> None:
    """OpenCV gives 12 bits in 16, unscaled, and does not say how many they are."""
    x = pixels(count, depth)
    signal = read(tmp_path / f"x.{form}", coded(x, depth, form))
    assert (signal.kind, signal.bit_depth, dict(signal.metadata)) == ("image", depth, {})
    assert signal.samples.dtype == x.dtype
    assert signal.samples.flags.c_contiguous
    assert np.array_equal(signal.samples, x)


@pytest.mark.parametrize("bare", [False, True])
@pytest.mark.parametrize("tiles", [None, (16, 32)])
@pytest.mark.parametrize("count", [1, 3, 4])
def test_pillow_writes_the_same(tmp_path: Path, count: int, tiles: tuple[int, int] | None, bare: bool) -> None:
    x = pixels(count)
    data = by_pillow(x, irreversible=False, no_jp2=bare, tile_size=tiles, progression="RPCL", comment="a comment")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of lossless files nothing is said
        assert np.array_equal(read(tmp_path / "x.jp2", data).samples, x)


@pytest.mark.parametrize("name", ["x.jp2", "x.jpx", "x.j2k", "x.png", "x"])
def test_lossy_files_are_read_as_opencv_decodes_them(tmp_path: Path, name: str) -> None:
    x = np.add.outer(np.arange(128), np.arange(96))[:, :, None] * np.array([1, 2, 3]) % 256
    path = tmp_path / name
    data = cv2.imencode(".jp2", x.astype(np.uint8))[1].tobytes()
    signal = read(path, data)
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert decoded is not None
    assert np.array_equal(signal.samples, decoded[:, :, ::-1])
    other = read(path, by_pillow(x.astype(np.uint8), quality_mode="rates", quality_layers=[40]))
    assert other.samples.shape == x.shape
    with pytest.warns(Notice, match="irreversible"):
        read(path, by_pillow(x.astype(np.uint8), irreversible=True))
    files.write(str(tmp_path / "back.png"), signal)
    assert files.read(str(tmp_path / "back.png")).equals(signal)


def test_it_is_not_written(tmp_path: Path) -> None:
    for extension in (".jp2", ".j2k", ".jpx"):
        path = tmp_path / f"x{extension}"
        for attempt in (lambda p: files.write(p, Signal(pixels(), "image")), files.check):
            with pytest.raises(UnsupportedError, match=r"JPEG 2000 can be read but not written; \.png can$"):
                attempt(path)
        assert not path.exists()


def test_an_icc_profile_is_kept(tmp_path: Path) -> None:
    x = pixels()
    profile = box(b"colr", b"\2\0\0" + ICC)
    signal = read(tmp_path / "x.jp2", boxed(coded(x), profile, colour(12)))
    assert dict(signal.metadata) == {"icc": ICC}
    assert np.array_equal(signal.samples, x)
    assert dict(read(tmp_path / "x.jp2", boxed(coded(x), colour(16), profile)).metadata) == {}  # the first one counts


def test_boxes_that_change_nothing(tmp_path: Path) -> None:
    x = pixels(4)
    rgba = channels((0, 0, 1), (1, 0, 2), (2, 0, 3), (3, 1, 0))
    stream = coded(x)
    for inner, after in (((), b""), ((colour(16), rgba), box(b"uuid", bytes(20))), ((box(b"res ", b""),), b"\0\0\0")):
        assert np.array_equal(read(tmp_path / "x.jp2", boxed(stream, *inner, after=after)).samples, x)
    start = boxed(b"", colour(16))[:-8]
    for head in (struct.pack(">I4s", 0, b"jp2c"), struct.pack(">I4sQ", 1, b"jp2c", 16 + len(stream))):
        assert np.array_equal(read(tmp_path / "x.jp2", start + head + stream).samples, x)


def test_what_opencv_would_alter_or_cannot_read(tmp_path: Path) -> None:
    stream = coded(pixels())
    rgba = coded(pixels(4))
    cases = {
        "with a palette": boxed(stream, box(b"pclr", bytes(9))),
        "premultiplied alpha": boxed(rgba, channels((0, 0, 1), (1, 0, 2), (2, 0, 3), (3, 2, 0))),
        "in another order": boxed(stream, channels((0, 0, 3), (1, 0, 2), (2, 0, 1))),
        "in another order ": boxed(rgba, channels((0, 1, 0), (1, 0, 1), (2, 0, 2), (3, 0, 3))),
        "sYCC": boxed(stream, colour(18)),
        "CMYK": boxed(rgba, colour(12)),
        "space 99": boxed(stream, colour(99)),
        "ICC profile of neither": boxed(stream, box(b"colr", b"\2\0\0" + ICC.replace(b"RGB ", b"CMYK", 1))),
        "several images": boxed(stream, after=box(b"jp2c", stream)),
        "of 2 channels": coded(pixels(2)),
        "of 1 bits": coded(pixels(1, 1), 1),
        "of 7 bits": coded(pixels(3, 7), 7, "jp2"),
        "signed": stream[:42] + b"\x87" + stream[43:],
        "unequal depth": stream[:42] + b"\x09" + stream[43:],
        "lower resolution": stream[:43] + b"\2" + stream[44:],
        "begins elsewhere": by_pillow(pixels(), irreversible=False, tile_size=(64, 64), offset=(3, 5)),
        "of 2097152 × 9 pixels": stream[:8] + struct.pack(">IIIIII", 1 << 21, 9, 0, 0, 1 << 21, 9) + stream[32:],
    }
    for what, data in cases.items():
        refused(tmp_path / "x.jp2", data, rf"{what.strip()}.* not supported", UnsupportedError)


def hostile(
    side: int, levels: int, precinct: int | None, tile: int, channels: int = 1, of_channel: int | None = None, layers: int = 1
) -> bytes:
    """A codestream of zeros. precinct: log2 of its height and width, 4 bits each; of_channel: the same, for the first channel alone."""

    def segment(marker: int, body: bytes) -> bytes:
        return struct.pack(">HH", marker, len(body) + 2) + body

    def style(size: int | None) -> bytes:
        return bytes([levels, 2, 2, 0, 1]) + (b"" if size is None else bytes([size]) * (levels + 1))

    size = struct.pack(">HIIIIIIIIH", 0, side, side, 0, 0, tile, tile, 0, 0, channels) + bytes([7, 1, 1]) * channels
    own = b"" if of_channel is None else segment(0xFF53, bytes([0, 1]) + style(of_channel))
    head = segment(0xFF51, size) + segment(0xFF52, struct.pack(">BBHB", precinct is not None, 0, layers, 0) + style(precinct)) + own
    head += segment(0xFF5C, b"\x40" + bytes([64]) * (3 * levels + 1))
    parts = (struct.pack(">HHHIBB", 0xFF90, 10, i, 34, 0, 1) + b"\xff\x93" + bytes(20) for i in range((-(-side // tile)) ** 2))
    return b"\xff\x4f" + head + b"".join(parts) + b"\xff\xd9"


@pytest.mark.parametrize(
    "data",
    [
        hostile(1024, 0, 0x00, 1024),
        hostile(1024, 5, 0x11, 1024),
        hostile(512, 3, 0x10, 512, 4),
        hostile(1024, 0, None, 1024, 1, 0x00),
        hostile(900, 0, None, 4),
        hostile(256, 5, 0x33, 256, layers=65535),
    ],
    ids=["precincts of a pixel", "precincts of 2 × 2", "four channels", "of one channel", "tiles", "layers"],
)
def test_many_precincts_or_tiles(tmp_path: Path, data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenJPEG took 575 MB for a picture of a megapixel in 146 bytes."""
    monkeypatch.setattr(opencv, "decoded", None)
    (tmp_path / "x.j2k").write_bytes(data)
    with pytest.raises(LimitError, match="bytes of memory"):
        files.read(tmp_path / "x.j2k", Limits(1 << 20, 1 << 28))


def test_few_precincts_and_tiles(tmp_path: Path) -> None:
    for data in (hostile(64, 2, 0x66, 64), hostile(64, 2, None, 16), hostile(64, 2, None, 64, 4, 0x77)):
        (tmp_path / "x.j2k").write_bytes(data)
        assert files.read(tmp_path / "x.j2k", Limits(1 << 20, 1 << 23)).samples.shape[:2] == (64, 64)


@pytest.mark.parametrize("form", ["jp2", "j2k"])
def test_truncated(tmp_path: Path, form: str) -> None:
    data = coded(pixels(3, 8, 20, 20), 8, form, resolutions=2)
    for size in range(1, len(data)):
        refused(tmp_path / f"x.{form}", data[:size], "truncated|not a JPEG 2000 file|damaged")


def test_missing_tiles(tmp_path: Path) -> None:
    data = by_pillow(pixels(1), irreversible=False, no_jp2=True, tile_size=(32, 32))
    path = tmp_path / "x.j2k"
    at = data.index(b"\xff\x90\0\x0a")
    length = struct.unpack_from(">I", data, at + 6)[0]
    refused(path, data[:at] + data[at + length :], "5 of 6 tiles are there")
    refused(path, data[: at + 6] + struct.pack(">I", length + 1) + data[at + 10 :], "followed by something else")
    refused(path, data[: at + 6] + struct.pack(">I", 11) + data[at + 10 :], "does not end within")
    refused(path, data[: at + 6] + struct.pack(">I", 1 << 31) + data[at + 10 :], "does not end within")


def test_a_tile_of_open_length(tmp_path: Path) -> None:
    x = pixels(1)
    data = coded(x)
    at = data.index(b"\xff\x90\0\x0a")
    whole = data[: at + 6] + bytes(4) + data[at + 10 :]
    assert np.array_equal(read(tmp_path / "x.j2k", whole).samples, x)
    refused(tmp_path / "x.j2k", whole[:-2], "does not end within")


def test_damaged_headers(tmp_path: Path) -> None:
    stream = coded(pixels())
    path = tmp_path / "x.jp2"
    refused(path, SIGNATURE + box(b"ftyp", b"jp2 "), "no image in it")
    refused(path, boxed(b"text"), "truncated")
    refused(path, boxed(b"text, and more of it"), "not a JPEG 2000 file")
    refused(path, boxed(stream)[:-50], "does not end within the file")
    refused(path, SIGNATURE + struct.pack(">I4s", 4, b"ftyp"), "does not end")
    refused(path, boxed(stream, box(b"cdef", b"\0\3\0\0")), "a header is too short")
    refused(path, boxed(stream, box(b"colr", b"\1")), "a header is too short")
    refused(path, stream[:8] + bytes(8) + stream[16:], "0 × 0 pixels")
    refused(path, stream[:24] + bytes(8) + stream[32:], "70 × 45 pixels")
    refused(path, stream[:51] + b"\0\0\0\0" + stream[55:], "header has no end|too short")


@many
@given(st.data())
def test_no_damage_crashes(tmp_path: Path, data: st.DataObject) -> None:
    """Anywhere but in the size of the image, which costs memory only."""
    form = data.draw(st.sampled_from(["jp2", "j2k"]))
    whole = bytearray(WHOLE[form])
    sizes = whole.index(b"\xff\x4f\xff\x51") + 8
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(whole) - 1) | st.integers(0, 200))
        if not sizes <= at < sizes + 32:
            whole[at] = data.draw(st.integers(0, 255))
    path = tmp_path / f"x.{form}"
    path.write_bytes(whole)
    with suppress(InrcodecError):
        assert files.read(path).samples.size


@many
@given(st.binary(max_size=200))
def test_no_garbage_crashes(tmp_path: Path, tail: bytes) -> None:
    for head in (SIGNATURE, b"\xff\x4f\xff\x51", WHOLE["j2k"][:60], WHOLE["jp2"][:85]):
        refused(tmp_path / "x.jp2", head + tail, "x.jp2: ")


def test_what_opencv_says_becomes_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(code: int) -> Any:
        def decode(*_: Any) -> None:
            fault = cv2.error("OpenCV(5.0.0)\nsome.cpp:1: error")
            fault.code = code
            raise fault

        return decode

    data = coded(pixels())
    monkeypatch.setattr(cv2, "imdecode", fails(-215))
    refused(tmp_path / "x.jp2", data, "damaged, or not a JPEG 2000 file that OpenCV can decode")
    monkeypatch.setattr(cv2, "imdecode", fails(opencv.NO_MEMORY))
    refused(tmp_path / "x.jp2", data, "too large for the memory there is")
    monkeypatch.setattr(cv2, "imdecode", lambda *_: np.zeros((45, 70), np.uint8))
    refused(tmp_path / "x.jp2", data, r"OpenCV decodes \(45, 70\)")


WHOLE = {form: coded(pixels(3, 8, 24, 24), 8, form, resolutions=3) for form in ("jp2", "j2k")}
