"""Image files: exact samples both ways, metadata kept, and clear refusals."""

from __future__ import annotations

import io
import itertools
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import hypothesis.extra.numpy as hnp
import imagecodecs
import numpy as np
import numpy.typing as npt
import png as pypng
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo
from PIL.TiffImagePlugin import IFDRational

from inrcodec.errors import FormatError, InrcodecError, Notice, UnsupportedError
from inrcodec.files import density, ifd, lost, read, write
from inrcodec.files.pngchunks import SIGNATURE, build, walk
from inrcodec.signal import Signal

Samples = npt.NDArray[Any]
RNG = np.random.default_rng(1)
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b'<?xpacket begin="\xef\xbb\xbf"?><x:xmpmeta xmlns:x="adobe:ns:meta/"/><?xpacket end="w"?>'


def exif_block(order: str = "<", orientation: int = 6) -> bytes:
    """An orientation, a maker, an Exif directory with a date and a GPS directory with a latitude."""
    exif = Image.Exif()
    exif.endian = order
    exif[274], exif[271] = orientation, "Maker"
    exif.get_ifd(0x8769).update({36867: "2024:01:02 03:04:05", 33434: IFDRational(1, 250), 37500: b"maker\0note"})
    exif.get_ifd(0x8825).update({1: "N", 2: tuple(IFDRational(*pair) for pair in ((52, 1), (31, 1), (12, 5)))})
    return exif.tobytes().removeprefix(b"Exif\0\0")


def sample(shape: tuple[int, ...], depth: int) -> Samples:
    return RNG.integers(0, 1 << depth, shape).astype(np.uint8 if depth <= 8 else np.uint16)


def shape_of(channels: int, height: int = 7, width: int = 13) -> tuple[int, ...]:
    return (height, width) if channels == 1 else (height, width, channels)


def image(channels: int, depth: int, metadata: Mapping[str, bytes] | None = None) -> Signal:
    return Signal(sample(shape_of(channels), depth), "image", depth, None, metadata or {})


def again(path: Path, signal: Signal, suffix: str = "") -> Signal:
    """The signal as it comes back from a file beside `path`."""
    other = path.with_name("again" + (suffix or path.suffix))
    write(other, signal)
    return read(other)


def check_stored(path: Path, samples: Samples, depth: int) -> Signal:
    """`path` is read as these samples, and what is read is written and read back unchanged."""
    signal = read(path)
    assert signal.kind == "image"
    assert signal.samples.dtype == (np.uint8 if depth <= 8 else np.uint16)
    assert signal.samples.flags.c_contiguous
    assert signal.bit_depth == depth
    assert signal.samples.shape == samples.shape
    assert np.array_equal(signal.samples, samples)
    assert again(path, signal).equals(signal)
    return signal


@pytest.fixture(autouse=True)
def silent(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """No library may write to the terminal or warn."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield
    assert capfd.readouterr() == ("", "")


def refused(path: Path, match: str | None = None, kind: type[InrcodecError] = InrcodecError) -> None:
    with pytest.raises(kind, match=match) as info:
        read(path)
    message = str(info.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    if kind is InrcodecError:
        assert info.type in (InrcodecError, FormatError)


# --- what each format can hold --------------------------------------------------------------------------------------

HOLDS = {
    ".png": {(1, d) for d in (1, 2, 4, 8, 16)} | set(itertools.product((2, 3, 4), (8, 16))),
    ".tif": set(itertools.product((1, 2, 3, 4), range(1, 17))),
    ".tiff": set(itertools.product((1, 2, 3, 4), range(1, 17))),
    ".pam": set(itertools.product((1, 2, 3, 4), range(1, 17))),
    ".pbm": {(1, 1)},
    ".pgm": set(itertools.product((1,), range(1, 17))),
    ".ppm": set(itertools.product((3,), range(1, 17))),
    ".pnm": set(itertools.product((1, 3), range(1, 17))),
    ".bmp": {(1, 1), (1, 8), (3, 8), (4, 8)},
    ".webp": {(3, 8), (4, 8)},
    ".ras": {(1, 1), (1, 8), (3, 8)},
}


@pytest.mark.parametrize("suffix", HOLDS)
def test_every_layout_and_depth_comes_back_or_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    for channels, depth in itertools.product((1, 2, 3, 4), range(1, 17)):
        signal = image(channels, depth)
        if (channels, depth) in HOLDS[suffix]:
            write(path, signal)
            assert read(path).equals(signal), (channels, depth)
        else:
            with pytest.raises(UnsupportedError, match=rf"(?s)x\{suffix}: .*cannot hold {depth}-bit .*\.tif and \.pam can"):
                write(tmp_path / "no" / path.name, signal)  # refused before the file is touched


@pytest.mark.parametrize("suffix", HOLDS)
def test_refuses_what_is_no_image_of_its_own(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    grey = sample((4, 5), 8)
    for signal, match in (
        (Signal(grey), "kind 'array'"),
        (Signal(sample((9,), 8).astype(np.int16), "audio", 16, 8000), "kind 'audio'"),
        (Signal(grey[:, :, None], "image"), "would come back as"),
        (Signal(grey.astype(np.uint32), "image", 31), "cannot hold 31-bit"),
    ):
        with pytest.raises(UnsupportedError, match=match):
            write(path, signal)
    wide = Signal(sample((4, 5, 3) if suffix in (".ppm", ".webp") else (4, 5), 1).astype(np.uint16), "image", 8 if suffix != ".pbm" else 1)
    with pytest.raises(UnsupportedError, match="samples are uint16"):
        write(path, wide)
    assert not path.exists()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_size_comes_back(tmp_path: Path, data: st.DataObject) -> None:
    suffix = data.draw(st.sampled_from(sorted(HOLDS)))
    channels, depth = data.draw(st.sampled_from(sorted(HOLDS[suffix])))
    height, width = data.draw(st.tuples(st.integers(1, 20), st.integers(1, 20)))
    dtype = np.uint8 if depth <= 8 else np.uint16
    x = data.draw(hnp.arrays(dtype, shape_of(channels, height, width), elements=st.integers(0, (1 << depth) - 1)))
    signal = Signal(x, "image", depth)
    assert again(tmp_path / f"x{suffix}", signal).equals(signal)


@pytest.mark.parametrize("shape", [(3000, 1), (700, 1, 3), (900, 2), (400, 1, 2), (900, 3), (5000, 1, 4)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_tall_and_narrow_noise_fits_a_png(tmp_path: Path, shape: tuple[int, ...], dtype: Any) -> None:
    """Found by a trial: the encoder's own guess at the size left no room for the filter byte of every row."""
    x = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype)
    write(tmp_path / "x.png", Signal(x, "image"))
    assert (read(tmp_path / "x.png").samples == x).all()


@pytest.mark.parametrize("suffix", [".png", ".tif", ".pam", ".bmp"])
def test_samples_need_not_be_contiguous(tmp_path: Path, suffix: str) -> None:
    for x in (sample((14, 26, 4), 8)[::2, ::-2], sample((13, 7), 8).T, sample((4, 9, 5), 8).transpose(1, 2, 0)):
        signal = Signal(x, "image", 8)
        assert again(tmp_path / f"x{suffix}", signal).equals(signal)


@pytest.mark.parametrize("suffix", HOLDS)
def test_files_that_are_none(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    with pytest.raises(FileNotFoundError):
        read(path)
    with pytest.raises(OSError):  # noqa: PT011 - whatever the system says
        write(tmp_path / "missing" / path.name, image(*min(HOLDS[suffix], key=lambda layout: (layout[0] not in (1, 3), -layout[1]))))
    path.write_bytes(b"")
    refused(path, "empty file")
    for content in (b"Dear reader,\nthis is not an image.\n", b"P", b"BM", b"RIFF", b"II*\0", SIGNATURE, bytes(100)):
        path.write_bytes(content)
        refused(path)


@pytest.mark.parametrize("suffix", HOLDS)
def test_truncated_files(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    channels, depth = sorted(HOLDS[suffix])[-1]
    write(path, image(channels, depth, {"icc": ICC, "text/Comment": b"a comment"}))
    data = path.read_bytes()
    for size in {*range(1, min(80, len(data) - 1)), *range(80, len(data) - 1, 41), len(data) - 2}:
        path.write_bytes(data[:size])
        if suffix in (".tif", ".tiff") and size > len(data) - 100:
            continue  # the directory is there, and what is missing may be padding
        refused(path)


@pytest.mark.parametrize("suffix", HOLDS)
def test_damage_never_escapes_as_another_exception(tmp_path: Path, suffix: str, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / f"x{suffix}"
    channels, depth = sorted(HOLDS[suffix])[-1]
    write(path, image(channels, depth, {"exif": exif_block(), "density": b"300 300 in", "text/Comment": b"a comment"}))
    data = path.read_bytes()
    rng = np.random.default_rng(5)
    for _ in range(150):
        damaged = bytearray(data)
        for place in rng.integers(0, min(len(data), 400) if rng.random() < 0.5 else len(data), 3):
            damaged[place] = rng.integers(0, 256)
        if suffix in (".tif", ".tiff"):
            damaged[-rng.integers(1, 300)] = rng.integers(0, 256)  # the directory is at the end
        path.write_bytes(damaged)
        try:
            read(path)
        except InrcodecError as fault:
            assert "\n" not in str(fault)  # noqa: PT017 - it may also be readable
    assert capfd.readouterr().err == ""


def test_large_images_are_no_bombs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    for suffix in (".png", ".bmp", ".webp", ".tif"):
        signal = image(3, 8)
        assert again(tmp_path / f"x{suffix}", signal).equals(signal)
        assert Image.MAX_IMAGE_PIXELS == 10


def test_metadata_survives_a_change_of_format(tmp_path: Path) -> None:
    everything = {
        "icc": ICC,
        "exif": exif_block(),
        "xmp": XMP,
        "gamma": b"45455",
        "density": b"300 300 in",
        "text/Author": "Zoë".encode(),
        "text/Comment": b"two\nlines",
        "wave/fmt": b"of another format",
        "text/\N{SNOWMAN}": b"no keyword of PNG's",
    }
    signal = image(3, 8, everything)
    kept = {suffix: dict(again(tmp_path / f"x{suffix}", signal).metadata) for suffix in (".png", ".tif", ".webp", ".bmp", ".ppm")}
    shared = {key: everything[key] for key in ("icc", "exif", "xmp")}
    assert kept[".png"] == shared | {key: everything[key] for key in ("gamma", "text/Author", "text/Comment")} | {
        "density": b"11811 11811 m"
    }
    tiff = kept[".tif"]
    assert tiff.pop("text/Make") == b"Maker"  # of the Exif block
    assert ifd.parse(io.BytesIO(tiff.pop("exif")))[0].keys() == {274, ifd.EXIF, ifd.GPS}
    assert tiff == {key: everything[key] for key in ("icc", "xmp", "density", "text/Author")}
    assert kept[".webp"] == shared
    assert kept[".bmp"] == {"icc": ICC, "density": b"11811 11811 m"}
    assert kept[".ppm"] == {"text/Comment": b"two\nlines"}


def test_density() -> None:
    def whole(text: bytes) -> tuple[int, int, bool] | None:
        return density.whole({"density": text}, (1 << 31) - 1)

    assert whole(b"11811 5906 m") == (11811, 5906, True)
    assert whole(b"3000/10 72.5 in") == (11811, 2854, True)
    assert whole(b"100 50 cm") == (10000, 5000, True)
    assert whole(b"4 3 -") == (4, 3, False)
    assert density.whole({}, 9) is None
    for text in (b"", b"1 2", b"0 1 m", b"1 -1 in", b"1/0 1 in", b"x y in", b"1 1 mile", b"99999999999 1 m", b"0.1 0.1 m", b"nan inf m"):
        assert whole(text) is None, text


# --- PNG ------------------------------------------------------------------------------------------------------------


def png_file(path: Path, rows: Samples, **options: Any) -> None:
    with path.open("wb") as file:
        pypng.Writer(rows.shape[1], len(rows), **options).write(file, rows.reshape(len(rows), -1).tolist())


def with_chunks(path: Path, *chunks: tuple[bytes, bytes], at: int = 33) -> None:
    """Insert chunks behind IHDR."""
    data = path.read_bytes()
    path.write_bytes(data[:at] + b"".join(itertools.starmap(build, chunks)) + data[at:])


@pytest.mark.parametrize("interlace", [False, True])
@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_png_of_another_writer(tmp_path: Path, depth: int, interlace: bool) -> None:
    path = tmp_path / "x.png"
    for height, width in ((1, 1), (3, 2), (9, 5), (11, 26)):
        x = sample((height, width), depth)
        png_file(path, x, greyscale=True, bitdepth=depth, interlace=interlace)
        check_stored(path, x, depth)
        if depth >= 8:
            for channels in (2, 3, 4):
                x = sample((height, width, channels), depth)
                # the gamma must not change a sample
                png_file(path, x, greyscale=channels == 2, alpha=channels != 3, bitdepth=depth, interlace=interlace, gamma=0.3)
                assert check_stored(path, x, depth).metadata == {"gamma": b"30000"}


@pytest.mark.parametrize("interlace", [False, True])
@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_png_palette(tmp_path: Path, depth: int, interlace: bool) -> None:
    path = tmp_path / "x.png"
    for entries in (1 << depth, (1 << depth) - 1 or 1):
        x = RNG.integers(0, entries, (9, 13)).astype(np.uint8)
        colours = sample((entries, 4), 8)
        for channels in (3, 4):
            palette = colours[:, :channels]
            png_file(path, x, palette=[tuple(map(int, c)) for c in palette], bitdepth=depth, interlace=interlace)
            with_chunks(path, (b"bKGD", b"\0"), (b"sBIT", b"\5\5\5"))
            assert check_stored(path, palette[x], 8).metadata == {}


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_png_transparent_colour(tmp_path: Path, depth: int) -> None:
    path = tmp_path / "x.png"
    x = sample((9, 13), depth)
    x[4, 5] = colour = (1 << depth) - 1 if depth > 4 else 1
    png_file(path, x, greyscale=True, bitdepth=depth, transparent=colour)
    wide = max(8, depth)
    scale = 255 // ((1 << depth) - 1) if depth < 8 else 1
    alpha = np.where(x == colour, 0, (1 << wide) - 1)
    check_stored(path, np.stack((x * scale, alpha), axis=2), wide)
    if depth >= 8:
        x = sample((9, 13, 3), depth)
        x[2, :] = x[0, 0]
        x[5, 5] = [*x[0, 0, :2], x[0, 0, 2] ^ 1]  # one channel off is another colour
        png_file(path, x, greyscale=False, bitdepth=depth, transparent=tuple(map(int, x[0, 0])))
        alpha = np.where((x == x[0, 0]).all(axis=2), 0, (1 << depth) - 1)
        signal = check_stored(path, np.dstack((x, alpha)), depth)
        assert signal.samples[5, 5, 3]


def test_png_agrees_with_other_readers(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    for channels, depth in HOLDS[".png"]:
        signal = image(channels, depth)
        write(path, signal)
        width, height, rows, info = pypng.Reader(bytes=path.read_bytes()).read()
        assert (width, height, info["bitdepth"], info["planes"]) == (13, 7, depth, channels)
        assert np.array_equal(np.array(list(rows)).reshape(signal.samples.shape), signal.samples)
        if channels != 2 and depth >= 8:
            other = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
            assert other is not None
            assert np.array_equal(other if channels == 1 else other[:, :, [2, 1, 0, 3][:channels]], signal.samples)


def test_png_orientation_and_profile_do_not_change_pixels(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    x = sample((7, 13, 3), 8)
    Image.fromarray(x).save(path, icc_profile=ICC, exif=exif_block(), dpi=(72, 72))
    signal = check_stored(path, x, 8)
    assert signal.metadata["icc"] == ICC
    assert Image.open(io.BytesIO(path.read_bytes())).getexif()[274] == 6
    assert signal.metadata["exif"][:2] in (b"II", b"MM")
    assert signal.metadata["density"] == b"2835 2835 m"


@pytest.mark.parametrize(("channels", "depth"), [(1, 1), (1, 2), (1, 16), (2, 16), (3, 8), (4, 16)])
def test_png_metadata(tmp_path: Path, channels: int, depth: int) -> None:
    path = tmp_path / "x.png"
    write(path, image(channels, depth))
    background = b"\0\1" * (1 if channels <= 2 else 3)
    with_chunks(
        path,
        (b"iCCP", b"my profile\0\0" + zlib.compress(ICC)),
        (b"gAMA", struct.pack(">I", 45455)),
        (b"cHRM", bytes(range(32))),
        (b"sRGB", b"\0"),
        (b"cICP", b"\x01\x0d\0\1"),
        (b"mDCV", bytes(24)),
        (b"cLLI", bytes(8)),
        (b"sBIT", b"\1" * channels),
        (b"bKGD", background),
        (b"pHYs", struct.pack(">IIB", 3000, 4000, 1)),
        (b"tIME", b"\x07\xe8\1\2\3\4\5"),
        (b"eXIf", exif_block(">")),
        (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP),
        (b"tEXt", b"Title\0caf\xe9"),
        (b"tEXt", b"Title\0again"),
        (b"zTXt", b"Comment\0\0" + zlib.compress(b"packed\n" * 400)),
        (b"iTXt", b"Author\0\0\0\0\0" + "Zoë, 山".encode()),
        (b"iTXt", b"Author\0\1\0\0\0" + zlib.compress("packed 山".encode())),
        (b"iTXt", b"Title\0\0\0de\0Titel\0" + "Über".encode()),
        (b"tEXt", b"Empty\0"),
        (b"tEXt", b"Comment#2\0a keyword that ends like a key"),
        (b"vpAg", bytes(9)),
        (b"teSt", b"private, safe to copy"),
        (b"teSt", b"and another"),
        (b"tesT", b"private, unsafe to copy"),
        (b"iDOT", b"offsets of pixels"),
    )
    signal = read(path)
    assert dict(signal.metadata) == {
        "icc": ICC,
        "png/profile-name": b"my profile",
        "gamma": b"45455",
        "png/cHRM": bytes(range(32)),
        "png/sRGB": b"\0",
        "png/cICP": b"\x01\x0d\0\1",
        "png/mDCV": bytes(24),
        "png/cLLI": bytes(8),
        "png/sBIT": b"\1" * channels,
        "png/bKGD": background,
        "density": b"3000 4000 m",
        "png/tIME": b"\x07\xe8\1\2\3\4\5",
        "exif": exif_block(">"),
        "xmp": XMP,
        "text/Title": "café".encode(),
        "text/Title#2": b"again",
        "text/Comment": b"packed\n" * 400,
        "text/Author": "Zoë, 山".encode(),
        "text/Author#2": "packed 山".encode(),
        "png/iTXt": b"Title\0\0\0de\0Titel\0" + "Über".encode(),
        "text/Empty": b"",
        "png/tEXt": b"Comment#2\0a keyword that ends like a key",
        "png/vpAg": bytes(9),
        "png/teSt": b"private, safe to copy",
        "png/teSt#2": b"and another",
    }
    other = again(path, signal)
    assert other.equals(signal)
    assert list(other.metadata) == list(signal.metadata)
    written = walk(path.with_name("again.png").read_bytes())
    assert (b"tEXt", b"Title\0caf\xe9") in written
    assert [kind for kind, _ in written].index(b"IDAT") == len(written) - 2
    packed = next(content for kind, content in written if kind == b"zTXt")
    assert len(packed) < 100
    picture = Image.open(io.BytesIO(path.with_name("again.png").read_bytes()))
    assert picture.info["icc_profile"] == ICC
    assert picture.info["Comment"] == "packed\n" * 400


def test_png_chunks_that_say_nothing_are_kept_but_not_written(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    write(path, image(3, 8))
    odd = {
        b"iCCP": b"name\0\0not zlib",
        b"gAMA": bytes(4),
        b"pHYs": struct.pack(">IIB", 1, 1, 7),
        b"eXIf": b"no TIFF header",
        b"zTXt": b"Comment\0\0" + zlib.compress(b"text")[:-2],
        b"tEXt": b"\0no keyword",
        b"iTXt": b"Comment\0\0\0\0\0\xff not UTF-8",
    }
    with_chunks(path, *odd.items(), (b"gAMA", struct.pack(">I", 45455)))  # a second gAMA is not allowed; the first counts
    signal = read(path)
    assert dict(signal.metadata) == {f"png/{kind.decode()}": content for kind, content in odd.items()}
    assert again(path, signal).metadata == {}
    assert lost(path.with_name("again.png"), signal) == signal.metadata.keys()


def test_png_exif_prefix_and_second_xmp(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    write(path, image(3, 8, {"xmp": XMP}))
    with_chunks(path, (b"eXIf", b"Exif\0\0" + exif_block()), at=len(path.read_bytes()) - 12)
    with_chunks(path, (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<second/>"), at=len(path.read_bytes()) - 12)
    signal = read(path)
    assert dict(signal.metadata) == {"xmp": XMP, "exif": exif_block(), "png/iTXt": b"XML:com.adobe.xmp\0\0\0\0\0<second/>"}
    assert again(path, signal).equals(signal)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_categories=["Cc"]), min_size=1, max_size=79),
            st.text(st.characters(min_codepoint=1, exclude_categories=["Cs"]), max_size=40),
        ),
        max_size=5,
    )
)
def test_png_texts_of_any_content(tmp_path: Path, texts: Sequence[tuple[str, str]]) -> None:
    path = tmp_path / "x.png"
    info = PngInfo()
    for keyword, text in texts:
        info.add_itxt(keyword, text)
    Image.fromarray(sample((2, 2), 8)).save(path, pnginfo=info)
    signal = read(path)
    assert len(signal.metadata) == len(texts)
    assert again(path, signal).equals(signal)


def test_png_ignores_metadata_that_is_not_valid(tmp_path: Path) -> None:
    bad = {
        "gamma": b"x",
        "density": b"0 0 m",
        "text/": b"",
        f"text/{'k' * 80}": b"",
        "png/IDAT": b"",
        "png/acTL": b"",
        "png/x": b"",
        "tiff/270": b"",
    }
    assert dict(again(tmp_path / "x.png", image(1, 8, bad | {"text/A": b"nul\0nul"})).metadata) == {"text/A": b"nul\nnul"}


def png_of(header: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    return SIGNATURE + b"".join(itertools.starmap(build, [(b"IHDR", header), *chunks, (b"IEND", b"")]))


def test_png_damage(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    rows = zlib.compress(bytes(3 * 4))
    grey = struct.pack(">IIBBBBB", 3, 3, 8, 0, 0, 0, 0)
    palette = struct.pack(">IIBBBBB", 3, 3, 8, 3, 0, 0, 0)
    for data, match in (
        (png_of(grey, (b"IDAT", rows))[:-3], "ends before its IEND"),
        (png_of(grey, (b"IDAT", rows))[:-14], "ends inside its IDAT"),
        (png_of(grey, (b"IDAT", rows))[:-14] + b"\1\2" + png_of(grey)[-12:], "wrong checksum of the IDAT chunk"),
        (png_of(grey, (b"I\0AT", rows)), "no chunk at byte 33"),
        (png_of(grey), "0 bytes are too few for 3 × 3 pixels"),
        (png_of(grey, (b"IDAT", zlib.compress(bytes(11)))), "pixels end after 11 of 12 bytes"),
        (png_of(grey, (b"IDAT", rows[:-4] + b"abcd")), "incorrect data check"),
        (png_of(grey, (b"IDAT", b"not zlib")), "not a PNG file"),
        (png_of(grey, (b"IDAT", zlib.compress(b"\7" + bytes(11)))), "filter"),
        (png_of(grey[:-1], (b"IDAT", rows)), "begin with its header"),
        (png_of(grey[:8] + b"\3" + grey[9:], (b"IDAT", rows)), "header is not valid"),
        (png_of(bytes(4) + grey[4:], (b"IDAT", rows)), "header is not valid"),
        (png_of(grey[:-1] + b"\2", (b"IDAT", rows)), "header is not valid"),
        (png_of(b"\x7f\xff\0\0" + grey[4:], (b"IDAT", rows)), "1000000 pixels a side"),
        (png_of(palette, (b"IDAT", rows)), "no valid palette"),
        (png_of(palette, (b"PLTE", bytes(4)), (b"IDAT", rows)), "no valid palette"),
        (png_of(palette, (b"PLTE", bytes(3)), (b"IDAT", zlib.compress(b"\0\1\0\0" * 3))), "colour 1 where the palette has 1"),
        (png_of(grey, (b"tRNS", bytes(6)), (b"IDAT", rows)), "transparent colour"),
        (png_of(grey, (b"CgBI", b""), (b"IDAT", rows)), "critical chunk CgBI"),
    ):
        path.write_bytes(data)
        refused(path, match, UnsupportedError if "a side" in match or "CgBI" in match else InrcodecError)


def test_png_leniency(tmp_path: Path) -> None:
    """What decoders accept: garbage behind IEND, and pixels behind the last one."""
    path = tmp_path / "x.png"
    grey = struct.pack(">IIBBBBB", 3, 3, 8, 0, 0, 0, 0)
    path.write_bytes(png_of(grey, (b"IDAT", zlib.compress(bytes(12) + b"more"))) + b"trailing garbage")
    assert not read(path).samples.any()


def test_png_pixels_in_many_chunks(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    signal = image(3, 8)
    write(path, signal)
    parts: list[tuple[bytes, bytes]] = []
    for kind, content in walk(path.read_bytes())[1:-1]:
        parts += [(kind, content[i : i + 50]) for i in range(0, len(content), 50)]
    path.write_bytes(png_of(path.read_bytes()[16:29], *parts))
    assert read(path).equals(signal)


def test_png_animation_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    frames = [Image.fromarray(sample((5, 5), 8)) for _ in range(2)]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    refused(path, "animated PNG", UnsupportedError)


def test_png_too_wide_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="pixels a side"):
        write(tmp_path / "x.png", Signal(np.zeros((1, 1_000_001), np.uint8), "image", 8))


# --- TIFF -----------------------------------------------------------------------------------------------------------


def packed(x: Samples, depth: int) -> bytes:
    """Rows of samples packed without gaps, each row ending at a byte."""
    rows = x.reshape(len(x), -1, 1)
    bits = (rows >> np.arange(depth - 1, -1, -1)) & 1
    return np.packbits(bits.astype(np.uint8).reshape(len(x), -1), axis=1).tobytes()


def tiff_file(strips: Sequence[bytes | bytearray], numbers: Mapping[int, int | list[int]], order: str = "<", big: bool = False) -> bytes:
    """A TIFF file from its strips and tags."""
    tags = {tag: value if isinstance(value, list) else [value] for tag, value in numbers.items()}
    out = bytearray({"<": b"II", ">": b"MM"}[order] + struct.pack(order + ("HHHQ" if big else "HI"), *([43, 8, 0, 0] if big else [42, 0])))
    offsets = []
    for strip in strips:
        offsets.append(len(out))
        out += strip
    tags = {273: offsets, 279: list(map(len, strips))} | tags
    word = "Q" if big else "I"
    entries = b""
    for tag, values in sorted(tags.items()):
        kind = 5 if tag in (282, 283) else 4 if tag in (256, 257, 273, 278, 279, 330) else 3
        field = struct.pack(f"{order}{len(values)}{'I' if kind in (4, 5) else 'H'}", *values)
        if len(field) > struct.calcsize(word):
            out += field
            field = struct.pack(order + word, len(out) - len(field))
        entries += struct.pack(f"{order}HH{word}{struct.calcsize(word)}s", tag, kind, len(values) // (2 if kind == 5 else 1), field)
    struct.pack_into(order + word, out, 8 if big else 4, len(out))
    return bytes(out) + struct.pack(order + ("Q" if big else "H"), len(tags)) + entries + bytes(8)


def layout(x: Samples, depth: int, more: Mapping[int, int | list[int]]) -> dict[int, int | list[int]]:
    """The tags that samples need, and more or others."""
    channels = x.shape[2] if x.ndim == 3 else 1
    tags: dict[int, int | list[int]] = {256: x.shape[1], 257: x.shape[0], 258: [depth] * channels, 259: 1, 277: channels, 278: len(x)}
    return tags | {262: 2 if channels > 2 else 1} | ({338: 2} if channels in (2, 4) else {}) | dict(more)


def page_of(path: Path) -> tifffile.TiffPage:
    with tifffile.TiffFile(path) as file:
        assert len(file.pages) == 1
        return file.pages.first


COMPRESSIONS: dict[int, Callable[[bytes], bytes | bytearray]] = {
    1: bytes,
    5: imagecodecs.lzw_encode,
    8: zlib.compress,
    32773: imagecodecs.packbits_encode,
}


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_tiff_packed_samples(tmp_path: Path, order: str, compression: int) -> None:
    path = tmp_path / "x.tif"
    for depth, channels in itertools.product((1, 2, 4, 6, 10, 12, 14), (1, 2, 3, 4)):
        x = sample(shape_of(channels), depth)
        strips = [COMPRESSIONS[compression](packed(x[i : i + 4], depth)) for i in (0, 4)]
        path.write_bytes(tiff_file(strips, layout(x, depth, {259: compression, 278: 4}), order, big=depth == 12))
        assert check_stored(path, x, depth).metadata == {}


@pytest.mark.parametrize(
    "options", [{}, {"compression": "lzw", "predictor": 2}, {"tile": (16, 16)}, {"compression": "zstd", "byteorder": ">"}]
)
def test_tiff_of_another_writer(tmp_path: Path, options: dict[str, Any]) -> None:
    path = tmp_path / "x.tif"
    for depth, channels, planes in itertools.product((8, 16), (1, 2, 3, 4), ("contig", "separate")):
        x = sample(shape_of(channels, 21, 35), depth)
        more: dict[str, Any] = {"planarconfig": planes} if channels > 1 else {}
        more |= {"extrasamples": ["unassalpha"]} if channels in (2, 4) else {}
        more |= {"photometric": "rgb" if channels > 2 else "minisblack"} | options
        stored = np.moveaxis(x, 2, 0) if planes == "separate" and channels > 1 else x
        tifffile.imwrite(path, stored, metadata=None, software=False, **more)
        # a value of 12 bits in a file of 16 stays one of 16
        assert check_stored(path, x, depth).metadata == {"density": b"1 1 -"}


@pytest.mark.parametrize("compression", [None, "group3", "group4", "packbits", "tiff_lzw", "tiff_adobe_deflate"])
def test_tiff_fax(tmp_path: Path, compression: str | None) -> None:
    path = tmp_path / "x.tif"
    x = np.zeros((40, 61), np.uint8)
    x[10:30, 7:50] = 1
    x[::3, ::5] ^= 1
    Image.fromarray(x.astype(bool)).save(path, compression=compression)
    assert check_stored(path, x, 1).metadata == {}


@pytest.mark.parametrize("depth", [1, 4, 8, 12, 16])
def test_tiff_white_is_zero(tmp_path: Path, depth: int) -> None:
    path = tmp_path / "x.tif"
    for channels in (1, 2):
        x = sample(shape_of(channels), depth)
        data = x.tobytes() if depth in (8, 16) else packed(x, depth)
        path.write_bytes(tiff_file([data], layout(x, depth, {262: 0})))
        assert check_stored(path, x, depth).metadata == {"tiff/photometric": b"0"}
        assert page_of(tmp_path / "again.tif").photometric == 0


@pytest.mark.parametrize("kind", [0, 1, 99])
def test_tiff_other_alpha(tmp_path: Path, kind: int) -> None:
    path = tmp_path / "x.tif"
    x = sample((7, 13, 4), 8)
    path.write_bytes(tiff_file([x.tobytes()], layout(x, 8, {338: kind})))
    assert check_stored(path, x, 8).metadata == {"tiff/extrasamples": b"%d" % (kind % 99)}
    assert page_of(tmp_path / "again.tif").extrasamples == (kind % 99,)


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_tiff_palette(tmp_path: Path, depth: int) -> None:
    path = tmp_path / "x.tif"
    x = sample((7, 13), depth)
    colours = sample((1 << depth, 3), 8)
    colours[0] = 255
    for stored, expected, bits in (
        (colours * np.uint16(257), colours, 8),
        (colours * np.uint16(256), colours, 8),
        (colours.astype(np.uint16), colours, 8),
        (colours * np.uint16(251) + 1, colours * np.uint16(251) + 1, 16),
    ):
        path.write_bytes(tiff_file([packed(x, depth)], layout(x, depth, {262: 3, 278: 7, 320: stored.T.reshape(-1).tolist()})))
        check_stored(path, expected[x], bits)
    path.write_bytes(tiff_file([packed(x, depth)], layout(x, depth, {262: 3, 278: 7, 320: [1, 2, 3, 4]})))
    refused(path, "no valid palette")


def test_tiff_metadata(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    texts = {270: "A text", 271: "Maker", 272: "Model", 305: "Program", 306: "2024:01:02 03:04:05", 315: "Painter", 33432: "me"}
    exif = Image.Exif()
    exif.update(texts)
    exif.update({274: 6, 700: XMP, 33550: (1.0, 2.0, 0.0)})
    exif.get_ifd(0x8769).update({36867: "2024:01:02 03:04:05", 37500: b"maker\0note"})
    exif.get_ifd(0x8825).update({1: "N", 2: tuple(IFDRational(*pair) for pair in ((52, 1), (31, 1), (12, 5)))})
    x = sample((7, 13, 3), 8)
    Image.fromarray(x).save(path, exif=exif.tobytes(), icc_profile=ICC, dpi=(300, 72.5))
    signal = check_stored(path, x, 8)
    metadata = dict(signal.metadata)
    assert {key: metadata[key].decode() for key in metadata if key.startswith("text/")} == {
        "text/Description": "A text",
        "text/Make": "Maker",
        "text/Model": "Model",
        "text/Software": "Program",
        "text/Creation Time": "2024:01:02 03:04:05",
        "text/Author": "Painter",
        "text/Copyright": "me",
    }
    assert metadata["icc"] == ICC
    assert metadata["xmp"] == XMP
    assert metadata["tiff/33550"] == struct.pack("<Hddd", 12, 1, 2, 0)  # of a GeoTIFF
    assert metadata["density"].startswith(b"300 ")
    for source in (metadata["exif"], (tmp_path / "again.tif").read_bytes()):
        kept = Image.Exif()
        kept.load(source)
        assert kept[274] == 6
        assert kept.get_ifd(0x8769) == {36867: "2024:01:02 03:04:05", 37500: b"maker\0note"}
        assert kept.get_ifd(0x8825) == {1: "N", 2: (52.0, 31.0, 2.4)}
    with tifffile.TiffFile(tmp_path / "again.tif") as file:
        tags = file.pages.first.tags
        assert tags[700].value == XMP
        assert tags[296].value == 2


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("order", "<>")
def test_tiff_metadata_in_any_byte_order(tmp_path: Path, order: str, big: bool) -> None:
    path = tmp_path / "x.tif"
    x = sample((7, 13), 8)
    tags = layout(x, 8, {274: 8, 282: [3000000, 10000], 283: [72, 1], 296: 3, 301: [1, 2, 3, 40000]})
    path.write_bytes(tiff_file([x.tobytes()], tags, order, big))
    signal = check_stored(path, x, 8)
    assert signal.metadata["density"] == b"3000000/10000 72 cm"
    assert signal.metadata["tiff/301"] == struct.pack("<HHHHH", 3, 1, 2, 3, 40000)
    assert ifd.parse(io.BytesIO(signal.metadata["exif"]))[0] == {274: ifd.Value(3, b"\x08\0")}


def test_tiff_upright_orientation_goes_without_saying(tmp_path: Path) -> None:
    x = sample((7, 13), 8)
    (tmp_path / "x.tif").write_bytes(tiff_file([x.tobytes()], layout(x, 8, {274: 1})))
    assert check_stored(tmp_path / "x.tif", x, 8).metadata == {}


def test_tiff_from_exif_of_either_order(tmp_path: Path) -> None:
    for order in "<>":
        signal = again(tmp_path / "x.tif", image(3, 8, {"exif": exif_block(order)}))
        assert again(tmp_path / "x.tif", signal).equals(signal)
        kept = Image.Exif()
        kept.load(signal.metadata["exif"])
        assert kept.get_ifd(0x8769)[33434] == 1 / 250
        assert kept.get_ifd(0x8769)[37500] == b"maker\0note"
        assert kept.get_ifd(0x8825)[1] == "N"
        assert signal.metadata["text/Make"] == b"Maker"


def test_directories_of_big_files() -> None:
    block = ifd.parse(io.BytesIO(exif_block()))[0]
    for big in (False, True):
        start = struct.pack("<2sHHHQ", b"II", 43, 8, 0, 16) if big else struct.pack("<2sHI", b"II", 42, 8)
        assert ifd.parse(io.BytesIO(start + ifd.pack(block, len(start), big))) == (block, False)


def test_tiff_texts_beyond_ascii(tmp_path: Path) -> None:
    for stored in ("Zoë".encode(), "Zoë".encode("latin-1")):
        signal = again(tmp_path / "x.tif", image(1, 8, {"text/Author": stored}))
        assert signal.metadata == {"text/Author": "Zoë".encode()}
        assert again(tmp_path / "x.tif", signal).equals(signal)


def test_tiff_odd_tags(tmp_path: Path) -> None:
    """A text of another type, a date of another form and a density without a denominator do not stop anything."""
    path = tmp_path / "x.tif"
    x = sample((7, 13), 8)
    path.write_bytes(tiff_file([x.tobytes()], layout(x, 8, {305: [1, 2], 306: 3, 282: [1, 0], 283: [1, 0], 34665: 60000})))
    assert check_stored(path, x, 8).metadata == {"tiff/305": b"\3\0\1\0\2\0", "tiff/306": b"\3\0\3\0"}


def test_tiff_ignores_metadata_that_is_not_valid(tmp_path: Path) -> None:
    bad = {
        "tiff/257": b"\3\0\1\0",
        "tiff/99999": b"\3\0\1\0",
        "tiff/500": b"\3\0\1",
        "tiff/501": b"\x63\0\1",
        "exif": b"?",
        "density": b"1 x in",
    }
    bad |= {"text/Creation Time": b"once", "density": b"1/99999999999 1 in", "tiff/photometric": b"x"}
    assert dict(again(tmp_path / "x.tif", image(1, 8, bad)).metadata) == {}


def test_tiff_refusals(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    x = sample((7, 13, 4), 8)
    grey = x[:, :, 0]

    def one(tags: Mapping[int, int | list[int]]) -> bytes:
        return tiff_file([grey.tobytes()], layout(grey, 8, tags))

    for data, match in (
        (tiff_file([x[:, :, :3].tobytes()], layout(x[:, :, :3], 8, {262: 5})), "3 channels is not supported where inks"),
        (tiff_file([x[:, :, :3].tobytes()], layout(x[:, :, :3], 8, {262: 6})), "YCbCr TIFF"),
        (tiff_file([x[:, :, :3].tobytes()], layout(x[:, :, :3], 8, {262: 8})), "CIELab TIFF"),
        (one({262: 32803}), "colour filter array"),
        (one({262: 99}), "photometric 99"),
        (one({339: 2, 258: 4}), "4 bits per signed sample"),
        (one({339: 3}), "8 bits per floating-point sample"),
        (one({339: 5}), "complex integers"),
        (tiff_file([x[:, :, :2].tobytes()], layout(x[:, :, :2], 8, {339: [1, 2]})), "different types"),
        (tiff_file([bytes(7 * 13 * 65)], layout(sample((7, 13, 65), 8), 8, {262: 1})), "65 channels"),
        (tiff_file([bytes(7 * 13 * 3)], layout(sample((7, 13, 3), 8), 8, {258: [5, 6, 5]})), "5, 6 bits per unsigned sample"),
        (one({258: 24}), "24 bits per unsigned sample"),
        (one({259: 7}), "compression 7"),
        (one({330: 8}), "sub-images"),
    ):
        path.write_bytes(data)
        refused(path, match, UnsupportedError)
    tifffile.imwrite(path, np.zeros((5, 5), np.uint8), photometric="minisblack", description="ImageJ=1.11a\nimages=3\n", metadata=None)
    refused(path, "should have 3 pictures, and there is one")


def test_tiff_agrees_with_other_readers(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    for channels, depth in ((1, 1), (1, 8), (3, 8), (4, 8), (1, 12), (1, 16), (3, 16), (4, 16)):
        signal = image(channels, depth, {"exif": exif_block(orientation=1), "icc": ICC})  # Pillow turns TIFF
        write(path, signal)
        if channels == 1 or depth == 8:
            with Image.open(path) as picture:
                assert np.array_equal(np.asarray(picture), signal.samples)
                assert picture.getexif().get_ifd(0x8769)[37500] == b"maker\0note"
        else:
            other = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
            assert other is not None
            assert np.array_equal(other[:, :, [2, 1, 0, 3][:channels]], signal.samples)


def test_tiff_missing_pixels(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    x = sample((7, 13), 8)
    for compression, pack in COMPRESSIONS.items():
        first, second = (pack(x[i : i + 4].tobytes()) for i in (0, 4))
        for strips in ([first], [first, b""], [first, second[:-9]], [first[:-9], second]):
            path.write_bytes(tiff_file(strips, layout(x, 8, {259: compression, 278: 4})))
            refused(path)
        path.write_bytes(tiff_file([first, second], layout(x, 8, {259: compression, 278: 4, 273: [10, 1 << 30]})))
        refused(path, "ends early")
    path.write_bytes(tiff_file([x.tobytes()], layout(x, 8, {257: 0})))
    refused(path, "13 × 0 pixels")


def test_tiff_is_small_and_says_nothing_of_its_writer(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    write(path, Signal(np.zeros((500, 500, 3), np.uint16), "image", 16))
    assert path.stat().st_size < 20000
    assert read(path).metadata == {}
    assert b"tifffile" not in path.read_bytes()


# --- netpbm ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "expected", "depth"),
    [
        (b"P1\n3 2\n101\n0 1\n0", [[0, 1, 0], [1, 0, 1]], 1),
        (b"P1 3 2 1 0 1 0 1 0 junk", [[0, 1, 0], [1, 0, 1]], 1),
        (b"P4\n3 2\n\xa0\x5f", [[0, 1, 0], [1, 0, 1]], 1),
        (b"P2\n3 2\n7\n0 1 2\n3 4 7\n", [[0, 1, 2], [3, 4, 7]], 3),
        (b"P2 3 2 65535 0 1 2 # note\n 3 4 65535", [[0, 1, 2], [3, 4, 65535]], 16),
        (b"P3\n1 2\n255\n0 1 2\n3 4 255\n", [[[0, 1, 2]], [[3, 4, 255]]], 8),
        (b"P5\n3 2\n1\n\0\1\0\1\0\1", [[0, 1, 0], [1, 0, 1]], 1),
        (b"P5 3 2 1023\n\0\1\3\xff\0\0\0\1\0\2\0\3", [[1, 1023, 0], [1, 2, 3]], 10),
        (b"P6\r\n1 1\r255\n\1\2\3\n", [[[1, 2, 3]]], 8),
        (b"P7\nWIDTH 1\nHEIGHT 2\nDEPTH 1\nMAXVAL 1\nENDHDR\n\0\1", [[0], [1]], 1),
        (b"P7\n\nHEIGHT 1\nWIDTH 2\nMAXVAL 255\nDEPTH 2\nTUPLTYPE GRAYSCALE_ALPHA\nENDHDR\n\1\2\3\4", [[[1, 2], [3, 4]]], 8),
    ],
)
def test_netpbm_reading(tmp_path: Path, data: bytes, expected: list[Any], depth: int) -> None:
    path = tmp_path / "x.pam"  # holds everything, and the content tells which of the formats it is
    path.write_bytes(data)
    assert check_stored(path, np.array(expected), depth).metadata == {}


@pytest.mark.parametrize("maxval", [1, 2, 3, 5, 200, 255, 256, 1000, 1023, 40000, 65535])
@pytest.mark.parametrize("suffix", [".pgm", ".ppm", ".pnm", ".pam"])
def test_netpbm_maxval(tmp_path: Path, suffix: str, maxval: int) -> None:
    path = tmp_path / f"x{suffix}"
    depth = maxval.bit_length()
    x = RNG.integers(0, maxval + 1, (5, 4) if suffix == ".pgm" else (5, 4, 3))
    x.reshape(-1)[0] = maxval
    header = b"P%d\n4 5\n%d\n" % (5 if suffix == ".pgm" else 6, maxval)
    data = header + x.astype(">u2" if maxval > 255 else "u1").tobytes()
    path.write_bytes(data)
    signal = check_stored(path, x, depth)
    assert dict(signal.metadata) == ({} if maxval == (1 << depth) - 1 else {"pnm/maxval": b"%d" % maxval})
    if suffix != ".pam":
        assert (tmp_path / f"again{suffix}").read_bytes() == data


def test_netpbm_bitmaps_agree_with_pillow(tmp_path: Path) -> None:
    signal = image(1, 1)
    for suffix, magic in ((".pbm", b"P4"), (".pnm", b"P4"), (".pgm", b"P5")):
        path = tmp_path / f"x{suffix}"
        write(path, signal)
        assert path.read_bytes()[:2] == magic
        assert np.array_equal(np.asarray(Image.open(path)).astype(bool), signal.samples)


def test_netpbm_comments_and_tuple_types(tmp_path: Path) -> None:
    path = tmp_path / "x.ppm"
    path.write_bytes(b"P6 # by a program\n#second\n1 #width\n1\n# caf\xe9\n255\nabc")
    signal = read(path)
    assert dict(signal.metadata) == {"text/Comment": "by a program\nsecond\nwidth\ncafé".encode()}
    assert again(path, signal).equals(signal)
    path = tmp_path / "x.pam"
    path.write_bytes(b"P7\n# one\nWIDTH 1\nHEIGHT 1\nDEPTH 3\n#\nMAXVAL 255\nTUPLTYPE HSV\nTUPLTYPE cone\nENDHDR\nabc")
    signal = read(path)
    assert dict(signal.metadata) == {"text/Comment": b"one\n", "pnm/tupltype": b"HSV cone"}
    assert again(path, signal).equals(signal)


def test_netpbm_damage(tmp_path: Path) -> None:
    path = tmp_path / "x.pnm"
    pam = b"P7\nWIDTH 1\nHEIGHT 1\nDEPTH 1\nMAXVAL 255\nENDHDR\n\0"
    for data, match, kind in (
        (b"P5\n2 2\n255\n\0\0\0", "ends after 3 of 4 bytes", InrcodecError),
        (b"P5\n2 2\n255", "ends after 0 of 4 bytes", InrcodecError),
        (b"P4\n9 2\n\0\0\0", "ends after 3 of 4 bytes", InrcodecError),
        (b"P2\n2 2\n255\n1 2 3", "ends after 3 of 4 samples", InrcodecError),
        (b"P1\n2 2\n", "ends after 0 of 4 samples", InrcodecError),
        (b"P5\n2 1\n100\n\1\x65", "sample of 101 above maxval 100", InrcodecError),
        (b"P2\n2 1\n100\n1 101", "sample of 101 above maxval 100", InrcodecError),
        (b"P2\n2 1\n100\n1 -1", "not a number", InrcodecError),
        (b"P2\n2 1\n100\n1 99999999999999999999", "not a number", InrcodecError),
        (b"P1\n2 1\n12", "not a number", InrcodecError),
        (b"P5\n2 1\n0\n\0\0", "maxval 0", InrcodecError),
        (b"P5\n2 1\n65536\n\0\0\0\0", "maxval 65536", InrcodecError),
        (b"P5\n0 1\n255\n", "0 × 1 pixels", InrcodecError),
        (b"P5\nx 1\n255\n\0", "damaged netpbm header", InrcodecError),
        (b"P5\n1 1\n255x\0", "damaged netpbm header", InrcodecError),
        (b"P51 1 255 \0", "not a netpbm file", InrcodecError),
        (b"P8\n1 1\n255\n\0", "not a netpbm file", InrcodecError),
        (b"P7\nWIDTH 1\nHEIGHT 1\n", "no end", InrcodecError),
        (pam.replace(b"WIDTH 1", b"WIDTH x"), "not a number", InrcodecError),
        (pam.replace(b"MAXVAL 255\n", b""), "maxval is missing", InrcodecError),
        (pam.replace(b"DEPTH 1", b"DEPTH 0"), "damaged netpbm header", InrcodecError),
        (pam.replace(b"DEPTH 1", b"DEPTH 5"), "5 channels", UnsupportedError),
        (pam.replace(b"DEPTH 1", b"DEPTH 4\nTUPLTYPE CMYK"), "CMYK", UnsupportedError),
        (b"P5\n1 1\n255\n\0P5\n1 1\n255\n\0", "several images", UnsupportedError),
    ):
        path.write_bytes(data)
        refused(path, match, kind)


def test_netpbm_samples_above_maxval_are_not_written(tmp_path: Path) -> None:
    signal = Signal(np.array([[255, 0]], np.uint8), "image", 8, None, {"pnm/maxval": b"200"})
    with pytest.raises(UnsupportedError, match="255 is above the maxval 200"):
        write(tmp_path / "x.pgm", signal)
    other = Signal(signal.samples, "image", 8, None, {"pnm/maxval": b"70000"})  # not one of 8 bits
    assert again(tmp_path / "x.pgm", other).metadata == {}


# --- BMP ------------------------------------------------------------------------------------------------------------


def bmp_file(indices: Samples, bits: int, palette: Samples, core: bool = False) -> bytes:
    height, width = indices.shape
    rows = np.frombuffer(packed(indices[::-1], bits), np.uint8).reshape(height, -1)
    body = np.pad(rows, ((0, 0), (0, -rows.shape[1] % 4))).tobytes()
    colours = palette[:, ::-1] if core else np.pad(palette[:, ::-1], ((0, 0), (0, 1)))
    if core:
        header = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, 0, len(body), 2835, 5000, len(palette) % (1 << bits), 0)
    start = 14 + len(header) + colours.size
    return struct.pack("<2sI4xI", b"BM", start + len(body), start) + header + colours.astype(np.uint8).tobytes() + body


@pytest.mark.parametrize("core", [False, True])
@pytest.mark.parametrize("bits", [1, 4, 8])
def test_bmp_palettes(tmp_path: Path, bits: int, core: bool) -> None:
    path = tmp_path / "x.bmp"
    x = sample((5, 13), bits)
    levels = np.linspace(0, 255, 1 << bits).astype(np.uint8)
    greys, darks = (np.repeat(v[:, None], 3, axis=1).astype(np.uint8) for v in (levels, np.arange(1 << bits)))
    for palette in (greys, greys[::-1], darks, sample((1 << bits, 3), 8)):
        path.write_bytes(bmp_file(x, bits, palette, core))
        grey = bits != 4 and np.array_equal(palette, greys)
        signal = check_stored(path, x if grey else palette[x], bits if grey else 8)
        assert signal.metadata == ({} if core else {"density": b"2835 5000 m"})
    if not core:
        path.write_bytes(bmp_file(np.zeros_like(x), bits, np.array([[0, 0, 0]])))
        check_stored(path, np.zeros((5, 13, 3)), 8)
        path.write_bytes(bmp_file(np.ones_like(x), bits, np.array([[0, 0, 0]])))
        refused(path, "colour 1 where the palette has 1")


def test_bmp_of_other_writers(tmp_path: Path) -> None:
    path = tmp_path / "x.bmp"
    for channels in (1, 3, 4):
        x = sample(shape_of(channels), 8)
        cv2.imwrite(str(path), x if channels == 1 else x[:, :, [2, 1, 0, 3][:channels]])
        check_stored(path, x, 8)
        write(path, Signal(x, "image", 8))
        other = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert other is not None
        assert np.array_equal(other if channels == 1 else other[:, :, [2, 1, 0, 3][:channels]], x)
        assert np.array_equal(np.asarray(Image.open(path)), x)
    x = sample((7, 13), 1)
    Image.fromarray(x.astype(bool)).save(path)
    check_stored(path, x, 1)
    # a fourth byte that no header declares to be alpha
    Image.fromarray(sample((7, 13, 4), 8)).save(path)
    assert read(path).samples.shape == (7, 13, 3)


def test_bmp_run_length_coding(tmp_path: Path) -> None:
    path = tmp_path / "x.bmp"
    palette = sample((256, 3), 8)
    body = bytes([3, 7, 2, 9, 0, 0, 0, 5, 1, 2, 3, 4, 5, 0, 0, 1])  # a row of two runs, then one of literals
    data = bytearray(bmp_file(np.zeros((2, 5), np.uint8), 8, palette)[: 54 + 1024] + body)
    struct.pack_into("<I", data, 30, 1)
    struct.pack_into("<I", data, 34, len(body))
    path.write_bytes(data)
    check_stored(path, palette[np.array([[1, 2, 3, 4, 5], [7, 7, 7, 9, 9]])], 8)


def test_bmp_density(tmp_path: Path) -> None:
    for text, back in ((b"11811 2835 m", b"11811 2835 m"), (b"300 72 in", b"11811 2835 m"), (b"4 3 -", None)):
        signal = again(tmp_path / "x.bmp", image(3, 8, {"density": text}))
        assert signal.metadata.get("density") == back


@pytest.mark.parametrize(("channels", "depth"), [(1, 1), (1, 8), (3, 8), (4, 8)])
def test_bmp_profile(tmp_path: Path, channels: int, depth: int) -> None:
    """It stands behind the pixels, where a header of version 5 says."""
    path = tmp_path / "x.bmp"
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    signal = image(channels, depth, {"icc": icc, "density": b"11811 2835 m"})
    write(path, signal)
    assert read(path).equals(signal)
    data = bytearray(path.read_bytes())
    assert struct.unpack_from("<I", data, 2) == (len(data),)
    assert struct.unpack_from("<I", data, 14) == (124,)
    at, size = struct.unpack_from("<II", data, 14 + 112)
    assert data[14 + at :] == icc
    assert size == len(icc)
    assert data[14 + 56 : 14 + 60] == b"DEBM"
    assert np.array_equal(np.asarray(Image.open(path)), signal.samples)
    other = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert other is not None
    assert other.shape[:2] == signal.samples.shape[:2]
    path.write_bytes(data[:-1])
    refused(path, "ends within its ICC profile")
    data[14 + 56 : 14 + 60] = b"KNIL"  # the profile is the name of a file
    path.write_bytes(data)
    with pytest.warns(Notice, match="in another file, which the header names, and is not kept"):
        assert "icc" not in read(path).metadata
    data[14 + 56 : 14 + 60] = b"BGRs"
    path.write_bytes(data)
    assert read(path).samples.shape == signal.samples.shape


def test_bmp_of_16_bits_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.bmp"
    path.write_bytes(bmp_file(sample((5, 13), 16).astype(np.uint32), 16, np.zeros((0, 3), np.uint8)))
    refused(path, "5 or 6 bits", UnsupportedError)


# --- WebP -----------------------------------------------------------------------------------------------------------


def test_webp_alpha_and_hidden_colours(tmp_path: Path) -> None:
    path = tmp_path / "x.webp"
    for alpha in (0, 255, sample((7, 13), 8)):
        x = sample((7, 13, 4), 8)
        x[:, :, 3] = alpha
        for metadata in ({}, {"icc": ICC}):
            signal = Signal(x, "image", 8, None, metadata)
            assert again(path, signal).equals(signal)
            assert np.array_equal(np.asarray(Image.open(tmp_path / "again.webp")), x)


def test_webp_of_another_writer(tmp_path: Path) -> None:
    path = tmp_path / "x.webp"
    for channels in (3, 4):
        x = sample((7, 13, channels), 8)
        Image.fromarray(x).save(path, lossless=True, exact=True, icc_profile=ICC, exif=b"Exif\0\0" + exif_block(), xmp=XMP)
        assert check_stored(path, x, 8).metadata == {"icc": ICC, "exif": exif_block(), "xmp": XMP}
        picture = Image.open(io.BytesIO((tmp_path / "again.webp").read_bytes()))
        assert picture.info["icc_profile"] == ICC
        assert picture.info["xmp"] == XMP
        assert picture.getexif()[274] == 6


def test_webp_refusals(tmp_path: Path) -> None:
    path = tmp_path / "x.webp"
    frames = [Image.fromarray(sample((16, 16, 3), 8)) for _ in range(2)]
    frames[0].save(path)
    refused(path, "WebP is lossy: its pixels can be coded", UnsupportedError)
    frames[0].save(path, save_all=True, append_images=frames[1:], lossless=True)
    refused(path, "animated WebP", UnsupportedError)
    path.write_bytes(b"RIFF\4\0\0\0WEBP")
    refused(path, "no image in it")
    with pytest.raises(UnsupportedError, match="16383 pixels a side"):
        write(path, Signal(np.zeros((1, 16384, 3), np.uint8), "image", 8))
