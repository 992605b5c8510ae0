"""Files that are written brick by brick and read by index: inrcodec.open."""

from __future__ import annotations

import io
import itertools
import json
import math
import os
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import inrcodec
from bench.fuzz.linr_mutations import case
from inrcodec import FormatError, InrcodecError, LimitError, LossyError, Stopped, StreamWriter, UnsupportedError, container, header, storage
from inrcodec.cli import main
from inrcodec.options import Options
from inrcodec.stream import indexing, sections, sizes
from inrcodec.stream.reader import StreamReader

ROOT = Path(__file__).parent.parent
VECTORS = ROOT / "formats" / "vectors"
MANIFEST: list[dict[str, Any]] = json.loads((VECTORS / "manifest.json").read_text("utf-8"))
TYPES = ("?", "u1", "i1", "<u2", ">i2", "<i4", ">u4", "<i8", "<u8", "<f2", ">f4", "<f8")

Samples = npt.NDArray[Any]


def same(a: Samples, b: Samples) -> bool:
    """Whether type, shape and every bit are the same."""
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def random(shape: tuple[int, ...], dtype: str, seed: int = 0) -> Samples:
    """All bits at random, so that floats have NaNs, infinities and −0."""
    kind = np.dtype(dtype)
    if kind.kind == "b":
        return np.random.default_rng(seed).integers(0, 2, shape).astype(bool)
    raw = np.random.default_rng(seed).integers(0, 256, math.prod(shape) * kind.itemsize, np.uint8)
    return raw.view(kind).reshape(shape)


def write(path: Path, samples: Samples, chunks: tuple[int, ...], **more: Any) -> None:
    """Write samples by their layers, in order."""
    with inrcodec.open(path, "w", shape=samples.shape, dtype=samples.dtype, chunks=chunks, **more) as file:
        for start in range(0, len(samples), chunks[0]):
            file[start : min(len(samples), start + chunks[0])] = samples[start : start + chunks[0]]


@st.composite
def streams(draw: st.DrawFn) -> tuple[Samples, tuple[int, ...]]:
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=4, max_side=9))
    chunks = tuple(draw(st.integers(1, n + 1)) for n in shape)
    return random(shape, draw(st.sampled_from(TYPES)), draw(st.integers(0, 99))), chunks


@settings(max_examples=30)
@given(streams(), st.randoms(use_true_random=False), st.integers(1, 3))
def test_bricks_in_any_order_come_back(tmp_path_factory: pytest.TempPathFactory, stream: Any, rng: Any, threads: int) -> None:
    samples, chunks = stream
    path = tmp_path_factory.mktemp("stream") / "any.linr"
    profile = "auto" if samples.size < 200 else "stored"  # coding itself has tests of its own
    boxes = list(itertools.product(*(range(0, n, c) for n, c in zip(samples.shape, chunks, strict=True))))
    rng.shuffle(boxes)
    options: dict[str, Any] = {"effort": 1, "threads": threads, "profile": profile}
    with inrcodec.open(path, "w", shape=samples.shape, dtype=samples.dtype, chunks=chunks, **options) as file:
        for corner in boxes:
            box = tuple(slice(a, min(a + c, n)) for a, c, n in zip(corner, chunks, samples.shape, strict=True))
            file[box] = samples[box]
    data = path.read_bytes()
    assert same(inrcodec.decode(data).samples, samples)
    with inrcodec.open(path) as found:
        assert same(np.asarray(found), samples)
        assert found.chunks == tuple(min(c, n) for c, n in zip(chunks, samples.shape, strict=True))
        found.verify()


@settings(max_examples=30)
@given(streams(), st.lists(st.integers(1, 7), min_size=1, max_size=9), st.booleans())
def test_slabs_of_any_number_are_appended(tmp_path_factory: pytest.TempPathFactory, stream: Any, counts: list[int], known: bool) -> None:
    samples, chunks = stream
    path = tmp_path_factory.mktemp("stream") / "slabs.linr"
    with inrcodec.open(
        path, "w", shape=(samples.shape[0] if known else None, *samples.shape[1:]), dtype=samples.dtype, chunks=chunks, profile="stored"
    ) as file:
        at = 0
        for count in itertools.cycle(counts):
            file.write(samples[at : at + count])
            at += count
            if at >= len(samples):
                break
    assert same(inrcodec.decode(path.read_bytes()).samples, samples)


def test_the_file_does_not_depend_on_threads(tmp_path: Path) -> None:
    samples = np.cumsum(random((40, 30, 20), "u1"), axis=0, dtype="u2")
    for threads in (1, 2, 5):
        write(tmp_path / f"{threads}.linr", samples, (8, 7, 6), threads=threads)
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1


@pytest.mark.parametrize("dtype", TYPES)
def test_both_decoders_read_every_type(tmp_path: Path, dtype: str, linr: ModuleType) -> None:
    samples = random((7, 5, 6), dtype)
    write(tmp_path / "a.linr", samples, (3, 2, 6))
    assert same(linr.decode((tmp_path / "a.linr").read_bytes())[0], samples)


# --- reading by index ---------------------------------------------------------------------------------------------


def indices(shape: tuple[int, ...]) -> st.SearchStrategy[Any]:
    """Basic indices without new axes."""
    return hnp.basic_indices(shape, allow_newaxis=False, allow_ellipsis=True)


@settings(max_examples=60)
@given(st.data())
def test_indices_are_those_of_numpy(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    samples, chunks = data.draw(streams())
    path = tmp_path_factory.mktemp("stream") / "index.linr"
    write(path, samples, chunks, profile="stored")
    with inrcodec.open(path, cache_bytes=data.draw(st.sampled_from([0, 200, 1 << 20]))) as found:
        for _ in range(4):
            key = data.draw(indices(samples.shape))
            part, expected = found[key], samples[key]
            assert type(part) is type(expected)
            assert same(np.asarray(part), np.asarray(expected))


@pytest.mark.parametrize("entry", [pytest.param(e, id=e["file"]) for e in MANIFEST if "invalid" not in e and "lossy" not in e][::4])
def test_every_file_of_a_signal_is_read_by_index(entry: dict[str, Any]) -> None:
    path = VECTORS / entry["file"]
    signal = inrcodec.decode(path.read_bytes())
    with inrcodec.open(path) as found:
        assert (found.shape, found.dtype, found.kind) == (signal.samples.shape, signal.samples.dtype, signal.kind)
        assert (found.bit_depth, found.sample_rate, dict(found.metadata)) == (signal.bit_depth, signal.sample_rate, dict(signal.metadata))
        middle = tuple(slice(n // 3, n // 3 + 2) for n in found.shape)
        assert same(found[middle], signal.samples[middle])
        assert same(found[::-1], signal.samples[::-1])
        assert same(found.read(), signal.samples)


@pytest.mark.parametrize("entry", [pytest.param(e, id=e["file"]) for e in MANIFEST if "invalid" in e][::4])
def test_no_faulty_file_passes(entry: dict[str, Any]) -> None:
    with pytest.raises(FormatError) as raised, inrcodec.open(VECTORS / entry["file"]) as found:
        found.verify()
    assert str(VECTORS / entry["file"]) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_lossy_files_and_tensors_are_refused() -> None:
    for entry in MANIFEST:
        if "lossy" in entry and "whole" not in entry:
            with pytest.raises(LossyError, match=r"linr: holds a network alone"):
                inrcodec.open(VECTORS / entry["file"])
    with pytest.raises(FormatError, match="it holds tensors"):
        inrcodec.open(ROOT / "formats" / "bundles" / "valid" / "tied.linr")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, Samples]:
    """A file of a volume, and what it holds."""
    path = tmp_path_factory.mktemp("volume") / "volume.linr"
    samples = random((40, 20, 30), "<i2")
    write(path, samples, (8, 10, 10))
    return path.read_bytes(), samples


@pytest.fixture
def volume(tmp_path: Path, written: tuple[bytes, Samples]) -> tuple[Path, Samples]:
    """The file for one test, which may change it."""
    path = tmp_path / "volume.linr"
    path.write_bytes(written[0])
    return path, written[1]


def test_only_bricks_that_are_met_are_decoded(volume: tuple[Path, Samples]) -> None:
    path, samples = volume
    with inrcodec.open(path, cache_bytes=0) as found:
        for key, bricks in (
            ((3, 4, 5), 1),
            ((slice(0, 8), 4, 5), 1),
            ((slice(7, 9), 4, 5), 2),
            ((slice(None, None, 16), 0, 0), 3),
            ((slice(0, 0),), 0),
            ((slice(39, None, -39), slice(19, None, -19), slice(None, None, 29)), 8),
        ):
            before = found.decoded
            assert same(np.asarray(found[key]), np.asarray(samples[key]))
            assert found.decoded - before == bricks


def test_only_the_bricks_and_the_index_are_read(volume: tuple[Path, Samples], monkeypatch: pytest.MonkeyPatch) -> None:
    path, samples = volume
    taken = list[int]()
    read = sections.FileParts.read

    def counted(self: sections.FileParts, start: int, count: int) -> bytes:
        taken.append(count)
        return read(self, start, count)

    monkeypatch.setattr(sections.FileParts, "read", counted)
    with inrcodec.open(path) as found:
        assert sum(taken) < 1000
        assert len(taken) < 20
        assert found[12, 13, 14] == samples[12, 13, 14]
        assert sum(taken) < 1000 + 2 * found.nbytes / 30


def test_the_cache_keeps_the_last_bricks_within_its_bytes(volume: tuple[Path, Samples]) -> None:
    path, _ = volume
    with inrcodec.open(path, cache_bytes=3 * 8 * 10 * 10 * 2) as found:
        for place in (0, 8, 16, 0, 24):  # the fourth is there; the last one takes the place of the second
            _ = found[place, 0, 0]
        assert found.decoded == 4
        _ = found[0, 0, 0], found[16, 0, 0]
        assert found.decoded == 4
        _ = found[8, 0, 0]
        assert found.decoded == 5


def test_iteration_gives_each_slab_once(volume: tuple[Path, Samples]) -> None:
    path, samples = volume
    with inrcodec.open(path, cache_bytes=0) as found:
        assert len(found) == 40
        assert all(same(a, b) for a, b in zip(found, samples, strict=True))
        assert found.decoded == 5 * 2 * 3


def test_threads_read_at_once(volume: tuple[Path, Samples]) -> None:
    path, samples = volume
    wrong = list[int]()

    def work(seed: int, found: StreamReader) -> None:
        rng = np.random.default_rng(seed)
        for _ in range(20):
            start = rng.integers(0, 15, 3)
            key = tuple(slice(a, a + 9) for a in start)
            if not same(found[key], samples[key]):
                wrong.append(seed)

    with inrcodec.open(path, cache_bytes=20_000, threads=2) as found:
        threads = [threading.Thread(target=work, args=(seed, found)) for seed in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong


@pytest.mark.parametrize(
    "key", [None, (0, None), [1, 2], np.array([1]), True, 1.0, "a", (..., ...), (0, 0, 0, 0), 40, -41, (0, 20), slice(None, None, 0)]
)
def test_other_indices_are_refused(volume: tuple[Path, Samples], key: Any) -> None:
    with inrcodec.open(volume[0]) as found, pytest.raises(IndexError):
        found[key]


def test_integers_of_numpy_are_indices(volume: tuple[Path, Samples]) -> None:
    path, samples = volume
    with inrcodec.open(path) as found:
        assert found[np.int64(3), np.uint8(4), -1] == samples[3, 4, -1]


def test_damage_names_the_file_and_the_brick(volume: tuple[Path, Samples]) -> None:
    path, samples = volume
    data = bytearray(path.read_bytes())
    starts = [i for i in range(len(data)) if data[i : i + 4] == b"TILE"]
    data[starts[4] + 40] ^= 1
    path.write_bytes(data)
    with inrcodec.open(path) as found:
        assert found[0, 0, 0] == samples[0, 0, 0]
        with pytest.raises(FormatError, match=r"volume.linr: brick 4 \[0:8, 10:20, 10:20\]: damaged: the checksum of section TILE"):
            found[0, 12, 12]
        with pytest.raises(FormatError, match=r"volume.linr: brick 4"):
            found.verify()
        with pytest.raises(FormatError, match=r"volume.linr"):
            found.read()


def test_a_file_that_is_cut_is_refused(volume: tuple[Path, Samples]) -> None:
    path, _ = volume
    data = path.read_bytes()
    for size in (0, 5, 9, 10, 30, 80, len(data) // 2, len(data) - 12, len(data) - 1):
        path.write_bytes(data[:size])
        with pytest.raises(FormatError, match=r"volume.linr"):
            inrcodec.open(path)


def test_what_is_left_of_a_damaged_stream(tmp_path: Path) -> None:
    samples = random((24, 10, 10), "u1")
    path = tmp_path / "a.linr"
    with inrcodec.open(path, "w", shape=samples.shape, dtype="u1", chunks=(8, 10, 5)) as file:
        for start in (16, 0, 8):
            file[start : start + 8] = samples[start : start + 8]
    data = path.read_bytes()
    assert inrcodec.salvage(data).report() == []
    starts = [i for i in range(len(data)) if data[i : i + 4] == b"TILE"]
    for changed in (
        data[: starts[2] + 50] + bytes([data[starts[2] + 50] ^ 1]) + data[starts[2] + 51 :],  # a byte of the third tile, which is tile 0
        data[: starts[2] + 50] + data[starts[2] + 53 :],
        data[: starts[2] + 50] + b"???" + data[starts[2] + 50 :],
    ):
        found = inrcodec.salvage(changed)
        assert [lost.tile for lost in found.lost] == [0]
        assert (found.signal.samples[found.intact] == samples[found.intact]).all()
        assert not found.signal.samples[:8, :, :5].any()


def test_limits_hold_for_what_is_asked_for(volume: tuple[Path, Samples]) -> None:
    path, samples = volume
    with inrcodec.open(path, max_samples=1000) as found:
        assert same(found[0], samples[0])
        with pytest.raises(LimitError, match=r"volume.linr"):
            found[0:2]
        with pytest.raises(LimitError):
            found.read()
    with inrcodec.open(path, max_memory=1 << 20) as found, pytest.raises(LimitError, match="memory"):
        found[0]


def test_a_closed_file_is_not_read(volume: tuple[Path, Samples]) -> None:
    found = inrcodec.open(volume[0])
    found.close()
    with pytest.raises(ValueError, match="closed"):
        found[0]


def test_an_array_is_a_copy(volume: tuple[Path, Samples]) -> None:
    with inrcodec.open(volume[0]) as found:
        with pytest.raises(ValueError, match="copy"):
            np.asarray(found, copy=False)
        assert np.asarray(found, np.float64).dtype == np.float64
        part = found[0:2]
        part += 1  # what was read is the caller's own
        assert (found[0:2] != part).all()


# --- writing ------------------------------------------------------------------------------------------------------


def left_in(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


@pytest.fixture
def file(tmp_path: Path) -> Iterator[StreamWriter]:
    with inrcodec.open(tmp_path / "a.linr", "w", shape=(20, 12), dtype="u1", chunks=(8, 4)) as opened:
        yield opened
        opened.discard()
    assert left_in(tmp_path) == []


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ((slice(8, 15), slice(None)), r"axis 0: 8:15 must begin and end at multiples of 8, or end at 20, since bricks of \(8, 4\)"),
        ((slice(4, 16), slice(None)), "axis 0: 4:16 must begin"),
        ((slice(0, 8), slice(0, 6)), "axis 1: 0:6 must begin and end at multiples of 4"),
        ((slice(0, 8), 2), "axis 1: 2:3"),
        ((slice(0, 8, 2), slice(None)), "without steps"),
        ((slice(7, None, -1), slice(None)), "without steps"),
    ],
)
def test_boxes_that_cut_bricks_are_refused(file: StreamWriter, key: Any, told: str) -> None:
    shape = np.zeros((20, 12), "u1")[key].shape
    with pytest.raises(ValueError, match=told):
        file[key] = np.zeros(shape, "u1")


def test_bricks_are_written_once(file: StreamWriter) -> None:
    file[8:16, 4:8] = 1
    with pytest.raises(ValueError, match=r"brick 4 \[8:16, 4:8\] was written already"):
        file[8:16] = 2
    file.write(np.zeros((4, 12), "u1"))
    with pytest.raises(ValueError, match="slabs 0 to 3 were appended and wait"):
        file[0:8, 0:4] = 1


def test_blocks_of_other_shapes_and_types_are_refused(file: StreamWriter) -> None:
    for block, told in (
        (np.zeros((2, 11), "u1"), "cannot be appended"),
        (np.zeros(3, "u1"), "cannot be appended"),
        (np.zeros((21, 12), "u1"), "past the end"),
    ):
        with pytest.raises(ValueError, match=told):
            file.write(block)
    for other in (np.zeros((2, 12), "u2"), np.zeros((2, 12)), np.ma.zeros((2, 12), "u1"), [[0] * 12], 256, -1, 0.5):
        with pytest.raises(TypeError):
            file[0:2] = other
    with pytest.raises(ValueError, match="broadcast"):
        file[0:8] = np.zeros((3, 12), "u1")


def test_integers_that_floats_would_round_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="int64"), inrcodec.open(tmp_path / "a.linr", "w", shape=(4,), dtype="f8") as opened:
        opened.write(np.arange(4))
    with inrcodec.open(tmp_path / "a.linr", "w", shape=(4,), dtype="f8") as opened:
        opened[0:2] = np.arange(2, dtype=np.int32)
        opened[2] = 0.1
        opened[3] = float("nan")
    assert inrcodec.open(tmp_path / "a.linr")[:3].tolist() == [0.0, 1.0, 0.1]


def test_a_file_without_all_bricks_is_not_kept(tmp_path: Path) -> None:
    (tmp_path / "a.linr").write_bytes(b"before")
    with (
        pytest.raises(ValueError, match=r"a.linr: 5 of 6 bricks were not written, the first is \[0:2, 0:2\]"),
        inrcodec.open(tmp_path / "a.linr", "w", shape=(6, 4), dtype="u1", chunks=(2, 2)) as opened,
    ):
        opened[2:4, 2:4] = 1
    with pytest.raises(ValueError, match="nothing was written"):
        inrcodec.open(tmp_path / "a.linr", "w", shape=(None, 4), dtype="u1").close()
    opened = inrcodec.open(tmp_path / "a.linr", "w", shape=(None, 4), dtype="u1", chunks=(4, 4))
    opened[4:8] = 1
    opened.write(np.zeros((3, 4), "u1"))
    with pytest.raises(ValueError, match=r"bricks were not written, the first is \[0:4, 0:4\]"):
        opened.close()
    assert left_in(tmp_path) == ["a.linr"]
    assert (tmp_path / "a.linr").read_bytes() == b"before"


def test_an_exception_leaves_nothing(tmp_path: Path) -> None:
    opened = inrcodec.open(tmp_path / "a.linr", "w", shape=(8, 4), dtype="u1", chunks=(2, 4))
    opened.write(np.zeros((5, 4), "u1"))
    with pytest.raises(ZeroDivisionError), opened:
        _ = 1 / 0
    assert left_in(tmp_path) == []
    with pytest.raises(ValueError, match="closed"):
        opened.write(np.zeros((1, 4), "u1"))


def test_the_name_is_taken_at_the_end(tmp_path: Path) -> None:
    with inrcodec.open(tmp_path / "a.linr", "w", shape=(8, 4), dtype="u1", chunks=(2, 4)) as opened:
        opened.write(np.ones((8, 4), "u1"))
        assert not (tmp_path / "a.linr").exists()
    assert left_in(tmp_path) == ["a.linr"]
    opened.close()
    opened.discard()
    assert left_in(tmp_path) == ["a.linr"]


def test_a_file_that_is_forgotten_leaves_nothing(tmp_path: Path) -> None:
    opened = inrcodec.open(tmp_path / "a.linr", "w", shape=(8, 4), dtype="u1", chunks=(2, 4))
    opened.write(np.ones((5, 4), "u1"))
    assert len(left_in(tmp_path)) == 1
    del opened
    assert left_in(tmp_path) == []


def test_a_run_that_is_killed_leaves_nothing_that_the_next_does_not_remove(tmp_path: Path) -> None:
    code = (
        "import os, sys, numpy as np, inrcodec\n"
        "f = inrcodec.open(sys.argv[1], 'w', shape=(8, 4), dtype='u1', chunks=(2, 4))\n"
        "f.write(np.ones((6, 4), 'u1'))\n"
        "os._exit(9)\n"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.linr")], cwd=ROOT, check=False)
    assert killed.returncode == 9
    assert not (tmp_path / "a.linr").exists()
    write(tmp_path / "b.linr", np.ones((2, 2), "u1"), (1, 2))
    assert left_in(tmp_path) == ["b.linr"]


def test_memory_is_that_of_some_bricks(tmp_path: Path) -> None:
    chunks, bricks = (16, 64, 64), 32
    brick = math.prod(chunks)

    def block(i: int) -> Samples:
        return np.full(chunks, i, "u1")

    def peak() -> int:
        return tracemalloc.get_traced_memory()[1]

    tracemalloc.start()
    try:
        with inrcodec.open(tmp_path / "a.linr", "w", shape=(16 * bricks, 64, 64), dtype="u1", chunks=chunks, threads=1, effort=1) as opened:
            for i in range(bricks):
                opened[16 * i : 16 * (i + 1)] = block(i)
        assert opened.held <= 3 * brick
        written = peak()
        tracemalloc.reset_peak()
        with inrcodec.open(tmp_path / "a.linr", threads=1, cache_bytes=brick) as found:
            assert [int(found[16 * i, 5, 5]) for i in range(bricks)] == list(range(bricks))
            found.verify()
        read = peak()
    finally:
        tracemalloc.stop()
    assert brick < written < 24 * brick  # the bits of a brick take a byte each while they are packed
    assert brick < read < 12 * brick


def test_appended_slabs_are_buffered_within_a_bound(tmp_path: Path) -> None:
    opened = inrcodec.open(tmp_path / "a.linr", "w", shape=(None, 32, 32), dtype="u1", chunks=(16, 8, 8), max_memory=10_000)
    opened.write(np.zeros((16, 32, 32), "u1"))  # a whole layer needs no buffer
    with pytest.raises(ValueError, match=r"layer of 16 along the first axis would take 16384 bytes of memory .* at most 10000"):
        opened.write(np.zeros((3, 32, 32), "u1"))
    opened.discard()
    assert left_in(tmp_path) == []


def test_the_length_may_be_known_at_the_end(tmp_path: Path) -> None:
    samples = random((21, 6), "<u2")
    with inrcodec.open(tmp_path / "a.linr", "w", shape=(None, 6), dtype="<u2", chunks=(8, 3)) as opened:
        assert opened.shape == (None, 6)
        opened[8:16] = samples[8:16]
        opened[16:21] = samples[16:21]
        assert list(opened.shape) == [21, 6]
        opened[24:32] = 0  # nothing, as in NumPy
        opened[0:8] = samples[0:8]
    assert same(inrcodec.decode((tmp_path / "a.linr").read_bytes()).samples, samples)
    with inrcodec.open(tmp_path / "a.linr", "w", shape=(None, 6), dtype="<u2", chunks=(8, 3)) as opened:
        for key in (slice(None), slice(3, None), slice(-3, -1), ...):
            with pytest.raises(ValueError, match="not known yet"):
                opened[key] = 0
        opened.discard()


def test_pictures_and_sounds_keep_what_they_mean(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 1 << 12, (33, 17, 3), np.uint16)
    write(tmp_path / "p.linr", picture, (8, 17, 3), kind="image", bit_depth=12, metadata={"exif": b"MM\0*"})
    found = inrcodec.decode((tmp_path / "p.linr").read_bytes())
    assert (found.kind, found.bit_depth, dict(found.metadata)) == ("image", 12, {"exif": b"MM\0*"})
    assert inrcodec.info((tmp_path / "p.linr").read_bytes())["value_map"] == {"offset": 0, "step": 1, "bits": 12}
    assert same(inrcodec.decode((tmp_path / "p.linr").read_bytes(), region=(3, 4, 5, 6)).samples, picture[4:10, 3:8])
    sound = rng.integers(-100, 100, (50, 2), np.int16)
    write(tmp_path / "s.linr", sound, (16, 2), kind="audio", sample_rate=8000)
    assert same(inrcodec.decode((tmp_path / "s.linr").read_bytes(), start=0.002, duration=0.001).samples, sound[16:24])
    with pytest.raises(UnsupportedError, match=r"p.linr: samples do not fit in 12 bits"):
        write(tmp_path / "p.linr", picture + np.uint16(4096), (8, 17, 3), kind="image", bit_depth=12)


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"shape": (4, None)}, UnsupportedError),
        ({"shape": (4, 0)}, UnsupportedError),
        ({"shape": ()}, UnsupportedError),
        ({"shape": (1, 1, 1, 1, 1)}, UnsupportedError),
        ({"shape": (1 << 20, 1 << 20)}, UnsupportedError),
        ({"dtype": "O"}, UnsupportedError),
        ({"dtype": "nonsense"}, TypeError),
        ({"dtype": "f4", "bit_depth": 8}, UnsupportedError),
        ({"kind": "audio"}, UnsupportedError),
        ({"kind": "image", "shape": (4, 4, 65)}, UnsupportedError),
        ({"dtype": "c8"}, UnsupportedError),
        ({"chunks": (4,)}, UnsupportedError),
        ({"chunks": (0, 4)}, UnsupportedError),
        ({"shape": (None, 4), "chunks": (None, 4)}, UnsupportedError),
        ({"shape": (4, 4, 3), "kind": "image", "chunks": (4, 4, 1)}, UnsupportedError),
        ({"profile": "inr"}, UnsupportedError),
        ({"profile": "nonsense"}, ValueError),
        ({"effort": 6}, ValueError),
        ({"tile": 64}, TypeError),
        ({"nonsense": 1}, TypeError),
        ({"cache_bytes": 1}, TypeError),
        ({"mode": "a"}, ValueError),
        ({"mode": "r"}, TypeError),
        ({"shape": None}, TypeError),
        ({"dtype": None}, TypeError),
    ],
)
def test_what_cannot_be_written_is_refused_at_once(tmp_path: Path, given: dict[str, Any], fault: type[Exception]) -> None:
    asked = {"mode": "w", "shape": (4, 4), "dtype": "u1", **given}
    with pytest.raises(fault) as raised:
        inrcodec.open(tmp_path / "a.linr", **asked)
    assert raised.type is fault or issubclass(raised.type, fault)
    assert left_in(tmp_path) == []


def test_reading_takes_its_own_options(tmp_path: Path) -> None:
    write(tmp_path / "a.linr", np.ones((2, 2), "u1"), (1, 2))
    with pytest.raises(TypeError, match="effort"):
        inrcodec.open(tmp_path / "a.linr", effort=3)
    with pytest.raises(ValueError, match="cache_bytes"):
        inrcodec.open(tmp_path / "a.linr", cache_bytes=-1)
    with pytest.raises(FileNotFoundError):
        inrcodec.open(tmp_path / "b.linr")


def test_what_a_thread_finds_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    opened = inrcodec.open(tmp_path / "a.linr", "w", shape=(8, 4), dtype="u1", chunks=(2, 4), threads=1)
    monkeypatch.setattr(opened._file, "_write", full)
    with pytest.raises(InrcodecError, match=r"a.linr: cannot be written: no space left"), opened:
        opened.write(np.ones((8, 4), "u1"))
    assert left_in(tmp_path) == []


def test_stop_ends_it(tmp_path: Path) -> None:
    seen = list[float]()
    with (
        pytest.raises(Stopped),
        inrcodec.open(tmp_path / "a.linr", "w", shape=(8, 4), dtype="u1", chunks=(2, 4), stop=lambda: True) as opened,
    ):
        opened.write(np.ones((8, 4), "u1"))
    assert left_in(tmp_path) == []
    options: dict[str, Any] = {"threads": 1, "progress": lambda status: seen.append(status.fraction)}
    with inrcodec.open(tmp_path / "a.linr", "w", shape=(8, 4), dtype="u1", chunks=(2, 4), **options) as opened:
        opened.write(np.ones((8, 4), "u1"))
    assert seen == [0.25, 0.5, 0.75, 1.0]


def test_a_brick_that_does_not_decode_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from inrcodec.profiles.stored import Coder

    monkeypatch.setattr(Coder, "encode", lambda *_: b"\0\0\0\0\0\0\0\0\0")
    with pytest.raises(InrcodecError, match="verification failed"):
        write(tmp_path / "a.linr", np.ones((2, 4), "u1"), (2, 4), profile="stored")
    assert left_in(tmp_path) == []


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InrcodecError, match="there is no directory"):
        inrcodec.open(tmp_path / "no" / "a.linr", "w", shape=(8, 4), dtype="u1")


# --- the command line ---------------------------------------------------------------------------------------------


def run(*arguments: object) -> tuple[int, str]:
    """(exit status, what was printed)."""
    found = CliRunner().invoke(main, [str(a) for a in arguments])
    return found.exit_code, found.output


def test_commands_take_such_files(volume: tuple[Path, Samples], tmp_path: Path) -> None:
    path, samples = volume
    np.save(tmp_path / "right.npy", samples)
    assert run("verify", path) == (0, f"{path}: OK, {samples.size} samples match their digest\n")
    assert run("verify", path, tmp_path / "right.npy")[0] == 0
    assert run("decode", path, "-o", tmp_path / "out.npy")[0] == 0
    assert (tmp_path / "out.npy").read_bytes() == (tmp_path / "right.npy").read_bytes()
    status, told = run("info", path)
    assert status == 0
    assert "of the tiles' digests" in told
    found = json.loads(run("info", "--json", path)[1])
    assert found == {"ok": True, "command": "info", "input": str(path), **inrcodec.info(path.read_bytes())}
    assert found["digest_of"] == "tiles"
    assert sum(found["bytes"].values()) == found["file_bytes"] == path.stat().st_size
    staged = json.loads(run("info", "--json", "--stages", path)[1])
    assert staged["stages"][0]["bytes"] == sum(tile["bytes"] for tile in staged["stages"])


def test_verify_and_decode_take_memory_for_bricks_alone(tmp_path: Path) -> None:
    path = tmp_path / "large.linr"
    with inrcodec.open(
        path, "w", shape=(64, 1024, 1024), dtype="u1", chunks=(1, 1024, 1024), effort=1, verify=False, profile="stored"
    ) as opened:
        for i in range(64):
            opened[i] = i
    assert run("verify", path, "--threads", 1, "--max-memory", "50M") == (0, f"{path}: OK, {1 << 26} samples match their digest\n")
    assert run("decode", path, "-o", tmp_path / "a.npy", "--threads", 1, "--max-memory", "50M") == (0, "")
    array = np.load(tmp_path / "a.npy", mmap_mode="r")
    assert array.shape == (64, 1024, 1024)
    assert all((array[i] == i).all() for i in range(64))
    status, told = run("decode", path, "-o", tmp_path / "b.npy", "--threads", 1, "--max-memory", "5M")
    assert status == 1
    assert "memory" in told
    for command in (["verify", path], ["decode", path, "-o", tmp_path / "b.npy"]):
        status, told = run(*command, "--max-samples", 1000)
        assert status == 1
        assert f"{path}: it declares {1 << 26} samples" in told
    data = bytearray(path.read_bytes())
    data[data.index(b"TILE") + 10] ^= 1
    path.write_bytes(data)
    status, told = run("verify", path, "--threads", 1, "--max-memory", "50M")
    assert status == 1
    assert "brick 0 [0:1, 0:1024, 0:1024]: damaged" in told
    assert len(told.splitlines()) == 1
    status, told = run("decode", path, "-o", tmp_path / "b.npy", "--threads", 1, "--max-memory", "50M")
    assert status == 1
    why = "brick 0 [0:1, 0:1024, 0:1024]: damaged: the checksum of section TILE does not match; --salvage writes what is intact"
    assert told == f"inrcodec: {path}: {why}\n"
    assert left_in(tmp_path) == ["a.npy", "large.linr"]


def test_verify_names_the_damaged_parts(volume: tuple[Path, Samples]) -> None:
    path, _ = volume
    data = bytearray(path.read_bytes())
    data[data.index(b"TILE") + 40] ^= 1
    path.write_bytes(data)
    status, told = run("verify", path)
    assert status == 1
    assert "tile 1 of 30 is lost, axis 0 from 0 to 7, axis 1 from 0 to 9, axis 2 from 0 to 9" in told


def test_info_of_bricks_is_for_such_files_only(tmp_path: Path) -> None:
    (tmp_path / "a.linr").write_bytes(inrcodec.encode(np.zeros(5000, "u1"), compact=False))
    with inrcodec.open(tmp_path / "a.linr") as found, pytest.raises(UnsupportedError):
        found.info()


# --- sizes and indices --------------------------------------------------------------------------------------------


@given(st.lists(st.integers(1, 1 << 14), min_size=1, max_size=4), st.integers(1, 64), st.booleans())
def test_bricks_have_about_a_million_values(axes: list[int], channels: int, known: bool) -> None:
    shape: list[int | None] = [*axes]
    if not known:
        shape[0] = None
    found = sizes.default_chunks(shape, channels)
    assert len(found) == len(axes)
    assert all(size >= 1 and (n is None or size <= n) for size, n in zip(found, shape, strict=True))
    assert math.prod(found) * channels <= sizes.BRICK
    layer = found[0] * math.prod(axes[1:]) * channels
    assert len(axes) == 1 or layer <= sizes.LAYER or found[0] == 1


def test_small_slices_are_whole_and_large_ones_are_cut() -> None:
    assert sizes.default_chunks((500, 256, 256), 1) == (16, 256, 256)
    assert sizes.default_chunks((None, 100, 100), 1) == (96, 100, 100)
    assert sizes.default_chunks((10, 500, 64, 64), 1)[2:] == (64, 64)
    assert sizes.default_chunks((512, 512, 512), 1) == (86, 86, 86)
    assert sizes.default_chunks((None, 8192, 8192), 1)[0] == 1
    assert sizes.default_chunks((3, 4, 5), 1) == (3, 4, 5)


def test_an_index_in_words() -> None:
    assert indexing.told((slice(0, 3), slice(8, 16))) == "[0:3, 8:16]"


def test_a_size_that_is_not_known_has_room_in_the_header(tmp_path: Path) -> None:
    with inrcodec.open(tmp_path / "a.linr", "w", shape=(None,), dtype="u1") as opened:
        opened.write(np.arange(100, dtype="u1"))
    data = (tmp_path / "a.linr").read_bytes()
    head = container.read(data)[0]
    found = header.read_header(head.content)
    assert found.by_tiles
    assert found.shape == (100,)
    assert len(head.content) == len(header.write_header(found)) + header.PADDED - 1


def test_a_replacement_that_is_given_up_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    replacement = storage.Replacement(tmp_path / "a", force=True)
    replacement.temporary.write_bytes(b"2")
    replacement.discard()
    assert left_in(tmp_path) == ["a"]
    assert (tmp_path / "a").read_bytes() == b"1"


# --- damage of any kind -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", range(2))
def test_changed_files_are_read_as_they_are_decoded_or_refused(tmp_path: Path, share: int) -> None:
    """What the fuzzer makes of valid files: both ways of reading agree, and faults name the file in one line."""
    path = tmp_path / "changed.linr"
    limits: dict[str, Any] = {"max_samples": 1 << 20, "max_memory": 1 << 28, "threads": 1}
    agreed = 0
    for number in range(share, 400, 2):
        data = case(1500, number).data
        path.write_bytes(data)
        try:
            expected = inrcodec.decode(data, **limits)
        except InrcodecError:
            with pytest.raises(InrcodecError) as raised, inrcodec.open(path, cache_bytes=0, **limits) as found:
                found.read()
            assert str(path) in str(raised.value)
            assert "\n" not in str(raised.value)
            continue
        with inrcodec.open(path, cache_bytes=0, **limits) as found:
            assert same(found.read(), expected.samples)
            assert same(found[::-1], expected.samples[::-1])
        agreed += 1
    assert agreed > 5


def test_bools_of_other_bytes_are_true(tmp_path: Path) -> None:
    samples = np.array([[0, 255, 3], [1, 0, 0]], np.uint8).view(bool)
    with inrcodec.open(tmp_path / "a.linr", "w", shape=samples.shape, dtype=bool, profile="stored") as file:
        file.write(samples)
    with inrcodec.open(tmp_path / "a.linr") as found:
        assert np.array_equal(found.read(), samples)


def test_open_files_are_read_from_where_they_stand(tmp_path: Path) -> None:
    samples = np.arange(1000, dtype=np.uint8)
    data = inrcodec.encode(samples, profile="stored", compact=False)
    with io.BytesIO(b"before" + data) as file:
        file.seek(6)
        found = StreamReader(file, Options())
        assert np.array_equal(found[5:9], samples[5:9])
        found.check()
        found.close()
        assert not file.closed
        with pytest.raises(ValueError, match="closed"):
            found.check()
        file.seek(6)
        file.getbuffer()[-40] ^= 1
        with pytest.raises(FormatError, match="<BytesIO>: "):
            StreamReader(file, Options()).check()


def test_an_index_of_tiles_far_behind_the_end(tmp_path: Path) -> None:
    """No file has so many bytes, so none is looked for there."""
    path, data = tmp_path / "a.linr", inrcodec.encode(np.zeros(9, np.uint8), profile="stored", compact=False)
    index = container.varint(9) + container.varint(2**63 - 1)
    path.write_bytes(
        container.write([container.Section(s.type, index) if s.type == b"TIDX" else s for s in container.read(data)]),
    )
    with pytest.raises(FormatError, match=r"a\.linr: damaged: a tile's size"):
        inrcodec.open(path)
