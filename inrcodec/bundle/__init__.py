"""Bundles: a .linr file whose sections are a manifest (BNDL) and whole .linr files (LINR), which together hold named tensors.

`coding` has both ways; `manifest` the section BNDL, `streams` what the numbers in a stream mean, `choices` and `lossy` what the encoder
chooses.
"""

from __future__ import annotations

from .coding import decode, encode, info, is_bundle

__all__ = ["decode", "encode", "info", "is_bundle"]
