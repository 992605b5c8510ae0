"""What the profile `hybrid` can code, and how its section tells its halves apart."""

from __future__ import annotations

SOUND_BITS, PICTURE_BITS = 32, 16
MAX_CHANNELS = 8  # of a sound
MAX_SOURCES = 1 << 16  # sources of a picture: channels times positions along the leading axes
SECTION = b"HYBR"
SOUND = 3  # first byte of section HYBR of a sound; any other number is that of a transform of pictures
ARRAY = 4  # first byte of section HYBR of an array; not that of a transform of pictures either
TURNED = 5  # first byte of section HYBR of an array that is coded turned
ARRAY_BITS = 64
MAX_CHANNELS_OF_ARRAY = 64
