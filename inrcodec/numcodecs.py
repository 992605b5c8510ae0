"""The codec `inrcodec` of numcodecs: an array or a buffer ↔ a `.linr` file (extra `zarr`).

    import inrcodec.numcodecs
    codec = inrcodec.numcodecs.Inrcodec(effort=3)
    array = codec.decode(codec.encode(array))

numcodecs, and so Zarr v2, finds it by its entry point, so that a store can be read without importing this module.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from . import bundle, chunks, codec
from .arrays import Item
from .errors import FormatError
from .files import optional
from .options import Options
from .signal import BFLOAT16

optional.require("inrcodec.numcodecs", {"numcodecs": "numcodecs"})

from numcodecs.abc import Codec  # noqa: E402
from numcodecs.compat import ensure_bytes, ensure_ndarray, ndarray_copy  # noqa: E402

ARRAY = "array"  # the name of an array that no signal holds, in a file of arrays
FORTRAN = {"npy/fortran_order": b"1"}  # as the reader of .npy files has it


class Inrcodec(Codec):  # type: ignore[misc]  # numcodecs has no types
    """A codec of arrays. It gains most where it sees the shape of a chunk, so as a compressor, with no filter before it.

    `decode` gives the array in its type, shape and order if it has 1 to 4 axes of numbers, and in its type and shape if it has no axes or
    no elements. Of other arrays it gives the elements as integers or bytes, in the order in which they are in memory, for `view` and
    `reshape`; that is what Zarr does with them.

    Attributes:
        effort, profile: see `inrcodec.Options`.
        sample_rate: frames per second, if arrays are sound, (frames[, channels]) of signed integers or floats; 0: they are not.
    """

    codec_id = "inrcodec"

    def __init__(self, effort: int = 4, profile: str = "auto", sample_rate: int = 0, *, threads: int = 0, verify: bool = True) -> None:
        """A codec. threads: for one array, 0: as many as there are cores; verify: whether to decode what was encoded, and compare.

        These two are no part of the configuration that is stored. Raises ValueError: an option has a value that it cannot have.
        """
        chunks.check_options(profile, sample_rate)
        self._options = Options(profile=profile, effort=effort, threads=threads, verify=verify)
        self.effort, self.profile, self.sample_rate = effort, profile, sample_rate

    def encode(self, buf: Any) -> bytes:
        """The .linr file of an array, or of anything that has a buffer.

        Raises inrcodec.UnsupportedError: an array of Python objects; TypeError: buf has no buffer.
        """
        array = ensure_ndarray(buf)
        chunks.check_type(array.dtype)
        if not (array.ndim and array.nbytes):  # no signal holds it
            if array.dtype.name == BFLOAT16:
                array = array.view(np.uint16)
            return bundle.arrays.encode(bundle.arrays.Decoded({ARRAY: Item.of(array)}, {}), self._options)
        fortran = array.flags.f_contiguous and not array.flags.c_contiguous
        if fortran and chunks.coded_like(array.shape, array.dtype)[0] != array.shape:
            array, fortran = array.reshape(-1, order="A"), False
        return chunks.encode(array, self._options, self.sample_rate, FORTRAN if fortran else None)

    def decode(self, buf: Any, out: Any = None) -> Any:
        """The array in a .linr file; if `out` is given, it is put there too.

        Raises:
            inrcodec.FormatError: the file is damaged.
            inrcodec.LimitError: it asks for more samples or memory than the limits allow.
            ValueError: `out` has another size.
            TypeError: buf has no buffer.
        """
        data = ensure_bytes(buf)
        into = None if out is None else ensure_ndarray(out)
        is_bundle = bundle.holds_arrays(data)
        if into is not None:
            size = _bundled(data, self._options) if is_bundle else _coded(data, self._options)
            if into.nbytes != size:  # before anything of that size is allocated
                raise ValueError(f"out has {into.nbytes} bytes, and the array has {size}")
        found: npt.NDArray[Any]
        if is_bundle:
            _bundled(data, self._options)
            found = bundle.arrays.decode(data, self._options).items[ARRAY].array()
        else:
            signal = codec.decode(data, self._options)
            found = np.asfortranarray(signal.samples) if FORTRAN.items() <= signal.metadata.items() else signal.samples
        return found if into is None else ndarray_copy(found, into)

    def get_config(self) -> dict[str, Any]:
        """The configuration that is stored with an array."""
        return {"id": self.codec_id, **chunks.stored(self)}

    def __getstate__(self) -> dict[str, Any]:
        return {"threads": self._options.threads, "verify": self._options.verify, **self.get_config()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**{name: value for name, value in state.items() if name != "id"})  # type: ignore[misc]

    def __repr__(self) -> str:
        given = chunks.stored(self)
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in given.items())})"


def _coded(data: bytes, options: Options) -> int:
    """Bytes of the array in the file of a signal. Raises FormatError; LimitError."""
    h = codec.open_bytes(data, options.limits).header
    return math.prod(h.shape) * h.dtype.itemsize


def _bundled(data: bytes, options: Options) -> int:
    """Bytes of the array in a file of arrays. Raises FormatError, also if it is none that `encode` makes; LimitError."""
    entries = bundle.arrays.open_bytes(data, options.limits).entries
    if [entry.name for entry in entries] != [ARRAY] or not entries[0].type:
        raise FormatError("it holds several arrays, not one")
    return entries[0].nbytes
