"""inrcodec: a lossless neural codec for images, sound and other integer arrays.

>>> import numpy as np, inrcodec
>>> data = inrcodec.encode(np.arange(1000, dtype=np.int32), profile="stored")
>>> bool((inrcodec.decode(data).samples == np.arange(1000)).all())
True
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy.typing as npt

from . import codec, files
from .errors import FormatError, InrcodecError, LimitError, MissingError, Notice, Stopped, UnsupportedError
from .options import Options, Progress
from .signal import Kind, Signal

__version__ = "0.1.0"
__all__ = [
    "FormatError", "InrcodecError", "LimitError", "MissingError", "Notice", "Options", "Progress", "Signal", "Stopped", "UnsupportedError",
    "decode", "encode", "files", "info",
]  # fmt: skip


def encode(
    samples: npt.ArrayLike | Signal,
    *,
    kind: Kind = "array",
    bit_depth: int = 0,
    sample_rate: int | None = None,
    metadata: Mapping[str, bytes] | None = None,
    **options: Any,
) -> bytes:
    """The .linr file of an array or Signal, as bytes.

    Args:
        samples: integers or bool, 1 to 4 dimensions; or a Signal, which brings the next four arguments itself.
        kind: "image" ((height, width[, channels]) unsigned), "audio" ((frames[, channels]) signed) or "array".
        bit_depth: nominal bits per sample; 0: the bits of the samples' type.
        sample_rate: frames per second, for "audio".
        metadata: see `inrcodec.files.metadata`.
        options: fields of `inrcodec.Options`: profile, effort, weights, seed, …

    Raises:
        UnsupportedError: samples that are not integers, are empty, or do not fit `kind` or the profile.
        ValueError: an option has a value that it cannot have.
        TypeError: there is no such option.
        MissingError: a network is to be fitted, and torch is not installed.
        Stopped: `stop` said so, and there is no file that could be finished.
        InrcodecError: verification failed, a fit diverged, or the device is not there.
    """
    import numpy as np

    if not isinstance(samples, Signal):
        plain = samples if isinstance(samples, np.ma.MaskedArray) else np.asarray(samples)
        samples = Signal(plain, kind, bit_depth, sample_rate, metadata or {})
    return codec.encode(samples, Options(**options))


def decode(data: bytes, *, threads: int = 0, start: float | None = None, duration: float | None = None) -> Signal:
    """The signal in a .linr file, exactly as it was.

    Args:
        data: the file.
        threads: at most this many; 0: as many as there are cores.
        start, duration: the part of a sound to decode, in seconds; at least one frame is decoded. Only the tiles that hold the part are
            decoded, and the digest is not checked.

    Raises:
        FormatError: the data is damaged or is not a .linr file.
        UnsupportedError: start or duration is given and the file holds no sound, or start is past its end.
        ValueError: start or duration is negative, infinite or NaN.
    """
    if start is None and duration is None:
        return codec.decode(data, Options(threads=threads))
    for seconds in (start, duration):
        if seconds is not None and not 0 <= seconds < float("inf"):
            raise ValueError(f"seconds are {seconds!r}; they can be 0 or more")
    return codec.decode(data, Options(threads=threads), (start or 0.0, duration))


def info(data: bytes, stages: bool = False) -> dict[str, Any]:
    """What a .linr file holds and where its bytes go: the fields of `inrcodec info --json`. Raises FormatError.

    stages: whether to decode the samples too, to measure where time and bits go.
    """
    return codec.info(data, stages)
