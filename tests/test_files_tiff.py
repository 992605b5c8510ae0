"""TIFF of several pages, of any type of samples, of CMYK and bands; paging of metadata."""

from __future__ import annotations

import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

import inrcodec
from inrcodec import files
from inrcodec.errors import InrcodecError, LimitError, UnsupportedError
from inrcodec.files import paging
from inrcodec.limits import Limits
from inrcodec.signal import Kind, Signal

TYPES = ("u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8", "c8", "c16")
SHAPES: tuple[tuple[Kind, tuple[int, ...]], ...] = (
    ("image", (7, 9)),
    ("image", (1, 1)),
    ("image", (7, 9, 2)),
    ("image", (7, 9, 3)),
    ("image", (4, 3, 4)),
    ("image", (3, 4, 5)),
    ("image", (1, 2, 64)),
    ("stack", (2, 1, 1)),
    ("stack", (4, 3, 3)),
    ("stack", (3, 4, 4, 3)),
    ("stack", (2, 5, 1, 4)),
    ("stack", (5, 2, 3, 6)),
)


def of_bits(seed: int, shape: tuple[int, ...], dtype: str) -> npt.NDArray[Any]:
    kind = np.dtype(dtype)
    return np.frombuffer(np.random.default_rng(seed).bytes(int(np.prod(shape)) * kind.itemsize), kind).reshape(shape)


def through(path: Path) -> Signal:
    """Read a file, code and decode it, write it again and read it: the same."""
    signal = files.read(path)
    back = inrcodec.decode(inrcodec.encode(signal, profile="stored"))
    assert back.equals(signal)
    again = path.with_name("again.tif")
    files.write(again, back)
    assert files.read(again).equals(signal)
    assert files.lost(again, signal) == set()
    return signal


def refused(path: Path, match: str, kind: type[InrcodecError] = InrcodecError, limits: Limits | None = None) -> None:
    with pytest.raises(kind, match=match) as e:
        files.read(path, limits or Limits())
    assert "\n" not in str(e.value)
    assert str(e.value).startswith(str(path))


@pytest.mark.parametrize("dtype", TYPES)
def test_every_type_and_shape(tmp_path: Path, dtype: str) -> None:
    path = tmp_path / "x.tif"
    for seed, (kind, shape) in enumerate(SHAPES):
        signal = Signal(of_bits(seed, shape, dtype), kind)
        files.write(path, signal)
        found = files.read(path)
        assert found.equals(signal), (kind, shape)
        assert tifffile.imread(path).tobytes() == signal.samples.tobytes()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 99), st.integers(1, 16), st.integers(2, 4), st.integers(1, 9), st.integers(1, 9), st.integers(1, 6))
def test_stacks_of_any_depth(tmp_path_factory: pytest.TempPathFactory, seed: int, bits: int, pages: int, h: int, w: int, c: int) -> None:
    path = tmp_path_factory.mktemp("t") / "x.tif"
    dtype = "u1" if bits <= 8 else "u2"
    shape = (pages, h, w) if c == 1 else (pages, h, w, c)
    signal = Signal(of_bits(seed, shape, dtype) >> np.array(8 * np.dtype(dtype).itemsize - bits, dtype), "stack", bits)
    files.write(path, signal)
    assert files.read(path).equals(signal)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("compression", [None, "lzw", "zlib", "zstd"])
@pytest.mark.parametrize("dtype", ["i2", "u4", "f2", "f4", "f8", "c8"])
def test_what_tifffile_writes(tmp_path: Path, dtype: str, compression: str | None, order: Any) -> None:
    path = tmp_path / "x.tif"
    x = of_bits(1, (3, 16, 18), dtype)
    tifffile.imwrite(path, x, photometric="minisblack", compression=compression, byteorder=order)
    signal = through(path)
    assert (signal.kind, signal.samples.dtype) == ("stack", np.dtype(dtype))
    assert signal.samples.tobytes() == x.tobytes()
    if dtype[0] != "c":
        predictor = 3 if dtype[0] == "f" else 2
        tifffile.imwrite(path, x[0], compression="zlib", predictor=predictor, byteorder=order)
        assert through(path).samples.tobytes() == x[0].tobytes()


@pytest.mark.parametrize("tile", [None, (16, 16)])
@pytest.mark.parametrize("planes", ["contig", "separate"])
@pytest.mark.parametrize("channels", [2, 3, 4, 5, 7])
def test_bands_and_planes(tmp_path: Path, channels: int, planes: Any, tile: tuple[int, int] | None) -> None:
    path = tmp_path / "x.tif"
    x = of_bits(channels, (17, 19, channels), "u2")
    stored = np.moveaxis(x, 2, 0) if planes == "separate" else x
    tifffile.imwrite(path, stored, photometric="minisblack", planarconfig=planes, tile=tile, metadata=None)
    signal = through(path)
    assert np.array_equal(signal.samples, x)
    with tifffile.TiffFile(tmp_path / "again.tif") as again:
        page = again.pages.first
        assert (page.samplesperpixel, page.photometric, page.extrasamples) == (channels, 1, (0,) * (channels - 1))


def test_rgb_with_bands(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    extras = ("assocalpha", "unspecified", "unassalpha")
    tifffile.imwrite(
        path, of_bits(0, (5, 6, 6), "u1"), photometric="rgb", planarconfig="contig", extrasamples=extras, metadata=None, software=False
    )
    signal = through(path)
    assert signal.metadata["tiff/photometric"] == b"2"
    assert signal.metadata["tiff/extrasamples"] == b"1 0 2"
    with tifffile.TiffFile(tmp_path / "again.tif") as again:
        assert (again.pages.first.photometric, again.pages.first.extrasamples) == (2, (1, 0, 2))


@pytest.mark.parametrize("extras", [(), ("unassalpha",), ("unspecified", "unspecified")])
def test_cmyk(tmp_path: Path, extras: tuple[str, ...]) -> None:
    path = tmp_path / "x.tif"
    x = of_bits(0, (5, 6, 4 + len(extras)), "u1")
    tags = [(332, "H", 1, 1, True), (336, "H", 2, (0, 255), True)]
    tifffile.imwrite(path, x, photometric="separated", planarconfig="contig", extrasamples=extras or None, metadata=None, extratags=tags)
    signal = through(path)
    assert signal.metadata["tiff/photometric"] == b"5"
    assert signal.metadata["tiff/336"] == struct.pack("<HHH", 3, 0, 255)
    with tifffile.TiffFile(tmp_path / "again.tif") as again:
        assert again.pages.first.photometric == 5
        assert again.pages.first.asarray().tobytes() == x.tobytes()
    for suffix in (".png", ".webp", ".bmp", ".pam", ".exr"):
        with pytest.raises(UnsupportedError, match=r"CMYK images|of 5 channels|of 6 channels"):
            files.write(tmp_path / f"x{suffix}", signal)


def test_other_inks(tmp_path: Path) -> None:
    """Two inks, as tag 332 says; the file is made by hand of one that is grey with another channel."""
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, of_bits(0, (5, 6, 2), "u1"), photometric="minisblack", planarconfig="contig", metadata=None, software=False)
    data = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        tags = file.pages.first.tags
        struct.pack_into("<H", data, tags[262].valueoffset, 5)
        struct.pack_into("<HHI", data, tags[338].offset, 332, 3, 1)
        struct.pack_into("<H", data, tags[338].offset + 8, 2)
    path.write_bytes(data)
    signal = through(path)
    assert signal.samples.shape == (5, 6, 2)
    assert signal.metadata["tiff/photometric"] == b"5"
    assert signal.metadata["tiff/332"] == struct.pack("<HH", 3, 2)


# --- stacks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", "<>")
def test_imagej(tmp_path: Path, order: Any) -> None:
    path = tmp_path / "x.tif"
    x = of_bits(0, (5, 16, 18), "u2")
    labels: dict[str, Any] = {"Labels": list("abcde"), "Ranges": (0.0, 100.0), "LUTs": [np.arange(768, dtype=np.uint8).reshape(3, 256)]}
    about = {"axes": "ZYX", "spacing": 3.0, "unit": "um", **labels}
    tifffile.imwrite(path, x, imagej=True, byteorder=order, resolution=(2.5, 2.5), metadata=about)
    assert np.array_equal(through(path).samples, x)
    with tifffile.TiffFile(path) as a, tifffile.TiffFile(tmp_path / "again.tif") as b:
        assert b.is_imagej
        assert (b.byteorder, b.series[0].axes, b.series[0].shape) == (order, "ZYX", x.shape)
        before, after = a.imagej_metadata, b.imagej_metadata
        assert before is not None
        assert after is not None
        assert before.keys() == after.keys()
        assert all(np.array_equal(before[key], after[key]) for key in before)
        assert a.pages.first.resolution == b.pages.first.resolution
        assert np.array_equal(b.series[0].asarray(), x)
        assert b.pages.first.is_contiguous


@pytest.mark.parametrize(("shape", "axes"), [((3, 2, 16, 18), "ZCYX"), ((3, 16, 18, 3), "ZYXS"), ((2, 3, 2, 5, 6), "TZCYX")])
def test_hyperstacks(tmp_path: Path, shape: tuple[int, ...], axes: str) -> None:
    path = tmp_path / "x.tif"
    x = of_bits(0, shape, "u1")
    tifffile.imwrite(path, x, imagej=True, metadata={"axes": axes})
    through(path)
    with tifffile.TiffFile(tmp_path / "again.tif") as again:
        assert again.series[0].axes == axes
        assert np.array_equal(again.series[0].asarray(), x)


def one_page_of_imagej(path: Path, x: npt.NDArray[Any], pictures: int) -> None:
    """As ImageJ writes stacks of more than 4 GB: a page, behind whose samples those of the other pictures follow."""
    tifffile.imwrite(path, x[0], byteorder=">", description=f"ImageJ=1.54f\nimages={pictures}\n", metadata=None, photometric="minisblack")
    with tifffile.TiffFile(path) as file:
        at = file.pages.first.dataoffsets[0]
    path.write_bytes(path.read_bytes()[:at] + x.astype(x.dtype.newbyteorder(">")).tobytes())


def test_imagej_of_one_page(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    x = of_bits(0, (4, 16, 18), "u2")
    one_page_of_imagej(path, x, 4)
    assert np.array_equal(through(path).samples, x)
    with tifffile.TiffFile(tmp_path / "again.tif") as again:
        assert np.array_equal(again.series[0].asarray(), x)
    one_page_of_imagej(path, x, 5)
    refused(path, "should have 5 pictures, and there is one")
    one_page_of_imagej(path, x, 4)
    refused(path, "the limit is", LimitError, Limits(4 * 16 * 18 - 1))


def test_ome(tmp_path: Path) -> None:
    path = tmp_path / "x.ome.tif"
    x = of_bits(0, (3, 2, 16, 18), "f4")
    tifffile.imwrite(path, x, ome=True, metadata={"axes": "TCYX", "PhysicalSizeX": 0.5, "Channel": {"Name": ["a", "µ"]}})
    through(path)
    with tifffile.TiffFile(path) as a, tifffile.TiffFile(tmp_path / "again.tif") as b:
        assert b.is_ome
        assert a.ome_metadata == b.ome_metadata
        assert (b.series[0].axes, b.series[0].shape) == ("TCYX", x.shape)
        assert b.series[0].asarray().tobytes() == x.tobytes()


def test_tags_of_each_page(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    with tifffile.TiffWriter(path) as writer:
        for i in range(4):
            text = None if i == 2 else f"page {i}"
            writer.write(of_bits(i, (6, 7), "i4"), description=text, metadata=None, extratags=[(65000, "I", 1, i // 2, True)])
    signal = through(path)
    assert signal.metadata["text/Description"] == b"page 0"
    assert {key for key in signal.metadata if key.startswith("page/")} == {
        "page/2/+text/Description", "page/3/-text/Description", "page/3/+tiff/65000", "page/4/+text/Description",
    }  # fmt: skip
    with tifffile.TiffFile(tmp_path / "again.tif") as again:
        assert [page.tags[65000].value for page in again.pages] == [0, 0, 1, 1]  # type: ignore[union-attr]
        assert [page.description for page in again.pages] == ["page 0", "page 1", "", "page 3"]  # type: ignore[union-attr]
    one = inrcodec.decode(inrcodec.encode(signal), pages=3)
    files.write(path, one)
    assert files.read(path).metadata["text/Description"] == b"page 3"


def test_a_page_of_a_stack_of_imagej_is_no_stack(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, of_bits(0, (5, 16, 18), "u2"), imagej=True, metadata={"axes": "ZYX", "Labels": list("abcde")})
    signal = files.read(path)
    for pages in (0, (1, 3)):
        some = inrcodec.decode(inrcodec.encode(signal), pages=pages)
        assert not {"text/Description", "tiff/50838", "tiff/50839"} & some.metadata.keys()
        files.write(path, some)
        assert files.read(path).equals(some)
    alone = Signal(signal.samples[0], "image", 16, None, {"text/Description": b"ImageJ=1\nimages=5\n"})
    files.write(path, alone)
    assert files.read(path).samples.shape == (16, 18)
    assert files.lost(path, alone) == {"text/Description"}


def test_pages_that_differ(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    first = np.zeros((16, 18), np.uint8)
    for other, match in (
        (np.zeros((16, 17), np.uint8), "page 3 is 16 × 17 of 8-bit unsigned samples, grey, but page 1 is 16 × 18 of 8-bit"),
        (np.zeros((16, 18), np.int8), "page 3 is 16 × 18 of 8-bit signed samples"),
        (np.zeros((16, 18, 3), np.uint8), "page 3 is 16 × 18 × 3 of 8-bit unsigned samples, RGB"),
    ):
        with tifffile.TiffWriter(path) as writer:
            for page in (first, first, other):
                writer.write(page, photometric="rgb" if page.ndim == 3 else "minisblack")
        refused(path, match, UnsupportedError)


def test_palettes_of_pages(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    fine, coarse = (np.arange(768, dtype=np.uint16).reshape(3, 256) * factor for factor in (81, 256))
    x = of_bits(0, (6, 7), "u1")
    for maps in ((coarse, coarse[::-1]), (fine, fine)):
        with tifffile.TiffWriter(path) as writer:
            for colours in maps:
                writer.write(x, photometric="palette", colormap=colours)
        signal = through(path)
        shift = 8 if maps[0] is coarse else 0
        assert np.array_equal(signal.samples, np.stack([colours.T[x] >> shift for colours in maps]))
    with tifffile.TiffWriter(path) as writer:
        writer.write(x, photometric="palette", colormap=coarse)
        writer.write(x, photometric="palette", colormap=fine)
    refused(path, "page 2 has a palette of 16 bits, page 1 one of 8", UnsupportedError)


def test_limits_count_all_pages(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, np.zeros((50, 16, 18), np.uint8), photometric="minisblack")
    files.read(path, Limits(50 * 16 * 18))
    refused(path, "the limit is", LimitError, Limits(50 * 16 * 18 - 1))
    tifffile.imwrite(path, np.zeros((200, 64, 64), np.uint8), photometric="minisblack", compression="zlib")
    refused(path, "bytes of memory", LimitError, Limits(max_memory=600_000))


def test_a_stack_that_ends_early(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, of_bits(0, (4, 16, 18), "u2"), photometric="minisblack", compression="zlib", metadata=None)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for cut in rng.integers(8, len(whole), 40):
        path.write_bytes(whole[:cut])
        refused(path, str(path))
    for at in rng.integers(0, len(whole), 100):
        data = bytearray(whole)
        data[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(data)
        with suppress(InrcodecError):
            files.read(path)


def test_what_tiff_does_not_have(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    x = np.zeros((2, 4, 5), np.uint16)
    for signal, match in (
        (Signal(x), "not signals of kind 'array'"),
        (Signal(x[:1], "stack"), "a stack of one page would come back as an image"),
        (Signal(x[..., None], "stack"), "would come back as"),
        (Signal(x.astype(">u2"), "stack"), "these samples are >u2"),
        (Signal(x > 0, "stack"), "come back from TIFF as uint8"),
        (Signal(x.astype(np.int16), "stack", 12), "TIFF cannot hold 12-bit signed samples"),
        (Signal(x.astype(np.uint32), "stack", 24), "TIFF cannot hold 24-bit unsigned samples"),
    ):
        with pytest.raises(UnsupportedError, match=match):
            files.write(path, signal)
        assert not path.exists()


# --- paging ---------------------------------------------------------------------------------------------------------


METADATA = st.dictionaries(st.text(max_size=2), st.binary(max_size=2), max_size=4)


@given(st.lists(METADATA, min_size=1, max_size=5))
def test_metadata_of_pages(pages: list[dict[str, bytes]]) -> None:
    joined = paging.joined(pages)
    assert paging.parted(joined, len(pages)) == pages
    for start in range(len(pages)):
        assert paging.parted(paging.of_pages(joined, start, len(pages)), len(pages) - start) == pages[start:]


@given(st.dictionaries(st.from_regex(r"page/[0-9]{1,3}/.{0,3}") | st.text(max_size=4), st.binary(max_size=2), max_size=6))
def test_any_metadata_can_be_parted(metadata: dict[str, bytes]) -> None:
    pages = paging.parted(metadata, 3)
    assert len(pages) == 3
    assert not any(key.startswith("page/") for key in pages[0])
