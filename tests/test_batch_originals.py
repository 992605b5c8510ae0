"""Originals that are deleted, and those that must stay: what comes back, and what is told of the rest."""

from __future__ import annotations

import gzip
import io
import os
import struct
import threading
import warnings
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import tifffile
from PIL import Image

from bench.fuzz.science_seeds import nifti, volume
from inrcodec import batch, errors, files, parallel
from inrcodec.batch import accounting, originals, run, tasks
from inrcodec.errors import Notice
from tests import trees
from tests.test_batch import chunk, encode
from tests.test_files_science import slices

UNTOLD = originals.UNTOLD
COLOURS = trees.picture(0, 9, 13, 3)
SOUND = np.cumsum(trees.picture(0, 900, 2).astype(np.int16) - 128, axis=0).astype(np.int16)


def pillow(kind: str, picture: Any = COLOURS, **more: Any) -> bytes:
    out = io.BytesIO()
    Image.fromarray(picture).save(out, kind, **more)
    return out.getvalue()


def sound(kind: str) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, SOUND, 44100, format=kind, subtype="PCM_16")
    return out.getvalue()


def tiff(**more: Any) -> bytes:
    out = io.BytesIO()
    tifffile.imwrite(out, COLOURS, metadata=None, **more)
    return out.getvalue()


def archive(comment: bytes = b"", extra: bytes = b"") -> bytes:
    out = io.BytesIO()
    np.savez_compressed(out, a=SOUND, b=COLOURS)
    if extra:
        with zipfile.ZipFile(out, "a") as found:
            member = zipfile.ZipInfo("c.npy", (2020, 1, 1, 0, 0, 0))
            member.extra = extra
            array = io.BytesIO()
            np.save(array, SOUND)
            found.writestr(member, array.getvalue())
    if comment:
        with zipfile.ZipFile(out, "a") as found:
            found.comment = comment
    return out.getvalue()


def gap_in_bmp() -> bytes:
    plain = pillow("BMP")
    return plain[:10] + struct.pack("<I", 58) + plain[14:54] + b"gap!" + plain[54:]


def after_pixels() -> bytes:
    plain = pillow("PNG")
    at = plain.index(b"IDAT") - 4
    size = int.from_bytes(plain[at : at + 4], "big")
    return plain[:at] + chunk(b"IDAT", plain[at + 8 : at + 8 + size] + b"more") + plain[at + 12 + size :]


def padded_flac() -> bytes:
    plain = sound("FLAC")
    return plain[:42] + b"\1\0\0\4keys" + plain[42:]


# what goes: everything of it comes back, or was packing
GOES: dict[str, Callable[[], bytes]] = {
    "a.png": lambda: pillow("PNG", compress_level=1),
    "b.tif": lambda: tiff(compression="zlib", predictor=True, tile=(16, 16)),
    "c.tif": lambda: tiff(bigtiff=True, byteorder=">"),
    "d.ppm": lambda: pillow("PPM"),
    "e.bmp": lambda: pillow("BMP", trees.picture(0, 9, 13)),
    "f.flac": lambda: sound("FLAC"),
    "g.npz": archive,
    "h.webp": lambda: pillow("WEBP", lossless=True),
    "i.pgm": lambda: b"P2\n# words\n3 2\n255\n" + b"1 2 3\n4 5 6\n",
    "j.png": lambda: pillow("PNG", (COLOURS[:, :, 0] // 64 * 64), bits=2),
    "k.au": lambda: sound("AU"),
    "l.tif": lambda: pillow("TIFF", COLOURS, save_all=True, append_images=[Image.fromarray(COLOURS[::-1])]),
    "m.tif": lambda: pillow("TIFF", COLOURS[:, :, 0] > 99, compression="group4"),
}
# what stays, and why
STAYS: dict[str, tuple[Callable[[], bytes], str]] = {
    "a.tif": (lambda: tiff() + b"more", accounting.END),
    "b.ppm": (lambda: pillow("PPM") + b"more", accounting.END),
    "c.npz": (lambda: archive(b"words"), "the comment of the archive"),
    "d.npz": (lambda: archive(extra=struct.pack("<HH4s", 0x7075, 4, b"keys")), "what is said of c.npy beside its size"),
    "e.bmp": (lambda: pillow("BMP") + b"more", accounting.END),
    "f.bmp": (gap_in_bmp, accounting.GAP),
    "g.au": (lambda: sound("AU") + b"more", UNTOLD),
    "h.flac": (lambda: sound("FLAC") + b"TAG" + bytes(125), "a tag ID3v1 behind its end"),
    "i.flac": (padded_flac, "padding that is not empty"),
    "j.flac": (lambda: sound("FLAC") + b"words", accounting.END),
    "k.pgm": (lambda: b"P2\n3 2\n255\n1 2 3\n# words\n4 5 6\n", "comments between its samples"),
    "l.pgm": (lambda: b"P2\n3 2\n255\n1 2 3\n4 5 6\n7\n", accounting.END),
    "m.png": (after_pixels, "bytes after its pixels"),
    "n.webp": (lambda: pillow("WEBP", lossless=True) + b"more", accounting.END),
}


def test_what_goes_and_what_stays(tmp_path: Path) -> None:
    (tmp_path / "goes").mkdir()
    (tmp_path / "stays").mkdir()
    for name, make in GOES.items():
        (tmp_path / "goes" / name).write_bytes(make())
    for name, (make, _) in STAYS.items():
        (tmp_path / "stays" / name).write_bytes(make())
    gone = encode(tmp_path / "goes", tmp_path / "out", delete_original=True)
    assert {result.task.name: result.notices for result in gone.results if not result.deleted} == {}
    assert not list((tmp_path / "goes").iterdir())
    kept = encode(tmp_path / "stays", tmp_path / "kept", delete_original=True)
    assert not kept.failed
    for result in kept.results:
        said = STAYS[result.task.name][1]
        assert not result.deleted, result.task.name
        assert result.notices[-1].endswith(said), result
        assert Path(result.task.source).read_bytes() == STAYS[result.task.name][0]()


def test_tiff_is_accounted_for() -> None:
    plain = tiff()
    assert accounting.left_out(plain, plain) == []
    (at,) = struct.unpack_from("<I", plain, 4)
    (count,) = struct.unpack_from("<H", plain, at)
    table = plain[at : at + 6 + 12 * count]
    moved = plain[:4] + struct.pack("<I", len(plain)) + plain[8:] + table  # the old directory stays where it was
    assert accounting.left_out(moved, plain) == [accounting.GAP]
    twice = plain[:4] + struct.pack("<I", len(plain)) + plain[8:] + struct.pack("<H", count + 1) + table[2:-4] + table[2:14] + bytes(4)
    (first,) = struct.unpack_from("<H", table, 2)
    assert f"tag {first}" in (accounting.left_out(twice, plain) or [])
    assert accounting.left_out(b"unknown", plain) is None
    assert accounting.left_out(plain[: at + 3], plain) is None


def test_an_archive_of_other_things_is_not_told() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as found:
        found.writestr("data.pkl", b"words")
    assert accounting.left_out(out.getvalue(), out.getvalue()) is None


def test_notices_of_threads_stay_apart(tmp_path: Path) -> None:
    """Each file in gzip has a notice, which keeps it; the filters of the caller stay as they were."""
    (tmp_path / "in").mkdir()
    for i in range(16):
        data = nifti(volume("<i2", (5, 5, 5 + i)))
        half = len(data) // 2
        (tmp_path / "in" / f"{i:02}.nii.gz").write_bytes(gzip.compress(data[:half], 1) + gzip.compress(data[half:], 9))
    before = warnings.filters[:]
    with ThreadPoolExecutor(6) as pool:
        report = encode(tmp_path / "in", tmp_path / "out", delete_original=True, executor=pool)
    assert warnings.filters == before
    assert [result.deleted for result in report.results] == [False] * 16
    for result in report.results:
        assert len(result.notices) == 2
        assert all("the gzip file itself does not" in line for line in result.notices)
        assert all(other.task.name not in line for line in result.notices for other in report.results if other is not result)


def test_notices_are_kept_or_given() -> None:
    with pytest.warns(Notice, match="given"):
        errors.notice("given")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with errors.keeping_notices() as outer:
            errors.notice("one")
            with errors.keeping_notices() as inner:
                parallel.run(errors.notice, ["two", "three"], 2)
            errors.notice("four")
    assert outer == ["one", "four"]
    assert sorted(inner) == ["three", "two"]


def test_filters_come_back_after_blocks_that_overlap() -> None:
    before, inside, leave = warnings.filters[:], threading.Event(), threading.Event()

    def other() -> None:
        with errors.quiet():
            inside.set()
            leave.wait(60)

    thread = threading.Thread(target=other)
    with errors.quiet():
        thread.start()
        inside.wait(60)
    with warnings.catch_warnings(record=True) as caught:
        warnings.warn("silenced, for the other block runs", stacklevel=1)
    leave.set()
    thread.join()
    assert not caught
    assert warnings.filters == before


def test_a_folder_keeps_what_was_not_compared(tmp_path: Path) -> None:
    folder = tmp_path / "ct"
    slices(folder)
    names = sorted(path.name for path in folder.iterdir())
    (folder / "notes.txt").write_text("words")
    assert originals._folder_removed(folder, names) == "it holds other files too"
    assert sorted(path.name for path in folder.iterdir()) == sorted([*names, "notes.txt"])
    (folder / "notes.txt").unlink()
    assert originals._folder_removed(folder, names) == ""
    assert not folder.exists()


# --- targets of workers that died ---------------------------------------------------------------------------------


def test_an_old_target_is_no_new_result(tmp_path: Path) -> None:
    source, target = tmp_path / "x.npy", tmp_path / "x.linr"
    np.save(source, np.arange(9))
    encode(source, target)
    task = tasks.Task("encode", str(source), str(target), options={"profile": "stored"})
    before = run._there(str(target))
    assert run._ended_in_time(task, before) is None
    assert run._ended_in_time(replace(task, force=True), None) is None
    found = run._ended_in_time(task, None)
    assert found
    assert (found.status, found.deleted) == ("done", False)
    found = run._ended_in_time(replace(task, delete=True), None)
    assert found
    assert (found.status, found.deleted, source.exists()) == ("done", True, False)
    again = run._ended_in_time(replace(task, delete=True), None)  # the worker died after it had removed the source
    assert again
    assert (again.status, again.deleted, again.file_digest) == ("done", True, found.file_digest)
    assert run._ended_in_time(task, (1, 2, 3, 4)).status == "failed"  # type: ignore[union-attr]


def test_temporary_copies_are_those_that_are_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else they would stay after SIGTERM: `storage.abandon` removes those that it knows."""
    from inrcodec import storage

    seen: list[str] = []
    write = files.write

    def look(path: Path, *given: Any) -> None:
        seen.extend(str(folder) for folder in storage._unfinished if folder in path.parents)
        write(path, *given)

    monkeypatch.setattr(files, "write", look)
    (tmp_path / "x.png").write_bytes(pillow("PNG"))
    report = batch.encode(tmp_path / "x.png", tmp_path / "x.linr", jobs=1, profile="stored", delete_original=True)
    assert report.results[0].deleted
    assert len(seen) == 1
    assert not os.path.exists(seen[0])
