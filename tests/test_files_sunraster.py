"""Sun raster files: every sort of them against the samples they were made of, and against Pillow."""

from __future__ import annotations

import itertools
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

import hypothesis.extra.numpy as hnp
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from inrcodec import files
from inrcodec.errors import InrcodecError, LimitError, UnsupportedError
from inrcodec.files.sunraster import RUN
from inrcodec.signal import Signal

Samples = npt.NDArray[np.uint8]
OLD, STANDARD, CODED, RGB = range(4)
many = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
RNG = np.random.default_rng(5)


def raster(
    width: int, height: int, bits: int, body: bytes, kind: int = STANDARD, colour_map: bytes = b"", map_kind: int | None = None
) -> bytes:
    mapped = bool(colour_map) if map_kind is None else map_kind
    return struct.pack(">8I", 0x59A66A95, width, height, bits, len(body), kind, mapped, len(colour_map)) + colour_map + body


def rows(x: Samples) -> bytes:
    """Rows of bytes, each padded to 16 bits."""
    flat = x.reshape(len(x), -1)
    return np.pad(flat, ((0, 0), (0, flat.shape[1] % 2))).tobytes()


def coded(raw: bytes) -> bytes:
    """Run-length coded as the format asks: runs of 3 and more, and every 128."""
    out = bytearray()
    for value, group in itertools.groupby(raw):
        left = len(list(group))
        while left:
            n = min(left, 256)
            left -= n
            if n >= 3 or (n == 2 and value == 0x80):
                out += bytes((0x80, n - 1, value))
            else:
                out += (b"\x80\0" if value == 0x80 else bytes((value,))) * n
    return bytes(out)


def read(path: Path, data: bytes) -> Signal:
    path.write_bytes(data)
    return files.read(path)


def pixels(shape: tuple[int, ...], levels: int = 256) -> Samples:
    return RNG.integers(0, levels, shape).astype(np.uint8)


@pytest.mark.parametrize(("kind", "levels", "width"), list(itertools.product((OLD, STANDARD, CODED, RGB), (256, 2), (1, 2, 13, 301))))
def test_every_type_and_depth(tmp_path: Path, kind: int, levels: int, width: int) -> None:
    """OpenCV 5 reads grey as zeros here."""
    path = tmp_path / "x.ras"
    shape = (9, width)
    body = coded if kind == CODED else bytes
    grey = pixels(shape, levels) * (128 if levels == 2 else 1)
    signal = read(path, raster(width, 9, 8, body(rows(grey)), kind))
    assert (signal.kind, signal.bit_depth) == ("image", 8)
    assert np.array_equal(signal.samples, grey)
    colours = pixels((*shape, 3), levels)
    stored = colours if kind == RGB else colours[:, :, ::-1]
    assert np.array_equal(read(path, raster(width, 9, 24, body(rows(stored)), kind)).samples, colours)
    for padding in (0, 255):
        wide = np.concatenate((np.full((*shape, 1), padding, np.uint8), stored), axis=2)
        assert np.array_equal(read(path, raster(width, 9, 32, body(rows(wide)), kind)).samples, colours)
    black = pixels(shape, 2)
    signal = read(path, raster(width, 9, 1, body(rows(np.packbits(1 - black, axis=1))), kind))
    assert signal.bit_depth == 1
    assert np.array_equal(signal.samples, black)


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "P"])
def test_pillow_reads_the_same(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "x.ras"
    if mode == "P":
        path.write_bytes(raster(13, 9, 8, rows(pixels((9, 13), 5)), colour_map=pixels((3, 5)).tobytes()))
    else:
        x = pixels((9, 13, 3) if mode == "RGB" else (9, 13), 2 if mode == "1" else 256)
        files.write(path, Signal(x, "image", 1 if mode == "1" else 8))
    with Image.open(path) as picture:
        assert picture.mode == mode
        assert np.array_equal(np.asarray(picture.convert("RGB") if mode == "P" else picture), files.read(path).samples)


def test_colour_maps(tmp_path: Path) -> None:
    path = tmp_path / "x.ras"
    x = pixels((9, 13))
    colours = pixels((3, 256))
    assert np.array_equal(read(path, raster(13, 9, 8, rows(x), colour_map=colours.tobytes())).samples, colours.T[x])
    ramp = np.tile(np.arange(256, dtype=np.uint8), 3)
    signal = read(path, raster(13, 9, 8, rows(x), colour_map=ramp.tobytes()))
    assert np.array_equal(signal.samples, x)
    assert read(path, raster(13, 9, 8, rows(x), colour_map=ramp[::-1].tobytes())).samples.shape == (9, 13, 3)
    bits = pixels((9, 13), 2)
    packed = rows(np.packbits(bits, axis=1))
    signal = read(path, raster(13, 9, 1, packed, colour_map=b"\0\xff" * 3))
    assert signal.bit_depth == 1
    assert np.array_equal(signal.samples, bits)
    signal = read(path, raster(13, 9, 1, packed, colour_map=b"\1\2\3\4\5\6"))
    assert signal.bit_depth == 8
    assert np.array_equal(signal.samples, np.array([[1, 3, 5], [2, 4, 6]], np.uint8)[bits])


@many
@given(
    st.one_of(
        hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9)).map(lambda x: Signal(x, "image")),
        hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=20), elements=st.integers(0, 1)).map(
            lambda x: Signal(x, "image", 1)
        ),
        hnp.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3))).map(lambda x: Signal(x, "image")),
    )
)
def test_comes_back(tmp_path: Path, signal: Signal) -> None:
    path = tmp_path / "x.sr"
    files.write(path, signal)
    assert files.read(path).equals(signal)


@many
@given(st.binary(max_size=600) | st.lists(st.sampled_from([0, 1, 0x80]), max_size=600).map(bytes))
def test_runs(raw: bytes) -> None:
    assert RUN.sub(lambda run: run[2] * (run[1][0] + 1) if run[1] else b"\x80", coded(raw)) == raw


REFUSED: dict[str, tuple[bytes, type[InrcodecError], str]] = {
    "header": (raster(1, 1, 8, b"ab")[:31], InrcodecError, "ends within its header"),
    "no pixels": (raster(0, 5, 8, b""), InrcodecError, "0 × 5"),
    "depth": (raster(2, 1, 4, b"ab"), UnsupportedError, "4 bits"),
    "type": (raster(2, 1, 8, b"ab", kind=4), UnsupportedError, "type 4"),
    "raw map": (raster(2, 1, 8, b"ab", colour_map=b"abc", map_kind=2), UnsupportedError, "map of type 2"),
    "map of colours": (raster(2, 1, 24, bytes(6), colour_map=b"abc"), UnsupportedError, "24 bits per pixel with a map"),
    "odd map": (raster(2, 1, 8, bytes(2), colour_map=b"abcd"), InrcodecError, "no valid colour map"),
    "short map": (raster(2, 1, 8, b"\0\1", colour_map=b"abc"), InrcodecError, "colour 1 where the map has 1"),
    "cut map": (raster(2, 1, 8, b"", colour_map=b"abc")[:-1], InrcodecError, "ends within its colour map"),
    "alpha": (raster(2, 1, 32, bytes(range(8))), UnsupportedError, "fourth byte"),
    "constant alpha": (raster(1, 1, 32, b"\7abc"), UnsupportedError, "fourth byte"),
    "pixels": (raster(3, 2, 8, bytes(7)), InrcodecError, "ends after 7 of 8"),
    "half a run": (raster(4, 1, 8, b"abc\x80", kind=CODED).replace(b"abc", b"\x80\1a"), InrcodecError, "ends after 3 of 4"),
    "huge": (raster(1 << 31, 1 << 31, 32, b"ab"), LimitError, "declares 13835058055282163712 samples"),
    "too short": (raster(1 << 10, 1 << 10, 8, b"ab"), InrcodecError, "ends after 2 of"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(tmp_path: Path, name: str) -> None:
    data, kind, match = REFUSED[name]
    path = tmp_path / "x.ras"
    path.write_bytes(data)
    with pytest.raises(kind, match=match) as info:
        files.read(path)
    assert str(info.value).startswith(f"{path}: ")
    assert "\n" not in str(info.value)


@many
@given(
    changes=st.lists(st.tuples(st.integers(0, 157), st.integers(0, 255)), min_size=1, max_size=5),
    size=st.integers(1, 158),
    kind=st.integers(0, 3),
)
def test_no_damage_crashes(tmp_path: Path, changes: list[tuple[int, int]], size: int, kind: int) -> None:
    data = bytearray(raster(13, 9, 8, rows(np.full((9, 13), 7, np.uint8)), kind))
    for at, byte in changes:
        data[at] = byte
    path = tmp_path / "x.ras"
    path.write_bytes(data[:size])
    with suppress(InrcodecError):
        files.read(path)


def test_what_it_cannot_hold(tmp_path: Path) -> None:
    cases: list[tuple[Any, int, str]] = [
        (pixels((4, 5, 4)), 8, "RGBA"),
        (pixels((4, 5), 16), 4, "4-bit grey"),
        (pixels((4, 5)).astype(np.uint16), 16, "16-bit grey"),
    ]
    for x, depth, match in cases:
        with pytest.raises(UnsupportedError, match=rf"x\.ras: Sun raster cannot hold .*{match}.*\.tif"):
            files.write(tmp_path / "x.ras", Signal(x, "image", depth))
