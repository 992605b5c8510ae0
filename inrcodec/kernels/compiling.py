"""How kernels are compiled by Numba: decorators for the kinds of functions.

A `kernel` is called from Python. A `stage` is a part of a kernel and is always inlined, by LLVM: Numba's own inlining takes longer to
compile and is slower to run. So a kernel can be written as named stages that take whole named tuples of arrays, and is as fast as one long
function.

All of them are compiled without Numba's reference counting (its option `_nrt`). Kernels only use arrays that their callers hold, and
counting references to every array taken from a tuple would cost more than the arithmetic. So kernels cannot make arrays; they can make
views.

NUMBA_DISABLE_JIT has no effect on them: as plain Python they would round and overflow differently, and so give other bits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from numba import config, njit
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import CPUDispatcher

from . import events
from .diskcache import DiskCache

_njit: Any = njit  # its stubs do not know all of its options
_config: Any = config
F = TypeVar("F", bound=Callable[..., Any])


class _AlwaysCompiled(CPUDispatcher):
    """What compiles a function although NUMBA_DISABLE_JIT is set. It is off meanwhile: Numba's own functions have to be compiled too."""

    def compile(self, sig: Any) -> Any:
        """The entry point of the variant for a signature."""
        with global_compiler_lock:
            before, _config.DISABLE_JIT = _config.DISABLE_JIT, 0
            try:
                return super().compile(sig)
            finally:
                _config.DISABLE_JIT = before


def _compiled(function: Any, **options: Any) -> Any:
    """The function as one that Numba compiles when it is first called, with Numba's options."""
    found = _njit(**options, _nrt=False, nogil=True)(function)
    if found is function:  # NUMBA_DISABLE_JIT is set
        events.notice("NUMBA_DISABLE_JIT does not act on inrcodec: its kernels are compiled, since they are exact only then")
        found = _AlwaysCompiled(function, targetoptions={**options, "_nrt": False, "nogil": True, "nopython": True, "boundscheck": None})
    return found


def _cached(compiled: Any) -> Any:
    """The same, kept on disk. A version of Numba that has no such attribute compiles in every run."""
    if hasattr(compiled, "_cache"):
        compiled._cache = DiskCache(compiled.py_func)
    else:
        events.notice("this version of Numba cannot keep compiled kernels, so every run compiles them again; install another version")
    return compiled


def kernel(function: F) -> F:
    """Compile a function that Python calls. It is cached on disk, and runs without the interpreter's lock (GIL)."""
    compiled: F = _cached(_compiled(function, no_cfunc_wrapper=True))
    return compiled


def stage(function: F) -> F:
    """Compile a part of a kernel that is called in one place. It is compiled once, and LLVM inlines it."""
    compiled: F = _compiled(function, forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
    return compiled


shared = stage  # for a part that is called in several places; bench.stages times stages alone


def function(function: F) -> F:
    """Compile a small function that LLVM inlines into kernels, and that Python calls too, to make tables. It is cached on disk."""
    compiled: F = _cached(_compiled(function, forceinline=True))
    return compiled


def part(function: F) -> F:
    """Compile a part of kernels that is not inlined: a long loop, which vectorizes better in a function of its own."""
    compiled: F = _compiled(function, no_cpython_wrapper=True, no_cfunc_wrapper=True)
    return compiled
