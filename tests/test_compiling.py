"""The cache of compiled kernels: whatever is wrong with it, kernels run, and the user gets one line about it.

Most tests run a kernel of their own in a new process, from a folder of their own. Permissions do not bind root, so a folder is made
impossible by a file in its place.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pickle
import shutil
import stat
import subprocess
import sys
import time
import warnings
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest
from numba import config
from numba.core.registry import cpu_target

from inrcodec import Notice
from inrcodec.kernels import diskcache, events
from inrcodec.kernels.cachefolders import Folder, folders

ROOT = Path(__file__).parent.parent
POSIX = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="Windows has no permission bits, and homes elsewhere")

TINY = """
from inrcodec.kernels.compiling import kernel

@kernel
def triple(x):
    return min((x * 3, x * 3))
"""
# 3 × 2^62 wraps to −2^62 in 64 bits, and only there
USE = """
from inrcodec.kernels import events
events.on_first_compile(lambda: print("compiling"))
import tiny
print(tiny.triple(2**62), tiny.triple(1.5), sum(tiny.triple.stats.cache_misses.values()))
"""
RIGHT = f"{-(2**62)} 4.5 "
FRESH, KEPT = ["compiling", RIGHT + "2"], [RIGHT + "0"]


@dataclass
class Place:
    """A folder with the kernel, a home, a temporary folder, and a run's environment."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def in_tree(self) -> Path:
        return self.folder / "source" / "__pycache__"

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def temporary(self) -> Path:
        return self.folder / "temporary"

    def start(self, code: str = USE, **more: str) -> subprocess.Popen[str]:
        """A new process."""
        environment = {**self.environment, **more}
        return subprocess.Popen(
            [sys.executable, "-c", code], env=environment, cwd=self.folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def run(self, code: str = USE, **more: str) -> tuple[list[str], list[str]]:
        """The lines that a new process prints: standard output, standard error."""
        with self.start(code, **more) as process:
            out, err = process.communicate()
        assert process.returncode == 0, err
        return out.splitlines(), err.splitlines()

    def files(self) -> list[Path]:
        """All files of compiled kernels, and what writing them has left."""
        return sorted(path for path in self.folder.rglob("*.nb*") if path.is_file())

    def block(self, *folders: Path) -> None:
        """Make folders impossible: files stand in their places."""
        for path in folders:
            if path.is_dir():
                path.rmdir()
            path.write_bytes(b"")


def new_place(folder: Path) -> Place:
    """Make the folders and the kernel."""
    found = Place(folder)
    for path in (folder / "source", found.home, found.temporary):
        path.mkdir()
    (folder / "source" / "tiny.py").write_text(TINY, "utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_") and name != "XDG_CACHE_HOME"}
    found.environment = kept | {
        "PYTHONPATH": os.pathsep.join([str(folder / "source"), str(ROOT)]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": str(found.home),
        "TMPDIR": str(found.temporary),
    }
    return found


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return new_place(tmp_path)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The kernel and its compiled files."""
    found = new_place(tmp_path_factory.mktemp("compiled"))
    assert found.run() == (FRESH, [])
    return found.folder / "source"


@pytest.fixture
def warm(place: Place, compiled: Path) -> Place:
    """A place where the kernel was compiled before. Only the contents of the source count, so the files can be copied."""
    shutil.copytree(compiled / "__pycache__", place.in_tree)
    return place


def private_folder(place: Place) -> Path:
    """Where a run makes its temporary cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tempfile.tempdir", str(place.temporary))
        return Path(list(folders(str(place.folder / "source" / "tiny.py")))[-1].path)


def test_compiled_kernels_are_kept_beside_the_source(warm: Place, compiled: Path) -> None:
    assert warm.run() == (KEPT, [])
    assert {path.parent for path in compiled.rglob("*.nbc")} == {compiled / "__pycache__"}


@POSIX
def test_a_users_cache_folder_is_next(place: Place) -> None:
    place.block(place.in_tree)
    assert place.run() == (FRESH, [])
    assert place.run() == (KEPT, [])
    assert all(path.is_relative_to(place.home) for path in place.files())


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no XDG_CACHE_HOME")
@pytest.mark.slow
def test_a_users_cache_folder_elsewhere(place: Place) -> None:
    place.block(place.in_tree, place.home)
    assert place.run(XDG_CACHE_HOME=str(place.folder / "xdg")) == (FRESH, [])
    assert len(list((place.folder / "xdg").rglob("*.nbc"))) == 2


@POSIX
@pytest.mark.slow
def test_without_a_folder_of_its_own_it_takes_a_private_temporary_one(place: Place) -> None:
    """Numba by itself raises RuntimeError when a kernel is defined: no locator available."""
    place.block(place.in_tree, place.home)
    out, err = place.run()
    assert out == FRESH
    assert len(err) == 1
    assert err[0].startswith(f"inrcodec:1: Notice: {place.in_tree}: ")
    assert "set NUMBA_CACHE_DIR" in err[0]
    folder = private_folder(place)
    assert str(folder) in err[0]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert place.run() == (KEPT, [])


@POSIX
@pytest.mark.slow
def test_without_any_folder_it_works(place: Place) -> None:
    place.block(place.in_tree, place.home, private_folder(place))
    out, err = place.run()
    assert out == FRESH
    assert len(err) == 1
    assert "cannot be kept, so every run compiles them again" in err[0]
    assert "set NUMBA_CACHE_DIR" in err[0]


@POSIX
@pytest.mark.slow
def test_a_home_that_is_not_there_is_not_made(place: Place) -> None:
    place.block(place.in_tree)
    out, err = place.run(HOME=str(place.folder / "nobody"))
    assert (out, len(err)) == (FRESH, 1)
    assert not (place.folder / "nobody").exists()


@pytest.mark.parametrize("name", ["a file", "below a file"])
@pytest.mark.slow
def test_a_cache_folder_that_cannot_be(place: Place, name: str) -> None:
    (place.folder / "file").write_bytes(b"")
    chosen = place.folder / "file" / ("" if name == "a file" else "sub")
    out, err = place.run(NUMBA_CACHE_DIR=str(chosen))
    assert out == FRESH
    assert len(err) == 1
    assert str(chosen) in err[0]
    assert place.run(NUMBA_CACHE_DIR=str(chosen)) == (KEPT, [])


def test_a_cache_folder_that_was_chosen_is_the_only_one(warm: Place) -> None:
    chosen = warm.folder / "chosen"
    assert warm.run(NUMBA_CACHE_DIR=str(chosen)) == (FRESH, [])
    assert warm.run(NUMBA_CACHE_DIR=str(chosen)) == (KEPT, [])


@pytest.mark.parametrize("damages", [("empty", "cut"), ("one bit", "a pickle of something else")])
def test_damaged_files_are_replaced(warm: Place, damages: tuple[str, str]) -> None:
    """Numba by itself fails in every later run, with EOFError, UnpicklingError and others, or runs damaged code."""
    for path, damage in zip(warm.files(), damages, strict=True):
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        body = pickle.dumps("no pair")
        found = {"empty": b"", "cut": bytes(data[:1000]), "one bit": bytes(data)}
        path.write_bytes(found.get(damage, hashlib.sha256(body).digest() + body))
    out, err = warm.run()
    assert out == FRESH
    assert len(err) == 1
    assert "damaged" in err[0]
    assert str(warm.in_tree) in err[0]
    assert warm.run() == (KEPT, [])


@POSIX
@pytest.mark.slow
def test_a_full_disk(place: Place) -> None:
    """No file can grow: Numba by itself raises OSError, so decoding is impossible."""
    full = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\n"
    out, err = place.run(full + USE)
    assert out == FRESH
    assert len(err) == 1
    assert "cannot be kept" in err[0]
    assert place.files() == []


def test_a_folder_that_cannot_be_written_is_read(warm: Place) -> None:
    """As in an image of a system whose kernels were compiled when it was built."""
    code = """
from inrcodec.kernels.cachefolders import Folder
def write(*given):
    raise OSError(30, "read-only")
Folder.write = write
"""
    assert warm.run(code + USE) == (KEPT, [])


@POSIX
@pytest.mark.slow
def test_a_folder_that_is_open_to_all_is_not_used(warm: Place) -> None:
    warm.in_tree.chmod(0o777)
    assert warm.run() == (FRESH, [])
    assert warm.run() == (KEPT, [])
    assert any(path.is_relative_to(warm.home) for path in warm.files())


@POSIX
def test_files_of_others_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache file is a pickle: to load it is to run what its writer wants."""
    path = tmp_path / "cache"
    folder, private = Folder(str(path)), Folder(str(path), temporary=True)
    folder.write("a", b"x")
    assert folder.read("a") == b"x"
    assert stat.S_IMODE((path / "a").stat().st_mode) & 0o022 == 0
    assert private.read("a") is None  # made for everybody to read
    path.chmod(0o700)
    assert private.read("a") == b"x"
    for mode in (0o664, 0o646):
        (path / "a").chmod(mode)
        assert folder.read("a") is None
    (path / "a").chmod(0o644)
    path.chmod(0o757)
    assert folder.read("a") is None
    with pytest.raises(OSError, match="open to other users"):
        folder.write("b", b"y")
    path.chmod(0o700)
    (tmp_path / "link").symlink_to(path)
    assert Folder(str(tmp_path / "link")).read("a") == b"x"
    assert Folder(str(tmp_path / "link"), temporary=True).read("a") is None  # another user may have made the link
    owner = path.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    assert folder.read("a") is None
    assert Folder(str(path), owners=frozenset({owner})).read("a") == b"x"
    with pytest.raises(OSError, match="belongs to another user"):
        private.write("b", b"y")
    assert [p.name for p in path.iterdir()] == ["a"]


@POSIX
def test_links_and_pipes_are_not_read(tmp_path: Path) -> None:
    """A link under the name of a kernel could lead to a file of this user with bytes of someone else's choice. A pipe would block."""
    folder = Folder(str(tmp_path / "cache"))
    folder.write("a", b"x")
    (tmp_path / "download").write_bytes(b"chosen")
    (tmp_path / "cache" / "b").symlink_to(tmp_path / "download")
    os.mkfifo(tmp_path / "cache" / "c")
    assert [folder.read(name) for name in "abc"] == [b"x", None, None]


@POSIX
@pytest.mark.parametrize(
    ("user", "group", "members", "own"),
    [
        ("ann", "ann", [], True),
        ("ann", "ann", ["ann"], True),
        ("ann", "ann", ["ann", "bob"], False),
        ("ann", "users", [], False),  # others may have it as their first group, which its list of members does not say
        ("ann", None, [], False),
        (None, "ann", [], False),
    ],
)
def test_a_folder_that_a_group_can_write_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user: str | None, group: str | None, members: list[str], own: bool
) -> None:
    """Under umask 002, which goes with a group of each user's own, folders are made so. Of any other group the members could add files."""
    import grp
    import pwd

    def found(name: str | None, **fields: object) -> SimpleNamespace:
        if name is None:
            raise KeyError("not found")
        return SimpleNamespace(**fields)

    path = tmp_path / "cache"
    folder = Folder(str(path))
    folder.write("a", b"x")
    path.chmod(0o775)
    gid = path.stat().st_gid
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: found(user, pw_name=user, pw_gid=gid))
    monkeypatch.setattr(grp, "getgrgid", lambda number: found(group, gr_name=group, gr_mem=members))
    assert folder.read("a") == (b"x" if own else None)
    if not own:
        with pytest.raises(OSError, match="open to other users"):
            folder.write("b", b"y")
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: found(user, pw_name=user, pw_gid=gid + 1))
    assert folder.read("a") is None
    path.chmod(0o777)
    assert folder.read("a") is None


@POSIX
@pytest.mark.slow
def test_beside_sources_that_a_group_can_change_the_users_folder_is_taken(warm: Place) -> None:
    """Without a word, since nothing is wrong."""
    warm.in_tree.chmod(0o775)
    code = "import grp\ngrp.getgrgid = lambda gid: grp.struct_group(('staff', 'x', gid, ['eve']))\n"
    assert warm.run(code + USE) == (FRESH, [])
    assert warm.run(code + USE) == (KEPT, [])
    assert len([path for path in warm.files() if path.is_relative_to(warm.home)]) == 2


def test_plain_python_is_never_run(place: Place) -> None:
    """Python's integers do not wrap, so other bits would come out. Functions of Numba's own, as `min` of a tuple, are compiled too."""
    out, err = place.run(NUMBA_DISABLE_JIT="1")
    assert out == FRESH
    assert len(err) == 1
    assert "NUMBA_DISABLE_JIT" in err[0]
    assert place.run() == (KEPT, [])


@pytest.mark.parametrize("setting", diskcache.SETTINGS)
def test_settings_that_change_the_code_are_in_the_key(monkeypatch: pytest.MonkeyPatch, setting: str) -> None:
    """Numba's own key has only the processor."""
    codegen = cpu_target.target_context.codegen()
    before = diskcache._key((), codegen)
    monkeypatch.setattr(config, setting, "another", raising=False)
    assert diskcache._key((), codegen) != before


@pytest.mark.slow
def test_other_code_has_files_of_its_own(warm: Place) -> None:
    other = {"NUMBA_CPU_NAME": "generic", "NUMBA_LOOP_VECTORIZE": "0"}
    assert warm.run(**other) == (FRESH, [])
    assert warm.run(**other) == (KEPT, [])
    assert warm.run() == (KEPT, [])


def test_processes_that_compile_at_the_same_time(place: Place) -> None:
    """Numba by itself can give two variants the same file. Here each has a name of its own."""
    codes = [f"import tiny\nprint(tiny.triple({value}))\n" for value in ("2**62", "1.5", "2**62")]
    running = [place.start(code) for code in codes]
    assert [process.communicate() for process in running] == [(f"{value}\n", "") for value in (-(2**62), 4.5, -(2**62))]
    assert len(place.files()) == 2
    assert place.run() == (KEPT, [])


@pytest.mark.slow
def test_environments_do_not_remove_each_others_files(warm: Place) -> None:
    """Two environments may share a checkout and the version of Python, with different versions of Numba."""
    code = "import numba\nnumba.__version__ += '.other'\n"
    assert warm.run(code + USE) == (FRESH, [])
    assert warm.run() == (KEPT, [])
    assert warm.run(code + USE) == (KEPT, [])
    assert len(warm.files()) == 4


def age(path: Path, days: float) -> None:
    then = time.time() - days * diskcache.DAY
    os.utime(path, (then, then))


@pytest.mark.parametrize(("days", "stay"), [(diskcache.UNUSED_DAYS - 1, True), (diskcache.UNUSED_DAYS + 1, False)])
@pytest.mark.slow
def test_files_that_were_not_used_for_long_are_removed(place: Place, compiled: Path, days: float, stay: bool) -> None:
    """Those of other environments, Numba's own of former days, and what a killed run has left. Files of other kernels are not touched."""
    place.in_tree.mkdir()
    name = next(compiled.rglob("*.nbc")).name
    _, _, python, environment, *_ = name.split(".")
    left = {name.replace(python, "py27"), name.replace(environment, "0" * 16), f"tiny.triple-5.{python}.nbi", f"{name}.tmp.12"}
    other = name.replace("triple", "triples")
    for path in (*left, other):
        (place.in_tree / path).write_bytes(b"")
        age(place.in_tree / path, days)
    assert place.run() == (FRESH, [])
    assert {path.name for path in place.files()} & {*left, other} == ({*left, other} if stay else {other})


@pytest.mark.slow
def test_files_that_are_used_stay_new(warm: Place) -> None:
    for path in warm.files():
        age(path, diskcache.UNUSED_DAYS + 1)
    assert warm.run() == (KEPT, [])
    assert all(path.stat().st_mtime > time.time() - diskcache.DAY for path in warm.files())


def test_files_of_other_sources_are_removed(warm: Place) -> None:
    before = warm.files()
    name = before[0].name
    other = [name.replace("triple", "triples"), name.replace(".py3", ".py2")]
    for left in [*other, name.replace("nbc", "nbc.tmp.12")]:
        (warm.in_tree / left).write_bytes(b"")
    path = warm.folder / "source" / "tiny.py"
    path.write_text(path.read_text("utf-8").replace("x * 3", "3 * x"), "utf-8")
    assert warm.run() == (FRESH, [])
    after = warm.files()
    assert not set(before) & set(after)
    assert {path.name for path in after} >= set(other)
    assert len(after) == 2 + len(other)


@POSIX
@pytest.mark.slow
def test_a_package_in_a_zip_file(place: Place) -> None:
    with zipfile.ZipFile(place.folder / "all.zip", "w") as archive:
        archive.writestr("tiny.py", TINY)
        for path in (ROOT / "inrcodec").rglob("*.py"):
            archive.write(path, path.relative_to(ROOT))
    (place.folder / "source" / "tiny.py").unlink()
    place.environment["PYTHONPATH"] = str(place.folder / "all.zip")
    assert place.run() == (FRESH, [])
    assert place.run() == (KEPT, [])
    assert all(path.is_relative_to(place.home) for path in place.files())


@POSIX
@pytest.mark.slow
def test_a_frozen_program(place: Place) -> None:
    """It has no sources, and its modules may be unpacked to another folder in each run."""
    frozen = "import sys\nsys.frozen = True\n"
    assert place.run(frozen + USE) == (FRESH, [])
    assert place.run(frozen + USE) == (KEPT, [])
    assert all(path.is_relative_to(place.home) for path in place.files())


@pytest.mark.slow
def test_other_libraries_keep_their_own_cache(place: Place) -> None:
    code = "import numba, tiny\n@numba.njit(cache=True)\ndef other(x): return x\nprint(type(other._cache).__name__, other(1))"
    (place.folder / "source" / "lib.py").write_text(code, "utf-8")
    assert place.run("import lib") == (["FunctionCache 1"], [])
    assert [path.suffix for path in place.files()] == [".nbc", ".nbi"]


@POSIX
@pytest.mark.parametrize("options", [[], ["-W", "error"]])
@pytest.mark.slow
def test_a_caller_in_python_gets_a_warning_of_one_line(place: Place, options: list[str]) -> None:
    """Where warnings are errors, it works without."""
    place.block(place.in_tree, place.home)
    command = [sys.executable, *options, "-c", "import tiny; print(tiny.triple(1.5))"]
    done = subprocess.run(command, env=place.environment, cwd=place.folder, capture_output=True, text=True, check=True)
    assert done.stdout == "4.5\n"
    assert len(done.stderr.splitlines()) == (0 if options else 1)


def test_events_are_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_noticed", False)
    monkeypatch.setattr(events, "_first_compile", events._Once())
    heard: list[str] = []
    events.on_first_compile(lambda: heard.append("compiling"))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for text in ("a", "b"):
            events.notice(text)
            events.first_compile()
    assert [(str(w.message), w.category) for w in caught] == [("a", Notice)]
    assert heard == ["compiling"]


def test_events_load_no_numba() -> None:
    """So the command line can ask before it starts."""
    code = "import sys\nfrom inrcodec.kernels import events\nprint('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout == "False\n"
    assert importlib.util.find_spec("numba") is not None


def test_kernels_that_are_loaded_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Kept(diskcache.DiskCache):
        def _load(self, name: str, target_context: object) -> object:
            return self

    monkeypatch.setattr(diskcache, "_key", lambda *_: "key")
    told: list[str] = []
    events.on_first_load(lambda: told.append("loads"))
    events.on_first_compile(lambda: told.append("compiles"))
    cache = Kept(test_kernels_that_are_loaded_are_told)
    for _ in range(2):
        assert cache.load_overload(None, SimpleNamespace(refresh=lambda: None, codegen=lambda: None)) is cache
    events.on_first_compile(None)
    assert told == ["loads"]
