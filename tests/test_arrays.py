"""Several arrays in one file: from Python, from .npz, by the commands; their conformance files; damage."""

from __future__ import annotations

import hashlib
import io
import json
import re
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import brotli
import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import inrcodec
from bench.fuzz import bundles as fuzz
from inrcodec import FormatError, InrcodecError, LimitError, Signal, UnsupportedError, bundle, files
from inrcodec.arrays import Item
from inrcodec.cli import main
from inrcodec.files import npy
from inrcodec.limits import Limits

FORMATS = Path(__file__).parent.parent / "formats"
VECTORS = FORMATS / "arrays"
MANIFEST: list[dict[str, Any]] = json.loads((VECTORS / "manifest.json").read_text("utf-8"))
VALID = [pytest.param(entry, id=entry["file"]) for entry in MANIFEST if "invalid" not in entry]
FAULTY = [pytest.param(entry, id=entry["file"]) for entry in MANIFEST if "invalid" in entry]
many = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
DTYPES = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(),
    hnp.unsigned_integer_dtypes(),
    hnp.floating_dtypes(),
    hnp.complex_number_dtypes(),
    hnp.unicode_string_dtypes(max_len=4),
    hnp.byte_string_dtypes(max_len=4),
    hnp.datetime64_dtypes(),
    hnp.timedelta64_dtypes(),
    hnp.array_dtypes(),
)
ANY = hnp.arrays(DTYPES, hnp.array_shapes(min_dims=0, max_dims=6, min_side=0, max_side=3))
NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
Arrays = dict[str, npt.NDArray[Any]]
RNG = np.random.default_rng(5)
SOME: Arrays = {
    "picture": RNG.integers(0, 250, (9, 12, 3)).astype(np.uint8),
    "fields": (np.arange(24) / 8).astype(">f4").reshape(2, 3, 4),
    "columns": np.asfortranarray(RNG.integers(0, 9, (5, 4))),
    "scalar": np.array(2.5),
    "complex": np.array([1 + 2j, 3]),
    "texts": np.array(["a", "bcd"]),
    "empty": np.zeros((0, 3), np.int16),
    "deep": np.arange(64).reshape((2,) * 6),
}


def same(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def members(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def saved(path: Path, arrays: Arrays, compressed: bool = False) -> Path:
    """As numpy.savez, with any names."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            out = io.BytesIO()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that old versions of NumPy cannot read it
                np.lib.format.write_array(out, array)
            archive.writestr(f"{name}.npy", out.getvalue())
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


# --- from Python ----------------------------------------------------------------------------------------------------


@many
@given(st.dictionaries(NAMES, ANY, max_size=4))
def test_any_arrays_come_back(arrays: Arrays) -> None:
    data = inrcodec.encode_arrays(arrays, profile="stored", threads=1)
    found = inrcodec.decode_arrays(data)
    assert list(found) == list(arrays)
    assert all(same(found[name], array) for name, array in arrays.items())
    about = inrcodec.info(data)
    assert [row["name"] for row in about["arrays"]] == list(arrays)
    assert [row["shape"] for row in about["arrays"]] == [list(array.shape) for array in arrays.values()]
    assert sum(about["bytes"].values()) == len(data)
    assert bundle.holds_arrays(data)


def test_one_is_decoded_by_name() -> None:
    data = inrcodec.encode_arrays(SOME, profile="stored")
    for names in (["fields"], ["texts", "picture"], []):
        found = inrcodec.decode_arrays(data, names)
        assert set(found) == set(names)
        assert all(same(found[name], SOME[name]) for name in names)
    assert same(inrcodec.decode_arrays(data, "deep")["deep"], SOME["deep"])
    with pytest.raises(UnsupportedError, match="it has no array Fields; there are picture, fields, columns"):
        inrcodec.decode_arrays(data, ["fields", "Fields"])


def test_one_is_decoded_where_another_is_damaged() -> None:
    data = bytearray(inrcodec.encode_arrays({"a": np.arange(2000), "b": np.arange(2000) ** 2}, profile="stored"))
    sections = inrcodec.container.read(bytes(data))
    content = bytearray(sections[2].content)
    content[-10] ^= 1
    sections[2] = inrcodec.container.Section(sections[2].type, bytes(content))
    damaged = inrcodec.container.write(sections)
    assert same(inrcodec.decode_arrays(damaged, ["a"])["a"], np.arange(2000))
    for names in (["b"], None):
        with pytest.raises(FormatError):
            inrcodec.decode_arrays(damaged, names)


def test_each_is_coded_as_it_would_be_alone() -> None:
    x = np.add.outer(np.arange(40), np.arange(50)).astype(np.uint8) * 3
    inside = bundle.arrays.stream(inrcodec.encode_arrays({"x": x}, threads=1), "x", inrcodec.Options())
    assert inside == inrcodec.encode(x, threads=1)


def test_signals_keep_what_they_mean() -> None:
    sound = Signal(np.arange(50, dtype=np.int16), "audio", 16, 8000, {"tag/TITLE": b"x"})
    data = inrcodec.encode_arrays({"sound": sound, "n": np.array(1)}, profile="stored")
    assert same(inrcodec.decode_arrays(data)["sound"], sound.samples)
    inside = bundle.arrays.stream(data, "sound", inrcodec.Options())
    assert inside is not None
    assert inrcodec.decode(inside).equals(sound)


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (np.array([None]), "array a: arrays of Python objects are not supported"),
        (np.array([(1, None)], [("a", int), ("b", object)]), "array a: arrays of Python objects"),
        (np.ma.masked_array([1, 2], [True, False]), "array a: masked arrays"),
        (np.zeros((1,) * 33), "array a: 33 dimensions"),
    ],
)
def test_what_cannot_be_kept_is_refused_by_name(array: Any, says: str) -> None:
    with pytest.raises(UnsupportedError, match=says):
        inrcodec.encode_arrays({"a": array})


def test_wrong_arguments() -> None:
    with pytest.raises(TypeError, match="the name 3 of an array must be a str"):
        inrcodec.encode_arrays({3: np.arange(4)})  # type: ignore[dict-item]
    with pytest.raises(ValueError, match="tile: not for several arrays together"):
        inrcodec.encode_arrays({"a": np.arange(4)}, tile=64)
    with pytest.raises(UnsupportedError, match="not valid Unicode"):
        inrcodec.encode_arrays({"\ud800": np.arange(4)}, profile="stored")
    with pytest.raises(FormatError, match="it holds named arrays, not tensors"):
        inrcodec.decode_tensors(inrcodec.encode_arrays({}))
    with pytest.raises(FormatError, match="it holds tensors or several arrays, not a signal"):
        inrcodec.decode(inrcodec.encode_arrays({}))
    with pytest.raises(FormatError, match="it holds tensors, not arrays"):
        inrcodec.decode_arrays(inrcodec.encode(inrcodec.Tensors({})))
    with pytest.raises(FormatError, match="manifest is not the first section"):
        inrcodec.decode_arrays(inrcodec.encode(np.arange(5000), profile="stored"))


def test_an_array_that_the_profile_cannot_code_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any) -> bytes:
        raise UnsupportedError("profile hybrid cannot code it")

    monkeypatch.setattr(inrcodec.codec, "encode", never)
    with pytest.raises(UnsupportedError, match="array x: profile hybrid cannot code it"):
        inrcodec.encode_arrays({"x": np.arange(9)}, profile="hybrid")


def test_limits_hold() -> None:
    data = inrcodec.encode_arrays({"a": np.zeros(500, np.uint8), "b": np.zeros(600, np.uint8)}, profile="stored")
    assert len(inrcodec.decode_arrays(data, max_samples=1100)) == 2
    with pytest.raises(LimitError, match="it declares 1100 samples"):
        inrcodec.decode_arrays(data, max_samples=1099)
    assert len(inrcodec.decode_arrays(data, ["b"], max_samples=600)) == 1
    with pytest.raises(LimitError, match="memory"):
        inrcodec.decode_arrays(data, max_memory=1000)
    declared = Item(None, "'<U0'", (1 << 18, 1 << 18))
    large = bundle.arrays.encode(bundle.arrays.Decoded({"x": declared}, {}), inrcodec.Options(verify=False))
    with pytest.raises(LimitError):
        inrcodec.decode_arrays(large)


# --- .npz -----------------------------------------------------------------------------------------------------------


@many
@given(st.dictionaries(NAMES.map(lambda s: s.replace("/", "-").replace("\\", "-")), ANY, max_size=4), st.booleans())
def test_npz_comes_back(tmp_path: Path, arrays: Arrays, compressed: bool) -> None:
    path = saved(tmp_path / "x.npz", {name: x.copy("F") if i % 2 else x for i, (name, x) in enumerate(arrays.items())}, compressed)
    items, metadata = files.read_arrays(path)
    assert all(same(items[name].array(), array) for name, array in arrays.items())
    files.write_arrays(tmp_path / "y.npz", items, metadata)
    assert members((tmp_path / "y.npz").read_bytes()) == members(path.read_bytes())
    with zipfile.ZipFile(tmp_path / "y.npz") as archive:
        assert {member.compress_type for member in archive.infolist()} <= {zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED}


def test_headers_of_any_length() -> None:
    x = np.asfortranarray(np.arange(12.0).reshape(3, 4))
    plain = io.BytesIO()
    np.lib.format.write_array(plain, x)
    whole = plain.getvalue()
    size = int.from_bytes(whole[8:10], "little") - 3
    odd = whole[:8] + size.to_bytes(2, "little") + whole[10 : 10 + size - 1] + b"\n" + whole[-x.nbytes :]
    found, metadata = npy.unpack(odd)
    assert found.flags.aligned
    assert same(found, x)
    assert npy.pack(found, metadata) == odd
    assert same(inrcodec.decode_arrays(inrcodec.encode_arrays({"x": found}))["x"], x)


def test_headers_that_numpy_would_not_write_are_kept(tmp_path: Path) -> None:
    plain = io.BytesIO()
    np.lib.format.write_array(plain, np.array([1j, 2]))
    odd = plain.getvalue().replace(b"False", b"True ").replace(b"'shape'", b'"shape"')
    array, metadata = npy.unpack(odd)
    assert list(metadata) == ["npy/header"]
    assert npy.pack(array, metadata) == odd
    assert npy.pack(array, {"npy/header": odd[:-40]}) == plain.getvalue()
    assert npy.pack(array[:1], metadata)[-16:] == odd[-32:-16]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty file"),
        (b"PK\3\4 and nothing", "damaged or not a .npz file"),
        (bytes(300), "damaged or not a .npz file"),
        ({"a.npy": b"x"}, "array 'a': not a .npy file"),
        ({"a.npy": b"\x93NUMPY\1\0\xff\xff"}, "array 'a': damaged"),
        ({"notes.txt": b"x"}, "it holds 'notes.txt', which is no array"),
        ({"a.npy": None}, "array 'a': arrays of Python objects are not supported"),
    ],
)
def test_damaged_archives_are_refused(tmp_path: Path, content: Any, says: str) -> None:
    path = tmp_path / "x.npz"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        objects = io.BytesIO()
        np.lib.format.write_array(objects, np.array([None]), allow_pickle=True)
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in content.items():
                archive.writestr(name, objects.getvalue() if data is None else data)
    with pytest.raises(InrcodecError, match=says) as caught:
        files.read_arrays(path)
    assert str(caught.value).startswith(f"{path}: ")
    with pytest.raises(InrcodecError, match="several arrays" if content == bytes(300) else "empty|ZIP|several"):
        files.read(path)


def test_a_name_that_is_there_twice(tmp_path: Path) -> None:
    out = io.BytesIO()
    np.lib.format.write_array(out, np.arange(3))
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("a.npy", out.getvalue())
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.npy", out.getvalue())
    with pytest.raises(FormatError, match="two arrays have the name 'a'"):
        files.read_arrays(tmp_path / "x.npz")


def test_an_archive_cannot_ask_for_much(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.npz", {"a": np.zeros(100_000, np.uint8), "b": np.zeros(100_000, np.uint8)}, compressed=True)
    with pytest.raises(LimitError):
        files.read_arrays(path, Limits(1 << 30, 150_000))
    with pytest.raises(LimitError):
        files.read_arrays(path, Limits(150_000, 1 << 30))


def test_changed_archives_are_read_or_refused(tmp_path: Path) -> None:
    data = saved(tmp_path / "x.npz", SOME, compressed=True).read_bytes()
    seen = {"read": 0, "refused": 0}
    for number in range(600):
        rng = Random(number)
        changed = bytearray(data)
        for _ in range(rng.choice((1, 1, 3))):
            changed[rng.randrange(len(changed))] = rng.choice((0, 1, 127, 255, rng.randrange(256)))
        path = tmp_path / "y.npz"
        path.write_bytes(bytes(changed[: rng.randrange(len(changed))] if number % 5 == 0 else changed))
        try:
            files.read_arrays(path, Limits(1 << 20, 1 << 26))
            seen["read"] += 1
        except InrcodecError as fault:
            seen["refused" if "\n" not in str(fault) else "in several lines"] += 1
    assert min(seen.values()) > 10


# --- the commands ---------------------------------------------------------------------------------------------------


def test_commands(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.npz", SOME)
    linr = tmp_path / "a.linr"
    told = run("encode", path, "--profile", "stored")
    assert told.exit_code == 0, told.output
    assert "8 arrays" in told.stdout
    assert "match their digest" in run("verify", linr).stdout
    assert "the same as" in run("verify", linr, path).stdout
    assert run("decode", linr, "-o", tmp_path / "b.npz").exit_code == 0
    assert members((tmp_path / "b.npz").read_bytes()) == members(path.read_bytes())
    for name, array in SOME.items():
        assert run("decode", linr, "--array", name, "-o", tmp_path / f"{name}.npy").exit_code == 0
        assert same(np.load(tmp_path / f"{name}.npy"), array)
        assert (tmp_path / f"{name}.npy").read_bytes() == members(path.read_bytes())[f"{name}.npy"]
    assert run("decode", linr, "--array", "picture", "-o", tmp_path / "part.png", "--region", "2,1,4,3").exit_code == 0
    assert same(files.read(tmp_path / "part.png").samples, SOME["picture"][1:4, 2:6])
    shown = run("info", linr).stdout
    assert "complex128 2, 32" in shown
    assert ">f4 2 × 3 × 4" in shown
    about = json.loads(run("info", linr, "--json").stdout)
    assert about == {"ok": True, "command": "info", "input": str(linr), **inrcodec.info(linr.read_bytes())}


def test_commands_refuse_in_one_line(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.npz", SOME)
    linr, other = tmp_path / "a.linr", tmp_path / "other.linr"
    assert run("encode", path, "--profile", "stored", "--quiet").exit_code == 0
    np.save(tmp_path / "x.npy", np.arange(5000))
    assert run("encode", tmp_path / "x.npy", "-o", other, "--profile", "stored").exit_code == 0
    saved(tmp_path / "c.npz", {**SOME, "scalar": np.array(2.75)})
    saved(tmp_path / "d.npz", {"x": np.arange(3)})
    out = tmp_path / "out"
    for arguments, says in (
        (
            ("decode", linr, "-o", out.with_suffix(".npy")),
            "holds 8 arrays: picture, .*; decode it to .npz, or name one with --array",
        ),
        (("decode", linr, "-o", out.with_suffix(".safetensors")), "decode it to .npz"),
        (("decode", linr, "-o", out.with_suffix(".npy"), "--array", "nope"), "it has no array nope"),
        (("decode", linr, "-o", out.with_suffix(".png"), "--array", "complex"), "PNG holds images, not signals of kind .array."),
        (("decode", linr, "-o", out.with_suffix(".npz"), "--region", "0,0,1,1"), "it holds several arrays, not a signal"),
        (("decode", linr, "-o", out.with_suffix(".npz"), "--salvage"), "it holds several arrays, not a signal"),
        (("decode", other, "-o", out.with_suffix(".npz")), "files named .npz hold several arrays"),
        (("decode", other, "-o", out.with_suffix(".npy"), "--array", "x"), "it does not hold several arrays"),
        (("verify", linr, tmp_path / "c.npz"), r"differs from .* in 1 of 8 arrays \(scalar\)"),
        (("verify", linr, tmp_path / "d.npz"), "differs from .* in names"),
        (("encode", tmp_path / "missing.npz"), "cannot be read: no such file"),
    ):
        result = run(*arguments)
        assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (1, "", 1), result.output
        assert re.search(says, result.stderr), result.stderr
        assert not list(tmp_path.glob("out*"))
    for options in (("--kind", "image"), ("--tile", "64"), ("--lossy",), ("--voxels", "8")):
        assert run("encode", path, "-o", out.with_suffix(".linr"), *options).exit_code == 2
    assert run("decode", linr, "-o", out.with_suffix(".npy"), "--array", "texts", "--scale", "1/2").exit_code == 2
    assert run("decode", linr, "-o", out.with_suffix(".npy"), "--array", "fields", "--salvage").exit_code == 2


# --- conformance files ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def theirs(linr: ModuleType) -> ModuleType:
    """The standalone decoder of bundles of arrays."""
    found: ModuleType = linr.beside("linr_arrays")
    return found


def told(arrays: Arrays) -> list[tuple[str, str, list[int], str]]:
    return [
        (name, repr(np.lib.format.dtype_to_descr(x.dtype)), list(x.shape), hashlib.sha256(x.tobytes()).hexdigest())
        for name, x in arrays.items()
    ]


@pytest.mark.parametrize("entry", VALID)
def test_both_decode(entry: dict[str, Any], theirs: ModuleType) -> None:
    data = (VECTORS / entry["file"]).read_bytes()
    arrays, metadata = theirs.decode_arrays(data)
    wanted = [(a["name"], a["dtype"], a["shape"], a["sha256"]) for a in entry["arrays"]]
    assert told(arrays) == told(inrcodec.decode_arrays(data, threads=1)) == wanted
    ours = dict(bundle.arrays.open_bytes(data, Limits()).metadata)
    assert ours == metadata
    assert {key: hashlib.sha256(value).hexdigest() for key, value in metadata.items()} == entry["metadata"]
    assert inrcodec.info(data)["lossless"]


@pytest.mark.parametrize("entry", FAULTY)
def test_both_refuse(entry: dict[str, Any], theirs: ModuleType) -> None:
    data = (VECTORS / entry["file"]).read_bytes()
    with pytest.raises(FormatError) as caught:
        inrcodec.decode_arrays(data, threads=1)
    assert "\n" not in str(caught.value)
    with pytest.raises(theirs.Invalid):
        theirs.decode_arrays(data)


def test_the_manifest_lists_every_file() -> None:
    listed = [entry["file"] for entry in MANIFEST]
    assert sorted(listed) == sorted(path.relative_to(VECTORS).as_posix() for path in VECTORS.glob("*/*.linr"))
    for entry in MANIFEST:
        readme = (VECTORS / entry["file"]).parent / "README.md"
        assert f"| `{Path(entry['file']).name}` | {entry['what']} |" in readme.read_text("utf-8")


def test_the_standalone_decoder_writes_npz(tmp_path: Path) -> None:
    source, target = VECTORS / "valid" / "types.linr", tmp_path / "out.npz"
    command = [sys.executable, str(FORMATS / "standalone" / "linr_arrays.py"), str(source), str(target)]
    subprocess.run(command, check=True, cwd=tmp_path)
    items, _ = files.read_arrays(target)
    found = inrcodec.decode_arrays(source.read_bytes())
    assert list(items) == list(found)
    assert all(same(items[name].array(), array) for name, array in found.items())


@pytest.mark.parametrize("share", range(2))
def test_changed_bundles_decode_rightly_or_are_refused(share: int, theirs: ModuleType) -> None:
    seen = {"decoded": 0, "refused": 0, "limited": 0}
    for number in range(share, 400, 2):
        seen[fuzz.judge_arrays(fuzz.changed(1, number, "arrays"), theirs)] += 1
    assert min(seen.values()) > 2


def test_a_type_that_nobody_knows_is_no_damage() -> None:
    right = inrcodec.encode_arrays({"x": np.array(["a"]), "y": np.arange(3)}, profile="stored")
    first, *streams = inrcodec.container.read(right)
    plain = fuzz._plain(first.content).replace(b"'<U1'", b"'<q4'")
    content = first.content[: fuzz.FIXED] + inrcodec.container.varint(len(plain)) + brotli.compress(plain)
    data = inrcodec.container.write([inrcodec.container.Section(first.type, content), *streams])
    with pytest.raises(UnsupportedError, match="an array is of type \"'<q4'\""):
        inrcodec.decode_arrays(data)
    assert same(inrcodec.decode_arrays(data, ["y"])["y"], np.arange(3))
    assert inrcodec.info(data)["arrays"][0]["dtype"] == "'<q4'"
