"""The filter `inrcodec` of HDF5, for h5py: it codes each chunk of a dataset as a `.linr` file (extra `hdf5`).

    import h5py, inrcodec.hdf5
    with h5py.File("volume.h5", "w") as f:
        f.create_dataset("x", data=x, chunks=(64, 64, 64), **inrcodec.hdf5.filter(effort=3))

A process that reads such a dataset must import this module too, which registers the filter. HDF5 calls filters as C functions; these are
made of Python functions by ctypes, so other programs than Python's cannot have the filter, and say that it is missing.
"""

from __future__ import annotations

import _thread
import atexit
import ctypes
import gc
import math
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count as counted
from typing import Any

import numpy as np

from . import chunks
from .errors import FormatError, InrcodecError, UnsupportedError, notice
from .files import optional
from .options import Options

optional.require("inrcodec.hdf5", {"h5py": "h5py"})

from h5py import h5f, h5t, h5z  # noqa: E402

FILTER_ID = 413  # of 256 to 511, which are for use without registration at The HDF Group
NAME = b"inrcodec"
VERSION = 1  # of the values that a dataset has beside the number of the filter
USUAL = (4, 0)  # values that a user may give: effort and sample rate
OPTIONS = len(USUAL)  # a dataset has more values: what `_set_local` adds
# types of elements, by their numbers in a dataset; 0: any other type, of which the bytes are coded
NUMBERS = ("u1", "i1", *(f"{order}{kind}{size}" for order in "<>" for size in (2, 4, 8) for kind in "ui"))
TYPES = tuple(map(np.dtype, (*NUMBERS, *(f"{order}{name}" for order in "<>" for name in ("f2", "f4", "f8", "c8", "c16")))))
SOON = 0.005  # seconds
REVERSE = 0x100  # H5Z_FLAG_REVERSE: the filter is to decode
ENUM = 8  # H5T_ENUM, the class of bool
MOST_AXES = 32  # H5S_MAX_RANK

_hid, _herr, _values = ctypes.c_int64, ctypes.c_int, ctypes.POINTER(ctypes.c_uint)
_CanApply = ctypes.CFUNCTYPE(_herr, _hid, _hid, _hid)
_SetLocal = ctypes.CFUNCTYPE(_herr, _hid, _hid, _hid)
_Filter = ctypes.CFUNCTYPE(
    ctypes.c_size_t,
    ctypes.c_uint,
    ctypes.c_size_t,
    _values,
    ctypes.c_size_t,
    ctypes.POINTER(ctypes.c_size_t),
    ctypes.POINTER(ctypes.c_void_p),
)


class _Class(ctypes.Structure):
    """H5Z_class2_t of HDF5."""

    _fields_ = (
        ("version", ctypes.c_int),
        ("id", ctypes.c_int),
        ("encoder_present", ctypes.c_uint),
        ("decoder_present", ctypes.c_uint),
        ("name", ctypes.c_char_p),
        ("can_apply", _CanApply),
        ("set_local", _SetLocal),
        ("filter", _Filter),
    )


def filter(effort: int = 4, sample_rate: int = 0) -> dict[str, Any]:
    """What `create_dataset` of h5py needs to code a dataset with this filter.

    effort: see `inrcodec.Options`; sample_rate: frames per second, if chunks are sound, (frames[, channels]) of signed integers or floats;
    0: they are not.

    Raises ValueError: one of them has a value that it cannot have.
    """
    Options(effort=effort)
    chunks.check_options("auto", sample_rate)
    return {"compression": FILTER_ID, "compression_opts": (effort, sample_rate)}


# --- what HDF5 calls ----------------------------------------------------------------------------------------------


def _library() -> ctypes.CDLL:
    """The HDF5 that h5py has loaded. Raises UnsupportedError: its functions cannot be found."""
    try:
        lib = ctypes.CDLL(h5z.__file__)  # names are looked for in what it was linked with, too
        signatures: tuple[tuple[str, Any, Sequence[Any]], ...] = (
            ("H5allocate_memory", ctypes.c_void_p, (ctypes.c_size_t, ctypes.c_bool)),
            ("H5free_memory", _herr, (ctypes.c_void_p,)),
            ("H5Pget_chunk", ctypes.c_int, (_hid, ctypes.c_int, ctypes.POINTER(ctypes.c_uint64))),
            ("H5Pget_filter_by_id2", _herr, (_hid, ctypes.c_int, _values, ctypes.POINTER(ctypes.c_size_t), _values, ctypes.c_size_t,
                                             ctypes.c_char_p, _values)),
            ("H5Pmodify_filter", _herr, (_hid, ctypes.c_int, ctypes.c_uint, ctypes.c_size_t, _values)),
            ("H5Tget_class", ctypes.c_int, (_hid,)),
            ("H5Tget_size", ctypes.c_size_t, (_hid,)),
            ("H5Tget_super", _hid, (_hid,)),
            ("H5Tequal", ctypes.c_int, (_hid, _hid)),
            ("H5Tclose", _herr, (_hid,)),
        )  # fmt: skip
        for name, result, arguments in signatures:
            function = getattr(lib, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError) as fault:
        raise UnsupportedError(f"inrcodec.hdf5: the HDF5 library that h5py uses cannot be called ({fault})") from fault
    return lib


@contextmanager
def _undisturbed() -> Iterator[None]:
    """No collection of garbage: it might close objects of HDF5 while HDF5 is at work, or wait in another thread for h5py's lock."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _tell(what: str, fault: BaseException) -> None:
    """Warn of a fault, which cannot go through C: of it HDF5 learns only that there was one."""
    told = fault if isinstance(fault, InrcodecError) else repr(fault)
    try:
        notice(f"filter inrcodec: {what}: {told}", 3)
    except Exception as raised:  # where warnings are errors
        _show(raised)
    if isinstance(fault, KeyboardInterrupt):  # raised again soon after HDF5's call, since it would be lost here
        again = threading.Timer(SOON, _interrupt)
        again.daemon = True
        again.start()


def _interrupt() -> None:
    """Raise KeyboardInterrupt in the main thread, also where it waits, if the system can do that."""
    main = threading.main_thread().ident
    if hasattr(signal, "pthread_kill") and main is not None:
        signal.pthread_kill(main, signal.SIGINT)
    else:
        _thread.interrupt_main()


def _show(fault: Exception) -> None:
    """Let Python show an error that cannot be raised: it gives one of a function that C calls to `sys.unraisablehook`."""

    def again() -> None:
        raise fault

    ctypes.CFUNCTYPE(None)(again)()


def _type_of(type_id: int) -> int:
    """The number in TYPES, from 1, of a type of HDF5; 0 if it is none of them."""
    if _lib.H5Tget_class(type_id) == ENUM:
        inner = _lib.H5Tget_super(type_id)
        try:
            return _type_of(inner)
        finally:
            _lib.H5Tclose(inner)
    for number, dtype in enumerate(TYPES, 1):
        if dtype.itemsize == _lib.H5Tget_size(type_id) and _lib.H5Tequal(type_id, _types[number - 1].id) > 0:
            return number
    return 0


def _set_local(dcpl: int, type_id: int, space: int) -> int:
    """Called when a dataset is made: gives the filter what it must know of it. space: not needed. Returns −1 on a fault."""
    try:
        with _undisturbed():
            flags, count = ctypes.c_uint(), ctypes.c_size_t(OPTIONS + 3 + MOST_AXES + 2)
            values = (ctypes.c_uint * count.value)()
            if _lib.H5Pget_filter_by_id2(dcpl, FILTER_ID, flags, count, values, 0, None, None) < 0:
                return -1
            given = list(values[: count.value])
            options = given[1 : 1 + OPTIONS] if len(given) > OPTIONS else [*given, *USUAL[len(given) :]]
            sizes = (ctypes.c_uint64 * MOST_AXES)()
            axes = _lib.H5Pget_chunk(dcpl, MOST_AXES, sizes)
            if axes < 0:
                return -1
            found = [VERSION, *options, _type_of(type_id), _lib.H5Tget_size(type_id), *sizes[:axes]]
            return int(_lib.H5Pmodify_filter(dcpl, FILTER_ID, flags, len(found), (ctypes.c_uint * len(found))(*found)))
    except BaseException as fault:
        _tell("it cannot be set up for a dataset", fault)
        return -1


def _filter(flags: int, count: int, values: Any, size: int, allocated: Any, buffer: Any) -> int:
    """Called with a chunk: puts its bytes, coded or decoded, into a new buffer. Returns how many there are; 0 on a fault."""
    try:
        with _undisturbed():
            data = ctypes.string_at(buffer[0], size)
            found = (_decode if flags & REVERSE else _encode)(data, values[:count])
            new = _lib.H5allocate_memory(len(found), False)
            if not new:
                raise MemoryError
            ctypes.memmove(new, found, len(found))
            _lib.H5free_memory(buffer[0])
            buffer[0], allocated[0] = new, len(found)
            return len(found)
    except BaseException as fault:
        if flags & REVERSE:  # with a number, since Python shows a text once
            _tell(f"a chunk of {size} bytes cannot be decoded (fault {next(_numbers)} of this process)", fault)
        else:
            _tell("a chunk is written as it is, not coded", fault)
        return 0


def _array_of(values: Sequence[int]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """The shape and the type of a chunk, by the values that a dataset has. Raises FormatError."""
    if len(values) < OPTIONS + 4 or values[0] != VERSION:
        raise FormatError("the dataset was written by another version of the filter")
    number, size, *shape = values[1 + OPTIONS :]
    if number > len(TYPES) or not size:
        raise FormatError("the dataset is of a type that this version of the filter does not know")
    dtype = TYPES[number - 1] if number else np.dtype((np.void, size))
    if dtype.itemsize != size:
        raise FormatError("damaged: the values of the filter contradict each other")
    return tuple(shape), dtype


def _encode(data: bytes, values: Sequence[int]) -> bytes:
    if len(values) <= OPTIONS:  # HDF5 does not call `_set_local` for them
        raise UnsupportedError("elements of variable length, such as texts, are not supported; HDF5 keeps them outside of chunks")
    shape, dtype = _array_of(values)
    if len(data) != math.prod(shape) * dtype.itemsize:
        raise UnsupportedError("another filter changed the size of the chunk; it must come after this one")
    effort, sample_rate = values[1 : 1 + OPTIONS]
    return chunks.encode(np.ndarray(shape, dtype, data), Options(effort=effort, threads=1), sample_rate)


def _decode(data: bytes, values: Sequence[int]) -> bytes:
    shape, dtype = _array_of(values)
    return chunks.decode(data, shape, dtype, Options(threads=1)).tobytes()


def _write_open_files() -> None:
    """Write what is left in memory of open files: when Python has ended, HDF5 must not call a filter that is written in it."""
    with suppress(Exception):
        for file in h5f.get_obj_ids(h5f.OBJ_ALL, h5f.OBJ_FILE):
            with suppress(Exception):  # a fault of one file, which closing it would have too
                h5f.flush(file, h5f.SCOPE_GLOBAL)


_lib = _library()
_numbers = counted(1)  # of faults
_types = [h5t.py_create(dtype, logical=True) for dtype in TYPES]
# HDF5 keeps a copy of the class, but not of the functions and the name
_class = _Class(h5z.CLASS_T_VERS, FILTER_ID, 1, 1, NAME, _CanApply(), _SetLocal(_set_local), _Filter(_filter))
h5z.register_filter(ctypes.addressof(_class))
atexit.register(_write_open_files)
