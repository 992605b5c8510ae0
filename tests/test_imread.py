"""`inrcodec.imread` and `inrcodec.imwrite`, beside OpenCV's functions of these names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import inrcodec
from inrcodec import files

SHAPES = [(9, 12), (9, 12, 1), (9, 12, 2), (9, 12, 3), (9, 12, 4), (3, 9, 12), (3, 9, 12, 3), (3, 9, 12, 4), (3, 9, 12, 7)]
SWAPPED = {3: [2, 1, 0], 4: [2, 1, 0, 3]}
Samples = npt.NDArray[Any]


def random(shape: tuple[int, ...], dtype: str = "u1", seed: int = 0) -> Samples:
    return np.random.default_rng(seed).integers(0, 2 if dtype == "?" else 127, shape).astype(dtype)


def same(found: Samples, wanted: Samples) -> bool:
    return (found.dtype, found.shape, found.tobytes()) == (wanted.dtype, wanted.shape, wanted.tobytes())


@settings(max_examples=40)
@given(st.sampled_from(SHAPES), st.sampled_from(["?", "u1", "<u2", ">u2", "i2", "f4", "f8"]), st.sampled_from(["rgb", "bgr"]))
def test_samples_come_back(tmp_path_factory: pytest.TempPathFactory, shape: tuple[int, ...], dtype: str, order: Any) -> None:
    path, samples = tmp_path_factory.mktemp("a") / "a.linr", random(shape, dtype)
    inrcodec.imwrite(path, samples, order=order, profile="stored")
    assert same(inrcodec.imread(path, order=order), samples)
    signal = inrcodec.decode(path.read_bytes())
    assert signal.kind == ("stack" if shape[0] == 3 else "image")
    colours = signal.channel_axis and shape[-1] in SWAPPED and order == "bgr"
    assert same(signal.samples, samples[..., SWAPPED[shape[-1]]] if colours else samples)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_as_opencv(channels: int, dtype: str, tmp_path: Path) -> None:
    samples = random((20, 30, channels)[: 2 if channels == 1 else 3], dtype)
    cv2.imwrite(str(tmp_path / "a.png"), samples)
    inrcodec.imwrite(tmp_path / "a.linr", samples, order="bgr", effort=1)
    for name in ("a.png", "a.linr"):
        found = inrcodec.imread(tmp_path / name, order="bgr")
        assert same(found, samples)
        assert found.flags.c_contiguous
        assert found.flags.writeable
    inrcodec.imwrite(str(tmp_path / "b.png"), samples, order="bgr")
    assert same(np.asarray(cv2.imread(str(tmp_path / "b.png"), cv2.IMREAD_UNCHANGED)), samples)


def test_inks_are_not_turned(tmp_path: Path) -> None:
    samples = random((9, 12, 4))
    inrcodec.imwrite(tmp_path / "a.linr", samples, metadata={"tiff/photometric": b"5"})
    assert same(inrcodec.imread(tmp_path / "a.linr", order="bgr"), samples)


def test_regions(tmp_path: Path) -> None:
    path, samples = tmp_path / "a.linr", random((40, 50, 3))
    inrcodec.imwrite(path, samples, profile="hybrid", tile=16, effort=1)
    assert same(inrcodec.imread(path, order="bgr", region=(3, 4, 5, 6)), np.ascontiguousarray(samples[4:10, 3:8, ::-1]))
    with pytest.raises(inrcodec.UnsupportedError, match=r"a\.linr: the region does not lie inside"):
        inrcodec.imread(path, region=(0, 0, 51, 1))
    with pytest.raises(TypeError, match="region"):
        inrcodec.imread(path, region=(0, 0, 1))  # type: ignore[arg-type]
    files.write(tmp_path / "a.png", inrcodec.Signal(samples, "image"))
    with pytest.raises(inrcodec.UnsupportedError, match=r"a\.png: a region"):
        inrcodec.imread(tmp_path / "a.png", region=(0, 0, 1, 1))


def test_depth_and_metadata_are_kept(tmp_path: Path) -> None:
    for name in ("a.linr", "a.png"):
        inrcodec.imwrite(tmp_path / name, random((9, 12)) % 16, bit_depth=4, metadata={"icc": b"profile"})
    signal = inrcodec.decode((tmp_path / "a.linr").read_bytes())
    assert signal.equals(files.read(tmp_path / "a.png"))


def test_bfloat16_is_bfloat16(tmp_path: Path) -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    samples = random((9, 12)).astype(ml_dtypes.bfloat16)
    inrcodec.imwrite(tmp_path / "a.linr", samples)
    assert same(inrcodec.imread(tmp_path / "a.linr"), samples)


def test_options_that_did_nothing_are_told(tmp_path: Path) -> None:
    with pytest.warns(inrcodec.Notice, match="without effect: seed"):
        inrcodec.imwrite(tmp_path / "a.linr", random((9, 12)), seed=3)


# --- what is refused --------------------------------------------------------------------------------------------------


def test_what_is_no_picture(tmp_path: Path) -> None:
    path = tmp_path / "a.linr"
    path.write_bytes(inrcodec.encode(np.zeros((100, 2), np.int16), kind="audio", sample_rate=8000))
    with pytest.raises(inrcodec.UnsupportedError, match=r"a\.linr: it holds an audio, not a picture"):
        inrcodec.imread(path)
    np.save(tmp_path / "a.npy", np.zeros((3, 3)))
    with pytest.raises(inrcodec.UnsupportedError, match=r"a\.npy: it holds an array, not a picture"):
        inrcodec.imread(tmp_path / "a.npy")
    with pytest.raises(inrcodec.UnsupportedError, match="not that of a stack"):
        inrcodec.imwrite(path, np.zeros(5, np.uint8))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        inrcodec.imread(tmp_path / "no.linr")
    (tmp_path / "a.linr").write_bytes(b"no such file")
    with pytest.raises(inrcodec.FormatError, match=r"a\.linr: not a \.linr file"):
        inrcodec.imread(tmp_path / "a.linr")
    (tmp_path / "a.linr").write_bytes(b"")
    with pytest.raises(inrcodec.FormatError, match=r"a\.linr: .*empty"):
        inrcodec.imread(tmp_path / "a.linr")
    (tmp_path / "a.xyz").write_bytes(b"no such file")
    with pytest.raises(inrcodec.UnsupportedError, match=r"a\.xyz: "):
        inrcodec.imread(tmp_path / "a.xyz")
    inrcodec.imwrite(tmp_path / "a.linr", random((40, 50)), effort=1)
    with pytest.raises(inrcodec.LimitError, match="max_samples"):
        inrcodec.imread(tmp_path / "a.linr", max_samples=1999)
    with pytest.raises(ValueError, match="order is 'grb'"):
        inrcodec.imread(tmp_path / "a.linr", order="grb")  # type: ignore[arg-type]


def test_a_cut_file(tmp_path: Path) -> None:
    path = tmp_path / "a.linr"
    inrcodec.imwrite(path, random((6, 7)), profile="stored", compact=False)
    data = path.read_bytes()
    for at in range(len(data)):
        path.write_bytes(data[:at])
        with pytest.raises(inrcodec.FormatError, match=r"a\.linr: "):
            inrcodec.imread(path)


def test_nothing_is_lost_by_a_write_that_fails(tmp_path: Path) -> None:
    for name in ("a.linr", "a.png"):
        inrcodec.imwrite(tmp_path / name, random((9, 12)))
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(TypeError, match="quality"):
        inrcodec.imwrite(tmp_path / "a.linr", random((9, 12)), quality=3)
    with pytest.raises(ValueError, match="effort"):
        inrcodec.imwrite(tmp_path / "a.linr", random((9, 12)), effort=0)
    with pytest.raises(TypeError, match=r"effort: for \.linr files only"):
        inrcodec.imwrite(tmp_path / "a.png", random((9, 12)), effort=1)
    with pytest.raises(inrcodec.UnsupportedError, match=r"/a\.png: PNG cannot hold"):
        inrcodec.imwrite(tmp_path / "a.png", random((9, 12), "f4"))
    with pytest.raises(inrcodec.UnsupportedError, match=r"a\.jpg: files named \.jpg"):
        inrcodec.imwrite(tmp_path / "a.jpg", random((9, 12)))
    with pytest.raises(inrcodec.InrcodecError, match="no directory"):
        inrcodec.imwrite(tmp_path / "no" / "a.linr", random((9, 12)))
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
