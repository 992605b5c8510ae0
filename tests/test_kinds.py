"""Stacks of pictures, pictures of any type, bands, complex numbers and bfloat16: through the codec, the command line and damage."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, get_args
from unittest import mock

import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

import inrcodec
from inrcodec import codec, files, header
from inrcodec.cli import main
from inrcodec.errors import FormatError, Notice, UnsupportedError
from inrcodec.floats import FloatMap, from_integers, to_integers
from inrcodec.signal import Kind, Signal, likely_kind
from inrcodec.values import bits_of

TYPES: tuple[str, ...] = ("?", "u1", "<u2", ">u2", "u4", "u8", "i1", "<i2", ">i2", "<i4", "i8")
TYPES += ("<f2", ">f2", "<f4", ">f4", "<f8", "<c8", ">c8", "<c16", ">c16")


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def of_bits(seed: int, shape: tuple[int, ...], dtype: str) -> npt.NDArray[Any]:
    """Samples of which every bit is random: NaNs, infinities and −0 among them."""
    kind = np.dtype(dtype)
    raw = np.random.default_rng(seed).bytes(math.prod(shape) * kind.itemsize)
    found = np.frombuffer(raw, kind).reshape(shape)
    return (np.frombuffer(raw, np.uint8).reshape(shape) & 1).astype(bool) if kind.kind == "b" else found


@st.composite
def signals(draw: st.DrawFn) -> Signal:
    kind: Kind = draw(st.sampled_from(["image", "stack", "array"]))
    axes = {"image": 2, "stack": 3}.get(kind) or draw(st.integers(1, 4))
    shape = tuple(draw(st.lists(st.integers(1, 5), min_size=axes, max_size=axes)))
    if kind != "array" and draw(st.booleans()):
        shape = (*shape, draw(st.sampled_from([1, 2, 3, 4, 5, 64])))
    samples = of_bits(draw(st.integers(0, 99)), shape, draw(st.sampled_from(TYPES)))
    bfloat16 = samples.dtype.name == "uint16" and draw(st.booleans())
    return Signal(samples, kind, 0, None, draw(st.dictionaries(st.text(max_size=3), st.binary(max_size=3), max_size=2)), bfloat16)


@settings(max_examples=60)
@given(signals())
def test_signals_come_back(signal: Signal) -> None:
    data = inrcodec.encode(signal, profile="stored")
    back = inrcodec.decode(data)
    assert back.equals(signal)
    assert back.samples.dtype.str == signal.samples.dtype.str
    found = inrcodec.info(data)
    assert (found["kind"], found["shape"], found["raw_bytes"]) == (signal.kind, list(signal.samples.shape), signal.raw_bytes)
    assert ("bfloat16" in found["dtype"]) == signal.bfloat16


@pytest.mark.parametrize("dtype", ["u1", "<i2", "<f4", "<c8", ">f2"])
@pytest.mark.parametrize("profile", ["auto", "hybrid"])
def test_smooth_stacks_and_pictures(dtype: str, profile: str) -> None:
    y, x = np.mgrid[:16, :18]
    grey = 60 + 50 * np.sin(y / 5) + x
    pages = np.stack([np.stack([grey + 3 * i + c for c in range(3)], -1) for i in range(2)]).round().astype(dtype)
    for signal in (Signal(pages, "stack"), Signal(pages[0], "image"), Signal(pages[..., 0], "stack")):
        data = inrcodec.encode(signal, profile=profile, effort=1)
        assert inrcodec.decode(data).equals(signal)


@given(st.integers(0, 999), st.sampled_from(["<u2", ">u2"]))
def test_bfloat16_keeps_its_order(seed: int, dtype: str) -> None:
    patterns = of_bits(seed, (64,), dtype)
    integers = to_integers(patterns, FloatMap())
    assert np.array_equal(from_integers(integers, FloatMap(), patterns.dtype), patterns)
    numbers = (patterns.astype(np.uint32) << 16).view(np.float32)
    known = ~np.isnan(numbers)
    order = np.argsort(integers[known], kind="stable")
    assert (np.diff(numbers[known][order]) >= 0).all() or np.isinf(numbers[known]).any()


def test_bfloat16_arrays() -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    x = np.linspace(-3, 3, 60, dtype=np.float32).reshape(3, 20).astype(ml_dtypes.bfloat16)
    for array in (x, x[:, ::2], x.T):
        back = inrcodec.decode(inrcodec.encode(array))
        assert (back.samples.dtype.name, back.bfloat16, back.bit_depth) == ("uint16", True, 16)
        assert back.array.dtype == ml_dtypes.bfloat16
        assert back.array.tobytes() == array.tobytes()
    big = Signal(back.samples.astype(">u2"), bfloat16=True)
    assert big.array.tobytes() == back.array.tobytes()


def test_without_ml_dtypes_the_bits_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    signal = Signal(np.array([0x3F80], np.uint16), bfloat16=True)
    monkeypatch.setitem(__import__("sys").modules, "ml_dtypes", None)
    assert signal.array is signal.samples


def test_bfloat16_and_npy(tmp_path: Path) -> None:
    signal = Signal(np.array([0x3F80, 0x7FC1], np.uint16), bfloat16=True)
    files.write(tmp_path / "x.npy", signal)
    assert np.load(tmp_path / "x.npy").tolist() == [0x3F80, 0x7FC1]
    assert files.lost(tmp_path / "x.npy", signal) == {"that its samples are bfloat16"}
    (tmp_path / "x.linr").write_bytes(inrcodec.encode(signal))
    assert run("verify", tmp_path / "x.linr", tmp_path / "x.npy").exit_code == 0
    result = run("decode", tmp_path / "x.linr", "-o", tmp_path / "y.npy")
    assert result.exit_code == 0
    assert "does not keep exactly: that its samples are bfloat16" in result.output
    with pytest.raises(UnsupportedError, match="TIFF cannot hold bfloat16"):
        files.write(tmp_path / "x.tif", Signal(signal.samples.reshape(1, 2), "image", bfloat16=True))


@pytest.mark.parametrize("dtype", ["<c8", ">c16"])
def test_complex_npy(tmp_path: Path, dtype: str) -> None:
    x = of_bits(3, (4, 5), dtype)
    for stored in (x, np.asfortranarray(x)):
        np.save(tmp_path / "x.npy", stored)
        signal = files.read(tmp_path / "x.npy")
        back = inrcodec.decode(inrcodec.encode(signal))
        files.write(tmp_path / "y.npy", back)
        assert (tmp_path / "y.npy").read_bytes() == (tmp_path / "x.npy").read_bytes()


def test_what_is_no_such_type() -> None:
    for bad, words in (
        (lambda: Signal(np.zeros(3, np.int16), bfloat16=True), "no patterns of bfloat16"),
        (lambda: Signal(np.zeros(3, np.uint16), "array", 12, bfloat16=True), "bit depth 12 does not fit samples of type bfloat16"),
        (lambda: Signal(np.zeros(3, np.complex64), "array", 32), "bit depth 32 does not fit samples of type complex64"),
        (lambda: Signal(np.zeros(3, np.uint16), "audio", 16, 8000, bfloat16=True), "sound is signed"),
        (lambda: Signal(np.zeros(3, np.complex64), "audio", 64, 8000), "sound is signed"),
        (lambda: Signal(np.zeros((2, 2), np.complex64), "image").nominal_range, "no range"),
        (lambda: Signal(np.zeros((2, 2, 65), np.uint8), "image"), "at most 64 channels"),
        (lambda: Signal(np.zeros((2, 2, 2, 65), np.uint8), "stack"), "at most 64 channels"),
        (lambda: Signal(np.zeros((2, 2), np.uint8), "stack"), "that of a stack of pictures"),
        (lambda: Signal(np.zeros((2, 2), np.uint8), "film"), "unknown kind 'film': one of image, audio, array, stack"),  # type: ignore[arg-type]
    ):
        with pytest.raises(UnsupportedError, match=words):
            bad()
    assert get_args(Kind) == ("image", "audio", "array", "stack")


def test_the_byte_of_a_type() -> None:
    for dtype in TYPES:
        for bfloat16 in {False, np.dtype(dtype).name == "uint16"}:
            kind, found = header._dtype_of(header.dtype_byte(np.dtype(dtype), bfloat16))
            assert (kind.str, found) == (np.dtype(dtype).str, bfloat16)
    valid = {header.dtype_byte(np.dtype(dtype)) for dtype in (*TYPES, ">u4", ">u8", ">i4", ">i8", ">f8")} | {7 | 64, 7 | 64 | 32}
    for byte in range(256):
        if byte not in valid:
            with pytest.raises(FormatError, match="unknown sample type"):
                header._dtype_of(byte)


# --- pages ----------------------------------------------------------------------------------------------------------


def tiled_stack(channels: int = 3) -> tuple[Signal, bytes]:
    x = np.random.default_rng(0).integers(0, 256, (5, 70, 66, channels), np.uint8)
    signal = Signal(x, "stack", 8, None, {"text/Title": b"t", "page/3/+text/Title": b"third", "page/4/-text/Title": b""})
    return signal, inrcodec.encode(signal, profile="stored")


def test_pages() -> None:
    signal, data = tiled_stack()
    one = inrcodec.decode(data, pages=2)
    assert (one.kind, dict(one.metadata)) == ("image", {"text/Title": b"third"})
    assert np.array_equal(one.samples, signal.samples[2])
    some = inrcodec.decode(data, pages=(1, 4), region=(3, 5, 20, 10))
    assert np.array_equal(some.samples, signal.samples[1:4, 5:15, 3:23])
    assert dict(some.metadata) == {"text/Title": b"t", "page/2/+text/Title": b"third", "page/3/-text/Title": b""}
    assert np.array_equal(inrcodec.decode(data, region=(3, 5, 20, 10)).samples, signal.samples[:, 5:15, 3:23])


def test_only_the_tiles_of_pages_are_decoded() -> None:
    signal = Signal(np.random.default_rng(0).integers(0, 256, (1000, 80, 90), np.uint8), "stack")
    data = inrcodec.encode(signal, profile="stored")
    opened = codec.open_bytes(data)
    assert opened.layout.tiles > 1
    with mock.patch.object(type(opened.decoder), "decode_tile", autospec=True, side_effect=type(opened.decoder).decode_tile) as decode:
        found = inrcodec.decode(data, pages=(0, 1))
    assert np.array_equal(found.samples, signal.samples[:1])
    assert 0 < decode.call_count < opened.layout.tiles


@pytest.mark.parametrize(
    ("given", "kind", "match"),
    [
        ({"pages": 5}, UnsupportedError, "the stack has 5 pages"),
        ({"pages": -1}, UnsupportedError, "the stack has 5 pages"),
        ({"pages": (3, 3)}, UnsupportedError, "the stack has 5 pages"),
        ({"region": (0, 0, 67, 1)}, UnsupportedError, "66 pixels wide and 70 high"),
        ({"pages": 1, "start": 0.0}, ValueError, "region and pages are for pictures"),
        ({"pages": "1"}, TypeError, "must be a whole number"),
        ({"pages": (1, 2, 3)}, TypeError, "must be a whole number"),
        ({"pages": True}, TypeError, "must be a whole number"),
        ({"start": 0.0}, UnsupportedError, "this is a stack"),
    ],
)
def test_pages_that_are_not_there(given: dict[str, Any], kind: type[Exception], match: str) -> None:
    with pytest.raises(kind, match=match):
        inrcodec.decode(tiled_stack()[1], **given)


def test_pages_of_what_is_no_stack() -> None:
    with pytest.raises(UnsupportedError, match="only of a stack, and this is an image"):
        inrcodec.decode(inrcodec.encode(np.zeros((9, 9, 3), np.uint8)), pages=0)
    with pytest.raises(UnsupportedError, match="and this is a stack; decode one of its pages first"):
        inrcodec.thumbnail(tiled_stack()[1])
    with pytest.raises(UnsupportedError, match="a region can be decoded only of a picture, and this is an array"):
        inrcodec.decode(inrcodec.encode(np.zeros((9, 9, 3), np.int16)), region=(0, 0, 1, 1))


def test_pages_on_the_command_line(tmp_path: Path) -> None:
    signal, data = tiled_stack()
    source, one, all_ = tmp_path / "x.linr", tmp_path / "one.png", tmp_path / "all.tif"
    source.write_bytes(data)
    assert run("decode", source, "-o", one, "--page", "3").exit_code == 0
    assert np.array_equal(files.read(one).samples, signal.samples[2])
    assert run("decode", source, "-o", all_, "--page", "2,4", "--region", "1,2,9,8").exit_code == 0
    assert np.array_equal(files.read(all_).samples, signal.samples[1:4, 2:10, 1:10])
    for options, status, says in (
        (["--page", "6"], 1, "the stack has 5 pages"),
        ([], 1, "PNG holds one image, and this is a stack of 5: decode --page writes one, and .tif holds all"),
        (["--page", "0"], 2, "'0' is no page"),
        (["--page", "3,2"], 2, "'3,2' is no page"),
        (["--page", "1", "--scale", "1/2"], 2, "decode the page first"),
        (["--page", "1", "--start", "1"], 2, "--start and --duration are for sounds"),
        (["--page", "1", "--salvage"], 2, "--salvage decodes the whole file"),
        (["--page", "1", "--network-only"], 2, "--network-only decodes no samples"),
    ):
        result = run("decode", source, "-o", tmp_path / "no.png", *options)
        assert result.exit_code == status, result.output
        assert says in result.output
        assert not (tmp_path / "no.png").exists()


def test_stack_of_npy(tmp_path: Path) -> None:
    x = np.random.default_rng(0).integers(0, 9, (3, 8, 9, 3), np.uint8)
    np.save(tmp_path / "a.npy", x)
    np.save(tmp_path / "b.npy", x[..., 0].astype(np.float32))
    for name, options in (("a", []), ("b", ["--kind", "stack"])):
        assert run("encode", tmp_path / f"{name}.npy", "--effort", "1", *options).exit_code == 0
        assert inrcodec.info((tmp_path / f"{name}.linr").read_bytes())["kind"] == "stack"
        assert run("verify", tmp_path / f"{name}.linr", tmp_path / f"{name}.npy").exit_code == 0
        assert run("decode", tmp_path / f"{name}.linr", "-o", tmp_path / "back.npy", "--force").exit_code == 0
        assert (tmp_path / "back.npy").read_bytes() == (tmp_path / f"{name}.npy").read_bytes()
    assert likely_kind(x) == "stack"


# --- previews, thumbnails, damage -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("samples", "kind", "says"),
    [
        (np.zeros((64, 64), np.int16), "image", "only pictures of unsigned samples"),
        (np.zeros((64, 64), np.float32), "image", "only pictures of unsigned samples"),
        (np.zeros((64, 64, 5), np.uint8), "image", "pictures of 5 channels have none"),
        (np.zeros((2, 64, 64), np.uint8), "stack", "and this is a stack"),
    ],
)
def test_what_has_no_preview(samples: npt.NDArray[Any], kind: Kind, says: str) -> None:
    with pytest.warns(Notice, match=says):
        data = inrcodec.encode(samples, kind=kind, preview=True, effort=1)
    assert np.array_equal(inrcodec.decode(data).samples, samples)


def test_thumbnails_of_bands() -> None:
    x = np.random.default_rng(0).integers(0, 256, (16, 12, 6), np.uint8)
    small = inrcodec.thumbnail(inrcodec.encode(x, kind="image", profile="stored"), scale=1 / 2).samples
    means = x.reshape(8, 2, 6, 2, 6).sum((1, 3), dtype=int)
    assert np.array_equal(small, (means + 2) // 4)
    for other in (x.astype(np.int8), x.astype(np.float32)):
        with pytest.raises(UnsupportedError, match="only pictures of unsigned samples can be made smaller"):
            inrcodec.thumbnail(inrcodec.encode(other, kind="image", profile="stored"))


def test_a_damaged_stack_is_salvaged() -> None:
    signal = Signal(of_bits(1, (40, 200, 200), "<c8"), "stack")
    data = bytearray(inrcodec.encode(signal, profile="stored", compact=False))
    assert inrcodec.info(bytes(data))["tiles"]["count"] > 1
    data[len(data) // 2] ^= 1
    with pytest.raises(FormatError):
        inrcodec.decode(bytes(data))
    found = inrcodec.salvage(bytes(data))
    assert (found.signal.kind, found.signal.samples.dtype.name) == ("stack", "complex64")
    assert len(found.lost) == 1
    assert found.lost[0].where.startswith("pages ")
    assert np.array_equal(bits_of(found.signal.samples[found.intact]), bits_of(signal.samples[found.intact]))


@pytest.mark.parametrize("suffix", [".png", ".webp", ".bmp", ".ppm", ".pam", ".ras"])
def test_pictures_that_a_format_does_not_have(tmp_path: Path, suffix: str) -> None:
    grey = np.zeros((4, 5), np.uint8)
    for signal, says in (
        (Signal(grey.astype(np.int8), "image"), "cannot hold images of int8 samples; .tif can"),
        (Signal(grey.astype(np.float32), "image"), "cannot hold images of float32 samples; .tif can"),
        (Signal(grey.astype(np.complex64), "image"), "cannot hold images of complex64 samples; .tif can"),
        (Signal(grey.astype(np.uint16), "image", bfloat16=True), "cannot hold images of bfloat16 samples; .npy can"),
        (Signal(np.zeros((4, 5, 6), np.uint8), "image"), "cannot hold images of 6 channels; .tif can"),
        (Signal(np.zeros((4, 5, 4), np.uint8), "image", metadata={"tiff/photometric": b"5"}), "cannot hold CMYK images; .tif can"),
        (Signal(np.zeros((2, 4, 5), np.uint8), "stack"), "this is a stack of 2: decode --page writes one"),
        (Signal(grey.astype(np.uint32), "image"), "cannot hold 32-bit grey images; .tif can"),
    ):
        with pytest.raises(UnsupportedError, match=says) as e:
            files.write(tmp_path / f"x{suffix}", signal)
        assert "\n" not in str(e.value)
        assert not (tmp_path / f"x{suffix}").exists()
