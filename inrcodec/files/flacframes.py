"""The audio frames of a FLAC file, without any library.

No library in use decodes them exactly under a licence that this package can have: libsndfile knows three depths, cannot step through a
stream without a length, gives silence for what is missing or damaged, and says nothing of frames beyond those that the header counts;
miniaudio gives wrong samples for 32 bits. The frames carry checksums, which are checked, and so is that none of them is missing in
between.

Source: RFC 9639, section 9.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import FormatError
from ..limits import Limits
from .pcm import signed_type

ID3V1 = (b"TAG", 128)  # some programs put a tag of this size behind the stream
SYNC = range(0xFFF8, 0xFFFA)  # how an audio frame begins


def decode(data: memoryview, channels: int, bits: int, count: int, limits: Limits) -> npt.NDArray[Any]:
    """The samples of a stream, (frames, channels), int8, int16 or int32.

    Args:
        data: the bytes from the first audio frame on.
        channels: 1 to 8.
        bits: per sample, 4 to 32.
        count: the number of frames (of samples), 0 if the stream does not tell it and goes on to the end of the data.
        limits: how many samples there may be.

    Raises:
        LimitError: there are more.
        FormatError: the stream is damaged or truncated, or goes on after its last frame.
    """
    from ..kernels import flac

    stream = np.frombuffer(data, np.uint8)
    state, coefficients = np.zeros(flac.STATE, np.int64), np.zeros(32, np.int64)
    state[flac.END] = 8 * len(stream)
    block = np.empty((channels, flac.LONGEST), np.int64)
    dtype = np.dtype(signed_type(bits))
    x = np.empty((0, channels), dtype)
    found, expected = 0, None
    while (found < count) if count else (int(state[flac.AT]) // 8 < len(stream)):
        at = int(state[flac.AT]) // 8
        if not count and bytes(data[at : at + 3]) == ID3V1[0] and len(stream) - at == ID3V1[1]:
            break
        frames = int(flac.decode_frame(stream, state, coefficients, bits, block))
        if state[flac.FAULT]:
            raise FormatError(_fault(int(state[flac.FAULT]), at, found))
        number = int(state[flac.NUMBER])
        if expected is not None and number != expected:
            raise FormatError(f"damaged: the audio frame before byte {at} of the sound is missing")
        expected = number + (frames if state[flac.VARIABLE] else 1)
        limits.check_shape((found + frames, channels))
        if found + frames > len(x):
            room = max(2 * len(x), found + frames)
            limits.check_memory(len(data) + (len(x) + room) * channels * dtype.itemsize)  # it may be copied to another place
            x.resize((room, channels), refcheck=False)
        x[found : found + frames] = block[:, :frames].T
        found += frames
    if found < count or not found:
        raise FormatError(f"truncated: {found} of {count or 'an unknown number of'} frames are there")
    at = int(state[flac.AT]) // 8
    if count and (found > count or int.from_bytes(data[at : at + 2], "big") in SYNC):
        raise FormatError(f"damaged: there are more than the {count} frames that the header says")
    x.resize((found, channels), refcheck=False)
    return x


def _fault(code: int, at: int, found: int) -> str:
    from ..kernels import flac

    if code == flac.TRUNCATED:
        return f"truncated: the sound ends within an audio frame, after {found} frames"
    if code == flac.CHANGED:
        return f"damaged: depth or channels change at byte {at} of the sound"
    return f"truncated, or damaged: the audio frame at byte {at} of the sound cannot be decoded"
