"""Work and memory are bounded by what a file declares; memory is told beforehand; what info does not print is not decoded."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any
from unittest import mock

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

import inrcodec
from inrcodec import FormatError, Signal, Stopped, codec, container, parallel
from inrcodec.compression import compress
from inrcodec.container import Reader, Section, varint
from inrcodec.kernels import contextnet, integers
from inrcodec.kernels.architecture import Architecture, Level
from inrcodec.kernels.dictionary import atoms
from inrcodec.kernels.inr import Cells, Layer, Network
from inrcodec.kernels.meancode import Joint
from inrcodec.layout import Layout
from inrcodec.options import Options, Progress
from inrcodec.profiles import stored
from inrcodec.profiles.hybrid.pictures import coding, deltas, pipeline, scan, sources, tile_memory
from inrcodec.profiles.hybrid.pictures import plan as plans
from inrcodec.profiles.hybrid.pictures.pipeline import Job
from inrcodec.profiles.hybrid.pictures.plan import Delta, PictureModel, PicturePlan, Plane
from inrcodec.profiles.hybrid.pictures.sources import Source
from inrcodec.profiles.hybrid.pictures.tile import inputs_of, streams_of
from inrcodec.profiles.hybrid.pictures.transforms import Direct, Palette
from inrcodec.profiles.hybrid.priors import shipped
from inrcodec.profiles.hybrid.sound import plan as sound_plans
from inrcodec.profiles.inr import coding as inr
from inrcodec.weights import network, sinr
from inrcodec.weights.network import CodedNetwork
from tests.test_hybrid import converted, photo

FAST: dict[str, Any] = {"profile": "inr", "hidden": 8, "layers": 1, "steps": 2, "weights": "uniform", "bits": 8}


def peak_of(work: Callable[[], object]) -> int:
    """The most bytes that Python and NumPy take at once while `work` runs, its result included."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        result = work()
        peak = tracemalloc.get_traced_memory()[1] - before
        del result
        return peak
    finally:
        tracemalloc.stop()


# --- jobs ---------------------------------------------------------------------------------------------------------


def chain(count: int, rows: int, asked: list[int]) -> list[Job]:
    """Jobs that each need the two before, as the planes of a stack do. asked: gets an item for each call of a job's `needs`."""
    jobs: list[Job] = []
    for i in range(count):
        before = jobs[max(0, i - 2) :]

        def needs(last: int, before: list[Job] = before) -> list[tuple[Job, int]]:
            asked.append(last)
            return [(job, min(job.rows, last + 4)) for job in before]

        jobs.append(Job(rows, lambda first, last: None, needs))
    return jobs


def test_the_work_of_many_jobs_is_linear() -> None:
    """Each time that rows are done, only jobs that wait for them are asked. It was all jobs: 9 s for 2,000 planes, instead of 0.5 s."""
    asked: list[int] = []
    jobs = chain(1000, 40, asked)
    pipeline.run(jobs, 2)
    assert all(job.done == 40 for job in jobs)
    assert len(asked) < 12 * len(jobs)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_few_jobs_are_begun_at_once(threads: int) -> None:
    """If all planes refer to the first, the last of them could begin one by one, and each holds a state of megabytes."""
    begun: set[int] = set()
    most: list[int] = []
    lock = threading.Lock()

    def job(i: int, first: list[Job]) -> Job:
        def run(start: int, stop: int) -> None:
            with lock:
                begun.add(i)
                most.append(len(begun))
                if stop == 64:
                    begun.remove(i)

        return Job(64, run, lambda last: [(other, min(64, last + 4)) for other in first])

    root = job(0, [])
    jobs = [root, *(job(i, [root]) for i in range(1, 60))]
    pipeline.run(jobs, threads)
    assert all(j.done == 64 for j in jobs)
    assert max(most) <= pipeline.most_begun(threads)


def test_jobs_without_rows_are_done() -> None:
    done: list[int] = []
    empty = Job(0, lambda a, b: done.append(b), lambda last: [])
    pipeline.run([empty, Job(20, lambda a, b: done.append(b), lambda last: [(empty, 0)])], 2)
    assert done == [16, 20]


def test_references_of_many_planes() -> None:
    known = tuple(Source(i % 3) for i in range(50))
    for drawn, most in ((False, 2), (True, 3)):
        for i, p in enumerate(plans.usual_planes(known, drawn)):
            live = [j for j in range(i) if j % 3]
            assert p == Plane(i, i % 3, tuple(live[: -most - 1 : -1]) if drawn else tuple(live[-most:]))


# --- threads ------------------------------------------------------------------------------------------------------


def test_few_items_are_handed_out_before_they_are_done() -> None:
    taken = 0
    gate = threading.Event()

    def items() -> Iterator[int]:
        nonlocal taken
        for i in range(5000):
            taken += 1
            if taken == 2 * parallel.AHEAD:
                gate.set()
            yield i

    def work(i: int) -> int:
        assert gate.wait(60)
        return i if i else taken

    found = parallel.run(work, items(), 2)
    assert found[0] <= 2 * parallel.AHEAD + 1
    assert found[1:] == list(range(1, 5000))


def test_once_is_once() -> None:
    calls: list[int] = []

    def make() -> int:
        calls.append(1)
        if len(calls) == 1:
            raise MemoryError
        return len(calls)

    once = parallel.Once(make)
    with pytest.raises(MemoryError):
        once()
    assert parallel.run(lambda i: once(), range(20), 4) == [2] * 20


def test_once_tries_damaged_data_once() -> None:
    calls: list[int] = []

    def make() -> int:
        calls.append(1)
        raise FormatError("damaged")

    once = parallel.Once(make)
    for _ in range(3):
        with pytest.raises(FormatError, match=r"\Adamaged\Z"):
            once()
    assert calls == [1]


def test_salvage_decodes_a_damaged_network_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was decoded anew for each tile: 9 KB of file could take minutes."""
    monkeypatch.setattr(inr, "TILE_PLACES", 100)
    samples = np.random.default_rng(0).integers(0, 9, (30, 20)).astype(np.uint8)
    opened = codec.open_bytes(inrcodec.encode(samples, **FAST))
    assert opened.layout.tiles > 2
    content = next(s.content for s in opened.sections if s.type == b"NETW")
    (numbers,) = network.parse(content, opened.layout.axes, opened.layout.channels, opened.header.value_map.bits).numbers
    sections = [Section(s.type, s.content.replace(numbers, b"\xff" * len(numbers))) for s in opened.sections]
    codec.prove(opened.decoder)  # it decodes other networks, once in a process
    with mock.patch.object(integers, "decode", side_effect=integers.decode) as decode:
        found = inrcodec.salvage(container.write(sections), threads=2)
    assert len(found.lost) == opened.layout.tiles
    assert decode.call_count == 1


# --- stored -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [1, 7, 8, 9, 16, 17, 24, 32, 33, 40, 56, 57, 64])
def test_stored_tiles_take_the_narrowest_type(bits: int) -> None:
    values = np.random.default_rng(bits).integers(0, 2**bits, (37, 50, 3), np.uint64)
    values[0, 0] = 2**bits - 1
    layout = Layout((37, 50), 3, (37, 50))
    width = -(-bits // 8)
    little = values.astype("<u8").reshape(-1, 1).view(np.uint8)[:, :width]
    planar = np.moveaxis(values, -1, 0).astype("<u8").reshape(-1, 1).view(np.uint8)[:, :width].T
    packed = np.packbits((values.reshape(-1, 1) >> np.arange(bits - 1, -1, -1, dtype=np.uint64)) & np.uint64(1))
    for mode, plain in enumerate((packed, little, planar, packed)):
        data = plain.tobytes() if mode == 0 else compress(plain.tobytes(), 1)
        found = stored.Decoder(layout, bits).decode_tile(layout.box(0), bytes([mode]) + data)
        assert found.dtype == np.dtype(f"u{min(n for n in (1, 2, 4, 8) if 8 * n >= bits)}")
        assert (found == values).all()


@pytest.mark.parametrize("bits", [1, 8, 12, 24, 64])
def test_stored_tiles_take_the_memory_that_is_told(bits: int) -> None:
    """It was up to 17 times the values."""
    count = 3_000_000
    layout = Layout((count,), 1, (count,))
    box = layout.box(0)
    decoder = stored.Decoder(layout, bits)
    for mode in range(4):
        size = count * -(-bits // 8) if mode in (1, 2) else (count * bits + 7) // 8
        data = bytes([mode]) + (compress(bytes(size), 1) if mode else bytes(size))
        peak = peak_of(lambda data=data: decoder.decode_tile(box, data))  # type: ignore[misc]
        assert peak <= decoder.memory(box)
        assert peak <= 3.5 * count * -(-bits // 8) + (8 << 20)


def test_a_constant_takes_no_memory() -> None:
    """It took 2.3 GB for 2^28 samples."""
    layout = Layout((1 << 20, 1 << 20), 1, (1 << 20, 1 << 20))
    decoder = stored.Decoder(layout, 0)
    assert decoder.memory(layout.box(0)) == 0
    assert peak_of(lambda: decoder.decode_tile(layout.box(0), b"")) < 1 << 16


# --- inr ----------------------------------------------------------------------------------------------------------


def netw(a: Architecture, weights: str, s: int = 0) -> bytes:
    """Section NETW of a network of zeros; with "sinr", each vector has s values of 1."""
    sparse = [weights == "sinr" and is_sparse for is_sparse in network.sparse_layers(a)]
    codes: list[sinr.Sparse | None] = []
    for shape, is_sparse in zip(a.shapes, sparse, strict=True):
        vectors, length = sinr.vector_shape(shape)
        positions = np.tile(np.arange(min(s, length)), (vectors, 1))
        codes.append(sinr.Sparse(shape, positions, np.ones_like(positions)) if is_sparse else None)
    layers = [Layer(np.zeros(shape, np.int32), np.zeros(shape[0], np.int64), 1, 30) for shape in a.shapes]
    cells = [Cells(np.zeros((x.cells(a.sizes), x.features), np.int32), int(not x.direct), 0) for x in a.levels]
    joint, halvings = None, None
    if a.form == "values":
        joint = Joint(np.arange(a.channels), np.zeros((a.channels, a.channels), np.int64), np.full(a.channels, 64))
        halvings = np.zeros(a.outputs, np.int64)
    coded = CodedNetwork(
        Network(a, [layers] * a.networks, cells, halvings), weights, 1, np.full(a.planes, 64, np.uint8), joint, False,
        [codes] * a.networks if weights == "sinr" else (), (1,) * len(a.configurations),
    )  # fmt: skip
    return network.write(coded)


@pytest.mark.parametrize("weights", ["uniform", "sinr"])
def test_info_decodes_no_network(weights: str) -> None:
    """It took an hour for a file of 326 bytes."""
    samples = np.random.default_rng(0).integers(0, 9, (9, 7)).astype(np.uint8)
    data = inrcodec.encode(samples, **{**FAST, "hidden": 60, "layers": 2, "weights": weights})
    expected = inrcodec.info(data)
    with mock.patch.object(integers, "decode", side_effect=AssertionError), mock.patch.object(sinr, "decode", side_effect=AssertionError):
        assert inrcodec.info(data) == expected
        with pytest.raises(AssertionError):
            inrcodec.decode(data)


def test_a_fault_in_the_numbers_is_found_by_the_first_tile() -> None:
    samples = np.random.default_rng(0).integers(0, 9, (9, 7)).astype(np.uint8)
    data = inrcodec.encode(samples, **FAST)
    sections = container.read(data)
    content = next(s.content for s in sections if s.type == b"NETW")
    broken = container.write([Section(s.type, content[:-60] + bytes([255] * 60) if s.type == b"NETW" else s.content) for s in sections])
    opened = codec.open_bytes(broken)
    for _ in range(2):
        with pytest.raises(FormatError):
            opened.decoder.decode_tile(opened.layout.box(0), opened.tile(0))


@pytest.mark.parametrize("what", ["multiplier", "shift", "left over", "cut"])
def test_what_is_cheap_to_check_is_checked_first(what: str) -> None:
    content = netw(Architecture((9, 7), 1, 8, 6, 1), "uniform")
    at = 8  # form, flags, hidden, layers, octaves, coding, setting, error
    assert content[at : at + 2] == b"\x01\x1e"
    broken = {
        "multiplier": content[:at] + varint(1 << 31) + content[at + 1 :],
        "shift": content[: at + 1] + b"\x3f" + content[at + 2 :],
        "left over": content + b"\0",
        "cut": content[:-1],
    }[what]
    network.parse(content, (9, 7), 1, 8)
    with pytest.raises(FormatError):
        network.parse(broken, (9, 7), 1, 8)


SIZES = 400, 300
LARGE = [
    (Architecture(SIZES, 1, 8, 900, 3), "uniform", 0),
    (Architecture(SIZES, 1, 8, 700, 2), "sinr", 700),
    (Architecture(SIZES, 1, 8, 700, 2), "sinr", 9),
    (Architecture(SIZES, 1, 8, 800, 3, widths=(1, 400, 800), depths=(1, 2, 3)), "uniform", 0),
    (Architecture(SIZES, 1, 8, 400, 9, widths=(400,), depths=(9,)), "uniform", 0),
    (Architecture(SIZES, 1, 8, 250, 2, "bitlinear", "mlp", "gelu", 5, normalized=True, biased=False), "ternary", 0),
    (Architecture(SIZES, 3, 8, 9, 1, "values", levels=(Level(0, 3, direct=True), Level(0, 9), Level(1, 1))), "uniform", 0),
    (Architecture(SIZES, 3, 8, 9, 1, "values", levels=(Level(3, 4, 19),)), "uniform", 0),
    (Architecture(SIZES, 3, 8, 9, 1, "values", levels=(Level(0, 1),) * 32), "sinr", 9),
]
SMALL = [
    (Architecture(SIZES, 1, 8, 1, 1, octaves=24), "uniform", 0),
    (Architecture(SIZES, 3, 8, 24, 2), "uniform", 0),
    (Architecture(SIZES, 4, 64, 3, 1, octaves=3), "uniform", 0),
    (Architecture(SIZES, 3, 8, 16, 2, "siren", bit_places=9, colour=True), "uniform", 0),
    (Architecture(SIZES, 3, 8, 16, 2, "bitlinear", "mlp", "gelu", 5, normalized=True, biased=False), "ternary", 0),
    (Architecture(SIZES, 3, 8, 24, 2, body="filters", octaves=2), "uniform", 0),
    (Architecture(SIZES, 3, 8, 24, 3, body="recurrent", activation="gaussian", normalized=True), "uniform", 0),
    (Architecture(SIZES, 4, 24, 2, 1, "values", scales=True), "uniform", 0),
    (Architecture(SIZES, 1, 1, 1, 1, "values"), "uniform", 0),
    (Architecture(SIZES, 4, 8, 2, 1, "values", colour=True, octaves=2), "uniform", 0),
    (Architecture(SIZES, 4, 8, 1, 1, "values", levels=(Level(1, 100), Level(2, 100, 9), Level(0, 4, 0, True))), "uniform", 0),
    (Architecture(SIZES, 1, 8, 1, 1, "values", levels=(Level(0, 1, 0, True),)), "uniform", 0),
    (Architecture(SIZES, 1, 8, 6, 1, "values", activation="gelu", scales=True, levels=(Level(1, 1), Level(0, 1, 0, True))), "uniform", 0),
    (Architecture(SIZES, 1, 8, 24, 2, widths=(4, 24), depths=(1, 2)), "uniform", 0),
]


@pytest.mark.parametrize(("a", "weights", "s"), LARGE, ids=range(len(LARGE)))
def test_a_network_takes_the_memory_that_is_told(a: Architecture, weights: str, s: int) -> None:
    decoder = inr.open_decoder(netw(a, weights, s), Layout(SIZES, a.channels, SIZES), a.bits)
    peak = peak_of(decoder.coded)
    assert peak <= decoder.shared < 3 * peak + (64 << 20)


@pytest.mark.parametrize(("a", "weights", "s"), SMALL, ids=range(len(SMALL)))
def test_inr_takes_the_memory_that_is_told(a: Architecture, weights: str, s: int) -> None:
    """With many octaves and few units it was 245 numbers for each of 4 million places: 8 GB."""
    layout = Layout(SIZES, a.channels, SIZES)
    decoder = inr.open_decoder(netw(a, weights, s), layout, a.bits)
    box, data = layout.box(0), bytes(1_000_000)

    def decode() -> None:
        with pytest.raises(FormatError, match="no bit needs"):  # the tile is longer than it should be
            decoder.decode_tile(box, data)

    peak = peak_of(decode)
    assert peak <= decoder.memory(box) + decoder.shared < 3 * peak + (64 << 20)


@pytest.mark.parametrize("sizes", [(2, 60000), (60000, 2), (120000,), (1, 1, 1, 120000)])
def test_long_axes_take_the_memory_that_is_told(sizes: tuple[int, ...]) -> None:
    """What is kept of a row of values."""
    a = Architecture(sizes, 4, 8, 1, 1, "values")
    layout = Layout(sizes, 4, sizes)
    decoder = inr.open_decoder(netw(a, "uniform"), layout, 8)
    data = bytes(1_000_000)

    def decode() -> None:
        with pytest.raises(FormatError, match="no bit needs"):
            decoder.decode_tile(layout.box(0), data)

    assert peak_of(decode) <= decoder.memory(layout.box(0)) + decoder.shared


@pytest.mark.parametrize(("a", "weights", "s"), SMALL, ids=range(len(SMALL)))
def test_rendering_takes_the_memory_that_is_told(a: Architecture, weights: str, s: int) -> None:
    layout = Layout(SIZES, a.channels, SIZES)
    decoder = inr.open_decoder(netw(a, weights, s), layout, a.bits)
    box = (slice(0, 300), slice(100, 500))
    told = decoder.memory(box) + decoder.shared
    assert peak_of(lambda: decoder.alone((800, 600), box, decoder.most_extra)) <= told + 4 * 300 * 400 * a.channels  # wider values


@pytest.mark.parametrize("shape", [(30, 64), (7, 49), (100, 20), (1, 3)])
def test_sparse_codes_expand_in_blocks(shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    vectors, length = sinr.vector_shape(shape)
    size = sinr.dictionary_size(length)
    positions = np.stack([np.sort(rng.permutation(size)[: size // 2]) for _ in range(vectors)])
    code = sinr.Sparse(shape, positions, rng.integers(-32768, 32768, positions.shape))
    dictionary = atoms(length, np.arange(size), 5).astype(np.int64)
    expected = [
        sum((v * dictionary[p] for p, v in zip(ps, vs, strict=True)), 0 * dictionary[0])
        for ps, vs in zip(positions, code.values, strict=True)
    ]
    for block in (sinr.BLOCK, 1000, 1):
        monkeypatch.setattr(sinr, "BLOCK", block)
        assert (sinr.expand(code, 5) == sinr.from_vectors(np.array(expected), shape)).all()


def test_inr_tells_how_far_it_is_and_stops_inside_a_tile(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = np.random.default_rng(0).integers(0, 9, (30, 20)).astype(np.uint8)
    monkeypatch.setattr(inr, "CHUNK_VALUES", 800)
    seen: list[Progress] = []
    data = inrcodec.encode(samples, progress=seen.append, verify=False, **FAST)
    assert len([p for p in seen if p.stage == "coding"]) == 6
    assert seen[-1].fraction == 1
    shares: list[float] = []
    opened = codec.open_bytes(data)
    opened.decoder.decode_tile(opened.layout.box(0), opened.tile(0), 1, shares.append)
    assert len(shares) == 6
    assert sum(shares) == pytest.approx(1)
    asked: list[bool] = []

    def stop() -> bool:
        asked.append(True)
        return len(asked) > 2

    with pytest.raises(Stopped):
        codec.decode(data, Options(threads=1, stop=stop))
    assert len(asked) == 3


def test_a_stop_of_the_fit_still_makes_a_file() -> None:
    """Nor does a stop while tiles are coded undo the fit."""
    samples = np.random.default_rng(0).integers(0, 9, (30, 20)).astype(np.uint8)
    seen: list[Progress] = []
    data = inrcodec.encode(samples, progress=seen.append, stop=lambda: any(p.step for p in seen), **{**FAST, "steps": 10**6})
    assert {p.stage for p in seen} == {"fit", "coding", "decoding"}
    assert (inrcodec.decode(data).samples == samples).all()


# --- pictures -----------------------------------------------------------------------------------------------------


def with_section(data: bytes, content: bytes) -> bytes:
    return container.write([Section(s.type, content) if s.type == b"HYBR" else s for s in container.read(data)])


def spread() -> npt.NDArray[np.uint16]:
    """Samples that take a table."""
    return (photo(60, 50, 1, 300).astype(np.uint16) ** 2 % 65521 // 101 * 101).astype(np.uint16)


def test_info_expands_no_table() -> None:
    """65,536 sources could each have a table of 65,536 values in 20 bytes."""
    data = inrcodec.encode(Signal(spread(), "image"), profile="hybrid", effort=1, verify=False, compact=False)
    plan = plans.read(next(s.content for s in container.read(data) if s.type == b"HYBR"), 1, 16)
    with mock.patch.object(sources, "decompress", side_effect=AssertionError):
        assert inrcodec.info(data)["network"]["tables"] == 1
    written = plan.sources[0].written
    assert written is not None
    wrong = replace(plan, sources=(replace(plan.sources[0], written=replace(written, packed=b"\x06")),))
    assert inrcodec.info(with_section(data, plans.write(wrong)))["network"]["tables"] == 1
    with pytest.raises(FormatError, match="table"):
        inrcodec.decode(with_section(data, plans.write(wrong)))


def with_deltas(data: bytes, channels: int, number: list[int]) -> tuple[bytes, PicturePlan]:
    """A file with a delta of one number for the networks of all its planes, and its plan."""
    plan = plans.read(next(s.content for s in container.read(data) if s.type == b"HYBR"), channels, 8)
    units, inputs = plan.model.units, inputs_of(scan.taps(scan.RASTER[0], 0, plan.planes[0].references))
    sizes = [rows * columns for rows, columns in contextnet.shapes(inputs, units)]
    coded = integers.encode([*(np.zeros(n, np.int64) for n in sizes[:2]), np.array(number + [0] * (sizes[2] - 1))])
    found = replace(plan, deltas=(Delta(0, 0, 20, "uniform", 4, ((128, 20),) * 3, coded),))
    return with_section(data, plans.write(found)), found


def test_info_expands_no_delta_and_reads_no_prior() -> None:
    data, plan = with_deltas(inrcodec.encode(Signal(photo(100, 90), "image"), profile="hybrid", verify=False, compact=False), 3, [5])
    with mock.patch.object(deltas, "apply", side_effect=AssertionError), mock.patch.object(shipped, "named", side_effect=AssertionError):
        found = inrcodec.info(data)
    prior = shipped.named(plan.model.prior, plan.model.units)[shipped.network_name("raster", 0, lattice=False)]
    assert found["weights"]["parameters"] == len(prior)
    with pytest.raises(FormatError):
        inrcodec.decode(with_deltas(data, 3, [1 << 31])[0])


def test_a_tile_that_fails_gives_its_memory_back() -> None:
    """The next tile was decoded beside it: twice the memory that is told."""
    opened = codec.open_bytes(inrcodec.encode(photo(40, 50, 3), profile="hybrid", kind="image", effort=3, verify=False, compact=False))
    tile = opened.decoder._tile(opened.layout.box(0))  # type: ignore[attr-defined]
    streams = streams_of(opened.tile(0), len(tile.jobs))
    streams[0] = streams[0][: len(streams[0]) // 2]
    with pytest.raises(FormatError, match="ends too early"):
        tile.decode(b"".join([varint(len(s)) for s in streams] + streams), 1, lambda _: None)
    assert all(p.state is None for p in tile.passes)


def test_a_delta_is_expanded_once() -> None:
    """It was expanded for each tile: a megabyte of small tiles could take hours."""
    data, plan = with_deltas(inrcodec.encode(Signal(photo(100, 90), "image"), profile="hybrid", verify=False, compact=False), 3, [5])
    opened = codec.open_bytes(data)
    with mock.patch.object(deltas, "apply", side_effect=deltas.apply) as apply:
        for _ in range(3):
            with suppress(FormatError):  # the tile was coded without the delta
                opened.decoder.decode_tile(opened.layout.box(0), opened.tile(0))
    assert apply.call_count == len(plan.deltas) == 1


def test_a_delta_of_a_pass_that_is_not_coded_is_checked() -> None:
    data, plan = with_deltas(inrcodec.encode(Signal(photo(100, 90), "image"), profile="hybrid", verify=False, compact=False), 3, [0])
    assert inrcodec.decode(data).equals(Signal(photo(100, 90), "image"))
    unused = replace(plan.deltas[0], pass_=scan.NAMES.index("quarter"), data=b"\xff" * 9)
    with pytest.raises(FormatError):
        inrcodec.decode(with_section(data, plans.write(replace(plan, deltas=(unused,)))))


def test_sizes_of_stages_need_no_planes() -> None:
    """It was a MemoryError."""
    layout = Layout((1 << 20, 1 << 20), 3, (1 << 20, 1 << 20))
    plan = PicturePlan(Direct(), (Source(255),) * 3, tuple(Plane(i, 255) for i in range(3)), PictureModel(0, 0, 0, False))
    data = varint(5) + varint(7) + varint(0) + bytes(12)
    decoder = coding.Decoder(plan, layout)
    assert peak_of(lambda: decoder.stages([data], False)) < 1 << 20
    assert [stage["bytes"] for stage in decoder.stages([data], False)] == [5, 7, 0]


def test_palettes_of_many_planes_are_refused() -> None:
    """65,536 planes of 4,096 colours are half a gigabyte, and Brotli writes them in some hundred bytes."""
    many = tuple(Source(1) for _ in range(5))
    with pytest.raises(FormatError, match="four planes"):
        Palette.read(Reader(Palette(np.zeros((2, 5), np.int64)).write(), "a test"), many)


def stack() -> npt.NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 99, (600, 5, 5)).astype(np.uint8)


PICTURES: dict[str, tuple[Callable[[], npt.NDArray[Any]], int]] = {
    "grey": (lambda: photo(300, 200, 1), 3),
    "16 bits": (lambda: photo(200, 200, 2, 65535), 1),
    "lattice": (lambda: converted(200, 200), 3),
    "palette": (lambda: (photo(300, 200, 3) // 64 * 64).astype(np.uint8), 3),
    "wide": (lambda: photo(1, 20000, 1), 3),
    "tall": (lambda: photo(20000, 1, 1), 3),
    "stack": (stack, 3),
    "drawn": (lambda: np.kron(photo(20, 20, 3), np.ones((9, 9, 1), np.uint8)), 3),
}


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", PICTURES)
def test_pictures_take_the_memory_that_is_told(name: str, threads: int) -> None:
    make, effort = PICTURES[name]
    samples = make()
    signal = Signal(samples, "array" if name == "stack" else "image")
    opened = codec.open_bytes(inrcodec.encode(signal, profile="hybrid", effort=effort, verify=False))
    box, decoder = opened.layout.box(0), opened.decoder
    peak = peak_of(lambda: decoder.decode_tile(box, opened.tile(0), threads))
    assert peak <= decoder.memory(box, threads) + decoder.shared < 3 * peak + (16 << 20)


def test_planes_that_wait_for_one_take_the_memory_that_is_told() -> None:
    planes = tuple(Plane(i, 255, (0,) if i else ()) for i in range(200))
    plan = PicturePlan(Direct(), (Source(255),) * 200, planes, PictureModel(least_squares=2, contexts="graphics", lines=16))
    size = 64, 64
    each = [tile_memory.state(scan.RASTER[0], p, size, plan) for p in planes]
    assert tile_memory.memory(plan, size, 2) < pipeline.most_begun(2) * max(each) + 16 * 200 * 64 * 64 + (1 << 20)


# --- sound --------------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 2**40)), st.binary(max_size=9))
def test_varints_at_once_are_those_one_by_one(numbers: list[int], more: bytes) -> None:
    for data in (b"".join(map(varint, numbers)), b"".join(map(varint, numbers)) + more):
        r = Reader(data, "a test")
        expected: list[int] = []
        try:
            while r.left:
                expected.append(min(r.varint(2**70), 2**48))
        except FormatError:
            with pytest.raises(FormatError):
                sound_plans.varints(data, "a test")
        else:
            assert np.minimum(sound_plans.varints(data, "a test"), 2**48).tolist() == expected


def test_a_table_that_ends_early_is_refused() -> None:
    good = sound_plans.pack_table(np.array([3, 9, 200]))
    assert sound_plans._read_table(Reader(good, "a test"), 2, 8).tolist() == [3, 9, 200]
    for largest, bits in ((1, 8), (3, 8), (2, 7)):
        with pytest.raises(FormatError):
            sound_plans._read_table(Reader(good, "a test"), largest, bits)


@pytest.mark.parametrize(("channels", "effort"), [(1, 1), (2, 3), (8, 2), (2, 4)])
def test_sounds_take_the_memory_that_is_told(channels: int, effort: int) -> None:
    steps = np.random.default_rng(0).integers(-40, 41, (30000 if effort < 4 else 5000, channels))
    signal = Signal(np.cumsum(steps, 0).astype(np.int16), "audio", 16, 8000)
    opened = codec.open_bytes(inrcodec.encode(signal, profile="hybrid", effort=effort, verify=False))
    box = opened.layout.box(0)
    peak = peak_of(lambda: opened.decoder.decode_tile(box, opened.tile(0)))
    assert peak <= opened.decoder.memory(box)
    assert opened.decoder.memory(box) < 3 * peak + (4 << 20)
