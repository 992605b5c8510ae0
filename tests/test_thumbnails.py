"""Pictures at a fraction of their size: exact means of blocks, and the preview that a file may hold."""

from __future__ import annotations

import io
import subprocess
import sys
import warnings
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import inrcodec
from inrcodec import (
    FormatError,
    LimitError,
    LossyError,
    Notice,
    Signal,
    UnsupportedError,
    averages,
    codec,
    compact,
    container,
    files,
    preview,
    thumbnails,
)
from inrcodec.cli import main
from inrcodec.container import Section
from inrcodec.files import webp
from inrcodec.options import Options
from tests.test_hybrid import photo

PICTURE = photo(70, 90)


@cache
def tiled() -> bytes:
    """The picture in several tiles."""
    return inrcodec.encode(PICTURE, kind="image", effort=1, profile="hybrid", tile=20, verify=False)


LARGE = np.random.default_rng(0).integers(0, 256, (160, 208, 3), np.uint8)  # whose file is large, so that its preview can be good


@cache
def shown() -> bytes:
    """A large picture with a preview."""
    return inrcodec.encode(LARGE, kind="image", profile="stored", preview=True)


def means(samples: npt.NDArray[Any], side: int, depth: int = 8) -> npt.NDArray[Any]:
    """The means of blocks, by Python's integers."""
    shaped = samples.reshape(*samples.shape[:2], -1)
    rows, columns = averages.smaller(shaped.shape[:2], side)
    shown, top = (1, 1) if depth >= 8 else (255, 2**depth - 1)
    found = np.empty((rows, columns, shaped.shape[2]), samples.dtype if depth >= 8 else np.uint8)
    for row, column, channel in np.ndindex(*found.shape):
        block = shaped[row * side : (row + 1) * side, column * side : (column + 1) * side, channel]
        below = block.size * top
        found[row, column, channel] = (2 * shown * sum(map(int, block.reshape(-1))) + below) // (2 * below)
    return found.reshape(rows, columns, *samples.shape[2:])


def sections_of(data: bytes) -> list[Section]:
    return compact.sections_of(data)


def with_preview(data: bytes, content: bytes) -> bytes:
    """A file with another preview."""
    kept = [section for section in sections_of(data) if section.type != preview.TYPE]
    return container.write([kept[0], Section(preview.TYPE, content), *kept[1:]])


def content_of(data: bytes) -> bytes:
    return next(section.content for section in sections_of(data) if section.type == preview.TYPE)


def webp_of(height: int, width: int, **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.zeros((height, width, 3), np.uint8)).save(file, "WEBP", **options)
    return file.getvalue()


@pytest.mark.parametrize("scale", [1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32])
def test_samples_are_means_of_blocks(scale: float) -> None:
    found = inrcodec.thumbnail(tiled(), scale=scale)
    assert np.array_equal(found.samples, means(PICTURE, round(1 / scale)))
    assert (found.kind, found.bit_depth) == ("image", 8)


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_blocks_of_a_region(data: st.DataObject) -> None:
    left, top = data.draw(st.integers(0, 89)), data.draw(st.integers(0, 69))
    width, height = data.draw(st.integers(1, 90 - left)), data.draw(st.integers(1, 70 - top))
    side = data.draw(st.sampled_from(averages.SIDES))
    found = inrcodec.thumbnail(tiled(), scale=1 / side, region=(left, top, width, height))
    assert np.array_equal(found.samples, means(PICTURE[top : top + height, left : left + width], side))


@pytest.mark.parametrize(
    ("shape", "dtype", "depth"),
    [
        ((9, 21), np.bool_, 1),
        ((9, 21), np.uint8, 4),
        ((17, 8, 2), np.uint8, 8),
        ((17, 33, 4), np.uint16, 12),
        ((17, 33, 3), ">u2", 16),
        ((1, 1), np.uint16, 16),
        ((33, 9, 1), np.uint16, 3),
        ((40, 70), np.uint32, 32),
        ((40, 70), np.uint64, 32),
    ],
)
def test_depths_and_layouts(shape: tuple[int, ...], dtype: Any, depth: int) -> None:
    samples = np.random.default_rng(1).integers(0, 2**depth, shape, np.uint64).astype(dtype)
    samples.reshape(-1)[: samples.size // 2] = 2**depth - 1  # sums as large as can be
    data = inrcodec.encode(samples, kind="image", bit_depth=depth, profile="stored")
    for side in (2, 32):
        found = inrcodec.thumbnail(data, scale=1 / side)
        expected = means(samples, side, depth)
        assert found.samples.dtype == expected.dtype
        assert np.array_equal(found.samples, expected)
        assert found.bit_depth == max(8, depth)


def test_more_bits_are_refused() -> None:
    data = inrcodec.encode(np.full((8, 8), 2**40, np.uint64), kind="image", bit_depth=48, profile="stored")
    with pytest.raises(UnsupportedError, match="48 bits; pictures of up to 32"):
        inrcodec.thumbnail(data)


def test_only_pictures_are_made_smaller() -> None:
    with pytest.raises(UnsupportedError, match="only a picture can be made smaller, and this is an audio"):
        inrcodec.thumbnail(inrcodec.encode(np.arange(50, dtype=np.int16), kind="audio", sample_rate=8000, profile="stored"))
    with pytest.raises(UnsupportedError, match="this is an array"):
        inrcodec.thumbnail(inrcodec.encode(np.zeros((9, 9), np.float32), profile="stored"))


def test_wrong_arguments() -> None:
    for scale in (1, 1 / 3, 8, 0.1):
        with pytest.raises(ValueError, match="it can be 1/2, 1/4, 1/8, 1/16, 1/32"):
            inrcodec.thumbnail(tiled(), scale=scale)
    with pytest.raises(UnsupportedError, match="90 pixels wide and 70 high"):
        inrcodec.thumbnail(tiled(), region=(80, 0, 20, 20))
    with pytest.raises(TypeError, match="in pixels"):
        inrcodec.thumbnail(tiled(), region=(0, 0, 1.5, 1))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="payload"):
        inrcodec.encode(LARGE, kind="image", preview=True, payload=False, profile="inr")


def test_only_tiles_are_in_memory_at_once() -> None:
    """The limit that a whole picture exceeds allows a small one."""
    data = inrcodec.encode(
        np.zeros((1024, 2048), np.uint16) + np.arange(2048, dtype=np.uint16), kind="image", profile="stored", verify=False
    )
    opened = codec.open_bytes(data)
    assert opened.layout.tiles > 1
    limit = next(limit for limit in range(10**5, 10**8, 10**5) if allowed(opened, limit))
    assert np.array_equal(inrcodec.thumbnail(data, threads=1, max_memory=limit).samples[0], 8 * np.arange(256) + 4)
    with pytest.raises(LimitError):
        inrcodec.decode(data, threads=1, max_memory=limit)
    with pytest.raises(LimitError, match="max_samples"):
        inrcodec.thumbnail(data, max_samples=1000)


def allowed(opened: codec.Opened, limit: int) -> bool:
    """Whether a limit of memory allows a thumbnail, of which nothing is decoded."""
    with mock.patch.object(codec.Opened, "each"):
        try:
            thumbnails._of_tiles(opened, 8, opened.whole(), Options(threads=1, max_memory=limit))
        except LimitError:
            return False
    return True


def test_tiles_that_no_wanted_sample_lies_in_are_not_decoded() -> None:
    opened = codec.open_bytes(tiled())
    with mock.patch.object(type(opened.decoder), "decode_tile", autospec=True, side_effect=type(opened.decoder).decode_tile) as decode:
        inrcodec.thumbnail(tiled(), region=(21, 5, 15, 10))
    assert decode.call_count == 1


def test_samples_beyond_their_depth_are_damage() -> None:
    data = inrcodec.encode(np.full((8, 8), 255, np.uint8), kind="image", profile="stored", verify=False)
    opened = codec.open_bytes(data)
    head = opened.sections[0].content
    changed = head[:3] + bytes([4]) + head[4:]  # the bit depth
    broken = container.write([Section(b"HEAD", changed), *opened.sections[1:]])
    with pytest.raises(FormatError, match="damaged: samples do not fit in 4 bits"):
        inrcodec.thumbnail(broken, scale=1 / 8)


@pytest.mark.parametrize(("density", "stays"), [(b"300 150.5 in", False), (b"4 3 -", True), (b"much", False)])
def test_metadata_that_counts_pixels_goes(density: bytes, stays: bool) -> None:
    metadata = {"icc": b"x", "density": density, "png/oFFs": b"123456789", "png/bKGD": b"12", "text/Title": b"t"}
    data = inrcodec.encode(PICTURE, kind="image", metadata=metadata, profile="stored")
    kept = {"icc", "png/bKGD", "text/Title"} | ({"density"} if stays else set())
    assert inrcodec.thumbnail(data, scale=1 / 8).metadata == {key: metadata[key] for key in kept}
    assert "png/bKGD" not in thumbnails.metadata_of(metadata, 4)


# --- previews -----------------------------------------------------------------------------------------------------


def test_a_preview_costs_a_hundredth_at_most_and_changes_no_sample() -> None:
    plain = inrcodec.encode(LARGE, kind="image", profile="stored")
    size = sum(section.size for section in sections_of(shown()) if section.type == preview.TYPE)
    assert 0 < 100 * size <= len(shown())
    assert len(shown()) == len(plain) + size
    assert np.array_equal(inrcodec.decode(shown()).samples, LARGE)
    assert inrcodec.info(shown())["bytes"]["preview"] == size
    assert "preview" not in inrcodec.info(plain)["bytes"]


@pytest.mark.parametrize("side", [8, 16, 32])
def test_a_preview_is_taken_without_decoding(side: int) -> None:
    with mock.patch.object(codec, "open_bytes", side_effect=AssertionError), pytest.warns(Notice, match="lossy"):
        found = inrcodec.thumbnail(shown(), scale=1 / side)
    exact = means(LARGE, side)
    assert found.samples.shape == exact.shape
    assert found.samples.dtype == exact.dtype
    assert 10 * np.log10(255**2 / ((found.samples - exact.astype(float)) ** 2).mean()) > preview.LEAST_PSNR


@pytest.mark.parametrize("asked", [{"exact": True}, {"scale": 1 / 4}, {"region": (0, 0, 208, 160)}])
def test_where_the_preview_is_not_taken(asked: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = inrcodec.thumbnail(shown(), **asked)
    assert np.array_equal(found.samples, means(LARGE, 4 if "scale" in asked else 8))


@pytest.mark.parametrize(
    ("channels", "dtype", "depth"),
    [(0, np.uint8, 8), (1, np.uint8, 8), (2, np.uint8, 8), (4, np.uint8, 8), (3, ">u2", 12), (0, np.bool_, 1)],
)
def test_previews_of_all_layouts(channels: int, dtype: Any, depth: int) -> None:
    height = 250 if depth > 1 else 1000
    shape = (height, 301, channels) if channels else (height, 301)
    samples = np.random.default_rng(3).integers(0, 2**depth, shape).astype(dtype)
    samples[:100] = 2**depth - 1
    if depth == 1:  # as noisy as before, with means that are alike
        samples[:, 1:-1:2] = ~samples[:, 0:-1:2]
    data = inrcodec.encode(samples, kind="image", bit_depth=depth, profile="stored", preview=True)
    with pytest.warns(Notice, match="lossy"):
        found = inrcodec.thumbnail(data)
    exact = inrcodec.thumbnail(data, exact=True)
    assert (found.samples.shape, found.samples.dtype, found.bit_depth) == (exact.samples.shape, exact.samples.dtype, exact.bit_depth)
    error = (found.samples - exact.samples.astype(float)) / (2**exact.bit_depth - 1)
    assert -10 * np.log10((error**2).mean()) > preview.LEAST_PSNR


def test_where_no_preview_is_written() -> None:
    with pytest.warns(Notice, match=r"without effect: preview \(no preview is as small as 1/100 of the file\)"):
        data = inrcodec.encode(PICTURE[:16, :16], kind="image", profile="stored", preview=True)
    assert "preview" not in inrcodec.info(data)["bytes"]
    with pytest.warns(Notice, match="this is an audio"):
        inrcodec.encode(np.arange(50, dtype=np.int16), kind="audio", sample_rate=8000, profile="stored", preview=True)
    with pytest.warns(Notice, match="48 bits"):
        inrcodec.encode(np.full((8, 8), 2**40, np.uint64), kind="image", bit_depth=48, profile="stored", preview=True)
    noise = np.random.default_rng(4).integers(0, 2, (64, 64), np.uint8).repeat(8, 0).repeat(8, 1) * 255
    with pytest.warns(Notice, match=r"\(in 1/100 of the file a preview would have .* dB, less than 28\)|as small as"):
        inrcodec.encode(noise, kind="image", profile="stored", preview=True)
    with pytest.warns(Notice, match="more than 16383 pixels a side"):
        inrcodec.encode(np.zeros((8 * 16384, 8), np.uint8), kind="image", profile="stored", preview=True)


def test_what_is_below_the_least_psnr_is_not_written() -> None:
    checks = np.random.default_rng(4).integers(0, 256, (20, 26, 3), np.uint8)
    found = preview.encode(checks, 8, 99 * 300)
    assert isinstance(found, str)
    assert "dB, less than 28" in found


FAULTY = {
    "empty": b"",
    "no WebP": b"RIFF" + bytes(40),
    "lossless": webp_of(20, 26, lossless=True),
    "other size": webp_of(26, 20),
    "a pixel less": webp_of(20, 25),
    "cut": webp_of(20, 26)[:-20],
    "cut in the stream": webp._riff(webp._chunk(b"VP8 ", webp._chunks(webp_of(20, 26))[b"VP8 "][:12])),
    "no key frame": webp._riff(webp._chunk(b"VP8 ", b"\1" + webp._chunks(webp_of(20, 26))[b"VP8 "][1:])),
}


@pytest.mark.parametrize("name", FAULTY)
def test_a_faulty_preview_is_damage_to_itself_only(name: str) -> None:
    data = with_preview(shown(), FAULTY[name])
    with pytest.raises(FormatError, match="damaged: its preview: ") as fault:
        inrcodec.thumbnail(data)
    assert "\n" not in str(fault.value)
    assert np.array_equal(inrcodec.thumbnail(data, exact=True).samples, means(LARGE, 8))
    assert np.array_equal(inrcodec.decode(data).samples, LARGE)
    assert not inrcodec.salvage(data).report()


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_changed_bytes_of_a_preview_never_crash(data: st.DataObject) -> None:
    content = bytearray(content_of(shown()))
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = content[: data.draw(st.integers(len(content) // 2, len(content)))]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = inrcodec.thumbnail(with_preview(shown(), bytes(cut)))
    except FormatError:
        pass
    else:
        assert found.samples.shape == (20, 26, 3)


def test_a_preview_that_declares_another_size_takes_no_memory() -> None:
    stream = bytearray(webp._chunks(webp_of(20, 26))[b"VP8 "])
    stream[6:10] = b"\xff\x3f\xff\x3f"
    whole = webp._riff(webp._chunk(b"VP8 ", bytes(stream)))
    with mock.patch.object(webp, "pillow_decode", side_effect=AssertionError), pytest.raises(FormatError, match="its size is not"):
        inrcodec.thumbnail(with_preview(shown(), whole))


def test_limits_hold_for_previews() -> None:
    with pytest.raises(LimitError):
        inrcodec.thumbnail(shown(), max_samples=500)
    with pytest.raises(LimitError):
        inrcodec.thumbnail(shown(), max_memory=10_000)


def test_a_lossy_file_gives_no_thumbnail() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = inrcodec.encode(PICTURE[:16, :16], kind="image", profile="inr", steps=5, payload=False, hidden=4, network="heads")
    with pytest.raises(LossyError):
        inrcodec.thumbnail(data)


# --- the command line ---------------------------------------------------------------------------------------------


def test_the_command_line_makes_and_takes_previews(tmp_path: Path) -> None:
    run, source, coded = CliRunner().invoke, str(tmp_path / "a.png"), str(tmp_path / "a.linr")
    files.write(source, Signal(LARGE, "image", metadata={"density": b"72 72 in"}))
    encoded = run(main, ["encode", source, "--profile", "stored", "--preview", "--quiet"])
    assert (encoded.exit_code, encoded.output) == (0, "")
    assert "preview:" in run(main, ["info", coded]).output
    taken = run(main, ["decode", coded, "-o", str(tmp_path / "p.png"), "--scale", "1/8"])
    assert taken.exit_code == 0
    assert taken.output.count("\n") == 1
    assert "lossy; --exact" in taken.output
    assert files.read(tmp_path / "p.png").samples.shape == (20, 26, 3)
    for arguments, part in ((["--exact"], LARGE), (["--region", "10,20,50,60"], LARGE[20:80, 10:60])):
        found = run(main, ["decode", coded, "-o", str(tmp_path / "b.png"), "--scale", "1/8", "--force", *arguments])
        assert (found.exit_code, found.output) == (0, "")
        assert np.array_equal(files.read(tmp_path / "b.png").samples, means(part, 8))


@pytest.mark.parametrize(
    "arguments",
    [
        ["--scale", "1/3"],
        ["--scale", "0"],
        ["--exact"],
        ["--scale", "1/8", "--start", "1"],
        ["--scale", "1/8", "--salvage"],
        ["--scale", "1/8", "--network-only"],
    ],
)
def test_wrong_usage(tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "a.linr").write_bytes(tiled())
    found = CliRunner().invoke(main, ["decode", str(tmp_path / "a.linr"), "-o", str(tmp_path / "b.png"), *arguments])
    assert found.exit_code == 2
    assert not (tmp_path / "b.png").exists()


def test_tensors_have_no_preview(tmp_path: Path) -> None:
    data = inrcodec.encode(inrcodec.Tensors.of({"a": np.ones((8, 4), np.float32)}))
    (tmp_path / "a.linr").write_bytes(data)
    found = CliRunner().invoke(main, ["decode", str(tmp_path / "a.linr"), "-o", str(tmp_path / "b.png"), "--scale", "1/8"])
    assert found.exit_code == 1
    assert "--scale is for signals" in found.output
    with pytest.raises(ValueError, match="preview: not for tensors"):
        inrcodec.encode(inrcodec.Tensors.of({"a": np.ones((8, 4), np.float32)}), preview=True)


def test_a_preview_is_taken_without_what_takes_long_to_import(tmp_path: Path) -> None:
    (tmp_path / "a.linr").write_bytes(shown())
    check = "assert not {'numba', 'scipy', 'inrcodec.codec'} & set(sys.modules)"
    program = f"import sys\nfrom inrcodec.cli import main\ntry:\n    main()\nfinally:\n    {check}\n"
    arguments = ["decode", str(tmp_path / "a.linr"), "-o", str(tmp_path / "b.png"), "--scale", "1/16"]
    found = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    assert files.read(tmp_path / "b.png").samples.shape == (10, 13, 3)
