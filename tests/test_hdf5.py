"""The filter of HDF5 through h5py: types, parts, damage, options, other processes, the end of Python."""

import gc
import importlib
import re
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.extra import numpy as of_numpy

from inrcodec import MissingError, Notice, chunks
from inrcodec.files import optional
from tests import cold

h5py = pytest.importorskip("h5py")
import inrcodec.hdf5  # noqa: E402
from inrcodec import hdf5  # noqa: E402

Array = npt.NDArray[Any]
random = np.random.default_rng(0)
FILTER = hdf5.filter(effort=1)
TYPES = ["?", "u1", "i1", "u2", ">i2", "i4", ">u4", "i8", "u8", "f2", ">f2", "f4", ">f4", "f8", "c8", ">c16", "S5"]


def values_of(dataset: Any) -> tuple[int, ...]:
    """The values of the filter that a dataset has."""
    return tuple(dataset._filters[str(hdf5.FILTER_ID)])


@pytest.mark.parametrize("name", TYPES)
def test_types_come_back(tmp_path: Path, name: str) -> None:
    array = np.cumsum(random.integers(0, 3, (7, 9)), 0).astype(name)
    with h5py.File(tmp_path / "a.h5", "w") as f:
        f.create_dataset("x", data=array, chunks=(4, 5), **FILTER)
    with h5py.File(tmp_path / "a.h5") as f:
        number = values_of(f["x"])[3]
        assert bool(number) == (name != "S5")
        assert number == 0 or name == "?" or hdf5.TYPES[number - 1] == np.dtype(name)
        assert f["x"].id.get_chunk_info(0).filter_mask == 0
        assert f["x"].dtype == array.dtype
        assert f["x"][...].tobytes() == array.tobytes()
        assert (f["x"][2:6, 3] == array[2:6, 3]).all()


def test_the_numbers_of_types_are_for_ever() -> None:
    """They are in files."""
    texts = "|u1 |i1 <u2 <i2 <u4 <i4 <u8 <i8 >u2 >i2 >u4 >i4 >u8 >i8 <f2 <f4 <f8 <c8 <c16 >f2 >f4 >f8 >c8 >c16"
    assert [dtype.str for dtype in hdf5.TYPES] == texts.split()
    assert hdf5.FILTER_ID == 413


def test_records_and_bool_that_is_no_bit_come_back(tmp_path: Path) -> None:
    records = np.array([(1, b"a", 2.5), (2, b"bcd", -0.0)] * 6, [("n", ">i4"), ("t", "S3"), ("f", "f8")])
    odd = np.array([0, 1, 2, 255], "u1").view(bool)
    with h5py.File(tmp_path / "a.h5", "w") as f:
        assert (f.create_dataset("r", data=records, chunks=(5,), **FILTER)[...] == records).all()
        f.create_dataset("b", data=odd, chunks=(4,), **FILTER)
    with h5py.File(tmp_path / "a.h5") as f:
        assert f["r"][...].tobytes() == records.tobytes()
        assert f["b"][...].tobytes() == odd.tobytes()


NUMBERS = of_numpy.integer_dtypes() | of_numpy.floating_dtypes() | of_numpy.complex_number_dtypes(sizes=(64, 128))


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(array=of_numpy.arrays(NUMBERS, of_numpy.array_shapes(max_dims=6, max_side=5)))
def test_any_array_comes_back(tmp_path: Path, array: Array) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as f:
        f.create_dataset("x", data=array, chunks=tuple(-(-n // 2) for n in array.shape), **FILTER)
    with h5py.File(tmp_path / "a.h5") as f:
        assert f["x"][...].tobytes() == array.tobytes()


def test_only_chunks_that_are_met_are_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    array, count = random.integers(0, 9, (40, 40)).astype("u2"), 0
    with h5py.File(tmp_path / "a.h5", "w") as f:
        f.create_dataset("x", data=array, chunks=(10, 10), **FILTER)
    original = chunks.decode

    def counting(*arguments: Any) -> Any:
        nonlocal count
        count += 1
        return original(*arguments)

    monkeypatch.setattr(chunks, "decode", counting)
    with h5py.File(tmp_path / "a.h5") as f:
        assert (f["x"][8:12, 3] == array[8:12, 3]).all()
        assert count == 2


def test_datasets_grow_and_are_written_in_part(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as f:
        x = f.create_dataset("x", (5, 7), "i4", chunks=(3, 3), maxshape=(None, 7), fillvalue=-1, **FILTER)
        x[1:4, 2:5] = 9
        x.resize((9, 7))
        x[8] = range(7)
        f.copy("x", "y")
        h5py.h5d.create(f.id, b"z", x.id.get_type(), x.id.get_space(), x.id.get_create_plist())  # its values are there already
        f["z"][...] = x[...]
        assert values_of(f["y"]) == values_of(f["z"]) == values_of(x) == (1, 1, 0, 6, 4, 3, 3)
    expected = np.full((9, 7), -1)
    expected[1:4, 2:5] = 9
    expected[8] = range(7)
    with h5py.File(tmp_path / "a.h5") as f:
        assert all((f[name][...] == expected).all() for name in "xyz")


def test_other_filters_may_be_there_too(tmp_path: Path) -> None:
    array = np.cumsum(random.integers(-9, 9, (40, 40)), 0).astype("i4")
    with h5py.File(tmp_path / "a.h5", "w") as f:
        f.create_dataset("x", data=array, chunks=(20, 20), shuffle=True, fletcher32=True, **FILTER)
    with h5py.File(tmp_path / "a.h5") as f:
        assert (f["x"][...] == array).all()


def write(path: Path, array: Array, **more: Any) -> None:
    with h5py.File(path, "w") as f:
        f.create_dataset("x", data=array, chunks=(50,), **more)


# --- options ------------------------------------------------------------------------------------------------------


def test_options(tmp_path: Path) -> None:
    sound = (9000 * np.sin(np.arange(4000) / 9)).astype("i2").reshape(-1, 2)
    with h5py.File(tmp_path / "a.h5", "w") as f:
        x = f.create_dataset("x", data=sound, chunks=(1000, 2), **hdf5.filter(effort=1, sample_rate=8000))
        assert values_of(x) == (1, 1, 8000, 4, 2, 1000, 2)
        f.flush()
        assert inrcodec.info(x.id.read_direct_chunk((0, 0))[1])["kind"] == "audio"
        assert values_of(f.create_dataset("y", (4,), "f4", chunks=(2,), compression=hdf5.FILTER_ID)) == (1, 4, 0, 16, 4, 2)
        one = f.create_dataset("z", (4,), "f4", chunks=(2,), compression=hdf5.FILTER_ID, compression_opts=(2,))
        assert values_of(one) == (1, 2, 0, 16, 4, 2)


@pytest.mark.parametrize("options", [{"effort": 0}, {"effort": "4"}, {"sample_rate": -1}])
def test_options_are_checked(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"^{next(iter(options))} is "):
        hdf5.filter(**options)


@pytest.mark.parametrize(
    "options", [{"compression_opts": (9, 0)}, {"compression_opts": (1, 8000)}, {"compression_opts": (1, 0), "scaleoffset": 0}]
)
def test_what_cannot_be_coded_is_written_as_it_is(tmp_path: Path, options: dict[str, Any]) -> None:
    array = np.arange(100, dtype="u2")
    with pytest.warns(Notice, match="filter inrcodec: a chunk is written as it is, not coded: "):
        write(tmp_path / "a.h5", array, compression=hdf5.FILTER_ID, **options)
    with h5py.File(tmp_path / "a.h5") as f:
        assert (f["x"][...] == array).all()


def test_elements_of_variable_length_are_written_as_they_are(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as f:
        with pytest.warns(Notice, match="not coded: elements of variable length, such as texts, are not supported"):
            f.create_dataset("texts", data=["a", "bcd"], chunks=(2,), **FILTER)
        lists = f.create_dataset("lists", (2,), h5py.vlen_dtype("i4"), chunks=(1,), **FILTER)
        lists[0] = [1, 2]
        with pytest.warns(Notice, match="elements of variable length"):
            f.flush()
    with h5py.File(tmp_path / "a.h5") as f:
        assert f["texts"][:].tolist() == [b"a", b"bcd"]
        assert f["lists"][0].tolist() == [1, 2]
        assert f["texts"].id.get_chunk_info(0).filter_mask == 1


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optional, "find_spec", lambda name: None)
    with pytest.raises(MissingError, match=r"inrcodec.hdf5 needs h5py; install with: pip install h5py"):
        importlib.reload(inrcodec.hdf5)


# --- damage -------------------------------------------------------------------------------------------------------


def test_a_damaged_chunk_is_a_fault_of_h5py(tmp_path: Path) -> None:
    path, array = tmp_path / "a.h5", np.cumsum(random.integers(-9, 9, (40, 40)), 0).astype("i4")
    with h5py.File(path, "w") as f:
        x = f.create_dataset("x", data=array, chunks=(20, 40), **FILTER)
        f.flush()
        place = x.id.get_chunk_info(0)
    whole = path.read_bytes()
    for at in range(0, place.size, 40):
        data = bytearray(whole)
        data[place.byte_offset + at] ^= 1
        path.write_bytes(data)
        with h5py.File(path) as f:
            with (
                pytest.warns(Notice, match=r"filter inrcodec: a chunk of \d+ bytes cannot be decoded "),
                pytest.raises(OSError, match="filter"),
            ):
                f["x"][:]
            assert (f["x"][20:] == array[20:]).all()


def damaged(path: Path) -> None:
    """Write a file with two chunks that are damaged in the same way."""
    with h5py.File(path, "w") as f:
        x = f.create_dataset("x", (100,), "i4", chunks=(50,), **FILTER)
        for at in (0, 50):
            x.id.write_direct_chunk((at,), inrcodec.encode(np.arange(50, dtype="i4"), effort=1)[:-1])


def read_both(path: Path) -> None:
    with h5py.File(path) as f:
        for at in (0, 50, 0):
            with pytest.raises(OSError, match="filter"):
                f["x"][at]


def test_each_damaged_chunk_is_told(tmp_path: Path) -> None:
    """By Python's usual filter of warnings, which shows a text once."""
    damaged(tmp_path / "a.h5")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("default")
        read_both(tmp_path / "a.h5")
    texts = [str(one.message) for one in told]
    assert len(set(texts)) == len(texts) == 3
    assert all(re.search(r"a chunk of \d+ bytes cannot be decoded \(fault \d+ of this process\): damaged", text) for text in texts)


def test_faults_are_told_where_warnings_are_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    damaged(tmp_path / "a.h5")
    told: list[str] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda one: told.append(f"{one.exc_type.__name__}: {one.exc_value}"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_both(tmp_path / "a.h5")
        with h5py.File(tmp_path / "b.h5", "w") as f:
            f.create_dataset("texts", data=["a", "bcd"], chunks=(2,), **FILTER)
    assert len(told) == 4
    assert all(text.startswith("Notice: filter inrcodec: a chunk of ") for text in told[:3])
    assert "elements of variable length" in told[3]


@pytest.mark.parametrize("array", [np.zeros((20, 41), "i4"), np.zeros((20, 40), "f4"), b"", b"abc"], ids=str)
def test_another_chunk_is_a_fault_of_h5py(tmp_path: Path, array: Any) -> None:
    data = array if isinstance(array, bytes) else inrcodec.encode(array, effort=1)
    with h5py.File(tmp_path / "a.h5", "w") as f:
        x = f.create_dataset("x", (20, 40), "i4", chunks=(20, 40), **FILTER)
        x.id.write_direct_chunk((0, 0), data or b"\0")
    with h5py.File(tmp_path / "a.h5") as f, pytest.warns(Notice, match="cannot be decoded"), pytest.raises(OSError, match="filter"):
        f["x"][:]


@pytest.mark.parametrize("values", [(), (1,), (2, 1, 0, 6, 4, 20), (1, 1, 0, 99, 4, 20), (1, 1, 0, 6, 8, 20), (1, 1, 0, 0, 0, 20)])
def test_values_of_a_dataset_are_checked(values: tuple[int, ...]) -> None:
    with pytest.raises(inrcodec.FormatError):
        hdf5._array_of(values)


# --- threads and processes ----------------------------------------------------------------------------------------


def test_any_thread_may_read_and_garbage_is_collected_afterwards(tmp_path: Path) -> None:
    array = np.cumsum(random.integers(-9, 9, (60, 60)), 0).astype("i4")
    with h5py.File(tmp_path / "a.h5", "w") as f:
        f.create_dataset("x", data=array, chunks=(20, 20), **FILTER)
    assert gc.isenabled()
    with h5py.File(tmp_path / "a.h5") as f, ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda i: f["x"][i : i + 7, i:], range(40)))
    assert all((part == array[i : i + 7, i:]).all() for i, part in enumerate(found))
    assert gc.isenabled()


WRITE = """
import sys, h5py, inrcodec.hdf5, numpy as np
f = h5py.File(sys.argv[1], "w")
x = f.create_dataset("x", data=np.arange(60 * 50, dtype="f4").reshape(60, 50) / 4, chunks=(40, 40), **inrcodec.hdf5.filter(effort=1))
cycle = [f, x]
cycle.append(cycle)
"""  # nothing is closed: it is written when Python ends
READ = """
import sys, h5py, numpy as np
with h5py.File(sys.argv[1]) as f:
    try:
        f["x"][...]
    except OSError:
        print("missing")
    import inrcodec.hdf5
    assert (f["x"][...] == np.arange(60 * 50).reshape(60, 50) / 4).all()
    print([f["x"].id.get_chunk_info(i).filter_mask for i in range(4)])
"""


def test_another_process_reads_it(tmp_path: Path) -> None:
    cold.python(WRITE, tmp_path / "a.h5")
    assert cold.python(READ, tmp_path / "a.h5") == "missing\n[0, 0, 0, 0]\n"


def test_ctrl_c_within_the_filter_is_raised_after_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    with h5py.File(tmp_path / "a.h5", "w") as f:
        f.create_dataset("x", data=np.arange(100), chunks=(100,), **FILTER)

    def read(file: Any) -> None:
        with pytest.warns(Notice, match="KeyboardInterrupt"), pytest.raises(OSError, match="filter"):
            file["x"][...]
        threading.Event().wait(30)

    monkeypatch.setattr(hdf5, "_decode", interrupted)
    with h5py.File(tmp_path / "a.h5") as f, pytest.raises(KeyboardInterrupt):
        read(f)
