"""`.linr` in Pillow: `import inrcodec.pillow`, and `Image.open` and `Image.save` know it, as format "LINR".

>>> import tempfile, inrcodec.pillow
>>> from PIL import Image
>>> path = tempfile.mkdtemp() + "/red.linr"
>>> Image.new("RGB", (40, 30), "red").save(path, effort=1)
>>> with Image.open(path) as picture:
...     picture.size, picture.mode, picture.getpixel((3, 4))
((40, 30), 'RGB', (255, 0, 0))

`Image.open` reads the header, the metadata and the index. Samples are decoded when they are asked for; `crop` before that decodes only
the tiles that it meets. Pictures are read in these modes:

| samples | mode |
| --- | --- |
| grey of 1 bit | 1 |
| 8 bits: grey, grey+alpha, RGB, RGBA, CMYK | L, LA, RGB, RGBA, CMYK |
| 8 bits, the last channel associated alpha, or unspecified | La, RGBa; RGBX |
| 2 to 7 bits | as 8 bits; samples are stretched to 8, as Pillow does with other formats |
| grey of 9 to 16 bits, unsigned | I;16; I;16B if they are big-endian |
| grey of 8 to 32 bits, signed; up to 31 bits, unsigned | I |
| grey of floats of 16 and 32 bits | F |

The pages of a stack are frames. Grey of up to 16 bits where 0 is white is turned, so that 0 is black. All else raises
UnidentifiedImageError.

`save` takes these modes, I;16L and I;16N, and writes exactly what is in the image; any other mode raises OSError. Its options are the
fields of `inrcodec.Options` but payload=False; icc_profile, exif, xmp, dpi, gamma and text (a dict), which are the image's own if they are
not given; and save_all with append_images, which write a stack of pages of one mode and size. What the image says of an animation, as
durations, is not kept; a `Notice` names it.
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Iterator
from typing import IO, TYPE_CHECKING, Any, cast

from PIL import Image, ImageFile, UnidentifiedImageError
from PIL._util import DeferredError

from .container import is_linr
from .errors import InrcodecError, UnsupportedError, as_os_errors, notice

if TYPE_CHECKING:
    import numpy.typing as npt

    from .stream import StreamReader

    Samples = npt.NDArray[Any]

FORMAT = "LINR"
MIME_TYPE = "application/x-linr"
PHOTOMETRIC, EXTRA_SAMPLES = "tiff/photometric", "tiff/extrasamples"  # metadata that tell what channels mean, if not the usual
WHITE_IS_0, INKS, UNSPECIFIED, ASSOCIATED = b"0", b"5", b"0", b"1"  # and what they say
# modes of up to 8 bits, by the number of channels, and what these metadata say of them
MODES: dict[tuple[int, bytes | None, bytes | None], str] = {
    (1, None, None): "L",
    (1, WHITE_IS_0, None): "L",
    (2, None, None): "LA",
    (2, None, ASSOCIATED): "La",
    (3, None, None): "RGB",
    (4, None, None): "RGBA",
    (4, None, UNSPECIFIED): "RGBX",
    (4, None, ASSOCIATED): "RGBa",
    (4, INKS, None): "CMYK",
}
MEANINGS = {
    "CMYK": {PHOTOMETRIC: INKS},
    "RGBX": {EXTRA_SAMPLES: UNSPECIFIED},
    "RGBa": {EXTRA_SAMPLES: ASSOCIATED},
    "La": {EXTRA_SAMPLES: ASSOCIATED},
}
WRITTEN = {"1", "I", "F", "I;16", "I;16L", "I;16B", "I;16N", *MODES.values()}
INSTEAD = {"P": "RGB", "PA": "RGBA", "YCbCr": "RGB", "LAB": "RGB", "HSV": "RGB"}  # modes to convert others to
ANIMATION = ("duration", "loop", "timestamp", "disposal", "blend", "default_image")  # keys of `info` that tell how frames are shown
WITH_ALPHA = {"1": "LA", "L": "LA", "RGB": "RGBA", "P": "RGBA"}  # and those that have a transparent colour


class LinrImageFile(ImageFile.ImageFile):
    """A picture, or a stack of them, in a .linr file. Its pixels are decoded when they are asked for.

    Attributes:
        text: texts among the metadata, by keyword.
        n_frames, is_animated: how many pictures there are, and whether there are several.
    """

    format = FORMAT
    format_description = "LINR losslessly compressed image"
    n_frames = 1
    is_animated = False
    _reader: StreamReader | None = None  # until it is not needed any more
    _waiting = False  # whether this frame is still to be decoded
    _frame = 0

    def _open(self) -> None:
        from .options import Options
        from .stream import StreamReader

        assert self.fp is not None
        try:
            reader = StreamReader(cast(Any, self.fp), Options())
            self._mode = mode_of(reader)
        except InrcodecError as fault:
            raise UnidentifiedImageError(str(fault)) from fault
        self._reader, self._waiting = reader, True
        self._stack = int(reader.kind == "stack")
        height, width = reader.shape[self._stack : self._stack + 2]
        self._size = (width, height)
        if self._stack:
            self.n_frames = reader.shape[0]
            self._fp = self.fp
            self._close_exclusive_fp_after_loading = False
        self.is_animated = self.n_frames > 1
        self._describe()

    def _describe(self) -> None:
        """Set `info` and `text` to those of this frame."""
        from .files import paging, pillowinfo

        reader = self._opened()
        metadata = paging.of_pages(reader.metadata, self._frame, self._frame + 1) if self._stack else reader.metadata
        info, self.text = pillowinfo.to_info(metadata)
        self.info = cast(Any, info)
        self._exif = None

    def tell(self) -> int:
        """The number of this frame, from 0."""
        return self._frame

    def seek(self, frame: int) -> None:
        """Go to a frame. Raises EOFError if there is none of this number; ValueError if the file is closed."""
        if not self._seek_check(frame):
            return
        if isinstance(self._fp, DeferredError):
            raise self._fp.ex
        self._frame, self._waiting, self.fp = frame, True, self._fp
        self._describe()

    def load(self) -> Any:
        """Decode this frame, if it is not decoded yet. Raises OSError: it is damaged, or takes too much memory."""
        if self._waiting:
            reader = self._opened()
            with as_os_errors():
                found = image_of(pixels_of(reader[self._frame] if self._stack else reader.read(), reader), self.mode)
            self.im, self.readonly, self._waiting = found.im, found.readonly, False
            if self._close_exclusive_fp_after_loading:
                self._reader = None
                if self._exclusive_fp and self.fp:
                    self.fp.close()
            self.fp = None
        return Image.Image.load(self)

    def load_seek(self, pos: int) -> None:
        """Nothing. That there is such a method tells `ImageFile.Parser` to wait for the whole file."""

    def crop(self, box: tuple[float, float, float, float] | None = None) -> Image.Image:
        """A part of the picture, 0 where it lies outside, as `Image.crop`. If it is not loaded, only the tiles that are met are decoded.

        Raises OSError: a tile is damaged; ValueError: the right side is left of the left one, or the lower one above the upper one.
        """
        if not self._waiting or box is None or box[2] < box[0] or box[3] < box[1]:
            return super().crop(box)
        import numpy as np

        reader, (left, top, right, bottom) = self._opened(), map(round, box)
        spans = [slice(max(0, low), min(high, n)) for low, high, n in ((top, bottom, self.height), (left, right, self.width))]
        Image._decompression_bomb_check((right - left, bottom - top))
        if any(s.start >= s.stop for s in spans):
            return self._new(Image.new(self.mode, (right - left, bottom - top)).im)
        sizes = zip(spans, reader.chunks[self._stack :], reader.shape[self._stack :], strict=False)
        if all(s.start < tile and s.stop > (n - 1) // tile * tile for s, tile, n in sizes):
            return super().crop(box)  # all tiles are met, so the picture is kept
        with as_os_errors():
            part = pixels_of(reader[(self._frame,) * self._stack + tuple(spans)], reader)
        whole = np.zeros((bottom - top, right - left, *part.shape[2:]), part.dtype)
        whole[tuple(slice(s.start - first, s.stop - first) for s, first in zip(spans, (top, left), strict=True))] = part
        return self._new(image_of(whole, self.mode).im)

    def verify(self) -> None:
        """Compare all checksums of the file, without decoding it, and close it. Raises OSError: it is damaged."""
        if self.fp is None:
            raise RuntimeError("verify must be called directly after open")
        with as_os_errors():
            self._opened().check()
        super().verify()

    def _opened(self) -> StreamReader:
        if self._reader is None or self.fp is None:
            raise ValueError("Operation on closed image")
        return self._reader


def mode_of(reader: StreamReader) -> str:
    """The mode of a picture, or of the pages of a stack. Raises UnsupportedError: it is none, or Pillow has no mode for it."""
    from .errors import naming
    from .signal import has_channel_axis, named

    kind, dtype, depth = reader.kind, reader.dtype, reader.bit_depth
    with naming(reader.path):
        if kind not in ("image", "stack"):
            raise UnsupportedError(f"it holds {named(kind)}, not a picture; inrcodec.decode gives the samples")
        channels = reader.shape[-1] if has_channel_axis(kind, reader.ndim) else 1
        mode = MODES.get((channels, reader.metadata.get(PHOTOMETRIC), reader.metadata.get(EXTRA_SAMPLES)))
        unsigned = dtype.kind in "bu" and not reader.bfloat16
        if mode and unsigned and depth <= 8:
            return "1" if depth == 1 and mode == "L" else mode
        if mode == "L" and unsigned and depth <= 16:
            return "I;16B" if dtype.str[0] == ">" else "I;16"
        if mode == "L" and (unsigned or dtype.kind == "i") and depth <= 32 - unsigned:
            return "I"
        if mode == "L" and dtype.kind == "f" and depth <= 32:
            return "F"
        name = "bfloat16" if reader.bfloat16 else dtype.name
        what = f"pictures of {channels} channels of {depth} bits ({name})"
        meant = " and this meaning" if (channels, None, None) in MODES and not mode else ""
        raise UnsupportedError(f"Pillow has no mode for {what}{meant}; inrcodec.decode gives the samples")


def pixels_of(samples: Samples, reader: StreamReader) -> Samples:
    """The pixels of samples, (height, width[, channels]), in the type that Pillow has for their mode."""
    import numpy as np

    depth, mode = reader.bit_depth, mode_of(reader)
    if samples.ndim == 3 and samples.shape[2] == 1:
        samples = samples[:, :, 0]
    if reader.metadata.get(PHOTOMETRIC) == WHITE_IS_0 and samples.dtype.kind in "bu" and depth <= 16:
        samples = ((1 << depth) - 1 - samples).astype(samples.dtype)
    if mode == "1":
        return samples.astype(bool, copy=False)
    if mode in ("I", "F"):
        return samples.astype(np.int32 if mode == "I" else np.float32, copy=False)
    if mode in ("I;16", "I;16B"):
        return samples.astype("<u2" if mode == "I;16" else ">u2", copy=False)
    if depth < 8:
        top = (1 << depth) - 1
        samples = (2 * 255 * samples.astype(np.uint16) + top) // (2 * top)
    return samples.astype(np.uint8, copy=False)


def image_of(pixels: Samples, mode: str) -> Image.Image:
    """The image of pixels, (height, width[, channels]), of the type that `pixels_of` gives for the mode."""
    import numpy as np

    height, width = pixels.shape[:2]
    if not (height and width):
        return Image.new(mode, (width, height))
    raw = "1;8" if mode == "1" else mode
    return Image.frombuffer(mode, (width, height), np.ascontiguousarray(pixels), "raw", raw, 0, 1)


def samples_of(image: Image.Image) -> tuple[Samples, int]:
    """(the samples of an image, (height, width[, channels]); their bits). Raises OSError: they cannot be kept as they are."""
    import numpy as np

    mode = image.mode
    if "transparency" in image.info and mode not in ("LA", "La", "PA", "RGBA", "RGBa"):
        instead = f'convert("{WITH_ALPHA[mode]}") makes it an alpha channel, ' if mode in WITH_ALPHA else ""
        raise OSError(f'cannot write mode {mode} with a transparent colour as LINR: {instead}del info["transparency"] drops it')
    if mode not in WRITTEN:
        raise OSError(f'cannot write mode {mode} as LINR: convert("{INSTEAD.get(mode, "RGB")}") gives one that can be written')
    found = np.asarray(image)
    return (found.astype(np.uint8), 1) if mode == "1" else (found, 8 * found.dtype.itemsize)


def _frames(images: Iterable[Image.Image]) -> Iterator[Image.Image]:
    """All frames of all images. The images are at their first frames again after that, or where they were."""
    for image in images:
        place = image.tell()
        try:
            for number in range(getattr(image, "n_frames", 1)):
                image.seek(number)
                image.load()
                yield image
        finally:
            image.seek(place)


def _save(image: Image.Image, file: IO[bytes], filename: str | bytes) -> None:
    """What `Image.save` does."""
    _write([image], image.encoderinfo, file)


def _save_all(image: Image.Image, file: IO[bytes], filename: str | bytes) -> None:
    """What `Image.save` does with save_all."""
    more = image.encoderinfo.get("append_images") or ()
    if not isinstance(more, Iterable):
        raise TypeError(f"append_images is {reprlib.repr(more)}; it must be a list of images")
    images = [image, *more]
    if any(not isinstance(one, Image.Image) for one in images):
        raise TypeError("append_images must hold images of Pillow, and nothing else")
    _write(_frames(images), image.encoderinfo, file)


def _write(images: Iterable[Image.Image], given: dict[str, Any], file: IO[bytes]) -> None:
    """Write an image, or several as a stack. given: options of `Image.save`. Nothing is written if it fails.

    Warns with a `Notice` if they are frames of an animation. Raises OSError: they cannot be written so; TypeError, ValueError: an option is
    not known, or not valid.
    """
    import numpy as np

    from . import encode
    from .files import paging, pillowinfo
    from .options import check_has_samples, check_names
    from .signal import Signal

    described = {name: given[name] for name in pillowinfo.OPTIONS if name in given}
    options = {name: value for name, value in given.items() if name not in {"append_images", *described}}
    check_names(options, pillowinfo.OPTIONS)
    check_has_samples(options, "Pillow")
    animated: set[str] = set()
    pages: list[Samples] = []
    metadata: list[dict[str, bytes]] = []
    first: tuple[str, tuple[int, int]] | None = None
    for image in images:
        samples, depth = samples_of(image)
        first = first or (image.mode, image.size)
        if (image.mode, image.size) != first:
            raise OSError(f"cannot write frames of several modes or sizes as LINR: {first[0]} {first[1]}, then {image.mode} {image.size}")
        animated.update(name for name in ANIMATION if name in image.info)
        pages.append(samples)
        metadata.append(pillowinfo.from_image(image, described) | MEANINGS.get(image.mode, {}))
    several = len(pages) > 1
    with as_os_errors():
        samples = np.stack(pages, dtype=pages[0].dtype) if several else pages[0]
        signal = Signal(samples, "stack" if several else "image", depth, None, paging.joined(metadata))
        data = encode(signal, **options)
    if several and animated:
        kept = ", ".join(name for name in ANIMATION if name in animated)
        notice(f"of the animation only the frames are kept, as a stack; lost: {kept}", 4)
    file.write(data)


def _accept(prefix: bytes) -> bool:
    """Whether these are the first bytes of a .linr file."""
    return is_linr(prefix)


Image.register_open(FORMAT, LinrImageFile, _accept)
Image.register_save(FORMAT, _save)
Image.register_save_all(FORMAT, _save_all)
Image.register_extension(FORMAT, ".linr")
Image.register_mime(FORMAT, MIME_TYPE)
