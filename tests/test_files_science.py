"""NIfTI, FITS, DICOM files and folders: byte for byte, and what is refused, by name."""

from __future__ import annotations

import gzip
import io
import os
import struct
import subprocess
import sys
import warnings
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import inrcodec
from bench.fuzz.science_seeds import coloured, dicom, nifti, volume
from inrcodec import FormatError, InrcodecError, LimitError, Notice, Signal, UnsupportedError, files, storage
from inrcodec.cli import main
from inrcodec.files import fits, hollow, series
from inrcodec.limits import Limits

from .support import through

many = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
INTEGERS = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8"]
SHAPES = st.lists(st.integers(1, 5), min_size=1, max_size=7).map(tuple)
Samples = npt.NDArray[Any]


def same_bits(a: Samples, b: Samples) -> bool:
    """Whether two arrays have the same type, shape and bits, but for the byte order."""
    little = [x.byteswap().view(x.dtype.newbyteorder("<")) if x.dtype.str[0] == ">" else x for x in (a, b)]
    return little[0].dtype == little[1].dtype and a.shape == b.shape and little[0].tobytes() == little[1].tobytes()


def refused(path: Path, says: str, kind: type[Exception] = UnsupportedError) -> None:
    with pytest.raises(kind, match=says) as caught:
        files.read(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


def test_shapes_of_at_most_four_axes() -> None:
    for stored, wanted in (
        ((5,), (5,)),
        ((1, 1, 3, 1), (3, 1)),
        ((1, 1), (1,)),
        ((1, 2, 3, 4, 5), (2, 3, 4, 5)),
        ((2, 1, 3, 4, 5), (2, 3, 4, 5)),
        ((2, 2, 3, 4, 5), (4, 3, 4, 5)),
        ((2, 3, 4, 5, 6, 7), (24, 5, 6, 7)),
    ):
        assert hollow.squeezed(stored) == wanted


# --- NIfTI ----------------------------------------------------------------------------------------------------------


@many
@given(st.data())
def test_nifti_comes_back(tmp_path: Path, data: st.DataObject) -> None:
    pytest.importorskip("nibabel")
    shape, kind = data.draw(SHAPES), data.draw(st.sampled_from([*INTEGERS, "f4", "f8"]))
    version, big = data.draw(st.sampled_from([1, 2])), data.draw(st.booleans())
    dtype = np.dtype((">" if big else "<") + kind)
    content = nifti(volume(kind, shape).astype(dtype), version, big, data.draw(st.binary(max_size=30)), data.draw(st.binary(max_size=9)))
    form, at = ("f", 108) if version == 1 else ("q", 168)
    start = int(struct.unpack_from((">" if big else "<") + form, content, at)[0])
    size = int(np.prod(shape)) * dtype.itemsize
    raw = data.draw(st.binary(min_size=size, max_size=size))  # NaNs with payloads among them
    signal = through(tmp_path / "x.nii", content[:start] + raw + content[start + size :])
    assert same_bits(signal.samples, np.frombuffer(raw, dtype).reshape(hollow.squeezed(shape)))
    assert inrcodec.decode(inrcodec.encode(signal, profile="stored")).equals(signal)
    assert inrcodec.info(inrcodec.encode(signal, profile="stored"))["format"] == "NIfTI"


def test_nifti_of_colours(tmp_path: Path) -> None:
    pytest.importorskip("nibabel")
    for shape, wanted in (((4, 5, 3), (4, 5, 3)), ((2, 4, 5, 4), (2, 4, 5, 4)), ((2, 3, 4, 5, 3), (6, 4, 5, 3)), ((1, 1, 5, 3), (5, 3))):
        samples = volume("u1", shape)
        signal = through(tmp_path / "x.nii", coloured(samples))
        assert same_bits(signal.samples, samples.reshape(wanted))


def test_nifti_is_written_of_other_signals(tmp_path: Path) -> None:
    nibabel = pytest.importorskip("nibabel")
    for samples in (volume("i2"), volume(">f4", (7, 3)), volume("u1", (5, 6, 3)), volume("i8", (40_000,)), volume("u1", (2, 5, 6, 3))):
        files.write(tmp_path / "x.nii", Signal(samples))
        found = files.read(tmp_path / "x.nii")
        assert same_bits(found.samples, samples)
        assert not found.metadata
        theirs = np.asanyarray(nibabel.load(tmp_path / "x.nii").dataobj)
        assert theirs.shape[:2] == samples.shape[:-3:-1] or theirs.dtype.names
    for samples, says in (
        (volume("f2"), "cannot hold samples of type float16"),
        (volume("?"), "cannot hold samples of type bool"),
        (volume("u1", (1, 5, 6)), r"cannot hold samples of type uint8 and shape \(1, 5, 6\) as they are; .npy can"),
    ):
        with pytest.raises(UnsupportedError, match=says):
            files.write(tmp_path / "y.nii", Signal(samples))
        assert not (tmp_path / "y.nii").exists()


def test_a_kept_header_is_taken_only_for_what_it_says(tmp_path: Path) -> None:
    pytest.importorskip("nibabel")
    signal = through(tmp_path / "x.nii", nifti(volume("<i2"), comment=b"kept"))
    for other in (signal.samples[:2], signal.samples.astype("i4"), signal.samples.astype("u2")):
        files.write(tmp_path / "y.nii", replace(signal, samples=other, bit_depth=0))
        found = files.read(tmp_path / "y.nii")
        assert same_bits(found.samples, other)
        assert not found.metadata
    changed = replace(signal, samples=signal.samples + np.int16(1))
    files.write(tmp_path / "y.nii", changed)
    assert files.read(tmp_path / "y.nii").equals(changed)
    for head in (b"", b"x" * 400, signal.metadata["nifti/head"][:-1]):
        files.write(tmp_path / "y.nii", replace(signal, metadata={"nifti/head": head}))
        assert not files.read(tmp_path / "y.nii").metadata


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        (344, b"ni1\0", "NIfTI of a pair of files, .hdr and .img, is not supported; convert it to .nii first"),
        (344, b"\0\0\0\0", "Analyze 7.5 of a pair of files"),
        (344, b"nope", "not a NIfTI file"),
        (70, struct.pack("<H", 1), "NIfTI of single bits is not supported"),
        (70, struct.pack("<H", 32), "complex samples .* are not supported; save real and imaginary part"),
        (70, struct.pack("<H", 1536), "samples of type .* are not supported; integers and floats of up to 64"),
        (70, struct.pack("<H", 99), "unknown type 99"),
        (42, struct.pack("<h", -2), "an axis is negative"),
        (42, struct.pack("<h", 0), "there are no samples in it"),
        (42, struct.pack("<h", 32000), "truncated: 216 of 768000 bytes of samples are there"),
        (108, struct.pack("<f", 100), "the samples begin at byte 100, in the header"),
    ],
)
def test_nifti_that_is_refused(tmp_path: Path, field: int, value: bytes, says: str) -> None:
    pytest.importorskip("nibabel")
    data = nifti(volume("u1"))
    path = tmp_path / "x.nii"
    path.write_bytes(data[:field] + value + data[field + len(value) :])
    refused(path, says, InrcodecError)
    for name in ("x.hdr", "x.img"):
        (tmp_path / name).write_bytes(bytes(400))
        refused(tmp_path / name, "is one of a pair of files, .hdr and .img, which is not supported; convert it to .nii first")


def test_limits_hold_for_volumes(tmp_path: Path) -> None:
    pytest.importorskip("nibabel")
    path = tmp_path / "x.nii"
    path.write_bytes(nifti(volume("<i2", (30, 40, 50))))
    packed = tmp_path / "x.nii.gz"
    packed.write_bytes(gzip.compress(nifti(np.zeros((200, 200, 200), np.int16))))
    assert packed.stat().st_size < 40_000
    for limits in (Limits(1000, 1 << 30), Limits(1 << 30, 100_000)):
        for each in (path, packed):
            with pytest.raises(LimitError):
                files.read(each, limits)


# --- gzip -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", range(1, 10))
def test_gzip_comes_back(tmp_path: Path, level: int) -> None:
    pytest.importorskip("nibabel")
    inside = nifti(np.random.default_rng(0).integers(0, 50, (20, 30, 40)).astype("<i2").cumsum(2) % 300)
    out = io.BytesIO()
    with gzip.GzipFile("brain.nii", "wb", level, out, 1_600_000_000) as file:
        file.write(inside)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        signal = through(tmp_path / "x.nii.gz", out.getvalue())
    assert b"brain.nii" in signal.metadata["gzip/head"]
    assert inrcodec.decode(inrcodec.encode(signal, profile="stored")).equals(signal)


def test_gzip_of_others_comes_back_inside(tmp_path: Path) -> None:
    pytest.importorskip("nibabel")
    inside = nifti(volume("<i2"))
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    flushed = packer.compress(inside[:400]) + packer.flush(zlib.Z_SYNC_FLUSH) + packer.compress(inside[400:]) + packer.flush()
    path = tmp_path / "x.nii.gz"
    for data in (flushed, gzip.compress(inside[:300]) + gzip.compress(inside[300:]), gzip.compress(inside) + bytes(10)):
        path.write_bytes(data)
        with pytest.warns(Notice, match="what is inside comes back byte for byte, the gzip file itself does not"):
            signal = files.read(path)
        files.write(tmp_path / "y.nii.gz", signal)
        assert gzip.decompress((tmp_path / "y.nii.gz").read_bytes()) == inside


def test_gzip_that_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("nibabel")
    path, good = tmp_path / "x.nii.gz", gzip.compress(nifti(volume("<i2")))
    for data, says in (
        (good[:-1], "the checksum of its gzip data does not match"),
        (good[:-5] + b"\1" + good[-4:], "the checksum of its gzip data does not match"),
        (good[:60], "truncated: its gzip data end early"),
        (good[:8], "no header of gzip"),
        (good[:3] + b"\x08" + good[4:10] + b"x" * 20, "a name in the header of gzip has no end"),
        (good[:3] + b"\4" + good[4:10] + b"\xff\xff", "it ends within the header of gzip"),
        (good + b"more", "4 bytes follow the end of the gzip data"),
        (good[:10] + b"\xff" * 40, "cannot be unpacked"),
    ):
        path.write_bytes(data)
        refused(path, says, FormatError)
    path.write_bytes(gzip.compress(b"Dear reader,"))
    refused(path, "gzip of NIfTI and FITS is supported, and it holds something else; unpack it first")
    assert files.registry.stem(Path("a/brain.nii.gz")) == Path("a/brain")
    assert files.registry.stem(Path("a/b.c.png")) == Path("a/b.c")


def test_gzip_is_written_of_other_signals(tmp_path: Path) -> None:
    pytest.importorskip("nibabel")
    samples = volume("<i2")
    for name in ("x.nii.gz", "x.fits.gz", "x.FIT.GZ"):
        files.write(tmp_path / name, Signal(samples, metadata={"gzip/head": b"nonsense", "gzip/level": b"99"}))
        found = files.read(tmp_path / name)
        assert same_bits(found.samples, samples)
        assert not found.metadata


# --- FITS -----------------------------------------------------------------------------------------------------------


def fits_of(*units: Any, **options: Any) -> bytes:
    library = pytest.importorskip("astropy.io.fits")
    out = io.BytesIO()
    library.HDUList(list(units)).writeto(out, **options)
    return out.getvalue()


@many
@given(st.data())
def test_fits_comes_back(tmp_path: Path, data: st.DataObject) -> None:
    library = pytest.importorskip("astropy.io.fits")
    shape, kind = data.draw(SHAPES), data.draw(st.sampled_from(["u1", ">i2", ">i4", ">i8", ">f4", ">f8"]))
    size = int(np.prod(shape)) * np.dtype(kind).itemsize
    raw = data.draw(st.binary(min_size=size, max_size=size))
    samples = np.frombuffer(raw, kind).reshape(shape)
    extension = data.draw(st.booleans())
    table = library.BinTableHDU.from_columns([library.Column("a", "J", array=np.arange(3))])
    units = [library.PrimaryHDU(), table, library.ImageHDU(samples)] if extension else [library.PrimaryHDU(samples)]
    units[-1].header["OBSERVER"] = "E. Hubble"
    content = fits_of(*units)
    at = content.rindex(raw) if raw else 0
    assert content[at : at + size] == raw
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Notice)
        signal = through(tmp_path / "x.fits", content + data.draw(st.sampled_from([b"", b"\0", b"after the end"])))
    assert same_bits(signal.samples, samples.reshape(hollow.squeezed(shape)))
    assert inrcodec.decode(inrcodec.encode(signal, profile="stored")).equals(signal)


def test_fits_stores_what_is_scaled_as_it_is(tmp_path: Path) -> None:
    library = pytest.importorskip("astropy.io.fits")
    samples = np.arange(60, dtype=np.uint16).reshape(3, 20)
    signal = through(tmp_path / "x.fits", fits_of(library.PrimaryHDU(samples), checksum=True))
    assert same_bits(signal.samples, (samples.astype(np.int32) - 32768).astype("<i2"))
    assert b"BZERO" in signal.metadata["fits/head"]


def test_the_largest_image_is_the_signal(tmp_path: Path) -> None:
    library = pytest.importorskip("astropy.io.fits")
    small, large = volume("f4", (30, 20)), volume("i2", (50, 60))
    with pytest.warns(Notice, match=r"x.fits: only its largest image is coded as samples; 1 other unit, 2880 of \d+ bytes, is kept"):
        signal = through(tmp_path / "x.fits", fits_of(library.PrimaryHDU(small), library.ImageHDU(large)))
    assert same_bits(signal.samples, large)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        signal = through(tmp_path / "x.fits", fits_of(library.PrimaryHDU(volume("f4", (2, 2))), library.ImageHDU(volume("f8", (99, 99)))))
    assert signal.samples.shape == (99, 99)


def test_fits_is_written_of_other_signals(tmp_path: Path) -> None:
    library = pytest.importorskip("astropy.io.fits")
    for samples in (volume("u1"), volume("<i2", (7,)), volume(">f8", (2, 3, 4, 5))):
        files.write(tmp_path / "x.fits", Signal(samples))
        found = files.read(tmp_path / "x.fits")
        assert same_bits(found.samples, samples)
        assert not found.metadata
        with library.open(tmp_path / "x.fits") as units:
            units.verify("exception")
            assert (units[0].data == samples).all()
    for kind in ("u2", "i1", "f2", "?"):
        with pytest.raises(UnsupportedError, match=r".fits cannot hold samples of type"):
            files.write(tmp_path / "y.fits", Signal(volume(kind)))


def card(name: str, value: object) -> bytes:
    return f"{name:<8}= {value!s:>20}".encode().ljust(80)


@pytest.mark.parametrize(
    ("cards", "says"),
    [
        ([("BITPIX", 8), ("NAXIS", 0)], "there is no image in it; tables alone are not supported"),
        ([("BITPIX", 8), ("NAXIS", 1), ("NAXIS1", 0), ("GROUPS", "T"), ("PCOUNT", 2), ("GCOUNT", 1)], "random groups are not supported"),
        ([("BITPIX", 8), ("NAXIS", 1 << 40)], "has BITPIX 8 and NAXIS 1099511627776"),
        ([("BITPIX", 7), ("NAXIS", 1), ("NAXIS1", 4)], "has BITPIX 7"),
        ([("BITPIX", 8), ("NAXIS", 1)], "has no NAXIS1, or none that is a number"),
        ([("BITPIX", 8), ("NAXIS", 1), ("NAXIS1", "4.0")], "has no NAXIS1, or none that is a number"),
        ([("BITPIX", 8), ("NAXIS", 1), ("NAXIS1", -4)], "has a size below 0"),
        ([("BITPIX", 8), ("NAXIS", 1), ("NAXIS1", 1 << 60)], "truncated: 0 of 1152921504606846976 bytes of samples are there"),
        ([("NAXIS", 0)], "has no BITPIX, or none that is a number"),
    ],
)
def test_fits_that_is_refused(tmp_path: Path, cards: list[tuple[str, object]], says: str) -> None:
    path = tmp_path / "x.fits"
    header = b"".join(card(name, value) for name, value in [("SIMPLE", "T"), *cards])
    path.write_bytes((header + b"END".ljust(80)).ljust(2880))
    refused(path, says, InrcodecError)
    path.write_bytes(header.ljust(2880))
    refused(path, "a header has no end", FormatError)


def test_packed_and_tabled_fits_is_refused(tmp_path: Path) -> None:
    library = pytest.importorskip("astropy.io.fits")
    path = tmp_path / "x.fits"
    path.write_bytes(fits_of(library.PrimaryHDU(), library.CompImageHDU(volume("f4", (30, 40)))))
    refused(path, "its image is compressed; unpack it first, as with funpack")
    path.write_bytes(fits_of(library.PrimaryHDU(), library.BinTableHDU.from_columns([library.Column("a", "J", array=[1])])))
    refused(path, "there is no image in it")
    assert fits._units(path.read_bytes())[1].end == path.stat().st_size


# --- DICOM ----------------------------------------------------------------------------------------------------------


@many
@given(st.data())
def test_dicom_comes_back(tmp_path: Path, data: st.DataObject) -> None:
    pytest.importorskip("pydicom")
    rows, columns, colours = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 6)), data.draw(st.booleans())
    kind = data.draw(st.sampled_from(["u1"] if colours else INTEGERS[:6]))
    shape = (rows, columns, 3) if colours else (rows, columns)
    size = int(np.prod(shape)) * np.dtype(kind).itemsize
    samples = np.frombuffer(data.draw(st.binary(min_size=size, max_size=size)), kind).reshape(shape)
    big = np.dtype(kind).itemsize > 1 and data.draw(st.booleans())
    signal = through(tmp_path / "x.dcm", dicom(samples, big=big, implicit=not big and data.draw(st.booleans())))
    assert same_bits(signal.samples, samples)
    assert signal.kind == ("image" if kind[0] == "u" else "array")
    assert inrcodec.decode(inrcodec.encode(signal, profile="stored")).equals(signal)
    assert inrcodec.info(inrcodec.encode(signal, profile="stored"))["format"] == "DICOM"


def test_dicom_of_other_layouts(tmp_path: Path) -> None:
    pydicom = pytest.importorskip("pydicom")
    path = tmp_path / "x.dcm"
    assert through(path, dicom(volume("<u2", (7, 9)), BitsStored=12, HighBit=11)).bit_depth == 12
    assert through(path, dicom(volume("<u2", (7, 9)) + np.uint16(5000), BitsStored=12, HighBit=11)).bit_depth == 16
    planes = volume("u1", (3, 4, 5))
    found = through(path, dicom(planes.reshape(4, 5, 3), PlanarConfiguration=1))
    assert same_bits(found.samples, np.ascontiguousarray(np.moveaxis(planes, 0, -1)))
    frames = through(path, dicom(volume("<u2", (6, 4)), Rows=3, NumberOfFrames=2))
    assert (frames.kind, frames.samples.shape) == ("array", (2, 3, 4))
    mask = np.random.default_rng(0).integers(0, 2, 35).astype(bool)
    packed = np.packbits(mask, bitorder="little")
    data = dicom(packed[None], Rows=5, Columns=7, BitsAllocated=1, BitsStored=1, HighBit=0)
    assert through(path, data).samples.reshape(-1).tolist() == mask.tolist()
    at = data.rindex(packed.tobytes())
    path.write_bytes(data[: at + 4] + bytes([data[at + 4] | 128]) + data[at + 5 :])
    refused(path, "bits are set behind the last sample")
    dataset = pydicom.dcmread(io.BytesIO(dicom(volume("<u2", (2, 3)))))
    del dataset.PixelData, dataset.BitsAllocated
    dataset.FloatPixelData = volume("<f4", (2, 3)).tobytes()
    out = io.BytesIO()
    dataset.save_as(out)
    assert through(path, out.getvalue()).samples.dtype == np.float32


@pytest.mark.parametrize(
    ("elements", "says"),
    [
        ({"BitsAllocated": 12}, "pixels of 12 bits allocated are not supported; 1, 8, 16, 32, 64 bits are"),
        ({"Rows": 0}, "0 × 9 pixels"),
        ({"Rows": 900}, "126 bytes of pixels for 16200"),
        ({"SamplesPerPixel": 2}, "with 2 samples"),
        ({"SamplesPerPixel": 3, "PhotometricInterpretation": "YBR_FULL_422"}, "YBR_FULL_422, which share their colours"),
        ({"NumberOfFrames": 0}, "0 frames"),
    ],
)
def test_dicom_that_is_refused(tmp_path: Path, elements: dict[str, Any], says: str) -> None:
    pytest.importorskip("pydicom")
    path = tmp_path / "x.dcm"
    path.write_bytes(dicom(volume("<u2", (7, 9)), **elements))
    refused(path, says, InrcodecError)


def test_compressed_dicom_is_refused_by_name(tmp_path: Path) -> None:
    pydicom = pytest.importorskip("pydicom")
    path = tmp_path / "x.dcm"
    dataset = pydicom.dcmread(io.BytesIO(dicom(volume("<u2", (7, 9)))))
    dataset.compress(pydicom.uid.RLELossless, generate_instance_uid=False)
    dataset.save_as(path)
    refused(
        path, r"its pixels are compressed \(RLE Lossless\), and the same bytes would not come back; decompress it first, as with gdcmconv"
    )
    dataset = pydicom.dcmread(io.BytesIO(dicom(volume("<u2", (7, 9)))))
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
    dataset.save_as(path)
    refused(path, "deflated DICOM is not supported; decompress it first")
    data = dicom(volume("<u2", (7, 9)))
    path.write_bytes(data.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.99999.1.2.1\0"))
    refused(path, "its pixels are compressed")
    dataset = pydicom.dcmread(io.BytesIO(data))
    del dataset.PixelData
    dataset.save_as(path)
    refused(path, "there are no pixels in it")
    path.write_bytes(data[:-3])
    refused(path, "truncated: 123 of 126 bytes of samples are there", FormatError)
    path.write_bytes(data[132:])
    refused(path, "not a DICOM file", FormatError)


def test_dicom_is_not_made_of_other_signals(tmp_path: Path) -> None:
    pytest.importorskip("pydicom")
    signal = through(tmp_path / "x.dcm", dicom(volume("<u2", (7, 9))))
    narrow = replace(signal, samples=signal.samples.astype("u1"), bit_depth=8)
    for other in (Signal(volume("<u2", (7, 9)), "image"), replace(signal, samples=signal.samples[1:]), narrow):
        with pytest.raises(UnsupportedError, match=r"not those of one DICOM file|only with the elements of one that was read"):
            files.write(tmp_path / "y.dcm", other)
    files.write(tmp_path / "y.png", signal)
    assert same_bits(files.read(tmp_path / "y.png").samples, signal.samples)


# --- a folder -------------------------------------------------------------------------------------------------------


def slices(folder: Path, count: int = 5, **elements: Any) -> Samples:
    """A folder of files; the volume in the order of their positions, which is not that of their names."""
    folder.mkdir()
    whole = volume("<i2", (count, 6, 9), seed=count)
    for i, plane in enumerate(whole):
        about: dict[str, Any] = {
            "ImagePositionPatient": [0, 0, 1.5 * i],
            "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
            "InstanceNumber": count - i,
        }
        (folder / f"IM{3 * i % count:03}").write_bytes(dicom(plane, **about, **elements))
    return whole


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_folder_comes_back(tmp_path: Path) -> None:
    pytest.importorskip("pydicom")
    whole = slices(tmp_path / "in")
    signal = files.read(tmp_path / "in")
    assert same_bits(signal.samples, whole)
    assert series.names(signal.metadata) == ["IM000", "IM003", "IM001", "IM004", "IM002"]
    decoded = inrcodec.decode(inrcodec.encode(signal, profile="stored"))
    (tmp_path / "out").mkdir()
    files.write(tmp_path / "out", decoded)
    assert contents(tmp_path / "out") == contents(tmp_path / "in")


def test_the_order_without_positions(tmp_path: Path) -> None:
    pydicom = pytest.importorskip("pydicom")
    whole = slices(tmp_path / "in")
    for name in contents(tmp_path / "in"):
        dataset = pydicom.dcmread(tmp_path / "in" / name)
        del dataset.ImagePositionPatient
        dataset.save_as(tmp_path / "in" / name)
    assert same_bits(files.read(tmp_path / "in").samples, whole[::-1])
    for name in contents(tmp_path / "in"):
        dataset = pydicom.dcmread(tmp_path / "in" / name)
        dataset.InstanceNumber = None
        dataset.save_as(tmp_path / "in" / name)
    assert series.names(files.read(tmp_path / "in").metadata) == [f"IM{i:03}" for i in range(5)]


def test_folders_that_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("pydicom")
    folder = tmp_path / "in"
    slices(folder)
    other = volume("<i2", (6, 9))
    for content, says in (
        (dicom(volume("<i2", (6, 8))), r"in/odd: has pixels of shape and type \(6, 8\) int16, and .*IM000 has \(6, 9\) int16"),
        (dicom(volume("<u2", (6, 9))), r"in/odd: has pixels of shape and type \(6, 9\) uint16"),
        (dicom(other, SeriesInstanceUID="1.2.4"), "in/odd: is of another series than .*IM000"),
        (dicom(volume("<i2", (12, 9)), Rows=6, NumberOfFrames=2), "in/odd: has 2 frames; files of a series have one each"),
        (b"notes", "in/odd: is no DICOM file; a folder must hold the DICOM files of one series, and nothing else"),
        (None, "in/odd: is no regular file"),
    ):
        odd = folder / "odd"
        if content is None:
            odd.unlink()
            odd.mkdir()
        else:
            odd.write_bytes(content)
        refused(folder, says)
    odd.rmdir()
    (folder / ".hidden").write_bytes(b"x")
    with pytest.warns(Notice, match=r"in: passed over: \.hidden"):
        files.read(folder)
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", "there are no DICOM files in this folder", InrcodecError)
    with pytest.raises(LimitError):
        files.read(folder, Limits(100, 1 << 30))


def test_only_what_was_read_is_written_to_a_folder(tmp_path: Path) -> None:
    pytest.importorskip("pydicom")
    slices(tmp_path / "in")
    signal = files.read(tmp_path / "in")
    heads = {key: value for key, value in signal.metadata.items() if key.startswith("dicom/head/")}

    def renamed(name: str) -> dict[str, bytes]:
        return {key.replace("IM003", name): value for key, value in heads.items()}

    for other, says in (
        (replace(signal, samples=signal.samples[1:]), "it has 4 slices, and names of 5 files"),
        (replace(signal, samples=signal.samples[:, 1:]), "the slice of IM000 is not what its header says"),
        (replace(signal, metadata={}), "only of a volume that was read from a folder"),
        *((replace(signal, metadata=renamed(name)), "is no name of a file") for name in ("../x", "..", "", "a/b", "a\\b", "C:x", "a\0")),
    ):
        out = tmp_path / "out"
        out.mkdir(exist_ok=True)
        with pytest.raises(UnsupportedError, match=says):
            files.write(out, other)
        assert not (tmp_path / "x").exists()
    with pytest.raises(UnsupportedError, match="a series is decoded to a folder"):
        files.write(tmp_path / "y.dcm", signal)


def test_commands_for_folders(tmp_path: Path) -> None:
    pytest.importorskip("pydicom")
    slices(tmp_path / "in")
    linr = tmp_path / "in.linr"
    assert run("encode", f"{tmp_path / 'in'}/", "--profile", "stored", "--quiet").exit_code == 0
    assert "DICOM" in run("info", linr).stdout
    assert "the same as" in run("verify", linr, tmp_path / "in").stdout
    (tmp_path / "empty").mkdir()
    for name in ("out", "new.folder", "slashed/", "empty"):
        result = run("decode", linr, "-o", f"{tmp_path}/{name}")
        assert (result.exit_code, result.output) == (0, "")
        assert contents(tmp_path / name) == contents(tmp_path / "in")
    assert sorted(os.listdir(tmp_path)) == ["empty", "in", "in.linr", "new.folder", "out", "slashed"]
    for arguments, says in (
        ((linr, "-o", tmp_path / "out"), "exists already; name a new or an empty folder"),
        ((linr, "-o", tmp_path / "nowhere" / "out"), "there is no directory"),
        ((linr, "-o", tmp_path / "x.dcm"), "x.dcm: these samples are not those of one DICOM file"),
    ):
        result = run("decode", *arguments)
        assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
        assert says in result.stderr
    assert run("decode", linr, "-o", tmp_path / "part", "--salvage").exit_code in (0, 2)
    np.save(tmp_path / "x.npy", np.arange(99))
    assert run("encode", tmp_path / "x.npy", "--profile", "stored", "--quiet").exit_code == 0
    result = run("decode", tmp_path / "x.linr", "-o", tmp_path / "y")
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert "files named without an extension are not supported" in result.stderr
    assert run("decode", tmp_path / "x.linr", "-o", f"{tmp_path}/y/").exit_code == 0  # a folder to put it in
    assert os.listdir(tmp_path / "y") == ["x.npy"]
    assert not list(tmp_path.glob(".inrcodec-*"))


def test_commands_for_volumes(tmp_path: Path) -> None:
    pytest.importorskip("nibabel")
    path = tmp_path / "brain.nii.gz"
    path.write_bytes(gzip.compress(nifti(volume("<i2", (9, 9, 9)), comment=b"x"), 9, mtime=0))
    assert run("encode", path, "--profile", "stored", "--quiet").exit_code == 0
    linr = tmp_path / "brain.linr"
    assert run("decode", linr, "-o", tmp_path / "again.nii.gz").output == ""
    assert (tmp_path / "again.nii.gz").read_bytes() == path.read_bytes()
    result = run("decode", linr, "-o", tmp_path / "again.nii")
    assert result.stderr.endswith("this format does not keep exactly: gzip/head, gzip/level\n")
    assert (tmp_path / "again.nii").read_bytes() == gzip.decompress(path.read_bytes())
    assert "NIfTI" in run("info", linr).stdout
    assert "the same as" in run("verify", linr, path).stdout


def test_a_folder_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    def fails(folder: Path) -> None:
        (folder / "a").write_bytes(b"x")
        raise OSError(28, "No space left on device")

    with pytest.raises(InrcodecError, match="out: cannot be written: no space left on device"):
        storage.new_folder(tmp_path / "out", fails)
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(InrcodecError, match="file: exists already"):
        storage.new_folder(tmp_path / "file", lambda _: None)
    left = tmp_path / f".inrcodec-{storage.host()}-0123456789abcdef.folder"
    left.mkdir()
    (left / "a").write_bytes(b"x")
    storage.sweep(tmp_path)
    assert not left.exists()


# --- without the packages -------------------------------------------------------------------------------------------

HIDDEN = """
import sys, importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name in ("nibabel", "pydicom") else find(name, package)
from inrcodec.cli import main
main(sys.argv[1:])
"""


@pytest.mark.parametrize(("name", "package"), [("x.nii", "nibabel"), ("x.dcm", "pydicom")])
def test_a_missing_package_is_named(tmp_path: Path, name: str, package: str) -> None:
    pytest.importorskip(package)
    path = tmp_path / name
    path.write_bytes(nifti(volume("u1")) if package == "nibabel" else dicom(volume("u1", (5, 7))))
    command = [sys.executable, "-c", HIDDEN, "encode", str(path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr.endswith(f" file needs {package}; install with: pip install {package}\n")
    assert len(result.stderr.splitlines()) == 1
