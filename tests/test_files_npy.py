"""Reading and writing .npy: what comes back, and what is refused."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from inrcodec import files
from inrcodec.errors import FormatError, InrcodecError, UnsupportedError
from inrcodec.signal import Signal

from .support import through

DTYPES = [f"{order}{kind}{size}" for order in "<>" for kind in "iu" for size in (1, 2, 4, 8)] + ["bool"]
DTYPES += [f"{order}f{size}" for order in "<>" for size in (2, 4, 8)]
many = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def saved(array: npt.NDArray[Any], version: tuple[int, int] | None = None) -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array(out, array, version=version, allow_pickle=True)
    return out.getvalue()


@many
@given(st.data())
def test_comes_back(tmp_path: Path, data: st.DataObject) -> None:
    dtype = np.dtype(data.draw(st.sampled_from(DTYPES)))
    array = data.draw(hnp.arrays(dtype, hnp.array_shapes(min_dims=1, max_dims=4, max_side=5)))
    fortran = data.draw(st.booleans())
    x = np.asfortranarray(array) if fortran else array
    signal = through(tmp_path / "x.npy", saved(x))
    assert signal.kind == "array"
    assert signal.samples.dtype == dtype
    assert signal.samples.flags.c_contiguous
    assert signal.samples.tobytes() == array.tobytes()
    only_fortran = fortran and not x.flags.c_contiguous
    assert dict(signal.metadata) == ({"npy/fortran_order": b"1"} if only_fortran else {})


def test_byte_order_is_kept(tmp_path: Path) -> None:
    signal = through(tmp_path / "x.npy", saved(np.arange(6, dtype=">i4")))
    assert signal.samples.dtype.str == ">i4"
    assert signal.bit_depth == 32


@pytest.mark.parametrize("version", [(2, 0), (3, 0)])
def test_other_header_versions_are_kept(tmp_path: Path, version: tuple[int, int]) -> None:
    signal = through(tmp_path / "x.npy", saved(np.arange(6), version))
    assert list(signal.metadata) == ["npy/header"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(b"(6,)", b"(6L,)", id="python 2"),
        pytest.param(b"False", b"True ", id="fortran order of one dimension"),
        pytest.param(b"'shape'", b'"shape"', id="other quotes"),
    ],
)
def test_unusual_headers_are_kept(tmp_path: Path, old: bytes, new: bytes) -> None:
    data = saved(np.arange(6))
    data = data.replace(old, new).replace(b"  \n", b" " * (2 + len(old) - len(new)) + b"\n")
    signal = through(tmp_path / "x.npy", data)
    assert list(signal.metadata) == ["npy/header"]


def test_short_header_of_old_numpy(tmp_path: Path) -> None:
    header = b"{'descr': '<i2', 'fortran_order': False, 'shape': (3,), }".ljust(69) + b"\n"
    data = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + np.arange(3, dtype="<i2").tobytes()
    assert through(tmp_path / "x.npy", data).samples.tolist() == [0, 1, 2]


def test_header_of_another_array_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    header = through(path, saved(np.arange(6), (2, 0))).metadata
    for array in (np.arange(7), np.arange(6).reshape(2, 3), np.arange(6, dtype=np.int32)):
        files.write(path, Signal(array, metadata=header))
        assert path.read_bytes() == saved(array)


@pytest.mark.parametrize(
    "signal",
    [
        Signal(np.arange(12, dtype=np.uint8).reshape(2, 2, 3), "image", metadata={"icc": b"profile"}),
        Signal(np.arange(-4, 4, dtype=np.int16).reshape(4, 2), "audio", 12, 8000, {"riff/head": b"RIFF"}),
        Signal(np.array([True, False])),
    ],
    ids=lambda s: s.kind,
)
def test_writes_every_kind(tmp_path: Path, signal: Signal) -> None:
    files.write(tmp_path / "x.npy", signal)
    assert (tmp_path / "x.npy").read_bytes() == saved(signal.samples)


@pytest.mark.parametrize(
    ("array", "word"),
    [
        (np.array(3), "0 dimensions"),
        (np.zeros((1, 1, 1, 1, 1), int), "5 dimensions"),
        (np.zeros(0, int), "empty"),
        (np.zeros((2, 0), np.uint8), "empty"),
        (np.zeros(3, np.longdouble), "float128|longdouble|float96"),
        (np.array([None]), "Python objects"),
        (np.zeros(3, [("a", "i4"), ("b", "u1")]), "supported"),
        (np.zeros(3, [("a", "O")]), "Python objects"),
        (np.zeros(3, "M8[s]"), "datetime64"),
        (np.array(["a"]), "U1"),
    ],
)
def test_refused(tmp_path: Path, array: npt.NDArray[Any], word: str) -> None:
    path = tmp_path / "some.npy"
    path.write_bytes(saved(array))
    with pytest.raises(UnsupportedError, match=word) as e:
        files.read(path)
    assert str(e.value).startswith(f"{path}: ")
    assert "\n" not in str(e.value)


def damaged() -> dict[str, bytes]:
    good = saved(np.arange(5, dtype="<i4"))
    return {
        "empty": b"",
        "text": b"1 2 3\n",
        "zip": b"PK\x03\x04" + good,
        "pickle": b"\x80\x04K\x01.",
        "magic": good[:6],
        "no header": good[:10],
        "half a header": good[:60],
        "no data": good[:128],
        "last byte gone": good[:-1],
        "a byte more": good + b"\0",
        "version": good[:6] + b"\x09" + good[7:],
        "not a dict": good.replace(b"{", b"(", 1),
        "not a dtype": good.replace(b"'<i4'", b"'zzz'"),
        "negative": good.replace(b"(5,), } ", b"(-5,), }"),
        "huge": good.replace(b"(5,), }         ", b"(99999999999,),}"),
        "huger": good.replace(b"(5,), }                   ", b"(999999999999999999999,),}"),
        "deep": good.replace(b"(5,), }" + b" " * 40, b"(" + b"-" * 40 + b"5,),}"),
        "bool of 2": saved(np.array([True, False]))[:-1] + b"\2",
    }


@pytest.mark.parametrize("name", damaged())
@pytest.mark.filterwarnings("error")
def test_damaged(tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "some.npy"
    path.write_bytes(damaged()[name])
    kind = {"a byte more": UnsupportedError, "zip": UnsupportedError, "empty": InrcodecError}.get(name, FormatError)
    with pytest.raises(kind) as e:
        files.read(path)
    assert str(e.value).startswith(f"{path}: ")
    assert "\n" not in str(e.value)
    assert capfd.readouterr() == ("", "")


@many
@given(changes=st.lists(st.tuples(st.integers(0, 147), st.integers(0, 255)), min_size=1, max_size=6), cut=st.integers(0, 148))
def test_any_damage_is_named(tmp_path: Path, changes: list[tuple[int, int]], cut: int) -> None:
    data = bytearray(saved(np.arange(5, dtype="<i4")))
    for at, byte in changes:
        data[at] = byte
    if cut % 3 == 0:
        del data[cut:]
    path = tmp_path / "x.npy"
    path.write_bytes(data)
    try:
        files.read(path)
    except InrcodecError:
        with pytest.raises(InrcodecError, match=r"^\S*x\.npy: [^\n]*$"):
            files.read(path)
    else:
        through(path, bytes(data))


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        files.read(tmp_path / "none.npy")
