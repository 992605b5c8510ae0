"""Many files: which are taken, where they go, what is kept, what happens when something fails."""

from __future__ import annotations

import errno
import io
import json
import multiprocessing
import os
import pickle
import shutil
import signal
import stat
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

import inrcodec
from inrcodec import batch, files, storage
from inrcodec.batch import accounting, content, doing, manifest, naming, places, plan, run, tasks
from inrcodec.batch.report import Report, Status
from inrcodec.errors import FormatError, InrcodecError, UnsupportedError
from inrcodec.files import pngchunks, series
from inrcodec.signal import KINDS, Signal
from tests import trees
from tests.test_files_science import slices

HERE = Path(__file__).parent.parent
ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
posix = pytest.mark.skipif(sys.platform == "win32", reason="no such thing on Windows")


@pytest.fixture
def few(tmp_path: Path) -> Path:
    """A folder of five arrays, two of them in a folder below."""
    (tmp_path / "in" / "a").mkdir(parents=True)
    for i, name in enumerate(("a/0", "a/1", "2", "3", "4")):
        np.save(tmp_path / "in" / f"{name}.npy", np.arange(100 * (i + 1), dtype=np.int16))
    return tmp_path / "in"


def encode(paths: Any, output: Any = None, **options: Any) -> Report:
    return batch.encode(paths, output, **{"jobs": 1, "profile": "stored", **options})


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# --- what is taken, and where it goes -----------------------------------------------------------------------------


def test_a_tree_over_processes(tmp_path: Path) -> None:
    """Two processes write what one does, and what encoding one by one does."""
    good = trees.make(tmp_path / "in", 5)
    seen: list[Status] = []
    first = batch.encode(tmp_path / "in", tmp_path / "two", jobs=2, effort=1, progress=seen.append)
    assert trees.names_of(first.done) == good
    assert {Path(name).name for name in trees.names_of(first.failed)} == {*trees.FAULTY}
    assert set(trees.names_of(first.skipped)) == {*trees.FOREIGN, *trees.CODED, *trees.LOSSY}
    assert trees.names_of(first.results) == sorted(trees.names_of(first.results), key=lambda name: name.split("/"))
    assert not first.ok
    assert first.complete
    assert seen[0][:2] == (None, 0)
    assert seen[-1].done == seen[-1].total == len(first.results)
    assert seen[-1].bytes_done == seen[-1].bytes_total
    assert (seen[-1].source_bytes, seen[-1].file_bytes) == (first.source_bytes, first.file_bytes)
    second = batch.encode(tmp_path / "in", tmp_path / "one", jobs=1, effort=1)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert [result.fault for result in first.failed] == [result.fault for result in second.failed]
    for name in good:
        if name.endswith(("png", "tif", "wav")):
            alone = inrcodec.encode(files.read(tmp_path / "in" / name), effort=1)
            assert (tmp_path / "one" / f"{name}.linr").read_bytes() == alone, name
    assert not trees.left_over(tmp_path)


def test_executors_of_the_caller(few: Path, tmp_path: Path) -> None:
    encode(few, tmp_path / "one")
    with ThreadPoolExecutor(3) as pool:
        assert encode(few, tmp_path / "threads", executor=pool, jobs=3).ok
        assert pool.submit(int, 3).result() == 3  # it is not closed
    assert contents(tmp_path / "threads") == contents(tmp_path / "one")


def test_times_and_permissions(tmp_path: Path) -> None:
    good = trees.make(tmp_path / "in", 4)
    batch.encode(tmp_path / "in", tmp_path / "out", jobs=1, effort=1)
    batch.decode(tmp_path / "out", tmp_path / "back", jobs=1)
    for folder, end in (("out", ".linr"), ("back", "")):
        for name in good:
            before, after = (tmp_path / "in" / name).stat(), (tmp_path / folder / f"{name}{end}").stat()
            assert abs(before.st_mtime - after.st_mtime) < 1e-6
            assert stat.S_IMODE(before.st_mode) == stat.S_IMODE(after.st_mode) or sys.platform == "win32"
        assert (tmp_path / folder / "wide").stat().st_mtime == trees.WHEN
        assert stat.S_IMODE((tmp_path / folder / "wide").stat().st_mode) == 0o750 or sys.platform == "win32"
    (tmp_path / "kept").mkdir(mode=0o700)
    encode(tmp_path / "in" / "wide", tmp_path / "kept")
    assert stat.S_IMODE((tmp_path / "kept").stat().st_mode) == 0o700 or sys.platform == "win32"  # it was there already


def test_where_outputs_go(few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def targets(paths: Any, output: Any = None) -> list[str]:
        found = plan.make(doing.template("encode", False, False, {}), paths, output)
        return [Path(task.target).as_posix() for task in found.tasks]

    monkeypatch.chdir(tmp_path)
    assert targets(["in"], "out") == [f"out/{name}.npy.linr" for name in ("2", "3", "4", "a/0", "a/1")]
    assert targets(["in/a", "in/2.npy"], "out") == [f"out/{name}.npy.linr" for name in ("2", "a/0", "a/1")]
    assert targets(["in/a", "in/a/0.npy", "./in/a/../a/0.npy"], "out") == ["out/0.npy.linr", "out/1.npy.linr"]
    assert targets(["in/**/[01].npy"], "out") == ["out/a/0.npy.linr", "out/a/1.npy.linr"]
    assert targets(["in/*"], "out") == [f"out/{name}.npy.linr" for name in ("2", "3", "4", "a/0", "a/1")]
    assert targets(["in/2.npy", "in/3.npy"]) == ["in/2.npy.linr", "in/3.npy.linr"]
    assert targets(["in/2.npy"]) == ["in/2.linr"]
    assert targets(["in/2.npy"], "x.linr") == ["x.linr"]
    assert targets(["in/2.npy"], "new/") == ["new/2.npy.linr"]
    assert targets(["in/2.npy"], "in/a") == ["in/a/2.npy.linr"]
    with pytest.raises(InrcodecError, match="name a folder for the output"):
        targets(["in"])
    with pytest.raises(InrcodecError, match=r"must be named \.linr"):
        targets(["in/2.npy"], "x.png")
    with pytest.raises(InrcodecError, match="is the name of a file"):
        targets(["in"], "x.linr")
    with pytest.raises(InrcodecError, match="is a file; name a folder"):
        targets(["in"], "in/2.npy/below")
    with pytest.raises(InrcodecError, match="no folder in common"):
        targets(["in", "memory://x/y.npy"], "out")
    with pytest.raises(InrcodecError, match="the name of a file is empty"):
        targets([""], "out")


def test_odd_inputs(few: Path, tmp_path: Path) -> None:
    report = encode([few / "no.npy", few / "a", f"{few}/*.xyz"], tmp_path / "out")
    assert len(report.done) == 2
    assert sorted(result.fault for result in report.failed) == [
        f"{few}/*.xyz: no file has such a name",
        f"{few}/no.npy: cannot be read: no such file or directory",
    ]
    (few / "notes.txt").write_text("x")
    shutil.copy(tmp_path / "out" / "a" / "0.npy.linr", few)
    by_name = encode([few / "notes.txt", few / "0.npy.linr", few / "2.npy"], tmp_path / "named")
    assert [result.status for result in by_name.results] == ["failed", "done", "failed"]  # named by themselves, they are faults
    assert "are not supported" in by_name.failed[1].fault
    assert "compressed already" in by_name.failed[0].fault
    again = encode(few, tmp_path / "named")  # 2.npy.linr is there
    assert [result.fault.partition(": ")[2] for result in again.failed] == ["exists already; --force overwrites it"]
    assert encode(few, tmp_path / "named", force=True).ok


def test_a_list_of_one_file_is_a_list(few: Path, tmp_path: Path) -> None:
    """The output is a folder then, as it is of two files; it is that of a file alone if the name stands alone."""
    assert encode([few / "2.npy"], tmp_path / "out").ok
    assert encode((few / "3.npy", few / "4.npy"), tmp_path / "out").ok
    assert sorted(contents(tmp_path / "out")) == ["2.npy.linr", "3.npy.linr", "4.npy.linr"]
    assert batch.decode([tmp_path / "out" / "2.npy.linr"], tmp_path / "back", jobs=1).ok
    assert sorted(contents(tmp_path / "back")) == ["2.npy"]
    with pytest.raises(InrcodecError, match="is the name of a file"):
        encode([few / "2.npy"], tmp_path / "x.linr")
    assert encode(few / "2.npy", tmp_path / "x.linr").ok
    assert encode([few / "2.npy"]).ok
    assert (few / "2.npy.linr").exists()


def test_folders_are_looked_at_until_a_file_is_no_dicom_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pydicom")
    slices(tmp_path / "series", 3)
    assert series.is_series(tmp_path / "series")
    for i in range(5):
        (tmp_path / "in" / f"{i}.bin").parent.mkdir(exist_ok=True)
        (tmp_path / "in" / f"{i}.bin").write_bytes(bytes(200))
    looked: list[str] = []
    may_be = series._may_be

    def recorded(entry: os.DirEntry[str]) -> bool:
        looked.append(entry.name)
        return may_be(entry)

    monkeypatch.setattr(series, "_may_be", recorded)
    assert not series.is_series(tmp_path / "in")
    assert len(looked) == 1


def test_junctions_are_links(tmp_path: Path) -> None:
    class Junction:
        def is_symlink(self) -> bool:
            return False

        def is_junction(self) -> bool:
            return True

    assert plan._is_link(Junction())  # type: ignore[arg-type]
    (tmp_path / "folder").mkdir()
    assert not any(map(plan._is_link, os.scandir(tmp_path)))


@pytest.mark.parametrize("way", ["script", "standard input"])
def test_a_program_needs_no_guard(few: Path, tmp_path: Path, way: str) -> None:
    """Workers do not run the program that starts them again, nor are its own processes others for it."""
    lines = (
        "import inrcodec.batch, multiprocessing.forkserver as f",
        "print('once')",
        f"print(inrcodec.batch.encode({str(few)!r}, {str(tmp_path / 'out')!r}, effort=1, jobs=2).ok)",
        "print(f._forkserver._preload_modules)",
    )
    (tmp_path / "program.py").write_text("\n".join(lines), "utf-8")
    program = [sys.executable, str(tmp_path / "program.py")] if way == "script" else [sys.executable, "-"]
    with (tmp_path / "program.py").open() as source:
        done = subprocess.run(program, stdin=source, cwd=HERE, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("once\nTrue\n['__main__']\n", "")


@pytest.mark.skipif(not Path(f"/proc/self/task/{os.getpid()}/children").exists(), reason="it cannot be seen when processes start")
@pytest.mark.parametrize("children", [1, 2])
def test_ctrl_c_to_all_processes_while_they_start(few: Path, tmp_path: Path, children: int) -> None:
    """A terminal's Ctrl-C goes to the workers, too. children: how many the program has by then: of workers, the server is one."""
    for i in range(100):
        np.save(few / f"more{i}.npy", np.arange(30_000, dtype=np.int32).reshape(100, 300) ** 2)
    program = [sys.executable, "-m", "inrcodec", "encode", str(few), "-o", str(tmp_path / "out"), "-1", "-j", "2"]
    with subprocess.Popen(program, cwd=HERE, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while process.poll() is None and len(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()) < children:
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate()
    assert (process.returncode, len(said.splitlines())) == (130, 1)


def test_an_output_inside_the_input(few: Path) -> None:
    assert len(encode(few, few / "out").done) == 5
    first = contents(few / "out")
    assert encode(few, few / "out", force=True).ok
    assert contents(few / "out") == first
    assert len(encode(few, few).done) == 5  # beside the sources
    back = batch.decode(few, few / "back", jobs=1)
    assert len(back.done) == 10
    assert len(batch.decode(few, few / "back", jobs=1, force=True).done) == 10
    assert trees.names_of(encode(few, few, update=True).skipped)  # what was decoded is encoded by now, too


@posix
def test_links(few: Path, tmp_path: Path) -> None:
    (few / "loop").symlink_to(few)
    (few / "soft.npy").symlink_to(few / "2.npy")
    (few / "broken.npy").symlink_to(few / "nowhere")
    os.mkfifo(few / "pipe.npy")
    report = encode(few, tmp_path / "out")
    assert len(report.done) == 6
    assert {result.task.name: result.fault.partition(": ")[2] for result in report.skipped} == {"loop": plan.LINK, "pipe.npy": plan.SPECIAL}
    assert trees.names_of(report.failed) == ["broken.npy"]
    assert not (tmp_path / "out" / "soft.npy.linr").is_symlink()


@posix
def test_a_link_into_a_place_that_nobody_may_enter(few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As /proc has them: the link can be listed, and asking what it leads to is refused. It ended the run."""
    (few / "away").symlink_to(tmp_path / "locked")
    original = os.stat

    def refusing(path: Any, *given: Any, **more: Any) -> os.stat_result:
        if isinstance(path, str | os.PathLike) and Path(path).name == "away" and more.get("follow_symlinks", True):
            raise PermissionError(errno.EACCES, "Permission denied")
        return original(path, *given, **more)

    monkeypatch.setattr(os, "stat", refusing)
    report = encode(few, tmp_path / "out")
    assert len(report.done) == 5
    assert [result.fault for result in report.failed] == [f"{few / 'away'}: cannot be read: permission denied"]


@posix
def test_unreadable_folders_and_files(few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (few / "a").chmod(0)
    (few / "2.npy").chmod(0)
    if ROOT:  # who may read everything
        scan, opened = os.scandir, Path.open
        refused = PermissionError(errno.EACCES, "Permission denied")

        def scandir(path: Any) -> Any:
            if Path(path).name == "a":
                raise refused
            return scan(path)

        def open_path(path: Path, *given: Any, **more: Any) -> Any:
            if path.name == "2.npy":
                raise refused
            return opened(path, *given, **more)

        monkeypatch.setattr(os, "scandir", scandir)
        monkeypatch.setattr(Path, "open", open_path)
    report = encode(few, tmp_path / "out")
    (few / "a").chmod(0o700)
    assert trees.names_of(report.done) == ["3.npy", "4.npy"]
    assert [result.fault for result in report.failed] == [
        f"{few / '2.npy'}: cannot be read: permission denied",
        f"{few / 'a'}: cannot be read: permission denied",
    ]


def test_two_sources_for_one_target(few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encode(few, tmp_path / "out")
    shutil.copy(tmp_path / "out" / "2.npy.linr", tmp_path / "out" / "2.linr")
    with pytest.raises(InrcodecError, match=r"would both become .*; nothing was written"):
        batch.decode(tmp_path / "out", tmp_path / "back", jobs=1)
    assert not (tmp_path / "back").exists()
    template = doing.template("encode", False, False, {})
    two = [replace(template, source=name, target=str(tmp_path / f"{name}.linr")) for name in ("A.npy", "a.npy")]
    plan._check_targets(two)
    monkeypatch.setattr(plan, "_ignores_case", lambda name: True)
    with pytest.raises(InrcodecError, match=r"A\.npy and a\.npy"):
        plan._check_targets(two)


def test_folders_of_dicom_files(tmp_path: Path) -> None:
    pytest.importorskip("pydicom")
    (tmp_path / "in").mkdir()
    slices(tmp_path / "in" / "ct", 4)
    slices(tmp_path / "in" / "mixed", 2)
    (tmp_path / "in" / "mixed" / "notes.txt").write_text("x")
    report = encode(tmp_path / "in", tmp_path / "out")
    assert len(trees.names_of(report.done)) == 3
    assert trees.names_of(report.done)[0] == "ct"
    assert report.done[0].source_bytes == sum(path.stat().st_size for path in (tmp_path / "in" / "ct").iterdir())
    assert (tmp_path / "out" / "ct.linr").is_file()
    assert batch.decode(tmp_path / "out", tmp_path / "back", jobs=1).ok
    assert contents(tmp_path / "back" / "ct") == contents(tmp_path / "in" / "ct")
    assert encode(tmp_path / "in" / "ct", tmp_path / "ct.linr").ok  # as one file
    again = encode(tmp_path / "in" / "ct", tmp_path / "gone.linr", delete_original=True, manifest=tmp_path / "m.json")
    assert again.done[0].deleted
    assert not (tmp_path / "in" / "ct").exists()


def test_pixels_of_lossy_pictures(tmp_path: Path) -> None:
    trees.make(tmp_path / "in", 1)
    report = encode(tmp_path / "in", tmp_path / "out", pixels=True, delete_original=True)
    found = next(result for result in report.done if result.task.name == "photo.jpg")
    assert not found.deleted  # the file would not come back
    assert "not deleted" in found.notices[-1]
    assert (tmp_path / "in" / "photo.jpg").exists()
    back = batch.decode(tmp_path / "out", tmp_path / "back", jobs=1)
    assert (tmp_path / "back" / "photo.jpg.png").is_file()
    assert back.ok


def test_options_that_are_none() -> None:
    for options in ({"efort": 3}, {"progress_bar": True}):
        with pytest.raises(TypeError, match="no such option"):
            batch.encode("x.png", **options)
    with pytest.raises(ValueError, match="effort is 9"):
        batch.encode("x.png", effort=9)
    with pytest.raises(TypeError, match="effort: there is no such option of decode"):
        batch.decode("x.linr", effort=3)
    for more in ({"verify": False}, {"payload": False, "profile": "inr"}, {"voxels": 64}):
        with pytest.raises(ValueError, match="an original is deleted only"):
            batch.encode("x.png", delete_original=True, **more)


def test_options_for_other_files_are_faults_of_those(tmp_path: Path) -> None:
    trees.make(tmp_path / "in", 1)
    report = encode(tmp_path / "in", tmp_path / "out", tile=32)
    wrong = [result.fault.partition(": ")[2] for result in report.failed if result.task.name.startswith("000")]
    assert len(wrong) == 2  # of tensors, and of several arrays
    assert all("tile" in text for text in wrong)


def test_arrays_are_what_is_said_of_them(few: Path, tmp_path: Path) -> None:
    Image.fromarray(trees.picture(0, 9, 9)).save(few / "p.png")
    report = encode(few, tmp_path / "out", kind="audio", sample_rate=8000)
    assert {result.kind for result in report.done} == {"audio", "image"}
    assert report.ok


# --- what was done already ----------------------------------------------------------------------------------------


def test_update(few: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    encode(few, out)
    first = contents(out)
    assert len(encode(few, out, update=True).current) == 5
    np.save(few / "2.npy", np.arange(7))  # another time
    (out / "3.npy.linr").write_bytes(first["3.npy.linr"][:-3])
    storage.copy_times(few / "3.npy", out / "3.npy.linr")  # not whole
    (out / "4.npy.linr").unlink()
    report = encode(few, out, update=True)
    assert trees.names_of(report.done) == ["2.npy", "3.npy", "4.npy"]
    assert {name for name, data in contents(out).items() if first[name] != data} == {"2.npy.linr"}
    (out / "2.npy.linr").write_bytes(b"precious")
    refused = encode(few, out, update=True)
    assert [result.fault.partition(": ")[2] for result in refused.failed] == ["exists already; --force overwrites it"]
    assert (out / "2.npy.linr").read_bytes() == b"precious"
    assert encode(few, out, update=True, force=True).ok


def test_update_of_what_is_decoded(few: Path, tmp_path: Path) -> None:
    encode(few, tmp_path / "out")
    back = tmp_path / "back"
    batch.decode(tmp_path / "out", back, jobs=1)
    assert len(batch.decode(tmp_path / "out", back, jobs=1, update=True).current) == 5
    (back / "2.npy").write_bytes(b"work of a week")
    os.utime(back / "2.npy", (trees.WHEN, trees.WHEN))
    assert trees.names_of(batch.decode(tmp_path / "out", back, jobs=1, update=True).failed) == ["2.npy.linr"]
    assert (back / "2.npy").read_bytes() == b"work of a week"


def test_times_that_file_systems_cut() -> None:
    def same(source: float, target: float, status: float) -> bool:
        return tasks._same_time(*(round(time * places.SECOND) for time in (source, target, status)))

    now = 1700000000
    assert same(1600000001.75, 1600000001.75, now + 0.5)
    assert same(1600000001.7500004, 1600000001.75, now + 0.5)
    assert same(1600000001.75, 1600000001.0, now + 1)
    assert same(1600000001.75, 1600000000.0, now + 2)
    assert not same(1600000001.75, 1600000000.0, now + 1)  # times are cut to 1 s there, not to 2
    assert not same(1600000001.75, 1600000002.0, now)
    assert not same(1600000001.75, 1600000001.5, now)
    assert not same(1600000001.75, 1600000001.0, now + 0.5)  # times are not cut there
    assert not same(1600000001.75, 1600000000.0, now + 0.5)


def test_a_source_that_is_changed_within_two_seconds_is_done_again(few: Path, tmp_path: Path) -> None:
    source = few / "2.npy"
    os.utime(source, (1000.0, 1000.0))
    encode(source, tmp_path / "x.linr")
    assert encode(source, tmp_path / "x.linr", update=True).skipped
    np.save(source, np.arange(7))
    os.utime(source, (1001.7, 1001.7))
    assert encode(source, tmp_path / "x.linr", update=True).done
    found = inrcodec.decode((tmp_path / "x.linr").read_bytes())
    assert isinstance(found, Signal)
    assert found.samples.shape == (7,)


@posix
def test_times_are_kept_to_the_nanosecond(few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = few / "2.npy", tmp_path / "x.linr"
    os.utime(source, ns=(1, 1_600_000_000_123_456_789))
    encode(source, target)
    assert target.stat().st_mtime_ns == source.stat().st_mtime_ns

    def refused(*_: Any, **__: Any) -> None:
        raise PermissionError(errno.EPERM, "not permitted")

    monkeypatch.setattr("os.utime", refused)
    assert encode(few / "3.npy", tmp_path / "y.linr").ok


# --- manifests ----------------------------------------------------------------------------------------------------


def test_a_manifest(few: Path, tmp_path: Path) -> None:
    (few / "notes.txt").write_text("x")
    (few / "bad.npy").write_bytes(b"x")
    out, name = tmp_path / "out", tmp_path / "m.json"
    encode(few, out, manifest=name)
    found = json.loads(name.read_text())
    assert (found["format"], found["version"], found["complete"], found["output"]) == ("inrcodec manifest", 1, True, "out")
    by_name = {entry["source"]: entry for entry in found["files"]}
    other = {"bad.npy": "failed", "notes.txt": "skipped"}
    names = ("2.npy", "3.npy", "4.npy", "a/0.npy", "a/1.npy", "bad.npy", "notes.txt")
    assert {key: value["status"] for key, value in by_name.items()} == {key: other.get(key, "done") for key in names}
    entry = by_name["a/0.npy"]
    assert entry["source_sha256"] == tasks.digest_of(few / "a" / "0.npy")
    assert entry["file_sha256"] == tasks.digest_of(out / "a" / "0.npy.linr")
    assert entry["samples_digest"] == inrcodec.info((out / "a" / "0.npy.linr").read_bytes())["digest"]
    assert entry["source_bytes"] == (few / "a" / "0.npy").stat().st_size
    assert not trees.left_over(tmp_path)
    encode(few, out, manifest=name, update=True)
    again = {entry["source"]: entry for entry in json.loads(name.read_text())["files"]}
    assert again["a/0.npy"] == {**entry, "status": "current"} | {"raw_bytes": entry["raw_bytes"]}
    (tmp_path / "moved").mkdir()
    shutil.move(out, tmp_path / "moved" / "out")
    shutil.move(name, tmp_path / "moved" / "m.json")
    assert manifest.verify(tmp_path / "moved" / "m.json", doing.How(jobs=1))[0].ok


def test_verify_finds_what_was_changed(few: Path, tmp_path: Path) -> None:
    out, name = tmp_path / "out", tmp_path / "m.json"
    encode(few, out, manifest=name)
    assert manifest.verify(name, doing.How(jobs=1))[0].ok
    (out / "2.npy.linr").unlink()
    shutil.copy(out / "a" / "0.npy.linr", out / "3.npy.linr")
    damaged = bytearray((out / "4.npy.linr").read_bytes())
    damaged[-9] ^= 1
    (out / "4.npy.linr").write_bytes(damaged)
    shutil.copy(out / "a" / "0.npy.linr", out / "other.linr")
    report, extra = manifest.verify(name, doing.How(jobs=1))
    assert {result.task.name: result.fault.partition(": ")[2].partition(" ")[0].strip(":") for result in report.failed} == {
        "2.npy.linr": "missing",
        "3.npy.linr": "changed",
        "4.npy.linr": "damaged",
    }
    assert extra == [str(out / "other.linr")]
    quick, _ = manifest.verify(name, doing.How(jobs=1), quick=True)
    assert trees.names_of(quick.failed) == trees.names_of(report.failed)
    assert trees.names_of(batch.verify(out, jobs=1).failed) == ["4.npy.linr"]  # without a manifest, what decodes is right


def test_a_manifest_in_a_folder_that_is_made(few: Path, tmp_path: Path) -> None:
    name = tmp_path / "out" / "lists" / "m.json"
    assert encode(few, tmp_path / "out", manifest=name).ok
    assert manifest.verify(name, doing.How(jobs=1))[0].ok
    os.utime(few, (trees.WHEN, trees.WHEN))
    assert encode(few, tmp_path / "again", manifest=tmp_path / "again" / "m.json").ok
    assert (tmp_path / "again").stat().st_mtime == trees.WHEN
    with pytest.raises(InrcodecError, match=r"m\.json: .*2\.npy is a file"):
        encode(few, tmp_path / "other", manifest=few / "2.npy" / "m.json")
    assert not (tmp_path / "other").exists()


def test_verify_looks_only_into_folders_that_are_listed(few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The outputs may be below the folder of the whole disk."""
    out, name = tmp_path / "out", tmp_path / "m.json"
    encode(few, out, manifest=name)
    (out / "far" / "below").mkdir(parents=True)
    for beside in ("a/more.LINR", "far/below/x.linr"):
        shutil.copy(out / "2.npy.linr", out / beside)
    report, extra = manifest.verify(name, doing.How(jobs=1))
    assert (report.ok, report.notices, extra) == (True, [], [str(out / "a" / "more.LINR")])
    walk = places.walk

    def refused(root: places.Name, **how: bool) -> Iterator[places.Entry]:
        if Path(root).name == "a":
            raise InrcodecError(f"{root}: cannot be read: permission denied")
        return walk(root, **how)

    monkeypatch.setattr(places, "walk", refused)
    report, extra = manifest.verify(name, doing.How(jobs=1))
    assert (report.ok, extra) == (True, [])
    assert report.notices == [f"{out / 'a'}: cannot be read: permission denied"]
    assert report.to_json()["notices"] == report.notices


def test_a_manifest_of_work_that_was_stopped(few: Path, tmp_path: Path) -> None:
    name = tmp_path / "m.json"
    encode(few, tmp_path / "out", manifest=name)
    name.write_text(json.dumps({**json.loads(name.read_text()), "complete": False}))
    report, _ = manifest.verify(name, doing.How(jobs=1))
    assert report.ok
    assert report.notices == [f"{name}: the work that it tells of was stopped; files that were not begun are not listed"]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (b"", "is no manifest"),
        (b"[" * 100000, "is no manifest"),
        (b"\xff\xfe", "is no manifest"),
        (b"[]", "is no manifest of inrcodec"),
        (b'{"format": "inrcodec manifest", "version": 2}', "version 2"),
        (b'{"format": "inrcodec manifest", "version": 1, "action": "encode"}', "does not list"),
    ],
)
def test_what_is_no_manifest(tmp_path: Path, given: bytes, says: str) -> None:
    name = tmp_path / "m.json"
    name.write_bytes(given)
    with pytest.raises(FormatError, match=says):
        manifest.verify(name)
    with pytest.raises(FormatError, match=says):  # nor is it overwritten
        encode(tmp_path, tmp_path / "out", manifest=name)
    assert name.read_bytes() == given


def test_hostile_manifests(few: Path, tmp_path: Path) -> None:
    name = tmp_path / "m.json"
    encode(few, tmp_path / "out", manifest=name)
    found = json.loads(name.read_text())
    for entry in (3, {"status": "done"}, {"status": "done", "target": 7}, {"status": ["done"]}):
        name.write_text(json.dumps({**found, "files": [entry]}))
        with pytest.raises(FormatError, match="damaged"):
            manifest.verify(name)
    name.write_text(json.dumps({**found, "files": [{**found["files"][0], "target": "../in/2.npy"}]}))
    report, _ = manifest.verify(name, doing.How(jobs=1))
    assert "no name of a file below" in report.failed[0].fault


# --- originals that are deleted -----------------------------------------------------------------------------------


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(content, zlib.crc32(kind)))


def tiff(**more: Any) -> bytes:
    """A TIFF file."""
    file = io.BytesIO()
    tifffile.imwrite(file, trees.picture(0, 9, 9), metadata=None, **more)
    return file.getvalue()


def test_tags_that_are_missing() -> None:
    tagged = tiff(extratags=[(65000, 2, 3, "xyz", True), (65001, 3, 1, 7, True)], compression="zlib", predictor=True, tile=(16, 16))
    assert accounting.left_out(tagged, tiff()) == ["tag 65000", "tag 65001"]
    assert accounting.left_out(tiff(), tagged) == []


def test_originals_are_deleted(tmp_path: Path) -> None:
    good = trees.make(tmp_path / "in", 1)
    plain = (tmp_path / "in" / "000.png").read_bytes()
    start = len(pngchunks.SIGNATURE) + 25
    (tmp_path / "in" / "private.png").write_bytes(plain[:start] + chunk(b"prVT", b"x") + plain[start:])
    (tmp_path / "in" / "tail.png").write_bytes(plain + b"more")
    (tmp_path / "in" / "linked.png").symlink_to(tmp_path / "in" / "private.png")
    Image.fromarray(trees.picture(0, 9, 9, 3)).save(tmp_path / "in" / "plain.webp", lossless=True)
    webp = (tmp_path / "in" / "plain.webp").read_bytes() + b"prvt\2\0\0\0xx"
    (tmp_path / "in" / "private.webp").write_bytes(webp[:4] + struct.pack("<I", len(webp) - 8) + webp[8:])
    (tmp_path / "in" / "tagged.tif").write_bytes(tiff(extratags=[(65000, 2, 3, "xyz", True)]))
    Image.fromarray(trees.picture(0, 9, 9, 3)).save(tmp_path / "in" / "x.jp2", irreversible=True)
    report = batch.encode(tmp_path / "in", tmp_path / "out", jobs=1, effort=1, delete_original=True)
    kept = {result.task.name: result.notices[-1].rpartition("not deleted: ")[2] for result in report.done if not result.deleted}
    assert kept == {
        "private.png": "it holds what does not come back: chunk prVT",
        "tail.png": "it holds what does not come back: bytes after its end",
        "linked.png": "it is a link",
        "private.webp": "it holds what does not come back: chunk prvt",
        "x.jp2": kept["x.jp2"],
    }
    assert {name for name in good if (tmp_path / "in" / name).exists()} == set()
    assert {path.name for path in (tmp_path / "in").iterdir() if path.is_file()} >= {*kept, *trees.FAULTY, *trees.LOSSY}
    back = batch.decode(tmp_path / "out", tmp_path / "back", jobs=1, delete_original=True)
    assert all(result.deleted for result in back.done)
    assert {name for name in good if not (tmp_path / "back" / name).exists()} == set()


def test_originals_of_what_was_done_already(few: Path, tmp_path: Path) -> None:
    """As after a run that was interrupted."""
    encode(few, tmp_path / "out")
    report = encode(few, tmp_path / "out", update=True, delete_original=True)
    assert [(result.status, result.deleted) for result in report.results] == [("skipped", True)] * 5
    assert not contents(few)


def change_source_after(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let another program change the source after a step of its task. name: of that function in `tasks`."""
    step = getattr(tasks, name)

    def change(task: tasks.Task, *given: Any) -> Any:
        found = step(task, *given)
        np.save(task.source, np.arange(5))
        return found

    monkeypatch.setattr(tasks, name, change)


def test_an_original_that_is_changed_meanwhile_stays(few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    change_source_after("_put", monkeypatch)
    report = encode(few / "2.npy", tmp_path / "x.linr", delete_original=True)
    assert "does not decode to" in report.failed[0].fault
    assert np.load(few / "2.npy").size == 5


def test_a_source_that_is_changed_while_it_is_read(few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    change_source_after("work", monkeypatch)
    report = encode(few / "2.npy", tmp_path / "x.linr")
    assert "was changed while it was read" in report.failed[0].fault
    assert not (tmp_path / "x.linr").exists()


def test_what_was_written_wrongly_is_found(few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put = tasks._put

    def damage(task: tasks.Task, *given: Any) -> Any:
        found = put(task, *given)
        data = bytearray(Path(task.target).read_bytes())
        data[-5] ^= 1
        Path(task.target).write_bytes(data)
        return found

    monkeypatch.setattr(tasks, "_put", damage)
    report = encode(few / "2.npy", tmp_path / "x.linr", delete_original=True)
    assert "damaged" in report.failed[0].fault
    assert (few / "2.npy").exists()


# --- what fails ---------------------------------------------------------------------------------------------------


def test_a_disk_that_fills_up(few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Faults of some files, no half file, and an end when nothing more can be written."""
    writing, room = places.writing, [2]

    @contextmanager
    def full(name: Any, **given: Any) -> Iterator[Path]:
        room[0] -= 1
        try:
            with writing(name, **given) as path:
                yield path
                if room[0] < 0:
                    raise OSError(errno.ENOSPC, "No space left on device")
        except OSError as fault:
            raise InrcodecError(f"{name}: cannot be written: no space left on device") from fault

    for i in range(5, 9):
        shutil.copy(few / "2.npy", few / f"{i}.npy")
    monkeypatch.setattr(places, "writing", full)
    report = encode(few, tmp_path / "out")
    told = [result.fault.partition(": ")[2] for result in report.failed]
    assert len(report.done) == 2
    assert told == ["cannot be written: no space left on device"] * run.MOST_FULL + [run.NOT_TRIED] * 4
    assert len(contents(tmp_path / "out")) == 2
    assert not trees.left_over(tmp_path)


@posix
def test_a_full_disk_is_told_by_the_system(few: Path, tmp_path: Path) -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    np.save(few / "a" / "1.npy", np.random.default_rng(0).integers(0, 2**31, 5000, np.int32))
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10000, before[1]))
        report = encode(few, tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert [(result.task.name, result.full) for result in report.failed] == [("a/1.npy", True)]
    assert report.failed[0].fault == f"{tmp_path / 'out' / 'a' / '1.npy.linr'}: cannot be written: file too large"
    assert len(contents(tmp_path / "out")) == 4


def die_of(event: Any) -> None:
    """Begin a worker that ends itself when it is to code a file named 3.npy, or, once, one named 4.npy."""
    run._begin(event)
    work = tasks._WORK["encode"]

    def deadly(task: tasks.Task, path: Path, options: Any) -> tasks.Product:
        once = path.with_suffix(".once")
        if path.name == "3.npy" or (path.name == "4.npy" and not once.exists()):
            once.touch()
            Path(task.target).parent.mkdir(exist_ok=True)
            (Path(task.target).parent / f"{storage.TEMPORARY}{storage.host()}-{'0' * 16}.linr").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return work(task, path, options)

    tasks._WORK["encode"] = deadly


@posix
def test_a_worker_that_dies(few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its task is tried again alone; one that ends its worker twice is a fault, and the rest goes on."""
    started: list[ProcessPoolExecutor] = []

    def start(workers: run.Workers) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("spawn")
        workers._event = context.Event()
        started.append(ProcessPoolExecutor(workers.jobs, context, die_of, (workers._event,)))
        return started[-1]

    monkeypatch.setattr(run.Workers, "_start", start)
    report = encode(few, tmp_path / "out", jobs=2)
    assert [result.fault for result in report.failed] == [f"{few / '3.npy'}: {run.DIED}"]
    assert trees.names_of(report.done) == ["2.npy", "4.npy", "a/0.npy", "a/1.npy"]
    assert (few / "4.once").exists()
    assert len(started) > 1
    assert not trees.left_over(tmp_path)


def test_workers_of_the_caller_that_die(few: Path, tmp_path: Path) -> None:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        broken = pool.submit(os._exit, 1)
        assert broken.exception() is not None
        report = encode(few, tmp_path / "out", executor=pool, jobs=1)
    assert {result.fault.partition(": ")[2] for result in report.failed} == {run.GONE}
    assert len(report.failed) == 5


@pytest.mark.parametrize("jobs", [1, 2])
def test_work_that_is_stopped(few: Path, tmp_path: Path, jobs: int) -> None:
    for i in range(10, 40):
        shutil.copy(few / "2.npy", few / f"{i}.npy")
    done: list[Status] = []
    report = encode(few, tmp_path / "out", jobs=jobs, manifest=tmp_path / "m.json", progress=done.append, stop=lambda: len(done) > 3)
    assert not report.complete
    assert not report.ok
    assert 3 <= len(report.done) < 20
    found = json.loads((tmp_path / "m.json").read_text())
    assert not found["complete"]
    assert len(found["files"]) == len(report.results)
    assert set(contents(tmp_path / "out")) == {result.task.target_name for result in report.done}
    assert not trees.left_over(tmp_path)


def test_mistakes_of_the_program_are_raised(few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def mistake(*given: Any) -> Any:
        raise RuntimeError("a mistake")

    monkeypatch.setattr(content, "encode", mistake)
    with pytest.raises(RuntimeError, match="a mistake"):
        encode(few, tmp_path / "out", manifest=tmp_path / "m.json")
    assert json.loads((tmp_path / "m.json").read_text())["complete"] is False

    def memory(*given: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(content, "encode", memory)
    assert "not enough memory" in encode(few / "2.npy", tmp_path / "x.linr").failed[0].fault


def test_tasks_and_results_can_be_sent(few: Path, tmp_path: Path) -> None:
    report = encode(few, tmp_path / "out")
    for result in report.results:
        assert pickle.loads(pickle.dumps(result)) == result
    product = tasks.work(report.results[0].task, Path(report.results[0].task.source))
    assert pickle.loads(pickle.dumps(product)) == product
    assert tasks.Task("encode", "x", options={"profile": "inr"}).fits
    assert tasks.Task("encode", "x", options={"tune": True}).fits
    assert not tasks.Task("decode", "x").fits


def test_threads_of_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    task = tasks.Task("encode", "x", size=10)
    assert run._with_threads(task, 100, 4).options["threads"] == 2
    assert run._with_threads(task, 39, 4).options["threads"] == 8  # it would be the last to end
    assert run._with_threads(task, 10, 1) is task
    assert run._with_threads(replace(task, options={"threads": 3}), 100, 4).options["threads"] == 3


# --- names of what is decoded -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_the_default_output_holds_what_is_in_the_file(tmp_path: Path, kind: Any) -> None:
    """Of every type of samples, depth and shape, what is written by that name and read again is the same."""
    shapes = {"image": [(9, 8), (9, 8, 1), (9, 8, 3), (9, 8, 5)], "stack": [(2, 9, 8), (1, 9, 8), (2, 9, 8, 3)], "audio": [(9,), (9, 2)]}
    found = set()
    for shape in shapes.get(kind, [(4, 5)]):
        for type_name in ("?", "u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8", "c8", ">u2", ">f4"):
            dtype = np.dtype(type_name)
            width = 1 if type_name == "?" else 8 * dtype.itemsize
            for depth in {width, *(n for n in (1, 7, 8, 12, 16, 24, 32) if n < width)} if dtype.kind in "ui" else {width}:
                try:
                    signal = Signal(np.zeros(shape, dtype), kind, depth, 8000 if kind == "audio" else None)
                except UnsupportedError:
                    continue
                about = {"kind": kind, "shape": list(shape), "dtype": type_name if ">" in type_name else dtype.name, "bit_depth": depth}
                path = naming.default_output(tmp_path / "x.linr", lambda about=about: {**about, "metadata": {}})  # type: ignore[misc]
                files.write(path, signal)
                back = files.read(path).samples
                assert np.array_equal(back.reshape(shape), signal.samples), (shape, dtype, depth, path.suffix)
                assert path.suffix in (".wav",) or back.dtype == dtype
                found.add(path.suffix)
    assert found == {"image": {".png", ".tif", ".npy"}, "stack": {".tif", ".npy"}, "audio": {".wav", ".npy"}, "array": {".npy"}}[kind]


def test_default_outputs_by_name() -> None:
    def asked() -> Any:
        raise AssertionError

    for name, plain in (("a.png.linr", "a.png"), ("a.nii.gz.linr", "a.nii.gz"), ("a.npz.LINR", "a.npz"), ("a.pt.linr", "a.pt")):
        assert naming.default_output(Path("d", name), asked).as_posix() == f"d/{plain}"
    image = {"kind": "image", "shape": [9, 9], "dtype": "uint8", "bit_depth": 8, "metadata": {}}
    for name, plain in (
        ("a.linr", "a.png"),
        ("a.jpg.linr", "a.jpg.png"),
        ("a.jp2.linr", "a.jp2.png"),
        ("a", "a.png"),
        (".linr", ".linr.png"),
    ):
        assert naming.default_output(Path(name), lambda: image).as_posix() == plain
    assert naming.extension_of({"tensors": [], "metadata": {}}) == ".safetensors"
    assert naming.extension_of({"tensors": [], "metadata": {"torch/tree": 9}}) == ".pt"
    assert naming.extension_of({"arrays": [], "metadata": {}}) == ".npz"
    assert naming.extension_of({**image, "metadata": {"dicom/head/1": 3}}) == ""
    assert naming.extension_of({**image, "metadata": {"fits/head": 3}}) == ".fits"
    sound = {"kind": "audio", "shape": [9], "dtype": "int16", "bit_depth": 16, "metadata": {"flac/vendor": 3}}
    assert naming.extension_of(sound) == ".flac"
