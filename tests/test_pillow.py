"""`.linr` in Pillow: opened, saved, cropped, described and refused by Pillow's ordinary calls."""

from __future__ import annotations

import copy
import io
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile, ImageSequence, PngImagePlugin, UnidentifiedImageError

import inrcodec
import inrcodec.pillow
from inrcodec import container, files
from inrcodec.container import Section
from inrcodec.pillow import LinrImageFile

MODES = ["1", "L", "LA", "La", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "I;16", "I;16B", "I", "F"]
CHANNELS = {"LA": 2, "La": 2, "RGB": 3, "RGBA": 4, "RGBa": 4, "RGBX": 4, "CMYK": 4}
TYPES = {"1": "?", "I;16": "<u2", "I;16B": ">u2", "I": "i4", "F": "f4"}
ICC, XMP = b"a profile" * 20, b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"
RNG = np.random.default_rng(0)


def made(mode: str, width: int, height: int, seed: int = 0) -> Image.Image:
    """An image of random bits."""
    shape = (height, width, *([CHANNELS[mode]] if mode in CHANNELS else []))
    dtype = np.dtype(TYPES.get(mode, "u1"))
    random = np.random.default_rng(seed)
    if mode == "1":
        return Image.fromarray(random.integers(0, 2, shape).astype(bool))
    samples = np.frombuffer(random.bytes(int(np.prod(shape)) * dtype.itemsize), dtype).reshape(shape)
    return Image.frombuffer(mode, (width, height), samples, "raw", mode, 0, 1).copy()


def linr(image: Image.Image, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, "LINR", **({"profile": "stored"} | options))
    return file.getvalue()


def opened(data: bytes) -> LinrImageFile:
    found = Image.open(io.BytesIO(data))
    assert isinstance(found, LinrImageFile)
    return found


def tiled(path: Path, samples: Any, chunks: tuple[int | None, ...], **options: Any) -> Path:
    """A file of many tiles."""
    with inrcodec.open(path, "w", shape=samples.shape, dtype=samples.dtype, chunks=chunks, profile="stored", **options) as file:
        file[...] = samples
    return path


def decoded(image: LinrImageFile) -> int:
    """How many tiles were decoded."""
    assert image._reader is not None
    return image._reader.decoded


def same(found: Image.Image, wanted: Image.Image) -> bool:
    return (found.mode, found.size, found.tobytes()) == (wanted.mode, wanted.size, wanted.tobytes())


def changed(data: bytes, kind: bytes, number: int | None = None) -> bytes:
    """A framed file of which a byte of the n-th section of a type is another, or of all of them."""
    start, seen, out = container.FIRST, 0, bytearray(data)
    for section in container.read(data):
        start += section.size
        if section.type == kind:
            out[start - 5] ^= number in (None, seen)
            seen += 1
    return bytes(out)


# --- samples ----------------------------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(st.sampled_from(MODES), st.integers(1, 19), st.integers(1, 19), st.integers(0, 99))
def test_pixels_come_back(mode: str, width: int, height: int, seed: int) -> None:
    image = made(mode, width, height, seed)
    assert same(opened(linr(image)), image)


@pytest.mark.parametrize("mode", MODES)
def test_modes_are_saved_by_name(mode: str, tmp_path: Path) -> None:
    image = made(mode, 20, 12)
    image.save(tmp_path / "a.linr", effort=1)
    with Image.open(tmp_path / "a.linr") as found:
        assert (found.format, found.get_format_mimetype()) == ("LINR", "application/x-linr")
        assert same(found, image)


@pytest.mark.parametrize("mode", ["I;16L", "I;16N"])
def test_other_names_of_16_bits(mode: str) -> None:
    image = Image.frombytes(mode, (2, 2), bytes(range(8)))
    found = opened(linr(image))
    assert found.mode == ("I;16B" if mode == "I;16N" and sys.byteorder == "big" else "I;16")
    assert found.tobytes() == bytes(range(8))


@pytest.mark.parametrize(
    ("dtype", "depth", "mode"),
    [("i1", 8, "I"), ("i2", 16, "I"), ("u4", 31, "I"), ("f2", 16, "F"), ("u2", 12, "I;16"), ("u2", 8, "L"), ("u1", 1, "1"), ("?", 1, "1")],
)
def test_other_types_are_held_exactly(dtype: str, depth: int, mode: str) -> None:
    samples = np.array([[0, 1], [1, 0]]).astype(dtype)
    image = opened(inrcodec.encode(samples, kind="image", bit_depth=depth))
    assert image.mode == mode
    assert np.array_equal(np.asarray(image), samples * (255 if mode == "L" and depth < 8 else 1))


@pytest.mark.parametrize("depth", [2, 4])
def test_few_bits_are_stretched_as_pillow_does(depth: int, tmp_path: Path) -> None:
    samples = np.arange(16, dtype=np.uint8).reshape(4, 4) % 2**depth
    files.write(tmp_path / "a.png", inrcodec.Signal(samples, "image", depth))
    with Image.open(tmp_path / "a.png") as wanted:
        assert same(opened(inrcodec.encode(files.read(tmp_path / "a.png"))), wanted)


def test_few_bits_of_colour_are_stretched() -> None:
    image = opened(inrcodec.encode(np.array([[[0, 3, 7]]], np.uint8), kind="image", bit_depth=3))
    assert (image.mode, image.getpixel((0, 0))) == ("RGB", (0, 109, 255))


@pytest.mark.parametrize("mode", ["1", "L", "CMYK", "I;16"])
def test_meaning_of_tiff_channels(mode: str, tmp_path: Path) -> None:
    image, path = made(mode, 16, 8), tmp_path / "a.tif"
    image.save(path)
    assert same(opened(inrcodec.encode(files.read(path))), image)
    read = files.read(path)
    if mode in ("1", "L"):
        files.write(path, inrcodec.Signal(read.samples, "image", read.bit_depth, None, {"tiff/photometric": b"0"}))
        with Image.open(path) as wanted:
            assert wanted.tobytes() != image.tobytes()
            assert same(opened(inrcodec.encode(files.read(path))), wanted)


# --- what is read when ------------------------------------------------------------------------------------------------


def test_a_file_of_damaged_tiles_opens(tmp_path: Path) -> None:
    path = tiled(tmp_path / "a.linr", np.asarray(made("RGB", 64, 48)), (16, 16, None), kind="image")
    image = opened(changed(path.read_bytes(), b"TILE"))
    assert (image.size, image.mode, decoded(image)) == ((64, 48), "RGB", 0)
    with pytest.raises(OSError, match="checksum"):
        image.load()


def test_a_crop_decodes_only_its_tiles(tmp_path: Path) -> None:
    whole = made("RGB", 64, 48)
    path = tiled(tmp_path / "a.linr", np.asarray(whole), (16, 16, None), kind="image")
    path.write_bytes(changed(path.read_bytes(), b"TILE", 0))
    with Image.open(path) as image:
        assert isinstance(image, LinrImageFile)
        box = (17, 17, 40, 31)
        assert same(image.crop(box), whole.crop(box))
        assert decoded(image) == 2
        assert same(image.crop((30, 20, 33, 22)), whole.crop((30, 20, 33, 22)))
        assert decoded(image) == 2  # they were kept
        with pytest.raises(OSError, match=r"a\.linr: .*checksum"):
            image.crop((10, 10, 20, 20))


@pytest.mark.parametrize("mode", ["1", "LA", "RGB", "I;16B", "F"])
def test_crops_are_those_of_pillow(mode: str, tmp_path: Path) -> None:
    whole = made(mode, 40, 30)
    samples = np.asarray(whole)
    path = tiled(tmp_path / "a.linr", samples, (8, 8, None)[: samples.ndim], kind="image")
    sides = st.tuples(st.integers(-9, 49), st.integers(-9, 39), st.integers(0, 30), st.integers(0, 30), st.sampled_from([0, 0.4, 0.5]))

    @settings(max_examples=25)
    @given(sides)
    def check(drawn: tuple[int, int, int, int, float]) -> None:
        left, top, width, height, more = drawn
        box = (left + more, top, left + width + more, top + height)
        with Image.open(path) as image:
            assert same(image.crop(box), whole.crop(box))

    check()


def test_a_crop_that_meets_all_tiles_loads(tmp_path: Path) -> None:
    whole = made("L", 40, 30)
    with Image.open(tiled(tmp_path / "a.linr", np.asarray(whole), (20, 20), kind="image")) as image:
        assert same(image.crop((19, 19, 21, 21)), whole.crop((19, 19, 21, 21)))
        assert same(image.crop((1, 1, 2, 2)), whole.crop((1, 1, 2, 2)))
        assert image.fp is None
        assert same(image.crop(), whole)


def test_boxes_that_are_turned_inside_out() -> None:
    image = opened(linr(made("L", 40, 30)))
    with pytest.raises(ValueError, match="'right' is less than 'left'"):
        image.crop((5, 0, 4, 9))
    with pytest.raises(Image.DecompressionBombError):
        image.crop((0, 0, 10**6, 10**6))


def test_thumbnails_are_those_of_the_picture() -> None:
    whole = made("RGB", 60, 40)
    image = opened(linr(whole))
    image.thumbnail((16, 16))
    whole.thumbnail((16, 16))
    assert same(image, whole)


def test_large_pictures_are_bombs_as_all_are(monkeypatch: pytest.MonkeyPatch) -> None:
    data = linr(made("L", 40, 30))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)
    with pytest.raises(Image.DecompressionBombError):
        Image.open(io.BytesIO(data))


def test_importing_is_light(tmp_path: Path) -> None:
    """By the ordinary calls of a program of its own, which has imported nothing else."""
    code = (
        "import sys, inrcodec.pillow\n"
        "from PIL import Image\n"
        "assert not {'numpy', 'numba', 'torch'} & sys.modules.keys()\n"
        "Image.new('RGB', (9, 8), 'red').save(sys.argv[1], profile='stored')\n"
        "print(Image.open(sys.argv[1]).getpixel((3, 4)), 'torch' in sys.modules)\n"
    )
    found = subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.linr")], capture_output=True, text=True, check=True)
    assert found.stdout == "(255, 0, 0) False\n"


# --- as other files of Pillow -----------------------------------------------------------------------------------------


def test_file_objects_stay_open(tmp_path: Path) -> None:
    image = made("RGB", 20, 10)
    (tmp_path / "a").write_bytes(linr(image))
    with (tmp_path / "a").open("rb") as file:
        with Image.open(file) as found:
            assert same(found, image)
        assert not file.closed
    assert same(Image.open(str(tmp_path / "a"), formats=["LINR"]), image)


def test_a_closed_picture_is_closed(tmp_path: Path) -> None:
    made("L", 20, 10).save(tmp_path / "a.linr", profile="stored")
    image = Image.open(tmp_path / "a.linr")
    image.close()
    with pytest.raises(ValueError, match="closed"):
        image.load()
    with Image.open(tmp_path / "a.linr") as image:
        pass
    with pytest.raises(ValueError, match="closed"):
        image.crop((0, 0, 1, 1))


def test_copies_and_pickles() -> None:
    image = made("RGB", 20, 10)
    data = linr(image, text={"Title": "x"})
    for copied in (opened(data).copy(), copy.copy(opened(data)), copy.deepcopy(opened(data)), pickle.loads(pickle.dumps(opened(data)))):
        assert same(copied, image)
        assert copied.info == {"Title": "x"}
        assert same(copied.crop((1, 1, 5, 5)), image.crop((1, 1, 5, 5)))


def test_parser() -> None:
    image = made("RGB", 20, 10)
    data = linr(image)
    with ImageFile.Parser() as parser:
        for at in range(0, len(data), 100):
            parser.feed(data[at : at + 100])
        assert same(parser.close(), image)


def test_verify(tmp_path: Path) -> None:
    path = tiled(tmp_path / "a.linr", np.asarray(made("L", 40, 30)), (16, 16), kind="image")
    with Image.open(path) as image:
        image.verify()
        assert image.fp is None
    with Image.open(path) as image:
        image.load()
        with pytest.raises(RuntimeError, match="after open"):
            image.verify()
    path.write_bytes(changed(path.read_bytes(), b"TILE", 3))
    with Image.open(path) as image, pytest.raises(OSError, match="checksum"):
        image.verify()


# --- stacks -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def stack(tmp_path: Path) -> tuple[Path, list[Image.Image]]:
    frames = [made("RGB", 24, 18, seed) for seed in range(4)]
    for number, frame in enumerate(frames):
        frame.info["Title"] = str(number // 2)
    path = tmp_path / "a.linr"
    frames[0].save(path, save_all=True, append_images=iter(frames[1:]), profile="stored")
    return path, frames


def test_frames(stack: tuple[Path, list[Image.Image]]) -> None:
    path, frames = stack
    with Image.open(path) as image:
        assert isinstance(image, LinrImageFile)
        assert (image.n_frames, image.is_animated, image.tell()) == (4, True, 0)
        for number in (2, 0, 3, 3, 1):
            image.seek(number)
            assert image.tell() == number
            assert same(image.crop((3, 2, 9, 9)), frames[number].crop((3, 2, 9, 9)))
            assert same(image, frames[number])
            assert image.info == frames[number].info
        with pytest.raises(EOFError):
            image.seek(4)
        kept = [frame.copy() for frame in ImageSequence.Iterator(image)]
    assert all(same(found, wanted) for found, wanted in zip(kept, frames, strict=True))
    with pytest.raises(ValueError, match="closed"):
        image.seek(0)
    signal = inrcodec.decode(path.read_bytes())
    assert (signal.kind, signal.samples.shape) == ("stack", (4, 18, 24, 3))
    assert dict(signal.metadata) == {"text/Title": b"0", "page/3/+text/Title": b"1"}


def test_frames_of_other_files_are_saved(stack: tuple[Path, list[Image.Image]], tmp_path: Path) -> None:
    path, frames = stack
    frames[0].save(tmp_path / "a.tif", save_all=True, append_images=frames[1:])
    with Image.open(tmp_path / "a.tif") as tiff, Image.open(path) as image:
        tiff.seek(2)
        tiff.save(path.with_name("b.linr"), save_all=True, append_images=[image], profile="stored")
        assert tiff.tell() == 2
    with Image.open(path.with_name("b.linr")) as found:
        for number, frame in enumerate(ImageSequence.Iterator(found)):
            assert same(frame, frames[number % 4])
        assert number == 7


def test_one_frame_is_an_image(stack: tuple[Path, list[Image.Image]]) -> None:
    path, frames = stack
    with Image.open(path) as image:
        image.seek(2)
        assert same(opened(linr(image)), frames[2])
        assert opened(linr(image)).info == {"Title": "1"}
    assert inrcodec.decode(linr(frames[1], save_all=True)).kind == "image"


@pytest.mark.parametrize("mode", MODES)
def test_frames_of_every_mode(mode: str) -> None:
    frames = [made(mode, 9, 7, seed) for seed in range(3)]
    image = opened(linr(frames[0], save_all=True, append_images=frames[1:]))
    for number, frame in enumerate(frames):
        image.seek(number)
        assert same(image, frame)


ANIMATED: dict[str, dict[str, Any]] = {
    "WEBP": {"lossless": True, "duration": [10, 20, 30], "loop": 2},
    "PNG": {"duration": [10, 20, 30], "loop": 2, "disposal": 1, "blend": 0},
}


@pytest.mark.parametrize(("name", "lost"), [("WEBP", "duration, loop, timestamp"), ("PNG", "duration, loop, disposal, blend")])
def test_what_is_lost_of_an_animation_is_told(name: str, lost: str) -> None:
    frames, file, written = [made("RGB", 12, 9, seed) for seed in range(3)], io.BytesIO(), io.BytesIO()
    frames[0].save(file, name, save_all=True, append_images=frames[1:], **ANIMATED[name])
    with Image.open(file) as image:
        with pytest.warns(inrcodec.Notice, match=f"only the frames are kept, as a stack; lost: {lost}$") as told:
            image.save(written, "LINR", save_all=True, profile="stored")
        assert told[0].filename == __file__
        image.seek(1)
        assert same(opened(linr(image)), frames[1])  # without a warning: a picture is no animation
    found = opened(written.getvalue())
    assert all(same(frame, wanted) for frame, wanted in zip(ImageSequence.Iterator(found), frames, strict=True))


@pytest.mark.parametrize("more", [3, [3], "ab"])
def test_append_images_that_are_none(more: Any) -> None:
    with pytest.raises(TypeError, match="append_images"):
        linr(made("L", 9, 9), save_all=True, append_images=more)


def test_frames_of_several_sizes_are_refused(tmp_path: Path) -> None:
    first, path = made("L", 9, 9), tmp_path / "a.linr"
    for other in (made("L", 9, 8), made("RGB", 9, 9)):
        with pytest.raises(OSError, match="several modes or sizes"):
            first.save(path, save_all=True, append_images=[other])
        assert not path.exists()


# --- metadata ---------------------------------------------------------------------------------------------------------


def exif_block() -> Image.Exif:
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    exif[0x0112] = 6
    exif.get_ifd(0x8769)[0x9003] = "2024:05:06 07:08:09"
    return exif


def described_png(path: Path) -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Title", "a title")
    texts.add_itxt("Author", "Zoë 漢字")
    texts.add(b"gAMA", (45455).to_bytes(4, "big"))
    made("RGB", 20, 10).save(path, pnginfo=texts, icc_profile=ICC, exif=exif_block(), dpi=(300, 72))


def test_metadata_of_png(tmp_path: Path) -> None:
    described_png(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as png:
        data = linr(png)
    wanted = {key: value for key, value in files.read(tmp_path / "a.png").metadata.items() if not key.startswith("png/")}
    assert wanted.keys() == {"icc", "exif", "gamma", "density", "text/Title", "text/Author"}
    assert dict(inrcodec.decode(data).metadata) == wanted
    image = opened(data)
    with Image.open(tmp_path / "a.png") as png:
        assert image.info == {key: png.info[key] for key in ("icc_profile", "exif", "gamma", "dpi", "Title", "Author")}
        assert image.getexif().get_ifd(0x8769) == png.getexif().get_ifd(0x8769)
    assert image.text == {"Title": "a title", "Author": "Zoë 漢字"}
    assert image.getexif()[0x0112] == 6
    assert linr(image) == data
    assert linr(image.copy()) == data  # which has no dict `text`


def test_metadata_of_webp(tmp_path: Path) -> None:
    path = tmp_path / "a.webp"
    made("RGB", 20, 10).save(path, lossless=True, exact=True, icc_profile=ICC, exif=exif_block(), xmp=XMP)
    with Image.open(path) as webp:
        data = linr(webp)
    wanted = files.read(path).metadata
    assert wanted.keys() == {"icc", "exif", "xmp"}
    assert dict(inrcodec.decode(data).metadata) == dict(wanted)
    assert opened(data).info["xmp"] == XMP


def test_metadata_of_tiff(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    given: dict[str, Any] = {
        "icc_profile": ICC,
        "xmp": XMP,
        "dpi": (300, 150),
        "description": "what it shows",
        "artist": "A. Person",
        "software": "this",
    }
    made("RGB", 20, 10).save(path, tiffinfo={700: given.pop("xmp")}, **given)
    with Image.open(path) as tiff:
        data = linr(tiff)
    wanted = files.read(path).metadata
    assert {"icc", "xmp", "density", "text/Description", "text/Author", "text/Software"} <= wanted.keys()
    found = inrcodec.decode(data).metadata
    assert {key: found[key] for key in wanted} == dict(wanted)
    assert opened(data).info["dpi"] == (300.0, 150.0)


def test_metadata_of_jpeg(tmp_path: Path) -> None:
    made("RGB", 20, 10).save(tmp_path / "a.jpg", icc_profile=ICC, exif=exif_block(), xmp=XMP, dpi=(72, 72), comment="a comment")
    with Image.open(tmp_path / "a.jpg") as jpeg:
        found = inrcodec.decode(linr(jpeg)).metadata
        assert found.get("xmp") == jpeg.info.get("xmp")  # which Pillow before 11 does not write
    assert (found["icc"], found["density"], found["text/Comment"]) == (ICC, b"72 72 in", b"a comment")
    assert found["exif"] == exif_block().tobytes().removeprefix(b"Exif\0\0")


def test_metadata_that_is_given(tmp_path: Path) -> None:
    described_png(tmp_path / "a.png")
    exif = Image.Exif()
    exif[0x0112] = 3
    with Image.open(tmp_path / "a.png") as png:
        given = {"icc_profile": None, "exif": exif, "xmp": XMP.decode(), "dpi": (96.5, 96.5), "gamma": 1, "text": {"Source": "é"}}
        image = opened(linr(png, **given))
        assert image.info == {"exif": exif.tobytes(), "xmp": XMP, "dpi": (96.5, 96.5), "gamma": 1.0, "Source": "é"}
        nothing = opened(linr(png, icc_profile=b"", exif=None, dpi=None, gamma=None, text=None))
        assert nothing.info == {}


@pytest.mark.parametrize(
    "given",
    [
        {"exif": b"no"},
        {"exif": 5},
        {"gamma": -1},
        {"gamma": "x"},
        {"dpi": (0, 1)},
        {"dpi": 72},
        {"dpi": (1, float("nan"))},
        {"xmp": 7},
        {"icc_profile": 3},
        {"icc_profile": "x"},
        {"text": 3},
        {"text": [("a", "b")]},
        {"text": {3: "x"}},
        {"text": {"Title": None}},
    ],
)
def test_metadata_that_is_not_valid(given: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is not valid"):
        made("L", 9, 9).save(tmp_path / "a.linr", **given)
    assert not (tmp_path / "a.linr").exists()


@pytest.mark.parametrize(
    ("density", "wanted"),
    [(b"300 300 in", (300.0, 300.0)), (b"2835 5669 m", (72.009, 143.9926)), (b"118.11 59/2 cm", (299.9994, 74.93)), (b"0 1 in", None)],
)
def test_densities(density: bytes, wanted: tuple[float, float] | None) -> None:
    image = opened(inrcodec.encode(np.zeros((2, 2), np.uint8), kind="image", metadata={"density": density}))
    assert image.info.get("dpi") == (pytest.approx(wanted) if wanted else None)
    again = inrcodec.decode(linr(image)).metadata.get("density", b"")
    assert again == {b"118.11 59/2 cm": b"11811 2950 m", b"0 1 in": b""}.get(density, density)


def test_aspects() -> None:
    data = inrcodec.encode(np.zeros((2, 2), np.uint8), kind="image", metadata={"density": b"4 3 -"})
    assert opened(data).info == {"aspect": (4.0, 3.0)}
    assert inrcodec.decode(linr(opened(data))).metadata["density"] == b"4 3 -"


def test_texts_are_no_other_information() -> None:
    """A text whose keyword is a name that Pillow knows for something else does not come to stand for that."""
    names = ["exif", "transparency", "dpi", "icc_profile", "Raw profile type exif", "XML:com.adobe.xmp"]
    metadata = {f"text/{name}": b"\xff text" for name in names} | {"exif": b"no Exif", "gamma": b"x"}
    image = opened(inrcodec.encode(np.zeros((9, 9), np.uint8), kind="image", metadata=metadata))
    assert image.info == {}
    assert dict(image.getexif()) == {}
    assert image.text == dict.fromkeys(names, "� text")
    assert image.convert("RGBA").size == (9, 9)


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mode", "instead"), [("P", "RGB"), ("PA", "RGBA"), ("YCbCr", "RGB"), ("LAB", "RGB"), ("HSV", "RGB")])
def test_modes_that_are_refused(mode: str, instead: str, tmp_path: Path) -> None:
    with pytest.raises(OSError, match=rf'cannot write mode {mode} as LINR: convert\("{instead}"\)'):
        Image.new(mode, (9, 9)).save(tmp_path / "a.linr")
    assert not (tmp_path / "a.linr").exists()


@pytest.mark.parametrize(("mode", "colour", "instead"), [("L", 7, "LA"), ("RGB", (1, 2, 3), "RGBA"), ("P", 0, "RGBA"), ("1", 0, "LA")])
def test_transparent_colours_are_refused(mode: str, colour: Any, instead: str) -> None:
    image = made("L", 9, 9).convert(mode)
    image.info["transparency"] = colour
    with pytest.raises(OSError, match=rf'convert\("{instead}"\)'):
        linr(image)
    converted = image.convert(instead)
    assert same(opened(linr(converted)), converted)


def test_a_transparent_colour_of_16_bits_is_refused() -> None:
    image = made("I;16", 9, 9)
    image.info["transparency"] = 0
    with pytest.raises(OSError, match=r'del info\["transparency"\]'):
        linr(image)


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"quality": 3}, TypeError),
        ({"max_samples": 3}, TypeError),
        ({"effort": 9}, ValueError),
        ({"profile": "no"}, ValueError),
        ({"preview": "x"}, ValueError),
        ({"verify": 3}, ValueError),
        ({"until": 3}, ValueError),
        ({"payload": False}, ValueError),
        ({"payload": False, "profile": "inr"}, ValueError),
    ],
)
def test_options_that_are_refused(options: dict[str, Any], fault: type[Exception], tmp_path: Path) -> None:
    with pytest.raises(fault, match=next(iter(options))):
        made("L", 9, 9).save(tmp_path / "a.linr", **options)
    assert not (tmp_path / "a.linr").exists()


def test_a_preview_can_be_saved() -> None:
    data = linr(made("RGB", 208, 160), preview=True)
    assert any(section.type == b"prev" for section in container.read(data))


def test_an_empty_image_is_refused() -> None:
    with pytest.raises(OSError, match="nothing to encode"):
        linr(Image.new("L", (0, 3)))


@pytest.mark.parametrize(
    ("samples", "more", "message"),
    [
        (np.zeros((100, 2), np.int16), {"kind": "audio", "sample_rate": 8000}, "holds an audio, not a picture"),
        (np.zeros((100, 2), np.int16), {"kind": "array"}, "holds an array, not a picture"),
        (np.zeros((10, 10, 3), np.uint16), {"kind": "image"}, "no mode for pictures of 3 channels of 16 bits"),
        (np.zeros((10, 10, 5), np.uint8), {"kind": "image"}, "no mode for pictures of 5 channels"),
        (np.zeros((10, 10), np.float64), {"kind": "image"}, "float64"),
        (np.zeros((10, 10), np.uint32), {"kind": "image"}, "uint32"),
        (np.zeros((10, 10, 4), np.uint8), {"kind": "image", "metadata": {"tiff/photometric": b"1"}}, "this meaning"),
    ],
)
def test_samples_that_pillow_cannot_hold(samples: Any, more: dict[str, Any], message: str) -> None:
    with pytest.raises(UnidentifiedImageError, match=message):
        Image.open(io.BytesIO(inrcodec.encode(samples, profile="stored", **more)))


def test_tensors_are_refused() -> None:
    with pytest.raises(UnidentifiedImageError, match="several arrays"):
        Image.open(io.BytesIO(inrcodec.encode_arrays({"a": np.zeros(3)})))


def faults(data: bytes) -> Iterator[bytes]:
    """The file cut at every byte, and with every byte changed."""
    for at in range(len(data)):
        yield data[:at]
        yield data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]


@pytest.mark.parametrize("options", [{"compact": True}, {"compact": False}, {"save_all": True, "append_images": [Image.new("L", (9, 7))]}])
def test_damage_is_an_os_error(options: dict[str, Any]) -> None:
    image = made("L", 9, 7)
    data = linr(image, icc_profile=ICC, **options)
    if "compact" in options:
        assert container.is_compact(data) == options["compact"]
    for damaged in faults(data):
        try:
            with Image.open(io.BytesIO(damaged)) as found:
                assert isinstance(found, LinrImageFile)
                for number in range(found.n_frames):
                    found.seek(number)
                    found.load()
        except OSError:
            continue
        # of a stack, which is decoded frame by frame, the digest of all frames is not compared
        assert found.n_frames > 1
        assert same(found, Image.new("L", (9, 7)))


@pytest.mark.parametrize("kind", [b"HEAD", b"meta", b"TIDX"])
def test_damage_is_told_with_the_name_of_the_file(kind: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.linr"
    path.write_bytes(changed(linr(made("L", 9, 7), compact=False, icc_profile=ICC), kind))
    with pytest.raises(UnidentifiedImageError, match=r"a\.linr: damaged: .*checksum"):
        Image.open(path)


def test_a_profile_that_takes_too_much_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    data = linr(made("L", 40, 30))
    monkeypatch.setattr("inrcodec.limits.machine_memory", lambda: 2000)
    with pytest.raises(OSError, match="memory"):
        Image.open(io.BytesIO(data)).load()


def test_other_sections_are_kept_to_the_codec() -> None:
    """A section that readers must know is refused, one that they may skip is skipped."""
    sections = container.read(linr(made("L", 9, 7), compact=False))

    def write(kind: bytes) -> bytes:
        return container.write([*sections[:1], Section(kind, b"x"), *sections[1:]])

    assert opened(write(b"more")).size == (9, 7)
    with pytest.raises(UnidentifiedImageError, match="newer inrcodec"):
        opened(write(b"More"))
