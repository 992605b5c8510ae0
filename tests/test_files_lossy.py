"""Lossy pictures: refused with a line that says what would happen; with pixels=True the pixels that Pillow decodes, and their metadata."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image, features

import inrcodec
from inrcodec import cli, files
from inrcodec.errors import InrcodecError, LimitError, Notice, UnsupportedError
from inrcodec.limits import Limits

RNG = np.random.default_rng(0)
COLOURS = Image.fromarray(np.cumsum(RNG.integers(-4, 5, (20, 30, 3)), axis=1).astype(np.uint8))
avif = pytest.mark.skipif(not features.check("avif"), reason="Pillow was built without AVIF")


def exif(orientation: int = 6) -> bytes:
    made = Image.Exif()
    made[0x0112] = orientation
    made[0x010F] = "maker"
    return made.tobytes()


def saved(path: Path, mode: str = "RGB", **options: Any) -> Path:
    COLOURS.convert(mode).save(path, **options)
    return path


def refused(path: Path, kind: type[InrcodecError] = InrcodecError, limits: Limits = files.USUAL, pixels: bool = True) -> str:
    """The message of a refusal: one line, which names the file."""
    with pytest.raises(kind) as caught:
        files.read(path, limits, pixels)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    assert "0x" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(("mode", "shape"), [("RGB", (20, 30, 3)), ("L", (20, 30)), ("CMYK", (20, 30, 4))])
def test_jpeg(tmp_path: Path, mode: str, shape: tuple[int, ...]) -> None:
    path = saved(tmp_path / "x.jpg", mode, dpi=(300, 300), icc_profile=b"i" * 70000, exif=exif(), xmp=b"<x/>", comment="hé", quality=90)
    assert "--pixels (pixels=True) codes them" in refused(path, UnsupportedError, pixels=False)
    signal = files.read(path, pixels=True)
    assert (signal.kind, signal.samples.shape, signal.samples.dtype.name, signal.bit_depth) == ("image", shape, "uint8", 8)
    with Image.open(path) as picture:
        assert (signal.samples == np.asarray(picture)).all()  # the orientation is not applied
    expected = {"icc": b"i" * 70000, "exif": exif().removeprefix(b"Exif\0\0"), "xmp": b"<x/>", "text/Comment": "hé".encode()}
    expected |= {"density": b"300 300 in"} | ({"tiff/photometric": b"5"} if mode == "CMYK" else {})
    assert signal.metadata == expected
    files.write(tmp_path / "x.tif", signal)
    back = files.read(tmp_path / "x.tif")
    assert (back.samples == signal.samples).all()
    if mode == "CMYK":
        with pytest.raises(UnsupportedError, match=r"cannot hold CMYK images; \.tif can"):
            files.write(tmp_path / "x.png", signal)
    else:
        files.write(tmp_path / "x.png", signal)
        assert files.read(tmp_path / "x.png").metadata["exif"] == expected["exif"]


def test_density_of_jpeg(tmp_path: Path) -> None:
    plain = saved(tmp_path / "x.jpg").read_bytes()
    at = plain.index(b"JFIF\0") + 7  # unit, X, Y
    for fields, expected in ((b"\2\0\x64\0\x32", b"100 50 cm"), (b"\0\0\2\0\1", b"2 1 -"), (b"\0\0\1\0\1", None), (b"\7\0\2\0\1", None)):
        (tmp_path / "y.jpg").write_bytes(plain[:at] + fields + plain[at + 5 :])
        assert files.read(tmp_path / "y.jpg", pixels=True).metadata.get("density") == expected


@avif
def test_avif(tmp_path: Path) -> None:
    clear = COLOURS.copy()
    clear.putalpha(77)
    clear.save(tmp_path / "x.avif", quality=80, exif=exif(), icc_profile=ICC, xmp=b"<x/>")
    path = tmp_path / "x.avif"
    assert "AVIF is lossy" in refused(path, UnsupportedError, pixels=False)
    signal = files.read(path, pixels=True)
    with Image.open(path) as picture:
        assert (signal.samples == np.asarray(picture)).all()
    assert signal.samples.shape == (20, 30, 4)
    assert signal.metadata["exif"].startswith((b"II*\0", b"MM\0*"))
    assert (signal.metadata["icc"], signal.metadata["xmp"]) == (ICC, b"<x/>")
    data = bytearray(path.read_bytes())
    data[data.index(b"av1C") + 6] |= 0x40
    path.write_bytes(data)
    assert "AVIF of more than 8 bits" in refused(path, UnsupportedError)
    COLOURS.save(tmp_path / "many.avif", save_all=True, append_images=[COLOURS.rotate(180)])
    assert "animated AVIF is not supported" in refused(tmp_path / "many.avif", UnsupportedError)


def test_webp(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.webp", quality=80, exif=exif(), xmp=b"<x/>")
    assert "WebP is lossy" in refused(path, UnsupportedError, pixels=False)
    signal = files.read(path, pixels=True)
    with Image.open(path) as picture:
        assert (signal.samples == np.asarray(picture)).all()
    assert signal.metadata == {"exif": exif().removeprefix(b"Exif\0\0"), "xmp": b"<x/>"}
    saved(path, lossless=True)
    assert files.read(path, pixels=True).equals(files.read(path))
    COLOURS.save(path, save_all=True, append_images=[COLOURS.rotate(180)], quality=80)
    assert "animated WebP is not supported" in refused(path, UnsupportedError)


def test_gif(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.gif", comment=b"hello")
    assert "the file would not come back" in refused(path, UnsupportedError, pixels=False)
    signal = files.read(path, pixels=True)
    with Image.open(path) as picture:
        assert (signal.samples == np.asarray(picture.convert("RGB"))).all()
    assert signal.metadata == {"text/Comment": b"hello"}
    with Image.open(path) as picture:
        picture.convert("P").save(path, transparency=0)
    assert files.read(path, pixels=True).samples.shape == (20, 30, 4)
    COLOURS.save(path, save_all=True, append_images=[COLOURS.rotate(180)])
    assert "animated GIF is not supported" in refused(path, UnsupportedError)


def jpeg(change: Callable[[bytes], bytes]) -> bytes:
    made = BytesIO()
    COLOURS.save(made, "JPEG")
    return change(made.getvalue())


FRAME = b"\xff\xc0\0\x11\x08\0\x14\0\x1e"  # 8 bits, 20 rows, 30 columns
DAMAGED = {
    "cut": lambda data: data[: len(data) // 2],
    "head": lambda data: data[:30],
    "three bytes": lambda data: data[:3],
    "no scan": lambda data: data[: data.index(b"\xff\xda")],
    "filled up": lambda data: data[:2] + b"\xff" * 90,
    "a marker that is too long": lambda data: data[:2] + b"\xff\xe5\xff\xff" + data[2:],
    "no size": lambda data: data.replace(FRAME, FRAME[:5] + b"\0\0\0\0"),
    "two layers": lambda data: data.replace(FRAME + b"\3", FRAME + b"\2"),
}


@pytest.mark.parametrize("change", DAMAGED.values(), ids=DAMAGED)
def test_damaged_jpeg(tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
    (tmp_path / "x.jpg").write_bytes(jpeg(change))
    assert "damaged" in refused(tmp_path / "x.jpg")


def test_jpeg_of_other_depths_and_sizes(tmp_path: Path) -> None:
    path = tmp_path / "x.jpg"
    path.write_bytes(jpeg(lambda data: data.replace(FRAME, b"\xff\xc1\0\x11\x0c" + FRAME[5:])))
    assert "JPEG of 12 bits per sample is not supported" in refused(path, UnsupportedError)
    path.write_bytes(jpeg(lambda data: data.replace(FRAME, FRAME[:5] + b"\xff\xff\xff\xff")))
    assert "12884508675 samples" in refused(path, LimitError)
    path.write_bytes(jpeg(lambda data: data))
    assert "bytes of memory" in refused(path, LimitError, Limits(max_memory=3000))


def test_pictures_behind_the_first(tmp_path: Path) -> None:
    COLOURS.save(tmp_path / "x.jpg", "MPO", save_all=True, append_images=[COLOURS.rotate(180)])
    with pytest.warns(Notice, match="holds other pictures behind the first"):
        signal = files.read(tmp_path / "x.jpg", pixels=True)
    assert signal.samples.shape == (20, 30, 3)


@pytest.mark.parametrize("extension", [".gif", ".webp", pytest.param(".avif", marks=avif)])
def test_others_that_are_damaged(tmp_path: Path, extension: str) -> None:
    path = saved(tmp_path / f"x{extension}")
    data = path.read_bytes()
    for size in (14, 40, len(data) // 2, len(data) - 40):
        path.write_bytes(data[:size])
        refused(path)


def test_on_the_command_line(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.jpg", exif=exif(), dpi=(72, 72))

    def run(*arguments: object, status: int = 0) -> str:
        result = CliRunner().invoke(cli.main, [str(a) for a in arguments])
        assert result.exit_code == status, result.output
        return result.stderr

    told = run("encode", path, status=1)
    assert told.startswith(f"inrcodec: {path}: JPEG is lossy: its pixels can be coded, but take about 1.3 to 4 times")
    assert len(told.splitlines()) == 1
    assert not (tmp_path / "x.linr").exists()
    run("encode", path, "--pixels", "-1")
    signal = inrcodec.decode((tmp_path / "x.linr").read_bytes())
    assert signal.equals(files.read(path, pixels=True))
    run("verify", tmp_path / "x.linr", path, "--pixels")
    assert "JPEG is lossy" in run("verify", tmp_path / "x.linr", path, status=1)
    run("decode", tmp_path / "x.linr")
    with Image.open(tmp_path / "x.png") as picture:
        assert picture.getexif()[0x0112] == 6
    np.save(tmp_path / "a.npy", np.arange(9))
    run("encode", tmp_path / "a.npy", "--pixels", "-1")  # of other files it says nothing


ICC = b"\0\0\2\0lcms\2\x10\0\0mntrRGB XYZ " + bytes(12) + b"acsp" + bytes(472)
