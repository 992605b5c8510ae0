"""ALAC in a Core Audio file: what libsndfile 1.2.2 gives wrong samples for without a word is found here and refused.

- Uncompressed packets of two channels and more than 16 bits, and all of 32 bits. The encoder of libsndfile writes them wrongly too.
- Packets that libsndfile gives zeros for: those it takes for damaged.

Only the first element of a packet, of one or two channels, can be looked at without decoding it, so sound of more than two channels and
more than 16 bits is refused as a whole.

Source: Apple Core Audio Format 1.0, chunks `desc` and `pakt`; ALACEncoder.cpp and ALACDecoder.cpp of Apple's reference code.
"""

from __future__ import annotations

import struct

import numpy as np
import numpy.typing as npt

from ..errors import FormatError, UnsupportedError

EXACT_BITS = 16  # up to these all packets are read right
MOST_FRAMES = 4096  # of a packet, as libsndfile understands ALAC
SINGLE, PAIR, LOW = 0, 1, 3  # elements, in the first 3 bits of a packet: one channel, two, or the one of low frequencies
PARTIAL, RAW = 0x10, 0x02  # bits of the third byte: the packet has fewer frames, which are told next; it is not compressed
LONGEST = 5  # bytes of a size in the table


def check(description: bytes, table: bytes, sound: memoryview, depth: int, frames: int) -> None:
    """Refuse a sound that libsndfile does not read exactly.

    Args:
        description: content of the chunk `desc`.
        table: content of the chunk `pakt`.
        sound: the packets.
        depth: bits of a sample.
        frames: their number, as libsndfile understands the file.

    Raises:
        UnsupportedError: it has packets that libsndfile reads wrongly, or may have.
        FormatError: the packet table does not fit the sound.
    """
    try:
        length, channels = struct.unpack_from(">II", description, 20)
        packets, valid, priming = struct.unpack_from(">qqi", table)
    except struct.error as fault:
        raise FormatError("damaged: no description of the sound, or no table of its packets") from fault
    if priming:
        raise UnsupportedError(f"ALAC after {priming} frames that are not to be heard is not supported")
    if not 1 <= length <= MOST_FRAMES:
        raise UnsupportedError(f"ALAC in packets of {length} frames is not supported; libsndfile reads up to {MOST_FRAMES}")
    if channels > 2 and depth > EXACT_BITS:
        raise UnsupportedError(f"ALAC of {channels} channels and {depth} bits is not supported: libsndfile may give wrong samples")
    last = frames - (packets - 1) * length
    if valid != frames or not 1 <= last <= length:
        raise FormatError(f"damaged: its table tells {valid} frames in {packets} packets of {length}; libsndfile finds {frames}")
    starts = _starts(table[24:], packets)
    if int(starts[-1]) + 7 > len(sound):
        raise FormatError("truncated, or damaged: its packets go past its end")
    data = np.frombuffer(sound, np.uint8)
    element, flags = data[starts] >> 5, data[starts + 2]
    if not np.isin(element, (SINGLE, PAIR, LOW)).all():
        raise UnsupportedError("ALAC packets that do not begin with sound are not supported")
    told = int.from_bytes(data[starts[-1] + 2 : starts[-1] + 7].tobytes(), "big") >> 1 & 0xFFFFFFFF
    if np.any(flags[:-1] & PARTIAL) or (flags[-1] & PARTIAL and (told != last or last == MOST_FRAMES)):
        raise UnsupportedError("ALAC with packets that do not have the frames that the table tells is not supported")
    if depth > EXACT_BITS and np.any((flags & RAW != 0) & (depth == 32 or element == PAIR)):
        reason = "libsndfile gives wrong samples; convert it to .flac or .wav with another program"
        raise UnsupportedError(f"ALAC of {depth} bits with uncompressed packets is not supported: {reason}")


def _starts(sizes: bytes, packets: int) -> npt.NDArray[np.int64]:
    """Where each packet begins, of sizes in groups of 7 bits, the highest first; the last group of each has its highest bit clear."""
    data = np.frombuffer(sizes, np.uint8)
    ends = np.flatnonzero(data < 128)[:packets]
    if len(ends) < packets:
        raise FormatError(f"damaged: the sizes of {len(ends)} of {packets} packets are there")
    firsts = np.concatenate((np.zeros(1, np.int64), ends[:-1] + 1))
    if int((ends - firsts).max()) >= LONGEST:
        raise FormatError("damaged: a packet of over 32 GB")
    numbers = np.zeros(packets, np.int64)
    for i in range(LONGEST):
        there = firsts + i <= ends
        numbers[there] = numbers[there] << 7 | (data[firsts[there] + i] & 127)
    return np.cumsum(numbers) - numbers
