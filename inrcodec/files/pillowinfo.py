"""Metadata ↔ what Pillow's images know: `Image.info`, by the keys of Pillow's own readers and writers.

| metadata | `info` |
| --- | --- |
| `icc` | `icc_profile`, bytes |
| `exif` | `exif`, bytes, after `Exif\\0\\0` |
| `xmp` | `xmp`, bytes |
| `gamma` | `gamma`, the file's gamma as a float |
| `density` | `dpi`, two floats; if only the ratio counts, `aspect` |
| `text/KEYWORD` | KEYWORD, str; and in the dict `text` of the image, as PNG's reader has it |
"""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Mapping
from fractions import Fraction
from io import BytesIO
from typing import TYPE_CHECKING, Any

from ..errors import InrcodecError
from . import density, ifd, tifftags
from .metadata import Collected, is_exif, number, under

if TYPE_CHECKING:
    from PIL import Image

EXIF = b"Exif\0\0"  # what Pillow has before an Exif block, as JPEG does
GAMMA_UNIT = 100_000
LARGEST = (1 << 31) - 1
PER_INCH = Fraction(254, 10_000)  # metres
CLOSE = 1e-6  # pixels per metre that a float of pixels per inch may be off
DIGITS = 10**6  # of fractions that a density is rounded to
# what Pillow's readers and writers take for something else than a text
RESERVED = {
    "aspect", "background", "chromaticity", "compression", "default_image", "dpi", "duration", "exif", "gamma", "icc_profile", "interlace",
    "loop", "srgb", "timestamp", "transparency", "xmp", "Raw profile type exif", "XML:com.adobe.xmp",
}  # fmt: skip
# texts that an image has in `info` alone, without a dict `text`: PNG's registered keywords, and those of TIFF
KEYWORDS = {"Title", "Author", "Description", "Copyright", "Creation Time", "Software", "Disclaimer", "Warning", "Source", "Comment"}
OPTIONS = ("icc_profile", "exif", "xmp", "gamma", "dpi", "text")  # of `Image.save`


def to_info(metadata: Mapping[str, bytes]) -> tuple[dict[str, Any], dict[str, str]]:
    """(what `Image.info` holds of metadata, the texts among it). What Pillow has no key for is left out."""
    info: dict[str, Any] = {}
    texts: dict[str, str] = {}
    for keyword, text in under(metadata, "text/"):
        texts.setdefault(keyword, text.decode("utf-8", "replace"))
    info.update({keyword: text for keyword, text in texts.items() if keyword not in RESERVED})
    if icc := metadata.get("icc"):
        info["icc_profile"] = icc
    if is_exif(exif := metadata.get("exif", b"")):
        info["exif"] = EXIF + exif
    if xmp := metadata.get("xmp"):
        info["xmp"] = xmp
    if gamma := number(metadata.get("gamma", b""), LARGEST):
        info["gamma"] = gamma / GAMMA_UNIT
    if fields := density.parse(metadata):
        x, y = (Fraction(*density.ratio(field)) for field in fields[:2])
        per_inch = density.PER_METRE.get(fields[2], 0) * PER_INCH
        info["dpi" if per_inch else "aspect"] = (float(x * (per_inch or 1)), float(y * (per_inch or 1)))
    return info, texts


def from_image(image: Image.Image, given: Mapping[str, Any]) -> dict[str, bytes]:
    """The metadata of an image: what it has, unless it is given. given: of OPTIONS; None or something empty takes it away.

    Raises ValueError: what is given is not valid.
    """
    metadata = Collected(_of_tiff(image))
    for name, (key, coded) in CODED.items():
        value = given[name] if name in given else _own(image, name)
        if name in given or value:
            metadata.pop(key, None)
        if value and (data := coded(value)):
            metadata[key] = data
        elif value and name in given:
            raise ValueError(f"{name} is {reprlib.repr(value)}, which is not valid")
    if "aspect" in image.info and "dpi" not in given and "density" not in metadata and (data := _ratio(image.info["aspect"])):
        metadata["density"] = data
    if "text" in given:
        for key in [key for key in metadata if key.startswith("text/")]:
            del metadata[key]
    for keyword, text in (_checked(given["text"] or {}) if "text" in given else _texts(image)).items():
        if f"text/{keyword}" not in metadata:
            metadata.add(f"text/{keyword}", str(text).encode())
    return dict(metadata)


def _checked(texts: Any) -> Mapping[str, str]:
    """Texts by keyword that are given. Raises ValueError: they are none."""
    if not isinstance(texts, Mapping) or not all(isinstance(key, str) and key and isinstance(text, str) for key, text in texts.items()):
        raise ValueError(f"text is {reprlib.repr(texts)}, which is not valid: it must be a dict of keywords and texts")
    return texts


def _own(image: Image.Image, name: str) -> Any:
    """What an image has for one of OPTIONS; None if it has nothing."""
    found = image.info.get(name)
    return image.info.get("XML:com.adobe.xmp") if name == "xmp" and not found else found


# values of OPTIONS → the metadata; nothing if they are not valid


def _block(value: Any) -> bytes:
    return bytes(value) if isinstance(value, bytes | bytearray | memoryview) else b""


def _xmp(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else _block(value)


def _exif(value: Any) -> bytes:
    block = (value.tobytes() if hasattr(value, "tobytes") else _block(value)).removeprefix(EXIF)
    return block if is_exif(block) else b""


def _gamma(value: Any) -> bytes:
    try:
        found = b"%d" % round(float(value) * GAMMA_UNIT)
    except (TypeError, ValueError, OverflowError):
        return b""
    return found if number(found, LARGEST) else b""


def _dpi(pair: Any) -> bytes:
    x, y = _fractions(pair)
    across, down = x / PER_INCH, y / PER_INCH
    # PNG counts pixels per metre, of which Pillow makes floats
    if any(n.denominator > 1 for n in (x, y)) and all(abs(n - round(n)) < CLOSE * n for n in (across, down)):
        return _fields(Fraction(round(across)), Fraction(round(down)), "m")
    return _fields(x, y, "in")


def _ratio(pair: Any) -> bytes:
    return _fields(*_fractions(pair), "-")


def _fractions(pair: Any) -> tuple[Fraction, Fraction]:
    """Two numbers; zeros if they are none."""
    try:
        x, y = (Fraction(float(n)) for n in pair)
    except (TypeError, ValueError, OverflowError):
        return Fraction(), Fraction()
    return x, y


def _fields(x: Fraction, y: Fraction, unit: str) -> bytes:
    """The metadata `density`; nothing if a number is not positive."""
    found = f"{x.limit_denominator(DIGITS)} {y.limit_denominator(DIGITS)} {unit}".encode()
    return found if density.parse({"density": found}) else b""


CODED: dict[str, tuple[str, Callable[[Any], bytes]]] = {
    "icc_profile": ("icc", _block),
    "exif": ("exif", _exif),
    "xmp": ("xmp", _xmp),
    "gamma": ("gamma", _gamma),
    "dpi": ("density", _dpi),
}


def _texts(image: Image.Image) -> dict[str, Any]:
    """The texts of an image: those of its dict `text`, if its reader has one, else those in `info` that are known for texts."""
    texts = getattr(image, "text", None)
    if not isinstance(texts, dict):
        texts = {key: text for key, text in image.info.items() if key in KEYWORDS and isinstance(text, str)}
        comment = image.info.get("comment")  # of JPEG and GIF
        if isinstance(comment, bytes):
            comment = comment.decode("utf-8", "replace")
        if isinstance(comment, str) and comment:
            texts.setdefault("Comment", comment)
    return {key: text for key, text in texts.items() if isinstance(key, str) and key != "XML:com.adobe.xmp"}


def _of_tiff(image: Image.Image) -> dict[str, bytes]:
    """The metadata of an image that Pillow read from a TIFF file, of which it keeps the tags; nothing of others."""
    if not hasattr(image, "tag_v2"):
        return {}
    try:
        tags, _ = ifd.parse(BytesIO(image.getexif().tobytes().removeprefix(EXIF)))
        return tifftags.described(tags)
    except (InrcodecError, ValueError, TypeError, OSError, SyntaxError):
        return {}  # tags that Pillow cannot write again; profile, XMP and density are in `info` all the same
