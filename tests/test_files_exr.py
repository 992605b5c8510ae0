"""OpenEXR and PFM: every bit of floats, names of channels, attributes, refusals, damaged files."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import inrcodec
from inrcodec import files
from inrcodec.errors import InrcodecError, LimitError, MissingError, Notice, UnsupportedError
from inrcodec.files import exr, opencv
from inrcodec.limits import Limits
from inrcodec.signal import Signal

SCALES = ("-1.0", "1.0", "-1", "2.5", "-1e-3", "+3.")
COMMENT = {"exr/comments": b"string\0a text"}


def of_bits(seed: int, shape: tuple[int, ...], dtype: str) -> npt.NDArray[Any]:
    kind = np.dtype(dtype)
    return np.frombuffer(np.random.default_rng(seed).bytes(int(np.prod(shape)) * kind.itemsize), kind).reshape(shape)


def through(path: Path) -> Signal:
    signal = files.read(path)
    back = inrcodec.decode(inrcodec.encode(signal, profile="stored"))
    again = path.with_name(f"again{path.suffix}")
    files.write(again, back)
    assert files.read(again).equals(signal)
    return signal


def refused(path: Path, match: str, kind: type[InrcodecError] = InrcodecError, limits: Limits | None = None) -> None:
    with pytest.raises(kind, match=match) as e:
        files.read(path, limits or Limits())
    assert "\n" not in str(e.value)


def told(path: Path) -> str:
    """What is said of a damaged file; "" if it can be read."""
    try:
        files.read(path, Limits(1 << 20))
    except InrcodecError as fault:
        found = str(fault)
        if "\n" not in found:
            return found
        raise
    return ""


@pytest.fixture
def library() -> Any:
    return pytest.importorskip("OpenEXR")


def file_of(library: Any, path: Path, planes: dict[str, npt.NDArray[Any]], **header: Any) -> None:
    about = {"compression": library.ZIP_COMPRESSION, "type": library.scanlineimage, **header}
    with library.File(about, dict(planes)) as made:
        made.write(str(path))


@pytest.mark.parametrize("dtype", ["f2", "f4", "u4"])
@pytest.mark.parametrize("shape", [(1, 1), (40, 7), (5, 6, 2), (33, 6, 3), (17, 2, 4), (4, 5, 6), (2, 3, 64)])
def test_every_bit(tmp_path: Path, library: Any, dtype: str, shape: tuple[int, ...]) -> None:
    path = tmp_path / "x.exr"
    samples = of_bits(0, shape, dtype)
    files.write(path, Signal(samples, "image", 0, None, COMMENT))
    found = through(path)
    assert (found.samples.dtype, found.samples.shape) == (samples.dtype, shape)
    assert found.samples.tobytes() == samples.tobytes()
    assert found.metadata["exr/comments"] == COMMENT["exr/comments"]


def test_all_halves(tmp_path: Path, library: Any) -> None:
    samples = np.arange(1 << 16, dtype=np.uint16).view(np.float16).reshape(256, 256)
    files.write(tmp_path / "x.exr", Signal(samples, "image"))
    assert through(tmp_path / "x.exr").samples.tobytes() == samples.tobytes()


def test_names_attributes_and_windows(tmp_path: Path, library: Any) -> None:
    path = tmp_path / "x.exr"
    plane = of_bits(0, (40, 32), "f2")
    file_of(
        library, path, {name: plane.copy() for name in ("Z", "diffuse.G", "diffuse.R")},
        compression=library.PIZ_COMPRESSION, owner="me", pixelAspectRatio=1.5, aNameThatIsLongerThanThirtyOneBytes=7,
        dataWindow=(np.array([-3, -5], np.int32), np.array([28, 34], np.int32)),
        displayWindow=(np.array([0, 0], np.int32), np.array([19, 9], np.int32)),
    )  # fmt: skip
    signal = through(path)
    assert signal.samples.shape == (40, 32, 3)
    assert signal.metadata["exr/channels"] == b"Z\0diffuse.G\0diffuse.R"
    assert signal.metadata["exr/owner"] == b"string\0me"
    assert signal.metadata["exr/dataWindow"] == b"box2i\0" + struct.pack("<4i", -3, -5, 28, 34)
    assert files.lost(tmp_path / "again.exr", signal) == set()
    with library.File(str(tmp_path / "again.exr"), separate_channels=True) as again:
        about = again.header()
        assert [about[key] for key in ("owner", "pixelAspectRatio", "aNameThatIsLongerThanThirtyOneBytes")] == ["me", 1.5, 7]
        assert about["dataWindow"][0].tolist() == [-3, -5]
        assert about["displayWindow"][1].tolist() == [19, 9]
        assert again.channels()["diffuse.G"].pixels.tobytes() == plane.tobytes()


def test_order_of_colours(tmp_path: Path, library: Any) -> None:
    path = tmp_path / "x.exr"
    planes = {name: np.full((3, 4), i, np.float32) for i, name in enumerate("RGBA")}
    file_of(library, path, planes)
    assert through(path).samples[0, 0].tolist() == [0, 1, 2, 3]
    assert files.read(path).metadata == {}


@pytest.mark.parametrize("name", ["NO", "RLE", "ZIPS", "ZIP", "PIZ", "PXR24", "B44", "DWAA"])
def test_compressions(tmp_path: Path, library: Any, name: str) -> None:
    path = tmp_path / "x.exr"
    planes = {key: np.random.default_rng(i).normal(size=(40, 32)).astype(np.float16) for i, key in enumerate("RGB")}
    file_of(library, path, planes, compression=getattr(library, f"{name}_COMPRESSION"))
    if name in ("B44", "DWAA"):
        with pytest.warns(Notice, match="its compression is lossy"):
            files.read(path)
        return
    assert np.array_equal(through(path).samples, np.stack([planes[key] for key in "RGB"], -1))


def test_what_is_refused(tmp_path: Path, library: Any) -> None:
    path = tmp_path / "x.exr"
    half, single = np.zeros((4, 5), np.float16), np.zeros((4, 5), np.float32)
    file_of(library, path, {"R": half, "Z": single})
    refused(path, "channels of different types are not supported: R float16, Z float32", UnsupportedError)
    file_of(library, path, {f"C{i:02}": half for i in range(65)})
    refused(path, "65 channels are not supported", UnsupportedError)
    file_of(library, path, {"Y": half})
    data = bytearray(path.read_bytes())
    for flag, match in ((0x800, "deep data"), (0x1000, "several parts")):
        path.write_bytes(data[:4] + struct.pack("<I", 2 | flag) + data[8:])
        refused(path, match, UnsupportedError)
    refused(path, "several parts", UnsupportedError, Limits(19))
    path.write_bytes(data)
    refused(path, "the limit is", LimitError, Limits(19))
    at = data.index(b"chlist\0") + 7 + 4 + 2 + 8
    path.write_bytes(data[:at] + struct.pack("<i", 2) + data[at + 4 :])
    refused(path, "subsampled", UnsupportedError)
    at = data.index(b"box2i\0") + 6 + 4
    path.write_bytes(data[:at] + struct.pack("<4i", 0, 0, 39999, 39999) + data[at + 16 :])
    refused(path, "bytes are too few")


def test_what_openexr_does_not_have(tmp_path: Path, library: Any) -> None:
    grey = np.zeros((4, 5), np.uint8)
    for signal, match in (
        (Signal(grey, "image"), "not 8-bit samples of uint8"),
        (Signal(grey.astype(np.float64), "image"), "not 64-bit samples of float64"),
        (Signal(grey.astype(">f4"), "image"), "not 32-bit samples of >f4"),
        (Signal(grey.astype(np.uint32), "image", 20), "not 20-bit samples"),
        (Signal(np.zeros((2, 4, 5), np.float32), "stack"), "this is a stack of 2"),
        (Signal(grey.astype(np.float32)), "not signals of kind 'array'"),
        (Signal(np.zeros((4, 5, 1), np.float32), "image"), "would come back as"),
    ):
        with pytest.raises(UnsupportedError, match=match):
            files.write(tmp_path / "x.exr", signal)
        assert not (tmp_path / "x.exr").exists()


@pytest.mark.parametrize(
    "metadata",
    [
        {"exr/displayWindow": b"box2i\0xx"},
        {"exr/lineOrder": b"lineOrder\0\7"},
        {"exr/": b"string\0x"},
        {"exr/x": b"no type"},
        {"exr/x": b"\0"},
        {"exr/channels": b"Z\0A\0B"},
        {"exr/dataWindow": b"box2i\0" + struct.pack("<4i", 2**31 - 1, 2**31 - 1, 0, 0)},
        {"exr/pixelAspectRatio": b"string\0x"},
        {"exr/preview": b"preview\0" + struct.pack("<II", 2**31, 2**31)},
        {"exr/é\0": b"string\0x"},
    ],
)
def test_hostile_attributes(tmp_path: Path, library: Any, metadata: dict[str, bytes], capfd: pytest.CaptureFixture[str]) -> None:
    samples = of_bits(0, (4, 5, 3), "f4")
    signal = Signal(samples, "image", 0, None, metadata)
    files.write(tmp_path / "x.exr", signal)
    assert files.read(tmp_path / "x.exr").samples.tobytes() == samples.tobytes()
    assert files.lost(tmp_path / "x.exr", signal) <= set(metadata)
    assert capfd.readouterr() == ("", "")


def test_damaged_files(tmp_path: Path, library: Any, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.exr"
    files.write(path, Signal(np.random.default_rng(0).normal(size=(40, 30, 3)).astype(np.float16), "image", 0, None, COMMENT))
    whole, rng = path.read_bytes(), np.random.default_rng(1)
    for cut in rng.integers(4, len(whole), 40):
        path.write_bytes(whole[:cut])
        assert told(path)
    for at in [*range(4, 420, 3), *rng.integers(420, len(whole), 60).tolist()]:
        data = bytearray(whole)
        data[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(data)
        told(path)
    assert capfd.readouterr() == ("", "")


def test_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenCV takes its place; where that was not built with OpenEXR, a line says what is missing."""
    monkeypatch.setattr(exr, "find_spec", lambda name: None)
    path = tmp_path / "x.exr"
    signal = Signal(np.random.default_rng(0).normal(size=(20, 9, 3)).astype(np.float16), "image", 0, None, COMMENT)
    if opencv.has_exr():
        files.write(path, signal)
        assert files.read(path).equals(signal)
        with pytest.raises(MissingError, match="which OpenCV does not take, needs OpenEXR"):
            files.write(path, Signal(np.zeros((3, 4, 5), np.float32), "image"))
    monkeypatch.setattr(opencv, "has_exr", lambda: False)
    with pytest.raises(MissingError, match="which OpenCV was not built with here, needs OpenEXR; install with: pip install OpenEXR"):
        files.write(tmp_path / "y.exr", signal)
    assert not (tmp_path / "y.exr").exists()


# --- PFM ------------------------------------------------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(
    st.integers(0, 99), st.integers(1, 6), st.integers(1, 6), st.booleans(), st.sampled_from(["-1.0", "1.0", "-1", "2.5", "-1e-3", "+3."])
)
def test_pfm(tmp_path_factory: pytest.TempPathFactory, seed: int, h: int, w: int, colour: bool, scale: str) -> None:
    path = tmp_path_factory.mktemp("p") / "x.pfm"
    x = of_bits(seed, (h, w, 3) if colour else (h, w), "<f4" if scale[0] == "-" else ">f4")
    gap = "\n" if seed % 2 else "  "
    data = f"P{'F' if colour else 'f'}\n{w}{gap}{h}\n{scale}\n".encode() + x[::-1].tobytes()
    path.write_bytes(data)
    signal = through(path)
    assert path.with_name("again.pfm").read_bytes() == data
    assert np.array_equal(signal.samples.view(np.uint32), x.view(x.dtype.str.replace("f", "u")))


def test_pfm_of_opencv(tmp_path: Path) -> None:
    import cv2

    x = np.random.default_rng(0).normal(size=(5, 6, 3)).astype(np.float32)
    cv2.imwrite(str(tmp_path / "x.pfm"), x)
    assert np.array_equal(files.read(tmp_path / "x.pfm").samples, x[:, :, ::-1])
    files.write(tmp_path / "y.pfm", Signal(x, "image"))
    found = cv2.imread(str(tmp_path / "y.pfm"), cv2.IMREAD_UNCHANGED)
    assert found is not None
    assert np.array_equal(found, x[:, :, ::-1])


def test_faults_of_pfm(tmp_path: Path) -> None:
    path = tmp_path / "x.pfm"
    for data, match in (
        (b"Pf\n2 2\n-1.0\n" + bytes(15), "ends after 15 of 16 bytes"),
        (b"Pf\n2 2\n-1.0\n" + bytes(17), "more follows"),
        (b"Pf\n2 2\n0.0\n" + bytes(16), "scale 0.0"),
        (b"Pf\n2 2\n1.0.0\n" + bytes(16), "scale 1.0.0"),
        (b"Pf\n0 2\n1.0\n", "0 × 2 pixels"),
        (b"Pf\n2 2\n" + bytes(16), "damaged PFM header"),
        (b"PF\n99999 99999\n1.0\n", "the limit is"),
    ):
        path.write_bytes(data)
        refused(path, match)
    for signal, match in (
        (Signal(np.zeros((2, 3, 4), np.float32), "image"), "not 4 channels of float32"),
        (Signal(np.zeros((2, 3), np.float16), "image"), "not 1 channels of float16"),
        (Signal(np.zeros((2, 2, 3), np.float32), "stack"), "a stack of 2"),
    ):
        with pytest.raises(UnsupportedError, match=match):
            files.write(tmp_path / "y.pfm", signal)
    odd = Signal(np.zeros((2, 3), np.float32), "image", 0, None, {"pfm/scale": b"nan", "pfm/header": b"Pf\n9 9\n1.0\n"})
    files.write(tmp_path / "y.pfm", odd)
    assert files.lost(tmp_path / "y.pfm", odd) == {"pfm/scale", "pfm/header"}
