"""`.linr` in imageio: `import inrcodec.imageio`, and `imageio.v3` knows it, as plugin "inrcodec" and by the extension `.linr`.

    import imageio.v3 as iio, inrcodec.imageio
    iio.imwrite("picture.linr", samples, effort=3)
    samples = iio.imread("picture.linr")

imageio has no entry points for plugins, so this module must be imported once in a program. Samples are read and written exactly, in all
types that a picture can have.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import EllipsisType, TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from . import encode, storage
from .container import FIRST, check_start, is_linr
from .errors import InrcodecError, UnsupportedError, as_os_errors
from .files import paging
from .files.optional import require
from .layout import region_box
from .options import Options, check_has_samples, check_names
from .signal import Kind, Signal, named, picture_kind

if TYPE_CHECKING:
    from .stream import StreamReader

require("inrcodec.imageio", {"imageio": "imageio"})

from imageio.config import extension_list, known_extensions, known_plugins  # noqa: E402
from imageio.config.extensions import FileExtension  # noqa: E402
from imageio.config.plugins import PluginConfig  # noqa: E402
from imageio.core.request import InitializationError, IOMode, Request  # noqa: E402
from imageio.core.v3_plugin_api import ImageProperties, PluginV3  # noqa: E402

NAME, EXTENSION = "inrcodec", ".linr"
BY_CONTENT = "inrcodec-content"  # the plugin that imageio asks first where an extension does not tell which to take
BIT_DEPTH = "bit_depth"  # among the metadata, beside the keys of `inrcodec.files.metadata`
Samples = npt.NDArray[Any]
Index = int | EllipsisType | None


class LinrPlugin(PluginV3):
    """Reads and writes .linr files of pictures and of stacks of them.

    An ndimage is a picture, (height, width) or (height, width, channels). Without an index, all pages of a stack are read, and the one
    picture of other files.
    """

    _owns = False  # of a request that is not taken, other plugins go on to use the file

    def __init__(self, request: Request, *, threads: int = 0) -> None:
        """Open a file. threads: at most this many; 0: as many as there are cores.

        A file that is damaged or holds no picture raises OSError when it is first asked for something: what is raised here, imageio
        replaces by a message of its own.

        Raises InitializationError: it is no .linr file.
        """
        super().__init__(request)
        self._reader: StreamReader | None = None
        self._fault: OSError | None = None  # of opening the file
        self._pages: list[Samples] = []
        self._given: dict[str, Any] = {}
        self._batch = False
        if request.mode.io_mode == IOMode.write:
            if request.extension not in (None, EXTENSION):
                raise InitializationError(f"inrcodec writes {EXTENSION} files, not {request.extension}")
        else:
            if reason := _foreign(request):
                raise InitializationError(reason)
            try:
                self._reader = _opened(request, threads)
            except OSError as fault:
                self._fault = fault
            except BaseException:
                request.finish()
                raise
        self._owns = True

    def close(self) -> None:
        """Write what `write` was given, if it was, and close the file."""
        if not self._owns:
            return
        self._owns = False
        try:
            if self._pages:
                data = self._encoded()
                with as_os_errors():
                    storage.replace_bytes(Path(self.request.get_local_filename()), data, force=True)
        finally:
            self.request.finish()

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None) -> None:
        if kind is not None:
            self._pages = []
        self.close()

    def read(self, *, index: Index = None, region: tuple[int, int, int, int] | None = None) -> Samples:
        """A picture of the file, or all of them.

        Args:
            index: of the picture, from 0; `...`: all, with an axis of pages; None: all pages of a stack, else the picture.
            region: the part to decode, (left, top, width, height) in pixels. Only the tiles that hold it are decoded.

        Returns:
            (height, width[, channels]), or (pages, height, width[, channels]), of the type in the file.

        Raises:
            OSError: it is damaged, or holds no picture.
            ValueError: there is no picture of this index, or the region does not lie inside it.
        """
        reader, number = self._at(index)
        box = self._box(region)
        with as_os_errors():
            if number is not None and reader.kind == "stack":
                return np.asarray(reader[(number, *box)])
            found = reader[(slice(None),) * (reader.kind == "stack") + box] if box else reader.read()
            return np.asarray(found if reader.kind == "stack" or number is not None else found[None])

    def iter(self, *, region: tuple[int, int, int, int] | None = None) -> Iterator[Samples]:
        """All pictures of the file in order, see `read`. They are decoded one by one, or as many as a brick holds."""
        for number in range(self._count()):
            yield self.read(index=number, region=region)

    def write(
        self, ndimage: npt.ArrayLike | Sequence[npt.ArrayLike], *, is_batch: bool | None = None, metadata: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> bytes | None:  # fmt: skip
        """Take a picture, or several; the file is written when it is closed, at once if bytes are wanted.

        Args:
            ndimage: (height, width) or (height, width, 1 to 4 channels): a picture; a list of these, or any other shape of 3 or 4 axes:
                pages of a stack. Pages must have one shape.
            is_batch: whether the first axis is that of pages; None: by the shape.
            metadata: see `inrcodec.files.metadata`; bit_depth may be among them, as `metadata` gives them.
            options: bit_depth, and fields of `inrcodec.Options`.

        Raises:
            OSError: the samples are no picture, there are none, or their pages differ.
            ValueError, TypeError: an option is not known, or not valid.
        """
        check_names(options, (BIT_DEPTH,))
        check_has_samples(options, "imageio")
        is_list = isinstance(ndimage, list | tuple)
        pages = [np.asarray(page) for page in ndimage] if isinstance(ndimage, list | tuple) else [np.asarray(ndimage)]
        if not is_list and (is_batch if is_batch is not None else picture_kind(pages[0].shape) == "stack"):
            is_list, pages = True, list(np.atleast_1d(pages[0]))
        if not pages or not pages[0].ndim:
            raise OSError(f"{self.request.filename}: there is nothing to encode: no pictures")
        self._batch = self._batch or is_list
        self._pages += pages
        own = dict(metadata or {})
        self._given |= {BIT_DEPTH: own.pop(BIT_DEPTH)} if BIT_DEPTH in own else {}
        self._given |= ({"metadata": own} if own else {}) | options
        if self.request.filename == "<bytes>":
            data = self._encoded()
            self._pages = []
            return data
        return None

    def metadata(self, index: Index = None, exclude_applied: bool = True) -> dict[str, Any]:
        """The metadata, bytes by the keys of `inrcodec.files.metadata`, and the bit depth. Nothing of it is applied to the samples.

        index: of a page whose own they are to be; else those of all pages, see `inrcodec.files.paging`. exclude_applied: no matter.
        Raises ValueError: there is no picture of this index.
        """
        reader, number = self._at(index)
        own = paging.of_pages(reader.metadata, number, number + 1) if reader.kind == "stack" and number is not None else reader.metadata
        return {**own, BIT_DEPTH: reader.bit_depth}

    def properties(self, index: Index = None) -> ImageProperties:
        """Shape and type of what `read` gives for an index. Nothing is decoded. Raises ValueError: there is no picture of this index."""
        reader, number = self._at(index)
        if number is not None:
            return ImageProperties(shape=reader.shape[int(reader.kind == "stack") :], dtype=reader.dtype)
        shape = reader.shape if reader.kind == "stack" else (1, *reader.shape)
        return ImageProperties(shape=shape, dtype=reader.dtype, n_images=shape[0], is_batch=True)

    def _count(self) -> int:
        reader, _ = self._at(...)
        return reader.shape[0] if reader.kind == "stack" else 1

    def _at(self, index: Index) -> tuple[StreamReader, int | None]:
        """(the open file, the number of the picture that an index asks for; None: all). Raises ValueError; OSError: see `read`."""
        if self._fault is not None and self._owns:
            raise self._fault
        if self._reader is None or not self._owns:
            raise OSError("the file is closed, or open for writing")
        several = self._reader.kind == "stack"
        if index is Ellipsis or (index is None and several):
            return self._reader, None
        count, number = self._reader.shape[0] if several else 1, 0 if index is None else index
        if isinstance(number, bool) or not isinstance(number, int | np.integer) or not 0 <= number < count:
            raise ValueError(f"index is {index!r}; the file has {count} picture{'s' * (count > 1)}, counted from 0")
        return self._reader, int(number)

    def _box(self, region: tuple[int, int, int, int] | None) -> tuple[slice, ...]:
        """Rows and columns of a region; nothing if there is none. Raises ValueError: it does not lie inside the picture."""
        if region is None:
            return ()
        assert self._reader is not None
        box = region_box(region)
        first = int(self._reader.kind == "stack")
        height, width = self._reader.shape[first : first + 2]
        if any(not 0 <= s.start < s.stop <= n for s, n in zip(box, (height, width), strict=True)):
            raise ValueError(f"the region does not lie inside the picture, which is {width} pixels wide and {height} high")
        return box

    def _encoded(self) -> bytes:
        """The file of the pages. Raises as `write`."""
        several = self._batch or len(self._pages) > 1
        if len({(page.shape, page.dtype) for page in self._pages}) > 1:
            shapes = ", ".join(sorted({f"{page.shape} {page.dtype}" for page in self._pages}))
            raise OSError(f"the pages of a stack must have one shape and type; these have {shapes}")
        kind: Kind = "stack" if several else "image"
        options = dict(self._given)
        with as_os_errors():
            samples = np.stack(self._pages, dtype=self._pages[0].dtype) if several else self._pages[0]
            signal = Signal(samples, kind, options.pop(BIT_DEPTH, 0), None, options.pop("metadata", {}))
            return encode(signal, **options)


class LinrByContent(LinrPlugin):
    """Reads .linr files whose names do not tell that they are: bytes, open files, and names without a known extension.

    imageio asks one plugin after the other then. This one comes first, before Pillow's, which reads a stack's first page only once
    `inrcodec.pillow` is imported. It looks at the first bytes alone.
    """

    def __init__(self, request: Request, *, threads: int = 0) -> None:
        """See `LinrPlugin`. Raises InitializationError: it is no .linr file, or is to be written, which other plugins may do."""
        if request.mode.io_mode == IOMode.write:
            raise InitializationError(f"inrcodec writes {EXTENSION} files")
        try:
            super().__init__(request, threads=threads)
        except InitializationError:
            request.finish()  # the next plugin gets a request of its own
            raise


def _foreign(request: Request) -> str | None:
    """What to say of a file that is left to other plugins; None: it is a .linr file, maybe cut or damaged, or empty and named so."""
    start = request.firstbytes[:FIRST]
    if is_linr(start) or (not start and request.extension == EXTENSION):
        return None
    try:
        check_start(start)
    except InrcodecError as fault:
        if not str(fault).startswith(("truncated", "damaged")):
            return f"{request.filename}: {fault}"
    return None


def _opened(request: Request, threads: int) -> StreamReader:
    """The file of a request. Raises OSError: it is damaged, or holds no picture."""
    from .stream import StreamReader

    with as_os_errors():
        reader = StreamReader(request.get_file(), Options(threads=threads))
        if reader.kind not in ("image", "stack"):
            raise UnsupportedError(f"{reader.path}: it holds {named(reader.kind)}, not a picture; inrcodec.decode gives the samples")
    return reader


if NAME not in known_plugins:
    _others = dict(known_plugins)
    known_plugins.clear()  # the same dict, since modules hold it; imageio asks plugins in this order
    known_plugins[BY_CONTENT] = PluginConfig(name=BY_CONTENT, class_name="LinrByContent", module_name=__name__, install_name=NAME)
    known_plugins.update(_others)
    known_plugins[NAME] = PluginConfig(name=NAME, class_name="LinrPlugin", module_name=__name__, install_name=NAME)
    _extension = FileExtension(extension=EXTENSION, priority=[NAME], name="LINR losslessly compressed image")
    extension_list.append(_extension)
    known_extensions[EXTENSION] = [_extension]
