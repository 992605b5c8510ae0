"""Compiled kernels on disk. Whatever is wrong with the cache, a kernel is compiled instead, and the user gets one line about it.

Numba's own cache ends the program if no folder can be written, a file is damaged, or the disk is full. It does not see edited stages,
and two processes that compile two variants of a kernel at the same time can mix up their files. So each variant of a kernel is a file of
its own here, named by all that it depends on: the contents of the sources, the versions of Python, Numba and llvmlite, the types of the
arguments, the processor, and Numba's settings. A SHA-256 at its start tells damage.
"""

from __future__ import annotations

import hashlib
import inspect
import os
import pickle
import pkgutil
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from typing import Any

import llvmlite
import numba
from numba import config
from numba.core import compiler, serialize
from numba.core.caching import NullCache

from . import events
from .cachefolders import Folder, folders

_results: Any = compiler.CompileResult  # neither is typed
_dumps: Any = serialize.dumps
HERE = os.path.dirname(os.path.abspath(__file__))
DIGITS = 16  # of a hash in a file's name
DAY = 24 * 3600.0  # seconds
UNUSED_DAYS = 30  # after which a file is removed
# settings that change the code; Numba's own key has the processor and its features, but not these
SETTINGS = ("OPT", "LOOP_VECTORIZE", "SLP_VECTORIZE", "BOUNDSCHECK", "DEBUGINFO_DEFAULT", "USE_LEGACY_TYPE_SYSTEM")
UNKEPT = "compiled kernels cannot be kept, so every run compiles them again"
ADVICE = "set NUMBA_CACHE_DIR to a folder that you can write to"


@cache
def stamp(path: str) -> str:
    """A hash of all files of this package and of `path`, since a kernel may inline a stage of any of them.

    A frozen program, which has no sources, goes by its executable instead. Raises OSError if there is nothing to go by.
    """
    digest = hashlib.sha256()
    if getattr(sys, "frozen", False):
        status = os.stat(sys.executable)
        digest.update(f"{status.st_size} {status.st_mtime_ns}".encode())
        return digest.hexdigest()
    paths = {os.path.join(HERE, f"{module.name}.py") for module in pkgutil.iter_modules([HERE])}
    for file in sorted({*paths, path}):
        digest.update(os.path.basename(file).encode() + b"\0" + _contents(file))
    return digest.hexdigest()


def environment(path: str) -> str:
    """A hash of what differs between programs that keep kernels in one folder: Numba, llvmlite, and the name of a frozen program."""
    frozen = os.path.basename(path) if getattr(sys, "frozen", False) else ""
    return hashlib.sha256(f"{numba.__version__} {llvmlite.__version__} {frozen}".encode("utf-8", "surrogateescape")).hexdigest()


def _contents(path: str) -> bytes:
    """The bytes of a source file, which may be in a zip archive. Raises OSError."""
    if os.path.exists(path):
        with open(path, "rb") as file:
            return file.read()
    read: Callable[[str], bytes] | None = getattr(__spec__.loader, "get_data", None) if __spec__ else None
    if read is None:
        raise FileNotFoundError(None, "is not there", path)
    return read(path)


def _reason(fault: BaseException) -> str:
    """A fault in a few words on one line, with the file if it names one."""
    if isinstance(fault, OSError):
        what = (fault.strerror or str(fault)).lower()
        return f"{fault.filename}: {what}" if fault.filename else what
    return " ".join(f"{type(fault).__name__}: {fault}".split())


class DiskCache(NullCache):
    """The cache of one kernel, in place of Numba's. A dispatcher asks it for a variant first, and gives it what it compiled."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._swept = False

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The compiled variant for a signature, or None if it must be compiled."""
        found = None
        events.first_load()
        try:
            target_context.refresh()
            found = self._load(_key(sig, target_context.codegen()), target_context)
        except Exception as fault:  # of any kind, since none must stop the work
            events.notice(f"{UNKEPT}: {_reason(fault)}")
        if found is None:
            events.first_compile()
        return found

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep a compiled variant, in the first folder that takes it."""
        try:
            if self._function.__closure__ is None and not data.library.has_dynamic_globals:
                self._save(_key(sig, data.codegen), data)
        except Exception as fault:
            events.notice(f"{UNKEPT}: {_reason(fault)}")

    def _source(self) -> str:
        return sys.executable if getattr(sys, "frozen", False) else inspect.getfile(self._function)

    def _folders(self) -> Iterator[Folder]:
        return folders(self._source())

    def _base(self) -> str:
        """How the names of this kernel's files begin: module.function-line.py311."""
        function = self._function
        name = re.sub(r"[^\w.]", "_", f"{function.__module__.rpartition('.')[2]}.{function.__qualname__}")
        python = f"py{sys.version_info.major}{sys.version_info.minor}{getattr(sys, 'abiflags', '')}"
        return f"{name}-{function.__code__.co_firstlineno}.{python}"

    def _name(self, key: Any) -> str:
        variant = hashlib.sha256(repr(key).encode()).hexdigest()
        parts = (environment(self._source()), stamp(self._source()), variant)
        return ".".join([self._base(), *(part[:DIGITS] for part in parts), "nbc"])

    def _load(self, key: Any, target_context: Any) -> Any:
        name = self._name(key)
        for folder in self._folders():
            data = folder.read(name)
            if data is None:
                continue
            try:
                digest, body = data[:32], data[32:]
                if hashlib.sha256(body).digest() != digest:
                    raise EOFError("wrong checksum")
                found, reduced = pickle.loads(body)
                if found == key:
                    folder.touch(name, DAY)
                    return _results._rebuild(target_context, *reduced)
            except Exception as fault:
                folder.remove(name)
                events.notice(f"{os.path.join(folder.path, name)}: damaged ({_reason(fault)}); this kernel is compiled again")
        return None

    def _save(self, key: Any, data: Any) -> None:
        body: bytes = _dumps((key, data._reduce()))
        name = self._name(key)
        fault: OSError | None = None
        for folder in self._folders():
            try:
                folder.write(name, hashlib.sha256(body).digest() + body)
            except OSError as error:
                error.filename = error.filename or folder.path  # a full disk names no file
                fault = fault or error  # the first one is about the folder that should be used
                continue
            if folder.temporary and fault:
                events.notice(f"{_reason(fault)}; compiled kernels are kept in {folder.path}, where they may get lost; {ADVICE}")
            self._sweep(folder)
            return
        events.notice(f"{UNKEPT}: {_reason(fault or OSError('there is no folder for them'))}; {ADVICE}")

    def _sweep(self, folder: Folder) -> None:
        """Remove the files of this kernel that other sources have left in this environment, and those that were not used for long.

        Other environments may use the same folder, so their files are left until then.
        """
        if self._swept:
            return
        self._swept = True
        function, _, rest = self._base().rpartition("-")
        of_kernel = re.compile(rf"{re.escape(function)}-\d+\.py\w+\..*nb[ic](\.tmp\..*)?")
        here = f".{rest.partition('.')[2]}.{environment(self._source())[:DIGITS]}."
        ours = f"{here}{stamp(self._source())[:DIGITS]}."
        unused = time.time() - UNUSED_DAYS * DAY
        with suppress(OSError), os.scandir(folder.path) as entries:
            for entry in entries:
                if of_kernel.fullmatch(entry.name) and (
                    (here in entry.name and ours not in entry.name) or entry.stat(follow_symlinks=False).st_mtime < unused
                ):
                    folder.remove(entry.name)


def _key(sig: Any, codegen: Any) -> tuple[Any, ...]:
    """All that the code of a kernel depends on, beside the sources."""
    return sig, codegen.magic_tuple(), tuple(repr(getattr(config, name, None)) for name in SETTINGS)
