"""Metadata that nobody's reader made, as a hostile `.linr` file can have it: bounded work, well-formed files, nothing dropped unnamed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from inrcodec import files
from inrcodec.files import density, metadata
from inrcodec.signal import Signal

from .test_files_limits import peak_of

PICTURES = (".png", ".tif", ".webp", ".bmp", ".pam", ".ppm", ".ras")
SOUNDS = (".wav", ".aiff", ".flac", ".caf", ".au", ".w64")
ALL = (*PICTURES, *SOUNDS, ".npy")


def signal_for(extension: str, values: dict[str, bytes]) -> Signal:
    """A small picture or sound that a file with that extension can hold."""
    if extension in SOUNDS:
        return Signal(np.arange(-30, 30, dtype=np.int16).reshape(30, 2), "audio", 16, 8000, values)
    return Signal(np.arange(60, dtype=np.uint8).reshape(4, 5, 3), "image", 8, None, values)


def written(folder: Path, extension: str, values: dict[str, bytes]) -> tuple[dict[str, bytes], set[str]]:
    """The metadata that comes back from a file, which must hold the samples, and what is named as lost."""
    path = folder / f"x{extension}"
    signal = signal_for(extension, values)
    files.write(path, signal)
    found = files.read(path)
    np.testing.assert_array_equal(found.samples, signal.samples)
    return dict(found.metadata), files.lost(path, signal)


# --- work -----------------------------------------------------------------------------------------------------------

ENDLESS = b"1e999999999"  # as a fraction it has a billion digits
LONG = b"9" * 100_000


@pytest.mark.parametrize("number", [b"1e2", b"1E2", b"1_0", b"+1", b"nan", b"1/2/3", b"1.5/2", "\u0661".encode(), b"9" * 30, ENDLESS, LONG])
def test_densities_that_no_reader_writes(number: bytes) -> None:
    for text in (number + b" 1 in", b"1 " + number + b" m", number + b"/3 1 in", b"1/" + number + b" 1 in"):
        assert density.parse({"density": text}) is None
        assert density.whole({"density": text}, 1 << 31) is None


@pytest.mark.parametrize("extension", ALL)
@pytest.mark.parametrize("number", [ENDLESS, LONG, b"007", b"", b"-5", b"4294967296", b"99999999999"])
def test_numbers_that_no_reader_writes(tmp_path: Path, extension: str, number: bytes) -> None:
    """int() of more than 4,300 digits raises, and of more takes quadratic time where it does not."""
    keys = {"gamma": number, "channel_mask": number, "pnm/maxval": number, "text/Title": b"T"}
    keys |= {f"tiff/{number.decode()}": b"\3\0\1\0", "tag/TITLE": b"T"}
    found, lost = written(tmp_path, extension, keys)
    assert not keys.keys() & found.keys() - {"text/Title", "tag/TITLE"}
    assert {"gamma", "channel_mask"} <= lost


def test_a_comment_of_many_lines_takes_little_memory(tmp_path: Path) -> None:
    signal = signal_for(".ppm", {"text/Comment": b"\n" * 1_000_000})
    assert peak_of(lambda: files.write(tmp_path / "x.ppm", signal)) < 12 << 20


@pytest.mark.parametrize("header", [b"(" * 9000, b"[" * 60_000, b"{'descr': " + b"[" * 3000, b"9" * 9000])
def test_headers_of_arrays(tmp_path: Path, header: bytes) -> None:
    whole = b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header
    found, _ = written(tmp_path, ".npy", {"npy/header": whole, "npy/fortran_order": b"1"})
    assert "npy/header" not in found
    assert "npy/header" not in written(tmp_path, ".npy", {"npy/header": b"PK\5\6" + bytes(18)})[0]


def test_base_takes_only_what_add_appends() -> None:
    assert [metadata.base(f"k#{n}") for n in ("2", "19", "\u00b2", "x", "")] == ["k", "k", "k#\u00b2", "k#x", "k#"]
