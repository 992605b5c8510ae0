"""Brotli, with a bound on what a decoder will produce."""

from __future__ import annotations

import brotli

from .errors import FormatError

WINDOW = 24  # log2 of the window: the largest of standard Brotli


def compress(data: bytes, quality: int = 11) -> bytes:
    """`data` compressed by Brotli (RFC 7932); quality 0 … 11."""
    out: bytes = brotli.compress(data, quality=quality, lgwin=WINDOW)
    return out


def decompress(data: bytes, size: int, what: str) -> bytes:
    """Decompress `data` to exactly `size` bytes. Raises FormatError, naming `what`, if it is damaged or of another size.

    At most size + 1 bytes are decompressed, so that a damaged file cannot fill the memory.
    """
    decoder = brotli.Decompressor()
    out = bytearray()
    try:
        out += decoder.process(data, output_buffer_limit=size + 1)
        while len(out) <= size and not decoder.is_finished():
            part = decoder.process(b"", output_buffer_limit=size + 1 - len(out))
            if not part:
                break
            out += part
    except brotli.error as fault:
        raise FormatError(f"damaged: {what} is not valid Brotli data") from fault
    if len(out) != size or not decoder.is_finished():
        raise FormatError(f"damaged: {what} does not have the size it should have")
    return bytes(out)
