"""How kernels are compiled: a few decorators, and a cache that knows when it is out of date.

A `kernel` is called from Python. A `stage` is a part of one: LLVM always inlines it, so a kernel can be written as named parts that
take whole named tuples of arrays, and costs no more than one long function.

Both are compiled without Numba's reference counting (its option `_nrt`): kernels only use arrays that their callers hold, and counting
for every array taken out of a tuple would cost more than the arithmetic. So kernels cannot make arrays; views are allowed.
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
    """A hash of all files of this package and of one more: a kernel may inline a stage of any of them."""
    digest = hashlib.sha256()
    for file in sorted({*HERE.glob("*.py"), Path(path)}):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def _key_by_contents(compiled: Any, path: str) -> None:
    """Name a kernel's files in Numba's cache by contents, and remove those of other contents.

    By itself Numba compares the age of the file of the outermost function, so it misses edited stages; and it unpickles an index before it
    looks at the age, which fails where a class has a new name since. These attributes are not public: in a version of Numba that lacks
    one, its own rule stays.
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
    """Remove what earlier contents of a kernel have left in the cache."""
    function, _, version = base.rpartition("-")
    ours = re.compile(rf"{re.escape(function)}-\d+\.{re.escape(version.partition('.')[2])}\..*nb[ic]")
    with suppress(OSError):
        for file in folder.iterdir():
            if ours.fullmatch(file.name) and stamp[:STAMPED] not in file.name:
                file.unlink(missing_ok=True)


def kernel(function: F) -> F:
    """Compile a function that Python calls. It is cached on disk, and runs without the GIL."""
    compiled: Any = _njit(cache=True, nogil=True, _nrt=False, no_cfunc_wrapper=True)(function)
    _key_by_contents(compiled, inspect.getfile(function))
    return compiled


def stage(function: F) -> F:
    """Compile a part of a kernel that stands in one place: Numba inlines it there before it infers types."""
    compiled: Any = _njit(inline="always", nogil=True, _nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True)(function)
    return compiled


def shared(function: F) -> F:
    """Compile a part of kernels that stands in several places: it is compiled once, and LLVM inlines it there."""
    compiled: Any = _njit(nogil=True, _nrt=False, forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)(function)
    return compiled


def function(function: F) -> F:
    """Compile a small function that kernels inline and that Python calls too, to make tables. It is cached on disk."""
    compiled: Any = _njit(cache=True, nogil=True, _nrt=False, forceinline=True)(function)
    _key_by_contents(compiled, inspect.getfile(function))
    return compiled


def part(function: F) -> F:
    """Compile a part of kernels that is worth a call of its own: a long loop, which vectorizes better alone."""
    compiled: Any = _njit(nogil=True, _nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True)(function)
    return compiled
