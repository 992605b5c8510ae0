"""The codec of Zarr v3: types, parts of chunks, shards, damage, other processes, xarray."""

import importlib
import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as of_numpy

import inrcodec
from inrcodec import FormatError, MissingError, UnsupportedError, chunks, codec, compact
from inrcodec.files import optional
from inrcodec.layout import Layout
from inrcodec.profiles.hybrid.arrays import analysis
from tests import cold

zarr = pytest.importorskip("zarr")
from zarr.codecs import Crc32cCodec  # noqa: E402
from zarr.core.buffer import cpu, default_buffer_prototype  # noqa: E402
from zarr.dtype import VariableLengthBytes  # noqa: E402
from zarr.registry import register_codec  # noqa: E402
from zarr.storage import LocalStore, MemoryStore  # noqa: E402

import inrcodec.zarr  # noqa: E402
from inrcodec.zarr import InrcodecCodec  # noqa: E402

Array = npt.NDArray[Any]
random = np.random.default_rng(0)
CODEC = InrcodecCodec(effort=1)
HYBRID = InrcodecCodec(effort=1, profile="hybrid")  # the profile with bricks
UNSTABLE = "ignore:The data type"  # a warning of Zarr


@pytest.fixture(autouse=True)
def _registered() -> None:
    register_codec("inrcodec", InrcodecCodec)


class Counting(MemoryStore):
    """A store that notes which bytes of chunks were read: (key, bytes)."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: list[tuple[str, int]] = []

    async def get(self, key: str, prototype: Any = None, byte_range: Any = None) -> Any:
        found = await super().get(key, prototype or default_buffer_prototype(), byte_range)
        if not key.endswith("zarr.json"):
            self.reads.append((key, 0 if found is None else len(found)))
        return found

    @property
    def bytes_read(self) -> int:
        return sum(size for _, size in self.reads)


def create(store: Any, array: Array, chunk: tuple[int, ...], serializer: Any = CODEC, **more: Any) -> Any:
    return zarr.create_array(store, data=array, chunks=chunk, serializer=serializer, compressors=None, **more)


@pytest.fixture
def _small_bricks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks are cut into small bricks, and little is read at first, as if they were large."""
    monkeypatch.setattr(analysis, "DIVIDED", 64)
    monkeypatch.setattr(analysis, "LARGEST_BRICK", 64)
    monkeypatch.setattr(analysis, "LARGEST_ROW", 64)
    monkeypatch.setattr(analysis, "LARGEST_SLICE", 64)
    monkeypatch.setattr(analysis, "LARGEST_SET", 64)
    monkeypatch.setattr(chunks, "FIRST_READ", 128)
    monkeypatch.setattr(chunks, "GAP", 0)
    monkeypatch.setattr(compact, "LARGEST", 0)


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of the bricks that are decoded."""
    found: list[int] = []
    original = codec.Opened._tile

    def noting(self: codec.Opened, index: int, *more: Any) -> Any:
        found.append(index)
        return original(self, index, *more)

    monkeypatch.setattr(codec.Opened, "_tile", noting)
    return found


# --- types --------------------------------------------------------------------------------------------------------

TYPES = ["?", "i1", "u2", ">i4", "u8", "f2", ">f4", "f8", "c8", "c16", "M8[s]", "m8[us]", "U4", ">U3", "S5"]


@pytest.mark.filterwarnings(UNSTABLE)
@pytest.mark.parametrize("name", TYPES)
def test_types_come_back(name: str) -> None:
    array = random.integers(0, 99, (7, 9)).astype(name)
    a = create(MemoryStore(), array, (4, 5))
    for wanted in (np.s_[...], np.s_[2:6, 3], np.s_[3, 4]):
        assert a[wanted].dtype.newbyteorder("=") == array.dtype.newbyteorder("=")
        assert np.array_equal(a[wanted], array[wanted])


@pytest.mark.filterwarnings(UNSTABLE)
def test_records_come_back() -> None:
    array = np.array([(1, b"a", 2.5), (2, b"bcd", -0.0)] * 6, [("n", ">i4"), ("t", "S3"), ("f", "f8")])
    assert create(MemoryStore(), array, (5,))[:].tolist() == array.tolist()


@pytest.mark.parametrize("shape", [(), (1,), (3, 4, 5, 6, 2), (2, 1, 3, 1, 2, 3)])
def test_axes_come_back(shape: tuple[int, ...]) -> None:
    array = random.integers(0, 99, shape).astype("i2")
    a = create(MemoryStore(), array, tuple(max(1, n // 2) for n in shape))
    assert a[...].shape == shape
    assert (a[...] == array).all()


def test_chunks_do_not_depend_on_the_byte_order() -> None:
    array = random.integers(0, 999, (20, 20)).astype("i4")
    stores = [MemoryStore(), MemoryStore()]
    for store, name in zip(stores, "<>", strict=True):
        create(store, array.astype(f"{name}i4"), (20, 20))
    little, big = (store._store_dict["c/0/0"].to_bytes() for store in stores)
    assert little == big


def test_text_of_any_length_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="no fixed size"):
        zarr.create_array(MemoryStore(), shape=(3,), chunks=(2,), dtype=VariableLengthBytes(), serializer=CODEC, compressors=None)


def test_chunks_of_the_fill_value_are_not_written() -> None:
    store = MemoryStore()
    a = zarr.create_array(store, shape=(9, 9), chunks=(3, 3), dtype="f4", fill_value=np.nan, serializer=CODEC, compressors=None)
    a[:3] = 1
    a[0:3, 0:3] = np.nan
    assert sorted(key for key in store._store_dict if key != "zarr.json") == ["c/0/1", "c/0/2"]
    assert np.isnan(a[4:6, 1]).all()
    assert np.isnan(a[:, :2]).all()
    assert (a[:3, 3:] == 1).all()


def test_sound_is_coded_as_sound() -> None:
    store, array = MemoryStore(), (9000 * np.sin(np.arange(4000) / 9)).astype("i2").reshape(-1, 2)
    a = create(store, array, (1000, 2), InrcodecCodec(effort=1, sample_rate=8000))
    assert inrcodec.info(store._store_dict["c/0/0"].to_bytes())["kind"] == "audio"
    assert (a[990:1010, 1] == array[990:1010, 1]).all()


def test_codecs_may_follow_and_precede() -> None:
    array, store = random.integers(0, 99, (30, 40)).astype("u2"), Counting()
    a = zarr.create_array(
        store, data=array, chunks=(20, 20), filters=[{"name": "transpose", "configuration": {"order": [1, 0]}}], serializer=CODEC,
        compressors=[Crc32cCodec()],
    )  # fmt: skip
    assert (a[3:7, 15:25] == array[3:7, 15:25]).all()
    assert (zarr.open_array(store)[...] == array).all()


# --- configuration ------------------------------------------------------------------------------------------------


def test_configuration() -> None:
    assert CODEC.to_dict() == {"name": "inrcodec", "configuration": {"effort": 1}}
    assert InrcodecCodec.from_dict({"name": "inrcodec"}) == InrcodecCodec()
    for given_codec in (CODEC, InrcodecCodec(2, "stored", 8000)):
        assert InrcodecCodec.from_dict(json.loads(json.dumps(given_codec.to_dict()))) == given_codec
    assert InrcodecCodec(1, threads=3, verify=False) == CODEC
    with pytest.raises(NotImplementedError):
        CODEC.compute_encoded_size(9, None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        ({"name": "gzip"}, "not the metadata of codec inrcodec"),
        ({"name": "inrcodec", "configuration": {"level": 3}}, "codec inrcodec has no option 'level'; it has effort, profile, sample_rate"),
        ({"name": "inrcodec", "configuration": {"effort": 9}}, "effort is 9"),
        ({"name": "inrcodec", "configuration": {"effort": "1"}}, "effort is '1'"),
        ({"name": "inrcodec", "configuration": {"profile": "inr"}}, "profile is 'inr'"),
        ({"name": "inrcodec", "configuration": {"sample_rate": True}}, "sample_rate is True"),
        ({"name": "inrcodec", "configuration": [1]}, "not the metadata"),
    ],
)
def test_wrong_metadata_are_refused(data: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        InrcodecCodec.from_dict(data)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optional, "find_spec", lambda name: None)
    with pytest.raises(MissingError, match=r"inrcodec.zarr needs zarr; install with: pip install zarr"):
        importlib.reload(inrcodec.zarr)


def rough(*shape: int) -> Array:
    """An array of more bits than pictures have, so that it is coded brick by brick."""
    return np.cumsum(random.integers(-99999, 100000, shape), -1).astype("i4")


# --- parts of chunks ----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_small_bricks")
def test_of_a_large_chunk_only_bricks_that_are_met_are_read_and_decoded(decoded: list[int]) -> None:
    numbers, store = decoded, Counting()
    array = rough(64, 64)
    a = create(store, array, (64, 64), HYBRID)
    size = len(store._store_dict["c/0/0"])
    bricks = inrcodec.info(store._store_dict["c/0/0"].to_bytes())["tiles"]
    assert bricks["count"] == 64
    for wanted, count in ((np.s_[0, 0], 1), (np.s_[7:9, 7:9], 4), (np.s_[-1, -20:-10], 2), (np.s_[::33, 5], 2)):
        numbers.clear()
        store.reads.clear()
        assert (a[wanted] == array[wanted]).all()
        assert len(numbers) == len(set(numbers)) == count
        assert store.bytes_read < 700 + count * 2 * size / 64
    numbers.clear()
    assert (a.vindex[[3, 60, 3], [4, 60, 5]] == array[[3, 60, 3], [4, 60, 5]]).all()
    assert len(numbers) == 2
    numbers.clear()
    assert (a.oindex[[3, 60], [4, 60]] == array[np.ix_([3, 60], [4, 60])]).all()
    assert len(numbers) == 4


@pytest.mark.usefixtures("_small_bricks")
def test_a_whole_chunk_is_read_at_once() -> None:
    store, array = Counting(), rough(40, 40)
    a = create(store, array, (20, 40), HYBRID)
    store.reads.clear()
    assert (a[:] == array).all()
    assert store.reads == [(key, len(store._store_dict[key])) for key in ("c/0/0", "c/1/0")]


def test_a_small_chunk_is_read_at_once() -> None:
    store, array = Counting(), random.integers(0, 9, (20, 20)).astype("u2")
    a = create(store, array, (20, 20), HYBRID)
    store.reads.clear()
    assert a[3, 4] == array[3, 4]
    assert len(store.reads) == 1


@pytest.mark.usefixtures("_small_bricks")
def test_a_large_chunk_of_a_local_store_is_read_in_part(tmp_path: Path, decoded: list[int]) -> None:
    numbers, array = decoded, rough(64, 64)
    a = create(LocalStore(tmp_path / "s"), array, (64, 64), HYBRID)
    numbers.clear()
    assert (a[9:11, 3] == array[9:11, 3]).all()
    assert len(numbers) == 1


@pytest.mark.usefixtures("_small_bricks")
def test_shards_are_read_in_part(decoded: list[int]) -> None:
    numbers, store = decoded, Counting()
    array = rough(64, 64)
    a = create(store, array, (16, 16), HYBRID, shards=(32, 32))
    store.reads.clear()
    numbers.clear()
    assert (a[3:5, 17] == array[3:5, 17]).all()
    assert len(numbers) == 1
    assert store.bytes_read < len(store._store_dict["c/0/0"]) / 2
    assert (a[:] == array).all()
    a[5:40, 9] = 3
    array[5:40, 9] = 3
    assert (zarr.open_array(store)[:] == array).all()


@pytest.mark.usefixtures("_small_bricks")
def test_a_file_written_brick_by_brick_is_a_chunk_too(tmp_path: Path) -> None:
    """Its index is behind the bricks, so it is read whole."""
    array = rough(32, 32)
    with inrcodec.open(tmp_path / "c.linr", "w", shape=(32, 32), dtype="i4", chunks=(8, 8), effort=1) as f:
        f.write(array)
    store = MemoryStore()
    a = zarr.create_array(store, shape=(32, 32), chunks=(32, 32), dtype="i4", serializer=CODEC, compressors=None)
    store._store_dict["c/0/0"] = cpu.Buffer.from_bytes((tmp_path / "c.linr").read_bytes())
    assert (a[5:9, 3:20] == array[5:9, 3:20]).all()
    assert (a[:] == array).all()


INDEXES = ["basic", "oindex", "vindex", "mask"]


@pytest.mark.filterwarnings(UNSTABLE)
@pytest.mark.usefixtures("_small_bricks")
@settings(max_examples=25)
@given(data=st.data())
def test_any_selection_is_as_numpy_has_it(data: st.DataObject) -> None:
    shape = data.draw(of_numpy.array_shapes(min_dims=1, max_dims=5, min_side=1, max_side=9).filter(lambda shape: np.prod(shape) < 400))
    array = random.integers(0, 1 << 20, shape).astype(data.draw(st.sampled_from(["u1", "i4", "f8", "c8", "M8[s]", "S3"])))
    chunk = tuple(data.draw(st.integers(1, n)) for n in shape)
    a = create(MemoryStore(), array, chunk, HYBRID)
    kind = data.draw(st.sampled_from(INDEXES))
    if kind == "basic":
        wanted: Any = tuple(data.draw(st.integers(0, n - 1) | st.slices(n).filter(lambda s: (s.step or 1) > 0)) for n in shape)
        assert np.array_equal(a[wanted], array[wanted])
    elif kind == "oindex":
        lists = [sorted(data.draw(st.sets(st.integers(0, n - 1), min_size=1))) for n in shape]
        assert np.array_equal(a.oindex[tuple(lists)], array[np.ix_(*lists)])
    elif kind == "vindex":
        count = data.draw(st.integers(1, 5))
        points = tuple(np.array(data.draw(st.lists(st.integers(0, n - 1), min_size=count, max_size=count))) for n in shape)
        assert np.array_equal(a.vindex[points], array[points])
    else:
        mask = data.draw(of_numpy.arrays(bool, shape))
        assert np.array_equal(a.vindex[mask], array[mask])


@settings(max_examples=100)
@given(data=st.data())
def test_bricks_that_are_met_are_told(data: st.DataObject) -> None:
    """Compared with the bricks of all elements, selected by NumPy. None is missing; where no axes are merged, none is too many."""
    shape = data.draw(of_numpy.array_shapes(min_dims=1, max_dims=6, max_side=5))
    dtype = np.dtype(data.draw(st.sampled_from(["u1", "c16", "S3", "U2"])))
    sizes, _ = chunks.coded_like(shape, dtype)
    axes = sizes[:-1] if len(sizes) > 1 and data.draw(st.booleans()) else sizes  # the last may be one of channels
    layout = Layout(axes, 1, tuple(data.draw(st.integers(1, n)) for n in axes))
    numbers = np.empty(axes, int)
    for number, box in enumerate(layout.boxes()):
        numbers[box] = number
    of_parts = np.broadcast_to(numbers[..., None] if axes != sizes else numbers, sizes).reshape(*shape, -1)
    if data.draw(st.booleans()):
        wanted: Any = tuple(data.draw(st.integers(0, n - 1) | st.slices(n).filter(lambda s: (s.step or 1) > 0)) for n in shape)
    else:
        lists = [sorted(data.draw(st.sets(st.integers(0, n - 1), min_size=1))) for n in shape]
        count = min(map(len, lists))
        wanted = np.ix_(*lists) if data.draw(st.booleans()) else tuple(np.array(found[:count]) for found in lists)
    met = set(of_parts[wanted].reshape(-1).tolist())
    found = chunks.bricks_of(wanted, shape, sizes, layout)
    assert found == sorted(set(found))
    assert met <= set(found)
    if met and len(shape) + (np.prod(sizes) != np.prod(shape)) <= 4:
        assert met == set(found)


@pytest.mark.parametrize(
    ("given_selection", "expected"),
    [
        (3, (3, slice(None))),
        (..., (slice(None), slice(None))),
        ((..., 3), (slice(None), 3)),
        ((3, ...), (3, slice(None))),
        ((3, 4), (3, 4)),
    ],
)
def test_what_a_selection_leaves_out_is_whole(given_selection: Any, expected: tuple[Any, ...]) -> None:
    assert chunks.whole_selection(given_selection, 2) == expected


def test_any_thread_may_read() -> None:
    array = random.integers(0, 999, (60, 60)).astype("i4")
    a = create(MemoryStore(), array, (20, 20))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda i: a[i : i + 7, i:], range(40)))
    assert all((part == array[i : i + 7, i:]).all() for i, part in enumerate(found))


# --- damage -------------------------------------------------------------------------------------------------------


def damaged(data: bytes, at: int) -> cpu.Buffer:
    return cpu.Buffer.from_bytes(bytes([*data[:at], data[at] ^ 1, *data[at + 1 :]]))


@pytest.mark.usefixtures("_small_bricks")
@pytest.mark.parametrize("part", [np.s_[:], np.s_[40:50, 60]])
def test_a_damaged_chunk_is_named(part: Any) -> None:
    store, array = MemoryStore(), rough(64, 64)
    a = create(store, array, (64, 64), HYBRID)
    data = store._store_dict["c/0/0"].to_bytes()
    for at in [*range(0, 100, 11), *range(100, len(data), 1999)]:
        store._store_dict["c/0/0"] = damaged(data, at)
        if part == np.s_[:]:
            with pytest.raises(FormatError, match="c/0/0: "):
                a[part]
        else:  # what is damaged may not be needed
            with suppress(FormatError):
                assert (a[part] == array[part]).all()
    for cut in (0, 1, 9, 60, 127, 128, 300, len(data) - 1):
        store._store_dict["c/0/0"] = cpu.Buffer.from_bytes(data[:cut])
        if part == np.s_[:] or cut < len(data) // 2:
            with pytest.raises(FormatError, match="c/0/0: "):
                a[part]


def test_a_damaged_chunk_of_a_shard_is_named() -> None:
    store, array = MemoryStore(), rough(64, 64)
    a = create(store, array, (16, 16), HYBRID, shards=(32, 32))
    store._store_dict["c/0/1"] = damaged(store._store_dict["c/0/1"].to_bytes(), 90)
    with pytest.raises(FormatError, match=r"^chunk \([01], [01]\) of a shard: "):
        a[:]


@pytest.mark.parametrize(
    "data", [inrcodec.encode(np.arange(9, dtype="i4"), effort=1), inrcodec.encode(np.zeros((4, 4), "i2"), effort=1), b"x" * 99]
)
def test_another_file_is_no_chunk(data: bytes) -> None:
    store = MemoryStore()
    a = create(store, np.ones((4, 4), "i4"), (4, 4))
    store._store_dict["c/0/0"] = cpu.Buffer.from_bytes(data)
    for part in (np.s_[:], np.s_[2, 1]):
        with pytest.raises(FormatError, match=r"c/0/0: (it holds samples of type .* and the chunk has int32|not a .linr file)"):
            a[part]


# --- other processes ----------------------------------------------------------------------------------------------

WRITE = """
import sys, numpy as np, zarr
from inrcodec.zarr import InrcodecCodec
x = np.arange(60 * 50, dtype="f4").reshape(60, 50) / 4
zarr.create_array(sys.argv[1], name="a", data=x, chunks=(40, 40), serializer=InrcodecCodec(effort=1), compressors=None)
"""
READ = """
import sys, numpy as np, zarr
a = zarr.open_group(sys.argv[1], mode="r")["a"]
assert (a[30:50, 7] == (np.arange(60 * 50).reshape(60, 50) / 4)[30:50, 7]).all()
print(a.serializer.to_dict(), "inrcodec.zarr" in sys.modules)
"""


def test_another_process_reads_it_without_an_import(tmp_path: Path) -> None:
    notes = cold.installed(tmp_path / "notes")
    cold.python(WRITE, tmp_path / "s.zarr", notes=notes)
    known = {"name": "inrcodec", "configuration": {"effort": 1}}
    assert json.loads((tmp_path / "s.zarr" / "a" / "zarr.json").read_text())["codecs"] == [known]
    assert cold.python(READ, tmp_path / "s.zarr", notes=notes) == f"{known} True\n"


READ_XARRAY = """
import sys, numpy as np, xarray
ds = xarray.open_zarr(sys.argv[1], chunks=None, consolidated=False)
print(ds.t.dtype, float(ds.t.sel(time="2024-01-03").sum()), ds.time.values[-1], "inrcodec.zarr" in sys.modules)
"""


def test_xarray_writes_and_another_process_reads(tmp_path: Path) -> None:
    xarray = pytest.importorskip("xarray")
    time = np.arange("2024-01-01", "2024-01-09", dtype="M8[D]").astype("M8[ns]")
    t = random.normal(size=(8, 20, 30)).astype("f4")
    encoding = {name: {"serializer": CODEC, "compressors": None} for name in ("t", "time")}
    data = xarray.Dataset({"t": (("time", "y", "x"), t)}, {"time": time})
    data.to_zarr(tmp_path / "s.zarr", encoding=encoding, zarr_format=3, consolidated=False)
    assert xarray.open_zarr(tmp_path / "s.zarr", chunks=None, consolidated=False).load().identical(data)
    notes = cold.installed(tmp_path / "notes")
    told = cold.python(READ_XARRAY, tmp_path / "s.zarr", notes=notes).split()
    assert told == ["float32", str(float(t[2].sum())), "2024-01-08T00:00:00.000000000", "True"]
