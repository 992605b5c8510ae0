"""The codec of numcodecs: arrays of every type and order, buffers, damaged chunks, Zarr v2, a new interpreter that finds it."""

import importlib
import json
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as of_numpy

import inrcodec
from inrcodec import FormatError, MissingError, UnsupportedError, codec
from inrcodec.files import optional
from tests import cold

pytest.importorskip("numcodecs")
import numcodecs.registry
from numcodecs.tests import common

import inrcodec.numcodecs
from inrcodec.numcodecs import Inrcodec

Array = npt.NDArray[Any]
random = np.random.default_rng(0)
CODEC = Inrcodec(effort=1)
NUMBERS: list[Array] = [
    np.arange(1000, dtype="i4"),
    np.linspace(1000, 1001, 1000, dtype="f8"),
    random.normal(size=(10, 10, 4)),
    random.integers(-9, 9, (10, 12)).astype(">i2"),
    random.integers(0, 2, (30, 30)).astype(bool),
    random.normal(size=(3, 4)).astype("c8"),
    random.integers(0, 255, (16, 16, 3)).astype("u1"),
    np.full((3, 3), np.nan, "f2"),
]
OTHERS: list[Array] = [
    random.integers(0, 2**40, 50).astype("M8[ns]"),
    random.integers(0, 2**40, (5, 10)).astype("m8[s]"),
    np.array([b"ab", b"cde", b""]),
    np.array([["ab", "cde"], ["f", "ü"]]),
    np.arange(144, dtype="i2").reshape(2, 3, 2, 4, 3),
    random.normal(size=5).astype("g"),
    np.array(3.5),
    np.zeros((0, 3)),
]
RECORDS = np.array([(1, b"a"), (2, b"bcd")], [("n", ">i4"), ("t", "S3")])


@pytest.fixture(autouse=True)
def _registered() -> None:
    numcodecs.registry.register_codec(Inrcodec)


@pytest.mark.parametrize("array", [*NUMBERS, *OTHERS], ids=lambda array: f"{array.dtype}{array.shape}")
def test_it_does_what_codecs_of_numcodecs_do(array: Array) -> None:
    common.check_encode_decode(array, CODEC)
    common.check_encode_decode(np.asfortranarray(array), CODEC)


@pytest.mark.parametrize("array", NUMBERS, ids=lambda array: f"{array.dtype}{array.shape}")
def test_type_shape_and_order_come_back(array: Array) -> None:
    for x in (array, np.asfortranarray(array), array[::2]):
        found = CODEC.decode(CODEC.encode(x))
        assert (found.dtype, found.shape) == (x.dtype, x.shape)
        assert found.tobytes() == x.tobytes()
        if x.flags.f_contiguous and x.ndim > 1:
            assert found.flags.f_contiguous


SMALL = [
    np.array(3.5),
    np.array(3, ">i2"),
    np.array("ab"),
    np.array(5, "M8[s]"),
    RECORDS[0:1].reshape(()),
    np.zeros((0, 3)),
    np.zeros((3, 0, 2, 2, 2), ">i2"),
    np.zeros(0, "M8[s]"),
    RECORDS[:0],
]


@pytest.mark.parametrize("array", SMALL, ids=lambda array: f"{array.dtype}{array.shape}")
def test_type_and_shape_of_arrays_without_axes_or_elements_come_back(array: Array) -> None:
    data = CODEC.encode(array)
    found = CODEC.decode(data)
    assert (found.dtype, found.shape, found.tobytes()) == (array.dtype, array.shape, array.tobytes())
    for damaged in (data[:-1], data[:40], bytes([*data[:30], data[30] ^ 1, *data[31:]])):
        with pytest.raises(FormatError):
            CODEC.decode(damaged)
    with pytest.raises(ValueError, match=r"^out has 99 bytes, and the array has \d+$"):
        CODEC.decode(data, out=bytearray(99))


@pytest.mark.parametrize("arrays", [{}, {"array": np.zeros(3)}, {"other": np.array(1)}, {"array": np.array(1), "b": np.array(2)}], ids=str)
def test_a_file_of_other_arrays_is_no_chunk(arrays: dict[str, Array]) -> None:
    data = inrcodec.encode_arrays(arrays, effort=1)
    for out in (None, bytearray(8)):
        with pytest.raises(FormatError, match="it holds several arrays, not one"):
            CODEC.decode(data, out=out)


def test_records_come_back_as_their_bytes() -> None:
    assert CODEC.decode(CODEC.encode(RECORDS)).tobytes() == RECORDS.tobytes()


def test_bfloat16_comes_back_as_its_bits() -> None:
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    for shape in ((3, 5), (2, 2, 2, 2, 2), (), (0, 2)):
        array = np.asarray(random.normal(size=shape)).astype(bfloat16)
        out = np.empty_like(array)
        CODEC.decode(CODEC.encode(array), out=out)
        assert out.tobytes() == array.tobytes()


TYPES = of_numpy.boolean_dtypes() | of_numpy.integer_dtypes() | of_numpy.floating_dtypes() | of_numpy.complex_number_dtypes(sizes=(64, 128))
SHAPES = of_numpy.array_shapes(min_dims=0, max_dims=6, max_side=5)


@settings(max_examples=40)
@given(array=of_numpy.arrays(TYPES, SHAPES), fortran=st.booleans())
def test_any_array_comes_back(array: Array, fortran: bool) -> None:
    array = np.asfortranarray(array) if fortran else array
    out = np.empty_like(array)
    CODEC.decode(CODEC.encode(array), out=out)
    assert out.tobytes("A") == array.tobytes("A")


def test_configuration() -> None:
    assert CODEC.get_config() == {"id": "inrcodec", "effort": 1}
    assert Inrcodec().get_config() == {"id": "inrcodec", "effort": 4}
    sound = Inrcodec(2, "stored", 8000, threads=1, verify=False)
    for one in (CODEC, sound):
        common.check_config(one)
        assert pickle.loads(pickle.dumps(one)) == one
    assert repr(sound) == "Inrcodec(effort=2, profile='stored', sample_rate=8000)"
    assert eval(repr(sound)) == sound
    assert sound != CODEC
    assert Inrcodec(1, threads=3, verify=False) == CODEC


@pytest.mark.parametrize(
    "options",
    [{"effort": 0}, {"effort": "4"}, {"profile": "inr"}, {"profile": "zip"}, {"sample_rate": -1}, {"sample_rate": 1.5}, {"threads": -1}],
)
def test_options_are_checked(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"^{next(iter(options))} is "):
        Inrcodec(**options)


def test_sound_is_coded_as_sound() -> None:
    array = (9000 * np.sin(np.arange(4000) / 9)).astype("i2").reshape(-1, 2)
    data = Inrcodec(1, sample_rate=8000).encode(array)
    assert inrcodec.info(data)["kind"] == "audio"
    assert (CODEC.decode(data) == array).all()
    with pytest.raises(UnsupportedError, match="sound is signed"):
        Inrcodec(1, sample_rate=8000).encode(array.astype("u2"))


def test_objects_are_refused() -> None:
    with pytest.raises(UnsupportedError, match="no fixed size"):
        CODEC.encode(np.array(["a", None]))


@cache
def coded_chunk() -> bytes:
    return CODEC.encode(random.integers(0, 99, (40, 40)).astype("u2"))


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "a byte less": lambda data: data[:-1],
    "nine bytes": lambda data: data[:9],
    "one bit": lambda data: bytes([*data[:50], data[50] ^ 1, *data[51:]]),
    "others": lambda data: b"x" * 99,
    "a byte more": lambda data: data + b"\0",
    "nothing": lambda data: b"",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_chunk_is_told(damage: str) -> None:
    data = DAMAGES[damage](coded_chunk())
    out = np.full((40, 40), 7, "u2")
    with pytest.raises(FormatError):
        CODEC.decode(data)
    with pytest.raises(FormatError):
        CODEC.decode(data, out=out)
    assert (out == 7).all()


@pytest.mark.parametrize("out", [np.zeros(3), bytearray(3199), np.zeros((41, 40), "u2")], ids=len)
def test_room_of_another_size_is_refused_before_anything_is_decoded(out: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "decode", lambda *_: pytest.fail("it was decoded"))
    with pytest.raises(ValueError, match=r"^out has \d+ bytes, and the array has 3200$"):
        CODEC.decode(coded_chunk(), out=out)


def test_any_thread_may_use_it() -> None:
    arrays = [np.cumsum(random.integers(-9, 9, (30, 40)), axis).astype("i4") for axis in (0, 1) for _ in range(6)]
    with ThreadPoolExecutor(4) as pool:
        coded = list(pool.map(CODEC.encode, arrays))
        found = list(pool.map(CODEC.decode, coded))
    assert coded == [CODEC.encode(array) for array in arrays]
    assert all((a == b).all() for a, b in zip(arrays, found, strict=True))


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optional, "find_spec", lambda name: None)
    with pytest.raises(MissingError, match=r"inrcodec.numcodecs needs numcodecs; install with: pip install numcodecs"):
        importlib.reload(inrcodec.numcodecs)


WRITE = """
import sys, numpy as np, zarr
from inrcodec.numcodecs import Inrcodec
a = np.arange(60 * 50, dtype="i4").reshape(60, 50) ** 2
for order in "CF":
    like = dict(name=order, order=order, shape=a.shape, dtype=a.dtype, chunks=(40, 40))
    zarr.create_array(sys.argv[1], zarr_format=2, compressors=Inrcodec(effort=1), **like)[:] = a
"""
READ = """
import sys, numpy as np, zarr
f = zarr.open_group(sys.argv[1], mode="r")
assert all((f[order][:] == np.arange(60 * 50).reshape(60, 50) ** 2).all() for order in "CF")
print(f["C"].compressors[0], "inrcodec.numcodecs" in sys.modules)
"""


def test_another_process_reads_zarr_2_without_an_import(tmp_path: Path) -> None:
    pytest.importorskip("zarr")
    notes = cold.installed(tmp_path / "notes")
    cold.python(WRITE, tmp_path / "s.zarr", notes=notes)
    known = {"id": "inrcodec", "effort": 1}
    assert all(json.loads((tmp_path / "s.zarr" / order / ".zarray").read_text())["compressor"] == known for order in "CF")
    assert cold.python(READ, tmp_path / "s.zarr", notes=notes) == "Inrcodec(effort=1) True\n"


def test_a_new_interpreter_finds_it_by_its_name(tmp_path: Path) -> None:
    code = "import numcodecs; print(numcodecs.get_codec({'id': 'inrcodec', 'effort': 2}))"
    assert cold.python(code, notes=cold.installed(tmp_path)) == "Inrcodec(effort=2)\n"
