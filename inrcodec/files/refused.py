"""File types that are recognized by their first bytes and refused, each with one line that says why and what to do."""

from __future__ import annotations

import re

LOSSY_IMAGE = "{} is lossy: its pixels can be coded, but the file would not come back; convert it to PNG first"
JPEG = (  # measured on photographs of quality 75 to 95
    "{} is lossy: its pixels can be coded, but take about 1.3 to 4 times the bytes, and the {} file would not come back; "
    "--pixels (pixels=True) codes them"
)
LOSSY = (
    "{} is lossy: its pixels can be coded, but take several times the bytes, and the {} file would not come back; "
    "--pixels (pixels=True) codes them"
)
GIF = "{} is refused, as the file would not come back; --pixels (pixels=True) codes the pixels, if there is one frame"
LOSSY_SOUND = "{} is lossy: its samples can be coded, but the file would not come back; convert it to FLAC first"

# name, a regular expression that matches the first bytes, the line; the first row that matches counts
REFUSED = (
    (".linr", rb"\x89LI(?:NR|\n)", "this is a .linr file, compressed already; inrcodec decode gives back what is in it"),
    ("JPEG", rb"\xff\xd8\xff", JPEG),
    ("JPEG XL", rb"\xff\x0a|\0\0\0\x0cJXL ", "{} is not supported; convert it to PNG first"),
    ("AVIF", rb"....ftyp(?:avif|avis)", LOSSY),
    ("HEIF", rb"....ftyp(?:hei|hev|mif1|msf1)", LOSSY_IMAGE),
    ("GIF", rb"GIF8[79]a", GIF),
    ("Canon RAW", rb"(?:II\*\0|MM\0\*)....CR", "{} is not supported; develop it to TIFF first"),
    (
        "Radiance HDR",
        rb"#\?(?:RADIANCE|RGBE)",
        "{} is not supported; convert it to OpenEXR or PFM first",
    ),
    ("PDF", rb"%PDF-", "{} holds pages, not samples; convert the page to PNG first"),
    ("MP3", rb"\xff[\xe2\xe3\xf2\xf3\xfa\xfb]", LOSSY_SOUND),
    ("AAC", rb"\xff[\xf0\xf1\xf8\xf9]", LOSSY_SOUND),
    ("FLAC inside Ogg", rb"OggS.{24}\x7fFLAC", "{} is not supported; convert it to plain .flac first"),
    ("Ogg", rb"OggS", LOSSY_SOUND),
    ("MPEG-4", rb"....ftyp", "{} is not supported; convert its sound to FLAC, or a picture of it to PNG, first"),
    ("Matroska or WebM", rb"\x1aE\xdf\xa3", "{} is not supported; convert its sound to FLAC, or a picture of it to PNG, first"),
    ("ZIP", rb"PK\x03\x04", "{} archives are not supported; take out one file first. One of NumPy's arrays is, if it is named .npz"),
)
PAIR = "{} is one of a pair of files, .hdr and .img, which is not supported; convert it to .nii first"
REFUSED_NAMES = {
    ".hdr": PAIR,
    ".img": PAIR,
    ".npz": "{} holds several arrays; they are encoded together, and one by one as .npy",
}


def refusal(head: bytes) -> str | None:
    """Why a file with these first bytes (64 of them are enough) is refused; None if it is none of these types."""
    for name, magic, line in REFUSED:
        if re.match(magic, head, re.DOTALL):
            return line.replace("{}", name)
    return None


def named_refusal(extension: str) -> str | None:
    """Why files with an extension are refused; None if they are not by that alone."""
    line = REFUSED_NAMES.get(extension)
    return line.format(extension) if line else None
