"""inrcodec: a lossless neural codec for images, sound and arrays.

>>> import numpy as np, inrcodec
>>> data = inrcodec.encode(np.arange(1000, dtype=np.int32), profile="stored")
>>> bool((inrcodec.decode(data).samples == np.arange(1000)).all())
True
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from importlib import import_module
from numbers import Integral, Real
from os import PathLike
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Literal, overload

from .errors import FormatError, InrcodecError, LimitError, LossyError, MissingError, Notice, Stopped, UnsupportedError
from .errors import notice as _notice
from .limits import MAX_SAMPLES

if TYPE_CHECKING:
    import numpy.typing as npt
    from typing_extensions import Buffer

    from . import files
    from .costs import Costs
    from .damage import Salvaged
    from .options import Options, Progress
    from .pictures import imread, imwrite
    from .signal import Kind, Signal
    from .stream import StreamReader, StreamWriter
    from .tensors import Tensor, Tensors
    from .views import View

__version__ = "1.0.0"
__all__ = [
    "Costs", "FormatError", "InrcodecError", "LimitError", "LossyError", "MissingError", "Notice", "Options", "Progress", "Salvaged",
    "Signal", "Stopped", "StreamReader", "StreamWriter", "Tensor", "Tensors", "UnsupportedError", "View", "cost_map", "decode",
    "decode_arrays", "decode_tensors", "encode", "encode_arrays", "files", "imread", "imwrite", "info", "open", "render", "salvage",
    "thumbnail",
]  # fmt: skip

# the modules of names
_ON_DEMAND = {
    "Costs": "costs",
    "Options": "options",
    "Progress": "options",
    "Signal": "signal",
    "Kind": "signal",
    "Salvaged": "damage",
    "StreamReader": "stream",
    "StreamWriter": "stream",
    "View": "views",
    "Tensor": "tensors",
    "Tensors": "tensors",
    "imread": "pictures",
    "imwrite": "pictures",
}


def __getattr__(name: str) -> Any:
    """A name or module of the package, imported when it is first asked for: so the command line starts before NumPy is imported."""
    try:
        found = import_module(f".{_ON_DEMAND.get(name, name)}", __name__)
    except ModuleNotFoundError as fault:
        if fault.name != f"{__name__}.{name}":
            raise
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    globals()[name] = value = getattr(found, name) if name in _ON_DEMAND else found
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def encode(
    samples: npt.ArrayLike | Signal | Tensors,
    *,
    kind: Kind | Literal["auto"] = "auto",
    bit_depth: int = 0,
    sample_rate: int | None = None,
    metadata: Mapping[str, bytes] | None = None,
    **options: Any,
) -> bytes:
    """The .linr file of an array, a Signal or Tensors, as bytes. Warns with a `Notice` of options that did nothing.

    Args:
        samples: integers, bool, floats of 16, 32 or 64 bits, bfloat16 of ml_dtypes, or complex64 or complex128, 1 to 4 dimensions; or a
            Signal, or Tensors, which bring the next four arguments themselves.
        kind: "image" ((height, width[, channels])), "stack" of images of one shape ((pages, height, width[, channels])), "audio"
            ((frames[, channels]) signed or floats) or "array". "auto" is "image" for unsigned samples of (height, width, at most 4), and
            "stack" for those of (pages, height, width, 3 or 4), both 8 or more each way and of up to 16 bits, else "array"; samples, shape
            and dtype come back the same either way. Samples of bfloat16 come back as uint16, see `Signal.array`.
        bit_depth: nominal bits per sample; 0: the bits of the samples' type.
        sample_rate: frames per second, for "audio".
        metadata: see `inrcodec.files.metadata`.
        options: fields of `inrcodec.Options`: profile, effort, weights, seed, … For Tensors: effort, threads, verify; and lossy, weights,
            bits, seed.

    Raises:
        UnsupportedError: samples of another type, that are empty, or that do not fit `kind` or the profile.
        ValueError: an option has a value that it cannot have.
        TypeError: there is no such option, or an argument is given that the Signal brings.
        MissingError: a network is to be fitted, and torch is not installed.
        Stopped: `stop` said so, and there is no file that could be finished.
        InrcodecError: verification failed, a fit diverged, or the device is not there.
    """

    import numpy as np

    from . import bundle, codec
    from .options import Options, check_names
    from .signal import Signal, likely_kind
    from .tensors import Tensors

    if limits := [name for name in ("max_samples", "max_memory") if name in options]:
        raise TypeError(f"{', '.join(limits)}: limits are for files that are read; samples that are there already have none")
    if isinstance(samples, Signal | Tensors):
        given = {"kind": kind != "auto", "bit_depth": bit_depth != 0, "sample_rate": sample_rate is not None, "metadata": bool(metadata)}
        if any(given.values()):
            names = ", ".join(name for name, is_given in given.items() if is_given)
            owner = type(samples).__name__
            raise TypeError(f"{names}: the {owner} has its own; give an array, or change the {owner} with dataclasses.replace")
    else:
        plain = samples if isinstance(samples, np.ma.MaskedArray) else np.asarray(samples)
        samples = Signal(plain, likely_kind(plain) if kind == "auto" else kind, bit_depth, sample_rate, metadata or {})
    check_names(options)
    chosen = Options(**options)
    if isinstance(samples, Tensors):
        chosen.check_tensors()
        return bundle.encode(samples, chosen)
    if chosen.lossy:
        raise ValueError("lossy is for Tensors; payload=False makes a lossy file of a signal")
    watched, stages = chosen.watched()
    data = codec.encode(samples, watched)
    if unused := watched.unused(stages, codec.activation_of(data)):
        _notice(unused, 2)
    return data


def decode(
    data: Buffer,
    *,
    threads: int = 0,
    start: float | None = None,
    duration: float | None = None,
    region: tuple[int, int, int, int] | None = None,
    pages: int | tuple[int, int] | None = None,
    max_samples: int = MAX_SAMPLES,
    max_memory: int = 0,
) -> Signal:
    """The signal in a .linr file, exactly as it was. `decode_tensors` is for files of Tensors.

    Args:
        data: the file: bytes, or any object with a contiguous buffer, as bytearray, memoryview or mmap.
        threads: at most this many; 0: as many as there are cores.
        start, duration: the part of a sound to decode, in seconds; at least one frame is decoded. Only the tiles that hold the part are
            decoded, and the digest is not checked.
        region: the part of a picture to decode, or of each picture of a stack, (left, top, width, height) in pixels; likewise.
        pages: which picture of a stack to decode, counted from 0, as an image; or which of them, (first, the one after the last), as a
            stack; likewise.
        max_samples, max_memory: what the file may ask for, in samples and in bytes; 0 bytes: all memory of the machine. It is checked
            before anything is allocated.

    Raises:
        FormatError: the data is damaged or is not a .linr file; `salvage` gives what is left of it.
        LimitError: the file asks for more than max_samples or max_memory.
        UnsupportedError: start or duration is given and the file holds no sound, or start is past its end; region is given and the file
            holds no picture, or the region does not lie inside it; pages are given and the file holds no stack, or not these.
        ValueError: start or duration is negative, infinite or NaN; or a region or pages are given with start or duration.
        TypeError: data has no contiguous buffer, or start or duration is no number, or region is not four whole numbers, or pages are not
            one or two.
    """
    from . import codec
    from .layout import region_box
    from .options import Options

    data, options = _bytes(data), Options(threads=threads, max_samples=max_samples, max_memory=max_memory)
    if region is not None or pages is not None:
        if start is not None or duration is not None:
            raise ValueError("start and duration are for sounds, region and pages are for pictures")
        box = None if region is None else region_box(region)
        return codec.decode(data, options, region=box, pages=None if pages is None else _pages(pages))
    if start is None and duration is None:
        return codec.decode(data, options)
    for name, seconds in (("start", start), ("duration", duration)):
        if seconds is None:
            continue
        if isinstance(seconds, bool) or not isinstance(seconds, Real):
            raise TypeError(f"{name} is {seconds!r}; it must be a number of seconds")
        if not 0 <= seconds < float("inf"):
            raise ValueError(f"{name} is {seconds!r}; it can be 0 seconds or more")
    return codec.decode(data, options, (start or 0.0, duration))


@overload
def open(path: str | PathLike[str], mode: Literal["r"] = "r", **options: Any) -> StreamReader: ...


@overload
def open(
    path: str | PathLike[str],
    mode: Literal["w"],
    *,
    shape: int | Sequence[int | None] | None = ...,
    dtype: npt.DTypeLike = ...,
    chunks: Sequence[int | None] | None = ...,
    kind: Kind | None = ...,
    metadata: Mapping[str, bytes] | None = ...,
    **options: Any,
) -> StreamWriter: ...


def open(
    path: str | PathLike[str],
    mode: Literal["r", "w"] = "r",
    *,
    shape: int | Sequence[int | None] | None = None,
    dtype: npt.DTypeLike | None = None,
    chunks: Sequence[int | None] | None = None,
    kind: Kind | None = None,
    metadata: Mapping[str, bytes] | None = None,
    **options: Any,
) -> StreamReader | StreamWriter:
    """A .linr file as an array that need not fit in memory: read by index, or written brick by brick. A context manager, in both modes.

    >>> import tempfile, numpy as np, inrcodec
    >>> path = tempfile.mkdtemp() + "/volume.linr"
    >>> with inrcodec.open(path, "w", shape=(40, 64, 64), dtype=np.uint16) as f:
    ...     for plane in range(40):
    ...         f.write(np.full((64, 64), plane, np.uint16))
    >>> with inrcodec.open(path) as f:
    ...     int(f[25:30, :, 5].sum())
    8640

    Args:
        path: of the file. With "w", a file of this name is replaced when the new one is whole.
        mode: "r": see `StreamReader`; every .linr file of a signal can be read. "w": see `StreamWriter`.
        shape: with "w": of all samples; None for the first size: it is known only when the file is closed.
        dtype: with "w": integers, bool, or floats of 16, 32 or 64 bits.
        chunks: with "w": sizes of a brick, which is coded alone, along each axis; None for a whole axis. By default bricks have about
            2^20 values.
        kind, metadata: with "w": see `encode`; "array" if it is not given.
        options: with "w" bit_depth and sample_rate, see `encode`, and the fields profile, effort, threads, verify, progress, stop and
            max_memory of `Options`. With "r" threads, max_samples, max_memory, progress and stop, and cache_bytes: bytes of decoded bricks
            that are kept, 64 MiB by default.

    Raises:
        OSError: with "r": the file is not there, or cannot be read.
        FormatError, LimitError, LossyError: with "r": it is no file of samples, or damaged; its metadata take too much memory.
        UnsupportedError: with "w": there is no such signal, or its bricks cannot be coded so.
        InrcodecError: with "w": the file cannot be written.
        ValueError: the mode or an option has a value that it cannot have.
        TypeError: an argument is missing, or is not for this mode.
    """
    from .stream import open_file

    given = {"shape": shape, "dtype": dtype, "chunks": chunks, "kind": kind, "metadata": metadata}
    given |= {name: options.pop(name) for name in ("bit_depth", "sample_rate") if name in options}
    return open_file(path, mode, {name: value for name, value in given.items() if value is not None}, options)


def thumbnail(
    data: Buffer,
    *,
    scale: float = 1 / 8,
    region: tuple[int, int, int, int] | None = None,
    exact: bool = False,
    threads: int = 0,
    max_samples: int = MAX_SAMPLES,
    max_memory: int = 0,
) -> Signal:
    """The picture in a .linr file at a fraction of its size: (height, width[, channels]), both divided by the side of blocks, rounded up.

    A sample is the mean of a block of samples, rounded, halves up; blocks at the last row and column are smaller. Samples of less than
    8 bits are stretched to 8. At 1/8 and below, the preview is taken if the file holds one (option `preview` of `encode`): it is lossy, and
    a `Notice` says so. Else all tiles needed are decoded, and the digest is not checked.

    Args:
        data: see `decode`.
        scale: 1/2, 1/4, 1/8, 1/16 or 1/32.
        region: the part of the picture of which blocks are made, (left, top, width, height) in its pixels; the preview is then not taken.
        exact: whether the preview is not to be taken.
        threads, max_samples, max_memory: see `decode`.

    Raises:
        FormatError: the data is damaged or is not a .linr file.
        LimitError: the file asks for more than max_samples or max_memory.
        LossyError: the samples are not in the file.
        UnsupportedError: the file holds no picture, or one of more than 32 bits, or the region does not lie inside it.
        ValueError: scale is none of these.
        TypeError: data has no contiguous buffer, or region is not four whole numbers.
    """
    from . import averages, thumbnails
    from .layout import region_box
    from .options import Options

    side = {1 / n: n for n in averages.SIDES}.get(scale)
    if side is None:
        raise ValueError(f"scale is {scale!r}; it can be {', '.join(f'1/{n}' for n in averages.SIDES)}")
    options = Options(threads=threads, max_samples=max_samples, max_memory=max_memory)
    return thumbnails.thumbnail(_bytes(data), side, options, None if region is None else region_box(region), exact)


def decode_tensors(data: Buffer, *, threads: int = 0, max_samples: int = MAX_SAMPLES, max_memory: int = 0) -> Tensors:
    """The tensors in a .linr file of Tensors: exactly as they were, but for those that `info` calls lossy.

    Args: see `decode`. max_samples is for the elements of all tensors together.

    Raises:
        FormatError: the data is damaged, or is not a .linr file of tensors.
        LimitError: the file asks for more than max_samples or max_memory.
        TypeError: data has no contiguous buffer.
    """
    from . import bundle
    from .options import Options

    return bundle.decode(_bytes(data), Options(threads=threads, max_samples=max_samples, max_memory=max_memory))


def encode_arrays(arrays: Mapping[str, npt.ArrayLike | Signal], **options: Any) -> bytes:
    """The .linr file of several arrays under names, as bytes; what a .npz file is for. Each array is coded as `encode` would code it.

    Args:
        arrays: by name. Arrays of any shape and any NumPy type but Python objects; or Signals.
        options: profile, effort, seed, threads, compact, verify, progress, stop: see `inrcodec.Options`.

    Raises:
        UnsupportedError: an array of Python objects, or one that the profile cannot code; it is named.
        ValueError: an option has a value that it cannot have, or is not for several arrays.
        TypeError: there is no such option, or a name is no str.
        Stopped: `stop` said so.
        InrcodecError: verification failed.
    """
    from . import bundle
    from .arrays import Item
    from .options import Options, check_names

    items = {}
    for name, array in arrays.items():
        if not isinstance(name, str):
            raise TypeError(f"the name {name!r} of an array must be a str")
        try:
            items[name] = Item.of(array)
        except UnsupportedError as fault:
            raise UnsupportedError(f"array {name}: {fault}") from None
    check_names(options)
    return bundle.arrays.encode(bundle.arrays.Decoded(items, {}), Options(**options))


def decode_arrays(
    data: Buffer, names: Collection[str] | None = None, *, threads: int = 0, max_samples: int = MAX_SAMPLES, max_memory: int = 0
) -> dict[str, npt.NDArray[Any]]:
    """The arrays in a .linr file of several, by name, in their order, exactly as they were.

    Args:
        data: see `decode`.
        names: of the arrays that are wanted; None: all. Only these are decoded, and checked by their own digests.
        threads, max_samples, max_memory: see `decode`; max_samples is for all arrays together.

    Raises:
        FormatError: the data is damaged, or is not a .linr file of several arrays.
        UnsupportedError: there is no array of such a name.
        LimitError: the file asks for more than max_samples or max_memory.
        TypeError: data has no contiguous buffer.
    """
    from . import bundle
    from .options import Options

    options = Options(threads=threads, max_samples=max_samples, max_memory=max_memory)
    found = bundle.arrays.decode(_bytes(data), options, [names] if isinstance(names, str) else names)
    return {name: item.array() for name, item in found.items.items()}


def salvage(data: Buffer, *, threads: int = 0, max_samples: int = MAX_SAMPLES, max_memory: int = 0) -> Salvaged:
    """All that is intact in a damaged .linr file: the signal, in which lost samples are 0, and what is lost.

    Args: see `decode`.

    Raises:
        FormatError: nothing can be decoded: its header or the section of its profile is damaged.
        LimitError: the file asks for more than max_samples or max_memory.
        TypeError: data has no contiguous buffer.
    """
    from . import damage
    from .options import Options

    return damage.salvage(_bytes(data), Options(threads=threads, max_samples=max_samples, max_memory=max_memory))


def render(data: Buffer, *, threads: int = 0, max_samples: int = MAX_SAMPLES, max_memory: int = 0, **view: Any) -> Signal:
    """What a .linr file shows at another size or bit depth, or what its network alone says: the same on every machine.

    Args:
        data: see `decode`. If the network is asked, a file serves that was cut, as long as a whole network is left of it.
        threads, max_samples, max_memory: see `decode`.
        view: fields of `inrcodec.View`: sizes, sample_rate, region, bit_depth, network_only, config, fill.

    Raises:
        FormatError: the data is damaged or is not a .linr file.
        LimitError: the view asks for more than max_samples or max_memory.
        UnsupportedError: the file has no network that could be asked, or the view does not fit it.
        TypeError: data has no contiguous buffer, or there is no such field.
    """
    from . import views
    from .options import Options

    options = Options(threads=threads, max_samples=max_samples, max_memory=max_memory)
    return views.render(_bytes(data), views.View(**view), options)


def info(data: Buffer, stages: bool = False, *, max_samples: int = MAX_SAMPLES, max_memory: int = 0) -> dict[str, Any]:
    """What a .linr file holds and where its bytes go: the fields of `inrcodec info --json`, but for those that all commands have.

    Args:
        data: see `decode`.
        stages: whether to decode the samples too, to measure where time and bits go.
        max_samples, max_memory: see `decode`. Without stages only the metadata takes memory to speak of.

    Raises:
        FormatError: the data is damaged or is not a .linr file.
        LimitError: the file asks for more than max_samples or max_memory.
        TypeError: data has no contiguous buffer.
    """
    from . import bundle, codec
    from .options import Options

    plain, options = _bytes(data), Options(threads=1, max_samples=max_samples, max_memory=max_memory)
    return bundle.info(plain, options) if bundle.is_bundle(plain) else codec.info(plain, stages, options)


def cost_map(
    data: Buffer,
    *,
    region: tuple[int, int, int, int] | None = None,
    threads: int = 0,
    max_samples: int = MAX_SAMPLES,
    max_memory: int = 0,
) -> Costs:
    """The bits that each place took in a .linr file, which is decoded for it: see `Costs`. They and the overhead are all bits of the file.

    A place has the bits by which its value moved the arithmetic coder. What is compressed as a whole, as in profile `stored`, is shared
    evenly among the places of its tile.

    Args:
        data: see `decode`.
        region: the part of a picture, or of each picture of a stack, (left, top, width, height) in pixels. Only its tiles are decoded.
        threads, max_samples, max_memory: see `decode`.

    Raises:
        FormatError: the data is damaged or is not a .linr file.
        LimitError: the file asks for more than max_samples or max_memory.
        LossyError: the samples are not in the file.
        UnsupportedError: the file holds tensors or several arrays; or a region is given and it holds no picture, or the region does not lie
            inside it.
        TypeError: data has no contiguous buffer, or region is not four whole numbers.
    """
    from . import costs
    from .layout import region_box
    from .options import Options

    options = Options(threads=threads, max_samples=max_samples, max_memory=max_memory)
    return costs.costs(_bytes(data), options, None if region is None else region_box(region))


def _pages(pages: int | tuple[int, int]) -> int | slice:
    """A page, or some of them. Raises TypeError."""
    numbers = pages if isinstance(pages, tuple) else (pages,)
    if len(numbers) > 2 or not numbers or any(isinstance(n, bool) or not isinstance(n, Integral) for n in numbers):
        raise TypeError(f"pages is {pages!r}; it must be a whole number, or a tuple of two")
    return int(numbers[0]) if len(numbers) == 1 else slice(int(numbers[0]), int(numbers[1]))


def _bytes(data: Buffer) -> bytes:
    """The bytes of an object with a contiguous buffer. Raises TypeError."""
    if isinstance(data, bytes):
        return data
    try:
        view = memoryview(data)
    except TypeError:
        hint = "; files are read by pathlib.Path(…).read_bytes()" if isinstance(data, str | PurePath) else ""
        raise TypeError(f"data is of type {type(data).__name__}, not bytes or a buffer of bytes{hint}") from None
    if not view.c_contiguous:
        raise TypeError("data is not contiguous in memory")
    return view.tobytes()
