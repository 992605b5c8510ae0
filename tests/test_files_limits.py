"""What a file declares is checked against the limits before memory is taken, in every format; work is bounded by the size of the file."""

from __future__ import annotations

import struct
import tracemalloc
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.fuzz.reader_seeds import SOURCES, seeds
from inrcodec import files
from inrcodec.errors import InrcodecError, LimitError
from inrcodec.files import metadata, netpbm, pngchunks
from inrcodec.kernels import flac
from inrcodec.limits import Limits
from inrcodec.signal import Signal

NARROW = Limits(1 << 20, 1 << 26)
PLENTY = 2 << 20  # bytes beside those of the file: what a reader may take for a few samples
DECODERS = ["PIL.Image.Image.load", "tifffile.TiffFile.__init__", "cv2.imdecode", "soundfile.SoundFile.read", "imagecodecs.png_decode"]
DECODERS.append("inrcodec.kernels.flac.decode_frame")
ANYTHING = Limits(1 << 250, 1 << 250)


def peak_of(work: Callable[[], object]) -> int:
    """The most bytes that Python and NumPy take at once while `work` runs."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        work()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


def refused(path: Path, data: bytes, limits: Limits = NARROW, match: str | None = None, kind: type[InrcodecError] = InrcodecError) -> None:
    """The file is refused with one line, and takes little more memory than itself."""
    path.write_bytes(data)

    def work() -> None:
        with pytest.raises(kind, match=match) as e:
            files.read(path, limits)
        assert "\n" not in str(e.value)

    work()  # imports take memory too
    assert peak_of(work) < 4 * len(data) + PLENTY


def no_decoding(*args: Any, **options: Any) -> None:
    raise AssertionError("decoded before the limits are checked")


@pytest.mark.parametrize("kind", SOURCES)
def test_samples(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is that of the samples that come back, and nothing is decoded beyond it."""
    path = tmp_path / f"x.{kind}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for i, data in enumerate(seeds(kind)):
            path.write_bytes(data)
            size = files.read(path).samples.size
            assert files.read(path, Limits(size)).samples.size == size
            with monkeypatch.context() as m:
                for place in DECODERS if kind != "flac" or i % 2 == 0 else ():  # every other FLAC file does not tell its length
                    m.setattr(place, no_decoding)
                with pytest.raises(LimitError, match=f"declares {size} samples; the limit is {size - 1}"):
                    files.read(path, Limits(size - 1))


@pytest.mark.parametrize("kind", SOURCES)
def test_memory(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"x.{kind}"
    for data in seeds(kind):
        path.write_bytes(data)
        with pytest.raises(LimitError, match="bytes of memory; the limit is 64"):
            files.read(path, Limits(max_memory=64))


# --- pictures -----------------------------------------------------------------------------------------------------


def png(width: int, height: int, *chunks: tuple[bytes, bytes], pixels: bytes = b"") -> bytes:
    parts = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)), *chunks, (b"IDAT", zlib.compress(pixels)), (b"IEND", b"")]
    return pngchunks.SIGNATURE + b"".join(pngchunks.build(*part) for part in parts)


def test_png_that_declares_more_than_it_holds(tmp_path: Path) -> None:
    for side in (2000, 60000, 1_000_000):
        refused(tmp_path / "x.png", png(side, side), match="the limit is 1048576", kind=LimitError)
        refused(tmp_path / "x.png", png(side, side), ANYTHING, match="bytes are too few for")
    refused(
        tmp_path / "x.png", png(1000, 1000, pixels=np.random.default_rng(0).bytes(9000)), match="pixels end after 9000 of 1001000 bytes"
    )


def test_png_of_many_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """20,000 texts of the same name took 25 s: each looked at the keys of all others."""
    looked: list[str] = []

    class Counted(metadata.Collected):
        def __contains__(self, key: object) -> bool:
            looked.append(str(key))
            return super().__contains__(key)

    found = Counted()
    for i in range(2000):
        found.add("text/Title", b"%d" % i)
    assert list(found) == ["text/Title", *(f"text/Title#{i}" for i in range(2, 2001))]
    assert len(looked) < 3 * len(found)
    data = png(1, 1, *[(b"tEXt", b"Title\0text")] * 20_000, pixels=b"\0\0")
    (tmp_path / "x.png").write_bytes(data)
    signal = files.read(tmp_path / "x.png")
    assert len(signal.metadata) == 20_000
    files.write(tmp_path / "y.png", signal)
    assert files.read(tmp_path / "y.png").metadata == signal.metadata


def test_png_texts_that_inflate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Six texts that each inflated to 350 MB took 2.1 GB. All together now have a limit; those beyond are kept as they are."""
    monkeypatch.setattr(pngchunks, "LARGEST_TEXTS", 1 << 20)
    packed = zlib.compress(bytes(1 << 23), 9)
    good = zlib.compress(b"a" * 5000)
    for kind, head in ((b"zTXt", b"Title\0\0"), (b"iTXt", b"Title\0\1\0\0\0"), (b"iCCP", b"name\0\0")):
        path = tmp_path / "x.png"
        path.write_bytes(png(1, 1, (kind, head + good), *[(kind, head + packed)] * 6, pixels=b"\0\0"))
        peak = peak_of(lambda: files.read(path))  # noqa: B023 called at once
        assert peak < 6 << 20
        values = dict(files.read(path).metadata)
        assert values.pop("icc" if kind == b"iCCP" else "text/Title") == b"a" * 5000
        values.pop("png/profile-name", None)
        assert set(values.values()) == (set() if kind == b"iCCP" else {head + packed})


def tiff_of(entries: list[tuple[int, int, int, int]], behind: bytes = b"", following: int = 0) -> bytes:
    """A file of tags (tag, type, count, value or place); `behind` begins at byte 8 + 2 + 12 × tags + 4."""
    table = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<I", 8) + table + struct.pack("<I", following) + behind


def picture(width: int, height: int, size: int, at: int, **more: int) -> list[tuple[int, int, int, int]]:
    """The tags of a grey picture of one strip."""
    numbers = {256: width, 257: height, 258: 8, 259: 1, 262: 1, 273: at, 277: 1, 278: height, 279: size}
    numbers |= {int(tag[1:]): value for tag, value in more.items()}
    return [(tag, 4, 1, value) for tag, value in sorted(numbers.items())]


def test_tiff_that_declares_more_than_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    for width, height in ((3000, 3000), (2**31, 2**31), (2**32 - 1, 1)):
        refused(path, tiff_of(picture(width, height, 16, 8)), match="the limit is", kind=LimitError)
        refused(path, tiff_of(picture(width, height, 16, 8)), ANYTHING, match="bytes are too few for")
    for compression in (5, 8, 32946, 32773, 34925, 50000):
        refused(path, tiff_of(picture(60000, 60000, 16, 8, t259=compression)), ANYTHING, match="bytes are too few for")
    tiles = {"t322": 1 << 20, "t323": 1 << 20, "t324": 8, "t325": 16}
    refused(path, tiff_of(picture(16, 16, 16, 8, **tiles)), match="bytes of memory", kind=LimitError)
    refused(path, tiff_of(picture(16, 16, 16, 8, **tiles)), ANYTHING, match="bytes are too few for")


def test_tiff_tags_that_ask_for_much(tmp_path: Path) -> None:
    """Tags may point at the same bytes: a file of 4 MB with 250 such tags took 990 MB."""
    path = tmp_path / "x.tif"
    behind = bytes(100_000)
    entries = picture(4, 4, 16, 8) + [(40000 + i, 1, len(behind) - 9000, 9000) for i in range(300)]
    refused(path, tiff_of(entries, behind), match="damaged or ends early")
    for count in (1 << 20, 2**32 - 1):
        refused(path, tiff_of([*picture(4, 4, 16, 8), (40000, 4, count, 8)]), match="damaged or ends early")
    refused(path, b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, 2**64 - 1), match="damaged or ends early")
    overlapping = [e for e in picture(16, 1000, 16, 8, t278=1) if e[0] not in (273, 279)]
    strips = [(273, 4, 1000, 500), (279, 4, 1000, 4500)]
    table = struct.pack("<I", 8) * 1000 + struct.pack("<I", 8000) * 1000
    refused(path, tiff_of(sorted(overlapping + strips), bytes(500 - 8 - 2 - 12 * 9 - 4) + table), match="overlap")


def tiff_with_many(tag: int, count: int, entries: list[tuple[int, int, int, int]]) -> bytes:
    """A file one of whose tags has that many numbers of 16 bits."""
    rest = [entry for entry in entries if entry[0] != tag]
    place = 8 + 2 + 12 * (len(rest) + 1) + 4
    return tiff_of(sorted([*rest, (tag, 3, count, place)]), np.arange(count, dtype="<u2").tobytes())


@pytest.mark.parametrize("tag", [256, 257, 258, 259, 262, 277, 278, 284, 322, 323, 338, 339, 32997])
def test_tiff_tags_of_many_numbers(tmp_path: Path, tag: int) -> None:
    """The numbers of all tags became Python's before any limit was asked: 157 MB for 8 MB."""
    refused(tmp_path / "x.tif", tiff_with_many(tag, 500_000, picture(4, 4, 16, 8)), match=f"tag {tag} has 500000 numbers")


@pytest.mark.parametrize("tag", [273, 279, 320, 324, 325])
def test_tiff_of_many_strips(tmp_path: Path, tag: int) -> None:
    tiles = {f"t{kind}": value for kind, value in {322: 16, 323: 16, 324: 8, 325: 16}.items() if tag in (324, 325)}
    data = tiff_with_many(tag, 500_000, picture(4, 4, 16, 8, t262=3, **tiles))
    refused(tmp_path / "x.tif", data, match="palette" if tag == 320 else None)
    refused(tmp_path / "x.tif", data, Limits(1 << 20, 1 << 19), "bytes of memory", LimitError)


def test_tiff_strips_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    count = 50_000
    entries = [entry for entry in picture(1, count, 1, 8, t278=1) if entry[0] not in (273, 279)]
    place = 8 + 2 + 12 * (len(entries) + 2) + 4
    entries += [(273, 4, count, place), (279, 4, count, place + 4 * count)]
    places = np.arange(count, dtype="<u4") + place + 8 * count
    path.write_bytes(tiff_of(sorted(entries), places.tobytes() + np.ones(count, "<u4").tobytes() + bytes(range(250)) * (count // 250)))
    files.read(path)
    most = peak_of(lambda: files.read(path))
    with pytest.raises(LimitError):
        files.read(path, Limits(max_memory=most))
    assert files.read(path, Limits(max_memory=3 * most)).samples.shape == (count, 1)


@pytest.mark.parametrize("tag", [270, 274, 700, 40000])
def test_tiff_tags_are_counted(tmp_path: Path, tag: int) -> None:
    path = tmp_path / "x.tif"
    path.write_bytes(tiff_with_many(tag, 500_000, picture(4, 4, 16, 8)))
    with pytest.raises(LimitError):
        files.read(path, Limits(max_memory=2_950_000))
    files.read(path, Limits(max_memory=3_050_000))
    assert peak_of(lambda: files.read(path)) < 3_050_000


def test_tiff_directories_in_a_circle(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    entries = picture(2, 2, 4, 0)
    at = 8 + 2 + 12 * (len(entries) + 1) + 4
    entries = sorted([(t, k, n, at if t == 273 else v) for t, k, n, v in entries] + [(34665, 4, 1, 8)])
    path.write_bytes(tiff_of(entries, b"\1\2\3\4"))
    signal = files.read(path, NARROW)
    assert signal.samples.tolist() == [[1, 2], [3, 4]]
    assert peak_of(lambda: files.read(path, NARROW)) < PLENTY
    refused(path, tiff_of(entries, b"\1\2\3\4", following=8), match="in a circle")


def test_webp_that_declares_more_than_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "x.webp"
    stream = b"\x2f" + struct.pack("<I", 16382 | 16382 << 14) + bytes(20)
    body = b"WEBPVP8L" + struct.pack("<I", len(stream)) + stream + bytes(len(stream) % 2)
    refused(path, b"RIFF" + struct.pack("<I", len(body)) + body, match="declares 805208067 samples", kind=LimitError)
    refused(path, b"RIFF" + struct.pack("<I", 2**32 - 1) + body, match="ends after")


def codestream_of(*segments: bytes, parts: bytes = b"") -> bytes:
    """A JPEG 2000 codestream of one grey tile of 1000 × 1000 pixels, these segments in its main header, and tile-parts behind them."""
    size = struct.pack(">HHHIIIIIIIIHBBB", 0xFF51, 41, 0, 1000, 1000, 0, 0, 1000, 1000, 0, 0, 1, 7, 1, 1)
    last = struct.pack(">HHHIBBH", 0xFF90, 10, 0, 14, 0, 1, 0xFF93)
    return b"\xff\x4f" + size + b"".join(segments) + parts + last + b"\xff\xd9"


def test_jpeg_2000_of_many_segments(tmp_path: Path) -> None:
    """A segment that says how the tile is coded took 190 times its bytes."""
    full = struct.pack(">HHBBHBBBBBB", 0xFF52, 12, 0, 0, 1, 0, 32, 4, 4, 0, 1)
    assert len(full) == 14
    refused(tmp_path / "x.j2k", codestream_of(*[full] * 20_000), Limits(1 << 20, 1 << 22), "bytes of memory", LimitError)
    parts = struct.pack(">HHHIBBH", 0xFF90, 10, 0, 14, 0, 1, 0xFF93) * 20_000
    refused(tmp_path / "x.j2k", codestream_of(full, parts=parts), Limits(1 << 20, 1 << 22), "bytes of memory", LimitError)
    short = struct.pack(">HHBB", 0xFF52, 4, 0, 0)
    refused(tmp_path / "x.j2k", codestream_of(*[short] * 20_000), match="does not say how it is coded")


def test_jpeg_2000_tile_parts_are_walked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of 6000 tile-parts without data was taken for a header that goes on to the last of them: 10 s."""
    reads = 0
    unpack_from = struct.unpack_from

    def counted(*args: Any) -> Any:
        nonlocal reads
        reads += 1
        return unpack_from(*args)

    monkeypatch.setattr(struct, "unpack_from", counted)
    parts = struct.pack(">HHHIBB", 0xFF90, 10, 0, 12, 0, 1) * 300
    refused(tmp_path / "x.j2k", codestream_of(parts=parts))
    comments = struct.pack(">HHHI", 0xFF90, 10, 0, 12 + 4 * 300 + 2) + b"\0\1" + b"\xff\x64\0\2" * 300 + b"\xff\x93"
    refused(tmp_path / "x.j2k", codestream_of(parts=comments))
    assert reads < 10 * 600


def bmp(width: int, height: int, bits: int, coding: int, pixels: bytes, colours: int = 0) -> bytes:
    start = 54 + 4 * (colours or (1 << bits if bits <= 8 else 0))
    head = struct.pack("<2sI4xIIiiHHIIiiII", b"BM", start + len(pixels), start, 40, width, height, 1, bits, coding, 0, 0, 0, colours, 0)
    return head + bytes(range(4)) * ((start - 54) // 4) + pixels


def test_bmp_that_declares_more_than_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "x.bmp"
    for bits, coding in ((1, 0), (4, 0), (8, 0), (24, 0), (32, 0), (8, 1), (4, 2)):
        for width, height in ((40_000, 40_000), (2**31 - 1, -(2**31)), (3000, 2**31 - 1)):
            refused(path, bmp(width, height, bits, coding, bytes(60)), match="the limit is", kind=LimitError)
            refused(path, bmp(width, height, bits, coding, bytes(60)), ANYTHING, match="bytes are too few for")
    for colours in (257, 1 << 16, 2**32 - 1):
        data = bytearray(bmp(4, 4, 8, 0, bytes(16)))
        struct.pack_into("<I", data, 46, colours)
        refused(path, bytes(data), match="palette")
    refused(path, bmp(1000, 1000, 8, 1, b"\0\0" * 50_000))  # ends of rows, many more than there are
    refused(path, bmp(1000, 1000, 4, 2, b"\xff\x12" * 10))


def test_netpbm_that_declares_more_than_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "x.pnm"
    for magic in (b"P1", b"P2", b"P3", b"P4", b"P5", b"P6"):
        maxval = b"" if magic in (b"P1", b"P4") else b" 255"
        for side in (b"20000", b"9" * 30):
            refused(path, magic + b" " + side + b" " + side + maxval + b"\n0 1 0", match="the limit is", kind=LimitError)
            refused(path, magic + b" " + side + b" " + side + maxval + b"\n0 1 0", ANYTHING, match="ends after")
        refused(path, magic + b" " + b"9" * 10_000 + b" 1" + maxval + b"\n0 1 0")
    head = b"P7\nWIDTH 20000\nHEIGHT 20000\nDEPTH 4\nMAXVAL 65535\nENDHDR\n"
    refused(path, head, match="the limit is", kind=LimitError)
    refused(path, head, ANYTHING, match="ends after")


@pytest.mark.parametrize("magic", [1, 2, 3])
def test_digits_take_little_memory(tmp_path: Path, magic: int) -> None:
    """They took a hundred bytes for a sample."""
    path = tmp_path / "x.pnm"
    x = np.random.default_rng(magic).integers(0, 2 if magic == 1 else 300, (300, 200, 3 if magic == 3 else 1))
    path.write_bytes(b"P%d\n200 300\n%s" % (magic, b"" if magic == 1 else b"300\n") + b" ".join(b"%d" % v for v in x.reshape(-1)) + b"\n")
    signal = files.read(path)
    np.testing.assert_array_equal(signal.samples.reshape(x.shape), 1 - x if magic == 1 else x)
    told = path.stat().st_size + 3 * signal.samples.nbytes + (8 << 20)
    assert peak_of(lambda: files.read(path)) < told
    with pytest.raises(LimitError):
        files.read(path, Limits(max_memory=told - 1))


@pytest.mark.parametrize("bitmap", [False, True])
@pytest.mark.parametrize("block", [1, 2, 3, 7, 50])
def test_comments_between_digits(tmp_path: Path, bitmap: bool, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the text is cut into blocks."""
    monkeypatch.setattr(netpbm, "BLOCK", block)
    head, digits = (b"P1 3 2\n", b"1#0 1\n 0 #\r1 1#1#0\n#1\n#0 0\r\n0\t1 # the end 1 1") if bitmap else (b"P2 3 2 255\n", b"")
    digits = digits or b"11#22 33\n 44 #\r55 66#77#88\n#99\n#0 0\r\n100\t255 # the end 1 2"
    (tmp_path / "x.pnm").write_bytes(head + digits)
    expected = [[0, 1, 0], [0, 1, 0]] if bitmap else [[11, 44, 55], [66, 100, 255]]
    assert files.read(tmp_path / "x.pnm").samples.tolist() == expected
    (tmp_path / "x.pnm").write_bytes(head + digits.replace(b"\t1 #" if bitmap else b"\t255 #", b" #"))
    with pytest.raises(InrcodecError, match="ends after 5 of 6 samples"):
        files.read(tmp_path / "x.pnm")


def test_many_comments_take_little_memory(tmp_path: Path) -> None:
    (tmp_path / "x.pnm").write_bytes(b"P2 1 1 255\n" + b"#\n" * 500_000 + b"7")
    assert peak_of(lambda: files.read(tmp_path / "x.pnm")) < 10 << 20  # not 90 MB


def test_sun_raster_that_declares_more_than_it_holds(tmp_path: Path) -> None:
    for bits in (1, 8, 24, 32):
        for kind in (0, 1, 2, 3):
            head = struct.pack(">8I", 0x59A66A95, 2**32 - 1, 2**32 - 1, bits, 0, kind, 0, 0)
            refused(tmp_path / "x.ras", head + bytes(50), match="the limit is", kind=LimitError)
            refused(tmp_path / "x.ras", head + b"\x80\xff\0" * 50, ANYTHING, match="ends after")
    coded = struct.pack(">8I", 0x59A66A95, 10, 10, 8, 0, 2, 0, 0) + b"\x80\xff\0" * 100_000
    (tmp_path / "x.ras").write_bytes(coded)
    assert peak_of(lambda: files.read(tmp_path / "x.ras", NARROW)) < 4 * len(coded)  # not 25 MB
    refused(tmp_path / "x.ras", struct.pack(">8I", 0x59A66A95, 10, 10, 8, 0, 1, 1, 2**32 - 1) + bytes(50), match="colour map")


# --- sounds and arrays --------------------------------------------------------------------------------------------


def test_sounds_that_declare_more_than_they_hold(tmp_path: Path) -> None:
    signal = Signal(np.zeros((100, 2), np.int16), "audio", 16, 44100)
    at = {".wav": (40, 4, "little"), ".aiff": (22, 4, "big"), ".au": (8, 4, "big"), ".caf": (0, 8, "big"), ".w64": (0, 8, "little")}
    for extension, (place, size, order) in at.items():
        path = tmp_path / f"x{extension}"
        files.write(path, signal)
        good = path.read_bytes()
        if extension in (".caf", ".w64"):
            place = good.index(b"data") + (4 if extension == ".caf" else 16)
        for number in (10_000, 1 << 31, (1 << 32) - 2, (1 << 40) - 1, (1 << 62) - 1):
            if number < 1 << 8 * size:
                data = bytearray(good)
                data[place : place + size] = number.to_bytes(size, order)  # type: ignore[arg-type]
                refused(path, bytes(data))
                refused(path, bytes(data), ANYTHING, "truncated|damaged|cannot read")


def one_sample(number: int) -> bytes:
    """An audio frame of FLAC: one sample of 16 bits, 7."""
    head = b"\xff\xf8\x60\0" + chr(number).encode() + b"\0"
    check = 0
    for byte in head:
        check = int(flac.CRC8[check ^ byte])
    frame = head + bytes([check, 0, 0, 7])
    check = 0
    for byte in frame:
        check = check << 8 & 0xFFFF ^ int(flac.CRC16[check >> 8 ^ byte])
    return frame + check.to_bytes(2, "big")


def test_flac_of_many_short_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each audio frame took an array of its own, ten times what was counted, and the limits were asked for each."""
    path = tmp_path / "x.flac"
    files.write(path, Signal(np.full((1, 1), 7, np.int16), "audio", 16, 44100))
    head = path.read_bytes()[:42]
    assert head[21:26] == b"\xf0\0\0\0\1"
    count = 20_000
    path.write_bytes(head[:21] + b"\xf0" + bytes(20) + b"".join(one_sample(i) for i in range(count)))
    asked: list[int] = []
    check_memory = Limits.check_memory

    def counted(self: Limits, needed: int) -> None:
        asked.append(needed)
        check_memory(self, needed)

    monkeypatch.setattr(Limits, "check_memory", counted)
    assert files.read(path).samples.tolist() == [[7]] * count
    assert len(asked) < 30
    block = 8 * flac.LONGEST
    assert peak_of(lambda: files.read(path)) < max(asked) + block + (1 << 18)
    with pytest.raises(LimitError, match="bytes of memory"):
        files.read(path, Limits(max_memory=max(asked) - 1))


def test_libsndfile_guesses_no_other_format(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """It took files of another beginning for MPEG, and wrote to standard error."""
    for extension in (".au", ".caf", ".w64"):
        refused(tmp_path / f"x{extension}", b"\0\0\0\0" + b"\xff\xfb\x90\x64" + bytes(5000), match="not a file of type")
    assert capfd.readouterr() == ("", "")


def test_chunks_of_no_size_are_walked_once(tmp_path: Path) -> None:
    for extension in (".wav", ".aiff", ".caf", ".w64"):
        path = tmp_path / f"x{extension}"
        files.write(path, Signal(np.zeros((100, 2), np.int16), "audio", 16, 44100))
        good = path.read_bytes()
        start = {".wav": 12, ".aiff": 12, ".caf": 8, ".w64": 40}[extension]
        refused(path, good[:start] + bytes(40_000), match="no sample data|cannot read|common chunk|damaged")


def npy(descr: str, shape: str, behind: bytes = b"") -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text + behind


def test_arrays_that_declare_more_than_they_hold(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    for shape in ("(1000000, 1000000)", "(9223372036854775807,)", "(4, 4611686018427387904)", f"({10**40},)", "(1 << 60,)", "(-1,)"):
        refused(path, npy("'<u2'", shape, bytes(32)), ANYTHING)
    refused(path, npy("'<u1'", "(2000000,)", bytes(2_000_000)), match="declares 2000000 samples", kind=LimitError)
    refused(path, npy("'<f8'", "(2000000,)", bytes(16_000_000)), match="declares 2000000 samples", kind=LimitError)
    refused(path, npy("'V2000000000'", "(1,)", bytes(32)))
    refused(path, npy("'<u1'", "(0, 9223372036854775807)"))
    refused(path, npy("[" * 3000 + "]" * 3000, "(1,)"))
    refused(path, b"\x93NUMPY\2\0" + struct.pack("<I", 2**32 - 1) + b"{" * 5000)
    signal = Signal(np.zeros(5, np.uint8), metadata={"npy/header": b"\x93NUMPY\2\0" + struct.pack("<I", 2**32 - 1) + b"{" * 5000})
    assert peak_of(lambda: files.write(path, signal)) < PLENTY  # metadata can come from a hostile file too
    assert files.read(path).samples.tolist() == [0] * 5
