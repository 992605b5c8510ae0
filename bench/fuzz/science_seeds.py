"""Small valid files of the formats of the extra `science`, by nibabel, astropy and pydicom."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[Any]


def volume(dtype: str, shape: tuple[int, ...] = (4, 6, 9), seed: int = 0) -> Samples:
    """A ramp and noise, of any type."""
    noise = np.random.default_rng(seed).integers(0, 5, shape)
    found: Samples = (noise + 3 * np.arange(np.prod(shape)).reshape(shape) % 90).astype(dtype)
    return found


def nifti(samples: Samples, version: int = 1, big: bool = False, comment: bytes = b"", tail: bytes = b"") -> bytes:
    """A NIfTI file. samples: the slowest axis first; comment: of an extension."""
    import nibabel

    kind: Any = nibabel.Nifti1Image if version == 1 else nibabel.Nifti2Image
    header: Any = kind.header_class(endianness=">" if big else "<")
    header.set_data_dtype(samples.dtype)
    image: Any = kind(samples.T, np.diag([2.0, 2, 3, 1]), header)
    image.header["descrip"] = b"a volume"
    if comment:
        image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", comment))
    return bytes(image.to_bytes()) + tail


def coloured(samples: Samples) -> bytes:
    """A NIfTI file of RGB or RGBA, the colours last."""
    import nibabel

    names = "RGBA"[: samples.shape[-1]]
    header: Any = nibabel.Nifti1Header()  # type: ignore[no-untyped-call]
    header.set_data_dtype(np.dtype([(name, "u1") for name in names]))
    header.set_data_shape(samples.shape[-2::-1])
    header["vox_offset"] = 352
    return bytes(header.binaryblock) + bytes(4) + samples.astype("u1").tobytes()


def niftis() -> Iterator[bytes]:
    """NIfTI of both versions and byte orders, with extensions and colours."""
    yield nifti(volume("u1"))
    yield nifti(volume("<i2"), comment=b"a comment " * 20)
    yield nifti(volume("<f4"), 2)
    yield nifti(volume("<f8", (2, 3, 4, 5)), big=True)
    yield coloured(volume("u1", (3, 4, 5, 3)))


def gzips() -> Iterator[bytes]:
    """NIfTI and FITS in gzip, of several levels and members."""
    for level, data in zip((1, 6, 9), (*niftis(), *fits()), strict=False):
        yield gzip.compress(data, level, mtime=1_600_000_000)
    data = nifti(volume("<i2"))
    yield gzip.compress(data[:500]) + gzip.compress(data[500:])


def fits() -> Iterator[bytes]:
    """FITS with images of all types, in the primary unit or behind it, with tables."""
    from astropy.io import fits as library

    table = library.BinTableHDU.from_columns([library.Column("a", "J", array=np.arange(9))])
    for dtype in ("u1", ">i2", ">i4", ">i8", ">f4", ">f8"):
        out = io.BytesIO()
        library.PrimaryHDU(volume(dtype)).writeto(out)
        yield out.getvalue()
    out = io.BytesIO()
    units = [library.PrimaryHDU(), library.ImageHDU(volume("u2", (30, 20))), table, library.ImageHDU(volume("f4", (3, 4)))]
    library.HDUList(units).writeto(out, checksum=True)
    yield out.getvalue()


def dicom(samples: Samples, big: bool = False, implicit: bool = False, **elements: Any) -> bytes:
    """A DICOM file. samples: (rows, columns) or with 3 colours at the end, or what `elements` say."""
    import pydicom
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    meta: Any = pydicom.dataset.FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", "1.2.3.4"
    meta.TransferSyntaxUID = ExplicitVRBigEndian if big else ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    found: Any = pydicom.Dataset()
    found.file_meta = meta
    found.SOPClassUID, found.SOPInstanceUID, found.PatientName = meta.MediaStorageSOPClassUID, "1.2.3.4", "Nobody^N"
    found.SeriesInstanceUID, found.Modality = "1.2.3", "OT"
    found.Rows, found.Columns = samples.shape[:2]
    found.SamplesPerPixel = samples.shape[2] if samples.ndim > 2 else 1
    found.PhotometricInterpretation = "RGB" if samples.ndim > 2 else "MONOCHROME2"
    if samples.ndim > 2:
        found.PlanarConfiguration = 0
    found.BitsAllocated = found.BitsStored = 8 * samples.dtype.itemsize
    found.HighBit, found.PixelRepresentation = found.BitsStored - 1, int(samples.dtype.kind == "i")
    for name, value in elements.items():
        setattr(found, name, value)
    raw = samples.astype(samples.dtype.newbyteorder(">" if big else "<")).tobytes()
    found.PixelData = raw + bytes(len(raw) % 2)
    found["PixelData"].VR = "OB" if samples.dtype.itemsize == 1 and not implicit else "OW"
    out = io.BytesIO()
    found.save_as(out, enforce_file_format=True)
    return out.getvalue()


def dicoms() -> Iterator[bytes]:
    """DICOM of several widths, byte orders and layouts."""
    yield dicom(volume("<u2", (7, 9)), BitsStored=12, HighBit=11)
    yield dicom(volume("<i2", (7, 9)), InstanceNumber=3, ImagePositionPatient=[0, 0, 1.5], ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
    yield dicom(volume("u1", (5, 5, 3)))
    yield dicom(volume("u1", (5, 5, 3)), PlanarConfiguration=1)
    yield dicom(volume("<u2", (6, 4)), Rows=3, NumberOfFrames=2)
    yield dicom(volume("<i2", (7, 9)), big=True)
    yield dicom(volume("<i4", (4, 3)), implicit=True)
