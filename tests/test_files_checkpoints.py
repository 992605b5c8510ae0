"""Files of tensors: safetensors byte for byte, PyTorch's without running their code, and what the commands make of them."""

from __future__ import annotations

import io
import json
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import inrcodec
from inrcodec import InrcodecError, LimitError, Options, Tensor, Tensors, UnsupportedError, bundle, files
from inrcodec.cli import main
from inrcodec.limits import Limits
from inrcodec.tensors import BY_NAME, DTYPES

from .test_tensors import tensors_of_bits, weights

many = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def file_of(header: Any, data: bytes = b"", size: int | None = None) -> bytes:
    """A safetensors file. header: what becomes JSON, or its bytes; size: what the file says of it."""
    plain = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(plain) if size is None else size) + plain + data


def about(dtype: str, shape: list[int], start: int, stop: int) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, stop]}


# --- safetensors --------------------------------------------------------------------------------------------------


@many
@given(st.dictionaries(st.text(max_size=8).filter(lambda name: name != "__metadata__"), tensors_of_bits(), max_size=5))
def test_any_tensors_can_be_written_and_read(tmp_path: Path, tensors: dict[str, Tensor]) -> None:
    path = tmp_path / "x.safetensors"
    wanted = Tensors(tensors)
    files.write_tensors(path, wanted)
    assert files.read_tensors(path).equals(wanted)
    assert (8 + struct.unpack("<Q", path.read_bytes()[:8])[0]) % 8 == 0


ORDINARY = {"b": about("F32", [2], 0, 8), "a": about("U8", [3], 8, 11)}
DATA = bytes(range(11))


@pytest.mark.parametrize(
    "data",
    [
        file_of(b"{}"),
        file_of(ORDINARY, DATA),
        file_of(json.dumps(ORDINARY, separators=(",", ":")).encode() + b"   ", DATA),
        file_of({"__metadata__": {"format": "pt", "ä": "\n"}, **ORDINARY}, DATA),
        file_of({"__metadata__": {}, **ORDINARY}, DATA),
        file_of({**ORDINARY, "__metadata__": {"last": "of all"}}, DATA),
        file_of({"a": ORDINARY["a"], "b": ORDINARY["b"]}, DATA),  # in another order than their bytes
        file_of({**ORDINARY, "e": about("F64", [0, 5], 8, 8), "s": about("BF16", [], 11, 13)}, DATA + b"\1\2"),
        file_of(json.dumps(ORDINARY, indent=3).encode(), DATA),
        file_of(json.dumps({"\u00e9": ORDINARY["b"], "a": ORDINARY["a"]}, ensure_ascii=True).encode(), DATA),
    ],
)
def test_a_file_comes_back_byte_for_byte(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(data)
    found = inrcodec.decode_tensors(inrcodec.encode(files.read_tensors(path), threads=1, effort=1))
    files.write_tensors(path, found)
    assert path.read_bytes() == data


def test_a_usual_header_is_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    files.write_tensors(path, Tensors.of({"w": weights((3, 4))}, {"safetensors/metadata": b'{"format":"pt"}'}))
    assert list(files.read_tensors(path).metadata) == ["safetensors/metadata"]


B2 = about("F32", [2], 0, 8)
HOSTILE: dict[str, tuple[bytes, str]] = {
    "nothing but a length": (b"\1\0\0", "within the first 8 bytes"),
    "a length past the end": (file_of({}, size=99), "its header should have 99 bytes"),
    "a length of 2^63": (file_of({}, size=2**63), "its header should have"),
    "no JSON": (file_of(b"{nothing}"), "is not JSON"),
    "no UTF-8": (file_of(b'{"\xff": 1}'), "is not JSON"),
    "a list": (file_of([]), "no JSON object"),
    "deep lists": (file_of(b"[" * 100_000), "is not JSON"),
    "a name twice": (file_of(b'{"a": %s, "a": %s}' % (json.dumps(B2).encode(), json.dumps(B2).encode()), bytes(8)), "twice"),
    "a key twice": (file_of(b'{"a": {"dtype": "U8", "dtype": "U8", "shape": [1], "data_offsets": [0, 1]}}', b"\0"), "twice"),
    "a lone surrogate": (file_of(b'{"\\ud800": %s}' % json.dumps(B2).encode(), bytes(8)), "not valid Unicode"),
    "numbers that are floats": (file_of({"a": about("U8", [1.0], 0, 1)}, b"\0"), "no number of tensors"),  # type: ignore[list-item]
    "NaN": (file_of(b'{"a": NaN}'), "no number of tensors"),
    "a bool in a shape": (file_of({"a": about("U8", [True], 0, 1)}, b"\0"), "out of range"),
    "a shape that is negative": (file_of({"a": about("U8", [-1], 0, 1)}, b"\0"), "out of range"),
    "a shape of 2^70": (file_of({"a": about("U8", [2**70], 0, 1)}, b"\0"), "out of range"),
    "a shape of 2^40": (file_of({"a": about("U8", [2**40], 0, 2**40)}, b"\0"), "out of range"),
    "40 axes": (file_of({"a": about("U8", [1] * 40, 0, 1)}, b"\0"), "out of range"),
    "a field too many": (file_of({"a": {**B2, "more": 1}}, bytes(8)), "must have dtype, shape and data_offsets"),
    "a field too few": (file_of({"a": {"dtype": "F32", "shape": [2]}}, bytes(8)), "must have dtype"),
    "no object": (file_of({"a": 7}), "must have dtype"),
    "three offsets": (file_of({"a": {**B2, "data_offsets": [0, 4, 8]}}, bytes(8)), "out of range"),
    "offsets in reverse": (file_of({"a": about("F32", [2], 8, 0)}, bytes(8)), "needs more or fewer bytes"),
    "another size": (file_of({"a": about("F32", [3], 0, 8)}, bytes(8)), "needs more or fewer bytes"),
    "an overlap": (file_of({"a": B2, "b": about("F32", [2], 4, 12)}, bytes(12)), "begins at byte 4, and the one before it ends at 8"),
    "a gap": (file_of({"a": B2, "b": about("F32", [2], 12, 20)}, bytes(20)), "begins at byte 12"),
    "a gap at the beginning": (file_of({"a": about("F32", [2], 4, 12)}, bytes(12)), "begins at byte 4"),
    "bytes at the end": (file_of({"a": B2}, bytes(9)), "need 8 bytes, and there are 9"),
    "too few bytes": (file_of({"a": B2}, bytes(7)), "need 8 bytes, and there are 7"),
    "metadata that are no strings": (file_of({"__metadata__": {"a": 1}}), "no object of strings"),
    "metadata that are a list": (file_of({"__metadata__": []}), "no object of strings"),
    "a type that is not known": (file_of({"layer.7": about("F4", [2], 0, 1)}, b"\0"), "tensor layer.7 is of type F4"),
    "a type that is a number": (file_of({"a": {**B2, "dtype": 7}}, bytes(8)), "tensor a is of type 7"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_header_is_refused(tmp_path: Path, name: str) -> None:
    data, told = HOSTILE[name]
    path = tmp_path / "x.safetensors"
    path.write_bytes(data)
    with pytest.raises(InrcodecError, match=told) as caught:
        files.read_tensors(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_changed_files_are_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    plain = bytearray(file_of({"__metadata__": {"a": "b"}, **ORDINARY}, DATA))
    for _ in range(data.draw(st.integers(1, 3))):
        plain[data.draw(st.integers(0, len(plain) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "x.safetensors"
    path.write_bytes(plain[: data.draw(st.integers(0, len(plain)))])
    found, told = None, ""
    try:
        found = files.read_tensors(path)
    except InrcodecError as fault:
        told = str(fault)
    if found is None:
        assert "\n" not in told
        return
    files.write_tensors(path, found)
    assert files.read_tensors(path).equals(found)


def test_limits_are_asked_before_memory_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    files.write_tensors(path, Tensors.of({"w": weights((100, 100))}))
    with pytest.raises(LimitError, match="declares 10000 samples"):
        files.read_tensors(path, Limits(9999))
    with pytest.raises(LimitError, match="bytes of memory"):
        files.read_tensors(path, Limits(max_memory=50_000))


def test_safetensors_are_known_by_their_bytes(tmp_path: Path) -> None:
    path = tmp_path / "weights.bin"
    path.write_bytes(file_of(ORDINARY, DATA))
    assert list(files.read_tensors(path).tensors) == ["b", "a"]
    path.write_bytes(b"something else")
    with pytest.raises(UnsupportedError, match=r"is no file of tensors; known are .safetensors .pt .pth"):
        files.read_tensors(path)
    with pytest.raises(UnsupportedError, match=r"cannot be written as .npz"):
        files.write_tensors(tmp_path / "x.npz", Tensors({}))


# --- PyTorch ------------------------------------------------------------------------------------------------------


class Evil:
    """An object that makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("place", ["alone", "in a dict", "as a key"])
def test_code_in_a_file_is_not_run(tmp_path: Path, legacy: bool, place: str) -> None:
    trap, path = tmp_path / "trap", tmp_path / "evil.pt"
    evil: Any = {"alone": Evil(trap), "in a dict": {"w": torch.zeros(3), "x": Evil(trap)}, "as a key": {Evil(trap): torch.zeros(3)}}[place]
    torch.save(evil, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(UnsupportedError, match="it holds code or objects") as caught:
        files.read_tensors(path)
    assert "\n" not in str(caught.value)
    assert not trap.exists()
    torch.load(path, weights_only=False)  # the trap works
    assert trap.exists()


def test_the_command_refuses_code_and_writes_nothing(tmp_path: Path) -> None:
    trap, path = tmp_path / "trap", tmp_path / "evil.pth"
    torch.save({"w": torch.zeros(3), "x": Evil(trap)}, path)
    found = CliRunner().invoke(main, ["encode", str(path)])
    assert found.exit_code == 1
    assert found.stderr.startswith(f"inrcodec: {path}: it holds code or objects (")
    assert found.stderr.count("\n") == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["evil.pth"]


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_a_whole_module_is_refused(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 2), tmp_path / "x.pt")
    with pytest.raises(UnsupportedError, match=r"it holds code or objects \(.*Linear"):
        files.read_tensors(tmp_path / "x.pt")
    script = torch.jit.script(torch.nn.Linear(2, 2))
    torch.jit.save(script, str(tmp_path / "y.pt"))
    with pytest.raises(UnsupportedError, match="TorchScript"):
        files.read_tensors(tmp_path / "y.pt")


def state() -> dict[str, Any]:
    shared = torch.arange(12.0)
    return {
        "model": {"conv.weight": torch.randn(4, 3, 3, 3), "conv.bias": torch.zeros(4), "tied": shared, "view": shared.view(3, 4).T},
        "optimizer": {"state": {0: {"exp_avg": torch.ones(2)}}, "groups": [{"lr": 0.1, "betas": [0.9, 0.99], "params": [0]}]},
        "step": 7,
        "name": "ä",
        "none": None,
        "nothing": {},
        "scalar": torch.tensor(3.5, dtype=torch.float64),
    }


@pytest.mark.parametrize("legacy", [False, True])
def test_a_state_dict_comes_back(tmp_path: Path, legacy: bool) -> None:
    path, linr, other = tmp_path / "x.pt", tmp_path / "x.linr", tmp_path / "y.pth"
    wanted = state()
    torch.save(wanted, path, _use_new_zipfile_serialization=not legacy)
    runner = CliRunner()
    assert runner.invoke(main, ["encode", str(path), "--effort", "1"]).exit_code == 0
    assert runner.invoke(main, ["decode", str(linr), "-o", str(other)]).exit_code == 0
    found = torch.load(other, weights_only=True)

    def same(a: Any, b: Any) -> bool:
        if isinstance(a, torch.Tensor):
            return isinstance(b, torch.Tensor) and a.dtype == b.dtype and torch.equal(a, b)
        if isinstance(a, dict):
            return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
        return bool(a == b)

    assert same(wanted, found)
    assert runner.invoke(main, ["verify", str(linr), str(path)]).exit_code == 0
    assert runner.invoke(main, ["verify", str(linr), str(other)]).exit_code == 0


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.name)
def test_every_type_has_the_same_bits_in_torch(tmp_path: Path, dtype: Any) -> None:
    bits = np.random.default_rng(0).integers(0, 2 if dtype.name == "BOOL" else 2**dtype.width - 1, (5, 7), dtype.word)
    wanted = Tensors({"x": Tensor(dtype.name, bits), "e": Tensor(dtype.name, np.zeros((0, 2), dtype.word))})
    path = tmp_path / "x.pt"
    files.write_tensors(path, wanted)
    assert files.read_tensors(path).equals(wanted)
    found = torch.load(path, weights_only=True)["x"]
    assert dtype.name.lower()[0] == str(found.dtype).removeprefix("torch.")[0]
    assert found.element_size() * 8 == dtype.width


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (torch.zeros(3), "one tensor without a name"),
        ([torch.zeros(3)], "an object of type list"),
        ({"a": torch.zeros(2, dtype=torch.complex64)}, "tensor a is of type complex64"),
        ({"a": {"b": torch.eye(2).to_sparse()}}, "tensor a.b is of type sparse"),
        ({"a": {"b": [torch.zeros(2)]}}, "a.b is or holds something of type Tensor"),
        ({"a": b"bytes"}, "a is or holds something of type bytes"),
        ({(1, 2): torch.zeros(2)}, r"\(1, 2\) is no name"),
        ({"a.b": torch.zeros(2), "a": {"b": torch.zeros(2)}}, "two tensors have the name a.b"),
    ],
)
def test_what_is_no_state_dict_is_named(tmp_path: Path, content: Any, told: str) -> None:
    torch.save(content, tmp_path / "x.pt")
    with pytest.raises(InrcodecError, match=told) as caught:
        files.read_tensors(tmp_path / "x.pt")
    assert "\n" not in str(caught.value)


def test_a_view_that_is_far_larger_than_the_file_is_refused(tmp_path: Path) -> None:
    torch.save({"x": torch.zeros(1).expand(1 << 20, 1 << 14)}, tmp_path / "x.pt")
    with pytest.raises(LimitError, match="declares 17179869184 samples"):
        files.read_tensors(tmp_path / "x.pt")


def test_an_archive_that_unpacks_to_much_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/data/0", bytes(1 << 24))
    with pytest.raises(LimitError, match="bytes of memory"):
        files.read_tensors(path, Limits(max_memory=1 << 20))


@pytest.mark.parametrize("data", [b"", b"PK\3\4 nothing", b"\x80\x02}q\0.", pickle.dumps({"a": 1}, 4), b"\x80\x02\x8a\xff"])
def test_damaged_files_are_refused_in_a_line(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.pt"
    path.write_bytes(data)
    with pytest.raises(InrcodecError) as caught:
        files.read_tensors(path)
    assert "\n" not in str(caught.value)


def test_cut_files_are_refused_in_a_line(tmp_path: Path) -> None:
    whole = io.BytesIO()
    torch.save(state(), whole)
    path = tmp_path / "x.pt"
    for length in range(0, len(whole.getvalue()) - 1, 97):
        path.write_bytes(whole.getvalue()[:length])
        with pytest.raises(InrcodecError) as caught:
            files.read_tensors(path)
        assert "\n" not in str(caught.value)


# --- the commands -------------------------------------------------------------------------------------------------


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    tensors = {"w": weights((40, 30)), "b": weights((40,)), "n": np.array(3), "z": weights((8, 9)).astype(np.float16)}
    files.write_tensors(path, Tensors.of(tensors, {"safetensors/metadata": b'{"format":"pt"}'}))
    return path


def run(*words: str | Path, code: int = 0) -> str:
    found = CliRunner().invoke(main, list(map(str, words)))
    assert found.exit_code == code, found.output
    return found.output


def test_the_commands_in_a_row(model: Path, tmp_path: Path) -> None:
    linr, other = model.with_suffix(".linr"), tmp_path / "other.safetensors"
    told = run("encode", model, "--threads", "1")
    assert "model.linr: 4 tensors, 5112 → " in told
    assert "bits per weight" in told
    run("decode", linr, "-o", other)
    assert other.read_bytes() == model.read_bytes()
    assert run("verify", linr) == f"{linr}: OK, 4 tensors match their digest\n"
    assert run("verify", linr, model) == f"{linr}: OK, the same as {model}\n"
    shown = run("info", linr)
    for row in ("tensors:        4, 1313 elements\n", "F32:            2 tensors, 4960 → ", "n:              I64 scalar\n"):
        assert row in shown
    found = json.loads(run("info", linr, "--json"))
    assert found == {"ok": True, "command": "info", "input": str(linr), **inrcodec.info(linr.read_bytes())}
    assert found["kind"] == "tensors"
    assert found["dtypes"]["F16"]["raw_bytes"] == 144


def test_a_lossy_file_says_so(model: Path, tmp_path: Path) -> None:
    linr, other = model.with_suffix(".linr"), tmp_path / "other.safetensors"
    told = run("encode", model, "--lossy", "--weights", "lsq", "--bits", "6")
    assert "  w: lsq 6, signal-to-noise ratio " in told
    assert "the file is lossy: 2 of 4 tensors are not exact" in told
    assert "lossy: 2 are not exact" in run("info", linr)
    assert "lsq 6, signal-to-noise ratio" in run("info", linr)
    assert "2 of 4 tensors are not exact: the file was encoded with --lossy" in run("decode", linr, "-o", other)
    found, wanted = files.read_tensors(other), files.read_tensors(model)
    assert [name for name, tensor in found.tensors.items() if not tensor.equals(wanted.tensors[name])] == ["w", "z"]
    assert "differs from" in run("verify", linr, model, code=1)
    assert run("encode", model, "--lossy", "--weights", "ternary", "--quiet", "--force") == ""


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--kind", "image"), "--kind, --sample-rate, --bit-depth, --voxels and --plot are for other files"),
        (("--bit-depth", "8"), "are for other files"),
        (("--profile", "hybrid"), "--profile: not for tensors"),
        (("--weights", "lsq"), "--weights: not for tensors without --lossy"),
        (("--until", "mdl", "--no-payload"), "--until, --no-payload: not for tensors"),
        (("--lossy",), "--lossy needs --weights: uniform, lsq, ternary, sinr"),
        (("--lossy", "--weights", "auto"), "--lossy needs --weights"),
    ],
)
def test_options_that_do_not_apply_are_wrong_usage(model: Path, words: tuple[str, ...], told: str) -> None:
    assert told in run("encode", model, *words, code=2)
    assert not model.with_suffix(".linr").exists()


def test_what_is_for_signals_is_refused_in_a_line(model: Path, tmp_path: Path) -> None:
    linr = model.with_suffix(".linr")
    run("encode", model)
    for words, told in (
        (("decode", linr, "-o", tmp_path / "x.npy"), "tensors cannot be written as .npy; .safetensors .pt .pth can hold them"),
        (("decode", linr, "-o", tmp_path / "x.pt", "--salvage"), "it holds tensors, not a signal; --salvage is for signals"),
        (("decode", linr, "-o", tmp_path / "x.pt", "--start", "1", "--duration", "2"), "--start, --duration are for signals"),
        (("decode", linr, "-o", tmp_path / "x.pt", "--network-only"), "--network-only is for signals"),
        (("render", linr, "-o", tmp_path / "x.png", "--scale", "2"), "it holds tensors, not a signal; render is for signals"),
        (("info", linr, "--stages"), "--stages is for signals"),
    ):
        shown = run(*words, code=1)
        assert told in shown
        assert shown.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.linr", "model.safetensors"]


def test_a_signal_is_not_written_as_tensors(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.arange(20))
    run("encode", tmp_path / "x.npy", "--profile", "stored")
    assert "hold tensors" in run("decode", tmp_path / "x.linr", "-o", tmp_path / "y.safetensors", code=1)
    assert "--lossy is for checkpoints" in run("encode", tmp_path / "x.npy", "--lossy", "--force", code=2)


def test_a_damaged_bundle_is_refused_in_a_line(model: Path, tmp_path: Path) -> None:
    linr = model.with_suffix(".linr")
    run("encode", model)
    linr.write_bytes(linr.read_bytes()[:-30])
    for words in (("decode", linr, "-o", tmp_path / "x.pt"), ("verify", linr), ("info", linr)):
        shown = run(*words, code=1)
        assert shown.startswith(f"inrcodec: {linr}: ")
        assert shown.count("\n") == 1


def test_limits_hold_for_checkpoints(model: Path) -> None:
    assert "declares 1313 samples; the limit is 1k" in run("encode", model, "--max-samples", "1k", code=1).replace("1000", "1k")
    run("encode", model)
    linr = model.with_suffix(".linr")
    assert "the limit is 1000" in run("decode", linr, "-o", model.with_suffix(".pt"), "--max-samples", "1k", code=1)


def test_a_type_is_written_that_says_what_it_does_not_keep(tmp_path: Path) -> None:
    torch.save({"w": torch.zeros(3), "epoch": 4}, tmp_path / "x.pt")
    run("encode", tmp_path / "x.pt")
    told = run("decode", tmp_path / "x.linr", "-o", tmp_path / "x.safetensors")
    assert "this format does not keep exactly: torch/tree" in told
    assert files.read_tensors(tmp_path / "x.safetensors").tensors["w"].equals(Tensor.of(np.zeros(3, np.float32)))


def test_files_of_tensors_are_listed_in_the_help() -> None:
    assert "checkpoints: safetensors (.safetensors), PyTorch (.pt .pth)" in run("--help")


def test_types_of_tensors_are_those_of_the_format() -> None:
    assert set(BY_NAME) == {kind.name for kind in DTYPES}
    assert sorted(kind.number for kind in DTYPES) == list(range(15))


def test_numbers_that_are_not_finite_come_back(tmp_path: Path) -> None:
    path = tmp_path / "x.pt"
    torch.save({"w": torch.zeros(2), "best": float("inf"), "log": [float("-inf"), 1.5]}, path)
    files.write_tensors(tmp_path / "y.pt", bundle.decode(bundle.encode(files.read_tensors(path), Options()), Options()))
    found = torch.load(tmp_path / "y.pt", weights_only=True)
    assert found["best"] == float("inf")
    assert found["log"] == [float("-inf"), 1.5]


def test_options_of_other_files_are_wrong_usage(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    files.write_tensors(path, Tensors({"w": Tensor("F32", np.zeros((4, 4), np.uint32))}))
    wrong = (
        ["--voxels", "8"],
        ["--kind", "image"],
        ["--lossy", "--weights", "ternary", "--bits", "4"],
        ["--lossy", "--weights", "lsq", "--device", "cpu"],
    )
    for more in wrong:
        found = CliRunner().invoke(main, ["encode", str(path), *more])
        assert (found.exit_code, (tmp_path / "x.linr").exists()) == (2, False), found.output


def test_a_picture_is_no_checkpoint(tmp_path: Path) -> None:
    linr = tmp_path / "x.linr"
    linr.write_bytes(inrcodec.encode(np.eye(9, dtype=np.uint8)))
    found = CliRunner().invoke(main, ["decode", str(linr), "-o", str(tmp_path / "x.safetensors")])
    assert found.exit_code == 1
    assert "hold tensors" in found.output
