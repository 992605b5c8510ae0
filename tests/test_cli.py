"""The command line as a user meets it: round trips, one-line errors, statuses, nothing left behind."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner, Result
from PIL import Image

from inrcodec import cli, files
from inrcodec.signal import Signal

FAST = ["--profile", "inr", "--hidden", "8", "--layers", "1", "--steps", "3", "--bits", "8", "--weights", "uniform"]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli.main, [str(a) for a in arguments])


def run_process(*arguments: object, check: str = "") -> subprocess.CompletedProcess[str]:
    """The real program in a process of its own; `check` is Python to run after it in the same process."""
    code = f"import sys; from inrcodec.cli import main; main(sys.argv[1:], standalone_mode=False)\n{check}"
    return subprocess.run([sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, check=False)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    path = tmp_path / "photo.png"
    Image.fromarray(np.cumsum(rng.integers(-2, 3, (20, 24, 3)), axis=1).astype(np.uint8)).save(path, dpi=(300, 300))
    return path


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
        for arguments in (("decode", path, "-o", tmp_path / "out.png"), ("info", path), ("verify", path)):
            if name == "flipped" and arguments[0] == "info":
                continue
            assert_fault(run(*arguments), str(path), says)
        assert listing(tmp_path) == before


def test_bad_inputs(tmp_path: Path, photo: Path) -> None:
    text = tmp_path / "text.png"
    text.write_text("hello")
    np.save(tmp_path / "float.npy", np.zeros(3))
    np.save(tmp_path / "empty.npy", np.zeros((3, 0), np.int8))
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8\xff")
    (tmp_path / "plain").write_bytes(b"x")
    (tmp_path / "cut.png").write_bytes(photo.read_bytes()[:200])
    before = listing(tmp_path)
    for name, says in (
        ("text.png", "text.png"),
        ("cut.png", "cut.png"),
        ("float.npy", "float64"),
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


def test_paths_without_a_name() -> None:
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
        ["decode", "x.linr"],
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

def interrupt(line, status):
    if status.stage != "decoding":
        line.fitted = status
    if status.step > 5 and not line.width:
        line.width = 1
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
