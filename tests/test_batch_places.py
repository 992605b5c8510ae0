"""Where files lie: paths and addresses, by the same functions, and the same faults."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from inrcodec import InrcodecError
from inrcodec.batch import places
from inrcodec.errors import MissingError, UnsupportedError

fsspec = pytest.importorskip("fsspec")


@pytest.fixture(params=["path", "file", "memory"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty folder: by its path, as file://…, and in fsspec's memory."""
    if request.param == "memory":
        yield f"memory://{tmp_path.name}"
        fs = fsspec.filesystem("memory")
        if fs.exists(f"/{tmp_path.name}"):
            fs.rm(f"/{tmp_path.name}", recursive=True)
    else:
        yield str(tmp_path) if request.param == "path" else f"file://{tmp_path}"


def names(root: str) -> list[str]:
    return [entry.relative for entry in places.walk(root)]


def test_what_is_put_is_there(root: str) -> None:
    name = places.join(root, "a/b.bin")
    assert not places.exists(name)
    places.put(name, b"first")
    assert places.exists(name)
    assert places.read_bytes(name) == b"first"
    assert places.stat(name).size == 5
    assert places.stat(name).relative == "b.bin"
    assert places.stat(name).mtime is not None
    assert places.is_folder(places.join(root, "a"))
    assert not places.is_folder(name)
    with pytest.raises(InrcodecError, match=r"b\.bin: exists already"):
        places.put(name, b"second")
    assert places.read_bytes(name) == b"first"
    places.put(name, b"second", force=True)
    assert places.read_bytes(name) == b"second"
    assert names(root) == ["a/b.bin"]
    places.remove(name)
    assert names(root) == []


def test_folders_are_walked_in_order(root: str) -> None:
    for relative in ("b/z", "a", "b/y/x", "b.c"):
        places.put(places.join(root, relative), relative.encode())
    found = list(places.walk(root))
    assert [entry.relative for entry in found] == ["a", "b/y/x", "b/z", "b.c"]
    assert [places.read_bytes(entry.name).decode() for entry in found] == ["a", "b/y/x", "b/z", "b.c"]
    assert [entry.size for entry in found] == [1, 5, 3, 3]


def test_patterns(root: str) -> None:
    for relative in ("a/1.png", "a/b/2.png", "a/b/3.wav"):
        places.put(places.join(root, relative), b"")
    assert [places.last_part(name) for name in places.expand(places.join(root, "a/**/*.png"))] == ["1.png", "2.png"]
    assert places.has_magic(places.join(root, "*.png"))
    assert not places.has_magic(places.join(root, "a"))
    assert places.expand(places.join(root, "nothing*")) == []


def test_a_file_as_a_local_path(root: str) -> None:
    name = places.join(root, "sub/photo.tif")
    places.put(name, b"pixels")
    with places.local(name) as path:
        assert path.name == "photo.tif"
        assert path.read_bytes() == b"pixels"
    assert path.exists() == (places.disk_path(name) is not None)
    with pytest.raises(UnsupportedError, match="has no pixels") as fault, places.local(name) as path:
        raise UnsupportedError(f"{path}: has no pixels")
    assert str(fault.value) == f"{places.disk_path(name) or name}: has no pixels"


def test_a_file_is_written_whole_or_not_at_all(root: str, tmp_path: Path) -> None:
    name = places.join(root, "out/a.wav")
    with places.writing(name) as path:
        assert path.suffix == ".wav"
        path.write_bytes(b"sound")
    assert places.read_bytes(name) == b"sound"
    with pytest.raises(InrcodecError, match="damaged"), places.writing(name, force=True) as path:
        raise InrcodecError(path.write_bytes(b"half") and "damaged")
    with pytest.raises(InrcodecError, match=r"a\.wav: cannot be written: no space left"), places.writing(name, force=True) as path:
        raise OSError(28, "No space left on device", str(path))
    assert places.read_bytes(name) == b"sound"
    assert names(root) == ["out/a.wav"]
    source = tmp_path / "source"
    source.write_bytes(b"copied")
    places.put(places.join(root, "out/b"), source)
    assert places.read_bytes(places.join(root, "out/b")) == b"copied"


def test_times_and_permissions(tmp_path: Path) -> None:
    for root in (str(tmp_path / "a"), f"file://{tmp_path}/b"):
        name = places.join(root, "x.bin")
        places.put(name, b"", mtime_ns=1_000_000_000_250_000_001, mode=0o640)
        found = places.stat(name)
        assert found.mtime_ns == 1_000_000_000_250_000_001
        assert os.name == "nt" or found.mode == 0o640


def test_faults_name_the_file(root: str) -> None:
    places.put(places.join(root, "folder/x"), b"")
    missing, folder = places.join(root, "missing"), places.join(root, "folder")
    for name, words in ((missing, "no such file"), (folder, "directory|no such file")):
        for ask in (places.stat, places.read_bytes, places.remove):
            with pytest.raises(InrcodecError, match=rf"^\S*{places.last_part(name)}: cannot be (read|removed): .*({words})"):
                ask(name)
    with pytest.raises(InrcodecError, match="missing: cannot be read: no such file"):
        list(places.walk(missing))
    with pytest.raises(InrcodecError, match="x: cannot be read: not a directory"):
        list(places.walk(places.join(folder, "x")))
    with pytest.raises(InrcodecError, match=r"directory"):
        places.put(folder, b"", force=True)
    for relative in ("../x", "a//b", "/x", ".", "a/../../b", "", "a\0b"):
        with pytest.raises(InrcodecError, match="is no name of a file below"):
            places.join(root, relative)


def test_what_is_an_address() -> None:
    assert [places.is_address(x) for x in ("memory://a", "s3://b/k", "file:///a", "a/b", "/a", "C://x", Path("a"))] == [True] * 3 + [
        False
    ] * 4
    assert places.disk_path("file:///a/b") == Path("/a/b")
    assert places.disk_path("s3://a/b") is None
    assert places.disk_path("simplecache::file:///a") == Path("simplecache::file:///a")  # no scheme in front: a path
    assert places.join("zip://a::file://x.zip", "b/c") == "zip://a/b/c::file://x.zip"
    with pytest.raises(InrcodecError, match="is no name of a file"):
        places.read_bytes("a\0b")


def test_addresses_that_nothing_here_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InrcodecError, match=r"^nosuch://a: cannot be read: Protocol not known: nosuch$"):
        places.read_bytes("nosuch://a")
    monkeypatch.setitem(sys.modules, "s3fs", None)  # as if it were not installed
    with pytest.raises(MissingError, match=r"^s3://bucket/key: s3:// needs s3fs; install with: pip install s3fs$"):
        places.read_bytes("s3://bucket/key")
    monkeypatch.setattr("inrcodec.files.optional.find_spec", lambda name: None)
    with pytest.raises(MissingError, match=r"^memory://a: an address needs fsspec; install"):
        places.stat("memory://a")


class Broken(fsspec.AbstractFileSystem):  # type: ignore[misc, name-defined]  # fsspec has no types
    """A file system whose server does not answer, or says no."""

    protocol = "broken"
    cachable = False

    def info(self, path: str, **options: Any) -> dict[str, Any]:
        raise {"refused": ConnectionRefusedError, "denied": PermissionError}.get(path, RuntimeError)("told\nby a library")

    def isdir(self, path: str) -> bool:
        return bool(self.info(path))

    def _open(self, path: str, *options: Any, **more: Any) -> Any:
        return self.info(path)


def test_servers_that_fail() -> None:
    fsspec.register_implementation("broken", Broken, clobber=True)
    for path, why in (("refused", "connection refused"), ("denied", "permission denied"), ("odd", "told by a library")):
        for ask in (places.stat, places.is_folder, places.read_bytes):
            with pytest.raises(InrcodecError, match=f"^broken://{path}: cannot be read: {why}$"):
                ask(f"broken://{path}")
        with pytest.raises(InrcodecError, match=f"^broken://{path}: cannot be (read|written): {why}$"):
            places.put(f"broken://{path}", b"")


def test_a_store_that_shows_nothing_half_is_written_in_one_go(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = fsspec.filesystem("memory")
    moved: list[str] = []
    move = type(memory).mv

    def recorded(self: Any, source: str, target: str, **options: Any) -> None:
        moved.append(target)
        move(self, source, target, **options)

    monkeypatch.setattr(type(memory), "mv", recorded)
    places.put("memory://one/a", b"1")
    assert moved == ["/one/a"]
    monkeypatch.setattr(places, "AT_ONCE", {"memory"})
    places.put("memory://one/b", b"2")
    assert moved == ["/one/a"]
    assert names("memory://one") == ["a", "b"]
    memory.rm("/one", recursive=True)


def test_folders_whose_names_look_like_patterns(root: str) -> None:
    """A file is moved into such a folder, and found by its name there."""
    name = places.join(root, "a[1]/b*/x.bin")
    places.put(name, b"here")
    assert places.read_bytes(name) == b"here"
    assert not places.has_magic(name)
    assert places.has_magic(places.join(root, "a[1]/b*/y.bin"))
    assert names(root) == ["a[1]/b*/x.bin"]
    if root.startswith("memory"):  # through a file system that has a move of its own and leaves it to another one
        places.put(f"dir://b*/x.bin::{places.join(root, 'a[1]')}", b"again", force=True)
        assert places.read_bytes(name) == b"again"


def test_a_question_mark_in_an_address() -> None:
    assert not places.has_magic("https://example.org/a.npy?version=2")
    assert places.has_magic("memory://nothing/a?.npy")


def test_one_folder_alone(root: str) -> None:
    for relative in ("a", "b/c", "b/d/e"):
        places.put(places.join(root, relative), b"")
    assert [entry.relative for entry in places.walk(root, below=False)] == ["a"]
    assert [entry.relative for entry in places.walk(places.join(root, "b"), below=False)] == ["c"]
    with pytest.raises(InrcodecError, match="none: cannot be read"):
        list(places.walk(places.join(root, "none"), below=False))
