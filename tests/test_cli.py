"""The command line as a user meets it: round trips, one-line errors, statuses, nothing left behind."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner, Result
from PIL import Image

import inrcodec
from inrcodec import cli, files
from inrcodec.cli.progress import ProgressLine
from inrcodec.kernels import events
from inrcodec.signal import Signal

FAST = ["--profile", "inr", "--hidden", "8", "--layers", "1", "--steps", "3", "--bits", "8", "--weights", "uniform"]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli.main, [str(a) for a in arguments])


def test_the_line_of_progress_tells_of_compiling(capsys: pytest.CaptureFixture[str]) -> None:
    line = ProgressLine(True)
    events.first_compile()
    line.clear()
    shown = capsys.readouterr().err
    assert "compiling kernels" in shown
    assert shown.endswith("\x1b[2K")  # the line is erased
    events.first_compile()
    line.clear()
    assert not capsys.readouterr().err
    ProgressLine(False)
    events.first_compile()
    assert not capsys.readouterr().err


def run_process(*arguments: object, check: str = "") -> subprocess.CompletedProcess[str]:
    """The real program in a process of its own; `check` is Python to run after it in the same process."""
    code = f"import sys; from inrcodec.cli import main; main(sys.argv[1:], standalone_mode=False)\n{check}"
    return subprocess.run([sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, check=False)


PROGRAM = [sys.executable, "-m", "inrcodec"]
posix = pytest.mark.skipif(sys.platform == "win32", reason="no such thing on Windows")


def inputs(folder: Path) -> list[Path]:
    """One small file of each kind."""
    rng = np.random.default_rng(0)
    paths = []
    for channels, subtype, name in (
        (1, "PCM_U8", "a"),
        (2, "PCM_U8", "b"),
        (1, "PCM_16", "c"),
        (2, "PCM_16", "d"),
        (1, "PCM_24", "e"),
        (2, "PCM_24", "f"),
    ):
        paths.append(folder / f"{name}.wav")
        soundfile.write(paths[-1], rng.integers(-(2**31), 2**31, (90, channels)).astype(np.int32), 44100, subtype=subtype)
    arrays = {
        "volume": rng.random((8, 8, 8)) < 0.2,
        "line": rng.integers(-(2**31), 2**31, 200).astype(np.int32),
        "dot": np.full((1, 1), 7, np.uint8),
        "big": rng.integers(0, 2**63, (3, 4, 2, 2)).astype(">u8"),
    }
    for name, array in arrays.items():
        paths.append(folder / f"{name}.npy")
        np.save(paths[-1], array)
    for mode, size, name in (("1", (9, 5), "bits"), ("LA", (4, 6), "alpha"), ("RGBA", (5, 5), "rgba"), ("L", (1, 1), "pixel")):
        paths.append(folder / f"{name}.png")
        shape = (size[1], size[0], len(mode)) if len(mode) > 1 else (size[1], size[0])
        pixels = rng.integers(0, 256, shape).astype(np.uint8)
        Image.fromarray(pixels).convert(mode).save(paths[-1])
    return paths


@pytest.mark.parametrize("options", [["--profile", "stored"], FAST, ["--effort", "1"]], ids=["stored", "inr", "auto"])
def test_round_trips(tmp_path: Path, options: list[str]) -> None:
    for path in inputs(tmp_path):
        coded, back = path.with_suffix(".linr"), path.with_name(f"back-{path.name}")
        result = run("encode", path, "-o", coded, "--force", *options)
        assert result.exit_code == 0, result.output
        result = run("decode", coded, "-o", back, "--force")
        assert result.exit_code == 0, result.output
        assert files.read(back).equals(files.read(path))
        if path.suffix in (".wav", ".npy"):
            assert back.read_bytes() == path.read_bytes()
        result = run("verify", coded, path)
        assert result.exit_code == 0, result.output
        assert "OK" in result.output


def test_metadata_comes_back(photo: Path, tmp_path: Path) -> None:
    assert run("encode", photo, "--effort", "1").exit_code == 0
    assert run("decode", photo.with_suffix(".linr"), "-o", tmp_path / "back.png").exit_code == 0
    with Image.open(tmp_path / "back.png") as image:
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)


def test_the_default_output_is_beside_the_input(photo: Path) -> None:
    result = run("encode", photo, "--effort", "1")
    assert result.exit_code == 0
    assert photo.with_suffix(".linr").exists()
    assert "bits per pixel" in result.output


def test_info(photo: Path) -> None:
    run("encode", photo, *FAST)
    coded = photo.with_suffix(".linr")
    found = json.loads(run("info", coded, "--json").output)
    assert set(found) >= {"profile", "kind", "shape", "bit_depth", "sample_rate", "raw_bytes", "file_bytes", "bits_per_pixel", "digest"}
    assert set(found["bytes"]) == {"header", "metadata", "plan", "weights", "payload"}
    assert sum(found["bytes"].values()) == found["file_bytes"]
    assert found["bytes"]["plan"] == 0 < found["bytes"]["weights"]
    assert set(found["weights"]) >= {"coding", "parameters", "bits_per_parameter"}
    assert found["file_bytes"] == coded.stat().st_size
    text = run("info", coded).output
    assert "uniform 8" in text
    assert found["digest"] in text


def test_quiet_is_quiet(photo: Path) -> None:
    result = run("encode", photo, "--effort", "1", "--quiet")
    assert (result.exit_code, result.output) == (0, "")


def test_verify_finds_differences(photo: Path, tmp_path: Path) -> None:
    run("encode", photo, "--effort", "1")
    with Image.open(photo) as image:
        pixels = np.array(image)
    pixels[3, 3, 1] ^= 1
    Image.fromarray(pixels).save(tmp_path / "other.png", dpi=(300, 300))
    result = run("verify", photo.with_suffix(".linr"), tmp_path / "other.png")
    assert result.exit_code == 1
    assert "1 of 1440 samples" in result.stderr


def assert_fault(result: Result, *says: str) -> None:
    assert result.exit_code == 1, result.output
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert len(lines) == 1, lines
    for text in says:
        assert text in lines[0]


def listing(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_bad_linr_files(photo: Path, tmp_path: Path) -> None:
    run("encode", photo, "--effort", "1")
    good = photo.with_suffix(".linr").read_bytes()
    flipped = bytearray(good)
    flipped[len(good) // 2] ^= 16
    cases = {
        "truncated": (good[:-20], "truncated"),
        "flipped": (bytes(flipped), "damaged"),
        "empty": (b"", "empty"),
        "text": (b"this is a text\n" * 20, "not a .linr file"),
    }
    for name, (data, says) in cases.items():
        path = tmp_path / f"{name}.linr"
        path.write_bytes(data)
        before = listing(tmp_path)
        for arguments in (("decode", path, "-o", tmp_path / "out.png"), ("info", path)):
            if name == "flipped" and arguments[0] == "info":
                continue
            assert_fault(run(*arguments), str(path), says)
        verified = run("verify", path)  # it says of each part what is wrong
        assert verified.exit_code == 1
        assert says in verified.stderr
        assert all(line.startswith(f"inrcodec: {path}: ") for line in verified.stderr.splitlines())
        assert listing(tmp_path) == before


def test_bad_inputs(tmp_path: Path, photo: Path) -> None:
    text = tmp_path / "text.png"
    text.write_text("hello")
    np.save(tmp_path / "dates.npy", np.zeros(3, "M8[s]"))
    np.save(tmp_path / "empty.npy", np.zeros((3, 0), np.int8))
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8\xff")
    (tmp_path / "plain").write_bytes(b"x")
    (tmp_path / "cut.png").write_bytes(photo.read_bytes()[:200])
    before = listing(tmp_path)
    for name, says in (
        ("text.png", "text.png"),
        ("cut.png", "cut.png"),
        ("dates.npy", "datetime64"),
        ("empty.npy", "empty"),
        ("photo.jpg", "JPEG is lossy"),
        ("plain", "first bytes are of no known type, and files named without an extension"),
        ("missing.png", "no such file"),
    ):
        assert_fault(run("encode", tmp_path / name), str(tmp_path / name), says)
    assert_fault(run("encode", tmp_path), str(tmp_path))
    assert_fault(run("decode", tmp_path / "missing.linr", "-o", tmp_path / "x.png"), "missing.linr", "no such file")
    assert listing(tmp_path) == before


def test_outputs_are_protected(photo: Path, tmp_path: Path) -> None:
    coded = photo.with_suffix(".linr")
    coded.write_bytes(b"precious")
    assert_fault(run("encode", photo, "--effort", "1"), str(coded), "exists already")
    assert coded.read_bytes() == b"precious"
    assert run("encode", photo, "--effort", "1", "--force").exit_code == 0
    before = photo.read_bytes()
    assert_fault(run("decode", coded, "-o", photo), str(photo), "exists already")
    assert photo.read_bytes() == before
    assert_fault(run("encode", photo, "-o", tmp_path / "no" / "such.linr"), "there is no directory")
    assert_fault(run("decode", coded, "-o", tmp_path), str(tmp_path))


def test_paths_without_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for path in (".", "/", ""):
        result = run("encode", path)
        assert result.exit_code == 1
        assert len(result.stderr.splitlines()) == 1


def test_long_names_work(photo: Path, tmp_path: Path) -> None:
    name = "日" * 80 + ".linr"  # 245 bytes
    assert run("encode", photo, "-o", tmp_path / name, "--effort", "1").exit_code == 0
    assert_fault(run("encode", photo, "-o", tmp_path / ("x" * 300 + ".linr"), "--effort", "1"), "file name too long")


def test_links_and_permissions_are_kept(photo: Path, tmp_path: Path) -> None:
    target, link = tmp_path / "target.linr", tmp_path / "link.linr"
    target.write_bytes(b"old")
    target.chmod(0o600)
    link.symlink_to(target)
    assert_fault(run("encode", photo, "-o", link, "--effort", "1"), "exists already")
    assert run("encode", photo, "-o", link, "--effort", "1", "--force").exit_code == 0
    assert link.is_symlink()
    assert target.read_bytes() != b"old"
    assert target.stat().st_mode & 0o777 == 0o600
    dangling = tmp_path / "dangling.linr"
    dangling.symlink_to(tmp_path / "nowhere")
    assert_fault(run("encode", photo, "-o", dangling, "--effort", "1"), "exists already")
    fifo = tmp_path / "fifo.linr"
    os.mkfifo(fifo)
    assert_fault(run("encode", photo, "-o", fifo, "--effort", "1", "--force"), "not a regular file")


def test_metadata_that_is_lost_is_named(photo: Path, tmp_path: Path) -> None:
    run("encode", photo, "--effort", "1")
    result = run("decode", photo.with_suffix(".linr"), "-o", tmp_path / "x.ppm")
    assert result.exit_code == 0
    assert "density" in result.stderr
    assert run("decode", photo.with_suffix(".linr"), "-o", tmp_path / "x.tif").stderr == ""


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_unwritable_directories(photo: Path, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    assert_fault(run("encode", photo, "-o", closed / "x.linr"), "not writable")


def test_unwritable_places_for_everyone(photo: Path) -> None:
    """/proc refuses new files even to root."""
    if not Path("/proc/self").exists():
        pytest.skip("needs /proc")
    assert_fault(run("encode", photo, "-o", "/proc/x.linr", "--effort", "1"), "/proc/x.linr")


def test_formats_that_cannot_hold_the_samples(photo: Path, tmp_path: Path) -> None:
    run("encode", photo, "--effort", "1")
    coded = photo.with_suffix(".linr")
    before = listing(tmp_path)
    for name in ("x.wav", "x.pgm", "x.jpg"):
        assert_fault(run("decode", coded, "-o", tmp_path / name), str(tmp_path / name))
    assert listing(tmp_path) == before
    assert run("decode", coded, "-o", tmp_path / "x.npy").exit_code == 0
    assert (np.load(tmp_path / "x.npy") == files.read(photo).samples).all()


@pytest.mark.parametrize(
    "arguments",
    [
        ["encode"],
        ["encode", "x.png", "--profile", "best"],
        ["encode", "x.png", "--effort", "10"],
        ["encode", "PHOTO", "--omega", "nan"],
        ["encode", "PHOTO", "--seed", str(2**70)],
        ["decode", "x.linr", "-o", "x.png", "--threads", "5000"],
        ["verify", "x.linr", "--threads", "5000"],
        ["encode", "x.png", "-o", "x.png"],
        ["decode", "x.linr", "-o", "-"],
        ["decode", "x.linr", "--scale", "1/8"],
        ["frobnicate"],
    ],
)
def test_wrong_usage_is_status_2(arguments: list[str], photo: Path) -> None:
    assert run(*[str(photo) if a == "PHOTO" else a for a in arguments]).exit_code == 2
    assert not photo.with_suffix(".linr").exists()


@pytest.mark.parametrize("command", [[], ["encode"], ["decode"], ["info"], ["verify"], ["demo"]])
def test_help(command: list[str]) -> None:
    result = run(*command, "--help")
    assert result.exit_code == 0
    assert len(result.output) > 150


def test_reading_never_imports_torch(photo: Path, tmp_path: Path) -> None:
    run("encode", photo, *FAST)
    coded = photo.with_suffix(".linr")
    check = "assert not {'torch', 'sklearn', 'inrcodec.fit.search'} & set(sys.modules), 'torch was imported'"
    for arguments in (("decode", coded, "-o", tmp_path / "x.png"), ("info", coded), ("verify", coded)):
        result = run_process(*arguments, check=check)
        assert result.returncode == 0, result.stderr
    stored = ("encode", photo, "-o", tmp_path / "s.linr", "--effort", "1")
    result = run_process(*stored, check=check)
    assert result.returncode == 0, result.stderr


def test_a_write_that_fails_leaves_nothing(photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("encode", photo, "--effort", "1")
    before = listing(tmp_path)

    def fail(path: Path, signal: Signal) -> None:
        path.write_bytes(b"half a file")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "write", fail)
    assert_fault(run("decode", photo.with_suffix(".linr"), "-o", tmp_path / "x.png"), "x.png", "no space left")
    assert listing(tmp_path) == before


def test_ctrl_c_writes_the_best_so_far(photo: Path) -> None:
    arguments = ["encode", str(photo), "--profile", "inr", "--hidden", "256", "--until", "mdl", "--seconds", "300", "--steps", "1000000"]
    # the program interrupts itself after some steps, as a person at the keyboard would
    code = """
import os, signal, sys
from inrcodec import cli
from inrcodec.cli.progress import ProgressLine

asked = []

def interrupt(line, status):
    if status.stage == "fit":
        line.fitted = status
    if status.step > 5 and not asked:
        asked.append(True)
        os.kill(os.getpid(), signal.SIGINT)

ProgressLine.__call__ = interrupt
cli.main(sys.argv[1:])
"""
    process = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=300, check=False)
    output = process.stdout
    assert process.returncode == 0, process.stderr
    assert "interrupted" in output
    coded = photo.with_suffix(".linr")
    assert "inr" in output
    assert run("verify", coded, photo).exit_code == 0
    assert [p.name for p in photo.parent.iterdir() if p.name.startswith(".")] == []


def test_threads_give_the_same_file(photo: Path, tmp_path: Path) -> None:
    for n in (1, 2, 4):
        run("encode", photo, "-o", tmp_path / f"{n}.linr", "--effort", "1", "--threads", n)
    assert len({(tmp_path / f"{n}.linr").read_bytes() for n in (1, 2, 4)}) == 1


def test_times_of_a_part(tmp_path: Path) -> None:
    samples = np.arange(16000, dtype=np.int16)[:, None]
    files.write(tmp_path / "a.wav", Signal(samples, "audio", 16, 100))
    assert run("encode", tmp_path / "a.wav", "--effort", "1").exit_code == 0
    for start, duration, first, last in (("1:30", "2", 9000, 9200), ("0", "0:00:01.5", 0, 150), ("159", "5", 15900, 16000)):
        out = tmp_path / f"{first}.wav"
        assert run("decode", tmp_path / "a.linr", "-o", out, "--start", start, "--duration", duration).exit_code == 0
        assert np.array_equal(files.read(out).samples, samples[first:last])
    for option, text in (("--start", "nan"), ("--start", "-1"), ("--start", "x"), ("--duration", "0"), ("--duration", "inf")):
        assert run("decode", tmp_path / "a.linr", "-o", tmp_path / "no.wav", option, text).exit_code == 2
    assert_fault(run("decode", tmp_path / "a.linr", "-o", tmp_path / "no.wav", "--start", "160"), "a.linr", "ends after 160")
    assert not (tmp_path / "no.wav").exists()


@posix
@pytest.mark.parametrize("arguments", [["info"], ["info", "--json"], ["--help"], ["encode", "--help"]])
def test_a_reader_that_has_enough(photo: Path, arguments: list[str]) -> None:
    """As `inrcodec info … | head -1`, when head has gone: as of other programs, nothing is said, and the shell shows 141."""
    run("encode", photo, "--profile", "stored")
    reading, writing = os.pipe()
    os.close(reading)
    given = [*arguments, photo.with_suffix(".linr")] if arguments[0] == "info" else arguments
    process = subprocess.run([*PROGRAM, *map(str, given)], stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (process.returncode, process.stderr) == (141, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_standard_output_on_a_full_disk(photo: Path) -> None:
    with open("/dev/full", "w") as full:
        process = subprocess.run([*PROGRAM, "encode", str(photo), "--profile", "stored"], stdout=full, stderr=subprocess.PIPE, check=False)
    assert process.returncode == 1
    assert process.stderr.decode() == "inrcodec: standard output: cannot be written: no space left on device\n"
    assert run("verify", photo.with_suffix(".linr"), photo).exit_code == 0


@posix
@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        pytest.param("日.png", "cp1252", id="cjk-cp1252"),
        pytest.param("日.png", "C", id="cjk-C", marks=pytest.mark.slow),
        pytest.param(os.fsdecode(b"\xff.png"), "utf-8", id="bytes-utf-8"),
        pytest.param("a\n\x1b[31m\u202eb.png", "ascii", id="control-ascii", marks=pytest.mark.slow),
    ],
)
def test_any_name_in_any_encoding(photo: Path, name: str, encoding: str) -> None:
    path = photo.rename(photo.with_name(name))
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("LC_", "PYTHONUTF8", "PYTHONIOENCODING"))}
    environment |= {"LANG": "C", "LC_ALL": "C"} if encoding == "C" else {"PYTHONIOENCODING": encoding}

    def lines(status: int, *arguments: str | Path) -> tuple[list[bytes], list[bytes]]:
        command = [*map(os.fsencode, PROGRAM), *map(os.fsencode, arguments)]
        process = subprocess.run(command, capture_output=True, env=environment, check=False)
        assert process.returncode == status, process.stderr
        output = process.stdout + process.stderr
        assert b"\x1b" not in output
        assert b"\xe2\x80\xae" not in output
        return process.stdout.splitlines(), process.stderr.splitlines()

    coded = path.with_suffix(".linr")
    said, faults = lines(0, "encode", path, "--profile", "stored")
    assert (len(said), faults) == (1, [])
    assert len(lines(0, "verify", coded, path)[0]) == 1
    lines(0, "info", coded)
    assert [len(part) for part in lines(1, "encode", path, "--profile", "stored")] == [0, 1]
    assert [len(part) for part in lines(1, "decode", photo.with_name(f"no{name}"), "-o", f"{path}.png")] == [0, 1]
    assert lines(2, "encode", path, "--effort", name)[0] == []
    assert lines(2, name)[0] == []


@posix
def test_metadata_with_control_characters_is_shown_escaped(tmp_path: Path) -> None:
    signal = Signal(np.arange(9, dtype=np.uint8), metadata={"text/\x1b[2J\nfake: line": b"x"})
    (tmp_path / "a.linr").write_bytes(inrcodec.encode(signal, profile="stored"))
    output = run("info", tmp_path / "a.linr").output
    assert r"text/\x1b[2J\nfake: line" in output
    assert "\x1b" not in output
    assert "\nfake" not in output


def test_one_bit_is_no_plural(tmp_path: Path) -> None:
    (tmp_path / "a.linr").write_bytes(inrcodec.encode(np.arange(9) % 2 == 0, profile="stored"))
    output = run("info", tmp_path / "a.linr").output
    assert "1 bit (bool)" in output
    assert "1 bits" not in output


@pytest.mark.parametrize("name", ["missing.linr", "folder", "folder/", "missing.linr/", "closed.linr", ""])
@pytest.mark.parametrize("command", [["info"], ["verify"], ["encode", "-o", "x.linr"], ["decode", "-o", "x.png"]])
def test_inputs_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str], name: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "closed.linr").write_bytes(b"")
    access, opened = os.access, Path.open

    def closed(path: Any, mode: int, **more: Any) -> bool:  # as for anybody but root
        return "closed" not in str(path) and access(path, mode, **more)

    def refuse(path: Path, *given: Any, **more: Any) -> Any:
        if path.name == "closed.linr":
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *given, **more)

    monkeypatch.setattr(os, "access", closed)
    monkeypatch.setattr(Path, "open", refuse)
    monkeypatch.setattr(Path, "read_bytes", lambda path: refuse(path, "rb").read())
    told = name.rstrip("/") if command[0] == "encode" else name  # a folder may be encoded
    assert_fault(run(command[0], name, *command[1:]), told or "empty")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["closed.linr", "folder"]


@posix
@pytest.mark.parametrize("name", ["photo.linr", "soft.linr", "hard.linr", "../{folder}/photo.linr", "./photo.linr"])
def test_the_input_is_not_overwritten_by_the_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Files are recognized by what they hold, so a picture may be named .linr, and a .linr file .png."""
    monkeypatch.chdir(tmp_path)
    source = tmp_path / "photo.linr"
    files.write(tmp_path / "a.png", Signal(np.arange(99, dtype=np.uint8).reshape(9, 11), "image"))
    (tmp_path / "a.png").rename(source)
    (tmp_path / "soft.linr").symlink_to(source)
    os.link(source, tmp_path / "hard.linr")
    before = listing(tmp_path)
    target = name.format(folder=tmp_path.name)
    assert_fault(
        run("encode", "photo.linr", "-o", target, "--force", "--profile", "stored"), target.removeprefix("./"), "is the input itself"
    )
    assert_fault(run("decode", "photo.linr", "-o", target.replace("photo.linr", "."), "--force"))
    assert listing(tmp_path) == before
    data = inrcodec.encode(np.arange(99, dtype=np.uint8), profile="stored")
    source = tmp_path / "array.npy"
    source.write_bytes(data)
    assert_fault(run("decode", source, "-o", "array.npy", "--force"), "is the input itself")
    assert source.read_bytes() == data


@posix
def test_a_disk_that_fills_up_while_decoding(tmp_path: Path) -> None:
    """Every type of file is written whole or not at all; here no file may be larger than 2000 bytes."""
    g = np.random.default_rng(0)
    signals = {
        "image": Signal(g.integers(0, 256, (60, 50, 3)).astype(np.uint8), "image"),
        "audio": Signal(g.integers(-(2**15), 2**15, (4000, 1)).astype(np.int16), "audio", 16, 8000),
        "array": Signal(g.integers(0, 256, 9000).astype(np.uint8)),
    }
    wanted = []
    for kind, signal in signals.items():
        coded = tmp_path / f"{kind}.linr"
        coded.write_bytes(inrcodec.encode(signal, profile="stored"))
        for extension in (t.extensions[0] for t in files.types() if t.holds == kind and t.write):
            out = tmp_path / f"out{extension}"
            try:
                files.write(out, signal)
            except inrcodec.UnsupportedError:  # it holds other samples
                continue
            out.write_bytes(b"old")
            wanted.append((str(coded), str(out)))
    assert len(wanted) > 12
    limited = (
        "import json, resource, sys; from click.testing import CliRunner; from inrcodec.cli import main\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\n"
        "done = [CliRunner().invoke(main, ['decode', coded, '-o', out, '--force']) for coded, out in json.loads(sys.argv[1])]\n"
        "print(json.dumps([(result.exit_code, result.stderr) for result in done]))"
    )
    process = subprocess.run([sys.executable, "-c", limited, json.dumps(wanted)], capture_output=True, text=True, check=True)
    for (_, target), (status, error) in zip(wanted, json.loads(process.stdout), strict=True):
        assert (status, len(error.splitlines())) == (1, 1), (target, error)
        assert error.startswith(f"inrcodec: {target}: ")
        assert Path(target).read_bytes() == b"old"
        Path(target).unlink()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["array.linr", "audio.linr", "image.linr"]


def test_faults_name_the_output_not_the_temporary_file(photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("encode", photo, "--profile", "stored")

    def fail(path: Path, signal: Signal) -> None:
        raise inrcodec.InrcodecError(f"{path}: cannot be written as .png (it broke)")

    monkeypatch.setattr(files, "write", fail)
    result = run("decode", photo.with_suffix(".linr"), "-o", tmp_path / "x.png")
    assert_fault(result, f"inrcodec: {tmp_path / 'x.png'}: cannot be written as .png (it broke)")


def test_names_that_begin_with_a_dash(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(photo.parent)
    photo.rename(photo.with_name("-x.png"))
    assert run("encode", "--profile", "stored", "--", "-x.png").exit_code == 0
    assert run("decode", "-o", "-y.png", "--", "-x.linr").exit_code == 0
    assert run("verify", "--", "-x.linr", "-y.png").exit_code == 0


def test_odd_outputs(photo: Path, tmp_path: Path) -> None:
    run("encode", photo, "--profile", "stored")
    coded = photo.with_suffix(".linr")
    assert_fault(run("decode", coded, "-o", f"{tmp_path}/new.png/"), "new.png/")
    (tmp_path / "kept" / "photo.png").mkdir(parents=True)
    assert_fault(run("decode", coded, "-o", f"{tmp_path}/kept/", "--force"), "is a directory")
    assert_fault(run("decode", coded, "-o", "/dev/null", "--force"), "/dev/null")
    assert run("encode", photo, "-o", "/dev/stdout").exit_code == 2
    long = photo.rename(photo.with_name("x" * 251 + ".png"))
    assert_fault(run("encode", long, "--profile", "stored"), "file name too long")


def test_options_that_do_nothing_are_said(photo: Path) -> None:
    result = run("encode", photo, "--profile", "stored", "--learning-rate", "0.5", "--seed", "0")
    assert result.exit_code == 0
    assert result.stderr == "inrcodec: without effect: --learning-rate (no network of profile inr was fitted)\n"
    assert run("encode", photo, *FAST, "--force").stderr.count("without effect") == 0
    result = run("encode", photo, "--device", "cuda", "--force")
    assert "without effect: --device (no network was fitted" in result.stderr


def test_kinds_of_arrays(tmp_path: Path) -> None:
    sound = np.arange(9000, dtype=np.int16).reshape(-1, 2)
    y, x = np.mgrid[0:40, 0:50]
    colours = np.asfortranarray((y[..., None] * 2 + x[..., None] + np.array([0, 9, 90])).astype(">u2"))
    np.save(tmp_path / "sound.npy", sound)
    np.save(tmp_path / "colours.npy", colours)
    for name, options, expected in (
        ("sound", ["--kind", "audio", "--sample-rate", "8000", "--bit-depth", "15"], ("audio", 8000, 15)),
        ("sound", [], ("array", None, 16)),
        ("colours", [], ("image", None, 16)),
        ("colours", ["--kind", "array"], ("array", None, 16)),
        ("colours", ["--kind", "image", "--bit-depth", "10"], ("image", None, 10)),
    ):
        source, coded, back = (tmp_path / f"{name}{end}" for end in (".npy", ".linr", "-back.npy"))
        assert run("encode", source, "--force", "--effort", "1", *options).exit_code == 0
        found = inrcodec.info(coded.read_bytes())
        assert (found["kind"], found["sample_rate"], found["bit_depth"]) == expected
        assert run("verify", coded, source).exit_code == 0
        assert run("decode", coded, "-o", back, "--force").exit_code == 0
        assert back.read_bytes() == source.read_bytes()
    np.save(tmp_path / "other.npy", sound)
    assert_fault(run("verify", coded, tmp_path / "other.npy"), "differs from")


def test_kinds_that_do_not_fit(photo: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(8, dtype=np.int16))
    np.save(tmp_path / "f.npy", np.arange(8, dtype=np.float32))
    np.save(tmp_path / "c.npy", np.arange(8, dtype=np.complex64))
    for source, options, says in (
        (photo, ["--kind", "audio"], "is of kind image; --kind, --sample-rate and --bit-depth are for .npy arrays"),
        (photo, ["--sample-rate", "8000"], "is of kind image"),
        (photo, ["--bit-depth", "8"], "is of kind image"),
        (tmp_path / "a.npy", ["--kind", "image"], "is not that of an image"),
        (tmp_path / "a.npy", ["--kind", "audio"], "sound needs a sample rate"),
        (tmp_path / "a.npy", ["--sample-rate", "8000"], "sample rate 8000 is not valid for kind 'array'"),
        (tmp_path / "a.npy", ["--bit-depth", "2"], "samples do not fit in 2 bits"),
        (tmp_path / "a.npy", ["--bit-depth", "17"], "bit depth 17 does not fit"),
        (tmp_path / "a.npy", ["--kind", "stack"], "is not that of a stack of pictures: (pages, height, width), or"),
        (
            tmp_path / "f.npy",
            ["--kind", "audio", "--sample-rate", "8000", "--bit-depth", "24"],
            "float32, which have all the bits of their",
        ),
        (tmp_path / "c.npy", ["--kind", "audio", "--sample-rate", "8000"], "sound is signed; give it as signed integers or floats"),
    ):
        assert_fault(run("encode", source, *options), source.name, says)
    assert run("encode", photo, "--kind", "image", "--profile", "stored").exit_code == 0


def test_the_program_answers_before_it_imports_numpy() -> None:
    result = run_process("--version", check="assert not {'numpy', 'numba'} & set(sys.modules)")
    assert (result.returncode, result.stdout.split()[0]) == (0, "inrcodec,")
    assert result.stderr == ""
