"""Other lossless codecs, to be measured beside inrcodec: of pictures, of sound, of arrays.

Each is given its settings for the smallest files that it makes in bearable time.
"""

from __future__ import annotations

from .base import Peer, Unsuited
from .numbers import Blosc2, Pcodec
from .pictures import Avif, Jpeg2000, JpegLs, JpegXl, Png, WebP
from .sounds import Flac, WavPack

__all__ = ["PEERS", "Peer", "Unsuited"]

PEERS: tuple[Peer, ...] = (Png(), WebP(), JpegXl(), Jpeg2000(), JpegLs(), Avif(), Flac(), WavPack(), Blosc2(), Pcodec())
