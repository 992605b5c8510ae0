"""What the profile `hybrid` can code, and how its section tells its halves apart."""

from __future__ import annotations

SOUND_BITS, PICTURE_BITS = 32, 16
MAX_CHANNELS = 8  # of a sound
MAX_SOURCES = 1 << 16  # sources of a picture: channels times positions along the leading axes
SOUND = 3  # first byte of section HYBR of a sound; that of a picture is the number of its transform, 0 … 2
