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
    parts: list[bytes] = []
    left = size + 1
    try:
        part = decoder.process(data, output_buffer_limit=left)
        while part:
            parts.append(part)
            left -= len(part)
            if left <= 0 or decoder.is_finished():
                break
            part = decoder.process(b"", output_buffer_limit=left)
    except brotli.error as fault:
        raise FormatError(f"damaged: {what} is not valid Brotli data") from fault
    if left != 1 or not decoder.is_finished():
        raise FormatError(f"damaged: {what} does not have the size it should have")
    return parts[0] if len(parts) == 1 else b"".join(parts)
