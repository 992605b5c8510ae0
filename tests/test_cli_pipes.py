"""Standard input and output as `-`, --format, the default output of decode, and that nothing partial is delivered."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

import inrcodec
from inrcodec import cli, files
from inrcodec.cli import pipes
from inrcodec.signal import Signal
from inrcodec.tensors import Tensors

PROGRAM = [sys.executable, "-m", "inrcodec"]
posix = pytest.mark.skipif(sys.platform == "win32", reason="no such thing on Windows")


def run(*arguments: object, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(cli.main, [str(a) for a in arguments], input=stdin)


def fault(result: Result, *says: str) -> None:
    """One line on standard error, status 1, nothing on standard output."""
    assert result.exit_code == 1, result.output
    assert len(result.stderr.splitlines()) == 1, result.stderr
    assert result.stdout_bytes == b""
    assert all(word in result.stderr for word in says), result.stderr


@pytest.fixture
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary files, which must be empty at the end of a run."""
    folder = tmp_path / "spool"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def coded(photo: Path) -> bytes:
    return inrcodec.encode(files.read(photo), profile="stored")


def test_a_pipe_each_way(photo: Path, spool: Path) -> None:
    data = run("encode", "-", "--profile", "stored", stdin=photo.read_bytes())
    assert data.exit_code == 0
    assert data.stdout_bytes == coded(photo)
    assert data.stderr.startswith("standard output: stored, 1440 → ")
    back = run("decode", "-", "--format", "png", stdin=data.stdout_bytes)
    (photo.parent / "back.png").write_bytes(back.stdout_bytes)
    assert files.read(photo.parent / "back.png").equals(files.read(photo))
    assert back.stderr == ""
    assert list(spool.iterdir()) == []


def test_a_pipe_one_way(photo: Path, tmp_path: Path, spool: Path) -> None:
    assert run("encode", "-", "-o", tmp_path / "x.linr", "--profile", "stored", stdin=photo.read_bytes()).exit_code == 0
    assert run("encode", photo, "-o", "-", "--profile", "stored").stdout_bytes == (tmp_path / "x.linr").read_bytes()
    out = run("decode", tmp_path / "x.linr", "-o", "-", "--format", "npy")
    (tmp_path / "x.npy").write_bytes(out.stdout_bytes)
    assert (np.load(tmp_path / "x.npy") == files.read(photo).samples).all()
    linr = (tmp_path / "x.linr").read_bytes()
    assert run("verify", "-", stdin=linr).stdout == "standard input: OK, 1440 samples match their digest\n"
    assert "the same as standard input" in run("verify", tmp_path / "x.linr", "-", stdin=photo.read_bytes()).stdout
    assert run("info", "-", stdin=linr).stdout == run("info", tmp_path / "x.linr").stdout
    part = run("render", "-", "--format", "png", "--region", "2,3,5,4", stdin=linr)
    (tmp_path / "part.png").write_bytes(part.stdout_bytes)
    assert (files.read(tmp_path / "part.png").samples == files.read(photo).samples[3:7, 2:7]).all()
    assert list(spool.iterdir()) == []


def test_tensors_and_several_arrays_in_pipes(tmp_path: Path, spool: Path) -> None:
    files.write_tensors(tmp_path / "m.safetensors", Tensors.of({"a": np.ones((4, 3), np.float32)}))
    np.savez(tmp_path / "r.npz", x=np.arange(9), y=np.array(["a"]))
    for name in ("m.safetensors", "r.npz"):
        source, extension = (tmp_path / name).read_bytes(), name.partition(".")[2]
        data = run("encode", "-", "--format", extension, "--effort", "1", stdin=source)
        assert data.exit_code == 0, data.stderr
        back = run("decode", "-", "--format", extension, stdin=data.stdout_bytes)
        assert back.exit_code == 0, back.stderr
        assert back.stdout_bytes == source if extension == "safetensors" else len(back.stdout_bytes) > 200
    assert run("encode", "-", stdin=(tmp_path / "m.safetensors").read_bytes()).exit_code == 0  # by its first bytes


def test_what_standard_input_must_be(photo: Path, spool: Path) -> None:
    data = coded(photo)
    fault(run("encode", "-", stdin=b""), "inrcodec: standard input: is empty")
    fault(run("encode", "-", stdin=b"hello"), "inrcodec: standard input: its first bytes are of no known type; name it with --format")
    fault(run("encode", "-", stdin=data), "standard input: this is a .linr file")
    fault(run("encode", "-", "--format", "wav", stdin=photo.read_bytes()), "standard input: is a PNG file, not .wav")
    fault(run("encode", "-", "--format", "npy", stdin=b"hello"), "standard input: ")
    fault(run("encode", "-", "--max-memory", "100", stdin=photo.read_bytes()), "standard input: it would take about")
    fault(run("decode", "-", "--format", "png", stdin=data[:-9]), "standard input: ")
    fault(run("verify", "-", stdin=data[:-9]), "standard input: ")
    fault(run("info", "-", stdin=photo.read_bytes()), "standard input: ")
    fault(run("decode", "-", "--format", "wav", stdin=data), "standard output: a .wav file holds sound")
    assert run("verify", "-", "-", stdin=data).exit_code == 2
    assert run("decode", "-", stdin=data).exit_code == 2
    assert run("encode", photo, "--format", "best").exit_code == 2
    assert list(spool.iterdir()) == []


def test_nothing_partial_on_standard_output(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path, signal: Signal) -> None:
        path.write_bytes(b"half of it")
        raise inrcodec.InrcodecError(f"{path}: cannot be written as .png (it broke)")

    monkeypatch.setattr(files, "write", fail)
    fault(run("decode", "-", "--format", "png", stdin=coded(photo)), "standard output: cannot be written as .png (it broke)")


def test_salvage_in_a_pipe(tmp_path: Path) -> None:
    """What is intact is written, although the status is 1."""
    x = np.cumsum(np.random.default_rng(0).integers(-9, 10, (40, 48)), axis=1).astype(np.uint8)
    data = bytearray(inrcodec.encode(x, effort=1, tile=16, compact=False))
    data[-200] ^= 1
    result = run("decode", "-", "--salvage", "--format", "npy", stdin=bytes(data))
    assert result.exit_code == 1
    (tmp_path / "x.npy").write_bytes(result.stdout_bytes)
    found = np.load(tmp_path / "x.npy")
    assert 0 < (found != x).sum() <= 256


def test_extensions_that_say_something_else(photo: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "r.npz", x=np.arange(9))
    (tmp_path / "r.npz").rename(tmp_path / "runs.zip")
    assert "ZIP archives are not supported" in run("encode", tmp_path / "runs.zip").stderr
    assert run("encode", tmp_path / "runs.zip", "--format", "npz", "--profile", "stored").exit_code == 0
    assert run("verify", tmp_path / "runs.linr", tmp_path / "runs.zip", "--format", "npz").exit_code == 0
    os.utime(photo, (1e9, 1e9))
    assert run("encode", photo, "--profile", "stored").exit_code == 0
    assert run("decode", photo.with_suffix(".linr"), "-o", tmp_path / "x.dat", "--format", "PNG").exit_code == 0
    assert (tmp_path / "x.dat").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "x.dat").stat().st_mtime == 1e9
    again = ("decode", photo.with_suffix(".linr"), "-o", tmp_path / "x.dat", "--format", "bmp")
    fault(run(*again), f"{tmp_path / 'x.dat'}: exists already")
    assert run(*again, "-f").exit_code == 0
    assert (tmp_path / "x.dat").read_bytes().startswith(b"BM")
    fault(run(*again[:-1], "wav", "-f"), f"{tmp_path / 'x.dat'}: a .wav file holds sound")
    assert (tmp_path / "x.dat").read_bytes().startswith(b"BM")
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".inrcodec")]


def test_the_default_output_of_decode(photo: Path, tmp_path: Path) -> None:
    original = files.read(photo)
    assert run("encode", photo, "-o", tmp_path / "a.linr", "--profile", "stored").exit_code == 0
    assert run("encode", photo, "-o", tmp_path / "b.tif.linr", "--profile", "stored").exit_code == 0
    (tmp_path / "c.linr").write_bytes(inrcodec.encode(np.zeros((90, 2), np.int16), kind="audio", sample_rate=8000))
    (tmp_path / "d.linr").write_bytes(inrcodec.encode(np.zeros((3, 4, 5), np.int16)))
    for name, expected in (("a.linr", "a.png"), ("b.tif.linr", "b.tif"), ("c.linr", "c.wav"), ("d.linr", "d.npy")):
        result = run("decode", tmp_path / name)
        assert result.exit_code == 0, result.stderr
        assert result.stdout == f"{tmp_path / name} → {tmp_path / expected}\n"
    assert files.read(tmp_path / "a.png").equals(original)
    fault(run("decode", tmp_path / "a.linr"), "a.png: exists already")
    assert run("decode", tmp_path / "b.tif.linr", "--format", "bmp", "--quiet").stdout == ""
    assert (files.read(tmp_path / "b.bmp").samples == original.samples).all()
    for part in (["--region", "0,0,2,2"], ["--scale", "1/2"], ["--salvage"], ["--network-only"]):
        result = run("decode", tmp_path / "a.linr", "-f", *part)
        assert (result.exit_code, "name the output with -o" in result.stderr) == (2, True)


def test_a_file_that_is_named_as_a_pipe(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(photo.parent)
    photo.rename("-")
    assert run("encode", "./-", "-o", "x.linr", "--profile", "stored").exit_code == 0
    fault(run("encode", "-", stdin=b""), "standard input: is empty")


def test_short_options(photo: Path) -> None:
    first = run("encode", photo, "-p", "stored", "-t", "1")
    assert first.exit_code == 0
    assert run("encode", photo, "-1fq", "-p", "auto").stdout == ""
    one = photo.with_suffix(".linr").read_bytes()
    assert one == inrcodec.encode(files.read(photo), effort=1)
    assert run("encode", photo, "-3", "-e", "1", "-f").exit_code == 0  # the last one counts
    assert photo.with_suffix(".linr").read_bytes() == one
    assert run("encode", photo, "-6").exit_code == 2
    assert run("verify", photo.with_suffix(".linr"), "-q").output == ""


@posix
def test_terminals_are_refused(photo: Path) -> None:
    """Files do not go to a terminal, and are not typed in there."""
    (photo.parent / "x.linr").write_bytes(coded(photo))
    above, terminal = os.openpty()
    try:
        for arguments, stream in (
            (["encode", str(photo), "-o", "-"], "stdout"),
            (["decode", str(photo.parent / "x.linr"), "-o", "-", "--format", "png"], "stdout"),
            (["encode", "-"], "stdin"),
        ):
            streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE} | {stream: terminal}
            result = subprocess.run([*PROGRAM, *arguments], stderr=subprocess.PIPE, text=True, check=False, timeout=100, **streams)  # type: ignore[call-overload]
            assert result.returncode == 2, result.stderr
            assert "is a terminal" in result.stderr
    finally:
        os.close(above)
        os.close(terminal)


@posix
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_behind_standard_output(photo: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        arguments = ["encode", str(photo), "-o", "-", "-q", "--profile", "stored"]
        result = subprocess.run([*PROGRAM, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=100)
    assert (result.returncode, result.stderr) == (1, "inrcodec: standard output: cannot be written: no space left on device\n")


def test_links_are_not_needed(photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Path, target: Path) -> None:
        raise OSError

    monkeypatch.setattr(Path, "symlink_to", fail)
    photo.rename(tmp_path / "photo.dat")
    assert run("encode", tmp_path / "photo.dat", "--format", "png", "--profile", "stored").exit_code == 0
    fault(run("encode", tmp_path / "missing", "--format", "png"), f"{tmp_path / 'missing'}: cannot be read: no such file")


def test_all_types_have_words() -> None:
    known = pipes._known()
    signals = [kind.extensions for kind in (*files.types(), *files.lossy.LOSSY)]
    for extension in sum([*signals, *(kind.extensions for kind in files.CHECKPOINTS)], ()):
        assert known[extension[1:]] == known[extension] == extension
    assert (known["png"], known["npz"], known["ply"], known["pt"], known["jpg"], known["nii.gz"]) == (
        ".png", ".npz", ".ply", ".pt", ".jpg", ".nii.gz",
    )  # fmt: skip
