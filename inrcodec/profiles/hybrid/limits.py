"""What the profile `hybrid` can code, and how its section tells its halves apart."""

from __future__ import annotations

SOUND_BITS, PICTURE_BITS = 32, 16
MAX_CHANNELS = 8  # of a sound
MAX_SOURCES = 1 << 16  # planes of a picture: channels times leading axes
SOUND = 3  # first byte of section HYBR of a sound; those of pictures are below
