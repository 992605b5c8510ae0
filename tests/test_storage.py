"""How files are put in place: whole or not at all, on the disk before they get their name, and without litter."""

from __future__ import annotations

import errno
import os
import platform
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from inrcodec import storage
from inrcodec.errors import InrcodecError

posix = pytest.mark.skipif(sys.platform == "win32", reason="no such thing on Windows")

# writes half of a file, then ends without a chance to tidy up, as by a power cut
KILLED = """
import os, signal, sys
from pathlib import Path
from inrcodec import storage

def half(path):
    path.write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)

storage.replace(Path(sys.argv[1]), half, force=True)
"""


def writes(data: bytes) -> Callable[[Path], Any]:
    return lambda path: path.write_bytes(data)


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def left_over(folder: Path, name: str = f".inrcodec-{storage.host()}-0123456789abcdef.linr") -> Path:
    path = folder / name
    path.write_bytes(b"half")
    return path


@posix
def test_what_a_killed_run_left_is_swept_by_the_next(tmp_path: Path) -> None:
    out = tmp_path / "a.linr"
    out.write_bytes(b"old")
    process = subprocess.run([sys.executable, "-c", KILLED, str(out)], check=False)
    assert process.returncode == -signal.SIGKILL
    assert out.read_bytes() == b"old"
    assert len(names(tmp_path)) == 2
    storage.replace(tmp_path / "b.linr", writes(b"new"), force=False)
    assert names(tmp_path) == ["a.linr", "b.linr"]


@posix
def test_files_of_runs_that_go_on_are_not_swept(tmp_path: Path) -> None:
    def write(path: Path) -> None:
        storage.sweep(tmp_path)
        assert path.exists()
        path.write_bytes(b"new")

    storage.replace(tmp_path / "a.linr", write, force=False)
    assert names(tmp_path) == ["a.linr"]


@posix
def test_files_of_other_machines_are_swept_when_they_are_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On some network file systems a lock holds on one machine only, so that a file of another machine looks unlocked here."""
    monkeypatch.setattr(platform, "node", lambda: "another")
    other = left_over(tmp_path, f".inrcodec-{storage.host()}-0123456789abcdef.linr")
    monkeypatch.undo()
    storage.sweep(tmp_path)
    assert other.exists()
    os.utime(other, (time.time() - 2 * storage.OLD,) * 2)
    handle = os.open(other, os.O_RDWR)
    assert storage._lock(handle)  # where locks hold everywhere
    storage.sweep(tmp_path)
    assert other.exists()
    os.close(handle)
    storage.sweep(tmp_path)
    assert not other.exists()


@posix
def test_only_our_own_files_are_swept(tmp_path: Path) -> None:
    ours = f".inrcodec-{storage.host()}-0123456789abc"
    for name in (".inrcodec-notes.txt", f"{ours[1:]}def", f"{ours}def.linr.bak.1", f"{ours}DEF", f"{ours}", ".inrcodec-0123456789abcdef"):
        left_over(tmp_path, name)
    (tmp_path / f"{ours}0aa").mkdir()
    (tmp_path / f"{ours}0bb").symlink_to(tmp_path / ".inrcodec-notes.txt")
    os.mkfifo(tmp_path / f"{ours}0cc")
    before = names(tmp_path)
    left_over(tmp_path)
    storage.sweep(tmp_path)
    assert names(tmp_path) == before


def test_where_files_cannot_be_locked_their_age_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "fcntl", None)
    monkeypatch.setattr(storage, "AGAIN", 0)
    path = left_over(tmp_path)
    storage.replace(tmp_path / "a.linr", writes(b"new"), force=False)
    assert names(tmp_path) == [path.name, "a.linr"]
    os.utime(path, (time.time() - 2 * storage.OLD,) * 2)
    storage.replace(tmp_path / "b.linr", writes(b"new"), force=False)
    assert names(tmp_path) == ["a.linr", "b.linr"]


@posix
def test_a_file_that_is_swept_before_it_is_locked_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = storage._lock
    swept: list[Path] = []

    def late(handle: int) -> bool | None:
        if not swept:
            swept.extend(tmp_path.iterdir())
            swept[0].unlink()
        return lock(handle)

    monkeypatch.setattr(storage, "_lock", late)
    storage.replace(tmp_path / "a.linr", writes(b"new"), force=False)
    assert names(tmp_path) == ["a.linr"]
    assert len(swept) == 1


@posix
def test_a_folder_is_swept_once(tmp_path: Path) -> None:
    """Listing it takes long where there are many files. After a worker has died it is swept all the same."""
    storage.replace_bytes(tmp_path / "a.linr", b"1", force=False)
    path = left_over(tmp_path)
    storage.replace_bytes(tmp_path / "b.linr", b"2", force=False)
    assert names(tmp_path) == [path.name, "a.linr", "b.linr"]
    storage.sweep(tmp_path)
    assert names(tmp_path) == ["a.linr", "b.linr"]


def test_sweeping_a_folder_that_is_not_there_is_no_fault(tmp_path: Path) -> None:
    storage.sweep(tmp_path / "no")


@posix
@pytest.mark.parametrize("force", [False, True])
def test_a_file_is_on_the_disk_before_it_gets_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, force: bool) -> None:
    events: list[str] = []

    def fsync(handle: int) -> None:
        events.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else f"file of {os.fstat(handle).st_size} bytes")

    def noting(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*given: Any) -> Any:
            events.append(name)
            return call(*given)

        return wrapped

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", noting("moved", os.replace))
    monkeypatch.setattr(os, "link", noting("moved", os.link))
    storage.replace(tmp_path / "a.linr", writes(b"new"), force)
    assert events == ["file of 3 bytes", "moved", "folder"]


@posix
@pytest.mark.parametrize(("number", "done"), [(errno.EINVAL, True), (errno.EIO, False)])
def test_faults_of_fsync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, done: bool) -> None:
    """A file system without it is no fault, a disk that is broken is one."""
    out = tmp_path / "a.linr"
    out.write_bytes(b"old")

    def fsync(handle: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fsync)
    if done:
        storage.replace(out, writes(b"new"), force=True)
    else:
        with pytest.raises(InrcodecError, match="cannot be written: input/output error"):
            storage.replace(out, writes(b"new"), force=True)
    assert out.read_bytes() == (b"new" if done else b"old")
    assert names(tmp_path) == ["a.linr"]


@pytest.mark.parametrize("force", [False, True])
def test_two_writers_to_one_output(tmp_path: Path, force: bool) -> None:
    """The other one comes first while this one writes."""
    out = tmp_path / "a.linr"

    def write(path: Path) -> None:
        path.write_bytes(b"this")
        storage.replace(out, writes(b"the other"), force)
        assert out.read_bytes() == b"the other"

    if force:
        storage.replace(out, write, force)
    else:
        with pytest.raises(InrcodecError, match="exists already"):
            storage.replace(out, write, force)
    assert out.read_bytes() == (b"this" if force else b"the other")
    assert names(tmp_path) == ["a.linr"]


def test_file_systems_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def link(*given: Any) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", link)
    storage.replace(tmp_path / "a.linr", writes(b"new"), force=False)
    assert (tmp_path / "a.linr").read_bytes() == b"new"
    assert names(tmp_path) == ["a.linr"]


@posix
def test_the_input_is_never_the_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "a.png"
    source.write_bytes(b"precious")
    (tmp_path / "folder").mkdir()
    (tmp_path / "soft.png").symlink_to(source)
    os.link(source, tmp_path / "hard.png")
    monkeypatch.chdir(tmp_path)
    others = ("a.png", "./a.png", "folder/../a.png", "soft.png", "hard.png")
    for name in (*others, str(source)):
        for force in (False, True):
            with pytest.raises(InrcodecError, match="is the input itself"):
                storage.check_output(Path(name), force, source)
    storage.check_output(Path("b.png"), False, source)
    storage.check_output(Path("b.png"), False, Path("missing"))


@posix
def test_outputs_that_are_no_regular_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.linr")
    for path in (tmp_path / "fifo.linr", Path("/dev/null")):
        for force in (False, True):
            with pytest.raises(InrcodecError, match="is not a regular file"):
                storage.check_output(path, force)


def test_names_as_long_as_they_can_be(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 250 + ".linr")
    storage.replace(path, writes(b"new"), force=False)
    storage.replace(path, writes(b"newer"), force=True)
    assert path.read_bytes() == b"newer"
    with pytest.raises(InrcodecError, match="file name too long"):
        storage.check_output(tmp_path / ("x" * 251 + ".linr"), False)


@posix
def test_permissions(tmp_path: Path) -> None:
    """Those of the file that is replaced, else those of any new file; until it is whole, nobody else can read it."""

    def mode(path: Path) -> int:
        return stat.S_IMODE(path.stat().st_mode)

    def write(path: Path) -> None:
        assert mode(path) == 0o600
        path.write_bytes(b"new")

    new, old = tmp_path / "new.linr", tmp_path / "old.linr"
    old.touch(0o444)
    before = os.umask(0o027)
    try:
        storage.replace(new, write, force=False)
        storage.replace(old, write, force=True)
    finally:
        os.umask(before)
    assert (mode(new), mode(old)) == (0o640, 0o444)


@posix
def test_links_in_circles(tmp_path: Path) -> None:
    path = tmp_path / "a.linr"
    path.symlink_to(tmp_path / "b.linr")
    (tmp_path / "b.linr").symlink_to(path)
    with pytest.raises(InrcodecError, match="exists already"):
        storage.check_output(path, False)
    storage.replace(path, writes(b"new"), force=True)
    assert path.read_bytes() == b"new"


def test_a_folder_that_vanishes(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()

    def write(path: Path) -> None:
        path.unlink()
        folder.rmdir()

    with pytest.raises(InrcodecError, match=r"a\.linr: cannot be written: no such file"):
        storage.replace(folder / "a.linr", write, force=False)
    with pytest.raises(InrcodecError, match="there is no directory"):
        storage.replace(folder / "a.linr", write, force=False)


def test_a_process_that_ends_at_once_can_tidy_up(tmp_path: Path) -> None:
    def write(path: Path) -> None:
        path.write_bytes(b"half")
        storage.abandon()
        assert not path.exists()
        path.write_bytes(b"whole")

    storage.replace(tmp_path / "a.linr", write, force=False)
    assert (tmp_path / "a.linr").read_bytes() == b"whole"
    storage.abandon()
    assert names(tmp_path) == ["a.linr"]
