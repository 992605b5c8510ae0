"""How kernels are compiled by Numba: decorators for the kinds of functions, and a cache on disk that goes by the contents of the sources.

A `kernel` is called from Python. A `stage` is a part of a kernel and is always inlined. So a kernel can be written as named stages that
take whole named tuples of arrays, and is as fast as one long function.

All of them are compiled without Numba's reference counting (its option `_nrt`). Kernels only use arrays that their callers hold, and
counting references to every array taken from a tuple would cost more than the arithmetic. So kernels cannot make arrays; they can make
views.
"""

from __future__ import annotations

import hashlib
import inspect
import re
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from numba import njit

_njit: Any = njit  # its stubs do not know all of its options
F = TypeVar("F", bound=Callable[..., Any])
HERE = Path(__file__).parent
STAMPED = 16  # digits of the hash in a file's name


@cache
def _stamp(path: str) -> str:
    """A hash of the contents of all files of this package, and of `path`: a kernel may inline a stage of any of them."""
    digest = hashlib.sha256()
    for file in sorted({*HERE.glob("*.py"), Path(path)}):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def _key_by_contents(compiled: Any, path: str) -> None:
    """Name the files of a compiled function in Numba's cache by the contents of the sources, and remove those of other contents.

    Numba itself compares the age of the file of the outermost function, so it misses edited stages. It also unpickles an index before it
    looks at the age, which fails if a class has got a new name. The attributes used here are not public. If a version of Numba lacks one,
    Numba's own rule stays.
    """
    store = getattr(compiled, "_cache", None)
    file, folder = getattr(store, "_cache_file", None), getattr(store, "_cache_path", None)
    base = getattr(getattr(store, "_impl", None), "filename_base", None)  # module.function-line.py311
    if file is None or folder is None or base is None:
        return
    stamp = _stamp(path)
    index = Path(folder) / f"{base}.{stamp[:STAMPED]}.nbi"
    store._cache_file = type(file)(cache_path=folder, filename_base=index.stem, source_stamp=stamp)  # type: ignore[union-attr]
    if not index.exists():
        _sweep(Path(folder), base, stamp)


def _sweep(folder: Path, base: str, stamp: str) -> None:
    """Remove the files of the same function that other contents of the sources have left in the cache."""
    function, _, version = base.rpartition("-")
    ours = re.compile(rf"{re.escape(function)}-\d+\.{re.escape(version.partition('.')[2])}\..*nb[ic]")
    with suppress(OSError):
        for file in folder.iterdir():
            if ours.fullmatch(file.name) and stamp[:STAMPED] not in file.name:
                file.unlink(missing_ok=True)


def kernel(function: F) -> F:
    """Compile a function that Python calls. It is cached on disk, and runs without the interpreter's lock (GIL)."""
    compiled: Any = _njit(cache=True, nogil=True, _nrt=False, no_cfunc_wrapper=True)(function)
    _key_by_contents(compiled, inspect.getfile(function))
    return compiled


def stage(function: F) -> F:
    """Compile a part of a kernel that is called in one place. Numba inlines it there before it infers types."""
    compiled: Any = _njit(inline="always", nogil=True, _nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True)(function)
    return compiled


def shared(function: F) -> F:
    """Compile a part of kernels that is called in several places. It is compiled once, and LLVM inlines it at each call."""
    compiled: Any = _njit(nogil=True, _nrt=False, forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)(function)
    return compiled


def function(function: F) -> F:
    """Compile a small function that LLVM inlines into kernels, and that Python calls too, to make tables. It is cached on disk."""
    compiled: Any = _njit(cache=True, nogil=True, _nrt=False, forceinline=True)(function)
    _key_by_contents(compiled, inspect.getfile(function))
    return compiled


def part(function: F) -> F:
    """Compile a part of kernels that is not inlined: a long loop, which vectorizes better in a function of its own."""
    compiled: Any = _njit(nogil=True, _nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True)(function)
    return compiled
