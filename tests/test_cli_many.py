"""Many files on the command line: what is printed, exit statuses, manifests, and how a run ends early."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

import inrcodec
from inrcodec import cli, storage
from inrcodec.batch import tasks
from inrcodec.batch.report import Status
from inrcodec.cli import many, manybar
from tests import trees

HERE = Path(__file__).parent.parent
PROGRAM = [sys.executable, "-m", "inrcodec"]
posix = pytest.mark.skipif(sys.platform == "win32", reason="no such thing on Windows")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli.main, [str(a) for a in arguments])


@pytest.fixture
def few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of five pictures, two of them in a folder below, beside which the commands run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in" / "a").mkdir(parents=True)
    for i, name in enumerate(("a/0", "a/1", "2", "3", "4")):
        Image.fromarray(trees.picture(i, 9 + i, 12)).save(tmp_path / "in" / f"{name}.png")
    return tmp_path / "in"


@pytest.mark.slow
def test_two_hundred_files(tmp_path: Path) -> None:
    """The program itself, over two processes: the same bytes as file by file, all faults at the end, and everything comes back."""
    good = trees.make(tmp_path / "in")
    command = [*PROGRAM, "encode", "in", "-o", "out", "-1", "-j", "2", "--manifest", "m.json"]
    process = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert process.returncode == 1
    faults = process.stderr.splitlines()
    assert [line.partition(": ")[2].partition(": ")[0] for line in faults] == [str(Path("in", name)) for name in sorted(trees.FAULTY)]
    assert process.stdout.startswith(f"out: {len(good)} files encoded, ")
    assert process.stdout.rstrip().endswith(" s")
    assert "3 failed" in process.stdout
    assert {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*") if path.is_file()} == {
        f"{name}.linr" for name in good
    }
    for name in good[::7]:
        assert run("encode", tmp_path / "in" / name, "-o", tmp_path / "x.linr", "-1", "-f").exit_code == 0
        assert (tmp_path / "x.linr").read_bytes() == (tmp_path / "out" / f"{name}.linr").read_bytes(), name
    quick = run("verify", tmp_path / "m.json", "--quick", "-j", "1")
    assert (quick.exit_code, quick.stderr) == (0, "")
    assert quick.stdout.startswith(f"{tmp_path / 'out'}: {len(good)} files verified, ")
    assert run("decode", tmp_path / "out", "-o", tmp_path / "back", "-j", "1").exit_code == 0
    for name in good[::3]:
        back, original = tmp_path / "back" / name, tmp_path / "in" / name
        assert back.stat().st_mtime == pytest.approx(original.stat().st_mtime, abs=1e-6)
        if name.endswith(("wav", "npy", "safetensors")):
            assert back.read_bytes() == original.read_bytes()
        elif name.endswith(("png", "bmp", "tif")):
            with Image.open(back) as one, Image.open(original) as other:
                assert np.array_equal(np.array(one), np.array(other))
    assert not trees.left_over(tmp_path)


def test_what_is_printed(few: Path) -> None:
    first = run("encode", "in", "-o", "out", "-1", "-j", "1")
    assert (first.exit_code, first.stderr) == (0, "")
    assert first.stdout.startswith("out: 5 files encoded, ")
    again = run("encode", "in", "-o", "out", "-1", "-j", "1", "--update")
    assert (again.exit_code, again.stderr) == (0, "")
    assert again.stdout.startswith("out: 0 files encoded, 5 done already, ")
    (few / "x.txt").write_text("x")
    (few / "bad.png").write_bytes(b"x")
    third = run("encode", "in", "-o", "out", "-1", "-j", "1", "-u")
    assert third.exit_code == 1
    assert "5 done already, 1 skipped (not a known type), 1 failed" in third.stdout
    assert third.stderr.startswith(f"inrcodec: {Path('in', 'bad.png')}: ")
    assert len(third.stderr.splitlines()) == 1
    assert run("encode", "in", "-o", "other", "-1", "-j", "1", "-q").stdout == ""
    assert run("verify", "out").stdout.startswith("5 files verified, ")
    assert run("verify", "out/2.png.linr", "out/3.png.linr").stdout.startswith("2 files verified, ")
    assert run("verify", "out/2.png.linr", "in/2.png").stdout == "out/2.png.linr: OK, the same as in/2.png\n"
    assert run("verify", "out/*.linr").stdout.startswith("3 files verified, ")


def test_many_faults_are_shortened(few: Path) -> None:
    for i in range(30):
        (few / f"bad{i}.png").write_bytes(b"x")
    result = run("encode", "in", "-o", "out", "-1", "-j", "1")
    assert result.exit_code == 1
    lines = result.stderr.splitlines()
    assert len(lines) == 21
    assert lines[-1] == "inrcodec: and 10 more; --json lists all"
    assert (
        len([entry for entry in json.loads(run("encode", "in", "-o", "no", "-1", "-j", "1", "--json").stdout)["files"] if "fault" in entry])
        == 30
    )


def test_json(few: Path) -> None:
    (few / "bad.png").touch()
    result = run("encode", "in", "-o", "out", "-1", "-j", "1", "--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert (found["ok"], found["command"], found["done"], found["failed"], found["complete"]) == (False, "encode", 5, 1, True)
    by_name = {Path(entry["source"]).name: entry for entry in found["files"]}
    assert (by_name["bad.png"]["status"], by_name["bad.png"]["fault"]) == ("failed", f"{Path('in', 'bad.png')}: empty file")
    assert by_name["2.png"]["sha256"] == tasks.digest_of(Path("out", "2.png.linr"))
    assert by_name["2.png"]["target"] == str(Path("out", "2.png.linr"))
    verified = json.loads(run("verify", "out", "--json").stdout)
    assert (verified["ok"], verified["done"]) == (True, 5)
    listed = json.loads(run("encode", "in", "-o", "new", "-n", "--json").stdout)
    assert (listed["dry_run"], len(listed["files"]), len(listed["faults"])) == (True, 5, 1)


def test_dry_run(few: Path, tmp_path: Path) -> None:
    (few / "x.txt").write_text("x")
    result = run("encode", "in", "-o", "out", "-n")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == f"{Path('in', '2.png')} → {Path('out', '2.png.linr')}"
    assert lines[5] == f"skipped: {Path('in', 'x.txt')}: not a known type"
    assert lines[6].startswith("5 files to encode, ")
    assert not (tmp_path / "out").exists()
    run("encode", "in/2.png", "in/3.png", "-o", "out", "-1", "-j", "1")
    assert "3 files to encode" in run("encode", "in", "-o", "out", "-n", "-u").stdout
    assert "2 done already" in run("encode", "in", "-o", "out", "-n", "-u").stdout


def test_manifests(few: Path, tmp_path: Path) -> None:
    run("encode", "in", "-o", "out", "-1", "-j", "1", "--manifest", "m.json")
    assert run("verify", "m.json").exit_code == 0
    (tmp_path / "out" / "2.png.linr").unlink()
    (tmp_path / "out" / "3.png.linr").write_bytes((tmp_path / "out" / "4.png.linr").read_bytes())
    (tmp_path / "out" / "more.linr").write_bytes((tmp_path / "out" / "4.png.linr").read_bytes())
    result = run("verify", "m.json")
    assert result.exit_code == 1
    lines = result.stderr.splitlines()
    assert [word for line, word in zip(lines, ("missing", "changed", "not in the manifest"), strict=True) if word in line]
    assert len(lines) == 3
    assert run("verify", "m.json", "--quick").exit_code == 1
    assert json.loads(run("verify", "m.json", "--json").stdout)["extra"] == [str(tmp_path / "out" / "more.linr")]
    assert run("verify", "out", "--quick").exit_code == 2
    (tmp_path / "n.json").write_text("{}")
    assert run("verify", "n.json").stderr == "inrcodec: n.json: is no manifest of inrcodec\n"
    assert run("encode", "in", "-o", "new", "--manifest", "n.json").exit_code == 1
    assert not (tmp_path / "new").exists()


def test_delete_original(few: Path) -> None:
    result = run("encode", "in", "-o", "out", "-1", "-j", "1", "--delete-original")
    assert (result.exit_code, result.stderr) == (0, "")
    assert not [path for path in few.rglob("*") if path.is_file()]
    assert run("decode", "out", "-o", "in", "-j", "1").exit_code == 0
    for more in ("--no-verify", "--no-payload", "--lossy"):
        assert run("encode", "in", "-o", "new", "--delete-original", more, "--profile", "inr").exit_code == 2
    one = run("encode", "in/2.png", "--delete-original", "-1")
    assert one.stdout.splitlines()[-1].startswith(f"{few}: 1 file encoded, ")
    assert (few / "2.linr").exists()
    assert not (few / "2.png").exists()


def test_info_of_many(few: Path) -> None:
    run("encode", "in", "-o", "out", "-1", "-j", "1")
    np.savez(few / "n.npz", a=np.arange(3))
    run("encode", "in/n.npz", "-o", "out/n.linr")
    shown = run("info", "out")
    assert shown.exit_code == 0
    lines = shown.stdout.splitlines()
    assert len(lines) == 7
    assert "image 11×12 uint8" in lines[0]
    assert lines[0].endswith(str(Path("out", "2.png.linr")))
    assert "1 arrays" in lines[-2]
    assert "  6 files, " in lines[-1]
    assert lines[-1].split()[0] == str(sum(path.stat().st_size for path in Path("out").rglob("*.linr")))
    (few.parent / "out" / "cut.linr").write_bytes((few.parent / "out" / "2.png.linr").read_bytes()[:20])
    result = run("info", "out/2.png.linr", "out/cut.linr", "--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert [entry["file"] for entry in found["files"]] == ["out/2.png.linr"]
    assert found["files"][0]["shape"] == [11, 12]
    assert "out/cut.linr" in found["faults"][0]
    assert run("info", "out", "--stages").exit_code == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ("encode", "in", "-", "-o", "out"),
        ("encode", "-", "-o", "-", "--update"),
        ("encode", "in", "-o", "out", "--plot", "x.png"),
        ("encode", "in", "-o", "out", "--format", "png"),
        ("decode", "in", "-o", "out", "--region", "0,0,1,1"),
        ("decode", "in", "-o", "out", "--salvage"),
        ("verify", "in", "--format", "png"),
        ("encode",),
        ("encode", "in", "-o", "out", "-j", "0"),
    ],
)
def test_wrong_usage(few: Path, arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 2
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("encode", "in"), "name a folder for the output"),
        (("encode", "in", "-o", "x.linr"), "is the name of a file"),
        (("decode", "in", "-o", "x.png"), "is the name of a file"),
        (("decode", "in", "-o", "out"), "there is no file to decode (5 skipped, not a .linr file)"),
        (("info", "in"), "there is no file to show"),
        (("verify", "in"), "there is no file to verify"),
        (("encode", "in", "in/2.png/x", "-o", "in/2.png"), "is a file; name a folder"),
        (("verify", "no.json"), "no.json: cannot be read"),
    ],
)
def test_faults_before_anything_is_written(few: Path, arguments: tuple[str, ...], says: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert says in result.stderr
    assert not Path("out").exists()


def test_one_file_keeps_its_times_and_permissions(few: Path) -> None:
    os.utime(few / "2.png", (trees.WHEN, trees.WHEN + 0.5))
    (few / "2.png").chmod(0o640)
    run("encode", "in/2.png", "-1")
    run("decode", "in/2.linr", "-o", "again.png")
    for path in (few / "2.linr", Path("again.png")):
        assert path.stat().st_mtime == trees.WHEN + 0.5
        assert path.stat().st_mode & 0o777 == 0o640 or sys.platform == "win32"


def test_options_reach_the_encoder(few: Path) -> None:
    run("encode", "in", "-o", "out", "-1", "-j", "1", "--no-compact")
    run("encode", "in/2.png", "-o", "x.linr", "-1", "--no-compact")
    assert Path("out/2.png.linr").read_bytes() == Path("x.linr").read_bytes()
    run("encode", "in/2.png", "-o", "y.linr", "-1")
    assert Path("y.linr").stat().st_size < Path("x.linr").stat().st_size


def test_the_end_of_a_folder_s_name(few: Path) -> None:
    assert many.PLACE.convert("in/a/", None, None) == "in/a/"  # on Windows too, where "\\" is another one
    assert "/" in storage.SEPARATORS
    assert os.sep in storage.SEPARATORS
    assert run("encode", "in/2.png", "-o", "x.LINR", "-1").exit_code == 0
    assert run("decode", "x.LINR", "--format", "npy").exit_code == 0
    assert Path("x.npy").exists()


def test_an_incomplete_manifest(few: Path) -> None:
    run("encode", "in", "-o", "out", "-1", "-j", "1", "--manifest", "out/m.json")  # in a folder that is not there yet
    Path("out/m.json").write_text(Path("out/m.json").read_text().replace('"complete": true', '"complete": false'))
    result = run("verify", "out/m.json")
    assert result.exit_code == 0
    assert result.stderr == "inrcodec: out/m.json: the work that it tells of was stopped; files that were not begun are not listed\n"


def test_one_file_to_a_folder(few: Path) -> None:
    assert run("encode", "in/2.png", "-o", "new/", "-1").exit_code == 0
    assert Path("new/2.png.linr").is_file()
    assert run("decode", "new/2.png.linr", "-o", "new").exit_code == 0
    assert Path("new/2.png").is_file()


@posix
def test_ctrl_c_ends_the_work(tmp_path: Path) -> None:
    """To all processes, as a terminal sends it: what is done stays and is in the manifest, nothing half-written is left."""
    (tmp_path / "in").mkdir()
    for i in range(60):
        Image.fromarray(trees.picture(i, 60, 60, 3)).save(tmp_path / "in" / f"{i:02}.png")
    command = [*PROGRAM, "encode", "in", "-o", "out", "-j", "2", "--manifest", "m.json"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        while process.poll() is None and not list((tmp_path / "out").glob("*.linr")):
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)
        _, told = process.communicate()
    assert process.returncode == 130
    assert told.splitlines()[-1].startswith("inrcodec: interrupted; ")
    found = json.loads((tmp_path / "m.json").read_text())
    done = {entry["target"] for entry in found["files"] if entry["status"] == "done"}
    assert not found["complete"]
    assert 0 < len(done) < 60
    assert done == {path.name for path in (tmp_path / "out").iterdir()}
    assert inrcodec.info((tmp_path / "out" / min(done)).read_bytes())["shape"] == [60, 60, 3]


@posix
def test_workers_end_with_their_parent(tmp_path: Path) -> None:
    """SIGKILL, which no program hears, leaves no worker that writes on."""
    (tmp_path / "in").mkdir()
    for i in range(40):
        shutil.copy(__file__, tmp_path / "in" / f"{i}.txt")
        Image.fromarray(trees.picture(i, 60, 60, 3)).save(tmp_path / "in" / f"{i:02}.png")
    command = [*PROGRAM, "encode", "in", "-o", "out", "-j", "2"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True) as process:
        while process.poll() is None and not list((tmp_path / "out").glob("*.linr")):
            time.sleep(0.02)
        process.kill()
        process.communicate()  # ends when all processes that hold the pipe have ended
    assert len(list((tmp_path / "out").glob("*.linr"))) < 40


def test_the_bar() -> None:
    bar = manybar.ManyBar("encoding")
    assert bar.words() == "encoding"
    task = tasks.Task("encode", "x", size=400)
    status = Status(None, 0, 3, 0, 1000, 0, 0)
    bar.show(status)
    assert bar.words().startswith("encoding 0 of 3 files  0 B of 1.0 kB  0 s")
    bar.compile()
    assert bar.words().startswith("compiling kernels, once for this machine: about half a minute  encoding 0 of 3 files")
    bar.started -= 10
    bar.show(status := status.after(tasks.Result(task, source_bytes=400, file_bytes=100)))
    assert "encoding 1 of 3 files  400 B of 1.0 kB  25.0 %  40 B/s  15 s left" in bar.words()
    bar.show(status := status.after(tasks.Result(task, "failed", "x: bad")))
    assert "2 of 3 files  800 B of 1.0 kB  25.0 %" in bar.words()
    bar.show(status.after(tasks.Result(replace_size(task, 200), source_bytes=200, file_bytes=200)))
    assert "3 of 3 files  1.0 kB of 1.0 kB  50.0 %  10 s" in bar.words()


def replace_size(task: tasks.Task, size: int) -> Any:
    return tasks.Task(task.action, task.source, size=size)


@posix
def test_a_terminal_shows_the_bar_and_pipes_do_not(few: Path) -> None:
    import pty

    master, slave = pty.openpty()
    command = [*PROGRAM, "encode", "in", "-o", "out", "-1", "-j", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=slave) as process:
        os.close(slave)
        shown = b""
        while True:
            try:
                more = os.read(master, 4096)
            except OSError:
                break
            if not more:
                break
            shown += more
        stdout, _ = process.communicate()
    os.close(master)
    assert process.returncode == 0
    assert b"5 files" in shown
    assert b"\x1b[?25l" not in shown  # the cursor stays
    assert stdout.decode().startswith("out: 5 files encoded, ")


def test_a_single_file_that_changes_meanwhile(few: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else its .linr file would have the time of the new content and hold the old one, and --update would pass it over."""
    from inrcodec import codec

    encode, source = codec.encode, few / "2.png"

    def slow(*given: Any) -> bytes:
        Image.fromarray(trees.picture(9, 30, 30)).save(source)
        return encode(*given)

    monkeypatch.setattr(codec, "encode", slow)
    result = run("encode", source, "-o", "x.linr", "-1")
    assert (result.exit_code, result.stderr) == (1, f"inrcodec: {source}: was changed while it was read; nothing was written\n")
    assert not Path("x.linr").exists()


@posix
def test_a_named_pipe_is_encoded(few: Path) -> None:
    """Its time changes while it is read."""
    os.mkfifo("pipe.png")
    with subprocess.Popen(
        [*PROGRAM, "encode", "pipe.png", "-o", "x.linr", "-1", "-q"], env={**os.environ, "PYTHONPATH": str(HERE)}
    ) as process:
        Path("pipe.png").write_bytes((few / "2.png").read_bytes())
    assert process.returncode == 0
    assert run("verify", "x.linr", few / "2.png").exit_code == 0


def test_a_manifest_of_other_folders_is_not_replaced(few: Path) -> None:
    assert run("encode", "in", "-o", "out", "-1", "-j1", "--manifest", "m.json").exit_code == 0
    before = Path("m.json").read_bytes()
    result = run("encode", few / "a", "-o", "other", "-1", "-j1", "--manifest", "m.json")
    assert (result.exit_code, Path("m.json").read_bytes(), Path("other").exists()) == (1, before, False)
    assert result.stderr == "inrcodec: m.json: is the manifest of other folders; --force replaces it\n"
    assert run("encode", "in", "-o", "out", "-1", "-j1", "-u", "--manifest", "m.json").exit_code == 0
    assert run("encode", few / "a", "-o", "other", "-1", "-j1", "-f", "--manifest", "m.json").exit_code == 0
    assert len(json.loads(Path("m.json").read_bytes())["files"]) == 2


def test_a_folder_of_originals_is_no_folder_to_verify(few: Path) -> None:
    """It is not compared: that is for one file and its original."""
    assert run("encode", "in", "-o", "out", "-1", "-j1").exit_code == 0
    result = run("verify", "out", "in", "-j1")
    assert (result.exit_code, result.stderr) == (1, "inrcodec: in: holds no .linr file\n")
    assert "5 files verified" in result.stdout


def test_a_sound_that_is_named_as_a_picture_comes_back(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    sound = inrcodec.Signal(np.arange(900, dtype=np.int16), "audio", sample_rate=8000)
    inrcodec.files.write(tmp_path / "in" / "a.wav", sound)
    data = (tmp_path / "in" / "a.wav").read_bytes()
    (tmp_path / "in" / "a.wav").rename(tmp_path / "in" / "a.png")
    assert run("encode", tmp_path / "in", "-o", tmp_path / "out", "-1", "-j1").exit_code == 0
    assert run("decode", tmp_path / "out", "-o", tmp_path / "back", "-j1").exit_code == 0
    assert {path.name: path.read_bytes() for path in (tmp_path / "back").iterdir()} == {"a.png.wav": data}


def test_a_pattern_that_nothing_matches_is_named(few: Path) -> None:
    for arguments in (("-o", "out"), ()):
        result = run("encode", "in/*.xyz", *arguments)
        assert (result.exit_code, result.stderr) == (1, "inrcodec: in/*.xyz: no file has such a name\n")


def test_what_is_no_linr_file_is_passed_over(few: Path) -> None:
    """A link that leads nowhere, too; and of lossy pictures those that can be known by their first bytes."""
    Image.fromarray(trees.picture(1, 20, 20)).save(few / "lossy.webp", quality=60)
    assert run("encode", "in", "-o", "out", "-1", "-j1").exit_code == 0
    (Path("out") / "dangling.png").symlink_to("nowhere")
    assert run("decode", "out", "-o", "back", "-j1").exit_code == 0
    assert run("verify", "out", "-j1").exit_code == 0
    (Path("out") / "dangling.linr").symlink_to("nowhere")
    assert run("verify", "out", "-j1").exit_code == 1


def test_json_names_the_fault(few: Path) -> None:
    (few / "2.png").write_bytes(b"")
    for arguments in (("encode", "in", "-o", "out", "-n"), ("info", "in/2.png", "in/3.png")):
        found = json.loads(run(*arguments, "--json").stdout)
        assert (found["ok"], found["fault"]) == (False, found["faults"][0])
    assert json.loads(run("encode", "--json").stdout)["fault"] == "Missing argument 'IN…'."
