"""Bundles: a .linr file whose sections are a manifest (BNDL) and whole .linr files (LINR), which together hold named tensors or arrays.

Of tensors, `coding` has both ways; `manifest` the section BNDL, `streams` what the numbers in a stream mean, `choices` and `lossy` what the
encoder chooses. `arrays` has both ways of arrays.
"""

from __future__ import annotations

from typing import Any

from ..container import Reader
from ..errors import FormatError
from ..options import Options
from . import arrays, coding, manifest
from .coding import decode, encode, is_bundle

__all__ = ["arrays", "decode", "encode", "holds_arrays", "info", "is_bundle"]


def holds_arrays(data: bytes) -> bool:
    """Whether these are the bytes of a bundle of arrays; else they may be those of tensors, or of no bundle."""
    if not is_bundle(data):
        return False
    r = Reader(memoryview(data)[coding.FIRST_CONTENT :], "the file")
    try:
        r.varint()
        return r.byte() == manifest.ARRAYS
    except FormatError:
        return False


def info(data: bytes, options: Options) -> dict[str, Any]:
    """What a bundle holds and where its bytes go, whatever it declares. Raises FormatError; LimitError: the manifest is too large."""
    return arrays.info(data, options) if holds_arrays(data) else coding.info(data, options)
